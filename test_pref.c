/*
Tests of pref.c and dev/measure.c, which they include. make test builds them twice: with double,
where finite differences are exact to eight digits, and with float, which is what runs.

    ./test_float                all tests, several at a time; the last line counts the checks
    ./test_float dpo pairs      those whose names begin with these words
    ./test_float -dpo           all but those
    ./test_float --cli ARGS     pref (or measure) itself, so that the tests of whole commands run
                                the code under test, sanitizers and all

Every test is a process of its own, with a scratch folder of its own and a time limit: one that
crashes or hangs is one failure. Checks are counted by what they say, numbers aside: a thousand like
comparisons are one. Environment: FAIL_FAST=1 stops at the first test that fails; RUNNER names a
program that runs pref and this one (an emulator); TEST_JOBS is how many tests run at a time.
*/
#define TESTING
#include "dev/measure.c"
#include "dev/kl.c"
#include "dev/oracle.h"
#include <dirent.h>
#include <sys/wait.h>

static int is_double(void) { return sizeof(real) == sizeof(double); }

enum { CHECKS = 4096, SHOWN = 5, TIME_LIMIT = 360 };
static struct {
    const char *self, *directory; // this program; a scratch folder
    const char *program;          // what cli() runs, such as "./pref_onpolicy"; NULL: this program
    uint64_t check[CHECKS];       // what was checked, as fingerprints of what the checks say
    int failures[CHECKS], n;      // how often each of these failed
} run;

// A number that changes if any bit does.
static uint64_t fingerprint(const void *data, size_t bytes, uint64_t before) {
    for (size_t i = 0; i < bytes; i++) {
        before = (before ^ ((const unsigned char *)data)[i]) * 1099511628211u;
    }
    return before;
}

// One comparison. What it says without its numbers tells which check it belongs to. The first few
// failures of a check are printed.
static void check_text(int ok, const char *says, const char *got) {
    uint64_t print = 0;
    for (const char *c = says; *c; c++) {
        if (!isdigit((unsigned char)*c)) { print = fingerprint(c, 1, print); }
    }
    int k = 0;
    while (k < run.n && run.check[k] != print) { k++; }
    if (k == run.n && run.n < CHECKS) { run.check[run.n++] = print; }
    if (!ok && run.failures[k]++ < SHOWN) {
        printf("    FAILED: %s%s\n", says, got);
        fflush(stdout);
    }
}

static void check(int ok, const char *format, ...) {
    char says[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(says, sizeof says, format, args);
    va_end(args);
    check_text(ok, says, "");
}

// Whether got is expected, to a relative error (absolute where expected is below 1). NaN is not.
static void near(double got, double expected, double tolerance, const char *format, ...) {
    char says[512], values[128];
    va_list args;
    va_start(args, format);
    vsnprintf(says, sizeof says, format, args);
    va_end(args);
    double error = fabs(got - expected) / fmax(1, fabs(expected));
    snprintf(values, sizeof values, ": got %.12g, expected %.12g (error %.2g)", got, expected,
             error);
    check_text(error <= tolerance, says, values);
}

// The larger of two errors. Unlike fmax it does not pass over NaN.
static double worse(double worst, double x) {
    return isnan(worst) || isnan(x) ? NAN : worst > x ? worst : x;
}

static const char *in_scratch(const char *name) {
    char *path = alloc(1, strlen(run.directory) + strlen(name) + 2, "a path");
    sprintf(path, "%s/%s", run.directory, name);
    return path;
}

// The bytes of a file, with a NUL after them, and their number.
static size_t slurp(const char *path, char **to) {
    Input in = input_open(path);
    *to = alloc(in.size + 1, 1, "a file");
    input_read(&in, *to, in.size, 1);
    fclose(in.f);
    return in.size;
}

static void spill(const char *path, const void *data, size_t n) {
    FILE *f = fopen(path, "wb");
    check(f && fwrite(data, 1, n, f) == n && fclose(f) == 0, "%s: cannot write", path);
}

// --- arithmetic ----------------------------------------------------------------------------------

static void test_exp(void) {
    double worst = 0;
    for (double x = -86; x < 88; x += 0.00137) {
        worst = worse(worst, fabs((double)fast_exp((real)x) / exp((double)(real)x) - 1));
    }
    check(worst < (is_double() ? 1e-15 : 3e-7), "fast_exp: relative error %g", worst);
    check(isnan(fast_exp((real)NAN)), "fast_exp lets NaN through");
    check(fast_exp(-1000) < 1e-37 && fast_exp(0) == 1, "fast_exp at its ends");
}

// Every pass deals each number once, in another order.
static void test_deck(void) {
    enum { N = 50 };
    int order[3][N], same = 0;
    Deck d = deck_new(N, 1, BANDIT_STREAM);
    for (int pass = 0; pass < 3; pass++) {
        int seen[N] = {0}, n = pass < 2 ? N : N / 2;
        if (pass == 2) { deck_restart(&d, n); }
        for (int i = 0; i < n; i++) { seen[order[pass][i] = deal(&d)]++; }
        for (int i = 0; i < N; i++) { check(seen[i] == (i < n), "%d in pass %d", i, pass); }
    }
    for (int i = 0; i < N; i++) { same += order[0][i] == order[1][i]; }
    Deck sorted = deck_new(N, 1, BANDIT_STREAM);
    sorted.next = 0;  // as the bandit's reference reads its data: in order, and then in any other
    for (int i = 0; i < N; i++) { check(deal(&sorted) == i, "a deck that begins in order"); }
    for (int i = 0; i < N; i++) {
        check(deal(&sorted) == order[0][i], "its next order is the first of a deck that is new");
    }
    check(same < 10, "two passes have %d of %d numbers in the same place", same, N);
}

// Reads the tokenizer of a file, whatever follows it.
static Tokenizer tokenizer_of_file(const char *path) {
    Tokenizer t;
    stories_load(path, &t, NULL, NULL);
    return t;
}

static void fill(real *x, size_t n, Rng *r) {
    for (size_t i = 0; i < n; i++) { x[i] = (real)rng_normal(r); }
}

// All layouts, sizes on both sides of tiles and blocks, with and without init and bias.
static void test_matmul(void) {
    const int sizes[][3] = {{1, 1, 1},      {7, 33, 5},   {8, 32, 16},  {65, 31, 300},
                            {70, 300, 257}, {130, 1, 64}, {3, 513, 520}};
    Rng r = rng_stream(1, 'm', 0);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        int M = sizes[s][0], N = sizes[s][1], K = sizes[s][2];
        size_t m = (size_t)M, n = (size_t)N, k = (size_t)K;
        real *a = alloc(m * k, sizeof *a, "test"), *b = alloc(k * n, sizeof *b, "test");
        real *c = alloc(m * n, sizeof *c, "test"), *init = alloc(m * n, sizeof *init, "test");
        fill(a, m * k, &r);
        fill(b, k * n, &r);
        fill(init, m * n, &r);
        for (int layout = 0; layout < 8; layout++) {
            Matrix A = layout & 1 ? transpose(a, m) : rows(a, k),
                   B = layout & 2 ? transpose(b, k) : rows(b, n);
            int extra = layout & 4;
            memcpy(c, init, m * n * sizeof *c);
            matmul(rows(c, n), extra ? rows(c, n) : NONE, A, B, M, N, K);
            double worst = 0;
            for (size_t i = 0; i < m; i++) {
                for (size_t j = 0; j < n; j++) {
                    double x = extra ? (double)init[i * n + j] : 0;
                    for (size_t l = 0; l < k; l++) {
                        x += (double)A.x[i * A.rs + l * A.cs] * (double)B.x[l * B.rs + j * B.cs];
                    }
                    worst = worse(worst, fabs(x - (double)c[i * n + j]));
                }
            }
            check(worst < (is_double() ? 1e-12 : 1e-4), "matmul %d x %d x %d, layout %d: error %g",
                  M, N, K, layout, worst);
        }
    }
}

// --- the GPT -------------------------------------------------------------------------------------

// The model, the rows and the loss that dev/oracle.py has too.
static const Config ORACLE_CONFIG = {12, 13, 2, 2, 8, 16};

static GPT oracle_gpt(void) {
    GPT g = gpt_new(ORACLE_CONFIG, 1, 1);
    for (int k = 0; k < N_TENSORS; k++) {
        const Tensor *t = &g.tensor[k];
        for (size_t i = 0; i < t->size; i++) {
            g.params[t->at + i] = (real)(0.3 * sin(1.7 * k + 0.31 * (double)i) + t->mean);
        }
    }
    gpt_pack(&g);
    return g;
}

static Batch oracle_batch(void) {
    const int lengths[] = {12, 5, 9, 1};
    Batch b = batch_new(4, 27, 1);
    for (int r = 0; r < 4; r++) {
        int row[12];
        for (int j = 0, i = b.n_tokens; j < lengths[r]; j++, i++) {
            row[j] = (i * i * 5 + i * 7 + 3) % 13;
        }
        batch_add(&b, row, lengths[r], 0);
    }
    return b;
}

static double oracle_loss(const GPT *g, Acts *a, Batch *b) {
    double loss = 0;
    gpt_forward(g, a, b, b->logp, b->value);
    for (int r = 0; r < b->n_rows; r++) {
        for (int i = b->row[r]; i < b->row[r + 1]; i++) {
            double d = i > b->row[r] ? sin(0.9 * i + 0.2) : 0, e = 0.5 * cos(0.7 * i);
            b->dlogp[i] = (real)d;
            b->dvalue[i] = (real)e;
            loss += d * (double)b->logp[i] + e * (double)b->value[i];
        }
    }
    return loss;
}

static void test_gpt_against_oracle(void) {
    double tolerance = is_double() ? 1e-10 : 1e-4;
    GPT g = oracle_gpt();
    Acts a = acts_new(&g, 4, g.c.maxT, 1);
    Batch b = oracle_batch();
    near(oracle_loss(&g, &a, &b), ORACLE_L, tolerance, "loss");
    for (int i = 0; i < b.n_tokens; i++) {
        near((double)b.logp[i], ORACLE_LOGP[i], tolerance, "logp of token %d", i);
        near((double)b.value[i], ORACLE_VALUE[i], tolerance, "value at token %d", i);
    }
    gpt_backward(&g, &a, &b, b.dlogp, b.dvalue);
    for (int k = 0; k < N_TENSORS; k++) {
        double squares = 0, waves = 0;
        for (size_t i = 0; i < g.tensor[k].size; i++) {
            double x = (double)g.grads[g.tensor[k].at + i];
            squares += x * x;
            waves += x * cos(0.13 * (double)i + k);
        }
        near(sqrt(squares), ORACLE_GRAD[k][0], tolerance, "norm of the gradient of tensor %d", k);
        near(waves, ORACLE_GRAD[k][1], tolerance, "gradient of tensor %d, weighted", k);
    }
    for (int step = 1; step <= 3; step++) { // the first gradient is still there
        if (step > 1) {
            oracle_loss(&g, &a, &b);
            gpt_backward(&g, &a, &b, b.dlogp, b.dvalue);
        }
        near(adam(&g, 1e-2, 1, step), ORACLE_ADAMW_NORM[step - 1], is_double() ? 1e-6 : 1e-3,
             "gradient norm");
        near(oracle_loss(&g, &a, &b), ORACLE_ADAMW_L[step - 1], is_double() ? 1e-6 : 1e-3,
             "loss after Adam");
    }
}

// Every single parameter: (L(w + h) - L(w - h)) / 2h against the backward pass.
static void test_gpt_gradients(void) {
    if (!is_double()) { return; }
    GPT g = oracle_gpt();
    Acts a = acts_new(&g, 4, g.c.maxT, 1);
    Batch b = oracle_batch();
    oracle_loss(&g, &a, &b);
    gpt_backward(&g, &a, &b, b.dlogp, b.dvalue);
    for (int k = 0; k < N_TENSORS; k++) {
        double worst = 0, largest_grad = 0, h = 1e-5;
        for (size_t i = g.tensor[k].at; i < g.tensor[k].at + g.tensor[k].size; i++) {
            real w = g.params[i];
            g.params[i] = w + (real)h;
            gpt_pack(&g);
            double up = oracle_loss(&g, &a, &b);
            g.params[i] = w - (real)h;
            gpt_pack(&g);
            double down = oracle_loss(&g, &a, &b);
            g.params[i] = w;
            worst = worse(worst, fabs((up - down) / (2 * h) - (double)g.grads[i]));
            largest_grad = fmax(largest_grad, fabs((double)g.grads[i]));
        }
        check(worst <= 1e-6 * largest_grad && largest_grad > 0,
              "gradient of tensor %d: off by %g of %g", k, worst, largest_grad);
    }
}

// One layer alone: loss = sum_i c[i] y[i] with y = layer(x). Checks dx against finite differences.
typedef void LayerForward(real *y, const real *x);
typedef void LayerBackward(real *dx, const real *dy, const real *x);

static void check_layer(const char *name, LayerForward *forward, LayerBackward *backward, int n_in,
                        int n_out) {
    real x[512], y[512], dx[512] = {0}, dy[512];
    Rng r = rng_stream(2, 'l', 0);
    fill(x, 512, &r);
    fill(dy, 512, &r);
    backward(dx, dy, x);
    double worst = 0, h = 1e-5;
    for (int i = 0; i < n_in; i++) {
        double side[2];
        for (int s = 0; s < 2; s++) {
            real kept = x[i];
            x[i] += (real)(s ? -h : h);
            forward(y, x);
            x[i] = kept;
            side[s] = (double)dot(y, dy, n_out);
        }
        worst = worse(worst, fabs((side[0] - side[1]) / (2 * h) - (double)dx[i]));
    }
    check(worst < 1e-7, "%s: gradient off by %g", name, worst);
}

enum { LN_N = 3, LN_C = 10 }; // x holds the input, then w, then b

static void norm_y(real *y, const real *x) {
    real stats[2 * LN_N];
    const real *w = x + LN_N * LN_C;
    layernorm_forward(y, stats, x, w, w + LN_C, LN_N, LN_C);
}

static void norm_dx(real *dx, const real *dy, const real *x) {
    real y[LN_N * LN_C], stats[2 * LN_N];
    const real *w = x + LN_N * LN_C;
    real *dw = dx + LN_N * LN_C;
    layernorm_forward(y, stats, x, w, w + LN_C, LN_N, LN_C);
    layernorm_backward(dx, dw, dw + LN_C, dy, x, w, stats, LN_N, LN_C);
}

static void gelu_y(real *y, const real *x) { gelu_forward(y, x, 100); }

static void gelu_dx(real *dx, const real *dy, const real *x) {
    memcpy(dx, dy, 100 * sizeof *dx);
    gelu_backward(dx, x, 100);
}

enum { LIN_N = 5, LIN_C = 7, LIN_OC = 9 }; // x holds the input, then w, then the bias

static void linear_y(real *y, const real *x) {
    const real *w = x + LIN_N * LIN_C;
    real packed[512];
    pack(packed, transpose(w, LIN_C), LIN_C, LIN_OC);
    linear_forward(y, NULL, x, packed, w + LIN_OC * LIN_C, LIN_N, LIN_C, LIN_OC);
}

static void linear_dx(real *dx, const real *dy, const real *x) {
    real *dw = dx + LIN_N * LIN_C;
    linear_backward(dx, dw, dw + LIN_OC * LIN_C, dy, x, x + LIN_N * LIN_C, LIN_N, LIN_C, LIN_OC);
}

static const int ATT_ROWS[] = {0, 4, 5, 8};
enum { ATT_C = 6 }; // three rows of 4, 1 and 3 tokens, two heads

static void attention_y(real *y, const real *x) {
    real prob[52];
    attention_forward(y, prob, x, ATT_ROWS, 3, ATT_C, 2);
}

static void attention_dx(real *dx, const real *dy, const real *x) {
    real y[8 * ATT_C], prob[52], dprob[16];
    attention_forward(y, prob, x, ATT_ROWS, 3, ATT_C, 2);
    attention_backward(dx, dprob, dy, prob, x, ATT_ROWS, 3, ATT_C, 2);
}

static void test_layers(void) {
    if (is_double()) {
        check_layer("layernorm", norm_y, norm_dx, LN_N * LN_C + 2 * LN_C, LN_N * LN_C);
        check_layer("gelu", gelu_y, gelu_dx, 100, 100);
        check_layer("linear", linear_y, linear_dx, LIN_N * LIN_C + LIN_OC * (LIN_C + 1),
                    LIN_N * LIN_OC);
        check_layer("attention", attention_y, attention_dx, 8 * 3 * ATT_C, 8 * ATT_C);
    }
}

// A row's numbers are the same bits alone, or in another place of a batch.
static void test_row_alone(void) {
    GPT g = gpt_new((Config){40, 50, 2, 3, 48, 50}, 0, 0);
    gpt_init(&g, 5);
    Acts a = acts_new(&g, 9, 40, 0);
    Batch all = batch_new(9, 360, 1), one = batch_new(1, 40, 1);
    Rng r = rng_stream(3, 'r', 0);
    for (int k = 0; k < 9; k++) {
        int row[40], n = 2 + rng_below(&r, 39);
        for (int i = 0; i < n; i++) { row[i] = rng_below(&r, 50); }
        batch_add(&all, row, n, 1);
    }
    gpt_forward(&g, &a, &all, all.logp, NULL);
    for (int k = 0; k < 9; k++) {
        int n = all.row[k + 1] - all.row[k];
        batch_clear(&one);
        batch_add(&one, all.token + all.row[k], n, 1);
        gpt_forward(&g, &a, &one, one.logp, NULL);
        check(!memcmp(one.logp, all.logp + all.row[k], (size_t)n * sizeof(real)),
              "row %d has other bits alone", k);
    }
}

// --- the sampler ---------------------------------------------------------------------------------

// A model whose distributions are far from uniform, so that a wrong one shows.
static GPT sharp_gpt(Config c) {
    GPT g = gpt_new(c, 0, 1);
    gpt_init(&g, 7);
    for (size_t i = 0; i < g.n_params; i++) { g.params[i] *= g.params[i] == 1 ? 1 : 8; }
    gpt_pack(&g);
    return g;
}

// More rows than slots, prompts of different lengths, an end-of-text: logp as the forward pass has
// it.
static void test_sampler_logp(void) {
    GPT g = sharp_gpt((Config){33, 40, 2, 3, 24, 40});
    Batch prompts = batch_new(30, 300, 1), out = batch_new(180, 180 * 33, 1);
    Rng r = rng_stream(4, 's', 0);
    for (int k = 0; k < 30; k++) {
        int row[10], n = 1 + rng_below(&r, 10);
        for (int i = 0; i < n; i++) { row[i] = rng_below(&r, 40); }
        batch_add(&prompts, row, n, n);
    }
    Acts s = sampler_new(g.c, 180, 33);
    Sampling how = {.T = 33, .eot = 3, .temperature = 1, .seed = 9};
    rollout(&g, &s, &prompts, 6, &how, &out);
    Acts a = acts_new(&g, 180, 33, 0);
    real *logp = alloc(180 * 33, sizeof(real), "test");
    gpt_forward(&g, &a, &out, logp, NULL);
    double worst = 0;
    int ended = 0;
    for (int k = 0; k < out.n_rows; k++) {
        int last = out.row[k + 1] - 1, n = last + 1 - out.row[k];
        const int *prompt = prompts.token + prompts.row[k / 6];
        check(!memcmp(prompt, out.token + out.row[k],
                      (size_t)(out.start[k] - out.row[k]) * sizeof(int)),
              "row %d keeps its prompt", k);
        check(out.token[last] == 3 || n == 33, "row %d ends at end-of-text or the context", k);
        ended += out.token[last] == 3;
        for (int i = out.start[k]; i <= last; i++) {
            worst = worse(worst, fabs((double)(logp[i] - out.logp[i])));
            check(i == last || out.token[i] != 3, "row %d goes on after end-of-text", k);
        }
    }
    check(worst < 1e-5, "the sampler's log-probabilities are off by %g", worst);
    check(ended > 10 && ended < 180, "some rows end early: %d", ended);
}

// Frequencies of the first two tokens against exact probabilities. For 24 free cells the statistic
// passes 60 by chance once in ten thousand seeds.
static void test_sampler_frequencies(void) {
    enum { V = 5, ROWS = 20000 };
    GPT g = sharp_gpt((Config){3, V, 1, 2, 8, V});
    Acts s = sampler_new(g.c, ROWS, 3);
    Batch prompt = batch_new(1, 1, 1), out = batch_new(ROWS, 3 * ROWS, 1),
          exact = batch_new(V * V, 3 * V * V, 1);
    Acts a = acts_new(&g, V * V, 3, 0);
    batch_add(&prompt, (int[]){0}, 1, 1);
    for (int i = 0; i < V * V; i++) { batch_add(&exact, (int[]){0, i / V, i % V}, 3, 1); }
    gpt_forward(&g, &a, &exact, exact.logp, NULL);
    const double temperatures[] = {1, 0.7};
    for (int k = 0; k < 2; k++) {
        double p[V * V], first[V] = {0}, chi2 = 0, sharp = 1 / temperatures[k];
        int seen[V * V] = {0};
        Sampling how = {.T = 3, .eot = -1, .temperature = temperatures[k], .seed = 11};
        rollout(&g, &s, &prompt, ROWS, &how, &out);
        for (int i = 0; i < ROWS; i++) { seen[out.token[3 * i + 1] * V + out.token[3 * i + 2]]++; }
        for (int i = 0; i < V; i++) { // each step's softmax is sharpened for itself
            double total = 0;
            for (int j = 0; j < V; j++) {
                total += p[i * V + j] = exp(sharp * (double)exact.logp[3 * (i * V + j) + 2]);
            }
            for (int j = 0; j < V; j++) { p[i * V + j] /= total; }
            first[i] = exp(sharp * (double)exact.logp[3 * i * V + 1]);
        }
        double total = first[0] + first[1] + first[2] + first[3] + first[4];
        for (int i = 0; i < V * V; i++) {
            double expected = ROWS * p[i] * first[i / V] / total;
            chi2 += (seen[i] - expected) * (seen[i] - expected) / expected;
        }
        check(chi2 < 60, "chi-square of samples at temperature %g: %g", temperatures[k], chi2);
    }
    Sampling top = {.T = 3, .eot = -1, .temperature = 1, .top_k = 2, .seed = 12};
    int seen[V] = {0}, kinds = 0;
    rollout(&g, &s, &prompt, ROWS, &top, &out);
    for (int i = 0; i < ROWS; i++) { seen[out.token[3 * i + 1]]++; }
    for (int i = 0; i < V; i++) { kinds += seen[i] > 0; }
    check(kinds == 2, "top-k 2 draws %d kinds of tokens", kinds);
    Sampling greedy = {.T = 3, .eot = -1, .temperature = 0, .seed = 13};
    rollout(&g, &s, &prompt, 50, &greedy, &out);
    for (int i = 0; i < V; i++) {
        check((double)out.logp[1] >= (double)exact.logp[3 * i * V + 1] - 1e-5,
              "greedy takes the best");
    }
    check(out.token[3 * 49 + 1] == out.token[1], "greedy is the same for every row");
}

// --- the same bits for any number of threads -----------------------------------------------------

static void set_threads(int n) {
#ifdef _OPENMP
    omp_set_num_threads(n);
#else
    (void)n;
#endif
}

static void test_threads(void) {
    uint64_t print[3];
    int before = threads();
    for (int n = 1; n <= 3; n++) {
        set_threads(n);
        GPT g = gpt_new((Config){24, 60, 2, 4, 64, 60}, 0, 1);
        gpt_init(&g, 3);
        Acts s = sampler_new(g.c, 60, 24);
        Batch start = batch_new(1, 1, 1), out = batch_new(60, 60 * 24, 1);
        Acts a = acts_new(&g, 60, 24, 1);
        batch_add(&start, (int[]){0}, 1, 1);
        Sampling how = {.T = 24, .eot = 1, .temperature = 1, .seed = 2};
        for (int step = 1; step <= 2; step++) {
            rollout(&g, &s, &start, 60, &how, &out);
            gpt_forward(&g, &a, &out, out.logp, NULL);
            loss_tokens(&out, NULL);
            gpt_backward(&g, &a, &out, out.dlogp, NULL);
            adam(&g, 1e-2, 1, step);
        }
        print[n - 1] = fingerprint(g.params, g.n_params * sizeof(real), 0);
        print[n - 1] = fingerprint(out.token, (size_t)out.n_tokens * sizeof(int), print[n - 1]);
    }
    set_threads(before);
    check(print[0] == print[1] && print[1] == print[2], "other bits with other numbers of threads");
}

// --- losses --------------------------------------------------------------------------------------

// The rows dev/oracle.py has: responses of 3, 2, 4 and 3 tokens after one prompt token each. at[i]:
// where the i-th response token is.
static Batch loss_batch(int at[12]) {
    const int lengths[] = {3, 2, 4, 3};
    Batch b = batch_new(4, 16, 4);
    for (int r = 0, i = 0; r < 4; r++) {
        for (int j = 0; j < lengths[r]; j++, i++) {
            at[i] = b.n_tokens + 1 + j;
            b.logp[at[i]] = (real)(-1.5 + 0.4 * sin(1.3 * i));
            b.ref_logp[at[i]] = (real)(-1.4 + 0.3 * cos(0.9 * i));
            b.old_logp[at[i]] = (real)((double)b.logp[at[i]] + 0.3 * sin(2.1 * i));
        }
        batch_add(&b, (int[]){0, 1, 2, 3, 4}, lengths[r] + 1, 1);
    }
    const Pair pairs[] = {{0, 1, 1}, {2, 3, 1}, {2, 1, 1}};
    memcpy(b.pair, pairs, sizeof pairs);
    b.n_pairs = 3;
    const double advantage[] = {0.7, -1.1, 0.4, -0.2};
    for (int r = 0; r < 4; r++) {
        b.reward[r] = advantage[r];
        for (int i = b.start[r]; i < b.row[r + 1]; i++) { b.advantage[i] = (real)advantage[r]; }
    }
    return b;
}

static const Options LOSS_OPTIONS = {.beta = 0.1, .tau = 0.05, .clip = 0.2, .neg = 1};

static const Method *method(const char *name) {
    return &METHODS[find("method", name, METHODS, N_METHODS, sizeof *METHODS)];
}

static double loss_of(const char *name, Batch *b, const Options *o) {
    memset(b->dlogp, 0, (size_t)b->n_tokens * sizeof(real));
    return method(name)->loss(b, o);
}

static void check_loss(const char *name, Options o, double loss, const double *d) {
    int at[12];
    Batch b = loss_batch(at);
    near(loss_of(name, &b, &o), loss, is_double() ? 1e-12 : 1e-5, "%s: the loss", name);
    for (int i = 0; i < 12; i++) {
        near((double)b.dlogp[at[i]], d[i], is_double() ? 1e-12 : 1e-5, "%s: dlogp of token %d",
             name, at[i]);
    }
    for (int r = 0; r < 4; r++) {
        check(b.dlogp[b.row[r]] == 0, "%s: dlogp of the prompt of row %d is not 0", name, r);
    }
}

// dlogp of a loss by finite differences of its value; whether it pushes down, as its row says; and
// that it leaves --neg to the trainer.
static void check_derivatives(const Method *m) {
    int at[12], down = 0;
    Batch b = loss_batch(at);
    real d[16];
    Options o = LOSS_OPTIONS;
    o.push_worst = 0.7;
    loss_of(m->name, &b, &o);
    memcpy(d, b.dlogp, sizeof d);
    double worst = 0, h = 1e-6;
    for (int i = 0; i < 12 && is_double(); i++) {
        real kept = b.logp[at[i]];
        b.logp[at[i]] = kept + (real)h;
        double more = loss_of(m->name, &b, &o);
        b.logp[at[i]] = kept - (real)h;
        double less = loss_of(m->name, &b, &o);
        b.logp[at[i]] = kept;
        worst = worse(worst, fabs((more - less) / (2 * h) - (double)d[at[i]]));
    }
    check(worst < 1e-6, "%s: dlogp is not the loss's derivative: they differ by %g", m->name, worst);
    for (int i = 0; i < b.n_tokens; i++) { down += d[i] > 0; }
    if (m->needs_pairs) {  // a pair with twice the weight counts twice
        double loss = loss_of(m->name, &b, &o);
        for (int p = 0; p < b.n_pairs; p++) { b.pair[p].weight = 2; }
        near(loss_of(m->name, &b, &o), 2 * loss, 1e-4, "%s: the loss of pairs of weight 2", m->name);
        near((double)b.dlogp[at[0]], 2 * (double)d[at[0]], 1e-5, "%s: dlogp of pairs of weight 2",
             m->name);
        for (int p = 0; p < b.n_pairs; p++) { b.pair[p].weight = 1; }
    }
    check((down > 0) == (strcmp(m->negative, "no") != 0), "%s pushes %d tokens down", m->name, down);
    check(down == 0 || !m->imitates || !strcmp(m->name, "bon"),
          "%s imitates, so it pushes nothing down", m->name);
    o.neg = 0;
    loss_and_dlogp(&b, m->loss, &o);
    check(!memcmp(b.dlogp, d, sizeof d), "%s: the loss does not read --neg", m->name);
}

static void test_losses(void) {
    for (int m = 0; m < N_METHODS; m++) { check_derivatives(&METHODS[m]); }
}

static void test_loss_dpo(void) {
    check_loss("dpo", LOSS_OPTIONS, ORACLE_DPO, ORACLE_DPO_D);
    check_derivatives(method("dpo"));
}

static void test_loss_ipo(void) {
    check_loss("ipo", LOSS_OPTIONS, ORACLE_IPO, ORACLE_IPO_D);
    check_derivatives(method("ipo"));
}

static void test_loss_ppo(void) {
    check_loss("ppo", LOSS_OPTIONS, ORACLE_PPO, ORACLE_PPO_D);
    check_derivatives(method("ppo"));
    int at[12], clipped = 0;
    Batch b = loss_batch(at);
    for (int i = 0; i < 12; i++) {  // outside the bounds on the side where nothing is left to gain
        double change = (double)(b.logp[at[i]] - b.old_logp[at[i]]);
        clipped += b.advantage[at[i]] > 0 ? exp(change) > 1.2 : exp(change) < 0.8;
    }
    loss_of("ppo", &b, &LOSS_OPTIONS);
    check(clipped > 0 && clipped < 12, "%d of 12 tokens are clipped", clipped);
    near(b.clip_frac, clipped / 12.0, 1e-12, "ppo: clip_frac");
}

static void test_loss_rwr(void) {
    Options o = LOSS_OPTIONS;
    int at[12];
    o.beta = 1;
    check_loss("rwr", o, ORACLE_RWR, ORACLE_RWR_D);
    check_derivatives(method("rwr"));
    Batch b = loss_batch(at);
    real large = 40;
    for (int i = b.start[2]; i < b.row[3]; i++) { b.advantage[i] = large; }
    loss_of("rwr", &b, &LOSS_OPTIONS);
    check(b.dlogp[b.start[2]] == -5, "rwr's weights are capped");
}

static void test_loss_pref_ft(void) {
    int at[12];
    Batch b = loss_batch(at);
    near(loss_of("pref-ft", &b, &LOSS_OPTIONS),
         -(response_sum(&b, b.logp, 0) + 2 * response_sum(&b, b.logp, 2)) / 3, 1e-6, "pref-ft");
    check_derivatives(method("pref-ft"));
}

static void test_loss_bon(void) {
    int at[12];
    Options o = LOSS_OPTIONS;
    Batch whole = loss_batch(at); // by hand: the best is row 0; responses of 3 tokens
    const real *logp = whole.logp;
    near(loss_of("bon", &whole, &o), -((double)logp[1] + (double)logp[2] + (double)logp[3]), 1e-6,
         "bon");
    check(whole.dlogp[1] == -1 && whole.dlogp[6] == 0, "bon pushes up the best alone");
    check_derivatives(method("bon"));
    // --push-worst: of one group, row 0 is the best and row 1 the worst; of two groups 0, 2 and 1, 3
    for (int group = 4; group >= 2; group -= 2) {
        Batch b = loss_batch(at);
        b.group = group;
        o.push_worst = 0.3;
        double weight = group / 4.0, loss = 0;
        for (int r = 0; r < 4; r++) {
            double d = r == 0 || (r == 2 && group == 2)   ? -weight
                       : r == 1 || (r == 3 && group == 2) ? 0.3 * weight
                                                          : 0;
            loss += d * response_sum(&b, b.logp, r);
        }
        near(loss_of("bon", &b, &o), loss, is_double() ? 1e-12 : 1e-5, "bon that pushes the worst");
        for (int r = 0; r < 4; r++) {
            double d = r == 0 || (r == 2 && group == 2)   ? -weight
                       : r == 1 || (r == 3 && group == 2) ? 0.3 * weight
                                                          : 0;
            near((double)b.dlogp[b.start[r]], d, 1e-7, "bon's push of row %d", r);
        }
        for (int r = 0; r < 4; r++) { b.reward[r] = 0.5; }
        loss_of("bon", &b, &o);
        near((double)b.dlogp[b.start[0]], -weight, 1e-7, "of equals the first is the best");
        near((double)b.dlogp[b.start[1]], 0, 0, "and none is the worst");
    }
}

