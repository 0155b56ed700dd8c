/*
jsonl.c: converts TRL's preference data, which is JSON Lines, to pref.c's pairs file, and back.
Build: cc -O2 dev/jsonl.c -lm -o dev/jsonl.  Then dev/jsonl --help.

A pairs file has a header line, then a pair a line, and tabs between its columns, which are prompt,
chosen and rejected, perhaps followed by score_chosen and score_rejected. In a field a tab, line
feed, carriage return or backslash is written \t \n \r \\. A score is a JSON number, or empty.

JSON Lines has one object a line, with the same five keys; blank lines and other keys are skipped. A
score may be absent or null. The texts are strings, or else conversations, which are lists of turns
{"role": "user", "content": "Hi."}; roles are skipped. As pref.c joins a prompt and a response with
nothing between them, strings are copied as they are, and a conversation becomes its contents, with
a line feed before each but the prompt's first. A response loses a prompt's turns that it repeats.

Without the key prompt, the prompt is what chosen and rejected have in common at their beginning:
whole turns, or whole sentences of strings. A sentence ends with . ! or ? and the closing quotes
after it, if white space or the end follows in both texts (3.1 and 3.2 share no sentence), or with a
full stop of Chinese or Japanese and the closing quotes after it.
*/
#define TESTING  // pref.c without its main
#define PROGRAM "jsonl"
#pragma GCC diagnostic ignored "-Wunused-function"  // most of pref.c
#include "../pref.c"

#define USAGE "usage: jsonl IN.jsonl OUT.tsv           JSON Lines to pairs\n" \
              "       jsonl --back IN.tsv OUT.jsonl    pairs to JSON Lines"
#define HEADER "prompt\tchosen\trejected"
#define SCORES "\tscore_chosen\tscore_rejected"
#define EQUAL "rejected is the same as chosen; a pair needs two responses"
#define NO_PROMPT "there is no prompt, and chosen and rejected do not both begin with the same "

// The keys of a pair, and the one of a turn.
enum { PROMPT, CHOSEN, REJECTED, SCORE_CHOSEN, SCORE_REJECTED, CONTENT, KEYS };
static const char *const keys[] = {
    "prompt", "chosen", "rejected", "score_chosen", "score_rejected", "content"};

// What a JSON value is read as: the bytes that it may begin with, and its name in messages.
enum { ANYTHING, A_KEY, A_PAIR, A_TEXT, A_TURN, A_CONTENT, A_SCORE };
static const struct { const char *begin, *name; } kinds[] = {
    {"\"[{-0123456789tfn", "a value"}, {"\"", "a key in double quotes"}, {"{", "an object"},
    {"\"[", "a string or a list of turns"}, {"{", "a turn, which is an object with content"},
    {"\"", "a string"}, {"-0123456789n", "a number or null"}};

// A file that is read line by line. Texts are stored as a pairs file has them, with tabs as \t, but
// each turn of a conversation begins with a backslash and a real line feed.
typedef struct {
    Input in;
    char *line, *decoded;      // the line and its texts
    char *start, *p, *to;      // the line after a byte-order mark; what is read and written next
    char *at[KEYS], *text[3];  // each key's value in the line, NULL if it is missing; its text
    size_t room;               // bytes that `line` and `decoded` each have
    long long number, pairs, count[2], first[2];  // lines; pairs; pairs with notes, their lines
    int has_scores;
} Reader;

// fault stops the program with a message, in two parts, about the byte `at` of the line.
static _Noreturn void fault(const Reader *r, const char *at, const char *what, const char *more) {
    long long column = 1;  // in characters
    for (const char *p = r->start; p < at; p++) { column += (*p & 0xc0) != 0x80; }
    stop(1, "%s:%lld:%lld: %s%s", r->in.path, r->number, column, what, more);
}

