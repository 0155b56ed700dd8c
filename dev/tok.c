/*
tok.c: makes the file that pref.c trains on out of plain text (`make data`).

    tok [-V 1536] [-T 128] TEXT OUT.bin

It learns a vocabulary of V tokens by byte-pair encoding (Gage 1994; Sennrich et al. 2016), encodes
TEXT with it, and writes llm.c's three blocks: the tokenizer, the training tokens, the validation
tokens. T is a context length; only the report at the end uses it.

TEXT is UTF-8. Each document in it ends in <|endoftext|>; the last one need not. White space around
a document is dropped, a byte-order mark at the start is skipped, line ends become LF, all other
bytes are kept, and empty documents are skipped.

How the vocabulary grows: at first each byte is a token. Again and again the two neighbours that
occur together most often become one new token, wherever they meet. Only neighbours in one piece
(pref.c's piece_length) count, so it is enough to know the different pieces and how often each
occurs: some thousand words stand for megabytes of text.

TEXT may be larger than memory. It is read three times: once to check and measure it, once to
collect the pieces of documents that are spread evenly over it, about SAMPLE_BYTES in all, and once
to encode it, document by document.
*/
#define TESTING  // pref.c without its main
#define PROGRAM "tok"
#pragma GCC diagnostic ignored "-Wunused-function"  // most of pref.c
#include "../pref.c"

#define END_OF_TEXT "<|endoftext|>"
#define DEFAULT_DATA "tinystories_tok.bin"  // what pref.c reads if it is told nothing

enum {
    TOKEN_BYTES = 255,         // most bytes in a token: the file stores its length in one
    DOCUMENT_BYTES = 1 << 20,  // most bytes in a document: with more, the markers must be missing
    SAMPLE_BYTES = 1 << 24,    // merges are learned on so much text
    VALIDATION_EVERY = 20,     // one document of so many is for validation
    WINDOW = 9,                // lengths over which the mode is smoothed
    LEAST_T = 128, MOST_T = 1024  // contexts that the report recommends
};

// --- counting ------------------------------------------------------------------------------------

// Byte strings and how often each was seen. It is the table from bytes to ids that pref.c has for
// its tokens, here for t.V strings of any kind, and able to grow.
typedef struct {
    Tokenizer t;
    int64_t *count;
    int room, byte_room;
} Counts;

// counts_new returns an empty table.
static Counts counts_new(void) {
    Counts c = {.t = {.eot = -1}, .room = 1 << 10, .byte_room = 1 << 13};
    c.t.at = alloc((size_t)c.room, sizeof(int), "pieces of text");
    c.t.bytes = alloc((size_t)c.byte_room, 1, "pieces of text");
    c.count = alloc((size_t)c.room, sizeof(int64_t), "pieces of text");
    tokenizer_index(&c.t);
    return c;
}

// twice copies `bytes` bytes to a new place of twice the size. The old one is not freed before
// exit: all that were outgrown are together smaller than the last.
static void *twice(const void *old, size_t bytes) {
    return memcpy(alloc(bytes, 2, "pieces of text"), old, bytes);
}

// counts_add adds `weight` to the count of the string s of n bytes. (Offsets are ints: neither the
// pieces of a sample nor their pairs come near 2 GB.)
static void counts_add(Counts *c, const char *s, int n, int64_t weight) {
    Tokenizer *t = &c->t;
    int *slot = token_slot(t, s, n), id = t->V, at = t->at[id];
    if (*slot >= 0) {
        c->count[*slot] += weight;
        return;
    }
    if (id + 1 == c->room) {
        t->at = twice(t->at, (size_t)c->room * sizeof(int));
        c->count = twice(c->count, (size_t)c->room * sizeof(int64_t));
        c->room *= 2;
    }
    while (n > c->byte_room - at) {
        t->bytes = twice(t->bytes, (size_t)c->byte_room);
        c->byte_room *= 2;
    }
    memcpy(t->bytes + at, s, (size_t)n);
    t->at[++t->V] = at + n;
    c->count[id] = weight;
    *slot = id;
    if (t->mask < 2 * (unsigned)t->V) { tokenizer_index(t); }  // half full: finding becomes slow
}