static void test_loss_reinforce(void) { check_derivatives(method("reinforce")); }

static void test_first_step(void) {
    int at[12];
    Batch b = loss_batch(at);
    real ppo[16];
    memcpy(b.old_logp, b.logp, 16 * sizeof(real)); // nothing has moved since the collection
    loss_of("ppo", &b, &LOSS_OPTIONS);
    memcpy(ppo, b.dlogp, sizeof ppo);
    loss_of("reinforce", &b, &LOSS_OPTIONS);
    check(!memcmp(ppo, b.dlogp, sizeof ppo) && b.clip_frac == 0, "ppo's first step is reinforce's");
}

// What print_imitation_bound prints of the run's collection; NAN if it prints nothing.
static double imitation_bound(Run *tuning) {
    char *text;
    fflush(stdout);
    size_t before = slurp(in_scratch("output"), &text);
    make_pairs(&tuning->data);
    print_imitation_bound(tuning);
    fflush(stdout);
    slurp(in_scratch("output"), &text);
    double bound = NAN;
    sscanf(text + before, "imitating these samples perfectly would earn %lf\n", &bound);
    return bound;
}

static void test_advantages(void) {
    Batch b = batch_new(6, 12, 3);
    const double reward[] = {1, 2, 6, 4, 4, 4}, loo[] = {-3, -1.5, 4.5, 0, 0, 0};
    const double group[] = {-0.75592895, -0.37796447, 1.13389342, 0, 0, 0};
    for (int r = 0; r < 6; r++) { batch_add(&b, (int[]){0, 60 + r}, 2, 1); }
    memcpy(b.reward, reward, sizeof reward);
    for (int kind = NO_BASELINE; kind <= GROUP_BASELINE; kind++) {
        set_advantages(&b, kind, 0);
        for (int r = 0; r < 6; r++) {
            double expected = kind == NO_BASELINE     ? reward[r]
                              : kind == LEAVE_ONE_OUT ? loo[r]
                                                      : group[r];
            near((double)b.advantage[2 * r + 1], expected, 1e-6, "baseline %s: advantage of row %d",
                 BASELINES[kind], r);
        }
    }
    make_pairs(&b);
    check(b.n_pairs == 3 && b.pair[0].won == 1 && b.pair[0].lost == 0 && b.pair[2].won == 2,
          "pairs");
}

// What print_imitation_bound prints, worked out by hand.
static void test_imitation_bound(void) {
    const double reward[] = {1, 2, 6, 4, 4, 4};
    Batch b = batch_new(6, 12, 3);
    for (int r = 0; r < 6; r++) { batch_add(&b, (int[]){0, 60 + r}, 2, 1); }
    memcpy(b.reward, reward, sizeof reward);
    make_pairs(&b);
    Options o = LOSS_OPTIONS;
    Run tuning = {.o = &o, .world = {.task = &TASKS[0]}, .method = method("bon"), .data = b};
    double r1[6], all = 0;
    for (int r = 0; r < 6; r++) { r1[r] = gold_reward(&tuning.world, &b, r); }
    near(r1[2], exp(-0.64), 1e-12, "R1 of token 62");
    near(imitation_bound(&tuning), (r1[2] + r1[3]) / 2, 6e-5, "what imitation of the best earns");
    tuning.method = method("sft");
    for (int r = 0; r < 6; r++) { all += r1[r] / 6; }
    near(imitation_bound(&tuning), all, 6e-5, "what imitation of all earns");
    tuning.method = method("pref-ft");  // row 2 wins two pairs, row 1 one
    tuning.data.n_pairs = 0;
    near(imitation_bound(&tuning), (r1[1] + 2 * r1[2]) / 3, 6e-5,
         "what imitation of winners earns");
    for (int r = 0; r < 6; r++) { tuning.data.reward[r] = 1; }
    check(isnan(imitation_bound(&tuning)), "without pairs there is nothing to imitate");
}

// The reward model's loss, against dev/oracle.py; below, the value head's, and GAE.
static void test_loss_bradley_terry(void) {
    double tolerance = is_double() ? 1e-12 : 1e-6;
    const double score[] = {0.3, -0.2, 1.1, 0.9};
    Options o = LOSS_OPTIONS;
    int at[12];
    Batch b = loss_batch(at);
    for (int r = 0; r < 4; r++) { b.value[b.row[r + 1] - 1] = (real)score[r]; }
    near(loss_and_dlogp(&b, loss_bradley_terry, &o), ORACLE_BT, tolerance, "Bradley-Terry");
    for (int r = 0; r < 4; r++) {
        near((double)b.dvalue[b.row[r + 1] - 1], ORACLE_BT_D[r], tolerance,
             "Bradley-Terry: dvalue of row %d", r);
    }
}

static void test_gae(void) {
    double tolerance = is_double() ? 1e-12 : 1e-6, mean = 0, std = 0;
    // one response of 5 tokens: reward 1 at its end, and 0.2 for straying from the reference at 3
    Batch b = batch_new(1, 6, 1);
    batch_add(&b, (int[6]){0}, 6, 1);
    const double value[] = {0.5, 0.4, 0.6, 0.3, 0.8};
    for (int t = 0; t < 5; t++) { b.old_value[t] = (real)value[t]; }
    b.old_logp[3] = -1;
    b.ref_logp[3] = (real)-0.8;
    b.reward[0] = 1;
    set_advantages_gae(&b, 0.95, 1);
    for (int t = 0; t < 5; t++) { mean += ORACLE_GAE[t] / 5; }
    for (int t = 0; t < 5; t++) { std += pow(ORACLE_GAE[t] - mean, 2) / 5; }
    for (int t = 0; t < 5; t++) {
        near((double)b.returns[t + 1], ORACLE_RETURNS[t], tolerance, "returns");
        near((double)b.advantage[t + 1], (ORACLE_GAE[t] - mean) / sqrt(std), 1e-6, "GAE");
    }
}

static void test_value_loss(void) {
    double tolerance = is_double() ? 1e-12 : 1e-6;
    Batch b = batch_new(1, 6, 1);
    const struct {
        double v, old, target;
    } cases[] = {{0.5, 0.4, 1}, {0.9, 0.4, 0}, {-0.1, 0.4, 0.3}, {0.9, 0.4, 1}};
    for (int k = 0; k < 2; k++) { // the first three, then the last, where the clip is the larger
        batch_clear(&b);
        batch_add(&b, (int[4]){0}, k ? 2 : 4, 1);
        for (int t = 0; t < (k ? 1 : 3); t++) {
            b.value[t] = (real)cases[3 * k + t].v;
            b.old_value[t] = (real)cases[3 * k + t].old;
            b.returns[t + 1] = (real)cases[3 * k + t].target;
        }
        near(loss_value(&b) / 0.1, k ? ORACLE_VLOSS_CUT : 3 * ORACLE_VLOSS, tolerance, "value");
        for (int t = 0; t < (k ? 1 : 3); t++) {
            near((double)b.dvalue[t] / 0.1, k ? ORACLE_VLOSS_CUT_D[t] : 3 * ORACLE_VLOSS_D[t],
                 10 * tolerance, "dvalue");
        }
    }
}

// A policy one can enumerate: 4 tokens, responses of 2, so 16 responses; logits (4) of the first
// token and (4, 4) of the second given the first.
enum { WAYS = 16, LOGITS = 20 };

static void table_policy(const double *logit, double log_first[4], double log_second[4][4]) {
    for (int k = 0; k < 5; k++) {
        double *out = k ? log_second[k - 1] : log_first, total = 0;
        for (int i = 0; i < 4; i++) { total += exp(logit[4 * k + i]); }
        for (int i = 0; i < 4; i++) { out[i] = logit[4 * k + i] - log(total); }
    }
}

// d += weight * gradient of log pi(first token a) and log pi(second token b | a) on the logits
static void table_gradient(const double *logit, int a, int b, double wa, double wb, double *d) {
    double first[4], second[4][4];
    table_policy(logit, first, second);
    for (int i = 0; i < 4; i++) {
        d[i] += wa * ((i == a) - exp(first[i]));
        d[4 + 4 * a + i] += wb * ((i == b) - exp(second[a][i]));
    }
}

static void table_logits(double *logit) {
    for (int i = 0; i < LOGITS; i++) { logit[i] = sin(2.3 * i + 0.4); }
}

static double table_reward(int way) { return cos(1.7 * way) + 0.1 * way; }

// REINFORCE's estimate for every possible group of two responses, weighted by its probability, is
// the gradient of the expected reward: for no baseline and for the mean of the others.
static void test_unbiased(void) {
    double logit[LOGITS], first[4], second[4][4], exact[LOGITS] = {0};
    table_logits(logit);
    table_policy(logit, first, second);
    for (int y = 0; y < WAYS; y++) {
        double p = exp(first[y / 4] + second[y / 4][y % 4]), w = -p * table_reward(y);
        table_gradient(logit, y / 4, y % 4, w, w, exact);
    }
    Options o = LOSS_OPTIONS;
    for (int kind = NO_BASELINE; kind <= LEAVE_ONE_OUT; kind++) {
        double estimate[LOGITS] = {0}, worst = 0;
        for (int pair = 0; pair < WAYS * WAYS; pair++) {
            int way[] = {pair / WAYS, pair % WAYS};
            double p = 1;
            Batch b = {0};
            static Batch kept;
            kept = kept.row ? kept : batch_new(2, 6, 2);
            b = kept;
            for (int r = 0; r < 2; r++) {
                batch_add(&b, (int[]){0, way[r] / 4, way[r] % 4}, 3, 1);
                b.reward[r] = table_reward(way[r]);
                p *= exp(first[way[r] / 4] + second[way[r] / 4][way[r] % 4]);
            }
            set_advantages(&b, kind, 0);
            loss_of("reinforce", &b, &o);
            for (int r = 0; r < 2; r++) {
                table_gradient(logit, way[r] / 4, way[r] % 4, p * (double)b.dlogp[3 * r + 1],
                               p * (double)b.dlogp[3 * r + 2], estimate);
            }
        }
        for (int i = 0; i < LOGITS; i++) { worst = worse(worst, fabs(estimate[i] - exact[i])); }
        check(worst < (is_double() ? 1e-14 : 1e-6), "%s: biased by %g", BASELINES[kind], worst);
    }
}

// DPO on all pairs of the 16 responses, weighted by the Bradley-Terry probabilities of their
// rewards, ends at pi_ref exp(r / beta) / Z.
static void test_dpo_optimum(void) {
    double ref[LOGITS], logit[LOGITS], first[4], second[4][4], best[WAYS], total = 0, worst = 0;
    Options o = LOSS_OPTIONS;
    o.beta = 0.5;
    table_logits(ref);
    table_policy(ref, first, second);
    memcpy(logit, ref, sizeof ref);
    Batch b = batch_new(WAYS, 3 * WAYS, 2 * WAYS);
    for (int y = 0; y < WAYS; y++) {
        batch_add(&b, (int[]){0, y / 4, y % 4}, 3, 1);
        b.ref_logp[3 * y + 1] = (real)first[y / 4];
        b.ref_logp[3 * y + 2] = (real)second[y / 4][y % 4];
        total += best[y] = exp(first[y / 4] + second[y / 4][y % 4] + table_reward(y) / o.beta);
    }
    for (int i = 0; i < WAYS; i++) { // both orders of each pair, each with its probability
        for (int j = 0; j < WAYS; j++) {
            double p = exp(log_sigmoid(table_reward(i) - table_reward(j)));
            if (i != j) { b.pair[b.n_pairs++] = (Pair){i, j, p}; }
        }
    }
    for (int step = 0; step < (is_double() ? 60000 : 5000); step++) {
        double d[LOGITS] = {0};
        table_policy(logit, first, second);
        for (int y = 0; y < WAYS; y++) {
            b.logp[3 * y + 1] = (real)first[y / 4];
            b.logp[3 * y + 2] = (real)second[y / 4][y % 4];
        }
        loss_of("dpo", &b, &o);
        for (int y = 0; y < WAYS; y++) {
            table_gradient(logit, y / 4, y % 4, (double)b.dlogp[3 * y + 1],
                           (double)b.dlogp[3 * y + 2], d);
        }
        for (int i = 0; i < LOGITS; i++) { logit[i] -= 20 * d[i]; }
    }
    table_policy(logit, first, second);
    for (int y = 0; y < WAYS; y++) {
        worst = worse(worst, fabs(exp(first[y / 4] + second[y / 4][y % 4]) - best[y] / total));
    }
    check(worst < (is_double() ? 1e-8 : 1e-3), "dpo's optimum is missed by %g", worst);
}

// IPO on all pairs of a ranked group of N ends at h_i = (wins_i - losses_i) / (2 tau N).
static void test_ipo_optimum(void) {
    enum { N = 5 };
    Options o = LOSS_OPTIONS;
    Batch b = batch_new(N, 2 * N, N);
    for (int r = 0; r < N; r++) {
        batch_add(&b, (int[]){0, 1}, 2, 1);
        b.reward[r] = (r * 3) % N;
    }
    make_pairs(&b);
    for (int step = 0; step < 2000; step++) {
        loss_of("ipo", &b, &o);
        for (int r = 0; r < N; r++) { b.logp[2 * r + 1] -= b.dlogp[2 * r + 1]; }
    }
    for (int r = 0; r < N; r++) {
        double wins = b.reward[r], losses = N - 1 - wins;
        near(logratio(&b, r), (wins - losses) / (2 * o.tau * N), 1e-4, "ipo's optimum");
    }
}

// The KL of samples, as evaluation estimates it, against its exact value: 4 tokens, responses of 2.
static void test_kl_estimate(void) {
    Config c = {3, 4, 1, 1, 8, 4};
    GPT g[2];
    for (int k = 0; k < 2; k++) {
        g[k] = gpt_new(c, 0, 0);
        gpt_init(&g[k], (uint64_t)k + 5);
        for (size_t i = 0; i < g[k].tensor[WTE].size; i++) { g[k].params[i] *= 20; }
        gpt_pack(&g[k]);
    }
    Batch b = batch_new(20000, 60000, 1), prompt = batch_new(1, 1, 1);
    Acts a = acts_new(&g[0], 64, 3, 0);
    for (int y = 0; y < WAYS; y++) { batch_add(&b, (int[]){1, y / 4, y % 4}, 3, 1); }
    gpt_forward(&g[0], &a, &b, b.logp, NULL);
    gpt_forward(&g[1], &a, &b, b.ref_logp, NULL);
    double exact = 0, squares = 0, estimate = 0, n = 20000;
    for (int y = 0; y < WAYS; y++) {
        double p = exp(response_sum(&b, b.logp, y)), h = logratio(&b, y);
        exact += p * h;
        squares += p * h * h;
    }
    batch_add(&prompt, (int[]){1}, 1, 1);
    Acts s = sampler_new(c, (int)n, 3);
    Sampling how = {.T = 3, .eot = -1, .temperature = 1, .seed = 3};
    rollout(&g[0], &s, &prompt, (int)n, &how, &b);
    gpt_forward(&g[0], &a, &b, b.logp, NULL);
    gpt_forward(&g[1], &a, &b, b.ref_logp, NULL);
    for (int r = 0; r < b.n_rows; r++) { estimate += logratio(&b, r) / n; }
    double error = sqrt((squares - exact * exact) / n);
    check(exact > 0.02, "the two policies differ: KL %g", exact);
    check(fabs(estimate - exact) < 4 * error, "KL %g, its estimate %g +- %g", exact, estimate,
          error);
}

// --- tasks, and section 11 -----------------------------------------------------------------------

// The truth about one response, whatever it answers.
static double truth_of(const World *w, int *token, int n) {
    Batch b = {.n_rows = 1, .row = (int[]){0, n}, .start = (int[]){0}, .token = token};
    return gold_reward(w, &b, 0);
}

static void test_bandit(void) {
    double p[BANDIT_TOKENS], total = 0, r[2] = {0}, entropy = 0;
    bandit_data(p);
    for (int i = 0; i < BANDIT_TOKENS; i++) {
        total += p[i];
        entropy -= 9 * p[i] * log(p[i]);
        for (int k = 0; k < 2; k++) { r[k] += p[i] * truth_of(&(World){.task = &TASKS[k]}, &i, 1); }
    }
    near(total, 1, 1e-12, "the bandit's data sums to 1");
    near(p[16], 0.0268, 5e-5, "p of token 16");
    near(p[0], 0.078, 5e-4, "p of token 0");
    near(p[99], 0.042, 5e-4, "p of token 99");
    near(r[0], 0.0390, 5e-5, "E[R1] under the data");
    near(r[1], 0.3772, 5e-5, "E[R2] under the data");
    near(entropy, 37.06, 5e-3, "entropy of 9 tokens");
    near(truth_of(&(World){.task = &TASKS[0]}, (int[]){70, 60, 90}, 3), (1 + exp(-1) + exp(-4)) / 3,
         1e-12, "R1");
    int seen[BANDIT_TOKENS] = {0}, n = 40000;
    Batch b = batch_new(1, 10, 1);
    Rng rng = rng_stream(1, 't', 0);
    for (int i = 0; i < n / 8; i++) {
        batch_clear(&b);
        batch_add_bandit(&b, p, 8, &rng);
        for (int j = 1; j <= 8; j++) { seen[b.token[j]]++; }
    }
    double chi2 = 0;
    for (int i = 0; i < BANDIT_TOKENS; i++) { chi2 += pow(seen[i] - n * p[i], 2) / (n * p[i]); }
    check(chi2 < 160, "chi-square of the bandit's data, 99 degrees: %g", chi2);
}

static void test_kl_gradients(void) {
    double q[BINS], t[BINS], logit[BINS], p[BINS], d[BINS], h = 1e-6;
    bump(q, 5, 2, 0.1);
    bump(t, 12, 3, 0.2);
    for (int reverse = 0; reverse < 2; reverse++) {
        for (int i = 0; i < BINS; i++) { logit[i] = log(q[i]); }
        softmax_of(logit, p);
        kl_gradient(p, t, kl_divergence(p, t), reverse, d);
        for (int i = 0; i < BINS; i++) {
            double side[2];
            for (int k = 0; k < 2; k++) {
                double kept = logit[i];
                logit[i] += k ? -h : h;
                softmax_of(logit, p);
                side[k] = reverse ? kl_divergence(p, t) : kl_divergence(t, p);
                logit[i] = kept;
            }
            near((side[0] - side[1]) / (2 * h), d[i], 1e-8, "gradient of the KL");
        }
    }
}

// The truth about stories depends on their lengths.
static void test_story_tasks(void) {
    const Task *tasks[] = {&TASKS[2], &TASKS[3], &TASKS[4]};
    Options o = {.data = "tinystories_tok.bin", .model = "the test's model"};
    World w = world_new(
        tasks[0], &o,
        &(GPT){.c = {128, 1536, 1, 1, 1, 1536}, .tokenizer = tokenizer_of_file(o.data).print});
    int *y = alloc(200, sizeof(int), "a response"), count[128] = {0}, most = 0, prompts = 0;
    check(w.longest == 103 && w.mode >= 40 && w.mode <= 60, "mode %g, longest %d", w.mode,
          w.longest);
    for (int r = 0; r < w.train.n_rows; r++) {  // a row is the start token and a story
        int begin = w.train.row[r] + 1, n = w.train.row[r + 1] - begin;
        int prompt = prompt_length(&w.t, w.train.token + begin, n);
        check(w.train.start[r] == begin + prompt, "story %d: its response follows its prompt", r);
        count[n - prompt]++;
    }
    for (int l = 5; l < 99; l++) { // the mode is where a window of 9 holds most
        int near_l = 0;
        for (int i = l - 4; i <= l + 4; i++) { near_l += count[i]; }
        if (near_l > most) {
            most = near_l;
            prompts = l;
        }
    }
    check(w.mode == prompts, "the mode of lengths is %d, not %g", prompts, w.mode);
    double rows = 0, total = 0, squares = 0;  // the width is twice the standard deviation
    for (int l = 1; l < 128; l++) {
        rows += count[l];
        total += count[l] * l;
        squares += count[l] * (double)l * l;
    }
    near(w.width, 2 * sqrt((squares - total * total / rows) / (rows - 1)), 1e-9, "mode's width");
    for (int l = 1; l <= 120; l++) {
        double expected[] = {l <= 103 ? 1 - (l - 1) / 102.0 : 0, l <= 103 ? exp(-pow((l - w.mode) / w.width, 2)) : 0,
                             l <= 103 ? 1 - (l - 1) / 102.0 : 0};
        for (int k = 0; k < 3; k++) {
            w.task = tasks[k];
            y[l - 1] = w.t.eot;
            near(truth_of(&w, y, l), expected[k], 1e-12, w.task->name);
            y[l - 1] = 1;
            check(truth_of(&w, y, l) == 0, "a response that was cut earns nothing");
        }
    }
    Rng r = rng_stream(1, 'p', 0);
    Batch b = batch_new(500, 500 * MAX_PROMPT, 1);
    for (int i = 0; i < 500; i++) { batch_add_prompt(&b, &w, &w.val, &r); }
    for (int i = 0; i < 500; i++) {
        char *text = tokens_text(&w.t, b.token + b.row[i], b.row[i + 1] - b.row[i]);
        size_t n = strcspn(text, ".!?");
        check(b.token[b.row[i]] == w.t.eot && text[n] && strlen(text) <= n + 2,
              "a prompt is one sentence: '%s'", text);
        free(text);
    }
}

// --- files ---------------------------------------------------------------------------------------

// Run `pref` (or run.program) with these words (split at blanks; in quotes they stay together);
// returns the exit status, or 100 + the signal. Its standard output and error are left in files of
// the scratch folder.
static int cli(const char *line) {
    char words[4096], *runner = getenv("RUNNER"), *argv[64] = {runner};
    int argc = runner != NULL, quoted = 0, inside = 0;
    argv[argc++] = (char *)(run.program ? run.program : run.self);
    if (!run.program) { argv[argc++] = "--cli"; }
    snprintf(words, sizeof words, "%s", line);
    for (char *p = words; *p; p++) {
        if (*p == '\'') {
            quoted = !quoted;
            if (quoted) { argv[argc++] = p + 1; }
            *p = 0;
        } else if (*p == ' ' && !quoted) {
            *p = 0;
            inside = 0;
            continue;
        } else if (!inside && !quoted) {
            argv[argc++] = p;
        }
        inside = 1;
    }
    argv[argc] = NULL;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (!freopen(in_scratch("stdout"), "w", stdout)
            || !freopen(in_scratch("stderr"), "w", stderr)) {
            _exit(99);
        }
        execvp(argv[0], argv);
        _exit(98);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

// Returns what follows the first line of standard error if that line is a note that the method is
// meant for other data than this build has. Such a note is no failure; any other is.
static char *after_misfit(char *error) {
    char *end = strchr(error, '\n'), *at = strstr(error, " is meant for ");
    return !strncmp(error, "note: ", 6) && at && end && at < end ? end + 1 : error;
}

// Returns how many lines a text has.
static int count_lines(const char *text) {
    int n = 0;
    for (; *text; text++) { n += *text == '\n'; }
    return n;
}

// The command must end with this status and one line on stderr that begins so and has these words.
static void ends(int status, const char *begin, const char *words, const char *format,
                 va_list args) {
    char line[4096], said[2048], *error;
    vsnprintf(line, sizeof line, format, args);
    int got = cli(line);
    slurp(in_scratch("stderr"), &error);
    error = after_misfit(error);
    snprintf(said, sizeof said, ": %s %.900s: status %d (expected %d), said: %.900s",
             run.program ? run.program : "pref", line, got, status, error);
    check_text(got == status && count_lines(error) == 1 && strstr(error, words)
                   && !strncmp(error, begin, strlen(begin)),
               words, said);
}

static void fails(int status, const char *words, const char *format, ...) {
    va_list args;
    va_start(args, format);
    char prefix[64];  // the program's name
    snprintf(prefix, sizeof prefix, "%s: ", run.program ? run.program + 2 : "pref");
    ends(status, prefix, words, format, args);
    va_end(args);
}

// The command must succeed, with a note on stderr that has these words.
static void notes(const char *words, const char *format, ...) {
    va_list args;
    va_start(args, format);
    ends(0, "note: ", words, format, args);
    va_end(args);
}

// The command must succeed and say nothing on stderr.
static void works(const char *format, ...) {
    char line[4096], *error;
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    int got = cli(line);
    slurp(in_scratch("stderr"), &error);
    error = after_misfit(error);
    char said[2048];
    snprintf(said, sizeof said, ": %s %.900s: status %d, said: %.900s",
             run.program ? run.program : "pref", line, got, error);
    check_text(got == 0 && !*error, format, said);
}

static void test_checkpoint(void) {
    const char *path = in_scratch("model.bin"), *bad = in_scratch("bad.bin");
    for (int head = 0; head < 2; head++) {
        GPT g = gpt_new((Config){16, 20, 2, 2, 8, 24}, head, 0);
        Rng r = rng_stream(5, 'c', 0);
        for (size_t i = 0; i < g.n_params; i++) { g.params[i] = (real)(float)rng_normal(&r); }
        gpt_save(&g, path);
        GPT h = gpt_load(path);
        check(h.has_head == head && h.n_params == g.n_params && !memcmp(&g.c, &h.c, sizeof g.c)
                  && !memcmp(g.params, h.params, g.n_params * sizeof(real)),
              "checkpoint round trip");
    }
    char *data;
    size_t n = slurp(path, &data);
    int32_t *header = (int32_t *)(void *)data;
    check(header[0] == 20240326 && header[1] == 3 && header[2] == 16 && header[3] == 20
              && header[4] == 2 && header[5] == 2 && header[6] == 8 && header[7] == 24,
          "llm.c's header");
    const size_t cuts[] = {0, 3, 100, 1023, 1024, n / 2, n - 1};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        spill(bad, data, cuts[i]);
        fails(1, "bad.bin", "info %s", bad);
    }
    spill(bad, data, n + 1);
    fails(1, "header promises", "info %s", bad);
    const struct {
        int at;
        int32_t value;
        const char *says;
    } wrong[] = {{0, 20240327, "no model"},  {1, 5, "not a model"},      {2, -1, "impossible"},
                 {2, 1 << 30, "impossible"}, {3, 0, "impossible"},       {3, 1 << 30, "impossible"},
                 {4, 0, "impossible"},       {4, INT_MAX, "impossible"}, {5, 3, "impossible"},
                 {5, -8, "impossible"},      {6, INT_MAX, "impossible"}, {6, 16, "promises"},
                 {7, 19, "impossible"},      {4, 60000, "promises"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int32_t kept = header[wrong[i].at];
        header[wrong[i].at] = wrong[i].value;
        spill(bad, data, n);
        fails(1, wrong[i].says, "info %s", bad);
        header[wrong[i].at] = kept;
    }
    float nan_ = NAN;
    memcpy(data + n - 40, &nan_, 4);
    spill(bad, data, n);
    fails(1, "not finite", "info %s", bad);
}

static void test_tokenizer(void) {
    Tokenizer t;
    Batch train, val;
    stories_load("tinystories_tok.bin", &t, &train, &val);
    check(t.V == 1536 && t.eot == 1535, "1536 tokens, the last of them end-of-text");
    Rng r = rng_stream(6, 't', 0);
    const char *letters = "aaeeehhtt  nn.,!?\"'12\n\tTLx\xc3\xa9";
    for (int k = 0; k < 2000; k++) { // arbitrary bytes, and text-like ones
        char text[200], back[200];
        int id[200], apart[200], n = 1 + rng_below(&r, 199), m = 0;
        for (int i = 0; i < n; i++) {
            text[i]
                = (char)(k % 2 ? rng_below(&r, 256) : letters[rng_below(&r, (int)strlen(letters))]);
        }
        int count = encode(&t, text, n, id);
        for (int i = 0; i < count; i++) {
            int length = t.at[id[i] + 1] - t.at[id[i]];
            check(id[i] != t.eot && m + length <= n, "encoding is of the same length");
            memcpy(back + m, t.bytes + t.at[id[i]], (size_t)length);
            m += length;
        }
        check(m == n && !memcmp(back, text, (size_t)n), "decode(encode(text)) is text");
        int edge = piece_length(text, n);
        int first = encode(&t, text, edge, apart);
        int rest = encode(&t, text + edge, n - edge, apart + first);
        check(first + rest == count && !memcmp(apart, id, (size_t)count * sizeof(int)),
              "encoding in two parts");
    }
    const char *ab = "abc"
                     "ab"
                     "bc"
                     "abc"; // tokens a, b, c, ab, bc, abc: ab has the lower id
    int at[] = {0, 1, 2, 3, 5, 7, 10}, got[8];
    Tokenizer small = {.V = 6, .eot = -1, .bytes = (char *)ab, .at = at};
    tokenizer_index(&small);
    check(encode(&small, "abc", 3, got) == 1 && got[0] == 5, "abc is a token");
    check(encode(&small, "bcab", 4, got) == 2 && got[0] == 4 && got[1] == 3, "bc ab");
    check(encode(&small, "ababc", 5, got) == 2 && got[0] == 3 && got[1] == 5, "ab abc");
    check(encode(&small, "aabcc", 5, got) == 3 && got[1] == 5, "a abc c");
    at[6] = 7; // without abc: the lowest id merges first, so ab c and not a bc
    small.V = 5;
    tokenizer_index(&small);
    check(encode(&small, "abc", 3, got) == 2 && got[0] == 3 && got[1] == 2, "ab c, not a bc");
    check(small.print != 0 && small.print != t.print, "tokenizers have fingerprints");
    const struct {
        const char *text;
        int piece;
    } pieces[] = {{"cat dog", 3},
                  {" cat.", 4},
                  {"  cat", 1},
                  {"12cat", 2},
                  {".\" So", 2},
                  {"\n\n a", 2},
                  {" ", 1},
                  {" 12", 1},
                  {"\xc3\xa9t\xc3\xa9 x", 5},
                  {"\xe7\x8c\xab\xe3\x80\x82\xe7\x8c\xab", 6}};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        check(piece_length(pieces[i].text, (int)strlen(pieces[i].text)) == pieces[i].piece,
              "piece of '%s'", pieces[i].text);
    }
    const struct {
        const char *text;
        const char *prompt;
    } sentences[]
        = {{"A cat sat. It ran.", "A cat sat."},
           {"\"Hi!\" said Tim. Then", "\"Hi!\""},
           {"He said: \"No.\"", "He said: \"No.\""},
           {"\"Is it?\"\" she", "\"Is it?\"\""},
           {"\xe2\x80\x9cHi!\xe2\x80\x9d said Tim", "\xe2\x80\x9cHi!\xe2\x80\x9d"},
           {"Wait. \"So\"", "Wait."},
           {"\xe7\x8c\xab\xe6\x9d\xa5\xe4\xba\x86\xe3\x80\x82\xe4\xba\x86",
            "\xe7\x8c\xab\xe6\x9d\xa5\xe4\xba\x86\xe3\x80\x82"},
           {"\xe7\x8c\xab\xef\xbc\x81\xe3\x80\x8d\xe4\xba\x86",
            "\xe7\x8c\xab\xef\xbc\x81\xe3\x80\x8d"},
           {"\xe7\x8c\xab\xef\xbc\x9f\xe3\x80\x81", "\xe7\x8c\xab\xef\xbc\x9f"},
           {"\xe7\x8c\xab\xe3\x80\x81\xe4\xba\x86", "\xe7\x8c\xab\xe3\x80\x81\xe4\xba\x86"},
           {"No end", "No end"}};
    for (size_t i = 0; i < sizeof sentences / sizeof *sentences; i++) {
        int id[64], n = encode(&t, sentences[i].text, (int)strlen(sentences[i].text), id),
                    bytes = 0;
        id[n] = t.eot;
        for (int j = 0, p = prompt_length(&t, id, n + 1); j < p; j++) {
            bytes += t.at[id[j] + 1] - t.at[id[j]];
        }
        check(bytes == (int)strlen(sentences[i].prompt), "first sentence of '%s'",
              sentences[i].text);
    }
}