// next_line reads a line and returns whether there is one. Errors: it is not UTF-8, or has a NUL.
static int next_line(Reader *r) {
    size_t room = r->room;
    ssize_t length = getline(&r->line, &r->room, r->in.f);
    if (length < 0 && feof(r->in.f) && !ferror(r->in.f)) { return 0; }
    if (length < 0) { stop(1, "%s: cannot read it: %s", r->in.path, strerror(errno)); }
    if (r->room > room) { r->decoded = alloc(r->room, 1, "a line"); }
    r->number++;
    r->p = r->start = r->line + (r->number == 1 && !strncmp(r->line, "\xef\xbb\xbf", 3) ? 3 : 0);
    r->to = r->decoded;
    memset(r->at, 0, sizeof r->at);
    size_t n = strlen(r->line);
    if (n < (size_t)length) { fault(r, r->line + n, "a NUL byte; text in UTF-8 has none", ""); }
    if (!utf8_valid(r->line)) { fault(r, r->p, "the line is not UTF-8; convert with iconv", ""); }
    n -= n > 0 && r->line[n - 1] == '\n';
    n -= n > 0 && r->line[n - 1] == '\r';
    r->line[n] = 0;
    return 1;
}

// advance moves n bytes on, and past the white space that follows.
static void advance(Reader *r, size_t n) { r->p += n + strspn(r->p + n, " \t\r"); }

// unicode returns the number of the escape \uXXXX at p, or -1 if there is none.
static int unicode(const char *p) {
    char digits[5] = "";
    if (strncmp(p, "\\u", 2) || strspn(p + 2, "0123456789abcdefABCDEF") < 4) { return -1; }
    return (int)strtol(memcpy(digits, p + 2, 4), NULL, 16);
}

// read_escape reads an escape, or two that are a surrogate pair, and appends the character to the
// text. It raises an error if JSON has no such escape, or if the character is a NUL.
static void read_escape(Reader *r) {
    static const char names[] = "\"\\/bfnrtu", meant[] = "\"\\/\b\f\n\r\t";
    const char *name = r->p[1] ? strchr(names, r->p[1]) : NULL;
    if (!name) { fault(r, r->p, "JSON has no such escape; a backslash is written \\\\", ""); }
    int c = *name == 'u' ? unicode(r->p) : meant[name - names];
    if (c < 0) { fault(r, r->p, "expected four hexadecimal digits after \\u", ""); }
    if (c == 0) { fault(r, r->p, "\\u0000 is a NUL, which text does not hold", ""); }
    r->p += *name == 'u' ? 6 : 2;
    int low = unicode(r->p);
    if (c >= 0xd800 && c < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        r->p += 6;
    }
    if (c == '\t' || c == '\n' || c == '\r' || c == '\\') {
        *r->to++ = '\\';
        c = c == '\t' ? 't' : c == '\n' ? 'n' : c == '\r' ? 'r' : '\\';
    }
    int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;  // bytes after the first
    *r->to++ = (char)(more ? 0xff << (7 - more) | c >> 6 * more : c);
    while (more-- > 0) { *r->to++ = (char)(0x80 | (c >> 6 * more & 0x3f)); }
}

// read_string reads a string and stores its text, with a NUL, at which r->to then points.
static void read_string(Reader *r) {
    char *start = r->p++, *text = r->to;
    while (*r->p != '"') {
        unsigned char c = (unsigned char)*r->p;
        if (c == 0) { fault(r, start, "the string that begins here is not closed", ""); }
        if (c < ' ') { fault(r, r->p, "a control character; in a string it must be escaped", ""); }
        if (c == '\\') { read_escape(r); }
        if (c != '\\') { *r->to++ = *r->p++; }
    }
    r->p++;
    *r->to = 0;
    if (!utf8_valid(text)) { fault(r, start, "the string holds half of a surrogate pair", ""); }
}

// number_end returns the end of the finite JSON number at p, or NULL. (strtod takes others, too.)
static char *number_end(char *p) {
    char *end, *whole = p + (*p == '-');
    double x = strtod(p, &end);
    const unsigned char *point = memchr(p, '.', (size_t)(end - p));
    int zeros = *whole == '0' && whole[1] && strchr("0123456789xX", whole[1]);
    int json = isdigit((unsigned char)*whole) && !zeros && (!point || isdigit(point[1]));
    return json && isfinite(x) ? end : NULL;
}

