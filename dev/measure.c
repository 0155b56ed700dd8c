/*
measure.c: what measures a model and trains none. It is pref.c with commands of its own.

    measure eval    a tuned policy beside its reference
    measure score   the log-probability of each token of a text
    measure bench   tokens a second, in training and in sampling
    measure info    what a file holds

Build: make, or  cc -O3 dev/measure.c -lm -o measure.  Then ./measure help.
*/
#ifndef TESTING  // the tests have the commands of both programs
#define MEASURE
#define PROGRAM "measure"
#pragma GCC diagnostic ignored "-Wunused-function"  // pref's own commands
#endif
#define MORE_COMMANDS \
    {"eval", command_eval, "a tuned policy beside its reference"}, \
    {"score", command_score, "log-probability of each token of a text"}, \
    {"bench", command_bench, "tokens a second, training and sampling"}, \
    {"info", command_info, "what a file holds: measure info FILE"},
struct Options;
static void command_eval(const struct Options *o);
static void command_score(const struct Options *o);
static void command_bench(const struct Options *o);
static void command_info(const struct Options *o);
#include "../pref.c"

// Print the log-probability of every token of a row but the first.
static void score_row(const GPT *g, Acts *a, Batch *b, const int *id, int n) {
    batch_clear(b);
    batch_add(b, id, n, 1);
    gpt_forward(g, a, b, b->logp, NULL);
    for (int i = 1; i < n; i++) { printf("%s%.6f", i > 1 ? " " : "", (double)b->logp[i]); }
    putchar('\n');
}

// Score a text, or rows of token ids: what another implementation can be compared with.
static void command_score(const Options *o) {
    refuse(!o->text == !o->ids, "score needs one of --text and --ids");
    Tokenizer t = {0};
    GPT g = o->text ? load_with_tokenizer(o, &t) : policy_load(o->model);
    Acts a = acts_new(&g, 1, g.c.maxT, 0);
    Batch b = batch_new(1, g.c.maxT, 1);
    if (o->text) {
        int n, *id = encode_row(&t, o->text, g.c.maxT, &n);
        score_row(&g, &a, &b, id, n);
        return;
    }
    Input in = input_open(o->ids);
    char *text = NULL, *end;
    size_t room = 0;
    ssize_t length;
    for (int line = 1; (length = getline(&text, &room, in.f)) >= 0; line++) {
        int *id = b.token, n = 0, T = g.c.maxT;
        for (char *p = text + strspn(text, " \t\r\n"); *p; p = end + strspn(end, " \t\r\n")) {
            long x = strtol(p, &end, 10);
            int odd = end == p || !strchr(" \t\r\n", *end) || strlen(text) != (size_t)length;
            if (odd || x < 0 || x >= g.c.V || n == T) {
                stop(1, "%s:%d: expected at most %d ids from 0 to %d", o->ids, line, T, g.c.V - 1);
            }
            id[n++] = (int)x;
        }
        if (n > 0) { score_row(&g, &a, &b, id, n); }
    }
    free(text);
    fclose(in.f);
}

// Speed of training and of sampling on random tokens, the best of several runs.
static void command_bench(const Options *o) {
    Config c = shape(o, o->V);
    GPT g = gpt_new(c, 0, 1);
    gpt_init(&g, 1);
    int B = o->batch, n = B * o->T;
    Acts a = acts_new(&g, B, o->T, 1);
    Batch b = batch_new(B, n, 1), start = batch_new(B, B, 1), out = batch_new(B, n, 1);
    Rng r = rng_stream(1, 'b', 0);
    int *row = alloc(o->T, sizeof(int), "a row");
    for (int i = 0; i < B; i++) {
        for (int t = 0; t < o->T; t++) { row[t] = rng_below(&r, o->V); }
        batch_add(&b, row, o->T, 1);
        batch_add(&start, row, 1, 1);
    }
    Acts s = sampler_new(c, B, o->T);
    Sampling how = {.T = o->T, .eot = -1, .temperature = 1, .seed = 1};
    for (int sampling = 0; sampling < 2; sampling++) {
        double best = INFINITY, end = seconds() + 3, norm;
        for (int k = 1; k <= 5 || seconds() < end; k++) {
            double begin = seconds();
            how.stream = k;
            if (sampling) { rollout(&g, &s, &start, 1, &how, &out); }
            if (!sampling) { learn(&g, &a, &b, "bench", loss_tokens, o, 1e-3, 1, k, &norm); }
            best = fmin(best, seconds() - begin);
        }
        printf("%s: %.0f tok/s\n", sampling ? "sample" : "train", n / best);
    }
}

// A line, and a row of the log: mean and standard error of n numbers.
static void print_mean(Output *log, const char *name, const double *x, int n) {
    Moments m = moments(x, n);
    double error = m.std / sqrt((double)n);
    printf("%-24s %9.4f +- %.4f\n", name, m.mean, error);
    if (log->f) { fprintf(log->f, "%s,%.6g,%.6g,%d\n", name, m.mean, error, n); }
}