// What issue 3 asks of the stories that are shipped.
static void test_stories(void) {
    Tokenizer t;
    Batch train, val;
    stories_load("tinystories_tok.bin", &t, &train, &val);
    int longest_prompt = 0, longest_rest = 0, dogs = 0, cats = 0;
    check(train.n_rows >= 20000 && train.n_tokens - train.n_rows >= 1000000, "enough stories");
    for (int d = 0; d < train.n_rows; d++) {
        const int *story = train.token + train.row[d] + 1;  // without the start token
        int n = train.row[d + 1] - train.row[d] - 1, p = prompt_length(&t, story, n);
        check(story[-1] == t.eot && story[n - 1] == t.eot && train.start[d] == train.row[d] + 1 + p,
              "story %d: a start token, an end, and where its response starts", d);
        longest_prompt = p > longest_prompt ? p : longest_prompt;
        longest_rest = n - p > longest_rest ? n - p : longest_rest;
        char text[1024] = "";
        int m = 0;
        for (int i = 0; i < n - 1; i++) {
            int length = t.at[story[i] + 1] - t.at[story[i]];
            check(story[i] != t.eot, "story %d goes on after its end", d);
            memcpy(text + m, t.bytes + t.at[story[i]], (size_t)length);
            m += length;
        }
        int id[1024], count = encode(&t, text, m, id), same = count == n - 1;
        for (int i = 0; i < count && same; i++) { same = id[i] == story[i]; }
        check(same, "encoding the text of story %d gives its tokens", d);
        int dog = strstr(text, " dog") != NULL, cat = strstr(text, " cat") != NULL;
        check(!dog || !cat, "story %d has a dog and a cat", d);
        dogs += dog;
        cats += cat;
    }
    double share = (double)dogs / (dogs + cats), animals = (double)(dogs + cats) / train.n_rows;
    check(longest_prompt <= 24 && longest_rest <= 103, "longest prompt %d, rest %d", longest_prompt,
          longest_rest);
    check(animals > 0.4 && animals < 0.6 && share > 0.585 && share < 0.615,
          "an animal in %.3f, a dog in %.3f of these", animals, share);
}

static void test_stories_file(void) {
    const char *bad = in_scratch("bad_tok.bin");
    char *data;
    size_t n = slurp("tinystories_tok.bin", &data);
    int32_t *h = (int32_t *)(void *)data;
    const size_t cuts[] = {10, 1000, 1024, 1100, 5000, n / 2, n - 1};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        spill(bad, data, cuts[i]);
        fails(1, "bad_tok.bin", "sft --data %s -o %s", bad, in_scratch("x.bin"));
    }
    const struct {
        int at;
        int32_t value;
        const char *says;
    } wrong[] = {{0, 1, "does not begin"},   {1, 9, "does not begin"}, {2, -5, "impossible"},
                 {2, 1 << 20, "impossible"}, {3, 1536, "impossible"},   {3, -1, "impossible"},
                 {2, 600, "bad_tok.bin"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int32_t kept = h[wrong[i].at];
        h[wrong[i].at] = wrong[i].value;
        spill(bad, data, n);
        fails(1, wrong[i].says, "sft --data %s -o %s", bad, in_scratch("x.bin"));
        h[wrong[i].at] = kept;
    }
    spill(bad, data, n);
    FILE *longer = fopen(bad, "ab");
    fputs("more", longer);
    fclose(longer);
    fails(1, "bytes follow its last block", "sft --data %s -o %s", bad, in_scratch("x.bin"));
    Tokenizer t = tokenizer_of_file("tinystories_tok.bin");
    spill(bad, data, 1024 + (size_t)t.V + (size_t)t.at[t.V]);
    fails(1, "holds no training tokens", "sft --data %s -o %s", bad, in_scratch("x.bin"));
    size_t block = 1024 + (size_t)t.V + (size_t)t.at[t.V]; // where the training tokens start
    memcpy(&h, &(int32_t *){0}, sizeof h);
    const struct {
        size_t at;
        int32_t value;
        const char *says;
    } worse[] = {{block, 3, "no block"},
                 {block + 8, -1, "promises"},
                 {block + 8, INT_MAX, "promises"},
                 {block + 1024, 0x0fff0fff, "vocabulary"}};
    for (size_t i = 0; i < sizeof worse / sizeof *worse; i++) {
        char kept[4];
        memcpy(kept, data + worse[i].at, 4);
        memcpy(data + worse[i].at, &worse[i].value, 4);
        spill(bad, data, n);
        fails(1, worse[i].says, "sft --data %s -o %s", bad, in_scratch("x.bin"));
        memcpy(data + worse[i].at, kept, 4);
    }
    Rng r = rng_stream(8, 'f', 0);
    for (int k = 0; k < 20; k++) { // flip bits in the first blocks: an error or none, no crash
        size_t at = (size_t)rng_below(&r, (int)block + 2000);
        data[at] ^= (char)(1 << rng_below(&r, 8));
        spill(bad, data, n);
        int status = cli("info bad");
        char line[PATH_MAX + 8];
        snprintf(line, sizeof line, "info %s", bad);
        status = cli(line);
        check(status == 0 || status == 1, "a flipped bit at %zu: status %d", at, status);
    }
}

// Splits a copy of a line, which the next call overwrites.
static int split(const char *line, char *field[3]) {
    static char copy[256];
    snprintf(copy, sizeof copy, "%s", line);
    for (int k = 0; k < 3; k++) { field[k] = NULL; }
    return split_fields(copy, field);
}

// Returns a text as write_field writes it, with this character after it, until the next call.
static char *written(const char *text, char end) {
    static char *field;
    static size_t size;
    free(field);
    FILE *f = open_memstream(&field, &size);
    write_field(f, text, end);
    fclose(f);
    check(size == strlen(field), "a field is written without NUL bytes");
    return field;
}

// The fields of a line of tab-separated text: how they are split, written and read back.
static void test_fields(void) {
    char *field[3];
    check(split("a\tbc\t d", field) == 3 && !strcmp(field[0], "a") && !strcmp(field[1], "bc")
              && !strcmp(field[2], " d"), "three fields");
    check(split("", field) == 1 && !*field[0], "an empty line is one empty field");
    check(split("\t\t", field) == 3 && !*field[0] && !*field[1] && !*field[2], "empty fields");
    check(split("1\t2\t3\t4\t5\t6\t7", field) == 7 && !strcmp(field[0], "1")
              && !strcmp(field[2], "3"), "seven fields, of which three are kept");
    check(split("a\\tb\\n\\r\\\\\tc\\\\n", field) == 2 && !strcmp(field[0], "a\tb\n\r\\")
              && !strcmp(field[1], "c\\n"), "escapes: %s, %s", field[0], field[1]);
    const char *bad[] = {"\\", "a\\", "a\tb\\", "\\q",
                         "\\u0041", "\\\tb", "\\N", "\\0", "\\\"", "\\/",
                         "a\\\\\\", "\\\xc3\xa9", "good\t\\ bad", "1\t2\t3\t4\t5\t6\\x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        check(split(bad[i], field) == 0, "taken for good: %s", bad[i]);
    }
    const char *odd[] = {"", "a", "\t", "\n\r\t\\", "\\t", "\\\\n", "a\"b/\x7f\x01", "\r\n", " \t ",
                         "\xc3\xa9\xf0\x9f\x98\x80", "\\", "trailing\\", "n", "tnr"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        char *text = written(odd[i], '\t'), *last = strchr(text, '\t');
        check(last && !last[1] && !strpbrk(text, "\r\n"), "one tab ends a field: %s", text);
        *last = 0;
        check(split(text, field) == 1 && !strcmp(field[0], odd[i]), "what is written is read: %s",
              text);
    }
    char *text = written("\t\n\r\\", '\n');
    check(!strcmp(text, "\\t\\n\\r\\\\\n"), "the four escapes and the end: %s", text);
    Rng r = rng_stream(3, 'j', 0);
    for (int i = 0; i < 20000; i++) {  // any bytes are read back, and a broken line is no crash
        static const char special[] = "\t\n\r\\tnra ";
        char line[64];
        int n = rng_below(&r, 40), good = 1, fields = 1;
        for (int k = 0; k < n; k++) {
            line[k] = rng_below(&r, 2) ? special[rng_below(&r, 9)] : (char)(1 + rng_below(&r, 255));
        }
        line[n] = 0;
        text = written(line, '\t');
        text[strlen(text) - 1] = 0;
        check(split(text, field) == 1 && !strcmp(field[0], line), "random bytes are read back");
        for (int k = 0; k < n && good; k++) {
            fields += line[k] == '\t';
            good = line[k] != '\\' || (line[k + 1] && strchr("tnr\\", line[k + 1]));
            k += line[k] == '\\';
        }
        check(split(line, field) == (good ? fields : 0), "fields of a random line");
    }
    const char *valid[] = {"", "plain", "\x7f", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80",
                           "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80",
                           "\xf4\x8f\xbf\xbf", "a\xc3\xa9z\xe2\x82\xac!"};
    for (size_t i = 0; i < sizeof valid / sizeof *valid; i++) {
        check(utf8_valid(valid[i]), "valid text %d is taken for invalid", (int)i);
    }
    const char *invalid[] = {"\x80", "\xff", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80",
                             "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
                             "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xe2\x82", "\xc3",
                             "\xf0\x9f\x98",
                             "\xc3(", "\xe2\x82(", "\xf0\x9f(\x80", "ok\xbf", "\xfe"};
    for (size_t i = 0; i < sizeof invalid / sizeof *invalid; i++) {
        check(!utf8_valid(invalid[i]), "invalid text %d is taken for valid", (int)i);
    }
}

static void test_commands(void) {
    const char *model = in_scratch("tiny.bin"), *log = in_scratch("log.csv"),
               *ids = in_scratch("ids");
    const char *missing = in_scratch("no/such/file"), *other = in_scratch("other.bin");
    works("sft --steps 1 --batch 4 -L 1 -H 1 -C 8 -o %s --log %s", model, log);
    char *text;
    slurp(log, &text);
    check(!strncmp(text, "step,loss,val_loss,lr,grad_norm,tokens_per_second,seconds\n1,", 60),
          "sft's log");
    works("sample -m %s -p 'Once upon a time' -n 2 --max-len 5", model);
    works("sample -m %s -n 1 --temp 0 --top-k 3", model);
    works("score -m %s --text 'Once upon a time'", model);
    works("info %s", model);
    works("info tinystories_tok.bin");
    works("help");
    works("help sft");
    spill(ids, "1 2 3\n\n511 4\n", 13);
    works("score -m %s --ids %s", model, ids);
    slurp(in_scratch("stdout"), &text);
    double a, b, c;
    check(sscanf(text, "%lf %lf\n%lf", &a, &b, &c) == 3 && a < 0 && b < 0 && c < 0, "score: %s",
          text);
    const struct {
        const char *ids, *says;
    } rows_[] = {{"1 x 3\n", ":1: expected"},
                 {"1 2\n3 -4\n", ":2: expected"},
                 {"1 1536\n", "from 0 to 1535"},
                 {"99999999999999999999\n", ":1: expected"},
                 {"1+2+3\n", ":1: expected"}};
    for (size_t i = 0; i < sizeof rows_ / sizeof *rows_; i++) {
        spill(ids, rows_[i].ids, strlen(rows_[i].ids));
        fails(1, rows_[i].says, "score -m %s --ids %s", model, ids);
    }
    spill(ids, "1 2\0 3\n", 7);
    fails(1, ":1: expected", "score -m %s --ids %s", model, ids);
    char *many = alloc(1000, 1, "test");
    for (int i = 0; i < 129; i++) { memcpy(many + 2 * i, "1 ", 2); }
    spill(ids, many, 258);
    fails(1, "at most 128", "score -m %s --ids %s", model, ids);
    for (int i = 0; i < 200; i++) { memcpy(many + 4 * i, " zqx", 4); }
    fails(1, "room for", "sample -m %s -p '%s'", model, many);
    fails(1, "room for", "score -m %s --text '%s'", model, many);
    fails(2, "unknown command 'smaple'; there are ", "smaple -m x");
    fails(2, "unknown option '--step'; there are --task, -o, --data, --steps, ", "sft --step 3");
    fails(2, "expected a value", "sft --steps");
    fails(2, "help takes no options", "help --steps 3");
    fails(1, "of memory; the machine has",
          sizeof(size_t) > 4 ? "sft -L 1000 -C 65536 -T 2" : "bench -L 64 -H 1 -C 4096 -V 2");
    fails(2, "whole number from 1", "sft --steps 0");
    fails(2, "whole number", "sft --steps 3x");
    fails(2, "whole number", "sft --steps 99999999999999999999");
    fails(2, "whole number", "sft --batch -3");
    fails(2, "a number", "sft --lr nan");
    fails(2, "a number", "sft --lr -1");
    fails(2, "multiple", "sft -C 10 -H 3");
    fails(2, "multiple", "bench -C 10 -H 3");
    fails(2, "unexpected 'x'", "sft x");
    fails(2, "-m MODEL is needed", "sample");
    fails(2, "one of --text and --ids", "score -m %s", model);
    fails(2, "a file is needed", "info");
    fails(2, "unknown command 'nothing'; there are ", "help nothing");
    fails(1, "cannot open", "sample -m %s", missing);
    fails(1, "cannot open", "sft --data %s", missing);
    fails(1, "cannot write", "sft -o %s", missing);
    fails(1, "cannot write", "sft --log %s --steps 1", missing);
    fails(1, "not a regular file", "info %s", run.directory);
    fails(1, "needs", "bench -L 1000 -C 65536 -H 1");
    check(access(missing, F_OK) != 0, "nothing half written");
    GPT g = gpt_new((Config){16, 20, 1, 1, 8, 20}, 0, 0);
    gpt_save(&g, other);
    fails(1, "vocabulary of 20", "sample -m %s", other);
}

// --- the experiments around the mathematics ------------------------------------------------------
// Their policies draw every token independently, from probabilities that the test chooses. So all
// that is measured of them can be worked out again by a few plain sums.

// A model of which every token, whatever comes before, has probability p[token]: the last layer
// layer norm's output is the first unit vector, and so the logits are the first column of wte. If
// it is to learn, the other channels are as at the start of training, and it is so only nearly.
static GPT independent_gpt(Config c, const double *p, int head, int learns) {
    GPT g = gpt_new(c, head, 0);
    if (learns) { gpt_init(&g, 3); }
    param(&g, LNFW, 0)[0] = 0;
    param(&g, LNFB, 0)[0] = 1;
    for (int v = 0; v < c.V; v++) {
        param(&g, WTE, 0)[(size_t)v * c.C] = (real)(p[v] > 0 ? log(p[v]) : -60);
    }
    gpt_pack(&g);
    return g;
}

// The bandit's data as a reference policy that needs no training, in a file.
static const char *bandit_file(const char *name, int len, int learns) {
    double p[BANDIT_TOKENS];
    bandit_data(p);
    Config c = {len + 1, BANDIT_TOKENS, 1, 1, 8, BANDIT_TOKENS};
    if (learns) { c.C = 24; }
    GPT g = independent_gpt(c, p, 0, learns);
    const char *path = in_scratch(name);
    gpt_save(&g, path);
    return path;
}

// A language of six words, with the letters that the encoder needs to make them; " dog" is one
// token.
enum {
    SP_A = 11,
    SP_B = 12,
    SP_CAT = 15,
    SP_DOG = 18,
    STOP_ = 8,
    WORD_A = 9,
    EOT = 19,
    WORDS = 20
};
static const char *const TOKENS[WORDS]
    = {" ",  "a",  "b",  "c",  "d",   "g",    "o",  "t",   ".",    "A",
       "\"", " a", " b", " c", " ca", " cat", " d", " do", " dog", "<|endoftext|>"};
enum { TINY_T = 40, TINY_LONGEST = TINY_T - MAX_PROMPT }; // 15

// A file of that tokenizer (`extra`, if not NULL, for " dog") and 40 stories: "A." or "A a." and
// then lengths[d] times " b".
static const char *tiny_stories(const char *name, const char *extra, const int lengths[10]) {
    const char *path = in_scratch(name);
    FILE *f = fopen(path, "wb");
    int32_t h[256] = {20240328, 2, WORDS, EOT};
    fwrite(h, sizeof h, 1, f);
    for (int i = 0; i < WORDS; i++) {
        const char *s = i == SP_DOG && extra ? extra : TOKENS[i];
        fputc((int)strlen(s), f);
        fputs(s, f);
    }
    for (int part = 0; part < 2; part++) {
        uint16_t token[2000];
        int n = 0;
        for (int d = 0; d < 40; d++) {
            token[n++] = WORD_A;
            if (d % 2) { token[n++] = SP_A; }
            token[n++] = STOP_;
            for (int k = 0; k < lengths[d % 10]; k++) { token[n++] = SP_B; }
            token[n++] = EOT;
        }
        int32_t block[256] = {20240520, 1, n};
        fwrite(block, sizeof block, 1, f);
        fwrite(token, sizeof *token, (size_t)n, f);
    }
    check(fclose(f) == 0, "the tiny data");
    return path;
}

// Such a file in which responses of 4 tokens, end-of-text included, are the commonest.
static const char *tiny_data(const char *name, const char *extra) {
    return tiny_stories(name, extra, (int[]){1, 3, 4, 3, 5, 4, 3, 7, 2, 3});
}

// A story policy that ends a response with probability `end` at each token.
static GPT tiny_gpt(double end, double dog, int learns) {
    double p[WORDS] = {0};
    p[EOT] = end;
    p[SP_DOG] = dog;
    p[SP_CAT] = 0.1;
    p[SP_A] = 0.15;
    p[SP_B] = 1 - end - dog - 0.25;
    return independent_gpt((Config){TINY_T, WORDS, 1, 1, 8, WORDS}, p, 0, learns);
}

static uint32_t tiny_print(const char *data) { return tokenizer_of_file(data).print; }

static const char *tiny_policy(const char *name, const char *data, double end, double dog) {
    GPT g = tiny_gpt(end, dog, name[0] == 'l'); // one that learns has a name with l
    const char *path = in_scratch(name);
    g.tokenizer = tiny_print(data);
    gpt_save(&g, path);
    return path;
}

// A reward model that likes short responses: its head reads a channel that grows with the position
// of a response's last token, with this weight and a minus sign.
static const char *tiny_reward(const char *name, const char *data, double score) {
    double p[WORDS];
    for (int i = 0; i < WORDS; i++) { p[i] = 1.0 / WORDS; }
    GPT g = independent_gpt((Config){TINY_T, WORDS, 1, 1, 8, WORDS}, p, 1, 0);
    for (int i = 0; i < TINY_T; i++) { // longer rows score less: position moves one channel
        param(&g, WPE, 0)[i * 8 + 3] = (real)(0.1 * i);
        param(&g, WPE, 0)[i * 8 + 4] = (real)(1 - 0.05 * i);
    }
    for (int i = 0; i < 8; i++) { param(&g, LNFW, 0)[i] = 1; }
    param(&g, HEADW, 0)[3] = (real)-score;
    param(&g, HEADB, 0)[0] = (real)0.25;
    g.role = REWARD_MODEL;
    g.tokenizer = tiny_print(data);
    const char *path = in_scratch(name);
    gpt_save(&g, path);
    return path;
}

// A file of preference pairs with these lines under its header.
static const char *spill_pairs(const char *name, const char *lines) {
    const char *path = in_scratch(name);
    FILE *f = fopen(path, "wb");
    fputs("prompt\tchosen\trejected\n", f);
    fputs(lines, f);
    check(fclose(f) == 0, "a file of pairs");
    return path;
}

// Reads a file that pref pairs wrote. Returns its lines without the header.
static char *pairs_text(const char *path) {
    static const char header[] = "prompt\tchosen\trejected\tscore_chosen\tscore_rejected\n";
    char *text;
    slurp(path, &text);
    int ok = !strncmp(text, header, sizeof header - 1);
    check(ok, "the header of a file of pairs");
    return text + (ok ? sizeof header - 1 : strlen(text));
}

// Splits the first of some lines of pairs, in place, into the prompt and the two responses and
// their scores, and moves *text beyond it. Returns 0 if there is none.
static int next_pair(char **text, char *part[3], double score[2]) {
    char *field[3] = {0}, *line = *text, *end = strchr(line, '\n');
    if (!end) { return 0; }
    *end = 0;
    *text = end + 1;
    char *second = strrchr(line, '\t'), *first = second - 1;
    while (*first != '\t') { first--; }
    score[0] = strtod(first + 1, NULL);
    score[1] = strtod(second + 1, NULL);
    int n = split_fields(line, field);
    check(n == 5, "a line of pairs has five fields");
    for (int k = 0; k < 3; k++) { part[k] = n == 5 ? field[k] : ""; }
    return 1;
}

// The field of a CSV that stands in this row (0: the first after the header; -1: the last) under
// this name; NAN for an empty one.
static double field(const char *path, int row, const char *name) {
    char *text, *line[512];
    slurp(path, &text);
    int lines = 0, column = 0;
    for (char *p = strtok(text, "\n"); p && lines < 512; p = strtok(NULL, "\n")) {
        line[lines++] = p;
    }
    size_t n = strlen(name);
    char *at = lines ? line[0] : NULL;
    while (at && (strncmp(at, name, n) || (at[n] != ',' && at[n]))) {
        at = strchr(at, ',');
        at += at != NULL;
        column++;
    }
    int r = row < 0 ? lines - 1 : row + 1;
    check(at && r < lines && r > 0, "%s has a column %s and %d rows", path, name, r);
    if (!at || r >= lines || r <= 0) { return NAN; }
    char *p = line[r];
    for (; column > 0 && p; column--) { p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL; }
    return p && *p != ',' && *p ? strtod(p, NULL) : NAN;
}

// What the program prints after these words, as a number.
static double said(const char *text, const char *words) {
    const char *at = strstr(text, words);
    check(at != NULL, "it prints '%s'", words);
    return at ? strtod(at + strlen(words), NULL) : NAN;
}

// Compares a CSV with another but for the column of seconds.
static void same_log(const char *a, const char *b, const char *what) {
    char *x, *y;
    slurp(in_scratch(a), &x);
    slurp(in_scratch(b), &y);
    int same = 1, lines = 0, before = 0;  // the number of columns before the seconds
    const char *seconds = strstr(x, ",seconds");
    check(seconds != NULL, "%s has a column of seconds", a);
    for (const char *p = x; seconds && p <= seconds; p++) { before += *p == ','; }
    const char *p = x, *q = y;
    for (int column = 0; *p; column++) {
        size_t n = strcspn(p, ",\n"), m = strcspn(q, ",\n");
        int equal = n == m && !strncmp(p, q, n);
        same = same && (equal || column == before) && p[n] == q[m];
        if (!same) { break; }
        if (p[n] == '\n') {
            column = -1;
            lines++;
        }
        p += n + (p[n] != 0);
        q += m + (q[m] != 0);
    }
    check(same && lines > 2, "%s: %s and %s differ", what, a, b);
}