// --- reading -------------------------------------------------------------------------------------

// A text that is read byte by byte, and what has been found in it so far.
typedef struct {
    Input in;
    const char *doing;            // why it is read, for the progress line
    int64_t offset, bytes, line;  // bytes read; the same with each line end as one; line number
    int64_t documents, shown;     // `shown` is the offset at the last progress line
    int after_cr;                 // whether the last byte was a CR
    int n;                        // bytes read of a character that has more than one
    char character[5];            // those bytes
    char variant[80];             // a message about the first near miss of the marker, or ""
} Text;

// check_format looks at the first n bytes of a file. It stops the program if they are not the
// beginning of UTF-8 text, but of UTF-16, UTF-32 or a packed file. UTF-16 without a byte-order mark
// is recognized by its NULs: Latin letters have one in every other byte, always on the same side.
static void check_format(const char *path, const char *head, size_t n) {
    static const struct { const char *name, *magic; size_t n; } formats[] = {  // "?" is any byte
        {"UTF-32", "\xff\xfe\0\0", 4}, {"UTF-32", "\0\0\xfe\xff", 4}, {"UTF-16", "\xff\xfe", 2},
        {"UTF-16", "\xfe\xff", 2}, {"gzip", "\x1f\x8b", 2}, {"zip", "PK\3\4", 4},
        {"xz", "\xfd" "7zXZ", 5}, {"bzip2", "BZh?1AY&SY", 10}, {"zstd", "\x28\xb5\x2f\xfd", 4},
        {"7z", "7z\xbc\xaf\x27\x1c", 6}, {"Parquet", "PAR1\x15", 5}, {"PDF", "%PDF-", 5},
    };
    const char *found = NULL;
    for (size_t i = 0, k; !found && i < sizeof formats / sizeof *formats; i++) {
        const char *magic = formats[i].magic;
        for (k = 0; k < n && k < formats[i].n && (magic[k] == '?' || magic[k] == head[k]);) { k++; }
        if (k == formats[i].n) { found = formats[i].name; }
    }
    size_t nul[2] = {0, 0};
    for (size_t k = 0; k < n; k++) { nul[k & 1] += !head[k]; }
    for (int k = 0; !found && n > 0 && k < 2; k++) {
        if (nul[k] * 4 >= n && nul[!k] * 8 <= nul[k]) { found = k ? "UTF-16LE" : "UTF-16BE"; }
    }
    if (found && !strncmp(found, "UTF", 3)) {
        stop(1, "%s: %.6s, not UTF-8; convert it first: iconv -f %s -t UTF-8", path, found, found);
    } else if (found) {
        stop(1, "%s: a %s file, not text; unpack it to plain text first", path, found);
    }
}

// text_open opens a text and moves past a byte-order mark at its start. It raises an error if the
// file cannot be read, and those of check_format.
static Text text_open(const char *path, const char *doing) {
    Text t = {.in = input_open(path), .doing = doing, .line = 1};
    char head[4096];
    size_t n = fread(head, 1, sizeof head, t.in.f);
    check_format(path, head, n);
    t.offset = n >= 3 && !memcmp(head, "\xef\xbb\xbf", 3) ? 3 : 0;
    if (ferror(t.in.f) || fseek(t.in.f, (long)t.offset, SEEK_SET) != 0) {
        stop(1, "%s: cannot read it: %s", path, strerror(errno));
    }
    return t;
}

// text_character adds c, a byte or EOF, to the bytes of an unfinished character. It raises an error
// if they cannot be UTF-8.
static void text_character(Text *t, int c) {
    char *s = t->character;
    if (c != EOF) { s[t->n++] = (char)c; }
    s[t->n] = 0;
    int first = (unsigned char)s[0], length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    int broken = c == EOF || (t->n > 1 && (c & 0xc0) != 0x80);
    if (broken || (t->n == length && !utf8_valid(s))) {
        stop(1, "%s:%lld: not UTF-8 (byte 0x%02x at offset %lld); %s", t->in.path,
             (long long)t->line, (unsigned)first, (long long)t->offset - t->n,
             c == EOF ? "the file ends inside this character"
                      : "convert it, for instance with iconv -f LATIN1 -t UTF-8");
    }
    if (t->n == length) { t->n = 0; }
}

