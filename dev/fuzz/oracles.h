/*
What must hold of texts, worked out in other ways than pref.c's.
*/

// Encoding keeps the text, makes no end-of-text, and takes pieces one by one. Returns the ids.
static int *round_trip(const Tokenizer *t, const char *s, int n, int *count) {
    int *id = alloc(n, sizeof(int), "ids"), *part = alloc(n, sizeof(int), "ids"), at = 0;
    *count = encode(t, s, n, id);
    for (int i = 0; i < *count; i++) {
        must(id[i] >= 0 && id[i] < t->V && id[i] != t->eot, "a text is encoded to tokens");
        int length = token_length(t, id[i]);
        must(length <= n - at && !memcmp(s + at, t->bytes + t->at[id[i]], length),
             "what is decoded is what was encoded");
        at += length;
    }
    must(at == n, "all of a text is encoded");
    for (int edge = 0, k = 0; edge < n && k < 16; k++) {
        int piece = piece_length(s + edge, n - edge);
        must(piece >= 1 && piece <= n - edge, "a piece is part of the text");
        int m = encode(t, s, edge += piece, part);
        must(m <= *count && !memcmp(id, part, m * sizeof(int)), "pieces are encoded one by one");
    }
    return id;
}

// The length of the one of some words that n bytes begin with; 0: with none.
static int begins(const char *s, int n, const char *const *words) {
    for (; *words; words++) {
        int length = (int)strlen(*words);
        if (length <= n && !memcmp(s, *words, length)) { return length; }
    }
    return 0;
}

// prompt_length, found in another way: as few tokens as hold the first full stop and the quotes
// after it.
static void check_prompt(const Tokenizer *t, const uint16_t *token, int n) {
    static const char *const stops[] = {".", "!", "?", "\u3002", "\uff01", "\uff1f", NULL};
    static const char *const quotes[] = {"\"", "\u201d", "\u300d", NULL};
    int total = 0, want = 0, length = 0, k = 0;
    char *s = alloc(n, 256, "a text");
    for (int i = 0; i < n - 1; i++) {
        memcpy(s + total, t->bytes + t->at[token[i]], token_length(t, token[i]));
        total += token_length(t, token[i]);
    }
    while (want < total && !(length = begins(s + want, total - want, stops))) { want++; }
    int none = want == total;
    for (; length > 0; length = begins(s + want, total - want, quotes)) { want += length; }
    for (total = 0; k < n - 1 && (none || total < want); k++) {
        total += token_length(t, token[k]);
    }
    must(prompt_length(t, token, n) == k, "a prompt is the first sentence");
}

// Whether s is UTF-8 by the table of RFC 3629, section 4.
static int utf8_by_table(const unsigned char *s) {
    while (*s) {
        int c = *s++, more = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
        int least = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
        int most = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
        if ((c > 0x7f && c < 0xc2) || c > 0xf4) { return 0; }
        for (; more > 0; more--, s++, least = 0x80, most = 0xbf) {
            if (*s < least || *s > most) { return 0; }
        }
    }
    return 1;
}