static void read_items(Reader *r, int kind, int depth);

// read_value reads a value of this kind inside `depth` brackets, and the white space after it. It
// keeps the text of texts and contents. It raises an error if there is no such value.
static void read_value(Reader *r, int kind, int depth) {
    char *to = r->to;
    int fits = *r->p && strchr(kinds[kind].begin, *r->p);
    if (!fits) { fault(r, r->p, "expected ", kinds[kind].name); }
    if (*r->p == '"') {
        read_string(r);
    } else if (*r->p == '{' || *r->p == '[') {
        read_items(r, kind, depth + 1);
    } else {
        const char *word = *r->p == 't' ? "true" : *r->p == 'f' ? "false" : "null";
        size_t n = strlen(word);
        char *end = strncmp(r->p, word, n) ? number_end(r->p) : r->p + n;
        if (!end) { fault(r, r->p, "expected true, false, null or a finite JSON number", ""); }
        r->p = end;
    }
    advance(r, 0);
    if (kind == ANYTHING || kind == A_KEY) { r->to = to; }
    if (kind == A_TEXT) { *r->to++ = 0; }
}

// read_key reads a key in an object of this kind, and the colon, and returns the kind of its value.
// It raises an error if one of them is missing, or if a key that matters occurs twice.
static int read_key(Reader *r, int kind) {
    const char *key = r->to;
    read_value(r, A_KEY, 0);
    if (*r->p != ':') { fault(r, r->p, "expected a colon after the key", ""); }
    advance(r, 1);
    int k = kind == A_PAIR ? 0 : CONTENT, end = kind == A_PAIR || kind == ANYTHING ? CONTENT : KEYS;
    while (k < end && strcmp(key, keys[k])) { k++; }
    if (k == end) { return ANYTHING; }
    if (r->at[k]) { fault(r, r->p, "a second value for the key ", keys[k]); }
    r->at[k] = r->p;
    if (k < 3) { r->text[k] = r->to; }
    if (k == CONTENT) { r->to = stpcpy(r->to, "\\\n"); }
    return k < 3 ? A_TEXT : k < CONTENT ? A_SCORE : A_CONTENT;
}

// read_items reads a list or object of this kind, whose bracket is the `depth`th that is open. It
// raises an error if something in it is missing, or if too many brackets are open.
static void read_items(Reader *r, int kind, int depth) {
    char *start = r->p, *to = r->to, close = *start == '{' ? '}' : ']';
    if (depth > 64) { fault(r, start, "more than 64 brackets are open", ""); }
    if (kind == A_TURN) { r->at[CONTENT] = NULL; }
    advance(r, 1);
    for (int more = *r->p != close; more; advance(r, (size_t)more)) {
        int item = close == '}' ? read_key(r, kind) : kind == A_TEXT ? A_TURN : ANYTHING;
        read_value(r, item, depth);
        more = *r->p == ',';
    }
    if (*r->p != close) { fault(r, r->p, "expected a comma or ", close == '}' ? "}" : "]"); }
    r->p++;
    if (kind == A_TURN && !r->at[CONTENT]) { fault(r, start, "the turn has no content", ""); }
    if (kind == A_TEXT && r->to == to) { fault(r, start, "the list has no turns", ""); }
}

// Whether at p the text ends, or white space or a turn begins; the length of a closing quote at p.
static int blank_at(const char *p) { return !*p || *p == ' ' || (*p == '\\' && p[1] != '\\'); }
static int turn_at(const char *p) { return !*p || (*p == '\\' && p[1] == '\n'); }
static size_t quote_at(const char *p) {
    return *p == '"' ? 1 : !strncmp(p, "”", 3) || !strncmp(p, "」", 3) ? 3 : 0;
}