// text_byte returns the next byte, or EOF at the end; CR LF and a lone CR are returned as LF. It
// raises an error for bytes that are not UTF-8, for a NUL, and if the file cannot be read.
static int text_byte(Text *t) {
    int c = getc_unlocked(t->in.f);
    if (c == '\n' && t->after_cr) {
        t->offset++;
        c = getc_unlocked(t->in.f);
    }
    if (c == EOF && ferror(t->in.f)) {
        stop(1, "%s: cannot read it: %s", t->in.path, strerror(errno));
    }
    t->offset += c != EOF;
    t->bytes += c != EOF;
    t->after_cr = c == '\r';
    if (c >= 0x80 || t->n > 0) { text_character(t, c); }
    if (c == 0) {
        stop(1, "%s:%lld: a NUL byte at offset %lld, so this is not plain text; if it is UTF-16, "
             "convert it first: iconv -f UTF-16 -t UTF-8", t->in.path, (long long)t->line,
             (long long)t->offset - 1);
    }
    if (c == '\r') { c = '\n'; }
    t->line += c == '\n';
    return c;
}

// text_marker returns the length of the marker if the n bytes of text, the last of them '>', end in
// it, else 0. The first near miss is remembered: the marker's letters between < and >, but in
// another case or with other spaces and bars.
static int text_marker(Text *t, const char *text, int n) {
    const int mark = sizeof END_OF_TEXT - 1;
    if (n >= mark && !memcmp(text + n - mark, END_OF_TEXT, (size_t)mark)) { return mark; }
    const char letters[] = "endoftext";
    int left = sizeof letters - 1, i = n - 2;
    for (; i >= 0 && text[i] != '<'; i--) {
        if (left > 0 && tolower((unsigned char)text[i]) == letters[left - 1]) {
            left--;
        } else if (!strchr(" |_-", text[i])) {
            return 0;
        }
    }
    if (i >= 0 && left == 0 && !*t->variant) {
        snprintf(t->variant, sizeof t->variant, "line %lld has %.*s, which ends no document",
                 (long long)t->line, min_int(n - i, 30), text + i);
    }
    return 0;
}

// read_document reads the next document into text (DOCUMENT_BYTES), without its marker and the
// space around it. It returns its length, or 0 if there is none. It raises an error if the document
// is too long, and those of text_byte.
static int read_document(Text *t, char *text) {
    if (t->offset - t->shown >= 1 << 16) {
        t->shown = t->offset;
        progress("%s %s: %.0f%%", t->doing, t->in.path, 100.0 * (double)t->offset / t->in.size);
    }
    int n = 0, c = 0;
    while (n == 0 && c != EOF) {  // empty documents are skipped
        int mark = 0;
        while (!mark && (c = text_byte(t)) != EOF) {
            if (n == DOCUMENT_BYTES) {
                stop(1, "%s:%lld: no %s in the last %d bytes; %lld document%s found before; each "
                     "must end in one, and at least two are needed%s%s", t->in.path,
                     (long long)t->line, END_OF_TEXT, n, (long long)t->documents,
                     t->documents == 1 ? "" : "s", *t->variant ? "; " : "", t->variant);
            }
            if (n > 0 || !isspace(c)) { text[n++] = (char)c; }
            if (c == '>') { mark = text_marker(t, text, n); }
        }
        n -= mark;
        while (n > 0 && isspace((unsigned char)text[n - 1])) { n--; }
    }
    t->documents += n > 0;
    return n;
}

// text_survey reads a text to its end, which completes what is known of it. It raises the errors of
// read_document, and one if there are fewer than two documents.
static void text_survey(Text *t, char *text) {
    while (read_document(t, text) > 0) {}
    fclose(t->in.f);
    if (t->documents < 2) {
        stop(1, "%s: %lld document%s found; at least two are needed, one to train on and one to "
             "validate on, and each must end in %s%s%s", t->in.path, (long long)t->documents,
             t->documents == 1 ? "" : "s", END_OF_TEXT, *t->variant ? "; " : "", t->variant);
    }
}