static void shell(const char *format, ...) {
    char line[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    check(system(line) == 0, "%s", line);
}

static double last_field(const char *log, int field) {
    char *text, *p;
    size_t n = slurp(in_scratch(log), &text);
    text[n - 1] = 0;
    p = strrchr(text, '\n');
    for (; p && field > 0; field--) { p = strchr(p + 1, ','); }
    return p ? atof(p + 1) : NAN;
}

static double last_reward(const char *log) { return last_field(log, 3); }

// The two builds: fixed data is one collection; fresh data does better; threads do not matter.
static void test_builds(void) {
    if (is_double()) { return; } // ./pref is the float build
    const char *d = run.directory, *methods[] = {"dpo", "ppo", "bon"};
    bandit_file("ref.bin", 3, 1);
    const char *common = "tune --task r1 --len 3 --seed 4 --batch 5 -n 6 --reuse 4 --steps 60 "
                         "--lr 0.003 --eval-every 40";
    for (int i = 0; i < 3; i++) {
        const char *m = methods[i];
        shell("$RUNNER ./pref %s -m %s/ref.bin --method %s --log %s/off.csv >/dev/null", common, d,
              m, d);
        shell("$RUNNER ./pref_onpolicy %s -m %s/ref.bin --method %s --collect 75 --log %s/all.csv "
              ">/dev/null",
              common, d, m, d);
        same_log("off.csv", "all.csv", "pref_onpolicy with one collection is pref");
        shell("$RUNNER ./pref_onpolicy %s -m %s/ref.bin --method %s --log %s/on.csv >/dev/null",
              common, d, m, d);
        check(last_reward("on.csv") > last_reward("off.csv") + 0.05,
              "%s: fresh data %g, fixed data %g", m, last_reward("on.csv"), last_reward("off.csv"));
    }
    shell(
        "$RUNNER ./pref_onpolicy tune --task r1 --len 3 -m %s/ref.bin --method bon --batch 5 -n 4 "
        "--reuse 2 --collect 15 --queries 400 --log %s/q.csv > /dev/null",
        d, d);
    check(last_field("q.csv", 1) == 400, "--queries 400 makes %g", last_field("q.csv", 1));
    for (int n = 1; n <= 3; n++) {
        shell("OMP_NUM_THREADS=%d $RUNNER ./pref_onpolicy %s -m %s/ref.bin --method ipo --log "
              "%s/t%d.csv "
              "--steps 20 >/dev/null",
              n, common, d, d, n);
    }
    same_log("t1.csv", "t2.csv", "threads");
    same_log("t1.csv", "t3.csv", "threads");
    char *text;
    slurp(in_scratch("t1.csv"), &text);
    const char *header
        = "step,queries,loss,gold_reward,proxy_reward,kl,entropy,distinct,response_len,"
          "logp_chosen,logp_rejected,reward_margin,reward_accuracy,push_up,push_down,grad_norm,"
          "clip_"
          "frac,"
          "seconds,train_logp_chosen,train_logp_rejected,train_reward_margin,"
          "train_reward_accuracy,unfinished\n0,0,,";
    check(!strncmp(text, header, strlen(header)), "the log's columns");
}

// Pairs, reward model and policies of stories, end to end with a small model; wrong input.
static void test_story_tuning(void) {
    const char *data = tiny_data("tiny.bin", NULL), *m = tiny_policy("learns.bin", data, 0.15, 0.2);
    const char *f = in_scratch("min.txt"), *rm = in_scratch("rm.bin"),
               *p = in_scratch("policy.bin"), *bad = in_scratch("bad.txt"), *d = run.directory;
    works("sft --steps 20 --batch 4 -L 1 -H 1 -C 8 -T 40 --data %s -o %s", data, p);
    works("sample -m %s --data %s -n 2", p, data);
    char *continued[2];
    for (int seed = 1; seed <= 2; seed++) {  // every token of this model begins with a space
        works("sample -m %s --data %s -n 2 -p 'A a.' --max-len 9 --seed %d",
              tiny_policy("endless.bin", data, 0, 0.2), data, seed);
        slurp(in_scratch("stdout"), &continued[seed - 1]);
        int spaces = 0;
        for (char *c = continued[seed - 1]; *c; c++) { spaces += *c == ' '; }
        check(spaces == 2 * (1 + 9) && !strncmp(continued[seed - 1], "A a. ", 5)
              && strstr(continued[seed - 1], "\n\nA a. "), "sample: %s", continued[seed - 1]);
    }
    check(strcmp(continued[0], continued[1]), "other seeds give other samples");
    works("pairs -m %s --data %s --task min -n 200 -o %s", m, data, f);
    works("pairs -m %s --data %s --task mode -n 20 --label-noise 0.3 -o %s", m, data, p);
    works("info --data %s %s", data, f);
    works("rm -m %s --data %s --pairs %s -o %s --steps 60 --batch 16 --lr 0.03 --log %s", m, data,
          f, rm, in_scratch("rm.csv"));
    char *text;
    slurp(in_scratch("stdout"), &text);
    check(said(text, "accuracy on the held-out pairs ") >= 0.8, "the reward model learns: %s",
          text);
    const char *rm_log = in_scratch("rm.csv");
    check(field(rm_log, -1, "step") == 60 && field(rm_log, 0, "step") == 6
              && field(rm_log, -1, "val_loss") < log(2.0) && field(rm_log, -1, "lr") < 1e-9,
          "rm's log ends at step %g with a validation loss of %g", field(rm_log, -1, "step"),
          field(rm_log, -1, "val_loss"));
    char tune[600];
    snprintf(tune, sizeof tune, "--task min --data %s -m %s --steps 6 --batch 4 --eval-every 3",
             data, m);
    for (int k = 0; k < N_METHODS; k++) {
        works("tune --method %s %s -n 4 --rm %s -o %s", METHODS[k].name, tune, rm, p);
    }
    char *before[2], *after[2];
    for (int k = 0; k < 2; k++) {
        works("tune --method %s %s -n 4 --rm %s --lr 0.05", k ? "dpo" : "sft", tune, rm);
        slurp(in_scratch("stdout"), &before[k]);
        before[k] = strstr(before[k], "\nbefore:\n");
        after[k] = before[k] ? strstr(before[k], "\nafter:\n") : NULL;
        check(after[k] != NULL, "samples before and after tuning");
        if (after[k]) { *after[k]++ = 0; }
    }
    check(!strcmp(before[0], before[1]), "before: the reference's samples, whatever the method");
    check(strcmp(after[0], after[1]) != 0, "after: those of the tuned policy");
    for (int k = 0; k < 2; k++) {
        run.program = k ? "./pref_onpolicy" : NULL;
        works("tune --method ppo --baseline value %s %s -n 4 --rm %s -o %s", k ? "--kl 0.05" : "",
              tune, rm, p);
        check(gpt_load(p).role == POLICY_WITH_VALUES, "a policy keeps its value head");
    }
    run.program = NULL;
    works("eval -m %s --ref %s --data %s --task min --rm %s -n 40", p, m, data, rm);
    slurp(in_scratch("stdout"), &text);
    check(!strstr(text, "nan"), "eval: %s", text);
    snprintf(tune, sizeof tune,
             "--task min --data %s -m %s --steps 24 --batch 4 --lr 0.02 --eval-every 12", data, m);
    shell("$RUNNER ./pref tune --method dpo %s --pairs %s --log %s/pairs1.csv > %s/out", tune, f, d,
          d);
    shell("$RUNNER ./pref tune --method reinforce %s -n 8 --rm %s --log %s/pairs0.csv > %s/out",
          tune, rm, d, d);
    shell("$RUNNER ./pref_onpolicy tune --method reinforce %s -n 8 --rm %s --collect 96 --log "
          "%s/all.csv "
          "> %s/out",
          tune, rm, d, d);
    same_log("pairs0.csv", "all.csv", "stories: one collection is fixed data");
    shell("$RUNNER ./pref_onpolicy tune --method ppo %s -n 8 --rm %s --log %s/on.csv > %s/out",
          tune, rm, d, d);
    shell("$RUNNER ./pref tune --method ppo %s -n 8 --rm %s --log %s/off.csv > %s/out", tune, rm, d,
          d);
    for (int k = 0; k < 2; k++) {  // the default rate of stories, with --kl, too
        shell("$RUNNER ./pref_onpolicy tune --method ppo --task min --data %s -m %s --steps 4 "
              "--batch 4 "
              "-n 4 --kl 0.05 --rm %s %s --log %s/kl%d.csv > %s/out",
              data, m, rm, k ? "--lr 1e-4" : "", d, k, d);
    }
    same_log("kl0.csv", "kl1.csv", "the default rate with --kl");
    check(last_reward("on.csv") > last_reward("off.csv") + 0.02, "stories: fresh data %g, fixed %g",
          last_reward("on.csv"), last_reward("off.csv"));
    check(last_reward("pairs1.csv") > field(in_scratch("pairs1.csv"), 0, "gold_reward") + 0.05,
          "dpo on a file of pairs earns %g, the reference %g", last_reward("pairs1.csv"),
          field(in_scratch("pairs1.csv"), 0, "gold_reward"));
    spill_pairs("bad.txt", "A.\t b.\t a.\n");
    fails(1, "one pair is not enough", "rm -m %s --data %s --pairs %s -o %s", m, data, bad, p);
    fails(2, "--task r1", "pairs -m %s --data %s --task r1 -o %s", m, data, bad);
    fails(2, "--task r2", "eval -m %s --ref %s --task r2", m, m);
    fails(2, "stories need --rm FILE or --pairs FILE", "tune --method dpo --task min -m %s", m);
    fails(2, "-m MODEL is needed", "tune --method dpo --task min --rm %s", rm);
    fails(2, "-n: for samples", "tune --method dpo --task min -m %s --pairs %s -n 4", m, f);
    fails(2, "--rm: for stories", "tune --method dpo --task r1 --rm %s", rm);
    fails(2, "--pairs: for stories", "tune --method dpo --task r1 --pairs %s", f);
    fails(2, "--len: for bandit", "tune --method dpo --task min -m %s --rm %s --len 9", m, rm);
    fails(2, "--baseline value: for ppo", "tune --method rwr --baseline value --task r1");
    fails(1, "not a reward model but a policy",
          "tune --method dpo --task min -m %s --data %s --rm %s", m, data, m);
    GPT g = gpt_new((Config){TINY_T, 24, 1, 1, 8, 24}, 1, 0);
    gpt_save(&g, bad);
    fails(1, "vocabulary of 24", "tune --method dpo --task min -m %s --data %s --rm %s", m, data,
          bad);
    fails(1, "vocabulary of 24", "rm -m %s --data %s --pairs %s -o %s", bad, data, f, p);
    g = gpt_new((Config){64, WORDS, 1, 1, 8, WORDS}, 1, 0);
    g.role = REWARD_MODEL;
    g.tokenizer = tiny_print(data);
    gpt_save(&g, bad);
    fails(1, "has a context of 64, ", "tune --method dpo --task min -m %s --data %s --rm %s", m,
          data, bad);
    g.role = POLICY;
    gpt_save(&g, bad);
    fails(1, "not of the same shape", "eval -m %s --data %s --ref %s --task min", m, data, bad);
}

// Files of pairs that are wrong: the message says what, and in which line.
static void test_wrong_pairs(void) {
    const char *data = tiny_data("tiny.bin", NULL), *m = tiny_policy("m.bin", data, 0.15, 0.2);
    const char *p = in_scratch("rm.bin"), *bad = in_scratch("bad.txt");
    const struct {
        const char *bytes, *says;
    } wrong[] = {{"", "holds no pairs"},
                 {"{\n", "under the header prompt, chosen, rejected"},
                 {"{\"prompt\": \"A.\", \"chosen\": \" a\", \"rejected\": \" b\"}\n",
                  "converts JSON Lines"},
                 {"prompt\tchosen\n", "under the header prompt, chosen, rejected"},
                 {"prompt\trejected\tchosen\nA.\t a\t b\n", "under the header"},
                 {"prompt,chosen,rejected\nA., a, b\n", "under the header"},
                 {"Prompt\tchosen\trejected\nA.\t a\t b\n", "under the header"},
                 {"\nprompt\tchosen\trejected\nA.\t a\t b\n", "under the header"},
                 {"A.\t a\t b\n", "under the header"},
                 {"prompt\tchosen\trejected", "holds no pairs"},
                 {"prompt\tchosen\trejected\r\n", "holds no pairs"},
                 {"\xff\tchosen\trejected\n", ":1: not UTF-8"},
                 {"prompt\\\tchosen\trejected\n", ":1: a backslash"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        spill(bad, wrong[i].bytes, strlen(wrong[i].bytes));
        fails(1, wrong[i].says, "rm -m %s --data %s --pairs %s -o %s", m, data, bad, p);
    }
    const char *lines[][2] = {{"a\tb\tb\n", ":2: chosen and rejected are the same"},
                              {"A.\t a\t b\nA.\\n\t\\\\\t\\\\", ":3: chosen and rejected are"},
                              {"A.\t a\t b\n\nA.\t a\t b\n", ":3: has 1 fields, not 3"},
                              {"A.\t a\t b\n\n", ":3: has 1 fields, not 3"},
                              {"A.\t a\n", ":2: has 2 fields, not 3"},
                              {"A.\t a\t b\t1\n", ":2: has 4 fields, not 3"},
                              {"A.\t a\\q\t b\n", ":2: a backslash is not followed by"},
                              {"A.\t a\t b\\\n", ":2: a backslash is not followed by"},
                              {"A.\t a\t b\xff\n", ":2: not UTF-8"},
                              {"A.\t a\t b\rmore\n", ":2: a carriage return in the line"},
                              {"A.\t a\t b\nA.\t \xc0\x80\t b\n", ":3: not UTF-8"},
                              {"A.\t a<|endoftext|>\t b\n", ":2: spells out the end-of-text"},
                              {"A.\t a\t b<|endoftext|>\n", ":2: spells out the end-of-text"},
                              {"A.<|endoftext|>\t a\t b\n", ":2: spells out the end-of-text"}};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        spill_pairs("bad.txt", lines[i][0]);
        fails(1, lines[i][1], "rm -m %s --data %s --pairs %s -o %s", m, data, bad, p);
        fails(1, lines[i][1], "tune --method dpo --task min -m %s --data %s --pairs %s", m, data,
              bad);
    }
    static const char nul[] = "prompt\tchosen\trejected\nA.\t a\t b\nA.\t a\0\t b\n";
    spill(bad, nul, sizeof nul - 1);
    fails(1, ":3: holds a NUL byte", "rm -m %s --data %s --pairs %s -o %s", m, data, bad, p);
    const size_t lengths[] = {2000, 3 << 20};
    for (int i = 0; i < 6; i++) { // no room for a response; a huge field: in each of the three
        const char *before = i < 2 ? "" : i < 4 ? "A.\t" : "A.\t a\t";
        char *huge = alloc(lengths[i % 2] + 100, 1, "a line");
        size_t n = strlen(before);
        memcpy(huge, before, n);
        for (; n < lengths[i % 2]; n++) { huge[n] = n % 5 ? 'a' : ' '; }
        strcpy(huge + n, i < 2 ? "\ta\tb" : i < 4 ? "\tb" : "");
        spill_pairs("bad.txt", huge);
        fails(1, i % 2 ? ":2: longer than any context" : "the model has room for 40",
              "rm -m %s --data %s --pairs %s -o %s", m, data, bad, p);
    }
    check(access(p, F_OK) != 0, "nothing is written");
}

// The bandit's reference learns the data's distribution: the KL from the data to it, which is the
// cross entropy less the data's entropy, is small.
static void test_bandit_reference(void) {
    double p[BANDIT_TOKENS], entropy = 0, cross = 0;
    bandit_data(p);
    works("sft --task bandit --len 1 -o %s", in_scratch("ref.bin"));
    GPT g = gpt_load(in_scratch("ref.bin"));
    check(g.c.maxT == 2 && g.c.V == BANDIT_TOKENS && g.c.L == 3 && g.c.NH == 3 && g.c.C == 48,
          "the bandit's model");
    Batch b = batch_new(BANDIT_TOKENS, 2 * BANDIT_TOKENS, 1);
    Acts a = acts_new(&g, BANDIT_TOKENS, 2, 0);
    for (int v = 0; v < BANDIT_TOKENS; v++) { batch_add(&b, (int[]){7, v}, 2, 1); }
    gpt_forward(&g, &a, &b, b.logp, NULL);
    for (int v = 0; v < BANDIT_TOKENS; v++) {
        entropy -= p[v] * log(p[v]);
        cross -= p[v] * (double)b.logp[2 * v + 1];
    }
    check(cross - entropy < 0.03 && cross > entropy, "KL of the data and the reference: %g nats",
          cross - entropy);
}

static void test_tune_errors(void) {
    const char *ref = in_scratch("ref2.bin"), *tune = "tune --method dpo --task r1";
    bandit_file("ref2.bin", 2, 0);
    fails(2, "--method NAME is needed", "tune --task r1");
    fails(2, "--task NAME is needed", "tune --method dpo");
    fails(2, "there are sft, pref-ft, bon, rwr, reinforce, ppo, dpo, ipo",
          "tune --method dpp --task r1");
    fails(2, "there are r1, r2, min, mode, skew", "tune --method dpo --task r");
    fails(2, "there are none, loo, group, value", "%s --baseline grup", tune);
    fails(2, "--beta 0", "%s --beta 0", tune);
    fails(2, "--tau -1", "%s --tau -1", tune);
    fails(2, "--clip x", "%s --clip x", tune);
    fails(2, "--reuse 0", "%s --reuse 0", tune);
    fails(2, "--batch 0", "%s --batch 0", tune);
    run.program = "./pref_onpolicy";
    fails(2, "multiple", "%s --collect 15 --batch 10", tune);
    run.program = NULL;
    fails(2, "--steps and --queries exclude each other", "%s --steps 10 --queries 100", tune);
    fails(2, "makes 0 steps", "%s --queries 3 --reuse 1", tune);
    fails(2, "-n 2 at least", "%s -n 1", tune);
    notes("-n 1 leaves nothing to compare with", "tune --method ppo --task r1 --len 2 -m %s -n 1 "
          "--steps 1", ref);
    works("tune --method ppo --task r1 --len 2 -m %s -n 1 --steps 1 --baseline none", ref);
    GPT wild = gpt_load(ref);
    param(&wild, LNFB, 0)[0] = (real)3e38;
    gpt_save(&wild, in_scratch("wild.bin"));
    fails(1, "the model's logits are not finite", "%s --len 2 -m %s", tune, in_scratch("wild.bin"));
    fails(1, "are 100 and 10", "%s -m %s", tune, ref);
    fails(1, "cannot write", "%s --len 2 -m %s --log %s", tune, ref, in_scratch("no/such"));
    fails(1, "cannot write", "%s --len 2 -m %s -o %s", tune, ref, in_scratch("no/such"));
    fails(2, "--lr 1e6: expected a number from 1e-12 to 1", "%s --lr 1e6", tune);
    fails(2, "sft knows only 'bandit'", "sft --task r1");
    fails(2, "--len: for bandit; this run is stories", "sft --len 3");
    fails(1, "needs", "bench -B 65536 -T 65536 -C 64");
    fails(1, "groups of 10 have too many pairs", "%s --len 2 -m %s --queries 1000000000", tune,
          ref);
    fails(1, "are too many", "%s --len 2 -m %s -n 2 --reuse 1 --queries 1000000000", tune, ref);
    run.program = "./pref_onpolicy";
    fails(2, "--kl: the penalty is 0 if all data are the reference",
          "%s --len 2 -m %s --kl 0.1 --steps 10 --collect 100 --reuse 1", tune, ref);
    works("%s --len 2 -m %s --kl 0.1 --steps 2 --collect 10 --reuse 1", tune, ref);
    run.program = NULL;
    works("help tune");
}

// The same command twice writes the same model; a short training run learns.
static void test_sft(void) {
    const char *a = in_scratch("a.bin"), *b = in_scratch("b.bin"),
               *data = tiny_data("tiny.bin", NULL);
    char *one, *two, *out;
    const char *sft = "sft --steps 60 --batch 8 -L 1 -H 2 -C 16 -T 40 --lr 0.02";
    works("%s --data %s -o %s", sft, data, a);
    works("%s --data %s -o %s --log %s", sft, data, b, in_scratch("sft.csv"));
    slurp(in_scratch("stdout"), &out);
    // a story is 1 word, 2 choices, 7 lengths: 2.4 nats over 7.5 tokens, where guessing has ln 20
    double loss = field(in_scratch("sft.csv"), -1, "val_loss");
    check(loss > 0.2 && loss < 1, "60 steps bring the validation loss from ln 20 = 3.0 to %g",
          loss);
    near(said(out, "step    60  train "), field(in_scratch("sft.csv"), -1, "loss"), 1e-4,
         "train loss");
    check(strstr(out, "40 stories to train on, 40 to validate, 0 longer than the context of 40\n")
              == out,
          "sft says what it reads: %s", out);
    size_t n = slurp(a, &one), m = slurp(b, &two);
    check(n == m && !memcmp(one, two, n), "the same seed writes the same model");
    GPT g = gpt_load(a);
    check(g.role == POLICY && g.tokenizer == tiny_print(data), "a model remembers its tokenizer");
    works("sft --steps 1 --lr 1e-12 --batch 1 -L 1 -H 1 -C 64 -T 40 --data %s -o %s", data, a);
    g = gpt_load(a);
    double x[WORDS * 64];
    for (int i = 0; i < WORDS * 64; i++) { x[i] = (double)g.params[i]; }
    near(moments(x, WORDS * 64).std, 0.1, 0.007, "how wide the tokens of stories start");
    double wide[40 * 64];
    for (int i = 0; i < 40 * 64; i++) { wide[i] = (double)g.params[WORDS * 64 + i]; }
    near(moments(wide, 40 * 64).std, 0.06, 0.003, "how wide the other weights start");
}

static double bandit_reward(const int *y, int n, double peak) {
    double total = 0;
    for (int i = 0; i < n; i++) { total += exp(-(y[i] - peak) * (y[i] - peak) / 100) / n; }
    return total;
}

// The sums over a batch that the test needs, by loops of its own.
static double row_sum(const Batch *b, const real *x, int r) {
    double total = 0;
    for (int i = b->row[r] + 1; i < b->row[r + 1]; i++) { total += (double)x[i]; }
    return total;
}

static Options tune_options(const char *method_name, const char *task, const char *model) {
    return (Options){.method = method_name,
                     .task = task,
                     .model = model,
                     .baseline = "group",
                     .seed = 3,
                     .tau = 0.05,
                     .clip = 0.2,
                     .neg = 1,
                     .gae = 0.95,
                     .reuse = 1,
                     .log = in_scratch("log.csv"),
                     .data = in_scratch("tiny.bin")};
}

// The four columns of a log's last row about the pairs of b, whose names begin with `prefix`.
static void check_pair_columns(const Batch *b, const char *prefix, const char *what) {
    double mean[4] = {0};
    const char *const names[] = {"logp_chosen", "logp_rejected", "reward_margin", "reward_accuracy"};
    for (int k = 0; k < b->n_pairs; k++) {
        int w = b->pair[k].won, l = b->pair[k].lost;
        double c = 0, j = 0, c_ref = 0, j_ref = 0;
        for (int i = b->start[w]; i < b->row[w + 1]; i++) {
            c += (double)b->logp[i];
            c_ref += (double)b->ref_logp[i];
        }
        for (int i = b->start[l]; i < b->row[l + 1]; i++) {
            j += (double)b->logp[i];
            j_ref += (double)b->ref_logp[i];
        }
        double h = c - c_ref - (j - j_ref);
        mean[0] += c / b->n_pairs;
        mean[1] += j / b->n_pairs;
        mean[2] += h / b->n_pairs;
        mean[3] += (h > 0 ? 1 : h < 0 ? 0 : 0.5) / b->n_pairs;
    }
    for (int k = 0; k < 4; k++) {
        char column[64];
        snprintf(column, sizeof column, "%s%s", prefix, names[k]);
        near(field(in_scratch("log.csv"), -1, column), mean[k], 1e-5, "%s: %s", what, column);
    }
}

// The probe of the data trained on: every pair has been trained on, won by the higher reward, and
// they come from all over the data. Its reference is the run's.
static void check_train_probe(Run *t, const char *what) {
    const Batch *b = &t->train_probe, *data = &t->data;
    make_pairs(&t->data);
    int expected = data->n_pairs < PROBE_PAIRS ? data->n_pairs : PROBE_PAIRS, last = 0;
    check(b->n_pairs == expected && expected > 0, "%s: %d pairs trained on, expected %d", what,
          b->n_pairs, expected);
    for (int k = 0; k < b->n_pairs; k++) {
        Pair y = b->pair[k], from = data->pair[(long long)k * data->n_pairs / expected];
        int rows[] = {y.won, from.won, y.lost, from.lost};
        check(y.weight == 1 && data->reward[from.won] > data->reward[from.lost], "%s: weight", what);
        for (int i = 0; i < 4; i += 2) {
            int at = b->row[rows[i]], n = b->row[rows[i] + 1] - at;
            int same = n == data->row[rows[i + 1] + 1] - data->row[rows[i + 1]]
                       && b->start[rows[i]] - at == data->start[rows[i + 1]] - data->row[rows[i + 1]];
            check(same && !memcmp(b->token + at, data->token + data->row[rows[i + 1]],
                                  (size_t)n * sizeof(int)),
                  "%s: pair %d is of the data", what, k);
        }
        last = from.won / data->group;
    }
    check(last == data->n_rows / data->group - 1 || expected < PROBE_PAIRS, "%s: the last is of "
          "group %d of %d", what, last, data->n_rows / data->group);
    real *x = alloc(b->n_tokens, sizeof *x, "test");
    gpt_forward(&t->ref, &t->trainer.acts, b, x, NULL);
    check(!memcmp(x, b->ref_logp, (size_t)b->n_tokens * sizeof *x), "%s: ref_logp", what);
}

// The measured columns of the last row, from the samples that the last evaluation left in the run.
static void check_evaluation(Run *t, const char *what) {
    const Batch *b = &t->eval;
    const char *csv = in_scratch("log.csv");
    int N = b->n_rows, bandit = t->world.task->is_bandit, different = 0;
    const Batch *measured[] = {b, b, &t->probe, &t->probe};
    for (int k = 0; k < 4; k++) {  // all is measured of the policy as it is now, and the reference
        const Batch *m = measured[k];
        real *x = alloc(m->n_tokens, sizeof *x, "test");
        gpt_forward(k % 2 ? &t->ref : &t->policy, &t->trainer.acts, m, x, NULL);
        for (int i = 0; i < m->row[m->n_rows]; i++) {
            near((double)(k % 2 ? m->ref_logp : m->logp)[i], (double)x[i], 1e-6,
                 "%s: log-probabilities of what is measured, %s", what,
                 k % 2 ? "the reference's" : "the policy's");
        }
    }
    double kl = 0, entropy = 0, gold = 0, length = 0, cut = 0;
    for (int r = 0; r < N; r++) {
        const int *y = b->token + b->start[r];
        int n = b->row[r + 1] - b->start[r], fresh = 1;
        double p = 0, q = 0;
        for (int i = b->start[r]; i < b->row[r + 1]; i++) {
            p += (double)b->logp[i];
            q += (double)b->ref_logp[i];
        }
        kl += (p - q) / N;
        entropy -= p / N;
        length += (double)n / N;
        cut += (double)(y[n - 1] != EOT) / N;
        gold += (bandit ? bandit_reward(y, n, !strcmp(t->world.task->name, "r1") ? 70 : 20)
                 : y[n - 1] != EOT || n > TINY_LONGEST ? 0
                                                       : 1 - (n - 1) / 14.0)
                / N;
        for (int q2 = 0; q2 < r; q2++) {
            int m = b->row[q2 + 1] - b->start[q2];
            if (m == n && !memcmp(b->token + b->start[q2], y, (size_t)n * sizeof(int))) {
                fresh = 0;
            }
        }
        different += fresh;
    }
    near(field(csv, -1, "gold_reward"), gold, 1e-5, "%s: gold_reward", what);
    near(field(csv, -1, "kl"), kl, 1e-5, "%s: kl", what);
    near(field(csv, -1, "entropy"), entropy, 1e-5, "%s: entropy", what);
    near(field(csv, -1, "distinct"), (double)different / N, 1e-5, "%s: distinct", what);
    near(field(csv, -1, "response_len"), length, 1e-5, "%s: response_len", what);
    if (bandit) { check(isnan(field(csv, -1, "unfinished")), "%s: unfinished is empty", what); }
    if (!bandit) {
        near(field(csv, -1, "unfinished"), cut, 1e-5, "%s: unfinished", what);
        check(cut > 0 && cut < 1, "%s: some stories are cut, %g of all", what, cut);
    }
    b = &t->probe;
    check(b->n_pairs == PROBE_PAIRS, "%s: %d probe pairs", what, b->n_pairs);
    for (int k = 0; k < b->n_pairs; k++) {
        int w = b->pair[k].won, l = b->pair[k].lost;
        check(w / 2 == l / 2 && gold_reward(&t->world, b, w) > gold_reward(&t->world, b, l),
              "%s: the truth orders probe pair %d", what, k);
    }
    check_pair_columns(b, "", what);
    check_train_probe(t, what);
    check_pair_columns(&t->train_probe, "train_", what);
}

// The columns about training, after a single step, from the batch of that step. At its first step
// the policy is the reference, so h = 0 and every ratio is 1.
static void check_training(Run *t, const char *name, int L) {
    const Batch *b = &t->trainer.batch;
    const char *csv = in_scratch("log.csv");
    int n = b->group, prompts = b->n_rows / n, bon = !strcmp(name, "bon");
    double loss = 0, up = 0, down = 0, pairs = 0;
    for (int r = 0; r < b->n_rows; r++) {
        near(b->reward[r], bandit_reward(b->token + b->start[r], L, 70), 1e-6, "reward of a row");
    }
    for (int first = 0; first < b->n_rows; first += n) {
        double mean = 0, squares = 0;
        int best = first;
        for (int r = first; r < first + n; r++) {
            mean += b->reward[r] / n;
            if (b->reward[r] > b->reward[best]) { best = r; }
        }
        for (int r = first; r < first + n; r++) { squares += pow(b->reward[r] - mean, 2); }
        for (int r = first; r < first + n; r++) {
            double A = (b->reward[r] - mean) / (sqrt(squares / (n - 1)) + 1e-8);
            double weight = !strcmp(name, "sft")   ? 1.0 / b->n_rows
                            : bon                  ? (r == best) / (double)prompts
                            : !strcmp(name, "rwr") ? fmin(exp(A), 20) / b->n_rows
                            : !strcmp(name, "reinforce") || !strcmp(name, "ppo") ? A / b->n_rows
                                                                                 : 0;
            double of = !strcmp(name, "ppo") ? L : row_sum(b, b->logp, r);
            loss -= weight * of;
            up += weight > 0 ? weight * L : 0;
            down += weight < 0 ? -weight * L : 0;
            for (int s = first; s < first + n; s++) { pairs += b->reward[r] > b->reward[s]; }
        }
    }
    int contrasts = !strcmp(name, "dpo") || !strcmp(name, "ipo");
    if (contrasts) {
        // each pair moves its two responses by g a token, and what a response is moved by adds up
        double g = !strcmp(name, "dpo") ? 0.1 * 0.5 : 2 / (2 * 0.05);
        loss = !strcmp(name, "dpo") ? log(2.0) : 100;
        for (int first = 0; first < b->n_rows; first += n) {
            for (int r = first; r < first + n; r++) {
                double wins = 0;
                for (int s = first; s < first + n; s++) {
                    wins += (b->reward[r] > b->reward[s]) - (b->reward[r] < b->reward[s]);
                }
                up += fmax(wins, 0) * g * L / pairs;
                down += fmax(-wins, 0) * g * L / pairs;
            }
        }
    }
    if (!strcmp(name, "pref-ft")) {
        up = down = loss = 0;
        for (int k = 0; k < b->n_pairs; k++) {
            check(b->reward[b->pair[k].won] > b->reward[b->pair[k].lost], "pref-ft: pair %d", k);
            loss -= row_sum(b, b->logp, b->pair[k].won) / b->n_pairs;
            up += (double)L / b->n_pairs;
        }
        near(b->n_pairs, pairs, 0, "pref-ft: number of pairs");
    }
    near(field(csv, -1, "loss"), loss, 1e-4, "%s: loss", name);
    near(field(csv, -1, "push_up"), up, 1e-4, "%s: push_up", name);
    near(field(csv, -1, "push_down"), down, 1e-4, "%s: push_down", name);
    double clipped = field(csv, -1, "clip_frac");
    check(!strcmp(name, "ppo") ? clipped == 0 : isnan(clipped), "%s: clip_frac %g", name, clipped);
}

// Every column of the log of a single step, for every method, on the bandit.
static void test_log_columns(void) {
    enum { L = 3 };
    const char *ref = bandit_file("ref.bin", L, 0);
    for (int m = 0; m < N_METHODS; m++) {
        Options o = tune_options(METHODS[m].name, "r1", ref);
        o.len = L;
        o.steps = 1;
        o.batch = 4;
        o.n = 5;
        o.lr = 0.05;
        o.eval_every = 1;
        Run t;
        run_init(&t, &o);
        tune(&t);
        const Batch *step = &t.trainer.batch;
        const char *csv = in_scratch("log.csv");
        check(step->n_rows == 20 && field(csv, 0, "step") == 0 && field(csv, 1, "step") == 1,
              "steps 0 and 1");
        near(field(csv, 0, "queries"), 0, 0, "queries before the first step");
        near(field(csv, 1, "queries"), 20, 0, "queries after a step of 4 prompts x 5");
        near(field(csv, 0, "kl"), 0, 1e-5, "KL before the first step");
        near(field(csv, 0, "reward_accuracy"), 0.5, 0, "accuracy when all is tied");
        near(field(csv, 0, "reward_margin"), 0, 1e-5, "margin before the first step");
        near(field(csv, 0, "train_reward_margin"), 0, 1e-5, "and on the pairs trained on");
        near(field(csv, 0, "train_reward_accuracy"), 0.5, 0, "accuracy there when all is tied");
        const char *const empty[] = {"loss", "push_up", "push_down", "grad_norm", "proxy_reward"};
        for (int k = 0; k < 5; k++) {
            check(isnan(field(csv, 0, empty[k])), "%s is empty at step 0", empty[k]);
        }
        check(isnan(field(csv, 1, "proxy_reward")), "no reward model, no proxy_reward");
        check(field(csv, 1, "seconds") >= 0 && field(csv, 1, "seconds") < 60, "seconds");
        check(field(csv, 1, "grad_norm") > 0, "%s: grad_norm", METHODS[m].name);
        check_evaluation(&t, METHODS[m].name);
        check_training(&t, METHODS[m].name, L);
        real *x = alloc(step->n_tokens, sizeof *x, "test");
        gpt_forward(&t.ref, &t.trainer.acts, step, x, NULL);
        for (int i = 0; i < step->n_tokens; i++) {
            near((double)step->logp[i], (double)x[i], 1e-6,
                 "%s: log-probabilities of the first step are the reference's", METHODS[m].name);
            near((double)step->ref_logp[i], METHODS[m].needs_ref ? (double)x[i] : 0, 1e-6,
                 "%s: ref_logp, for methods that need it", METHODS[m].name);
        }
    }
    for (int k = 0; k < 2; k++) {  // what imitation can earn bounds bon, unless it pushes down, too
        Options o = tune_options("bon", "r1", ref);
        o.len = L;
        o.steps = 1;
        o.push_worst = k ? 0.5 : 0;
        Run t;
        run_init(&t, &o);
        tune(&t);
        check((t.bound > 0) == !k, "bon with --push-worst %g: the bound is %g", o.push_worst, t.bound);
    }
}

// The means since the last row: two rows of two steps each have the mean loss of all four.
static void test_log_means(void) {
    enum { L = 3 };
    const char *ref = bandit_file("ref.bin", L, 0);
    double loss[2] = {0}, up[2] = {0}, norm[2] = {0};
    for (int k = 0; k < 2; k++) {
        Options o = tune_options("reinforce", "r1", ref);
        o.len = L;
        o.steps = 4;
        o.batch = 2;
        o.n = 8;  // 224 pairs, more than the probe of those trained on has
        o.lr = 0.01;
        o.eval_every = k ? 2 : 1;
        Run t;
        run_init(&t, &o);
        tune(&t);
        check_train_probe(&t, "224 pairs");
        for (int row = 1; row <= (k ? 2 : 4); row++) {
            loss[k] += field(in_scratch("log.csv"), row, "loss") / (k ? 2 : 4);
            up[k] += field(in_scratch("log.csv"), row, "push_up") / (k ? 2 : 4);
            norm[k] += field(in_scratch("log.csv"), row, "grad_norm") / (k ? 2 : 4);
        }
        near(field(in_scratch("log.csv"), -1, "step"), 4, 0, "the last step has a row");
    }
    near(loss[1], loss[0], 1e-5, "loss: the mean since the last row");
    near(up[1], up[0], 1e-5, "push_up: the mean since the last row");
    near(norm[1], norm[0], 1e-5, "grad_norm: the mean since the last row");
}

// What a loss sees of the collection that its batches are from.
static struct {
    const Batch *data;
    int used[64], steps;  // how often each group was used; in how many steps
} seen_by_loss;

// A loss that checks that the batch is made of whole groups of seen_by_loss.data, with all that is
// known of their rows. Every number of ref_logp there must be another, and tells the place.
static double loss_that_checks(Batch *b, const Options *o) {
    const Batch *from = seen_by_loss.data;
    check(b->n_rows == o->batch * from->group && b->group == from->group,
          "a step has %d rows in groups of %d", b->n_rows, b->group);
    for (int r = 0; r < b->n_rows; r++) {
        int source = 0, at = b->row[r], n = b->row[r + 1] - at, group = b->group;
        while (source < from->n_rows && from->ref_logp[from->row[source]] != b->ref_logp[at]) {
            source++;
        }
        check(source < from->n_rows, "row %d is of the collection", r);
        if (source == from->n_rows) { continue; }
        int begin = from->row[source];
        seen_by_loss.used[source / group] += r % group == 0;
        check(source % group == r % group && (r % group == 0
              || b->ref_logp[b->row[r - 1]] == from->ref_logp[from->row[source - 1]]),
              "rows stay in their group's order");
        check(n == from->row[source + 1] - begin
                  && !memcmp(b->token + at, from->token + begin, (size_t)n * sizeof(int)),
              "a row's tokens");
        near(b->reward[r], from->reward[source], 0, "a row's reward");
        check(b->start[r] - at == from->start[source] - begin, "a row's start");
        const real *copy[] = {b->ref_logp, b->old_logp, b->advantage, b->old_value, b->returns};
        const real *known[] = {from->ref_logp, from->old_logp, from->advantage, from->old_value,
                               from->returns};
        const char *const names[] = {"ref_logp", "old_logp", "advantage", "old_value", "returns"};
        for (int k = 0; k < 5; k++) {
            check(!memcmp(copy[k] + at, known[k] + begin, (size_t)n * sizeof(real)), "%s of a row",
                  names[k]);
        }
    }
    int n_pairs = 0;
    for (int r = 0; r < b->n_rows; r++) {
        for (int s = r - r % b->group; s < r; s++) { n_pairs += b->reward[r] != b->reward[s]; }
    }
    check(b->n_pairs == n_pairs, "a step has all its pairs: %d of %d", b->n_pairs, n_pairs);
    seen_by_loss.steps++;
    return 0;
}

// Collections: who samples, how often each row is used, that rows keep what is known of them, and
// how large the last collection is.
static void test_collections(void) {
    enum { L = 2 };
    const char *ref = bandit_file("ref.bin", L, 0);
    Options o = tune_options("ppo", "r2", ref);
    o.len = L;
    o.batch = 2;
    o.n = 3;
    o.steps = 12;
    o.reuse = 4;
    o.lr = 0.01;
    Run t;
    run_init(&t, &o);
    Trainer *trainer = &t.trainer;
    t.data = batch_new(18, 18 * (L + 1), 3);
    t.prompts = batch_new(600, 600, 1);
    t.sampler = sampler_new(t.policy.c, 600, L + 1);
    for (size_t i = 0; i < t.policy.tensor[WTE].size; i += 8) { // so that it is not the reference
        t.policy.params[t.policy.tensor[WTE].at + i] += (real)(0.3 * sin((double)i));
    }
    gpt_pack(&t.policy);
    trainer->run = &t;
    trainer->data = &t.data;
    trainer->deck = deck_new(6, 1, ORDER_STREAM);
    t.source = &t.policy;
    t.at_once = 6;
    t.total = 16;
    collect(trainer);
    check(t.data.n_rows == 18 && t.queries == 18, "6 prompts, 3 responses each");
    check(trainer->left == 12 && t.round == 1, "6 prompts, used 4 times, make 12 steps of 2: %d",
          (int)trainer->left);
    for (int i = 0; i < t.data.n_tokens; i++) { t.data.ref_logp[i] = (real)(100 + i); }
    for (int i = 0; i < t.data.n_tokens; i++) { t.data.old_value[i] = (real)(200 + i); }
    for (int i = 0; i < t.data.n_tokens; i++) { t.data.returns[i] = (real)(300 + i); }
    for (int r = 0; r < 18; r++) {
        near(t.data.reward[r], bandit_reward(t.data.token + t.data.start[r], L, 20), 1e-6, "R2");
        check(t.data.token[t.data.row[r]] == t.data.token[t.data.row[r - r % 3]],
              "a group shares its prompt");
        check(t.data.row[r + 1] - t.data.row[r] == L + 1, "a response has %d tokens", L);
    }
    output_close(&trainer->log);
    trainer->log.f = NULL;
    seen_by_loss.data = &t.data;
    trainer->loss = loss_that_checks;
    for (int pass = 1; pass <= 4; pass++) { // four passes of three steps
        o.steps = 3;
        train(trainer);
        for (int k = 0; k < 6; k++) {
            check(seen_by_loss.used[k] == pass, "each pass uses each prompt once");
        }
    }
    check(trainer->left == 0 && seen_by_loss.steps == 12 && trainer->steps == 12,
          "a collection is used up after 12 steps");
    // old_logp is the policy's own, by the forward pass, as it was at collection
    gpt_forward(&t.policy, &trainer->acts, &t.data, t.data.logp, NULL);
    check(!memcmp(t.data.logp, t.data.old_logp, (size_t)t.data.n_tokens * sizeof(real)),
          "old_logp has the bits of the forward pass");
    // the next collection, and the last, which has what is left of the total
    for (int round = 1; round < 3; round++) {
        collect(trainer);
        int prompts = round == 1 ? 6 : 4, dealt[6] = {0};
        check(t.data.n_rows == 3 * prompts && trainer->left == 2 * prompts && t.round == round + 1,
              "collection %d has %d rows for %d steps", round, t.data.n_rows, (int)trainer->left);
        check(t.queries == (round == 1 ? 36 : 48), "%d queries", t.queries);
        for (int k = 0; k < prompts; k++) { dealt[deal(&trainer->deck)]++; }
        for (int k = 0; k < 6; k++) { check(dealt[k] == (k < prompts), "the deck fits its data"); }
    }
    // budgets: queries, steps and the last collection
    const struct {
        int steps, queries, batch, collect, reuse, want_steps, want_queries;
    } cases[] = {{7, 0, 2, 4, 1, 7, 42},
                 {0, 60, 2, 4, 2, 20, 60},
                 {5, 0, 2, 2, 1, 5, 30},
                 {6, 0, 2, 2, 3, 6, 12}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        Options p = tune_options("bon", "r1", ref);
        p.len = L;
        p.n = 3;
        p.steps = cases[k].steps;
        p.queries = cases[k].queries;
        p.batch = cases[k].batch;
        p.collect = cases[k].collect;
        p.eval_every = 1000;
        p.reuse = cases[k].reuse;
        Run u;
        run_init(&u, &p);
        tune(&u);
        near(field(in_scratch("log.csv"), -1, "step"), cases[k].want_steps, 0, "steps of a budget");
        near(field(in_scratch("log.csv"), -1, "queries"), cases[k].want_queries, 0,
             "queries of a budget, case %d", (int)k);
    }
}

// --kl: the reward becomes r - X sum_t (log pi - log pi_ref), before every baseline; per token with
// a value head; nothing in the first collection, where the policy is the reference.
static void test_kl_penalty(void) {
    enum { L = 2, N = 3 };
    for (int baseline = NO_BASELINE; baseline <= GROUP_BASELINE; baseline++) {
        Batch b = batch_new(N, N * (L + 1), N);
        const double r[N] = {0.2, 0.9, 0.5}, logratios[N] = {0.75, -0.5, 0.25};
        double shaped[N], mean = 0, squares = 0;
        for (int k = 0; k < N; k++) {
            batch_add(&b, (int[]){0, 1, 2}, L + 1, 1);
            b.reward[k] = r[k];
            b.old_logp[3 * k] = 5; // of the prompt, which does not count
            b.old_logp[3 * k + 1] = (real)(-1 + logratios[k]);
            b.old_logp[3 * k + 2] = -2;
            b.ref_logp[3 * k + 1] = -1;
            b.ref_logp[3 * k + 2] = -2;
            shaped[k] = r[k] - 0.4 * logratios[k];
            mean += shaped[k] / N;
        }
        for (int k = 0; k < N; k++) { squares += pow(shaped[k] - mean, 2); }
        set_advantages(&b, baseline, 0.4);
        for (int k = 0; k < N; k++) {
            double A = baseline == NO_BASELINE     ? shaped[k]
                       : baseline == LEAVE_ONE_OUT ? shaped[k] - (3 * mean - shaped[k]) / 2
                                                   : (shaped[k] - mean) / sqrt(squares / 2);
            near(b.reward[k], shaped[k], 1e-6, "--kl: the reward, baseline %s",
                 BASELINES[baseline]);
            for (int i = 1; i <= L; i++) {
                near((double)b.advantage[3 * k + i], A, 1e-5, "--kl: the advantage, baseline %s",
                     BASELINES[baseline]);
            }
        }
    }
    const char *ref = bandit_file("ref.bin", L, 0);
    for (int values = 0; values < 2; values++) {
        Options o = tune_options("ppo", "r1", ref);
        o.len = L;
        o.batch = 2;
        o.n = N;
        o.baseline = values ? "value" : "none";
        Run t;
        run_init(&t, &o);
        o.kl = 0.5;  // with a single collection run_init would refuse it
        t.trainer.run = &t;
        t.trainer.deck = deck_new(2, 1, ORDER_STREAM);
        t.source = &t.policy;
        t.at_once = 2;
        t.total = 100;
        t.data = batch_new(2 * N, 2 * N * (L + 1), N);
        t.prompts = batch_new(600, 600, 1);
        t.sampler = sampler_new(t.policy.c, 600, L + 1);
        for (int i = 0; i < BANDIT_TOKENS; i++) {
            t.policy.params[t.policy.tensor[WTE].at + 8 * (size_t)i] += (real)(0.02 * i);
        }
        gpt_pack(&t.policy);
        for (int round = 0; round < 2; round++) {
            collect(&t.trainer);
            check(t.round == round + 1, "collections are counted");
            for (int r = 0; r < t.data.n_rows && !values; r++) {
                int at = t.data.row[r];
                double plain = bandit_reward(t.data.token + at + 1, L, 70), ratio = 0;
                for (int i = 1; i <= L && round; i++) {
                    ratio += (double)(t.data.old_logp[at + i] - t.data.ref_logp[at + i]);
                }
                near(t.data.reward[r], plain - 0.5 * ratio, 1e-6, "--kl in collection %d", round);
                near((double)t.data.advantage[at + 1], plain - 0.5 * ratio, 1e-6,
                     "--kl reaches the advantage, collection %d", round);
            }
            for (int r = 0; r < t.data.n_rows && values && round; r++) {
                int at = t.data.row[r]; // the value head is 0: returns from token i on, lambda 0.95
                double plain = bandit_reward(t.data.token + at + 1, L, 70);
                double d1 = (double)(t.data.old_logp[at + 1] - t.data.ref_logp[at + 1]);
                double d2 = (double)(t.data.old_logp[at + 2] - t.data.ref_logp[at + 2]);
                near((double)t.data.returns[at + 2], plain - 0.5 * d2, 1e-5, "--kl: last return");
                near((double)t.data.returns[at + 1], -0.5 * d1 + 0.95 * (plain - 0.5 * d2), 1e-5,
                     "--kl: first return");
            }
        }
    }
}

// With --baseline value, and only then, the policy has a value head, which learns.
static void test_value_head(void) {
    enum { L = 2 };
    for (int values = 0; values < 2; values++) {
        Options o = tune_options("ppo", "r1", bandit_file("ref.bin", L, 0));
        o.baseline = values ? "value" : "group";
        o.len = L;
        o.batch = 2;
        o.n = 4;
        o.steps = 1;
        o.lr = 0.01;
        Run t;
        run_init(&t, &o);
        tune(&t);
        check(t.policy.has_head == values && t.trainer.uses_value == values, "a head for values");
        if (!values) { continue; }
        near(fabs((double)*param(&t.policy, HEADB, 0)), o.lr, 1e-6, "the head's first step");
        Batch *b = &t.trainer.batch;  // the head was 0, so what each token should have is its error
        for (int r = 0; r < b->n_rows; r++) {
            for (int i = b->start[r]; i < b->row[r + 1]; i++) {
                near((double)b->dvalue[i - 1], -0.1 / b->n_rows * (double)b->returns[i], 1e-6,
                     "dvalue of a step");
            }
        }
    }
}

// What a response that was cut earns, by the truth and from a reward model; the mode of lengths.
static void test_story_rewards(void) {
    const char *data = tiny_data("tiny.bin", NULL), *ref = tiny_policy("ref.bin", data, 0.1, 0.2);
    Options o = tune_options("rwr", "min", ref);
    o.rm = tiny_reward("rm.bin", data, 0.7);
    o.steps = 1;
    o.batch = 4;
    o.n = 6;
    o.lr = 0.05;
    Run t;
    run_init(&t, &o);
    tune(&t);
    check(t.world.longest == TINY_LONGEST && t.world.mode == 4, "longest %d, mode %g",
          t.world.longest, t.world.mode);
    check_evaluation(&t, "min");
    const Batch *step = &t.trainer.batch;
    for (int r = 0; r < step->n_rows; r++) {
        check(step->token[step->start[r] - 1] == STOP_,
              "in a step, too, a response follows its prompt");
    }
    double proxy = 0;
    for (int r = 0; r < t.eval.n_rows; r++) { proxy += t.eval.reward[r] / t.eval.n_rows; }
    near(field(in_scratch("log.csv"), -1, "proxy_reward"), proxy, 1e-5, "proxy_reward");
    for (int r = 0; r < t.data.n_rows; r++) {
        int last = t.data.row[r + 1] - 1;
        near(t.data.reward[r], t.data.token[last] == EOT ? (double)t.data.value[last] : -3, 1e-6,
             "the reward model's reward");
    }
    Options d = o;  // it labels samples for methods of pairs, too
    d.method = "dpo";
    Run v;
    run_init(&v, &d);
    tune(&v);
    for (int r = 0; r < v.data.n_rows; r++) {
        int last = v.data.row[r + 1] - 1;
        near(v.data.reward[r], v.data.token[last] == EOT ? (double)v.data.value[last] : -3, 1e-6,
             "the reward model's reward, for dpo");
    }
    check(v.trainer.steps == 1 && v.trainer.batch.n_pairs > 0, "samples make pairs: %d",
          v.trainer.batch.n_pairs);
    Batch b = batch_new(2, 2 * TINY_T, 1);
    int row[TINY_T] = {EOT, WORD_A, STOP_};
    for (int i = 3; i < TINY_T; i++) { row[i] = SP_B; }
    batch_add(&b, row, TINY_T, 3); // cut at the context's end
    row[TINY_T - 1] = EOT;
    batch_add(&b, row, TINY_T, 3); // complete, but longer than any that earns
    proxy_rewards(&t, &b);
    near(b.reward[0], -3, 0, "a cut response's proxy reward");
    check(b.reward[1] > -3 && b.reward[1] < 0.25,
          "a complete response's proxy reward is its score");
    check(gold_reward(&t.world, &b, 0) == 0 && gold_reward(&t.world, &b, 1) == 0,
          "cut and long earn nothing");
    // the mode is where most lengths are within 4: here 3 and 11 are, of 7, but 2 and 3 of no other
    const char *spread
        = tiny_stories("spread.bin", NULL, (int[]){2, 10, 2, 10, 2, 10, 2, 10, 1, 1});
    Options q = tune_options("rwr", "mode", ref);
    q.data = spread;
    World w = world_new(&TASKS[3], &q, &t.policy);
    check(w.mode == 7, "the mode of 3 and 11 (and a few of 2) is 7, not %g", w.mode);
    // 16 of 3, 16 of 11 and 8 of 2: mean 6, squares 16 * 9 + 16 * 25 + 8 * 16 = 672
    near(w.width, 2 * sqrt(672 / 39.0), 1e-12, "mode's width");
    // a fixed pairs file rewards 1 and 0, whatever the reward model says, for methods of pairs
    const char *pairs = in_scratch("p.txt");
    spill_pairs("p.txt", "A.\t b\t b b b\nA.\t b b\t a\n");
    for (int with_rm = 0; with_rm < 2; with_rm++) {
        Options p = tune_options(with_rm ? "rwr" : "dpo", "min", ref);
        p.pairs = pairs;
        p.rm = o.rm;
        p.steps = 2;
        p.batch = 2;
        p.lr = 0.01;
        Run u;
        run_init(&u, &p);
        tune(&u);
        for (int r = 0; r < 4; r++) {
            int last = u.data.row[r + 1] - 1;
            near(u.data.reward[r], with_rm ? (double)u.data.value[last] : !(r % 2), 1e-6,
                 "rewards of a pairs file, %s", with_rm ? "rwr with --rm" : "dpo");
        }
        check(u.data.n_rows == 4 && u.queries == 4, "a file of 2 pairs is 4 responses");
    }
}

// The learning rate's schedule by hand: 40 steps warm up over 0.05 x 40 + 1 = 3.
static void test_schedule(void) {
    near(scheduled_rate(0.3, 1, 40), 0.1, 1e-12, "warm-up, step 1");
    near(scheduled_rate(0.3, 2, 40), 0.2, 1e-12, "warm-up, step 2");
    near(scheduled_rate(0.3, 10, 40), 0.15 * (1 + sqrt(0.5)), 1e-12, "a quarter of the way");
    near(scheduled_rate(0.3, 20, 40), 0.15, 1e-12, "half of the way");
    near(scheduled_rate(0.3, 40, 40), 0, 1e-12, "the last step");
    const char *csv = in_scratch("sft.csv");
    works("sft --steps 20 --batch 2 -L 1 -H 1 -C 8 -T 32 --lr 0.01 --data %s -o %s --log %s",
          tiny_data("tiny.bin", NULL), in_scratch("m.bin"), csv);
    for (int row = 0; row < 10; row++) {
        int step = 2 * row + 2;
        double rate = step < 2 ? 0.005 * step : 0.005 * (1 + cos(3.14159265358979 * step / 20));
        near(field(csv, row, "lr"), rate, 1e-6, "sft's rate at step %d", step);
        near(field(csv, row, "step"), step, 0, "sft's rows");
    }
    check(field(csv, 9, "tokens_per_second") > 0 && field(csv, 9, "grad_norm") > 0, "sft's log");
}

// Of pairs of responses to one prompt: the scores, the labels' noise, skew, and what is printed.
static void test_pairs(void) {
    const char *data = tiny_data("tiny.bin", NULL), *m = tiny_policy("m.bin", data, 0.1, 0.2);
    const char *f = in_scratch("pairs.txt");
    char *text;
    for (int noisy = 0; noisy < 2; noisy++) {
        works("pairs -m %s --data %s --task min -n 800 --seed 5 -o %s --label-noise %s", m, data,
              f, noisy ? "0.4" : "0");
        double swapped = 0, expected = 0, spread = 0, score[2];
        int lines = 0;
        char *part[3], *rest = pairs_text(f);
        for (; next_pair(&rest, part, score); lines++) {
            for (int k = 0; k < 2; k++) { // min: 1 - (l - 1)/14, and a word is one token here
                int l = 1;
                for (const char *c = part[1 + k]; *c; c++) { l += *c == ' ' || *c == '.'; }
                near(score[k], 1 - (l - 1) / 14.0, 1e-5, "score of a response");
                check(l <= TINY_LONGEST, "no pair has a response that earns nothing");
            }
            check(!strcmp(part[0], "A.") || !strcmp(part[0], "A a."), "a prompt: '%s'", part[0]);
            double gap = fabs(score[0] - score[1]), p = 1 / (1 + exp(gap / 0.4));
            swapped += score[0] < score[1];
            expected += p;
            spread += p * (1 - p);
        }
        check(lines == 800, "%d lines of 800", lines);
        if (noisy) {
            check(fabs(swapped - expected) < 4 * sqrt(spread) && expected > 50,
                  "label noise: %g of 800 are swapped, expected %g +- %g", swapped, expected,
                  sqrt(spread));
        } else {
            check(swapped == 0, "without noise no label is swapped");
        }
    }
    // skew: a response ends after each token with probability 0.1, and is cut after each with
    // 1 - exp(-1/15), whichever comes first; only complete ones, of at most 37, are cut
    works("pairs -m %s --data %s --task skew -n 800 --seed 5 -o %s", m, data, f);
    slurp(in_scratch("stdout"), &text);
    check(strstr(text, "800 pairs in ") != NULL, "pairs: %s", text);
    double w[TINY_LONGEST + 1], mean = 0, squares = 0, total = 0, got = 0, n = 0;
    for (int l = 1; l <= TINY_LONGEST; l++) {
        double ends = 0.1 * pow(0.9, l - 1), goes_on = pow(0.9, l) - pow(0.9, 37);
        double whole = exp(-(l - 1) / 15.0);
        w[l] = ends * whole + goes_on * whole * (1 - exp(-1 / 15.0));
    }
    for (int a = 1; a <= TINY_LONGEST; a++) {
        for (int b = 1; b <= TINY_LONGEST; b++) {
            if (a == b) { continue; }
            total += w[a] * w[b];
            mean += w[a] * w[b] * a;
            squares += w[a] * w[b] * a * a;
        }
    }
    mean /= total;
    char *part[3], *rest = pairs_text(f);
    for (double score[2]; next_pair(&rest, part, score); n += 2) {
        for (int k = 0; k < 2; k++) { got += 1 + (1 - score[k]) * 14; }
    }
    double error = sqrt((squares / total - mean * mean) / n);
    check(fabs(got / n - mean) < 3 * error, "skew: mean length %g, expected %g +- %g", got / n,
          mean, error);
    // a prompt too rarely gives a pair: it says so and leaves nothing behind
    const char *same = in_scratch("same.bin");
    GPT g = tiny_gpt(0.9999, 0, 0);
    for (int v = 0; v < WORDS; v++) { g.params[v * 8] = v == EOT ? 0 : -60; }
    g.tokenizer = tiny_print(data);
    gpt_save(&g, same);
    fails(1, "prompts gave a pair", "pairs -m %s --data %s --task min -n 10 -o %s", same, data,
          in_scratch("none.txt"));
}

// The reward model: its scale, which pairs are held out, and what is printed about these.
static void test_reward_model(void) {
    const char *data = tiny_data("tiny.bin", NULL), *m = tiny_policy("learns.bin", data, 0.2, 0.2);
    const char *f = in_scratch("pairs.txt"), *out = in_scratch("rm.bin");
    works("pairs -m %s --data %s --task min -n 200 --seed 5 -o %s --label-noise 2", m, data, f);
    works("rm -m %s --data %s --pairs %s -o %s --steps 40 --seed 9 --lr 0.05", m, data, f, out);
    char *text;
    slurp(in_scratch("stdout"), &text);
    World w = {.T = TINY_T};
    w.t = tokenizer_of_file(data);
    Batch b = pairs_read(&w, f);
    GPT rm = gpt_load(out);
    check(rm.role == REWARD_MODEL && rm.tokenizer == w.t.print, "a reward model says what it is");
    Acts a = acts_new(&rm, 64, TINY_T, 0);
    gpt_forward(&rm, &a, &b, NULL, b.value);
    Deck deck = deck_new(200, 9, HELD_OUT_STREAM);
    double right = 0, x[40];
    int held[200], last_tenth = 0, n = 0;
    for (int i = 0; i < 200; i++) { held[i] = deal(&deck); }
    for (int i = 180; i < 200; i++) {
        last_tenth += held[i] >= 180;
        for (int k = 0; k < 2; k++, n++) {
            x[n] = (double)b.value[b.row[2 * held[i] + k + 1] - 1];
        }
        right += x[n - 2] > x[n - 1] ? 1 : x[n - 2] < x[n - 1] ? 0 : 0.5;
    }
    check(last_tenth < 10, "%d of 20 held-out pairs are of the file's last tenth", last_tenth);
    near(said(text, "accuracy on the held-out pairs "), right / 20, 1e-4, "rm: held-out accuracy");
    check(strstr(text, "180 pairs to train on, 20 held out; 40 steps in ") != NULL, "rm: %s", text);
    // the held-out pairs, turned round, change the accuracy and nothing of the model
    char *lines = pairs_text(f), *part[3], *model[2];
    double score[2];
    const char *turned_file = in_scratch("turned.txt"), *again = in_scratch("again.bin");
    FILE *turned_pairs = fopen(turned_file, "w");
    fputs("prompt\tchosen\trejected\n", turned_pairs);
    for (int p = 0; next_pair(&lines, part, score); p++) {
        int is_held = 0;
        for (int i = 180; i < 200; i++) { is_held |= held[i] == p; }
        write_field(turned_pairs, part[0], '\t');
        write_field(turned_pairs, part[1 + is_held], '\t');
        write_field(turned_pairs, part[2 - is_held], '\n');
    }
    fclose(turned_pairs);
    works("rm -m %s --data %s --pairs %s -o %s --steps 40 --seed 9 --lr 0.05", m, data, turned_file,
          again);
    size_t size = slurp(out, &model[0]);
    check(slurp(again, &model[1]) == size && !memcmp(model[0], model[1], size),
          "what is held out does not reach the reward model");
    slurp(in_scratch("stdout"), &text);
    near(said(text, "accuracy on the held-out pairs "), 1 - right / 20, 1e-4,
         "accuracy, turned round");
    // standardised: over one response of the reference to each of the first pairs' prompts
    Sampling how = {.T = TINY_T, .eot = EOT, .temperature = 1, .seed = 9};
    GPT ref = gpt_load(m);
    Acts s = sampler_new(ref.c, 200, TINY_T);
    Batch prompts = batch_new(200, 200 * TINY_T, 1), y_ref = batch_new(200, 200 * TINY_T, 1);
    for (int p = 0; p < 200; p++) {
        int k = b.start[2 * p] - b.row[2 * p];
        batch_add(&prompts, b.token + b.row[2 * p], k, k);
    }
    rollout(&ref, &s, &prompts, 1, &how, &y_ref);
    gpt_forward(&rm, &a, &y_ref, NULL, y_ref.value);
    double mean = 0, squares = 0;
    n = 0;
    for (int k = 0; k < 200; k++) {
        int end = y_ref.row[k + 1] - 1;
        if (y_ref.token[end] == EOT) {
            mean += (double)y_ref.value[end];
            squares += pow((double)y_ref.value[end], 2);
            n++;
        }
    }
    mean /= n;
    near(mean, 0, 2e-4, "a standardised head: mean");
    near(sqrt((squares - n * mean * mean) / (n - 1)), 1, 2e-4, "a standardised head: deviation");
    // the whole file may be tied: half right
    FILE *same = fopen(f, "w");
    fputs("prompt\tchosen\trejected\n", same);
    for (int i = 0; i < 20; i++) {
        fprintf(same, "A.\t %s\t %s\n", i % 2 ? "a" : "b", i % 2 ? "b" : "a");
    }
    fclose(same);
    works("rm -m %s --data %s --pairs %s -o %s --steps 1", tiny_policy("m.bin", data, 0.2, 0.2),
          data, f, out);
    slurp(in_scratch("stdout"), &text);
    check(!strstr(text, "nan"), "ties: %s", text);
    near(said(text, "accuracy on the held-out pairs "), 0.5, 0, "ties are half right");
    notes("the scores are not standardised", "rm -m %s --data %s --pairs %s -o %s --steps 1",
          tiny_policy("endless.bin", data, 0, 0.2), data, f, out);
    char *error;
    slurp(in_scratch("stderr"), &error);
    check(strstr(error, "too few responses of the model are complete") != NULL,
          "rm of an endless model: %s", error);
    fails(1, "a reward model, where a policy is needed", "pairs -m %s --data %s --task min -o %s",
          out, data, in_scratch("x.txt"));
}

// Every line that eval prints, from the same samples by sums of our own.
static void test_eval(void) {
    enum { N = 60 };
    const char *data = tiny_data("tiny.bin", NULL), *p = tiny_policy("p.bin", data, 0.3, 0.1);
    const char *ref = tiny_policy("r.bin", data, 0.15, 0.25),
               *rm = tiny_reward("rm.bin", data, 0.7);
    const char *path = in_scratch("eval.csv");
    works("eval -m %s --ref %s --rm %s --data %s --task min -n %d --seed 4 --count 'dog, cat' "
          "--log %s",
          p, ref, rm, data, N, path);
    char *text;
    slurp(in_scratch("stdout"), &text);
    Options o = {.model = p, .ref = ref, .rm = rm, .data = data, .task = "min", .seed = 4, .n = N};
    Run t = story_run(&o);
    t.ref = gpt_load(ref);
    load_reward_model(&t, 16);
    t.trainer.acts = acts_new(&t.policy, 16, TINY_T, 0);
    t.sampler = sampler_new(t.policy.c, N, TINY_T);
    t.prompts = batch_new(N, N * MAX_PROMPT, 1);
    t.eval = batch_new(N, N * TINY_T, 1);
    Batch other = batch_new(N, N * TINY_T, 1);
    sample_evaluation(&t, EVAL_STREAM);
    sample_responses(&t, &t.ref, 1, EVAL_REF_STREAM, &other);
    const char *const names[]
        = {"gold reward", "proxy reward",         "KL to the reference",     "entropy",
           "distinct",    "tokens in a response", "gold reward (reference)", "win rate (ties half)",
           "policy: dog", "policy: cat",          "reference: dog",          "reference: cat"};
    double x[12][N];
    int n[12] = {N, N, N, N, N, N, N, N, 0, 0, 0, 0}, ties = 0;
    for (int r = 0; r < N; r++) {
        double gold[2];
        for (int side = 0; side < 2; side++) {
            const Batch *b = side ? &other : &t.eval;
            const int *y = b->token + b->start[r];
            int l = b->row[r + 1] - b->start[r], dog = 0, cat = 0;
            gold[side] = y[l - 1] == EOT && l <= TINY_LONGEST ? 1 - (l - 1) / 14.0 : 0;
            for (int i = 0; i < l; i++) {
                dog |= y[i] == SP_DOG;
                cat |= y[i] == SP_CAT;
            }
            if (dog || cat) {
                x[8 + 2 * side][n[8 + 2 * side]++] = dog;
                x[9 + 2 * side][n[9 + 2 * side]++] = cat;
            }
        }
        check(t.eval.token[t.eval.row[r] + 1] == WORD_A && other.token[other.row[r] + 1] == WORD_A
                  && t.eval.start[r] - t.eval.row[r] == other.start[r] - other.row[r],
              "both sides answer the same prompts");
        x[0][r] = gold[0];
        x[1][r] = t.eval.reward[r];
        x[2][r] = x[3][r] = 0;
        for (int i = t.eval.start[r]; i < t.eval.row[r + 1]; i++) {
            int y = t.eval.token[i];
            double p_new = y == EOT      ? 0.3
                           : y == SP_DOG ? 0.1
                           : y == SP_CAT ? 0.1
                           : y == SP_A   ? 0.15
                                         : 0.35;
            double p_ref = y == EOT      ? 0.15
                           : y == SP_DOG ? 0.25
                           : y == SP_CAT ? 0.1
                           : y == SP_A   ? 0.15
                                         : 0.35;
            x[2][r] += log(p_new / p_ref);
            x[3][r] -= log(p_new);
        }
        x[4][r] = 1;
        for (int q = 0; q < r; q++) {
            int l = t.eval.row[r + 1] - t.eval.start[r];
            if (t.eval.row[q + 1] - t.eval.start[q] == l
                && !memcmp(t.eval.token + t.eval.start[q], t.eval.token + t.eval.start[r],
                           (size_t)l * sizeof(int))) {
                x[4][r] = 0;
            }
        }
        x[5][r] = t.eval.row[r + 1] - t.eval.start[r];
        x[6][r] = gold[1];
        x[7][r] = gold[0] > gold[1] ? 1 : gold[0] < gold[1] ? 0 : 0.5;
        ties += gold[0] == gold[1];
    }
    check(ties > 0, "some responses tie");
    for (int k = 0; k < 12; k++) {
        double mean = 0, squares = 0;
        char label[64];
        for (int r = 0; r < n[k]; r++) { mean += x[k][r] / n[k]; }
        for (int r = 0; r < n[k]; r++) { squares += pow(x[k][r] - mean, 2); }
        double error = sqrt(squares / (n[k] - 1) / n[k]);
        snprintf(label, sizeof label, "\n%-24s ", names[k]);
        const char *at = strstr(text, label);
        double got = NAN, got_error = NAN;
        check(at && sscanf(at + strlen(label), "%lf +- %lf", &got, &got_error) == 2,
              "eval prints %s", names[k]);
        near(got, mean, 6e-5, "eval: %s", names[k]);
        near(got_error, error, 6e-5, "eval: standard error of %s", names[k]);
        char *csv;
        slurp(path, &csv);
        snprintf(label, sizeof label, "\n%s,", names[k]);
        at = strstr(csv, label);
        double in_log[3] = {NAN, NAN, NAN};
        check(at && sscanf(at + strlen(label), "%lf,%lf,%lf", in_log, in_log + 1, in_log + 2) == 3
                  && in_log[2] == n[k],
              "eval's log has %s", names[k]);
        near(in_log[0], mean, 1e-5, "eval's log: %s", names[k]);
        near(in_log[1], error, 1e-5, "eval's log: standard error of %s", names[k]);
    }
    check(strstr(text, "60 prompts: mean +- standard error\n") == text, "eval's heading");
    near(said(text, "proxy and gold correlate"), correlation(x[1], x[0], N), 6e-5,
         "eval: the correlation of both rewards");
}

// Files that do not belong together are refused; those that do not say are taken with a note.
static void test_wrong_files(void) {
    const char *data = tiny_data("tiny.bin", NULL), *other = tiny_data("other.bin", " dot");
    const char *p = tiny_policy("p.bin", data, 0.2, 0.2), *rm = tiny_reward("rm.bin", data, 1);
    const char *alien = tiny_policy("alien.bin", other, 0.2, 0.2);
    const char *alien_rm = tiny_reward("alien_rm.bin", other, 1), *x = in_scratch("x.txt");
    const char *pairs = in_scratch("p.txt");
    works("pairs -m %s --data %s --task min -n 20 -o %s", p, data, pairs);
    const char *both = "was trained with another tokenizer than that of";
    fails(1, both, "pairs -m %s --data %s --task min -o %s", alien, data, x);
    fails(1, both, "sample -m %s --data %s", alien, data);
    fails(1, both, "score -m %s --data %s --text A.", alien, data);
    fails(1, both, "rm -m %s --data %s --pairs %s -o %s", alien, data, pairs, x);
    fails(1, both, "tune --method bon --task min -m %s --data %s --rm %s", alien, data, rm);
    fails(1, both, "tune --method bon --task min -m %s --data %s --rm %s", p, data, alien_rm);
    fails(1, both, "eval --task min -m %s --ref %s --data %s", p, alien, data);
    fails(1, both, "eval --task min -m %s --ref %s --data %s", alien, p, data);
    const char *role = "a reward model, where a policy is needed";
    fails(1, role, "sample -m %s --data %s", rm, data);
    fails(1, role, "score -m %s --data %s --text A.", rm, data);
    fails(1, role, "pairs -m %s --data %s --task min -o %s", rm, data, x);
    fails(1, role, "rm -m %s --data %s --pairs %s -o %s", rm, data, pairs, x);
    fails(1, role, "tune --method bon --task min -m %s --data %s --rm %s", rm, data, rm);
    fails(1, role, "eval --task min -m %s --ref %s --data %s", p, rm, data);
    GPT g = gpt_new((Config){TINY_T, WORDS, 1, 1, 8, WORDS}, 1, 0);
    g.tokenizer = tiny_print(data);
    const char *values = in_scratch("values.bin");
    gpt_save(&g, values);
    check(gpt_load(values).role == POLICY_WITH_VALUES, "a policy with a value head says so");
    fails(1, "not a reward model but a policy",
          "tune --method bon --task min -m %s --data %s --rm %s", p, data, values);
    fails(1, "not a reward model but a policy",
          "tune --method bon --task min -m %s --data %s --rm %s", p, data, p);
    g.tokenizer = 0;
    g.role = 0;
    gpt_save(&g, values);
    char *error;
    check(cli("sample -n 1 -m values.bin") != 0, "a relative path is not there");
    char line[600];
    snprintf(line, sizeof line, "sample -n 1 -m %s --data %s", values, data);
    check(cli(line) == 0, "a file that does not say is taken");
    slurp(in_scratch("stderr"), &error);
    check(strstr(error, "note: ") == error
              && strstr(error, "does not say which tokenizer it needs"),
          "with a note: %s", error);
    // one file in two places
    const char *o = in_scratch("o.bin");
    fails(2, "-o and --log name the same file", "sft -o %s --log %s", o, o);
    fails(2, "-o and -m name the same file", "pairs -m %s --data %s --task min -o %s", p, data, p);
    fails(2, "-o and --pairs name the same file",
          "rm -m %s --data %s --pairs %s -o %s/../%s/p.txt", p, data, pairs, run.directory,
          strrchr(run.directory, '/') + 1);
    fails(2, "--log and --data name the same file", "sft --data %s --log %s", data, data);
    const char *brief = "sft --steps 1 --batch 1 -L 1 -H 1 -C 8";
    fails(2, "-o and --log name the same file", "%s -o %s/./new.x --log %s/new.x", brief,
          run.directory, run.directory);
    fails(2, "-o and --log name the same file", "%s -o ././new_test.x --log new_test.x", brief);
    check(unlink("new_test.x") != 0, "nothing was written");
    fails(2, "-o and --log name the same file", "tune --method bon --task r1 --log %s -o %s", o, o);
    fails(2, "--log and --rm name the same file",
          "tune --method bon --task min -m %s --data %s --rm %s --log %s", p, data, rm, rm);
    check(access(o, F_OK) != 0, "nothing was written");
}

// Texts of pairs that are joined otherwise than their author meant.
static void test_odd_pairs(void) {
    const char *data = tiny_data("tiny.bin", NULL), *p = tiny_policy("p.bin", data, 0.2, 0.2);
    const char *f = in_scratch("odd.txt");
    const struct {
        const char *lines, *says;
    } cases[] = {
        {"A.\t a\tb\nA.\t a\t b\nA.\ta\t b\n", ":2: a response begins without a space"},
        {"A.\t a\tb\nA.\t a\t b\nA.\ta\t b\n", "so in 2 of 3 pairs\n"},
        {"A.\t a\t b\nA a\tbb\t b\n", ":3: a response begins without a space"},
        {"A.\t a\t b\nA a\tbb\t b\n", "so in 1 of 2 pairs\n"},
        {"A.\tA. a\tA. b\nA.\tA. a\tA. b\n", "repeats its prompt"},
        {"A.\tA. a\tA. b\nA.\tA. a\tA. b\n", "so in 2 of 2 pairs\n"},
        {"A. \t b\t a\nA. \tA.  b\t a\n", ":3: a response begins without a space, or repeats"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        notes(cases[i].says, "info --data %s %s", data, spill_pairs("odd.txt", cases[i].lines));
    }
    spill_pairs("odd.txt", "A.\t a\t\nA. \ta\t b\n\tA\ta\n");
    works("info --data %s %s", data, f);
    char *text;
    slurp(in_scratch("stdout"), &text);
    check(strstr(text, ": 3 preference pairs, 4.5 tokens a row\n") != NULL, "info: %s", text);
    spill_pairs("odd.txt", "A.\t a<|endoftext|>\t b\n");
    fails(1, ":2: spells out the end-of-text token", "info --data %s %s", data, f);
    fails(1, "the text spells out the end-of-text token",
          "sample -m %s --data %s -p 'A.<|endoftext|>'", p, data);
    fails(1, "the text spells out the end-of-text token",
          "score -m %s --data %s --text 'A.<|endoftext|>'", p, data);
}

// End of a program by a signal, of a file by a full disk, and of two programs at one file.
static void wait_for(const char *path, const char *words) {
    for (int i = 0; i < 2000; i++) {
        struct stat s;
        char *text;
        if (!stat(path, &s) && (!words || (slurp(path, &text) && strstr(text, words)))) { return; }
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    }
}

static int temporaries_left(void) {
    int n = 0;
    DIR *d = opendir(run.directory);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        n += strstr(e->d_name, ".tmp") != NULL;
    }
    if (d) { closedir(d); }
    return n;
}

static void test_interruption(void) {
    const char *d = run.directory, *ref = bandit_file("ref.bin", 2, 0);
    const int signals[] = {SIGINT, SIGTERM};
    for (int k = 0; k < 4; k++) { // tune with -o and without, and sft
        int sft = k == 2;
        char csv[300], command[1000], out[300] = "", *text;
        snprintf(csv, sizeof csv, "%s/log%d.csv", d, k);
        if (k != 1) { snprintf(out, sizeof out, "-o %s/out%d.bin", d, k); }
        snprintf(command, sizeof command,
                 "exec $RUNNER %s --cli %s --steps 3000 --log %s %s "
                 "2>%s/err >%s/stdout",
                 run.self,
                 sft ? "sft --batch 2 -L 1 -H 1 -C 8 -T 16"
                     : "tune --method bon --task r1 --len 2 --reuse 10 --eval-every 2 -m $REF",
                 csv, out, d, d);
        setenv("REF", ref, 1);
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) { execl("/bin/sh", "sh", "-c", command, (char *)NULL); }
        wait_for(csv, sft ? "\n300," : "\n2,");
        kill(child, signals[k % 2]);
        int status;
        waitpid(child, &status, 0);
        slurp(in_scratch("err"), &text);
        check(WIFEXITED(status) && WEXITSTATUS(status) == 128 + signals[k % 2]
                  && strstr(text, "interrupted after step "),
              "a signal in mid-training: status %d, %s", status, text);
        char unfinished[300], finished[300];
        snprintf(finished, sizeof finished, "%s/out%d.bin", d, k);
        snprintf(unfinished, sizeof unfinished, "%s/out%d.bin.unfinished", d, k);
        check(access(finished, F_OK) != 0, "no finished model after an interruption");
        check((access(unfinished, F_OK) == 0) == (k != 1), "the unfinished model, only with -o");
        size_t n = slurp(csv, &text);
        check(n > 0 && text[n - 1] == '\n', "the log of an interrupted run has whole lines");
        check(temporaries_left() == 0, "no temporary file is left by a signal");
        if (k != 1) { check(gpt_load(unfinished).c.V > 0, "the unfinished model can be read"); }
    }
    // a signal outside training ends it at once and leaves nothing
    const char *data = tiny_data("tiny.bin", NULL), *p = tiny_policy("p.bin", data, 0.2, 0.2);
    pid_t child = fork();
    if (child == 0) {
        char command[1000];
        snprintf(command, sizeof command,
                 "exec $RUNNER %s --cli pairs -m %s --data %s --task min -n "
                 "10000000 -o %s/many.txt >/dev/null 2>&1",
                 run.self, p, data, d);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    }
    for (int i = 0; i < 2000 && !temporaries_left(); i++) {
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    }
    check(temporaries_left() == 1, "pairs are written beside their place");
    kill(child, SIGTERM);
    int status;
    waitpid(child, &status, 0);
    check(WIFEXITED(status) && WEXITSTATUS(status) == 143 && temporaries_left() == 0,
          "a signal in mid-file: status %d", status);
    // standard output that is closed, or full
    shell("$RUNNER %s --cli sample -n 1 -m %s --data %s >&- 2>%s/err; test $? = 1", run.self, p,
          data, d);
    char *text;
    slurp(in_scratch("err"), &text);
    check(strstr(text, "standard output: cannot write it") != NULL, "closed output: %s", text);
    shell("$RUNNER %s --cli pairs -n 5 --task min -m %s --data %s -o %s/closed.txt >&- "
          "2>/dev/null; "
          "test $? = 1",
          run.self, p, data, d);
    slurp(in_scratch("closed.txt"), &text);
    check(count_lines(text) == 6 && !strncmp(text, "prompt\t", 7),
          "nothing else lands in the file: %s", text);
    if (access("/dev/full", W_OK) == 0) {
        fails(1, "/dev/full: cannot write it", "pairs -n 5 --task min -m %s --data %s -o /dev/full",
              p, data);
        fails(1, "/dev/full: cannot write it",
              "tune --method bon --task r1 --len 2 --steps 2 -m %s --log /dev/full", ref);
        shell("$RUNNER %s --cli help > /dev/full 2>/dev/null; test $? = 1", run.self);
        shell("$RUNNER %s --cli tune --help > /dev/full 2>/dev/null; test $? = 1", run.self);
    }
    // two programs at one log
    Output held = csv_open(in_scratch("held.csv"), "a,b\n");
    fails(1, "another program is writing it",
          "tune --method bon --task r1 --len 2 --steps 2 -m %s "
          "--log %s",
          ref, in_scratch("held.csv"));
    fputs("1,2\n", held.f);
    output_close(&held);
    slurp(in_scratch("held.csv"), &text);
    check(!strcmp(text, "a,b\n1,2\n"), "a log that is taken stays as it is: %s", text);
    // the model comes before the log's last row: a run whose model cannot be written is not
    // complete
    const char *folder = in_scratch("folder");
    mkdir(folder, 0777);
    fails(1, "cannot write it",
          "tune --method bon --task r1 --len 2 --steps 2 -m %s --log %s -o %s", ref,
          in_scratch("incomplete.csv"), folder);
}

