/*
Fuzzing of all that pref reads, with libFuzzer: run.sh builds and runs it. TARGET=NAME ./fuzz INPUT
gives an input to a target once more. A target fails by what the sanitizers see, by a promise that
is broken (`must`), or by taking long.
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
    Tokenizer t = tokenizer_load("tokenizer");
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
    must(n_written == disk[0].size && !memcmp(fuzz_written, file, 32)
         && !memcmp(fuzz_written + 1024, file + 1024, n_written - 1024), "saved as it was loaded");
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

static void fuzz_stories(const char *data, size_t size) {
    Tokenizer t;
    Corpus c[2];
    file_expand(data, size);
    stories_load("input", &t, &c[0], &c[1]);
    for (int d = 0; d < c[0].n_docs; d++) {
        check_prompt(&t, c[0].token + c[0].doc[d], c[0].doc[d + 1] - c[0].doc[d]);
    }
    Options o = {.data = "input", .model = "model"};
    World w = world_new(&TASKS[3], &o, &(GPT){.c = {48, t.V, 1, 1, 1, t.V}});
    Batch b = batch_new(1, w.T, 1);
    for (int d = 0, n; d < w.val.n_docs; d++) {
        batch_clear(&b);
        batch_add_story(&b, &w.val, d, w.T, 1);
        must(truth(&w, &b, 0) >= 0 && truth(&w, &b, 0) <= 1, "rewards are between 0 and 1");
        char *text = tokens_text(&w.t, b.token, b.n_tokens);
        round_trip(&w.t, text, (int)strlen(text), &n);
        free(text);
    }
}

// Pairs that are read are the same when they are written and read again.
static void fuzz_pairs(const char *data, size_t size) {
    World w = {.T = size % 2 ? 24 : 1 << 16, .t = letters};
    disk_set(0, "input", data, size);
    Batch b = pairs_read(&w, "input");
    FILE *f = fopen("output", "w");
    for (int r = 0; r < b.n_rows; r += 2) {
        int from[] = {b.row[r], b.start[r], b.start[r + 1]};
        int to[] = {b.start[r], b.row[r + 1], b.row[r + 2]};
        fputc('{', f);
        for (int k = 0; k < 3; k++) {
            char *text = tokens_text(&w.t, b.token + from[k], to[k] - from[k]);
            must(utf8_by_table((unsigned char *)text), "what is read is UTF-8");
            json_write(f, (const char *[]){"prompt", "chosen", "rejected"}[k], text);
            free(text);
        }
        fprintf(f, "\"score_chosen\": %.17g}\n", isfinite(b.score[r]) ? b.score[r] : 0);
    }
    must(!ferror(f) && ftell(f) < (long)sizeof fuzz_written, "the harness has room for all pairs");
    fclose(f);
    disk_set(1, "again", fuzz_written, n_written);
    all_valid = 1;
    Batch again = pairs_read(&w, "again");
    must(again.n_rows == b.n_rows && again.n_tokens == b.n_tokens
         && !memcmp(again.token, b.token, b.n_tokens * sizeof(int))
         && !memcmp(again.row, b.row, (b.n_rows + 1) * sizeof(int))
         && !memcmp(again.start, b.start, b.n_rows * sizeof(int)), "pairs survive a round trip");
    for (int r = 0; r < b.n_rows; r += 2) {
        must(b.reward[r] == 1 && b.reward[r + 1] == 0, "the first row has won");
        must(!isfinite(b.score[r]) || again.score[r] == b.score[r], "scores survive a round trip");
    }
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
    uint16_t *token = alloc((size_t)count + 1, sizeof *token, "ids");
    for (int i = 0; i < count; i++) { token[i] = (uint16_t)id[i]; }
    token[count] = (uint16_t)t.eot;
    check_prompt(&t, token, count + 1);
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
    int c = find("command", argv[1], COMMANDS, N_COMMANDS, sizeof *COMMANDS);
    const char *name = COMMANDS[c].name;
    must(!strcmp(argv[1], name), "what is found is what was looked for");
    Options o = options_parse(name, argc > 2 ? argc - 2 : 0, argv + 2);
    for (const struct Option *p = OPTIONS; p < OPTIONS + N_OPTIONS; p++) {
        if (!has_any(p->commands, name) || p->kind == 's') { continue; }
        const char *at = (const char *)&o + p->at;
        double x = p->kind == 'i' ? *(const int *)at : *(const double *)at;
        must((x >= p->least && x <= p->most) || (!p->standard && x == 0), "values are in limits");
    }
    check_files(&o);
    if (!strcmp(name, "bench") || !strcmp(name, "sft")) { shape(&o, 2); }
    if (!strcmp(name, "tune") && !o.model) {
        int m = find("method", o.method, METHODS, N_METHODS, sizeof *METHODS);
        int bandit = TASKS[find("task", o.task, TASKS, N_TASKS, sizeof *TASKS)].kind == BANDIT;
        settle(&o, &METHODS[m], bandit, find("baseline", o.baseline, BASELINES, 4, sizeof(char *)));
        must(o.steps >= 1 && o.batch >= 1 && o.n >= 1 && o.collect % o.batch == 0 && o.lr > 0
             && o.eval_every >= 1 && o.reuse >= 1, "tune's settings are complete");
    } else if (strcmp(name, "bench") && strcmp(name, "kl") && (strcmp(name, "sft") || !o.task)) {
        COMMANDS[c].run(&o);
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

static void (*target)(const char *data, size_t size);
static int only_valid;  // for run.sh to make sure that what it starts from is

const char *__asan_default_options(void) {  // we look for leaks; what else is off takes time
    return "detect_leaks=0:quarantine_size_mb=4:max_malloc_fill_size=0";
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    static const struct { const char *name; void (*run)(const char *data, size_t size); } all[] = {
        {"checkpoint", fuzz_checkpoint}, {"stories", fuzz_stories}, {"pairs", fuzz_pairs},
        {"text", fuzz_text}, {"options", fuzz_options}, {"ids", fuzz_ids}, {"info", fuzz_info},
    };
    const char *name = getenv("TARGET");
    for (size_t i = 0; name && i < sizeof all / sizeof *all; i++) {
        if (!strcmp(name, all[i].name)) { target = all[i].run; }
    }
    must(target && *argc > 0 && **argv, "the environment's TARGET names a target");
    only_valid = getenv("VALID") != NULL;
    silence = freopen("/dev/null", "w", stdin);
    letters = byte_tokenizer('Z', 2, "\2he\3 an", 7);
    GPT g = gpt_new(MODEL, 0, 0);
    gpt_init(&g, 1);
    gpt_save(&g, "model");
    disk_set(1, "model", memcpy(malloc(n_written), fuzz_written, n_written), n_written);
    n_kept = n_live;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    exit_status = 0;
    all_valid = only_valid;
    if (setjmp(next_input) == 0) { target((const char *)data, size); }
    memset(temporary, 0, sizeof temporary);
    must(!sweep() || exit_status, "without an error, memory and files are given back");
    return 0;
}