// sample_pieces returns the different pieces of a text and how often each occurs. A document is
// taken if those taken so far are at most their share of what has been read: of a small file all
// are, of a large one as many as make SAMPLE_BYTES.
static Counts sample_pieces(const Text *all, char *text) {
    Text t = text_open(all->in.path, "sampling");
    Counts piece = counts_new();
    uint64_t taken = 0;
    for (int n; (n = read_document(&t, text)) > 0;) {
        if (taken * (uint64_t)all->bytes <= (uint64_t)SAMPLE_BYTES * (uint64_t)t.bytes) {
            taken += (uint64_t)n;
            for (int i = 0, length; i < n; i += length) {
                length = piece_length(text + i, n - i);
                counts_add(&piece, text + i, length, 1);
            }
        }
    }
    fclose(t.in.f);
    return piece;
}

// --- learning ------------------------------------------------------------------------------------

// count_pairs adds `weight` to the count of each pair of neighbours whose first token starts in
// first..last; `end` is where their piece ends. length[i] is the number of bytes of the token that
// starts at byte i of the pieces. Like the encoder, we know a pair by the bytes it makes.
static void count_pairs(Counts *pair, const Tokenizer *piece, const unsigned char *length,
                        int first, int last, int end, int64_t weight) {
    for (int i = first, next; i <= last && (next = i + length[i]) < end; i = next) {
        int n = length[i] + length[next];
        if (n <= TOKEN_BYTES) { counts_add(pair, piece->bytes + i, n, weight); }
    }
}

// most_frequent returns the string counted most often, or -1 if none was counted twice. Of equals
// it is the first in the order of bytes, so that a text gives the same tokens everywhere.
static int most_frequent(const Counts *c) {
    const int *at = c->t.at;
    int best = -1;
    for (int i = 0; i < c->t.V; i++) {
        int64_t more = c->count[i] - (best < 0 ? 1 : c->count[best]);
        if (more == 0 && best >= 0) {
            int n = at[i + 1] - at[i], m = at[best + 1] - at[best];
            more = memcmp(c->t.bytes + at[best], c->t.bytes + at[i], (size_t)min_int(n, m));
            if (more == 0) { more = m - n; }
        }
        if (more > 0) { best = i; }
    }
    return best;
}

// add_token makes n bytes the token `id`, the next after those that the tokenizer has.
static void add_token(Tokenizer *t, int id, const char *bytes, int n) {
    memcpy(t->bytes + t->at[id], bytes, (size_t)n);
    t->at[id + 1] = t->at[id] + n;
}

// merge_in_piece joins, in piece p, each two neighbours that make the n bytes `merged`, from left
// to right. It corrects the counts of the pairs that this takes away and makes, and of no others: a
// piece may be as long as a sentence, in languages that put no spaces between words.
static void merge_in_piece(Counts *pair, const Counts *pieces, unsigned char *length, int p,
                           const char *merged, int n) {
    const Tokenizer *piece = &pieces->t;
    int end = piece->at[p + 1], first = piece->at[p];  // `first` is the token before i, if any
    for (int i = first; i < end; first = i, i += length[i]) {
        int next = i + length[i];
        if (next < end && length[i] + length[next] == n
            && !memcmp(piece->bytes + i, merged, (size_t)n)) {
            count_pairs(pair, piece, length, first, next, end, -pieces->count[p]);
            length[i] = (unsigned char)n;
            count_pairs(pair, piece, length, first, i, end, pieces->count[p]);
        }
    }
}

