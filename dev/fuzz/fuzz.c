/*
Fuzzes all that pref and measure read, with libFuzzer; jsonl.c does the same for dev/jsonl. run.sh
builds and runs both. TARGET=NAME ./fuzz INPUT gives an input to a target once more. A target fails
by what the sanitizers see, by a promise that is broken (`must`), or by taking long.
*/
#include "harness.h"
#include "../measure.c"  // pref.c, and the commands that only measure
#include "oracles.h"

static const Config MODEL = {8, 12, 1, 2, 4, 16};  // what rows of ids are scored with

// Every byte but Z, end-of-text, and a few words: the tokenizer that pairs and rows are read with.
static Tokenizer letters;

// The input as a file: where its bytes begin as a block's header does, HEADER_INTS - SHORT zeros
// are put in after SHORT numbers. If the input had them, most mutations would end up there.
static void file_expand(const char *data, size_t size) {
    enum { SHORT = 10, WIDTH = sizeof(int32_t) };
    const int32_t magic[] = {MODEL_MAGIC, TOKENIZER_MAGIC, TOKENS_MAGIC};
    char *file = alloc(size + 1, HEADER_INTS / SHORT + 1, "the file");
    size_t n = 0, i = 0;
    while (i < size) {
        int begins = 0;
        for (int k = 0; k < 3 && size - i >= SHORT * WIDTH; k++) {
            begins |= !memcmp(data + i, magic + k, WIDTH);
        }
        memcpy(file + n, data + i, begins ? SHORT * WIDTH : 1);
        n += begins ? HEADER_INTS * WIDTH : 1;
        i += begins ? SHORT * WIDTH : 1;
    }
    disk_set(0, "input", file, n);
}

// A tokenizer of all bytes but one (256: of all), an end-of-text, and n_tokens more: n bytes in the
// file's format.
static Tokenizer byte_tokenizer(int but, int n_tokens, const void *tokens, size_t n) {
    int32_t h[HEADER_INTS] = {TOKENIZER_MAGIC, 2, 257 + n_tokens, 256};
    unsigned char file[sizeof h + 2048], *to = file + sizeof h;
    memcpy(file, h, sizeof h);
    for (int i = 0; i < 256; i++) {
        *to++ = i != but;
        if (i != but) { *to++ = (unsigned char)i; }
    }
    to = (unsigned char *)memcpy(to, "\4<|e>", 5) + 5;
    must(n <= (size_t)(file + sizeof file - to), "the harness has room for a tokenizer");
    memcpy(to, tokens, n);
    disk_set(2, "tokenizer", file, (size_t)(to - file) + n);
    Tokenizer t;
    stories_load("tokenizer", &t, NULL, NULL);
    disk[2].path = NULL;
    return t;
}

// --- targets -------------------------------------------------------------------------------------

// What is loaded is saved as it was, and runs; a number of the header says how it is sampled from.
static void fuzz_checkpoint(const char *data, size_t size) {
    file_expand(data, size);
    GPT g = gpt_load("input"), rm = gpt_copy(&g, 1);
    for (size_t i = 0; i < g.n_params; i++) { must(isfinite(g.params[i]), "weights are finite"); }
    const char *file = disk[0].bytes;
    gpt_save(&g, "output");
    must(n_output == disk[0].size && !memcmp(fuzz_written, file, 32)
         && !memcmp(fuzz_written + 1024, file + 1024, n_output - 1024), "saved as it was loaded");
    int T = min_int(g.c.maxT, 8), row[8];
    Acts a = acts_new(&rm, 1, T, 0);
    Batch b = batch_new(1, T, 1), start = batch_new(1, 1, 1), out = batch_new(2, 2 * T, 1);
    for (int i = 0; i < T; i++) { row[i] = i % 2 ? 0 : g.c.V - 1; }
    batch_add(&b, row, T, 1);
    gpt_forward(&rm, &a, &b, b.logp, b.value);
    if (T == 1) { return; }
    Acts s = sampler_new(g.c, 2, T);
    batch_add(&start, row, 1, 1);
    const unsigned char *how = (const unsigned char *)file + 36;
    rollout(&g, &s, &start, 2, &(Sampling){.T = T, .eot = how[0], .temperature = how[1] / 64.0,
                                           .top_k = how[2], .seed = how[3]}, &out);
    for (int i = 0; i < out.n_tokens; i++) {
        must(out.token[i] >= 0 && out.token[i] < g.c.V, "what is sampled is a token");
    }
}