// A loss that is not finite names the method and the step, and leaves no temporary file.
static double loss_nan(Batch *b, const Options *o) { return loss_tokens(b, o) * NAN; }

static void test_not_finite(void) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) { // OpenMP starts its threads here: it does not survive a fork
        GPT g = gpt_new((Config){8, 5, 1, 1, 8, 5}, 0, 1);
        gpt_init(&g, 1);
        Options o = {.batch = 2};
        Trainer t = trainer_new("ipo", &g, loss_nan, 1, &o);
        batch_add(&t.batch, (int[]){0, 1, 2}, 3, 1);
        t.steps = 6;
        if (!freopen(in_scratch("stderr"), "w", stderr)) { _exit(9); }
        output_open(in_scratch("begun.bin"), 0);
        gradient_step(&t, 1e-3);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    char *text;
    slurp(in_scratch("stderr"), &text);
    check(WIFEXITED(status) && WEXITSTATUS(status) == 1
              && !strcmp(text, "pref: ipo: the loss is not finite at step 7; try a smaller --lr\n"),
          "status %d, said %s", status, text);
    check(temporaries_left() == 0, "no temporary file is left by a loss that is not finite");
    // hopeless rates: above 1 refused (see the wrong options), else told when it shows
    const char *d = run.directory;
    setenv("DATA", tiny_data("tiny.bin", NULL), 1);
    shell("$RUNNER %s --cli sft --lr 1 --steps 10 --batch 2 -L 1 -H 1 -C 16 -T 32 --data $DATA -o "
          "%s/m.bin "
          ">/dev/null "
          "2>%s/err",
          run.self, d, d);
    slurp(in_scratch("err"), &text);
    const char *said = "note: guessing has a validation loss of 3.00, far less: "
                       "--lr 1 is probably too high\n";
    check(strstr(text, said) == text, "sft --lr 1: %s", text);
    bandit_file("ref.bin", 2, 0);
    shell("$RUNNER %s --cli tune --method sft --task r1 --len 2 -m %s/ref.bin --lr 1 --steps 60 "
          ">/dev/null "
          "2>%s/err",
          run.self, d, d);
    slurp(in_scratch("err"), &text);
    check(!*text || strstr(text, "note: the policy has collapsed"), "tune --lr 1: %s", text);
    Options o = tune_options("bon", "r1", in_scratch("ref.bin"));
    o.len = 2;
    o.steps = 1;
    o.lr = 0.5;
    Run t;
    run_init(&t, &o);
    tune(&t);
    t.trainer.log.f = NULL;  // tune has closed it
    const char *said_there = in_scratch("collapse");
    for (int k = 0; k < 3; k++) { // entropy or reward may be low: both together are a collapse
        t.start_entropy = k == 0 ? 1 : 1e4;
        t.start_gold = k == 1 ? 0 : 1;
        fflush(stderr);
        check(freopen(said_there, "w", stderr) != NULL, "stderr");
        evaluate(&t.trainer, 1);
        fflush(stderr);
        slurp(said_there, &text);
        check((strstr(text, "note: the policy has collapsed: ") == text) == (k == 2)
                  && (k < 2 || (strstr(text, "entropy is ") && strstr(text, " its reward is lower")
                                && strstr(text, "--lr 0.5 is probably too high\n"))),
              "the collapse, case %d: %s", k, text);
    }
    check(freopen("/dev/null", "w", stderr) != NULL, "stderr");
}