// Of the responses that contain any of the words, the share with each.
static void print_counts(Output *log, const char *whose, const Batch *b, const Tokenizer *t,
                         const char *words) {
    double *x = alloc(b->n_rows, sizeof *x, "counts");
    size_t n;
    const char *rest = words;
    for (const char *word; (word = next_word(&rest, &n)) != NULL;) {
        int any = 0;
        char name[64], one[64];
        snprintf(one, sizeof one, "%.*s", (int)n, word);
        snprintf(name, sizeof name, "%s: %.40s", whose, one);
        for (int r = 0; r < b->n_rows; r++) {
            char *text = tokens_text(t, b->token + b->start[r], b->row[r + 1] - b->start[r]);
            x[any] = has_any(text, one);
            any += has_any(text, words);
            free(text);
        }
        if (any) { print_mean(log, name, x, any); }
        if (!any) { printf("%-24s no response has any of the words\n", name); }
    }
}

// A policy beside its reference, both answering the same validation prompts.
static void command_eval(const Options *o) {
    static const char *const names[] = {"gold reward", "proxy reward", "KL to the reference",
                                        "entropy", "distinct", "tokens in a response"};
    enum { ROWS = 16 };  // at a time: few, so that a model of GPT-2's size fits in memory
    Run run = story_run(o);
    run.ref = policy_load(o->ref);
    check_tokenizer(o->ref, &run.ref, o->data, &run.world.t);
    if (memcmp(&run.ref.c, &run.policy.c, sizeof(Config))) {
        stop(1, "%s: not of the same shape as %s; measure info shows both", o->ref, o->model);
    }
    load_reward_model(&run, ROWS);
    int n = o->n, T = run.world.T;
    if ((double)n * T > INT_MAX) { stop(2, "-n %d is too large", n); }
    run.acts = acts_new(&run.policy, ROWS, T, 0);
    run.sampler = sampler_new(run.policy.c, n, T);
    run.prompts = batch_new(n, n * MAX_PROMPT, 1);
    run.eval = batch_new(n, n * T, 1);
    Batch *y = &run.eval, ref = batch_new(n, n * T, 1);
    assess(&run, 4);
    answer(&run, &run.ref, 1, 5, &ref);
    double *x = alloc(n, sizeof *x, "scores");
    Output log = csv_open(o->log, "quantity,mean,standard_error,n\n");
    printf("%d prompts: mean +- standard error\n", n);
    for (int k = 0; k < N_MEASURES; k++) {
        for (int r = 0; r < n; r++) { x[r] = measure(&run, y, r, k); }
        if (k != PROXY || o->rm) { print_mean(&log, names[k], x, n); }
    }
    gold_rewards(&run.world, y);
    gold_rewards(&run.world, &ref);
    for (int r = 0; r < n; r++) {
        double gap = y->reward[r] - ref.reward[r];
        x[r] = gap > 0 ? 1 : gap < 0 ? 0 : 0.5;
    }
    print_mean(&log, "gold reward (reference)", ref.reward, n);
    print_mean(&log, "win rate (ties half)", x, n);
    if (o->count) {
        print_counts(&log, "policy", y, &run.world.t, o->count);
        print_counts(&log, "reference", &ref, &run.world.t, o->count);
    }
    output_close(&log);
}

// What a file holds, told by its first bytes.
static void command_info(const Options *o) {
    if (!o->file) { stop(2, "a file is needed; see " PROGRAM " help"); }
    Input in = input_open(o->file);
    int32_t magic;
    input_read(&in, &magic, 1, sizeof magic);
    if (magic == MODEL_MAGIC) {
        GPT g = gpt_load(o->file);
        printf("%s: GPT-2 with %d layers, %d heads, %d channels; vocabulary %d, context %d; "
               "%zu parameters%s\n", o->file, g.c.L, g.c.NH, g.c.C, g.c.V, g.c.maxT, g.n_params,
               g.head ? ", with a scalar head" : "");
    } else if (magic == TOKENIZER_MAGIC) {
        rewind(in.f);
        Tokenizer t = tokenizer_read(&in);
        printf("%s: tokenizer of %d tokens, end-of-text %d\n", o->file, t.V, t.eot);
        const char *names[] = {"training tokens", "validation tokens"};
        for (int i = 0; i < 2 && ftell(in.f) < (long)in.size; i++) {
            Corpus c = corpus_read(&in, &t, names[i]);
            printf("  %d %s in %d stories\n", c.doc[c.n_docs], names[i], c.n_docs);
        }
    } else if (memchr("{ \t\r\n", magic & 0xff, 5)) {
        World w = {.T = 1 << 16, .t = tokenizer_load(o->data)};
        Batch b = pairs_read(&w, o->file);
        printf("%s: %d preference pairs, %.1f tokens a row\n", o->file, b.n_rows / 2,
               (double)b.n_tokens / b.n_rows);
    } else {
        stop(1, "%s: no model, tokenizer or pairs (it begins with %d)", o->file, magic);
    }
    fclose(in.f);
}
