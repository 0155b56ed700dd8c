/*
tok.c: makes the file that pref.c trains on out of plain text (`make data`).

    tok [-V 512] [-T 128] TEXT OUT.bin

It learns a vocabulary of V tokens by byte-pair encoding (Gage 1994; Sennrich et al. 2016), encodes
TEXT with it, and writes llm.c's three blocks: the tokenizer, the training tokens, the validation
tokens. T is the context of the model to come; only the report at the end asks for it.

Each document in TEXT ends in <|endoftext|>; the last one need not. White space around a document is
dropped, all other bytes are kept, and empty documents are skipped.

How the vocabulary grows: at first each byte is a token. Again and again the two neighbours that
occur together most often become one new token, wherever they meet. Only neighbours in one piece
(pref.c's piece_length) count, so it is enough to know the different pieces and how often each
occurs: some thousand words stand for megabytes of text.

TEXT may be larger than memory. It is read twice: once to collect the pieces of documents that are
spread evenly over it, about SAMPLE_BYTES in all, and once to encode it, document by document.
*/
#define TESTING  // pref.c without its main
#include "../pref.c"

#define END_OF_TEXT "<|endoftext|>"

enum {
    TOKEN_BYTES = 255,         // most bytes in a token: the file stores its length in one
    DOCUMENT_BYTES = 1 << 20,  // most bytes in a document: with more, the markers must be missing
    SAMPLE_BYTES = 1 << 24,    // merges are learned on so much text
    VALIDATION_EVERY = 20,     // one document of so many is for validation
    WINDOW = 9                 // lengths over which the mode is smoothed
};

// --- counting ------------------------------------------------------------------------------------

// Byte strings and how often each was seen. It is the table from bytes to ids that pref.c has for
// its tokens, here for t.V strings of any kind, and able to grow.
typedef struct {
    Tokenizer t;
    int64_t *count;
    int room, byte_room;
} Counts;

static Counts counts_new(void) {
    Counts c = {.t = {.eot = -1}, .room = 1 << 10, .byte_room = 1 << 13};
    c.t.at = alloc((size_t)c.room, sizeof(int), "pieces of text");
    c.t.bytes = alloc((size_t)c.byte_room, 1, "pieces of text");
    c.count = alloc((size_t)c.room, sizeof(int64_t), "pieces of text");
    tokenizer_index(&c.t);
    return c;
}

// The same bytes in a place of twice the size. The old one is not freed before exit: all that were
// outgrown are together smaller than the last.
static void *twice(const void *old, size_t bytes) {
    return memcpy(alloc(bytes, 2, "pieces of text"), old, bytes);
}

// Add `weight` to the count of the string s of n bytes. (Offsets are ints: neither the pieces of a
// sample nor their pairs come near 2 GB.)
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

// Read the next document into text (DOCUMENT_BYTES), without its marker and the space around it.
// Returns its length, 0 if no other follows. Errors: a document too long, a file that breaks off.
static int read_document(Input *in, char *text) {
    const int mark = sizeof END_OF_TEXT - 1;
    int n = 0, c = 0;
    while (n == 0 && c != EOF) {  // empty documents are skipped
        int ended = 0;
        while (!ended && (c = getc_unlocked(in->f)) != EOF) {
            if (n == DOCUMENT_BYTES) {
                stop(1, "%s: no %s in the %d bytes before byte %ld; each document must end in one",
                     in->path, END_OF_TEXT, n, ftell(in->f));
            }
            if (n > 0 || !isspace(c)) { text[n++] = (char)c; }
            ended = c == '>' && n >= mark && !memcmp(text + n - mark, END_OF_TEXT, (size_t)mark);
        }
        n -= ended ? mark : 0;
        while (n > 0 && isspace((unsigned char)text[n - 1])) { n--; }
    }
    if (ferror(in->f)) { stop(1, "%s: cannot read it: %s", in->path, strerror(errno)); }
    return n;
}

