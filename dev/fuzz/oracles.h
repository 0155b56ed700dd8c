/*
What must hold of texts and of pairs files, worked out in other ways than pref.c's.
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
// after it. Returns that length.
static int check_prompt(const Tokenizer *t, const int *token, int n) {
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
    return k;
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

// --- pairs files ---------------------------------------------------------------------------------

// Takes the next field off the text from *p to end. Writes what it says to `to`, as a string, and
// moves *p to the tab behind the field, or to the end. Returns whether all escapes are known.
static int next_field(const char **p, const char *end, char *to) {
    const char *tab = memchr(*p, '\t', (size_t)(end - *p)), *stop = tab ? tab : end, *slash;
    for (; (slash = memchr(*p, '\\', (size_t)(stop - *p))) != NULL; *p = slash + 2) {
        memcpy(to, *p, (size_t)(slash - *p));
        to += slash - *p;
        char letter = slash + 1 < stop ? slash[1] : 0;
        *to++ = letter == 't' ? 9 : letter == 'n' ? 10 : letter == 'r' ? 13 : '\\';
        if (!letter || !strchr("tnr\\", letter)) { return 0; }
    }
    memcpy(to, *p, (size_t)(stop - *p));
    to[stop - *p] = 0;
    *p = stop;
    return 1;
}

// Whether a line's n bytes are text: UTF-8 without NUL bytes.
static int is_text(const char *line, size_t n) {
    unsigned char *s = memcpy(alloc(n + 1, 1, "a line"), line, n);
    return !memchr(line, 0, n) && utf8_by_table(s);
}

enum { INVALID, VALID };

typedef struct {
    int valid, n;  // n: the number of pairs
    char **field;  // (3 n) what their fields say
} PairsFile;

// Whether three texts are a pair for a model of T tokens.
static int is_pair(const Tokenizer *t, int T, char *const field[3]) {
    int n[3];
    char *end = alloc(256, 1, "a marker");
    memcpy(end, t->bytes + t->at[t->eot], (size_t)token_length(t, t->eot));
    for (int k = 0; k < 3; k++) {
        if (strchr(field[k], 'Z') || strstr(field[k], end)) { return 0; }  // Z is no token
        int length = (int)strlen(field[k]);
        n[k] = encode(t, field[k], length, alloc((size_t)length, sizeof(int), "ids"));
    }
    return strcmp(field[1], field[2]) && 2 + n[0] + n[1] <= T && 2 + n[0] + n[2] <= T;
}

// Reads a line up to `end` and keeps its first three fields. Returns how many it has, or 0 if it is
// no text or has an unknown escape.
static int line_fields(const char *line, const char *end, char *field[3]) {
    int n = 0;
    if (!is_text(line, (size_t)(end - line))) { return 0; }
    for (const char *p = line;; p++) {
        char *text = alloc((size_t)(end - line) + 1, 1, "a field");
        if (!next_field(&p, end, text)) { return 0; }
        if (n < 3) { field[n] = text; }
        n++;
        if (p == end) { return n; }
    }
}

// Reads the text of a pairs file.
static PairsFile *pairs_of_text(const Tokenizer *t, int T, const char *data, size_t size) {
    PairsFile *file = alloc(1, sizeof *file, "the pairs");
    const char *p = data, *all = data + size, *next;
    int columns = 0, strange = 0;
    file->field = alloc(3 * (size + 1), sizeof(char *), "the pairs");
    for (const char *line = data; line < all;) {  // carriage returns end a line, or are strange
        const char *feed = memchr(line, '\n', (size_t)(all - line)), *end = feed ? feed : all;
        while (end > line && end[-1] == '\r') { end--; }
        strange |= memchr(line, '\r', (size_t)(end - line)) != NULL;
        line = feed ? feed + 1 : all;
    }
    if (size >= 3 && !memcmp(p, "\xef\xbb\xbf", 3)) { p += 3; }
    for (int right = size > 0; right && p < all; p = next) {
        const char *feed = memchr(p, '\n', (size_t)(all - p)), *end = feed ? feed : all;
        next = feed ? feed + 1 : all;
        while (end > p && end[-1] == '\r') { end--; }
        char **field = file->field + 3 * file->n;
        int n = line_fields(p, end, field);
        if (!columns) {
            right = n >= 3 && !strcmp(field[0], "prompt") && !strcmp(field[1], "chosen")
                    && !strcmp(field[2], "rejected");
            columns = n;
        } else {
            right = n == columns && is_pair(t, T, field);
            file->n++;
        }
        if (!right) { file->n = 0; }
    }
    file->valid = !strange && file->n > 0 ? VALID : INVALID;
    return file;
}