// common_beginning returns the number of bytes of the turns, or else the sentences, that two texts
// have in common at their beginning.
static size_t common_beginning(const char *a, const char *b, int turns) {
    size_t found = 0;
    uint32_t bytes = 0;
    for (size_t i = 0; a[i] && a[i] == b[i]; i++) {
        const char *x = a + i + 1, *y = b + i + 1;
        bytes = bytes << 8 | (unsigned char)a[i];
        int ends = turns && turn_at(x) && turn_at(y);
        if (!turns && ends_sentence(bytes)) {
            for (size_t n; (n = quote_at(x)) > 0 && !strncmp(x, y, n); x += n) { y += n; }
            ends = a[i] & 0x80 ? !quote_at(x) && !quote_at(y) : blank_at(x) && blank_at(y);
        }
        if (ends) { found = (size_t)(x - a); }
    }
    return found;
}

// put_pair writes the line's pair, with its scores. It raises an error if a text is missing, the
// texts differ in form, there is no prompt, or the responses are the same.
static void put_pair(Reader *r, FILE *out) {
    for (int k = CHOSEN; k <= REJECTED; k++) {
        if (!r->at[k]) { fault(r, r->start, "the object has no key ", keys[k]); }
    }
    int given = r->at[PROMPT] != NULL, turns = *r->at[CHOSEN] == '[', odd[2] = {0, 0};
    char *prompt = r->text[given ? PROMPT : CHOSEN], *response[2], *last = " ";
    int mixed = (*r->at[REJECTED] == '[') != turns || (given && (*r->at[PROMPT] == '[') != turns);
    if (mixed) { fault(r, r->start, "the texts must be all strings or all lists of turns", ""); }
    size_t n = given ? strlen(prompt) : common_beginning(prompt, r->text[REJECTED], turns);
    if (!given && n == 0) { fault(r, r->start, NO_PROMPT, turns ? "turn" : "sentence"); }
    for (char *p = prompt; p < prompt + n; p += *p == '\\' ? 2 : 1) { last = p; }
    for (int k = 0; k < 2; k++) {
        char *text = r->text[CHOSEN + k];
        int same = n > 0 && !strncmp(text, prompt, n);
        response[k] = text + (same && (!given || (turns && turn_at(text + n))) ? n : 0);
        odd[0] |= given && !blank_at(last) && !blank_at(text);
        odd[1] |= given && !turns && same;
    }
    for (int k = 0; k < 2; k++) {
        if (odd[k] && r->count[k]++ == 0) { r->first[k] = r->number; }
    }
    for (char *p = r->decoded; turns && p < r->to; p++) { *p = *p == '\n' ? 'n' : *p; }
    if (!strcmp(response[0], response[1])) { fault(r, r->at[REJECTED], EQUAL, ""); }
    fwrite(prompt + 2 * turns, 1, n - 2 * (size_t)turns, out);
    fprintf(out, "\t%s\t%s", response[0], response[1]);
    for (int k = SCORE_CHOSEN; k <= SCORE_REJECTED; k++) {
        char *score = r->at[k] && *r->at[k] != 'n' ? r->at[k] : NULL;
        fprintf(out, "\t%.*s", score ? (int)(number_end(score) - score) : 0, score ? score : "");
        r->has_scores |= score != NULL;
    }
    fputc('\n', out);
}

// pairs_from_json writes the pairs of a JSON Lines file, with all columns, but without a header.
static void pairs_from_json(Reader *r, FILE *out) {
    while (next_line(r)) {
        advance(r, 0);
        if (!*r->p) { continue; }
        if (*r->p == '[') { fault(r, r->p, "a JSON array; JSON Lines has one object a line", ""); }
        read_value(r, A_PAIR, 0);
        if (*r->p) { fault(r, r->p, "expected the end of the line after the object", ""); }
        put_pair(r, out);
        r->pairs++;
    }
}