// The table that the KL study prints: by a plain descent of our own, in one case.
static void test_kl_study(void) {
    double q0[BINS], t[BINS], z[BINS], p[BINS];
    bump(q0, 6, 2, 0.1);
    bump(t, 9, 2, 0.1);
    for (int reverse = 0; reverse < 2; reverse++) {
        double start = 0, lr = 2;
        int arrived = -1;
        for (int i = 0; i < BINS; i++) {
            z[i] = log(q0[i]);
            start += fabs(q0[i] - t[i]) / 2;
        }
        for (int step = 0; step < 5000; step++) {
            double total = 0, left = 0, kl = 0;
            for (int i = 0; i < BINS; i++) { total += exp(z[i]); }
            for (int i = 0; i < BINS; i++) {
                p[i] = exp(z[i]) / total;
                left += fabs(p[i] - t[i]) / 2;
                kl += p[i] * log(p[i] / t[i]);
            }
            if (left > 0.1 * start) { arrived = step + 1; }
            for (int i = 0; i < BINS; i++) {
                z[i] -= lr * (reverse ? p[i] * (log(p[i] / t[i]) - kl) : p[i] - t[i]);
            }
        }
        near(descend(q0, t, reverse, lr, NULL, NULL), arrived, 0, "steps of the %s KL",
             reverse ? "reverse" : "forward");
    }
    FILE *f = fopen(in_scratch("kl.csv"), "w");
    study(f);
    fclose(f);
    fflush(stdout);
    char *text;
    slurp(in_scratch("output"), &text);
    check(strstr(text, "near with mass everywhere") && strstr(text, "never"), "the study's table");
    const char *toys = "all 6972 starts and targets in tenths, at the learning rate 1: "
                       "forward KL is sooner in 2592, reverse KL in 2046\n";  // counted in Python
    check(strstr(text, toys) != NULL, "all toys");
    near(field(in_scratch("kl.csv"), 0, "tv"), total_variation(q0, t), 1e-5, "kl.csv: tv");
    near(field(in_scratch("kl.csv"), 0, "forward_kl"), kl_divergence(t, q0), 1e-5,
         "kl.csv: forward");
    near(field(in_scratch("kl.csv"), 0, "reverse_kl"), kl_divergence(q0, t), 1e-5,
         "kl.csv: reverse");
    near(field(in_scratch("kl.csv"), 0, "p6"), q0[6], 1e-5, "kl.csv: p6");
}

// --- piece by piece -----------------------------------------------------------------------------

// A tokenizer of these tokens.
static Tokenizer tokenizer_of(const char *const *token, int V, int eot) {
    Tokenizer t = {.V = V, .eot = eot};
    t.at = alloc((size_t)V + 1, sizeof(int), "test");
    t.bytes = alloc((size_t)V * 16, 1, "test");
    for (int i = 0; i < V; i++) {
        t.at[i + 1] = t.at[i] + (int)strlen(token[i]);
        memcpy(t.bytes + t.at[i], token[i], strlen(token[i]));
    }
    tokenizer_index(&t);
    return t;
}

static void encodes(const Tokenizer *t, const char *text, int n, const int *expected) {
    int id[64], got = encode(t, text, (int)strlen(text), id);
    check(got == n && !memcmp(id, expected, (size_t)n * sizeof(int)), "encoding of '%s'", text);
}

// A model that all but always says one token.
static GPT favourite_gpt(Config c, int favourite) {
    double *p = alloc(c.V, sizeof *p, "test");
    for (int v = 0; v < c.V; v++) { p[v] = v == favourite ? 1 : 1e-13; }
    return independent_gpt(c, p, 0, 0);
}

// A model with weights wide enough that its distributions are far from uniform.
static GPT random_gpt(Config c, int head, int seed) {
    GPT g = gpt_new(c, head, 1);
    gpt_init(&g, seed);
    Rng r = rng_stream(seed, 'w', 0);
    for (size_t i = 0; i < g.n_params; i++) { g.params[i] += (real)(float)(0.3 * rng_normal(&r)); }
    for (size_t i = 0; i < g.n_params; i++) { g.params[i] = (real)(float)g.params[i]; }
    gpt_pack(&g);
    return g;
}

static void same_row(const GPT *a, const GPT *b, double tolerance, const char *what) {
    Acts x = acts_new(a, 1, a->c.maxT, 0), y = acts_new(b, 1, b->c.maxT, 0);
    Batch one = batch_new(1, 8, 1), two = batch_new(1, 8, 1);
    batch_add(&one, (int[]){1, 0, 1, 1}, 4, 1);
    batch_add(&two, (int[]){1, 0, 1, 1}, 4, 1);
    gpt_forward(a, &x, &one, one.logp, NULL);
    gpt_forward(b, &y, &two, two.logp, NULL);
    for (int i = 1; i < 4; i++) { near((double)two.logp[i], (double)one.logp[i], tolerance, what); }
}

static void test_random_numbers(void) {
    Rng r = rng_stream(1, 't', 0);
    int seen[3] = {0}, first[2] = {0}, n = 20000;
    for (int i = 0; i < 3000; i++) { seen[rng_below(&r, 3)]++; }
    for (int i = 0; i < 3; i++) {
        check(seen[i] > 850 && seen[i] < 1150, "%d of 3: %d times", i, seen[i]);
    }
    double *x = alloc((size_t)n, sizeof *x, "test");
    for (int i = 0; i < n; i++) { x[i] = rng_normal(&r); }
    Moments m = moments(x, n);
    near(m.mean, 0, 0.03, "mean of normal numbers");
    near(m.std, 1, 0.03, "standard deviation of normal numbers");
    Rng one = rng_stream(1, 'a', 0);
    check(one != rng_stream(2, 'a', 0), "seeds name streams");
    check(one != rng_stream(1, 'b', 0), "purposes name streams");
    check(one != rng_stream(1, 'a', 1), "indices name streams");
    Deck d = deck_new(2, 1, 'd');
    for (int i = 0; i < 64; i++) {
        first[deal(&d)]++;
        deal(&d);
    }
    check(first[0] > 16 && first[1] > 16, "a deck of two begins with 0 %d of 64 times", first[0]);
    for (int k = 1; k <= 40; k++) {
        for (int i = 0; i < k; i++) {
            real y[40] = {0};
            for (int j = 0; j < k; j++) { y[j] = -1; }
            y[i] = 1;
            check(largest(y, k) == 1, "the largest of %d is number %d", k, i);
        }
    }
}

static void test_models(void) {
    // more rows of wte than the vocabulary has, where they need wider panels
    Config c = {8, LANES, 1, 1, 8, LANES};
    GPT a = random_gpt(c, 0, 3);
    c.Vp = TILE_N + 1;
    GPT b = gpt_new(c, 0, 0);
    for (int k = 0; k < N_TENSORS; k++) {
        memcpy(param(&b, k, 0), param(&a, k, 0), a.tensor[k].size * sizeof(real));
    }
    gpt_pack(&b);
    same_row(&a, &b, 0, "rows that fill up wte");
    const char *path = in_scratch("model.bin");
    GPT copy = gpt_copy(&a, 0);
    gpt_save(&a, path);
    GPT loaded = gpt_load(path);
    same_row(&a, &copy, 0, "a copy's log-probabilities");
    same_row(&a, &loaded, 0, "a loaded model's log-probabilities");
    GPT layout = gpt_layout((Config){8, 8, 2, 1, 8, 8}, 0);
    near(layout.tensor[PROJW].std, 0.01, 1e-12, "start of projections with two layers");
    near(layout.tensor[FCPROJW].std, 0.01, 1e-12, "start of projections with two layers");
    GPT big = gpt_new((Config){16, 200, 1, 1, 32, 200}, 0, 1);
    check(big.n_params > 2 * CHUNK, "a model of several chunks");
    for (size_t i = big.n_params - 10; i < big.n_params; i++) { big.grads[i] = 2; }
    near(adam(&big, 0, 0, 1), sqrt(40), 1e-6, "the norm of a gradient at the end");
}

static void test_gradient_step(void) {
    // one gradient step of the policy: clipped to norm 1, and counted
    Options o = {.lr = 0.01, .batch = 2};
    GPT g = random_gpt((Config){8, 10, 1, 1, 8, 10}, 0, 1);
    Trainer t = trainer_new("reinforce", &g, loss_reinforce, 1, &o);
    batch_add(&t.batch, (int[]){1, 2, 3}, 3, 1);
    batch_add(&t.batch, (int[]){4, 5}, 2, 1);
    t.batch.advantage[1] = t.batch.advantage[2] = 1;  // dlogp -1/2 at two tokens
    t.batch.advantage[4] = -3;                        // and 3/2 at one
    gradient_step(&t, o.lr);
    double squares = 0;
    for (size_t i = 0; i < g.n_params; i++) { squares += pow((double)g.m[i], 2); }
    check(t.sum.grad_norm > 1, "a gradient to clip: %g", t.sum.grad_norm);
    near(sqrt(squares), 0.1, 1e-4, "the first moment is a tenth of a gradient of norm 1");
    near(t.sum.push_up, 1, 1e-6, "push_up");
    near(t.sum.push_down, 1.5, 1e-6, "push_down");
    near(t.sum.loss, t.first_loss, 0, "the first loss is kept");
    double first = t.first_loss;
    gradient_step(&t, o.lr);
    check(t.steps == 2 && t.sum.n == 2 && t.tokens == 10, "two steps are counted: %d", t.steps);
    near(t.first_loss, first, 0, "the first loss stays");
    // without max_norm no gradient is clipped
    g = random_gpt((Config){8, 10, 1, 1, 8, 10}, 0, 1);
    t.max_norm = t.steps = squares = 0;
    double summed = t.sum.grad_norm;
    gradient_step(&t, o.lr);
    for (size_t i = 0; i < g.n_params; i++) { squares += pow((double)g.m[i], 2); }
    near(sqrt(squares), 0.1 * (t.sum.grad_norm - summed), 1e-4, "without max_norm none is clipped");
}

// How far the first step of a training run of this many moves a parameter: Adam's first step moves
// all by the learning rate, that of --lr, or of the schedule where the trainer decays it.
static double first_move(int steps, int decay) {
    Options o = {.lr = 0.01, .batch = 1, .steps = steps};
    GPT g = random_gpt((Config){8, 10, 1, 1, 8, 10}, 0, 1);
    GPT before = gpt_copy(&g, 0);
    Batch data = batch_of_tokens(1, 8);
    batch_add(&data, (int[]){1, 2, 3, 4}, 4, 1);
    Trainer t = trainer_new("test", &g, loss_tokens, 1, &o);
    t.data = &data;
    t.deck = deck_new(1, 1, EPOCH_STREAM);
    t.decay = decay;
    train(&t);
    double most = 0;
    for (size_t i = 0; i < g.n_params; i++) {
        most = fmax(most, fabs((double)(g.params[i] - before.params[i])));
    }
    check(t.steps == steps && t.spent >= 0, "%d steps: %d", steps, t.steps);
    return most;
}

static void test_rate(void) {
    near(first_move(1, 0), 0.01, 2e-5, "without decay the rate is that of --lr");
    near(first_move(1, 1), scheduled_rate(0.01, 1, 1), 2e-5, "with decay it is the schedule's");
    check(first_move(1, 1) < 0.0096, "which begins lower");
    check(first_move(3, 0) > 0.02, "and without it stays");
    check(first_move(2, 0) < 0.0201, "Adam's second step moves nothing further than its first");
}

// Files are written beside their place: nothing is there before they are complete, and nothing is
// left behind. A path that is no regular file is written in place.
static void test_output(void) {
    const char *path = in_scratch("out.bin"), *link = in_scratch("link");
    char *text = NULL;
    for (int k = 0; k < 2; k++) {  // a new file, and one that replaces it
        Output out = output_open(path, 0);
        check(has_temporary && !out.in_place && temporaries_left() == 1, "a temporary file");
        check(k ? slurp(path, &text) == 1 && *text == '0' : access(path, F_OK) != 0,
              "its place is as it was");
        fputc('0' + k, out.f);
        output_close(&out);
        check(!has_temporary && temporaries_left() == 0, "no temporary file is left");
        check(slurp(path, &text) == 1 && *text == '0' + k, "the file is complete: %s", text);
        remove_temporary();
        output_check(path);
        check(slurp(path, &text) == 1 && *text == '0' + k, "nothing harms a complete file");
    }
    Output out = output_open(path, 0);
    fputc('2', out.f);
    fclose(out.f);
    remove_temporary();
    check(!has_temporary && temporaries_left() == 0 && slurp(path, &text) == 1 && *text == '1',
          "a file that is given up leaves the old one: %s", text);
    output_check(in_scratch("new.bin"));
    check(access(in_scratch("new.bin"), F_OK) != 0 && temporaries_left() == 0,
          "to check a path leaves nothing");
    output_check(NULL);
    check(symlink(path, link) == 0, "a link");
    out = output_open(link, 0);
    check(out.in_place && !has_temporary && temporaries_left() == 0, "a link is written in place");
    fputs("34", out.f);
    output_close(&out);
    check(slurp(path, &text) == 2 && !strcmp(text, "34"), "what the link names: %s", text);
}

// A trainer of one group, the rows of loss_batch, with a model of its own.
static Trainer loss_trainer(GPT *g, const char *name, Loss loss, const Options *o) {
    int at[12];
    *g = random_gpt((Config){8, 5, 1, 1, 8, 5}, 1, 1);
    Trainer t = trainer_new(name, g, loss, 4, o);
    t.batch = loss_batch(at);
    gpt_forward(g, &t.acts, &t.batch, t.batch.old_logp, NULL);  // so that ppo clips nothing
    return t;
}

// What multiplies the weights that push tokens down: 1 in a new trainer, whatever Options.neg is,
// which only preference tuning hands on.
static void test_negative_weights(void) {
    for (int m = 0; m <= N_METHODS; m++) {
        const char *name = m < N_METHODS ? METHODS[m].name : "sft on stories";
        Loss loss = m < N_METHODS ? METHODS[m].loss : loss_tokens;
        Options o = LOSS_OPTIONS;
        o.batch = 1;
        o.beta = 0.5;
        GPT g[3];
        Trainer t[3];  // with neg 1, 0 and 1/2
        double down[3] = {0}, up[3] = {0};
        for (int k = 0; k < 3; k++) {
            t[k] = loss_trainer(&g[k], name, loss, &o);
            check(t[k].neg == 1, "a new trainer keeps positive weights");
            if (k) { t[k].neg = k == 1 ? 0 : 0.5; }
            gradient_step(&t[k], 0.01);
            for (int i = 0; i < t[k].batch.n_tokens; i++) {
                double d = (double)t[k].batch.dlogp[i], whole = (double)t[0].batch.dlogp[i];
                check(d == (whole > 0 ? whole * t[k].neg : whole), "%s: --neg %g: dlogp %g, not %g",
                      name, t[k].neg, d, whole);
                down[k] += fmax(d, 0);
                up[k] += fmax(-d, 0);
            }
            near(t[k].sum.push_down, down[k], 1e-6, "%s: push_down", name);
            near(t[k].sum.push_up, up[k], 1e-6, "%s: push_up", name);
        }
        int imitates = m == N_METHODS || METHODS[m].imitates || METHODS[m].loss == loss_rwr;
        check((down[0] > 0) == !imitates && down[1] == 0, "%s: positive weights: %g, %g", name,
              down[0], down[1]);
        check(imitates == !memcmp(g[0].params, g[1].params, g[0].n_params * sizeof(real)),
              "%s: --neg reaches the model where there is something to scale", name);
    }
    // steps of other training than preference tuning are the same whatever Options.neg is
    uint64_t print[2][3];
    for (int neg = 0; neg < 2; neg++) {
        Options o = LOSS_OPTIONS;
        o.batch = 1;
        o.neg = neg;
        const Loss losses[] = {loss_tokens, loss_bradley_terry, loss_dpo};
        for (int k = 0; k < 3; k++) {
            GPT g;
            Trainer t = loss_trainer(&g, "test", losses[k], &o);
            t.uses_value = k == 1;
            t.uses_logp = k != 1;
            gradient_step(&t, 0.01);
            if (k == 1) {
                int lost = t.batch.row[t.batch.pair[0].lost + 1] - 1;
                check(t.batch.dvalue[lost] > 0, "a reward model learns of the one that lost");
            }
            check(k < 2 || t.sum.push_down > 0, "a new trainer pushes tokens down");
            print[neg][k] = fingerprint(g.params, g.n_params * sizeof(real), 0);
        }
    }
    check(!memcmp(print[0], print[1], sizeof print[0]), "steps do not depend on Options.neg");
    for (int k = 0; k < 2; k++) {  // preference tuning hands it on
        Options o = tune_options("dpo", "r1", bandit_file("ref.bin", 2, 0));
        o.len = 2;
        o.steps = 2;
        o.lr = 0.01;
        o.neg = k ? 0.25 : 0;
        Run r;
        run_init(&r, &o);
        tune(&r);
        check(r.trainer.neg == o.neg, "tune hands --neg on");
        double pushed = field(o.log, -1, "push_down");
        check(k ? pushed > 0 : pushed == 0, "--neg %g: push_down %g", o.neg, pushed);
    }
}

// A step of a method of pairs whose responses all earn the same is none: the model stays, and the
// log has no loss. Another method makes its step.
static void test_no_pairs(void) {
    enum { L = 2 };
    for (int k = 0; k < 2; k++) {
        Options o = tune_options(k ? "sft" : "dpo", "r1", bandit_file("ref.bin", L, 0));
        o.len = L;
        o.batch = 2;
        o.n = 2;
        o.steps = 3;
        o.lr = 0.01;
        Run r;
        run_init(&r, &o);
        Trainer *t = &r.trainer;
        Batch data = batch_new(4, 4 * (L + 1), 2);
        for (int i = 0; i < 4; i++) { batch_add(&data, (int[]){1, 2 + i, 3}, 3, 1); }
        t->data = &data;
        t->deck = deck_new(2, 1, ORDER_STREAM);
        t->left = 3;
        train(t);
        int same = !memcmp(r.policy.params, r.ref.params, r.ref.n_params * sizeof(real));
        check(k ? !same && t->steps == 3 : same && t->steps == 0 && t->sum.n == 0,
              "%s: %d steps without pairs", METHODS[k ? 0 : 6].name, t->steps);
    }
}

static void test_encoding_order(void) {
    const char *const abc[] = {"a", "b", "c", "ab", "bc", ""};
    Tokenizer t = tokenizer_of(abc, 6, 5);
    encodes(&t, "abc", 2, (int[]){3, 2});  // ab is the lower id
    const char *const twice[] = {"a", "b", "ab", "abab", ""};
    t = tokenizer_of(twice, 5, 4);
    encodes(&t, "abab", 1, (int[]){3});
    const char *const equal[] = {"a", "b", "a", ""};
    t = tokenizer_of(equal, 4, 3);
    encodes(&t, "ab", 2, (int[]){0, 1});
    const char *const marker[] = {".", ".."};
    t = tokenizer_of(marker, 2, 1);
    encodes(&t, "..", 2, (int[]){0, 0});
    t = tokenizer_of_file("tinystories_tok.bin");
    const char *text = "Who is it? He ran.";
    int id[64], n = encode(&t, text, (int)strlen(text), id), bytes = 0;
    id[n] = t.eot;
    for (int i = 0, p = prompt_length(&t, id, n + 1); i < p; i++) {
        bytes += token_length(&t, id[i]);
    }
    check(bytes == 10, "the first sentence of '%s' has %d bytes", text, bytes);
}

// A world of stories of tokens a, ., b and end-of-text.
enum { TOY_A, TOY_DOT, TOY_B, TOY_EOT };
static World toy_world(void) {
    static const char *const token[] = {"a", ".", "b", ""};
    return (World){.task = &TASKS[2],
                   .T = 128,
                   .t = tokenizer_of(token, 4, TOY_EOT),
                   .longest = 103,
                   .mode = 50};
}