// learn_tokens returns a tokenizer of V tokens: the 256 bytes, the merges in the order learned, and
// end-of-text. It raises an error if there is too little text for so many merges.
//
// Why the encoder, which is told no pairs but only tokens, repeats these merges: what happens
// between two edges of tokens depends on the bytes between them alone. So the same bytes are in the
// same state everywhere, are made of the same two tokens when their turn comes, and never come up
// again.
static Tokenizer learn_tokens(const Counts *pieces, int V, const char *path) {
    const Tokenizer *piece = &pieces->t;
    Tokenizer t = {.V = V, .eot = V - 1};
    t.at = alloc((size_t)V + 1, sizeof(int), "the tokenizer");
    t.bytes = alloc((size_t)V, TOKEN_BYTES, "the tokenizer");
    for (int i = 0; i < 256; i++) {
        char byte = (char)i;
        add_token(&t, i, &byte, 1);
    }
    Counts pair = counts_new();
    unsigned char *length = alloc((size_t)piece->at[piece->V], 1, "pieces of text");
    memset(length, 1, (size_t)piece->at[piece->V]);
    for (int p = 0; p < piece->V; p++) {
        int end = piece->at[p + 1];
        count_pairs(&pair, piece, length, piece->at[p], end, end, pieces->count[p]);
    }
    for (int id = 256; id < t.eot; id++) {
        progress("learning token %d of %d", id, V);
        int best = most_frequent(&pair);
        if (best < 0) {
            stop(1, "%s: too little text for -V %d: no pair of tokens is left that occurs twice; "
                 "-V %d is the most", path, V, id + 1);
        }
        int n = pair.t.at[best + 1] - pair.t.at[best];
        add_token(&t, id, pair.t.bytes + pair.t.at[best], n);
        for (int p = 0; p < piece->V; p++) {
            merge_in_piece(&pair, pieces, length, p, t.bytes + t.at[id], n);
        }
    }
    add_token(&t, t.eot, END_OF_TEXT, sizeof END_OF_TEXT - 1);
    tokenizer_index(&t);
    return t;
}

// --- writing -------------------------------------------------------------------------------------

// What the report is made of. Lengths are in tokens, end-of-text among them; a prompt is a first
// sentence, a response what follows it.
typedef struct {
    int64_t documents[2], tokens[2], bytes;  // [0]: for training, [1]: for validation
    int longest, longest_prompt;
    int64_t prompts, whole;  // prompts that pref.c takes; documents without a response
    int64_t length[DOCUMENT_BYTES + 2];         // [n]: documents of n tokens
    int64_t response[DOCUMENT_BYTES + WINDOW];  // [n]: training documents with a response of n
} Summary;

// write_header writes the header of one of llm.c's blocks; what cannot be written is found later.
static void write_header(FILE *f, int magic, int version, int64_t a, int b) {
    int32_t h[HEADER_INTS] = {magic, version, (int32_t)a, b};
    fwrite(h, sizeof h, 1, f);
}

// write_tokenizer writes the tokenizer's block.
static void write_tokenizer(FILE *f, const Tokenizer *t) {
    write_header(f, TOKENIZER_MAGIC, 2, t->V, t->eot);
    for (int id = 0; id < t->V; id++) {
        fputc(token_length(t, id), f);
        fwrite(t->bytes + t->at[id], 1, (size_t)token_length(t, id), f);
    }
}

// count_document adds to the summary a document of n tokens, for training (part 0) or validation.
static void count_document(Summary *s, const Tokenizer *t, const int *id, int n, int part) {
    int prompt = prompt_length(t, id, n);
    s->documents[part]++;
    s->tokens[part] += n;
    s->longest = n > s->longest ? n : s->longest;
    s->longest_prompt = prompt > s->longest_prompt ? prompt : s->longest_prompt;
    s->prompts += prompt < MAX_PROMPT;
    s->whole += prompt == n - 1;
    s->length[n]++;
    s->response[n - prompt] += !part;
}

// encode_text encodes all documents of a text, those for training to file[0] and those for
// validation to file[1], and returns their summary. It raises an error if the text is not the one
// that was surveyed.
static Summary *encode_text(FILE *const file[2], const Tokenizer *t, const Text *all, char *text) {
    Text in = text_open(all->in.path, "encoding");
    Summary *s = alloc(1, sizeof *s, "the summary");
    int *id = alloc(DOCUMENT_BYTES + 1, sizeof(int), "a document's tokens");
    uint16_t *token = alloc(DOCUMENT_BYTES + 1, sizeof(uint16_t), "a document's tokens");
    for (int n; (n = read_document(&in, text)) > 0;) {
        int part = in.documents % VALIDATION_EVERY == 2;  // so that two documents serve both
        s->bytes += n;
        n = encode(t, text, n, id);
        id[n++] = t->eot;
        for (int i = 0; i < n; i++) { token[i] = (uint16_t)id[i]; }
        fwrite(token, sizeof *token, (size_t)n, file[part]);
        count_document(s, t, id, n, part);
    }
    fclose(in.in.f);
    if (in.bytes != all->bytes || in.documents != all->documents) {
        stop(1, "%s: it changed while it was read", all->in.path);
    }
    return s;
}