// write_string writes the field at r->p as a JSON string, in which its escapes mean the same.
static void write_string(Reader *r, FILE *out) {
    putc_unlocked('"', out);
    for (; *r->p && *r->p != '\t'; r->p++) {
        unsigned char c = (unsigned char)*r->p;
        if (c == '\r' || (c == '\\' && (!r->p[1] || !strchr("tnr\\", r->p[1])))) {
            fault(r, r->p, "expected one of the escapes \\t \\n \\r \\\\", "");
        }
        if (c < ' ') { fprintf(out, "\\u%04x", c); }
        if (c == '"' || c == '\\') { putc_unlocked('\\', out); }
        if (c >= ' ') { putc_unlocked(c == '\\' ? *++r->p : c, out); }
    }
    putc_unlocked('"', out);
}

// json_from_pairs writes the objects of a pairs file. Errors: a line is wrong; responses are equal.
static void json_from_pairs(Reader *r, FILE *out) {
    int found = next_line(r), columns = found && !strcmp(r->p, HEADER SCORES) ? 5 : 3;
    int header = !found || columns == 5 || !strcmp(r->p, HEADER);
    if (!header) { fault(r, r->p, "expected the header of a pairs file: ", HEADER); }
    for (; found && next_line(r); r->pairs++) {
        for (int k = 0; k < columns; k++) {
            char *start = r->at[k] = r->p;
            if (k < 3) {
                fprintf(out, "%s\"%s\": ", k > 0 ? ", " : "{", keys[k]);
                write_string(r, out);
            } else if (*start && *start != '\t') {
                r->p = number_end(start);
                int fits = r->p && (!*r->p || *r->p == '\t');
                if (!fits) { fault(r, start, "expected a finite JSON number, or nothing", ""); }
                fprintf(out, ", \"%s\": %.*s", keys[k], (int)(r->p - start), start);
            }
            int ends = *r->p == (k + 1 < columns ? '\t' : 0);
            if (!ends) { fault(r, r->p, "expected a field for each column of the header", ""); }
            *r->p++ = 0;
        }
        if (!strcmp(r->at[CHOSEN], r->at[REJECTED])) { fault(r, r->at[REJECTED], EQUAL, ""); }
        fputs("}\n", out);
    }
}

// main reads the command line and converts a file.
int main(int argc, char **argv) {
    static const char *const notes[] = {
        "a response begins without white space after a prompt that ends without it",
        "a response repeats its prompt"};
    int back = argc > 1 && !strcmp(argv[1], "--back");
    int help = argc < 2 || !strcmp(argv[1], "-h") || !strcmp(argv[1], "--help");
    if (help) { return puts(USAGE) < 0; }
    int usable = argc == 3 + back && argv[1 + back][0] != '-';
    if (!usable) { stop(2, "expected two files, perhaps after --back; see jsonl --help"); }
    const char *path = argv[1 + back], *to = argv[2 + back];
    if (same_file(path, to)) { stop(2, "%s and %s are the same file", path, to); }
    start_process();
    static Reader r;
    static char *rows;
    size_t n = 0;
    FILE *memory = open_memstream(&rows, &n);
    r.in = input_open(path);
    if (memory) { (back ? json_from_pairs : pairs_from_json)(&r, memory); }
    if (!memory || ferror(memory) || fclose(memory)) { stop(1, "%s: no memory for it", path); }
    if (r.pairs == 0) { stop(1, "%s: holds no pairs", path); }
    Output out = output_open(to, 0);
    if (!back) { fprintf(out.f, "%s%s\n", HEADER, r.has_scores ? SCORES : ""); }
    for (char *row = rows, *end; row < rows + n; row = end + 1) {  // without two empty columns
        end = memchr(row, '\n', (size_t)(rows + n - row));
        fwrite(row, 1, (size_t)(end - row) - (back || r.has_scores ? 0 : 2), out.f);
        fputc('\n', out.f);
    }
    output_close(&out);
    for (int k = 0; k < 2; k++) {
        if (r.count[k] == 0) { continue; }
        note("%s:%lld: %s (%lld of %lld pairs)", path, r.first[k], notes[k], r.count[k], r.pairs);
    }
    return 0;
}