// Stories of that world: these tokens, each row with a start token before it.
static Batch stories_of(const World *w, const int *token, int n) {
    Batch b = batch_of_tokens(n, 2 * n);
    for (int begin = 0, end = 0; end < n; begin = end) {
        int row[64] = {TOY_EOT};
        while (token[end++] != TOY_EOT) {}
        memcpy(row + 1, token + begin, (end - begin) * sizeof(int));
        batch_add(&b, row, 1 + end - begin, 1 + prompt_length(&w->t, row + 1, end - begin));
    }
    return b;
}

static void test_story_rows(void) {
    World w = toy_world();
    int story[64], n = 0, seen[4] = {0}, longest = 0;
    for (int i = 0; i < 24; i++) { story[n++] = TOY_A; }  // a first sentence of 25 tokens: too long
    story[n++] = TOY_DOT;
    story[n++] = TOY_EOT;
    const int more[] = {TOY_A, TOY_DOT, TOY_B, TOY_EOT, TOY_B, TOY_DOT, TOY_A, TOY_A, TOY_EOT};
    memcpy(story + n, more, sizeof more);
    Batch c = stories_of(&w, story, n + 9);
    Rng r = rng_stream(1, 'p', 0);
    Batch b = batch_new(200, 200 * 32, 1);
    for (int i = 0; i < 200; i++) {
        batch_add_prompt(&b, &w, &c, &r);
        longest = b.row[i + 1] - b.row[i] > longest ? b.row[i + 1] - b.row[i] : longest;
        seen[b.token[b.row[i] + 1]]++;
    }
    check(longest == 3, "a prompt of %d tokens", longest);
    check(seen[TOY_A] > 50 && seen[TOY_B] > 50, "prompts of both stories: %d, %d", seen[TOY_A],
          seen[TOY_B]);
    batch_clear(&b);
    batch_copy_group(&b, &c, 2, 4);  // b . a a TOY_EOT does not fit in 4 with the start token
    batch_copy_group(&b, &c, 2, 6);
    batch_copy_group(&b, &c, 2, 2);  // not even its prompt fits
    check(b.row[1] == 4 && b.start[0] == 3
              && !memcmp(b.token, (int[]){TOY_EOT, TOY_B, TOY_DOT, TOY_A}, 4 * sizeof(int)),
          "a cut story");
    check(b.row[2] == 10 && b.start[1] == 7
              && !memcmp(b.token + 4, (int[]){TOY_EOT, TOY_B, TOY_DOT, TOY_A, TOY_A, TOY_EOT},
                         6 * sizeof(int)),
          "a story that just fits");
    check(b.row[3] == 12 && b.start[2] == 12 && b.n_tokens == 12 && b.n_rows == 3,
          "a story whose prompt is cut has no response");
    batch_clear(&b);
    check(batch_add_text(&b, &w, "a.", "b") == 5 && b.start[0] == 3 && b.token[3] == TOY_B
          && b.token[4] == TOY_EOT, "a response starts after its prompt");
    // the mean over tokens, however they fall into batches
    GPT g = random_gpt((Config){8, 4, 1, 1, 8, 4}, 0, 1);
    const int some[] = {TOY_A,   TOY_EOT, TOY_A, TOY_DOT, TOY_B, TOY_A,
                        TOY_DOT, TOY_EOT, TOY_B, TOY_B,   TOY_A, TOY_A, TOY_EOT};
    c = stories_of(&w, some, 13);
    double mean[3], total = 0;
    for (int k = 0; k < 3; k++) {  // two rows at a time, three, and more than there are
        Options o = {.batch = 2 + k};
        Trainer t = trainer_new("test", &g, loss_tokens, 1, &o);
        t.held = &c;
        mean[k] = validation_loss(&t);
    }
    near(mean[0], mean[2], 1e-6, "a loss over batches");
    near(mean[1], mean[2], 1e-6, "a loss over batches");
    Acts a = acts_new(&g, 3, 8, 0);
    real *logp = alloc(c.n_tokens, sizeof *logp, "test");
    gpt_forward(&g, &a, &c, logp, NULL);
    for (int i = 0; i < c.n_tokens; i++) { total -= (double)logp[i] / 13; }
    near(mean[0], total, 1e-5, "the mean over the 13 tokens that are predicted");
    // what is learned from, and what is held out: the losses go apart, and both are per token
    const int one[] = {TOY_A, TOY_A, TOY_A, TOY_A, TOY_A, TOY_EOT},
              other[] = {TOY_B, TOY_B, TOY_B, TOY_B, TOY_B, TOY_EOT};
    Batch as = stories_of(&w, one, 6), bs = stories_of(&w, other, 6);
    const char *csv = in_scratch("fit.csv");
    Options fast = {.steps = 60, .batch = 2, .lr = 0.03, .seed = 1, .eval_every = 6, .log = csv};
    GPT h = random_gpt((Config){8, 4, 1, 1, 8, 4}, 0, 2);
    Trainer t = trainer_new("test", &h, loss_tokens, 1, &fast);
    fflush(stdout);
    fit(&t, &as, &bs);
    double train_loss = field(csv, -1, "loss"), val = field(csv, -1, "val_loss"),
           before = field(csv, 0, "loss");
    check(field(csv, -1, "step") == 60 && train_loss < 0.5 && val > 2,
          "losses %g on what is learned from, %g on what is held out", train_loss, val);
    check(field(csv, 0, "step") == 6 && before > train_loss && before < 10, "the first loss: %g",
          before);
    check(t.steps == 60, "60 steps of fit: %d", t.steps);
    double loss[2] = {0};
    for (int every = 1; every <= 2; every++) {
        Options few = fast;
        few.steps = 4;
        few.eval_every = every;
        GPT e = random_gpt((Config){8, 4, 1, 1, 8, 4}, 0, 2);
        Trainer f = trainer_new("test", &e, loss_tokens, 1, &few);
        fit(&f, &as, &bs);
        for (int row = 0; row < 4 / every; row++) {
            loss[every - 1] += field(csv, row, "loss") * every / 4;
        }
    }
    near(loss[1], loss[0], 1e-5, "fit's loss: the mean since the last row");
}

// Of the groups that are held out the first 500 count. A loss of pairs is a mean over pairs.
static void test_held_out(void) {
    GPT g = random_gpt((Config){8, 4, 1, 1, 8, 4}, 0, 1);
    Options three = {.batch = 3};
    Batch many = batch_of_tokens(600, 1800);
    for (int r = 0; r < 600; r++) {
        batch_add(&many, (int[]){TOY_EOT, r < 500 ? r % 2 : TOY_B, TOY_EOT}, 3, 1);
    }
    Trainer long_one = trainer_new("test", &g, loss_tokens, 1, &three);
    long_one.held = &many;
    double first_500 = validation_loss(&long_one), both = 0;
    many.n_rows = 2;
    near(first_500, validation_loss(&long_one), 1e-5, "the loss on the first 500 of 600");
    GPT scorer = random_gpt((Config){8, 4, 1, 1, 8, 4}, 1, 1);
    Batch held = batch_new(10, 80, 2);
    for (int r = 0; r < 10; r++) {
        batch_add(&held, (int[]){TOY_EOT, r % 3, r % 4, r / 4, TOY_EOT}, 4 + r % 2, 1);
        held.reward[r] = !(r % 2);
    }
    Trainer pairs = trainer_new("test", &scorer, loss_bradley_terry, 2, &three);
    pairs.held = &held;
    pairs.uses_logp = 0;
    pairs.uses_value = 1;
    Acts scoring = acts_new(&scorer, 10, 8, 0);
    gpt_forward(&scorer, &scoring, &held, NULL, held.value);
    for (int r = 0; r < 10; r += 2) {
        double won = (double)held.value[held.row[r + 1] - 1];
        both -= log_sigmoid(won - (double)held.value[held.row[r + 2] - 1]) / 5;
    }
    near(validation_loss(&pairs), both, 1e-5, "the mean over 5 pairs, 3 of them at a time");
}

static void test_draws(void) {
    real logits[2] = {0, (real)log(3.0)}, odds[2], logp;
    Sampling how = {.temperature = 0.5};
    Rng r = rng_stream(1, 'd', 0);
    for (int i = 0; i < 200; i++) {
        int token = draw(logits, odds, 2, &how, &r, &logp);
        near((double)logp, log(token ? 0.75 : 0.25), 1e-6,
             "log-probability under the model itself");
    }
    Config c = {16, 100, 1, 1, 8, 100};
    GPT g = random_gpt(c, 0, 1);
    Acts s = sampler_new(c, 20, 16);
    Batch prompt = batch_new(1, 1, 1), out[3];
    batch_add(&prompt, (int[]){0}, 1, 1);
    for (int k = 0; k < 3; k++) {
        Sampling stream = {.T = 16, .eot = -1, .temperature = 1, .seed = 1, .stream = k % 2};
        out[k] = batch_new(20, 320, 1);
        rollout(&g, &s, &prompt, 20, &stream, &out[k]);
    }
    check(memcmp(out[0].token, out[1].token, 320 * sizeof(int)) != 0, "streams give other samples");
    check(!memcmp(out[0].token, out[2].token, 320 * sizeof(int)),
          "a stream gives the same samples");
    // the bandit: prompts of many kinds, responses of one length
    Options o = {.seed = 1, .n = 1};
    Run run_b = {.o = &o, .world = {.task = &TASKS[0], .T = 16}, .policy = g, .sampler = s};
    run_b.prompts = batch_new(200, 200, 1);
    Batch many = batch_new(200, 3200, 1);
    run_b.sampler = sampler_new(c, 200, 16);
    sample_groups(&run_b, &g, NULL, 200, 1, 7, &many);
    int kinds = 0, seen[100] = {0};
    for (int i = 0; i < 200; i++) {
        check(many.row[i + 1] - many.row[i] == 16, "a bandit's response has %d tokens",
              many.row[i + 1] - many.row[i] - 1);
        kinds += !seen[many.token[many.row[i]]]++;
    }
    check(kinds > 60, "%d kinds of prompts", kinds);
}

static void response(Batch *b, int n_a, int complete) {  // prompt "a.", then n_a times a
    int row[128] = {TOY_EOT, TOY_A, TOY_DOT}, n = 3;
    for (int i = 0; i < n_a; i++) { row[n++] = TOY_A; }
    if (complete) { row[n++] = TOY_EOT; }
    batch_add(b, row, n, 3);
}

// measure hist prints the share of each token of the bandit's policy, or of each response length.
static void test_hist(void) {
    double p[BANDIT_TOKENS] = {0};
    p[7] = 0.75;
    p[8] = 0.25;
    GPT g = independent_gpt((Config){4, BANDIT_TOKENS, 1, 1, 8, BANDIT_TOKENS}, p, 0, 0);
    const char *m = in_scratch("bandit.bin"), *data = tiny_data("tiny.bin", NULL);
    char *text;
    gpt_save(&g, m);
    works("hist -m %s --task r1 --len 3 -n 2000 --seed 2", m);
    slurp(in_scratch("stdout"), &text);
    check(!strncmp(text, "bin,share\n0,0\n", 14), "the header and token 0: %.20s", text);
    double share7 = strtod(strstr(text, "\n7,") + 3, NULL);
    double share8 = strtod(strstr(text, "\n8,") + 3, NULL);
    near(share7, 0.75, 0.02, "the share of token 7");
    near(share7 + share8, 1, 1e-5, "both tokens together");
    check(strstr(text, "\n99,0\n") != NULL, "all tokens are there");
    const char *story = tiny_policy("m.bin", data, 0.5, 0.2);  // ends after each token with p 0.5
    works("hist -m %s --data %s --task min -n 4000", story, data);
    slurp(in_scratch("stdout"), &text);
    check(!strncmp(text, "bin,share\n1,", 12), "lengths begin at 1: %.20s", text);
    double total = 0;
    for (char *line = strchr(text, '\n'); line && line[1]; line = strchr(line + 1, '\n')) {
        total += strtod(strchr(line, ',') + 1, NULL);
    }
    near(total, 1, 1e-4, "shares of all lengths");
    near(strtod(strstr(text, "\n1,") + 3, NULL), 0.5, 0.03, "half of the responses have length 1");
    near(strtod(strstr(text, "\n3,") + 3, NULL), 0.125, 0.02, "an eighth have length 3");
    fails(2, "--data: for stories", "hist -m %s --task r1 --len 3 --data %s", m, data);
    fails(2, "--data: for stories; this run is ids", "score -m %s --ids x --data %s", m, data);
    fails(2, "--data: for files of pairs", "info %s --data %s", m, data);
    fails(2, "--data: for files of pairs", "info %s --data %s", data, data);
    works("info %s", m);
    fails(2, "--len: for bandit", "hist -m %s --data %s --task min --len 3", story, data);
}

static void test_pair_drawing(void) {
    World w = toy_world();
    Batch b = batch_new(4, 512, 4), pair = batch_new(2, 256, 2);
    char *text[3];
    response(&b, 4, 0);  // cut
    response(&b, 1, 1);
    response(&b, 2, 1);
    response(&b, 3, 1);
    Rng r = rng_stream(1, 'l', 0);
    check(draw_pair(&w, &b, 0, &r, &pair, text) && !strcmp(text[0], "a")
              && !strcmp(text[1], "aa"),
          "the first two complete responses make a pair");
    for (int k = 0; k < 3; k++) { free(text[k]); }
    // a truncated response: min(l, 1, 2, ... with mean 15.5), its last token end-of-text
    double lengths = 0, q = exp(-1 / 15.0);
    int whole = 0, ones = 0, bad = 0, y[103];
    for (int k = 0; k < 20000; k++) {
        for (int i = 0; i < 103; i++) { y[i] = i < 102 ? 1 : w.t.eot; }
        int l = truncate_response(y, 103, w.t.eot, &r);
        bad += l < 1 || l > 103 || y[l - 1] != w.t.eot || (l > 1 && y[l - 2] == w.t.eot);
        lengths += l / 20000.0;
        whole += l == 103;
        ones += l == 1;
    }
    check(!bad, "%d responses are cut badly", bad);
    near(lengths, (1 - pow(q, 103)) / (1 - q), 0.4, "the mean length of truncated responses");
    near(whole / 20000.0, pow(q, 102), 4e-4, "the share that stays whole");
    near(ones / 20000.0, 1 - q, 6e-3, "the share that is cut to nothing");
    w.task = &TASKS[4];
    batch_clear(&b);
    for (int k = 0; k < 4; k++) { response(&b, 102, 1); }
    check(draw_pair(&w, &b, 0, &r, &pair, text), "skew makes a pair of responses of one length");
    for (int i = 0; i < 3; i++) { free(text[i]); }
    // a pair as a line; with noise, the label is drawn: sigmoid(gap / noise) is 3/4 here
    char *line, *part[3], *rest, *texts[] = {"a\\b\n", "\ta\r", "a.\x7f/\""};
    size_t size;
    double score[2], wins[2] = {0};
    pair.reward[0] = 0.25;
    pair.reward[1] = 1;
    for (int k = 0; k < 2000; k++) {
        double noise = k % 2 ? 0.75 / log(3.0) : 0;
        FILE *f = open_memstream(&line, &size);
        write_pair(f, &pair, texts, noise, &r);
        fclose(f);
        rest = line;
        check(next_pair(&rest, part, score) && !*rest && !strcmp(part[0], texts[2]),
              "a pair is one line");
        int second = score[0] == 1;
        check(!strcmp(part[1], texts[second]) && !strcmp(part[2], texts[!second])
                  && score[0] + score[1] == 1.25, "texts and scores belong together");
        wins[k % 2] += second;
        free(line);
    }
    check(wins[0] == 1000, "without noise the better response wins");
    check(fabs(wins[1] - 750) < 60, "with noise it wins %g of 1000 times", wins[1]);
    const char *path = spill_pairs("one.txt", "a.\tb\taa\n");
    Batch data = pairs_read(&w, path);
    check(data.n_rows == 2 && data.reward[0] == 1 && data.reward[1] == 0
              && data.token[data.start[0]] == TOY_B && data.token[data.start[1]] == TOY_A,
          "the chosen one wins");
}

// The rows of a file of pairs; the same pairs with a byte-order mark, CRLF, more columns and no end
// to the last line.
static void test_pairs_read(void) {
    World w = toy_world();
    const char *plain = spill_pairs("plain.txt", "a.\tb\taa\n\taa.\t\nab.\tb\t\n");
    const char *other = in_scratch("other.txt");
    const char bytes[] = "\xef\xbb\xbfprompt\tchosen\trejected\tx\ty\tz\tscore\r\n"
                         "a.\tb\taa\t\t\t\t1\r\n\taa.\t\t1\t2\t3\t\\n\r\nab.\tb\t\t\t\t\t";
    spill(other, bytes, sizeof bytes - 1);
    Batch one = pairs_read(&w, plain), two = pairs_read(&w, other);
    check(one.n_rows == 6 && one.group == 2 && one.n_tokens == 5 + 6 + 5 + 2 + 6 + 5,
          "three pairs: %d rows, %d tokens", one.n_rows, one.n_tokens);
    check(two.n_rows == 6 && two.n_tokens == one.n_tokens
              && !memcmp(one.token, two.token, one.n_tokens * sizeof(int))
              && !memcmp(one.row, two.row, 7 * sizeof(int))
              && !memcmp(one.start, two.start, 6 * sizeof(int)),
          "a file from elsewhere is the same");
    for (int r = 0; r < 6; r++) {
        check(one.reward[r] == !(r % 2) && two.reward[r] == one.reward[r], "rewards 1 and 0");
        check(one.token[one.row[r]] == TOY_EOT && one.token[one.row[r + 1] - 1] == TOY_EOT,
              "a row begins and ends with end-of-text");
    }
    check(one.start[2] == one.row[2] + 1 && one.start[3] == one.row[3] + 1
              && one.start[4] == one.row[4] + 4, "an empty prompt, and one of three tokens");
    make_pairs(&one);
    check(one.n_pairs == 3 && one.pair[1].won == 2 && one.pair[1].lost == 3, "pairs of a file");
}

static void test_more_losses(void) {
    int at[12];
    Options o = {.beta = 0.5, .tau = 0.05, .clip = 0.2, .neg = 1};
    Batch b = loss_batch(at);
    double all = 0;
    for (int i = 0; i < 12; i++) { all += (double)b.logp[at[i]]; }
    near(loss_and_dlogp(&b, loss_sft, &o), -all / 4, 1e-6, "sft");
    near((double)b.dlogp[at[0]], -0.25, 1e-6, "sft's dlogp");
    loss_and_dlogp(&b, loss_rwr, &o);
    const double weight[] = {4.05519997, 0.11080316, 2.22554093, 0.67032005};  // exp(TOY_A / 0.5)
    const int first[] = {0, 3, 5, 9};
    for (int r = 0; r < 4; r++) {
        near((double)b.dlogp[at[first[r]]], -weight[r] / 4, 1e-6, "rwr");
    }
    // rho = exp(-0.3 sin(2.1 i)): beyond 1.2 where A > 0, or below 0.8 where A < 0
    loss_and_dlogp(&b, loss_ppo, &o);
    int clipped = 0;
    for (int i = 0; i < 12; i++) {
        double rho = exp(-0.3 * sin(2.1 * i)), A = (double)b.advantage[at[i]];
        clipped += A > 0 ? rho > 1.2 : rho < 0.8;
    }
    near(b.clip_frac, clipped / 12.0, 1e-9, "share of clipped tokens");
    check(clipped > 0, "some are clipped: %d", clipped);
    for (int i = 0; i < b.n_tokens; i++) { b.returns[i] = 1; }
    double ppo = loss_and_dlogp(&b, loss_ppo, &o), value = loss_value(&b);
    near(loss_and_dlogp(&b, loss_ppo_value, &o), ppo + value, 1e-6, "ppo with a value");
    check(value > 0.01 && b.dvalue[at[0] - 1] < 0, "the value is learned: %g", value);
    double once = 0, twice = 0;
    loss_and_dlogp(&b, loss_bradley_terry, &o);
    for (int i = 0; i < 16; i++) { once += fabs((double)b.dvalue[i]); }
    loss_and_dlogp(&b, loss_bradley_terry, &o);
    for (int i = 0; i < 16; i++) { twice += fabs((double)b.dvalue[i]); }
    check(once > 0 && once == twice, "dvalue begins at zero: %g, %g", once, twice);
    Batch t = batch_new(2, 8, 1);
    batch_add(&t, (int[8]){0}, 3, 1);
    batch_add(&t, (int[8]){0}, 5, 1);
    for (int i = 0; i < 8; i++) { t.logp[i] = -1; }
    near(loss_and_dlogp(&t, loss_tokens, &o), 1, 1e-6,
         "the mean over the six tokens that are predicted");
    near((double)t.dlogp[1], -1.0 / 6, 1e-6, "dlogp of each");
    // the KL penalty: two responses of two tokens, 0.5 times log pi/pi_ref = 0.3 and -0.8
    Batch k = batch_new(2, 6, 2);
    for (int r = 0; r < 2; r++) { batch_add(&k, (int[3]){0}, 3, 1); }
    const double old[] = {0, -1, -1, 0, -2, -1}, ref[] = {0, -1.2, -1.1, 0, -1.5, -0.7};
    for (int i = 0; i < 6; i++) {
        k.old_logp[i] = (real)old[i];
        k.ref_logp[i] = (real)ref[i];
    }
    k.reward[0] = k.reward[1] = 1;
    set_advantages(&k, NO_BASELINE, 0.5);
    near((double)k.advantage[1], 1 - 0.15, 1e-6, "reward less the KL penalty");
    near((double)k.advantage[5], 1 + 0.4, 1e-6, "reward less the KL penalty");
    // GAE of two equal responses
    for (int i = 0; i < 6; i++) { k.old_value[i] = (real)(0.1 * (i % 3)); }
    k.reward[0] = k.reward[1] = 1;
    set_advantages_gae(&k, 0.95, 0);
    near((double)k.returns[2], 1, 1e-6, "return of the last token");
    near((double)k.returns[1], (double)k.returns[4], 1e-6, "equal responses have equal returns");
    near((double)k.returns[2], (double)k.returns[5], 1e-6, "equal responses have equal returns");
}

// A bandit's run with a policy and another reference, not trained.
static void toy_run(Run *r, Options *o, const char *name, int baseline) {
    Config c = {4, 100, 1, 1, 8, 100};
    *o = (Options){.seed = 1, .n = 2, .batch = 2, .kl = 0.1, .gae = 0.95, .neg = 1, .lr = 1e-3};
    *r = (Run){.o = o, .baseline = baseline, .world = {.task = &TASKS[1], .T = 4}};
    r->method = method(name);
    r->policy = random_gpt(c, baseline == VALUE_BASELINE, 1);
    r->ref = random_gpt(c, 0, 2);
    r->trainer = trainer_new(name, &r->policy, r->method->loss, 2, o);
    r->trainer.acts = acts_new(&r->policy, 8, 4, 1);
    r->sampler = sampler_new(c, 8, 4);
    r->prompts = batch_new(8, 8, 1);
    r->data = batch_new(8, 32, 2);
    r->train_probe = batch_new(2 * PROBE_PAIRS, 8 * PROBE_PAIRS, 2);
    r->trainer.run = r;
    r->trainer.data = &r->data;
    r->trainer.deck = deck_new(4, 1, ORDER_STREAM);
    r->source = &r->policy;
    r->at_once = 4;
    r->total = 100;
    r->round = 1;
}

static void test_collect(void) {
    Options o;
    Run r;
    toy_run(&r, &o, "ppo", NO_BASELINE);
    Batch *b = &r.data;
    collect(&r.trainer);
    int first[8];
    for (int i = 0; i < 8; i++) { first[i] = b->token[b->row[i]]; }
    real *pi = alloc(32, sizeof *pi, "test"), *ref = alloc(32, sizeof *ref, "test"),
         *value = alloc(32, sizeof *value, "test");
    gpt_forward(&r.policy, &r.trainer.acts, b, pi, NULL);
    gpt_forward(&r.ref, &r.trainer.acts, b, ref, NULL);
    double strayed = 0;
    for (int i = 0; i < 8; i++) {
        double kl = 0;
        for (int t = b->start[i]; t < b->row[i + 1]; t++) { kl += (double)(pi[t] - ref[t]); }
        near((double)b->advantage[b->start[i]], gold_reward(&r.world, b, i) - 0.1 * kl, 1e-5,
             "reward less kl log pi/pi_ref at collection");
        strayed += fabs(kl);
    }
    check(strayed > 1, "policy and reference differ: %g", strayed);
    check(r.queries == 8, "queries");
    collect(&r.trainer);
    int same = 0;
    for (int i = 0; i < 8; i++) { same += first[i] == b->token[b->row[i]]; }
    check(same < 8, "another collection has other prompts");
    toy_run(&r, &o, "ppo", VALUE_BASELINE);
    b = &r.data;
    collect(&r.trainer);
    gpt_forward(&r.policy, &r.trainer.acts, b, pi, value);
    for (int i = 0; i < b->n_rows; i++) {
        for (int t = b->row[i]; t < b->row[i + 1] - 1; t++) {
            near((double)b->old_value[t], (double)value[t], 1e-6, "values at collection");
        }
    }
    // the pairs of a file keep their labels, whatever a reward model or the truth says
    const char *methods[] = {"dpo", "pref-ft", "bon"};
    for (int k = 0; k < 3; k++) {
        toy_run(&r, &o, methods[k], NO_BASELINE);
        Config c = {128, 4, 1, 1, 8, 4};
        r.world = toy_world();
        r.policy = random_gpt(c, 0, 1);
        r.ref = random_gpt(c, 0, 2);
        r.trainer.acts = acts_new(&r.policy, 8, 128, 1);
        batch_clear(&r.data);
        r.data = batch_new(4, 64, 2);
        response(&r.data, 5, 1);  // the longer one was chosen, against the task
        response(&r.data, 2, 1);
        r.data.reward[0] = 1;
        if (k < 2) {
            r.rm = random_gpt(c, 1, 3);
            param(&r.rm, HEADW, 0)[0] = 1;
            gpt_pack(&r.rm);
            r.rm_acts = acts_new(&r.rm, 8, 128, 0);
        }
        r.source = NULL;
        r.at_once = r.total = 1;
        r.round = 0;
        o.steps = 7;
        collect(&r.trainer);
        check(r.trainer.left == o.steps, "a file of pairs lasts for all steps");
        check(r.data.reward[0] == 1 && r.data.reward[1] == 0, "%s: labels of a file: %g, %g",
              methods[k], r.data.reward[0], r.data.reward[1]);
    }
    // the reward model's score of a response is its head at the last token; -3 if that is missing
    batch_clear(&r.data);
    response(&r.data, 4, 1);
    response(&r.data, 4, 0);
    r.rm = random_gpt((Config){128, 4, 1, 1, 8, 4}, 1, 3);
    r.rm_acts = acts_new(&r.rm, 8, 128, 0);
    proxy_rewards(&r, &r.data);
    gpt_forward(&r.rm, &r.rm_acts, &r.data, NULL, value);
    near(r.data.reward[0], (double)value[7], 1e-6, "the score of a response");
    check(fabs((double)(value[7] - value[6])) > 1e-3, "the head tells tokens apart");
    near(r.data.reward[1], -3, 0, "the score of a response that was cut");
}

// What a step copies from a collection: rows with prompts of two tokens, all numbers different.
static void test_gather(void) {
    Options o;
    Run r;
    toy_run(&r, &o, "dpo", NO_BASELINE);
    Batch *b = &r.data, *to = &r.trainer.batch;
    batch_clear(b);
    for (int i = 0; i < 4; i++) {
        batch_add(b, (int[]){10 * i, 10 * i + 1, 10 * i + 2, 10 * i + 3}, 4 - i % 2, 2);
        b->reward[i] = i;
    }
    real *from[] = {b->ref_logp, b->old_logp, b->advantage, b->old_value, b->returns};
    for (int k = 0; k < 5; k++) {
        for (int i = 0; i < b->n_tokens; i++) { from[k][i] = (real)(100 * k + i); }
    }
    for (int i = 0; i < 16; i++) {
        to->ref_logp[i] = to->old_logp[i] = to->advantage[i] = -1;
        to->old_value[i] = to->returns[i] = -1;
    }
    r.trainer.deck = deck_new(2, 1, ORDER_STREAM);
    o.steps = 1;
    train(&r.trainer);
    real *copy[] = {to->ref_logp, to->old_logp, to->advantage, to->old_value, to->returns};
    int seen[4] = {0};
    check(to->n_rows == 4 && to->n_pairs == 2, "two groups of two: %d rows, %d pairs", to->n_rows,
          to->n_pairs);
    for (int i = 0; i < to->n_rows; i++) {
        int source = to->token[to->row[i]] / 10, n = to->row[i + 1] - to->row[i];
        seen[source]++;
        check(n == b->row[source + 1] - b->row[source] && to->start[i] - to->row[i] == 2
              && to->reward[i] == source, "row %d is number %d", i, source);
        for (int k = 0; k < 5; k++) {
            for (int j = 0; j < n; j++) {
                check(copy[k][to->row[i] + j] == from[k][b->row[source] + j],
                      "array %d of row %d", k, i);
            }
        }
    }
    for (int i = 0; i < 4; i++) { check(seen[i] == 1, "row %d is taken once", i); }
    check(to->reward[0] + 1 == to->reward[1] && to->reward[2] + 1 == to->reward[3], "whole groups");
}

static void test_measures(void) {
    Batch b = batch_new(5, 20, 1);
    batch_add(&b, (int[]){9, 1, 2}, 3, 1);
    batch_add(&b, (int[]){9, 1, 3}, 3, 1);
    batch_add(&b, (int[]){8, 1, 2}, 3, 1);
    batch_add(&b, (int[]){9, 1}, 2, 1);
    const int expected[] = {1, 1, 0, 1};
    for (int i = 0; i < 4; i++) { check(is_new(&b, i) == expected[i], "row %d is new", i); }
    b.logp[1] = -1;
    b.logp[2] = -2;
    b.ref_logp[1] = b.ref_logp[2] = (real)-2.5;
    Run r = {.world = {.task = &TASKS[0]}};
    near(measure(&r, &b, 0, ENTROPY), 3, 1e-6, "-log pi");
    near(measure(&r, &b, 0, KL), 2, 1e-6, "log pi/pi_ref");
    near(measure(&r, &b, 0, LENGTH), 2, 0, "length");
    near(measure(&r, &b, 0, GOLD), gold_reward(&r.world, &b, 0), 0, "gold");
    // prompts are those of validation: sample_evaluation reads world.val
    Options o;
    toy_run(&r, &o, "sft", NO_BASELINE);
    Config c = {128, 4, 1, 1, 8, 4};
    r.world = toy_world();
    r.policy = favourite_gpt(c, TOY_EOT);
    r.ref = random_gpt(c, 0, 2);
    r.trainer.acts = acts_new(&r.policy, 8, 128, 0);
    r.sampler = sampler_new(c, 8, 128);
    r.prompts = batch_new(8, 8 * MAX_PROMPT, 1);
    const int one[] = {TOY_A, TOY_DOT, TOY_A, TOY_EOT}, other[] = {TOY_B, TOY_DOT, TOY_B, TOY_EOT};
    r.world.train = stories_of(&r.world, one, 4);
    r.world.val = stories_of(&r.world, other, 4);
    r.eval = batch_new(8, 8 * 128, 1);
    sample_evaluation(&r, 1);
    real *x = alloc(8 * 128, sizeof *x, "test");
    gpt_forward(&r.ref, &r.trainer.acts, &r.eval, x, NULL);
    for (int i = 0; i < 8; i++) {
        check(r.eval.token[r.eval.row[i] + 1] == TOY_B && r.eval.row[i + 1] - r.eval.row[i] == 4,
              "a validation prompt, and end-of-text");
        near((double)r.eval.ref_logp[r.eval.start[i]], (double)x[r.eval.start[i]], 1e-6,
             "ref_logp");
    }
    check(has_any("a dog ran", "cat,dog") && has_any("dog", "dog") && !has_any("two dogs", "dog")
          && !has_any("a hotdog", "dog") && has_any("A cat.", "dog,cat"), "whole words");
    const double up[] = {1, 2, 4}, down[] = {-2, -4, -8}, flat[] = {3, 3, 3};
    near(correlation(up, up, 3), 1, 1e-12, "a series' correlation with itself");
    near(correlation(up, down, 3), -1, 1e-12, "and with its opposite");
    check(isnan(correlation(up, flat, 3)), "one that does not vary correlates with nothing");
}