// Each row is the start token, a story and its end-of-text, and the response begins after the first
// sentence.
static void check_rows(const Tokenizer *t, const Batch *b) {
    for (int r = 0; r < b->n_rows; r++) {
        const int *row = b->token + b->row[r], n = b->row[r + 1] - b->row[r];
        for (int i = 0; i < n; i++) {
            must((row[i] == t->eot) == (i == 0 || i == n - 1), "a row begins and ends with its end");
        }
        int length = check_prompt(t, row + 1, n - 1);
        must(b->start[r] == b->row[r] + 1 + length, "a response follows its prompt");
    }
}

static void fuzz_stories(const char *data, size_t size) {
    Tokenizer t;
    Batch train, val;
    file_expand(data, size);
    stories_load("input", &t, &train, &val);
    check_rows(&t, &train);
    check_rows(&t, &val);
    Options o = {.data = "input", .model = "model"};
    World w = world_new(&TASKS[3], &o, &(GPT){.c = {48, t.V, 1, 1, 1, t.V}});
    Batch b = batch_new(1, w.T, 1);
    for (int r = 0, n; r < w.val.n_rows; r++) {
        batch_clear(&b);
        batch_copy_group(&b, &w.val, r, w.T);
        double reward = gold_reward(&w, &b, 0);
        must(reward >= 0 && reward <= 1, "rewards are between 0 and 1");
        char *text = tokens_text(&w.t, b.token, b.n_tokens);
        round_trip(&w.t, text, (int)strlen(text), &n);
        free(text);
    }
}

// The three texts of pair i.
static void pair_texts(const Tokenizer *t, const Batch *b, int i, char *text[3]) {
    int row = 2 * i;
    const int from[] = {b->row[row], b->start[row], b->start[row + 1]};
    const int to[] = {b->start[row], b->row[row + 1], b->row[row + 2]};
    for (int k = 0; k < 3; k++) { text[k] = tokens_text(t, b->token + from[k], to[k] - from[k]); }
}

// The pairs of a file are what its text says, and a file is refused if its text says nothing. Pairs
// that are written and read again are the same.
static void fuzz_pairs(const char *data, size_t size) {
    World w = {.T = size % 2 ? 24 : 1 << 16, .t = letters};
    PairsFile *want = pairs_of_text(&w.t, w.T, data, size);
    disk_set(0, "input", data, size);
    all_valid |= want->valid == VALID;
    Batch b = pairs_read(&w, "input");
    must(want->valid != INVALID, "what is invalid is refused");
    must(want->valid != VALID || b.n_rows == 2 * want->n, "every line is a pair");
    FILE *f = fopen("output", "w");
    fputs("prompt\tchosen\trejected\n", f);
    for (int i = 0; i < b.n_rows / 2; i++) {
        char *text[3];
        pair_texts(&w.t, &b, i, text);
        for (int k = 0; k < 3; k++) {
            must(want->valid != VALID || !strcmp(text[k], want->field[3 * i + k]),
                 "a field is read as it is written");
            write_field(f, text[k], k < 2 ? '\t' : '\n');
            free(text[k]);
        }
        must(b.reward[2 * i] == 1 && b.reward[2 * i + 1] == 0, "the first row has won");
    }
    must(!ferror(f) && ftell(f) < (long)sizeof fuzz_written, "the harness has room for all pairs");
    fclose(f);
    disk_set(1, "again", fuzz_written, n_output);
    all_valid = 1;
    Batch again = pairs_read(&w, "again");
    must(again.n_rows == b.n_rows && again.n_tokens == b.n_tokens
         && !memcmp(again.token, b.token, b.n_tokens * sizeof(int))
         && !memcmp(again.row, b.row, (b.n_rows + 1) * sizeof(int))
         && !memcmp(again.start, b.start, b.n_rows * sizeof(int)), "pairs survive a round trip");
}