// The different pieces of the text, with how often each occurs. A document is taken if those taken
// so far are at most their share of what has been read: of a small file all are, of a large one as
// many as make SAMPLE_BYTES. Error: fewer than two documents.
static Counts sample_pieces(const char *path, char *text) {
    Input in = input_open(path);
    Counts piece = counts_new();
    uint64_t taken = 0;
    int documents = 0;
    for (int n; (n = read_document(&in, text)) > 0; documents = min_int(documents + 1, 2)) {
        if (taken * in.size <= (uint64_t)SAMPLE_BYTES * (uint64_t)ftell(in.f)) {
            taken += (uint64_t)n;
            for (int i = 0, length; i < n; i += length) {
                length = piece_length(text + i, n - i);
                counts_add(&piece, text + i, length, 1);
            }
        }
    }
    if (documents < 2) {
        stop(1, "%s: %s; at least one to train on and one to validate on are needed", path,
             documents ? "a single document" : "no documents");
    }
    fclose(in.f);
    return piece;
}

// --- learning ------------------------------------------------------------------------------------

// Add `weight` to the count of each pair of neighbours in piece p. length[i]: bytes of the token
// that starts at byte i of the pieces. Like the encoder, we know a pair by the bytes it makes.
static void count_pairs(Counts *pair, const Tokenizer *piece, const unsigned char *length, int p,
                        int64_t weight) {
    for (int i = piece->at[p], next; (next = i + length[i]) < piece->at[p + 1]; i = next) {
        int n = length[i] + length[next];
        if (n <= TOKEN_BYTES) { counts_add(pair, piece->bytes + i, n, weight); }
    }
}

// The string counted most often, -1 if none was twice. Of equals it is the first in the order of
// bytes, so that a text gives the same tokens everywhere.
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

static void add_token(Tokenizer *t, int id, const char *bytes, int n) {
    memcpy(t->bytes + t->at[id], bytes, (size_t)n);
    t->at[id + 1] = t->at[id] + n;
}

// A tokenizer of V tokens: the 256 bytes, the merges in the order learned, end-of-text. Error: too
// little text for so many merges.
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
    for (int p = 0; p < piece->V; p++) { count_pairs(&pair, piece, length, p, pieces->count[p]); }
    for (int id = 256; id < t.eot; id++) {
        int best = most_frequent(&pair);
        if (best < 0) {
            stop(1, "%s: too little text for -V %d: no pair of tokens is left that occurs twice; "
                 "-V %d is the most", path, V, id + 1);
        }
        int n = pair.t.at[best + 1] - pair.t.at[best];
        add_token(&t, id, pair.t.bytes + pair.t.at[best], n);
        const char *merged = t.bytes + t.at[id];
        for (int p = 0; p < piece->V; p++) {
            int end = piece->at[p + 1], changed = 0;
            for (int i = piece->at[p]; i < end; i += length[i]) {
                int next = i + length[i];
                if (next < end && length[i] + length[next] == n
                    && !memcmp(piece->bytes + i, merged, (size_t)n)) {
                    if (!changed++) {  // take out the piece's pairs as they were
                        count_pairs(&pair, piece, length, p, -pieces->count[p]);
                    }
                    length[i] = (unsigned char)n;
                }
            }
            if (changed) { count_pairs(&pair, piece, length, p, pieces->count[p]); }
        }
    }
    add_token(&t, t.eot, END_OF_TEXT, sizeof END_OF_TEXT - 1);
    tokenizer_index(&t);
    return t;
}

// --- writing -------------------------------------------------------------------------------------

typedef struct {
    int64_t documents[2], tokens[2], bytes;  // [0]: for training, [1]: for validation
    int64_t over;                            // documents that do not fit the context
    int longest, longest_prompt;             // in tokens
    int64_t response[DOCUMENT_BYTES + WINDOW];  // [n]: training documents with n after the prompt
} Summary;

static void write_header(FILE *f, int magic, int version, int64_t a, int b) {
    int32_t h[HEADER_INTS] = {magic, version, (int32_t)a, b};
    fwrite(h, sizeof h, 1, f);
}