// The options of a command after these words.
static Options parsed(const char *command, int argc, const char **argv) {
    Options o
        = COMMANDS[find("command", command, COMMANDS, N_COMMANDS, sizeof *COMMANDS)].defaults;
    options_parse(&o, command, argc, (char **)argv);
    return o;
}

static void test_option_defaults(void) {
    const char *values[] = {"--baseline", "value", "--method", "ppo", "--task", "r1", "--gae", "1"};
    Options o = parsed("tune", 8, values);
    resolve_defaults(&o, &METHODS[5], &TASKS[0], VALUE_BASELINE);
    check(!strcmp(o.baseline, "value") && o.gae == 1, "--gae 1 with --baseline value");
    const char *bandit[] = {"--method", "dpo", "--task", "r1"};
    o = parsed("tune", 4, bandit);
    check(!strcmp(o.baseline, "group") && o.clip == 0.2 && o.tau == 0.05 && o.neg == 1 && o.kl == 0
          && o.gae == 0.95 && o.seed == 1 && !o.beta && !o.lr && !o.steps && o.len == 9,
          "tune's defaults");
    resolve_defaults(&o, &METHODS[6], &TASKS[0], GROUP_BASELINE);
    check(o.batch == 10 && o.n == 10 && o.reuse == 1 && o.len == 9 && o.beta == 0.1
              && o.collect == 10 && o.steps == 200 && o.eval_every == 10 && o.lr == 1e-3,
          "the bandit's defaults");
    const char *rwr[] = {"--method", "rwr", "--task", "r1"};
    o = parsed("tune", 4, rwr);
    resolve_defaults(&o, &METHODS[3], &TASKS[0], GROUP_BASELINE);
    check(o.beta == 1, "rwr's beta");
    const char *pairs[] = {"--method", "dpo", "--task", "min", "-m", "m", "--pairs", "p"};
    o = parsed("tune", 8, pairs);
    resolve_defaults(&o, &METHODS[6], &TASKS[2], GROUP_BASELINE);
    check(o.batch == 32 && o.n == 2 && o.steps == 100 && o.eval_every == 5 && o.lr == 1e-4,
          "defaults with pairs: batch %d, n %d, lr %g", o.batch, o.n, o.lr);
    const char *samples[] = {"--method", "dpo", "--task", "min", "-m", "m", "--rm", "r"};
    o = parsed("tune", 8, samples);
    resolve_defaults(&o, &METHODS[6], &TASKS[2], GROUP_BASELINE);
    check(o.batch == 8 && o.n == 8 && o.reuse == 1 && o.steps == 100 && o.lr == 1e-4,
          "defaults with samples: lr %g", o.lr);
    const char *queries[] = {"--method", "ppo", "--task", "r1", "--queries", "3000"};
    o = parsed("tune", 6, queries);
    resolve_defaults(&o, &METHODS[5], &TASKS[0], GROUP_BASELINE);
    check(o.steps == 30 && o.eval_every == 1, "3000 queries, 10 x 10 a step: %d steps", o.steps);
    const char *reuse[] = {"--method", "ppo", "--task", "r1", "--queries", "3000", "--reuse", "13"};
    Options p = parsed("tune", 8, reuse);
    resolve_defaults(&p, &METHODS[5], &TASKS[0], GROUP_BASELINE);
    check(p.steps == 390 && p.eval_every == 19, "3000 queries, each used 13 times: %d steps, a row "
          "every %d", p.steps, p.eval_every);
    for (int i = 0; i < N_OPTIONS; i++) {  // what was given, and only that, is noted
        const char *name = OPTIONS[i].name;
        check((o.given >> i & 1) == (!strcmp(name, "--method") || !strcmp(name, "--task")
                                     || !strcmp(name, "--queries")), "%s was given or not", name);
    }
}

// Whether a list of words, separated by single spaces, has this one.
static int has_word(const char *list, const char *word) {
    size_t n = strlen(word);
    for (const char *p = list; (p = strstr(p, word)) != NULL; p++) {
        if ((p == list || p[-1] == ' ') && (p[n] == ' ' || !p[n])) { return 1; }
    }
    return 0;
}

static void test_lists(void) {
    check(lists("a bc d", "bc") && lists("a bc d", "x d") && lists("a", "a") && lists("bc a", "a"),
          "lists that have a word");
    check(!lists("a bc d", "b") && !lists("a bc d", "c") && !lists("a bc d", "bcd")
              && !lists("", "a") && !lists("a", "") && !lists("abc", "ab abcd"),
          "lists that do not");
}

// The options of each command. Any other is a usage error, which lists those that there are.
static const struct {
    const char *command, *options;
} OPTIONS_OF[] = {
    {"sft", "--task -o --data --steps --batch --lr --len -L -H -C -T --seed --log"},
    {"sample", "-m --data -n -p --temp --top-k --max-len --seed"},
    {"pairs", "-m --task -o --data -n --label-noise --seed"},
    {"rm", "-m --pairs -o --data --steps --batch --lr --seed --log"},
    {"tune", "-m --method --task --rm --pairs -o --data --steps --queries --batch -n --collect "
             "--reuse --lr --beta --tau --kl --clip --baseline --gae --neg --push-worst --len "
             "--eval-every --seed --log"},
};

// Which runs of tune read an option, as the message says: NULL if all do.
static const struct {
    const char *option, *value, *readers;
} READERS[] = {
    {"--beta", "0.5", "rwr dpo"},
    {"--tau", "0.1", "ipo"},
    {"--clip", "0.1", "ppo"},
    {"--baseline", "loo", "rwr reinforce ppo"},
    {"--gae", "0.9", "value"},
    {"--neg", "0.5", "reinforce ppo dpo ipo"},
    {"--push-worst", "0.5", "bon"},
    {"--kl", "0.1", "pref_onpolicy"},
    {"--collect", "40", "pref_onpolicy"},
    {"--reuse", "3", "samples"},
    {"--queries", "4000", "samples"},
    {"-n", "4", "samples"},
    {"--len", "4", "bandit"},
    {"--rm", "no.bin", "stories"},
    {"--pairs", "no.txt", "stories"},
    {"--data", "no.bin", "stories"},
    {"--steps", "9", NULL},
    {"--batch", "4", NULL},
    {"--lr", "0.1", NULL},
    {"--eval-every", "5", NULL},
    {"--seed", "5", NULL},
};

// Every option of tune with every method, task, kind of data, baseline and build: it is read, and
// the run goes on to its model, which does not exist; or it is refused, and the message says who
// would read it.
static void test_unread_options(void) {
    const char *no_model = in_scratch("no_model.bin"), *const builds[] = {"pref", "pref_onpolicy"};
    const char *const kinds[] = {"bandit with samples", "stories with samples",
                                 "stories with pairs"};
    const char *const data[] = {"--task r2", "--task min --rm no_rm.bin",
                                "--task skew --pairs no_pairs.txt"};
    for (int k = 0; k < 2 * 3 * N_METHODS; k++) {
        const char *build = builds[k % 2], *kind = kinds[k / 2 % 3], *m = METHODS[k / 6].name;
        if (!strcmp(build, "pref_onpolicy") && k / 2 % 3 == 2) { continue; }
        run.program = k % 2 ? "./pref_onpolicy" : NULL;
        for (int values = 0; values <= !strcmp(m, "ppo"); values++) {
            for (size_t i = 0; i < sizeof READERS / sizeof *READERS; i++) {
                const char *name = READERS[i].option, *readers = READERS[i].readers;
                char is[128], line[600], words[200], *error;
                snprintf(is, sizeof is, "%s on %s by %s and baseline %s", m,
                         strcmp(name, "--pairs") ? kind : "bandit with pairs", build,
                         values ? "value" : !strcmp(name, "--baseline") ? "loo" : "group");
                snprintf(line, sizeof line, "tune --method %s %s -m %s %s%s %s", m,
                         data[k / 2 % 3], no_model, values ? "--baseline value " : "", name,
                         READERS[i].value);
                if (strstr(data[k / 2 % 3], name) || (values && !strcmp(name, "--baseline"))
                    || (!strcmp(name, "--pairs") && k / 2 % 3 == 1)) {
                    continue;  // that would be another run
                }
                int fits = !readers;
                char list[128], *word;
                snprintf(list, sizeof list, "%s", readers ? readers : "");
                for (word = strtok(list, " "); word; word = strtok(NULL, " ")) {
                    fits |= has_word(is, word);
                }
                if (!strcmp(name, "--kl") && fits && !strcmp(m, "sft")) {
                    fails(2, "--kl: for methods that read rewards, not sft", "%s", line);
                } else if (!strcmp(name, "--pairs") && !strcmp(build, "pref_onpolicy")) {
                    fails(2, "--pairs is fixed data", "%s", line);
                } else if (fits) {
                    fails(1, "no_model.bin: cannot open it", "%s", line);
                } else {
                    snprintf(words, sizeof words, "%s: for %s; this run is ", name, readers);
                    fails(2, words, "%s", line);
                    slurp(in_scratch("stderr"), &error);
                    check(strstr(error, is) != NULL, "what this run is: %s", error);
                }
            }
        }
    }
    run.program = "./pref_onpolicy";
    for (int m = 0; m < N_METHODS; m++) {
        fails(2, "--pairs is fixed data", "tune --method %s --task min -m %s --pairs no.txt",
              METHODS[m].name, no_model);
    }
    run.program = NULL;
    for (int m = 0; m < N_METHODS; m++) {
        if (!strcmp(METHODS[m].name, "rwr") || !strcmp(METHODS[m].name, "reinforce")) {
            fails(2, "--baseline value: for ppo",
                  "tune --method %s --task r1 --baseline value -m %s", METHODS[m].name, no_model);
        }
    }
}

// Options that a command does not have, in both programs; those of sft that only one of its two
// tasks reads; and commands that take none.
static void test_foreign_options(void) {
    for (size_t c = 0; c < sizeof OPTIONS_OF / sizeof *OPTIONS_OF; c++) {
        const char *command = OPTIONS_OF[c].command, *own = OPTIONS_OF[c].options;
        for (int i = 0; i < N_OPTIONS; i++) {
            const char *name = OPTIONS[i].name;
            char *error, listed[512] = "";
            check(has_word(own, name) == lists(OPTIONS[i].commands, command), "%s %s", command,
                  name);
            if (has_word(own, name)) { continue; }
            fails(2, "unknown option '", "%s %s 1", command, name);
            slurp(in_scratch("stderr"), &error);
            for (const char *p = own; *p; p++) {
                snprintf(listed + strlen(listed), sizeof listed - strlen(listed), *p == ' ' ? ", "
                         : "%c", *p);
            }
            char *at = strstr(error, "; there are ");
            check(at && !strncmp(at + 12, listed, strlen(listed)) && strstr(error, name),
                  "%s lists its own options: %s", command, error);
            if (c % 2) { continue; }  // sft, pairs and tune also in the other program
            run.program = "./pref_onpolicy";
            fails(2, "unknown option '", "%s %s 1", command, name);
            run.program = NULL;
        }
    }
    const struct {
        const char *option, *value, *says;
    } bandit[] = {{"--steps", "1", "--steps, "}, {"--batch", "1", "--batch, "},
                  {"--lr", "0.1", "--lr and "},  {"--log", "no/log.csv", "--log: for sft on"},
                  {"-L", "1", "-L: for stories; this run is bandit"},
                  {"-H", "1", "-H: for stories; this run is bandit"},
                  {"-C", "8", "-C: for stories; this run is bandit"},
                  {"-T", "8", "-T: for stories; this run is bandit"},
                  {"--data", "x", "--data: for stories; this run is bandit"}};
    for (size_t i = 0; i < sizeof bandit / sizeof *bandit; i++) {
        for (int k = 0; k < 2; k++) {
            run.program = k ? "./pref_onpolicy" : NULL;
            fails(2, bandit[i].says, "sft --task bandit -o %s %s %s", in_scratch("out.bin"),
                  bandit[i].option, bandit[i].value);
            check(access(in_scratch("out.bin"), F_OK) != 0, "nothing is written");
        }
    }
    run.program = NULL;
    fails(1, "cannot write it", "sft --task bandit --len 3 --seed 4 -o %s",
          in_scratch("no/out.bin"));
    fails(2, "--len: for bandit; this run is stories", "sft --len 3 -o %s", in_scratch("no/o.bin"));
    fails(2, "help takes no options", "help -n 3");
    for (size_t c = 0; c < sizeof OPTIONS_OF / sizeof *OPTIONS_OF; c++) {
        fails(2, "unexpected 'x'", "%s x", OPTIONS_OF[c].command);
    }
}

// Notes that a method is meant for other data go to standard error, and the run goes on.
static void test_misfit(void) {
    const char *ref = bandit_file("ref.bin", 2, 0);
    for (int k = 0; k < 2 * N_METHODS; k++) {
        const Method *m = &METHODS[k / 2];
        run.program = k % 2 ? "./pref_onpolicy" : NULL;
        works("tune --method %s --task r1 --len 2 -m %s --steps 1 --batch 2 -n 4", m->name, ref);
        char *error, *out, expected[64];
        slurp(in_scratch("stderr"), &error);
        slurp(in_scratch("stdout"), &out);
        snprintf(expected, sizeof expected, "note: %s is meant for %s\n", m->name,
                 k % 2 ? "fixed data" : "fresh samples of the policy");
        int misfit = !strcmp(m->on_policy, k % 2 ? "no" : "yes");
        check(misfit ? !strcmp(error, expected) : !*error, "%s: %s", m->name, error);
        check(!strstr(out, "note: "), "notes are not among the results: %s", out);
        int bound = strstr(out, "imitating these samples perfectly would earn 0.") != NULL;
        check(bound == m->imitates, "%s: what imitation of one collection earns: %s", m->name, out);
    }
    run.program = "./pref_onpolicy";
    works("tune --method bon --task r1 --len 2 -m %s --steps 4 --batch 2 -n 4 --reuse 1", ref);
    run.program = NULL;
    char *out;
    slurp(in_scratch("stdout"), &out);
    check(!strstr(out, "imitating"), "several collections have no such bound: %s", out);
}

// What `pref` prints with these words.
static char *printed(const char *line) {
    static char *text;
    works("%s", line);
    slurp(in_scratch("stdout"), &text);
    return text;
}

// Names are accepted in any case; help comes in several ways; an unknown name lists those that
// there are.
static void test_names(void) {
    const char *data = tiny_data("tiny.bin", NULL), *m = tiny_policy("m.bin", data, 0.2, 0.2);
    char line[600], *text[2], *all;
    bandit_file("ref.bin", 2, 0);
    for (int k = 0; k < 2; k++) {
        snprintf(line, sizeof line, "%s --method %s --task %s --baseline %s %s 2 -m %s --steps 2 "
                 "--batch 2 -n 3 --log %s", k ? "TUNE" : "tune", k ? "ReinForce" : "reinforce",
                 k ? "R1" : "r1", k ? "LOO" : "loo", k ? "--Len" : "--len", in_scratch("ref.bin"),
                 in_scratch(k ? "b.csv" : "a.csv"));
        text[k] = printed(line);
    }
    check(!strcmp(text[0], text[1]) && strstr(text[0], "step     2  "), "names in any case: %s",
          text[1]);
    same_log("a.csv", "b.csv", "names in any case");
    works("Pairs -m %s --data %s --task MiN -n 3 -o %s", m, data, in_scratch("p.txt"));
    fails(1, "cannot write it", "Sft --task BANDIT -o %s", in_scratch("no/x.bin"));
    const char *const asking[][3] = {{"help", "", "--help"}, {"help", "-h", "HELP"},
                                     {"help tune", "tune --help", "tune -h"},
                                     {"help tune", "Tune --help", "help TUNE"},
                                     {"help sft", "sft --help", "sft --steps 3 --help"},
                                     {"help pairs", "pairs -m x -h", "Help Pairs"}};
    for (size_t i = 0; i < sizeof asking / sizeof *asking; i++) {
        all = printed(asking[i][0]);
        check(strlen(all) > 300, "%s prints something: %s", asking[i][0], all);
        for (int k = 1; k < 3; k++) {
            check(!strcmp(all, printed(asking[i][k])), "'%s' is '%s'", asking[i][k], asking[i][0]);
        }
    }
    for (size_t c = 0; c < sizeof OPTIONS_OF / sizeof *OPTIONS_OF; c++) {
        const char *command = OPTIONS_OF[c].command;
        snprintf(line, sizeof line, "help %s", command);
        all = printed(line);
        for (int i = 0; i < N_OPTIONS; i++) {
            char row[40];
            snprintf(row, sizeof row, "\n  %s ", OPTIONS[i].name);
            check((strstr(all, row) != NULL) == has_word(OPTIONS_OF[c].options, OPTIONS[i].name),
                  "the help of %s has its options: %s", command, OPTIONS[i].name);
        }
        snprintf(line, sizeof line, "  pref %s ", command);
        check(strstr(printed("help"), line) != NULL, "help lists %s", command);
    }
    all = printed("help tune");
    for (size_t i = 0; i < sizeof READERS / sizeof *READERS; i++) {
        char *row = strstr(all, READERS[i].option), readers[64];
        snprintf(readers, sizeof readers, " [%s]\n", READERS[i].readers ? READERS[i].readers : "");
        size_t n = row ? strcspn(row, "\n") : 0;
        char *at = row && READERS[i].readers ? strstr(row, readers) : row;
        check(at && at <= row + n, "the help says who reads %s", READERS[i].option);
    }
    for (int i = 0; i < N_METHODS + N_TASKS; i++) {
        const char *name = i < N_METHODS ? METHODS[i].name : TASKS[i - N_METHODS].name;
        snprintf(line, sizeof line, "\n  %s ", name);
        check(strstr(all, line) != NULL, "help tune has %s", name);
    }
    fails(2, "unknown method 'dpox'; there are sft, pref-ft, bon, rwr, reinforce, ppo, dpo, ipo",
          "tune --method dpox --task r1");
    fails(2, "unknown method ''; there are ", "tune --method '' --task r1");
    fails(2, "unknown task 'r'; there are r1, r2, min, mode, skew", "tune --method dpo --task r");
    fails(2, "unknown task 'max'; there are r1, r2, min, mode, skew",
          "pairs -m %s --data %s --task max -o %s", m, data, in_scratch("x.txt"));
    fails(2, "unknown baseline 'grou'; there are none, loo, group, value",
          "tune --method ppo --task r1 --baseline grou");
    fails(2, "; there are ", "tunes --method dpo");
    slurp(in_scratch("stderr"), &all);
    for (size_t c = 0; c < sizeof OPTIONS_OF / sizeof *OPTIONS_OF; c++) {
        check(strstr(all, OPTIONS_OF[c].command) != NULL, "unknown command: %s", all);
    }
}

// How many parts a batch is split into depends on the model, and on nothing else; fewer parts, or
// other numbers of threads, give the same gradient.
static void test_parts(void) {
    int before = threads();
    GPT g = random_gpt((Config){24, 60, 2, 4, 64, 60}, 0, 1);
    check(g.n_parts == 8, "a small model has 8 parts: %d", g.n_parts);
    check(gpt_new(g.c, 0, 0).n_parts == 0, "a model that is not trained has no gradients");
    real *sum = alloc(g.n_params, sizeof *sum, "test");
    for (int parts = 8; parts >= 2; parts -= 3) {
        uint64_t print[3];
        g.n_parts = parts;
        for (int n = 1; n <= 3; n++) {
            set_threads(n);
            check(gpt_new((Config){8, 5, 1, 1, 8, 5}, 0, 1).n_parts == 8,
                  "the number of threads does not change that of parts");
            Acts a = acts_new(&g, 7, 24, 1);
            check(a.n_parts == parts, "activations of as many parts as the model has");
            Batch b = batch_new(7, 7 * 24, 1);
            for (int r = 0; r < 7; r++) {
                int row[24];
                for (int i = 0; i < 24; i++) { row[i] = (r * 31 + i * i * 7 + 3) % 60; }
                batch_add(&b, row, 24 - 3 * r, 1);
            }
            memset(g.grads, 0, g.n_params * sizeof *sum);
            gpt_forward(&g, &a, &b, b.logp, NULL);
            loss_tokens(&b, NULL);
            gpt_backward(&g, &a, &b, b.dlogp, NULL);
            print[n - 1] = fingerprint(g.grads, g.n_params * sizeof *sum, 0);
        }
        check(print[0] == print[1] && print[1] == print[2],
              "%d parts: other bits with other numbers of threads", parts);
        if (parts == 8) { memcpy(sum, g.grads, g.n_params * sizeof *sum); }
        double worst = 0, most = 0;
        for (size_t i = 0; i < g.n_params; i++) {
            worst = worse(worst, fabs((double)(g.grads[i] - sum[i])));
            most = fmax(most, fabs((double)sum[i]));
        }
        check(worst <= (is_double() ? 1e-13 : 1e-5) * most && most > 0,
              "%d parts: the gradient is off by %g of %g", parts, worst, most);
    }
    set_threads(before);
    // large models; memory that nothing touches costs nothing, but some machines do not have it
    const int channels[] = {1700, 2048, 3328}, expected[] = {7, 4, 2};
    for (int k = 0; k < 3; k++) {
        Config c = {16, 100, 1, 1, channels[k], 100};
        double n = (double)gpt_layout(c, 0).n_params;
        check(fmax(2, fmin(8, floor(2.5e8 / n))) == expected[k], "%g parameters", n);
        double has = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
        if (sizeof(size_t) > 4 && (4.0 + expected[k]) * n * sizeof(real) < has / 4) {
            GPT large = gpt_new(c, 0, 1);
            check(large.n_parts == expected[k], "a model of %g parameters has %d parts", n,
                  large.n_parts);
        }
    }
}

enum { BOTH, FLOAT }; // FLOAT: the test runs whole commands, which are no different with double

static const struct {
    const char *name;
    void (*test)(void);
    int builds;
} TESTS[] = {
    {"exp", test_exp, BOTH},
    {"deck: a random order", test_deck, BOTH},
    {"matmul", test_matmul, BOTH},
    {"layers by finite differences", test_layers, BOTH},
    {"GPT against PyTorch", test_gpt_against_oracle, BOTH},
    {"GPT by finite differences", test_gpt_gradients, BOTH},
    {"rows do not depend on their batch", test_row_alone, BOTH},
    {"sampler against forward pass", test_sampler_logp, BOTH},
    {"sampler's frequencies", test_sampler_frequencies, BOTH},
    {"losses", test_losses, BOTH},
    {"loss of pref-ft", test_loss_pref_ft, BOTH},
    {"loss of bon", test_loss_bon, BOTH},
    {"loss of rwr", test_loss_rwr, BOTH},
    {"loss of reinforce", test_loss_reinforce, BOTH},
    {"loss of ppo", test_loss_ppo, BOTH},
    {"loss of dpo", test_loss_dpo, BOTH},
    {"loss of ipo", test_loss_ipo, BOTH},
    {"ppo's first step", test_first_step, BOTH},
    {"advantages and pairs", test_advantages, BOTH},
    {"imitation's bound", test_imitation_bound, BOTH},
    {"loss of bradley-terry", test_loss_bradley_terry, BOTH},
    {"loss of values", test_value_loss, BOTH},
    {"GAE", test_gae, BOTH},
    {"unbiased policy gradient", test_unbiased, BOTH},
    {"KL of samples", test_kl_estimate, BOTH},
    {"ipo's optimum", test_ipo_optimum, BOTH},
    {"bandit", test_bandit, BOTH},
    {"story tasks", test_story_tasks, BOTH},
    {"fields of pairs files", test_fields, BOTH},
    {"KL study's gradients", test_kl_gradients, BOTH},
    {"checkpoints", test_checkpoint, FLOAT},
    {"tokenizer", test_tokenizer, BOTH},
    {"stories", test_stories, BOTH},
    {"random numbers", test_random_numbers, BOTH},
    {"models", test_models, BOTH},
    {"gradient step", test_gradient_step, BOTH},
    {"negative weights", test_negative_weights, BOTH},
    {"rate of a training run", test_rate, BOTH},
    {"files beside their place", test_output, BOTH},
    {"steps without pairs", test_no_pairs, BOTH},
    {"parts of a batch", test_parts, BOTH},
    {"encoding's order", test_encoding_order, BOTH},
    {"story rows", test_story_rows, BOTH},
    {"held-out loss", test_held_out, BOTH},
    {"draws", test_draws, BOTH},
    {"pair drawing", test_pair_drawing, BOTH},
    {"hist", test_hist, FLOAT},
    {"pairs read", test_pairs_read, BOTH},
    {"losses, more", test_more_losses, BOTH},
    {"collecting", test_collect, BOTH},
    {"gathering", test_gather, BOTH},
    {"measures", test_measures, BOTH},
    {"option defaults", test_option_defaults, BOTH},
    {"lists of words", test_lists, BOTH},
    {"names in any case, and help", test_names, FLOAT},
    {"methods and the data they are meant for", test_misfit, FLOAT},
    {"options that a command does not have", test_foreign_options, FLOAT},
    {"options that a run does not read", test_unread_options, FLOAT},
    {"log: every column", test_log_columns, BOTH},
    {"log: means since the last row", test_log_means, BOTH},
    {"collections", test_collections, BOTH},
    {"KL penalty", test_kl_penalty, BOTH},
    {"value head of a run", test_value_head, BOTH},
    {"story rewards", test_story_rewards, BOTH},
    {"reward model", test_reward_model, FLOAT},
    {"eval", test_eval, FLOAT},
    {"files that do not belong together", test_wrong_files, FLOAT},
    {"pairs that are joined oddly", test_odd_pairs, FLOAT},
    {"wrong files of pairs", test_wrong_pairs, FLOAT},
    // the slow ones, the slowest first
    {"bandit's reference", test_bandit_reference, FLOAT},
    {"KL study's table", test_kl_study, FLOAT},
    {"fresh and fixed data", test_builds, FLOAT},
    {"losses that are not finite", test_not_finite, FLOAT},
    {"stories, end to end", test_story_tuning, FLOAT},
    {"tune, wrong input", test_tune_errors, FLOAT},
    {"interruption and full disks", test_interruption, FLOAT},
    {"threads", test_threads, BOTH},
    {"commands, right and wrong", test_commands, FLOAT},
    {"broken stories file", test_stories_file, FLOAT},
    {"dpo's optimum", test_dpo_optimum, BOTH},
    {"pairs", test_pairs, FLOAT},
    {"sft", test_sft, FLOAT},
    {"schedule of the learning rate", test_schedule, FLOAT},
};
enum { N_TESTS = sizeof TESTS / sizeof *TESTS };

// Everything about one test while it runs, as the parent sees it.
typedef struct {
    int test;
    pid_t pid;
    double begin;
} Job;

// In a process of its own: run a test, leave its output and its counts in its folder, and exit.
static _Noreturn void run_test(int test) {
    run.directory = in_scratch((char[]){(char)('A' + test / 26), (char)('a' + test % 26), 0});
    if (getenv("OMP_NUM_THREADS")) { set_threads(atoi(getenv("OMP_NUM_THREADS"))); }
    setpgid(0, 0); // so that a time-out ends the commands that it started, too
    if (mkdir(run.directory, 0777) != 0 || !freopen(in_scratch("output"), "w", stdout)) {
        _exit(99);
    }
    dup2(STDOUT_FILENO, STDERR_FILENO);
    TESTS[test].test();
    FILE *f = fopen(in_scratch("counts"), "w");
    int failed = 0;
    for (int k = 0; k < run.n; k++) { failed += run.failures[k] > 0; }
    fprintf(f, "%d %d", run.n - failed, failed);
    fclose(f);
    exit(0);
}

// What has become of a test: adds to the totals and prints a line, and its output if it failed.
static int report_test(const Job *job, int status, int totals[2]) {
    const char *top = run.directory;
    run.directory
        = in_scratch((char[]){(char)('A' + job->test / 26), (char)('a' + job->test % 26), 0});
    int passed = 0, failed = 0;
    FILE *f = fopen(in_scratch("counts"), "r");
    int counted = f && fscanf(f, "%d %d", &passed, &failed) == 2;
    if (f) { fclose(f); }
    failed += !counted || (!failed && status != 0);  // a sanitizer may speak up at the very end
    printf("%-6s %-46s %5.1f s\n", failed ? "FAILED" : "ok", TESTS[job->test].name,
           seconds() - job->begin);
    int c;
    f = failed ? fopen(in_scratch("output"), "r") : NULL;
    while (f && (c = getc(f)) != EOF) { putchar(c); }
    if (f) { fclose(f); }
    if (WIFSIGNALED(status)) {
        int hung = WTERMSIG(status) == SIGKILL;
        printf("    FAILED: %s %d\n", hung ? "it ran too long and was ended by signal"
               : "it crashed with signal", WTERMSIG(status));
    } else if (!counted || status != 0) {
        printf("    FAILED: it ended with status %d\n", WEXITSTATUS(status));
    }
    fflush(stdout);
    run.directory = top;
    totals[0] += passed;
    totals[1] += failed;
    return failed;
}

// Remove a folder and all that is in it.
static void remove_folder(const char *path) {
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        char name[PATH_MAX];
        snprintf(name, sizeof name, "%s/%s", path, e->d_name);
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..") && remove(name) != 0) {
            remove_folder(name);
        }
    }
    if (d) { closedir(d); }
    rmdir(path);
}

// Whether a test is asked for: by words that its name begins with, or, if there are none of these,
// by none that has a minus sign before it.
static int is_asked_for(const char *name, int n, char **words) {
    int asked = 0, some = 0;
    for (int i = 0; i < n; i++) {
        int minus = words[i][0] == '-';
        int fits = !strncmp(name, words[i] + minus, strlen(words[i]) - (size_t)minus);
        if (minus && fits) { return 0; }
        some |= !minus;
        asked |= fits;
    }
    return asked || !some;
}

static volatile sig_atomic_t stopped;
static void on_stop(int number) { stopped = number; }

int main(int argc, char **argv) {
    if (argc > 1 && !strcmp(argv[1], "--cli")) {
        run_command(argc - 1, argv + 1);
        return 0;
    }
    char directory[] = "/tmp/test_pref_XXXXXX";
    run.self = argv[0];
    run.directory = mkdtemp(directory);
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    for (int i = 0; i < 3; i++) {
        sigaction(signals[i], &(struct sigaction){.sa_handler = on_stop}, NULL);
    }
    enum { MOST = 64 };
    Job job[MOST];
    const char *wanted = getenv("TEST_JOBS");
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    int jobs = wanted ? atoi(wanted) : (int)cores, running = 0, next = 0, asked = 0,
        totals[2] = {0};
    jobs = jobs < 1 ? 1 : min_int(jobs, MOST);
    if (jobs > 1) { setenv("OMP_NUM_THREADS", "1", 0); } // a core is one test's
    int fast = getenv("FAIL_FAST") != NULL, limit = getenv("RUNNER") ? 10 * TIME_LIMIT : TIME_LIMIT;
    while ((next < N_TESTS && !stopped) || running > 0) {
        int skip = next < N_TESTS
                   && ((TESTS[next].builds == FLOAT && is_double())
                       || !is_asked_for(TESTS[next].name, argc - 1, argv + 1));
        if (skip && !stopped) {
            next++;
            continue;
        }
        if (running < jobs && next < N_TESTS && !stopped) {
            job[running] = (Job){next, fork(), seconds()};
            if (job[running].pid == 0) { run_test(next); }
            asked++;
            running++;
            next++;
            continue;
        }
        int status, ended = -1;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        for (int i = 0; i < running; i++) {
            if (job[i].pid == pid) { ended = i; }
            if (stopped || seconds() - job[i].begin > limit) { kill(-job[i].pid, SIGKILL); }
        }
        if (ended < 0) {
            nanosleep(&(struct timespec){0, 5000000}, NULL);
            continue;
        }
        if (report_test(&job[ended], status, totals) && fast) { stopped = 1; }
        job[ended] = job[--running];
    }
    remove_folder(run.directory);
    if (asked == 0) { printf("no test has such a name; without words, all run\n"); }
    printf("%s: %d passed, %d failed\n", is_double() ? "double" : "float", totals[0], totals[1]);
    return totals[1] > 0 || asked == 0 || (stopped && !fast);
}