// The input begins with a few tokens (their number; length and bytes of each); then comes a text.
static void fuzz_text(const char *data, size_t size) {
    size_t at = 1;
    int n_tokens = size ? (unsigned char)data[0] % 32 : 0, count, n_row;
    for (int i = 0; i < n_tokens && at < size; i++) { at += 1 + (unsigned char)data[at] % 32; }
    if (at >= size) { return; }
    unsigned char *tokens = memcpy(alloc(at, 1, "tokens"), data + 1, at - 1);
    for (size_t i = 0; i < at - 1; i += 1 + tokens[i]) { tokens[i] %= 32; }
    Tokenizer t = byte_tokenizer(256, n_tokens, tokens, at - 1);
    int n = (int)(size - at), *id = round_trip(&t, data + at, n, &count);
    int *story = alloc((size_t)count + 1, sizeof(int), "a story");  // to its exact end
    memcpy(story, id, count * sizeof(int));
    story[count] = t.eot;
    check_prompt(&t, story, count + 1);
    char *s = memcpy(alloc((size_t)n + 1, 1, "a text"), data + at, n);
    must(utf8_valid(s) == utf8_by_table((unsigned char *)s), "utf8_valid is RFC 3629's");
    encode_row(&t, s, size % 2 ? 16 : INT_MAX, &n_row);
    must(n_row == count + 1 || strlen(s) != (size_t)n, "a row is the start token and the text");
}

// The words of a command line end with NUL bytes. No file exists: commands end when they open one,
// and those that compute without a file are not run.
static void fuzz_options(const char *data, size_t size) {
    char *argv[64] = {"pref", "help"};
    int argc = 1;
    disk[1].path = NULL;
    for (size_t at = 0, n; at < size && argc < 63; at += n + 1) {
        n = strnlen(data + at, size - at);
        argv[argc++] = memcpy(alloc(n + 1, 1, "a word"), data + at, n);
    }
    const Command *c = &COMMANDS[find("command", argv[1], COMMANDS, N_COMMANDS, sizeof *COMMANDS)];
    must(!strcasecmp(argv[1], c->name), "what is found is what was looked for");
    const char *last = argv[argc > 1 ? argc - 1 : 1];
    Options o = c->defaults;
    if (!strcmp(last, "-h") || !strcmp(last, "--help")) {
        run_command(argc, argv);
        return;
    }
    options_parse(&o, c->name, argc > 2 ? argc - 2 : 0, argv + 2);
    for (int i = 0; i < N_OPTIONS; i++) {
        const Option *p = &OPTIONS[i];
        if (!(o.given >> i & 1)) { continue; }
        must(lists(p->commands, c->name), "a command has only its own options");
        const char *at = (const char *)&o + p->at;
        double x = p->type == 'i' ? *(const int *)at : p->type == 'd' ? *(const double *)at : p->min;
        must(x >= p->min && x <= p->max, "values are in limits");
    }
    int tune = !strcmp(c->name, "tune"), sft = !strcmp(c->name, "sft");
    if (tune && o.method && o.task && !o.model) {
        const Method *m = &METHODS[find("method", o.method, METHODS, N_METHODS, sizeof *METHODS)];
        int baseline = find("baseline", o.baseline, BASELINES, 4, sizeof *BASELINES);
        resolve_defaults(&o, m, &TASKS[find("task", o.task, TASKS, N_TASKS, sizeof *TASKS)], baseline);
        must(o.steps >= 1 && o.batch >= 1 && o.n >= 1 && o.collect % o.batch == 0 && o.lr > 0
             && o.reuse >= 1, "tune's settings are complete");
    } else if (!strcmp(c->name, "bench")) {
        shape(&o, 2);
    } else if (!sft || !o.task) {
        run_command(argc, argv);
    }
}

static void fuzz_ids(const char *data, size_t size) {
    disk_set(0, "input", data, size);
    command_score(&(Options){.model = "model", .ids = "input"});
    char *s = memcpy(alloc(size + 1, 1, "the rows"), data, size);
    while (*(s += strcspn(s, "0123456789"))) {
        must(strtol(s, &s, 10) < MODEL.V, "what is scored is a token");
    }
}

static void fuzz_info(const char *data, size_t size) {
    file_expand(data, size);
    command_info(&(Options){.file = "input", .data = "input"});
}

// --- libFuzzer's side ----------------------------------------------------------------------------

static const Target TARGETS[] = {
    {"checkpoint", fuzz_checkpoint}, {"stories", fuzz_stories}, {"pairs", fuzz_pairs},
    {"text", fuzz_text}, {"options", fuzz_options}, {"ids", fuzz_ids}, {"info", fuzz_info}, {0}};

static void prepare(void) {
    letters = byte_tokenizer('Z', 2, "\2he\3 an", 7);
    GPT g = gpt_new(MODEL, 0, 0);
    gpt_init(&g, 1);
    gpt_save(&g, "model");
    disk_set(1, "model", memcpy(malloc(n_output), fuzz_written, n_output), n_output);
}

#include "driver.h"
