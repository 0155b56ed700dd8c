/*
measure.c: measures models and trains none. It is pref.c with commands and options of its own.

    measure eval    compares a tuned policy with its reference
    measure hist    shows where a policy puts its mass: on which tokens, or on which lengths
    measure score   prints the log-probability of each token of a text
    measure bench   measures the speed of training and of sampling
    measure info    says what a file holds

Build it with make, or with  cc -O3 dev/measure.c -lm -o measure.  Then type ./measure help.
*/
#ifndef TESTING  // the tests have the commands of both programs
#define MEASURE
#define PROGRAM "measure"
#pragma GCC diagnostic ignored "-Wunused-function"  // pref's own commands
#endif
#define MORE_COMMANDS \
    {"eval", command_eval, "compare a tuned policy with its reference", "-m --ref --task", \
     {.data = STORIES, .n = 256, .seed = 1}}, \
    {"hist", command_hist, "the share of each token (bandit) or length (stories)", "-m --task", \
     {.data = STORIES, .n = 512, .len = BANDIT_LEN, .seed = 1}}, \
    {"score", command_score, "the log-probability of each token of a text", "-m", \
     {.data = STORIES}}, \
    {"bench", command_bench, "the speed of training and of sampling, in tokens a second", "", \
     {.L = 4, .NH = 4, .C = 128, .V = 512, .batch = 32, .T = 128}}, \
    {"info", command_info, "what a file holds: measure info FILE", "", {.data = STORIES}},
#define MORE_OPTIONS \
    {"--ref", "MODEL", TEXT(ref), "eval", "", "the reference that it was tuned from"}, \
    {"--count", "W,W", TEXT(count), "eval", "", "print the share of each of these words"}, \
    {"--text", "TEXT", TEXT(text), "score", "", "the text to score, after the start token"}, \
    {"--ids", "FILE", TEXT(ids), "score", "", "rows of token numbers to score, one a line"}, \
    {"-V", "N", INT(V, 2, 65536), "bench", "", "vocabulary"}, \
    {"-B", "N", INT(batch, 1, 65536), "bench", "", "rows in a batch"},
typedef struct Options Options;
static void command_eval(Options *o);
static void command_hist(Options *o);
static void command_score(Options *o);
static void command_bench(Options *o);
static void command_info(Options *o);
#include "../pref.c"

// Prints the log-probability of each token of a row but the first.
static void score_row(const GPT *g, Acts *a, Batch *b, const int *id, int n) {
    batch_clear(b);
    batch_add(b, id, n, 1);
    gpt_forward(g, a, b, b->logp, NULL);
    for (int i = 1; i < n; i++) { printf("%s%.6f", i > 1 ? " " : "", (double)b->logp[i]); }
    putchar('\n');
}