// write_tokens writes the two blocks of tokens and returns their summary. Training tokens go where
// they belong at once, validation tokens wait in a file of their own, and the first block's header
// is written when its count is known. It raises an error if something cannot be written, or if
// there are more tokens than a header can count.
static Summary *write_tokens(Output *out, const Tokenizer *t, const Text *all, char *text) {
    FILE *file[2] = {out->f, tmpfile()};
    long start = file[1] ? ftell(out->f) : -1;
    write_header(out->f, TOKENS_MAGIC, 1, 0, 0);
    Summary *s = start < 0 ? NULL : encode_text(file, t, all, text);
    if (s && s->tokens[0] > INT32_MAX) {
        stop(1, "%s: more than 2147483647 training tokens", all->in.path);
    }
    int done = s && fseek(file[1], 0, SEEK_SET) == 0;
    if (done) {
        char block[1 << 14];
        write_header(out->f, TOKENS_MAGIC, 1, s->tokens[1], 0);
        for (size_t n; (n = fread(block, 1, sizeof block, file[1])) > 0;) {
            fwrite(block, 1, n, out->f);
        }
        done = !ferror(file[1]) && fseek(out->f, start, SEEK_SET) == 0;
    }
    if (!done) { stop(1, "%s: cannot write it: %s", out->path, strerror(errno)); }
    write_header(out->f, TOKENS_MAGIC, 1, s->tokens[0], 0);
    fclose(file[1]);
    return s;
}

// --- the report ----------------------------------------------------------------------------------

// quantile returns the least n that at least `percent` percent of `all` things do not exceed;
// count[i] of them are of size i >= 1.
static int quantile(const int64_t *count, int64_t all, int percent) {
    int n = 0;
    for (int64_t seen = 0; seen * 100 < percent * all;) { seen += count[++n]; }
    return n;
}

// fitting returns the number of documents that fit a context of T tokens; a row begins with one
// token more than the document has.
static int64_t fitting(const Summary *s, int T) {
    int64_t documents = 0;
    for (int n = 1; n < T && n <= s->longest; n++) { documents += s->length[n]; }
    return documents;
}

// suitable_context returns the smallest power of two, from LEAST_T to MOST_T, that as a context
// holds at least 90% of the documents, and in which at least half of the responses can earn a
// reward: pref.c gives none to a response of more than T - MAX_PROMPT tokens.
static int suitable_context(const Summary *s, int64_t documents) {
    int T = LEAST_T, document = quantile(s->length, documents, 90);
    int response = quantile(s->response, s->documents[0], 50);
    while (T < MOST_T && (document > T - 1 || response > T - MAX_PROMPT)) { T *= 2; }
    return T;
}

// print_responses prints how long the responses are, and which length is the commonest.
static void print_responses(const Summary *s) {
    printf("responses (the rest): 5/25/50/75/95/100%% have at most");
    for (const int *percent = (int[]){5, 25, 50, 75, 95, 100, 0}; *percent; percent++) {
        int n = quantile(s->response, s->documents[0], *percent);
        printf("%s%d", *percent == 5 ? " " : "/", n);
    }
    int mode = 0;
    int64_t most = 0;
    for (int n = 1; n <= s->longest; n++) {
        int64_t around = 0;
        for (int i = n - WINDOW / 2; i <= n + WINDOW / 2; i++) {
            around += i > 0 ? s->response[i] : 0;
        }
        if (around > most) {
            most = around;
            mode = n;
        }
    }
    printf(" tokens, mode %d (smoothed over %d)\n", mode, WINDOW);
}