// Encode all documents of `path` to two blocks of tokens. Training tokens go where they belong at
// once, validation tokens wait in a file of their own, and the first block's header is written when
// its count is known. Errors: more tokens than a header can count, what cannot be written.
static Summary *write_tokens(Output *out, const Tokenizer *t, const char *path, char *text, int T) {
    Input in = input_open(path);
    Summary *s = alloc(1, sizeof *s, "the summary");
    int *id = alloc(DOCUMENT_BYTES + 1, sizeof(int), "a document's tokens");
    uint16_t *token = alloc(DOCUMENT_BYTES + 1, sizeof(uint16_t), "a document's tokens");
    FILE *file[2] = {out->f, tmpfile()};
    long start = ftell(out->f);
    write_header(out->f, TOKENS_MAGIC, 1, 0, 0);
    int n;
    for (int64_t d = 0; file[1] && (n = read_document(&in, text)) > 0; d++) {
        int part = d % VALIDATION_EVERY == 1;  // the second of each 20: two documents serve both
        s->bytes += n;
        n = encode(t, text, n, id);
        id[n++] = t->eot;
        for (int i = 0; i < n; i++) { token[i] = (uint16_t)id[i]; }
        fwrite(token, sizeof *token, (size_t)n, file[part]);
        s->documents[part]++;
        s->tokens[part] += n;
        int prompt = prompt_length(t, token, n);
        s->longest = n > s->longest ? n : s->longest;
        s->longest_prompt = prompt > s->longest_prompt ? prompt : s->longest_prompt;
        s->over += n > T - 1;  // a row begins with one token more
        s->response[n - prompt] += !part;
    }
    int done = file[1] && fseek(file[1], 0, SEEK_SET) == 0 && s->tokens[0] <= INT32_MAX;
    if (done) {
        write_header(out->f, TOKENS_MAGIC, 1, s->tokens[1], 0);
        for (size_t m; (m = fread(token, sizeof *token, DOCUMENT_BYTES, file[1])) > 0;) {
            fwrite(token, sizeof *token, m, out->f);
        }
        done = !ferror(file[1]) && fseek(out->f, start, SEEK_SET) == 0;
    }
    if (!done) {
        int why = errno, in_place = !strcmp(out->temp, out->path);
        fclose(out->f);
        if (!in_place) { remove(out->temp); }
        stop(1, "%s: cannot write it: %s", out->path,
             s->tokens[0] > INT32_MAX ? "more than 2147483647 training tokens" : strerror(why));
    }
    write_header(out->f, TOKENS_MAGIC, 1, s->tokens[0], 0);
    fclose(file[1]);
    fclose(in.f);
    return s;
}

static void print_summary(const Summary *s, const Tokenizer *t, int T) {
    long long documents = s->documents[0] + s->documents[1], tokens = s->tokens[0] + s->tokens[1];
    printf("documents: %lld, the longest of %d tokens; %lld do not fit a context of %d\n",
           documents, s->longest, (long long)s->over, T);
    printf("tokens: %lld for training, %lld for validation (every %dth document)\n",
           (long long)s->tokens[0], (long long)s->tokens[1], VALIDATION_EVERY);
    printf("vocabulary: %d; %.2f bytes of text per token\n", t->V,
           (double)s->bytes / (double)(tokens - documents));
    printf("prompts (first sentences): at most %d tokens\n", s->longest_prompt);
    printf("responses (the rest): 5/25/50/75/95/100%% have at most");
    for (const int *percent = (int[]){5, 25, 50, 75, 95, 100, 0}; *percent; percent++) {
        int n = 0;
        for (int64_t seen = 0; seen * 100 < *percent * s->documents[0];) {
            seen += s->response[++n];
        }
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

// The whole number in `text`, from low to high; anything else is wrong usage.
static int number(int option, const char *text, int low, int high) {
    char *end;
    long x = strtol(text, &end, 10);
    if (end == text || *end || x < low || x > high) {
        stop(2, "-%c %s: expected a number from %d to %d", option, text, low, high);
    }
    return (int)x;
}

int main(int argc, char **argv) {
    int V = 512, T = 128, c;
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
    if (argc - optind != 2 || !strcmp(argv[optind], argv[optind + 1])) {
        stop(2, "usage: tok [-V 512] [-T 128] TEXT OUT.bin");
    }
    const char *path = argv[optind];
    char *text = alloc(DOCUMENT_BYTES, 1, "a document");
    fclose(input_open(path).f);  // what cannot be read or written is said at once
    output_check(argv[optind + 1]);
    Counts piece = sample_pieces(path, text);
    Tokenizer t = learn_tokens(&piece, V, path);

    Output out = output_open(argv[optind + 1]);
    write_header(out.f, TOKENIZER_MAGIC, 2, V, t.eot);
    for (int id = 0; id < V; id++) {
        int n = t.at[id + 1] - t.at[id];
        fputc(n, out.f);
        fwrite(t.bytes + t.at[id], 1, (size_t)n, out.f);
    }
    Summary *s = write_tokens(&out, &t, path, text, T);
    output_close(&out);
    print_summary(s, &t, T);
    return 0;
}