// Scores a text, or rows of token ids, for comparison with another implementation.
static void command_score(Options *o) {
    stop_if(!o->text == !o->ids, 2, "score needs one of --text and --ids");
    check_runs(o, o->text ? "stories" : "ids");  // token numbers need no tokenizer
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

// Measures the speed of training and of sampling on random tokens. Prints the best of several runs.
static void command_bench(Options *o) {
    Config c = shape(o, o->V);
    GPT g = gpt_new(c, 0, 1);
    gpt_init(&g, 1);
    int B = o->batch;
    uint64_t n = (uint64_t)B * o->T;
    Trainer t = trainer_new("bench", &g, loss_tokens, 1, o);
    Batch start = batch_new(B, B, 1), out = batch_new(B, n, 1);
    Rng r = rng_stream(1, BENCH_STREAM, 0);
    int *row = alloc(o->T, sizeof(int), "a row");
    for (int i = 0; i < B; i++) {
        for (int k = 0; k < o->T; k++) { row[k] = rng_below(&r, o->V); }
        batch_add(&t.batch, row, o->T, 1);
        batch_add(&start, row, 1, 1);
    }
    Acts s = sampler_new(c, B, o->T);
    Sampling how = {.T = o->T, .eot = -1, .temperature = 1, .seed = 1};
    for (int sampling = 0; sampling < 2; sampling++) {
        double best = INFINITY, end = seconds() + 3;
        progress("measuring the speed");
        for (int k = 1; k <= 5 || seconds() < end; k++) {
            double begin = seconds();
            how.stream = k;
            if (sampling) { rollout(&g, &s, &start, 1, &how, &out); }
            if (!sampling) { gradient_step(&t, 1e-3); }
            best = fmin(best, seconds() - begin);
        }
        progress("%s", "");
        printf("%s: %.0f tok/s\n", sampling ? "sample" : "train", (double)n / best);
    }
}

// Returns where the next of some words starts, which commas separate, and sets its length *n. Moves
// *words beyond it. Returns NULL if there is none left.
static const char *next_word(const char **words, size_t *n) {
    const char *word = *words + strspn(*words, " ,");
    *n = strcspn(word, ",");
    *words = word + *n;
    while (*n && word[*n - 1] == ' ') { --*n; }
    return *n ? word : NULL;
}

// Returns whether text has one of the words, as a whole word.
static int has_any(const char *text, const char *words) {
    size_t n;
    for (const char *word = next_word(&words, &n); word; word = next_word(&words, &n)) {
        for (const char *p = text; *p; p++) {
            int begins = p == text || byte_class(p[-1]) != 'a';
            if (begins && !strncmp(p, word, n) && byte_class(p[n]) != 'a') { return 1; }
        }
    }
    return 0;
}

// Prints the mean and the standard error of n numbers, and adds them to the log.
static void print_mean(Output *log, const char *name, const double *x, int n) {
    Moments m = moments(x, n);
    double error = m.std / sqrt((double)n);
    printf("%-24s %9.4f +- %.4f\n", name, m.mean, error);
    if (log->f) { fprintf(log->f, "%s,%.6g,%.6g,%d\n", name, m.mean, error, n); }
}

// Prints the share of each word among the responses that contain any of them.
static void print_counts(Output *log, const char *whose, const Batch *b, const Tokenizer *t,
                         const char *words) {
    double *x = alloc(b->n_rows, sizeof *x, "counts");
    size_t n;
    const char *rest = words;
    for (const char *word = next_word(&rest, &n); word; word = next_word(&rest, &n)) {
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

// Returns Pearson's correlation of n pairs of numbers; NAN if one of them does not vary.
static double correlation(const double *x, const double *y, int n) {
    Moments mx = moments(x, n), my = moments(y, n);
    double covariance = 0;
    for (int i = 0; i < n; i++) { covariance += (x[i] - mx.mean) * (y[i] - my.mean) / (n - 1); }
    return covariance / (mx.std * my.std);
}

// Compares a policy with its reference on the same validation prompts.
static void command_eval(Options *o) {
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
    stop_if(n < 2, 2, "-n: at least 2 prompts");
    run.trainer.acts = acts_new(&run.policy, ROWS, T, 0);
    run.sampler = sampler_new(run.policy.c, n, T);
    run.prompts = batch_new(n, (uint64_t)n * MAX_PROMPT, 1);
    run.eval = batch_new(n, (uint64_t)n * T, 1);
    Batch *y = &run.eval, ref = batch_new(n, (uint64_t)n * T, 1);
    progress("measuring the responses to %d prompts", n);
    sample_evaluation(&run, EVAL_STREAM);
    sample_responses(&run, &run.ref, 1, EVAL_REF_STREAM, &ref);
    progress("%s", "");
    double *x = alloc(n, sizeof *x, "scores");
    Output log = csv_open(o->log, "quantity,mean,standard_error,n\n");
    printf("%d prompts: mean +- standard error\n", n);
    for (int k = 0; k < N_MEASURES; k++) {
        for (int r = 0; r < n; r++) { x[r] = measure(&run, y, r, k); }
        if (k != PROXY || o->rm) { print_mean(&log, names[k], x, n); }
    }
    for (int r = 0; r < n; r++) { x[r] = y->reward[r]; }  // the reward model's, if there is one
    gold_rewards(&run.world, y);
    gold_rewards(&run.world, &ref);
    double r_gold = o->rm ? correlation(x, y->reward, n) : NAN;
    if (r_gold >= -1) { printf("%-24s %9.4f\n", "proxy and gold correlate", r_gold); }
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

// Where a policy puts its mass: the share of each token in its responses (bandit), or of each
// response length (stories), over o->n responses to validation prompts. Prints a CSV.
static void command_hist(Options *o) {
    const Task *task = &TASKS[find("task", o->task, TASKS, N_TASKS, sizeof *TASKS)];
    check_runs(o, task->is_bandit ? "bandit samples" : "stories samples");
    Run run = {.o = o, .policy = policy_load(o->model)};
    run.world = world_new(task, o, &run.policy);
    int n = o->n, T = run.world.T, n_bins = task->is_bandit ? BANDIT_TOKENS : T;
    run.sampler = sampler_new(run.policy.c, n, T);
    run.prompts = batch_new(n, (uint64_t)n * MAX_PROMPT, 1);
    run.eval = batch_new(n, (uint64_t)n * T, 1);
    progress("sampling %d responses", n);
    sample_groups(&run, &run.policy, &run.world.val, n, 1, EVAL_STREAM, &run.eval);
    progress("%s", "");
    double *count = alloc(n_bins + 1, sizeof *count, "the histogram"), total = 0;
    for (int r = 0; r < n; r++) {
        int start = run.eval.start[r], length = run.eval.row[r + 1] - start;
        if (!task->is_bandit) { count[length]++; }
        for (int i = 0; i < length && task->is_bandit; i++) { count[run.eval.token[start + i]]++; }
        total += task->is_bandit ? length : 1;
    }
    printf("bin,share\n");
    for (int i = !task->is_bandit; i < n_bins; i++) { printf("%d,%.6g\n", i, count[i] / total); }
}

// Says what a file holds, by its first bytes.
static void command_info(Options *o) {
    if (!o->file) { stop(2, "a file is needed; see " PROGRAM " help"); }
    Input in = input_open(o->file);
    int32_t magic;
    input_read(&in, &magic, 1, sizeof magic);
    int is_pairs = !memcmp(&magic, "prom", 4) || !memcmp(&magic, "\xef\xbb\xbfp", 4);
    stop_if(o->given && !is_pairs, 2, "--data: for files of pairs; %s is none", o->file);
    if (magic == MODEL_MAGIC) {
        GPT g = gpt_load(o->file);
        printf("%s: GPT-2 with %d layers, %d heads, %d channels; vocabulary %d, context %d; "
               "%zu parameters%s\n", o->file, g.c.L, g.c.NH, g.c.C, g.c.V, g.c.maxT,
               (size_t)g.n_params, g.has_head ? ", with a scalar head" : "");
    } else if (magic == TOKENIZER_MAGIC) {
        rewind(in.f);
        Tokenizer t = tokenizer_read(&in);
        printf("%s: tokenizer of %d tokens, end-of-text %d\n", o->file, t.V, t.eot);
        const char *names[] = {"training tokens", "validation tokens"};
        for (int i = 0; i < 2 && ftell(in.f) < (long)in.size; i++) {
            Batch b = stories_read(&in, &t, names[i]);
            printf("  %d %s in %d stories\n", b.n_tokens - b.n_rows, names[i], b.n_rows);
        }
    } else if (is_pairs) {
        World w = {.T = 1 << 16};
        stories_load(o->data, &w.t, NULL, NULL);
        Batch b = pairs_read(&w, o->file);
        printf("%s: %d preference pairs, %.1f tokens a row\n", o->file, b.n_rows / 2,
               (double)b.n_tokens / b.n_rows);
    } else {
        stop(1, "%s: no model, tokenizer or pairs (it begins with %d)", o->file, magic);
    }
    fclose(in.f);
}