// print_notes prints a line about each property of the text that would make a later command fail.
static void print_notes(const Summary *s, const Text *all, int T) {
    long long documents = all->documents, whole = s->whole, prompts = s->prompts;
    if (fitting(s, T) == 0) {
        printf("note: none of the %lld documents fits in -T %d; with it ./pref sft trains on their "
               "beginnings only, and no response can earn a reward\n", documents, T);
    }
    if (whole * 2 > documents) {
        printf("note: in %lld of %lld documents no first sentence ends before the document does; "
               "the whole document is the prompt\n", whole, documents);
    }
    if (prompts * 2 < documents) {
        printf("note: %lld of %lld first sentences fit in %d tokens; ./pref pairs and ./pref tune "
               "take prompts only from those; with a larger V more fit\n", prompts, documents,
               MAX_PROMPT - 1);
    }
    if (*all->variant) { printf("note: %s; only %s does\n", all->variant, END_OF_TEXT); }
}

// print_summary prints the report: counts and lengths, notes, and the command that comes next.
static void print_summary(const Summary *s, const Tokenizer *t, const Text *all, int T,
                          const char *out) {
    long long documents = all->documents, over = documents - fitting(s, T);
    printf("documents: %lld, the longest of %d tokens; ", documents, s->longest);
    if (over > 0) {
        printf("%lld of %lld do%s not fit in -T %d; 90%% fit in -T %d, all in -T %d\n", over,
               documents, over == 1 ? "es" : "", T, quantile(s->length, documents, 90) + 1,
               s->longest + 1);
    } else {
        printf("all fit in -T %d\n", T);
    }
    long long train = s->tokens[0], val = s->tokens[1];
    printf("tokens: %lld for training, %lld for validation (every %dth document)\n", train, val,
           VALIDATION_EVERY);
    printf("vocabulary: %d; %.2f bytes of text per token\n", t->V,
           (double)s->bytes / (double)(train + val - documents));
    printf("prompts (first sentences): at most %d tokens\n", s->longest_prompt);
    print_responses(s);
    print_notes(s, all, T);
    int context = suitable_context(s, documents), other = strcmp(out, DEFAULT_DATA) != 0;
    long long fit = fitting(s, context);
    printf("next: ./pref sft -T %d%s%s (%s%lld of %lld documents fit)\n", context,
           other ? " --data " : "", other ? out : "", fit * 10 < documents * 9 ? "only " : "", fit,
           documents);
}

// --- the command line ----------------------------------------------------------------------------

// number returns the whole number in `text`. It raises an error if there is none from low to high.
static int number(int option, const char *text, int low, int high) {
    char *end;
    long x = strtol(text, &end, 10);
    if (end == text || *end || x < low || x > high) {
        stop(2, "-%c %s: expected a number from %d to %d", option, text, low, high);
    }
    return (int)x;
}

// main reads the command line and takes one step after the other.
int main(int argc, char **argv) {
    int V = 1536, T = 128, c;
    opterr = 0;  // the message is ours
    while ((c = getopt(argc, argv, "V:T:")) != -1) {
        if (c == 'V') {
            V = number(c, optarg, 257, 1 << 16);
        } else if (c == 'T') {
            T = number(c, optarg, 2, DOCUMENT_BYTES);
        } else {
            optind = argc + 1;  // an unknown option, or one without its value
        }
    }
    if (argc - optind != 2) { stop(2, "usage: tok [-V 1536] [-T 128] TEXT OUT.bin"); }
    const char *path = argv[optind], *to = argv[optind + 1];
    if (same_file(path, to)) { stop(2, "%s and %s are the same file", path, to); }
    start_process();
    Text all = text_open(path, "checking");
    output_check(to);  // what cannot be written is said at once
    char *text = alloc(DOCUMENT_BYTES, 1, "a document");
    text_survey(&all, text);
    Counts piece = sample_pieces(&all, text);
    Tokenizer t = learn_tokens(&piece, V, path);
    Output out = output_open(to, 0);
    write_tokenizer(out.f, &t);
    Summary *s = write_tokens(&out, &t, &all, text);
    output_close(&out);
    progress("%s", "");
    print_summary(s, &t, &all, T, to);
    if (fflush(stdout) != 0 || ferror(stdout)) { stop(1, "standard output: cannot write it"); }
    return 0;
}
