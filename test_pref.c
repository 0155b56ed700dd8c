/*
Tests of pref.c, which they include. make test builds them twice: with double, where finite
differences are exact to eight digits, and with float, which is what runs. `test_pref --cli ARGS` is
pref itself, so that the tests of wrong input run whole commands, sanitizers and all.
*/
#define TESTING
#include "pref.c"
#include "dev/oracle.h"
#include <sys/wait.h>

static int is_double(void) {
    return sizeof(real) == sizeof(double);
}

static struct {
    int passed, failed;
    const char *self, *directory;  // this program; a scratch folder
} run;

// One check; what failed is said in one line.
static void check(int ok, const char *format, ...) {
    run.passed += ok != 0;
    run.failed += ok == 0;
    if (!ok) {
        va_list args;
        va_start(args, format);
        printf("FAILED: ");
        vprintf(format, args);
        printf("\n");
        va_end(args);
    }
}

// Whether got is expected, to a relative error (absolute where expected is below 1).
static void near(double got, double expected, double tolerance, const char *what) {
    double error = fabs(got - expected) / fmax(1, fabs(expected));
    check(error <= tolerance, "%s: %.12g, expected %.12g (error %.2g)", what, got, expected, error);
}

static const char *in_scratch(const char *name) {
    char *path = alloc(1, strlen(run.directory) + strlen(name) + 2, "a path");
    sprintf(path, "%s/%s", run.directory, name);
    return path;
}

// --- arithmetic ----------------------------------------------------------------------------------

static void test_exp(void) {
    double worst = 0;
    for (double x = -86; x < 88; x += 0.00137) {
        worst = fmax(worst, fabs((double)fast_exp((real)x) / exp((double)(real)x) - 1));
    }
    check(worst < (is_double() ? 1e-15 : 3e-7), "fast_exp: relative error %g", worst);
    check(isnan(fast_exp((real)NAN)), "fast_exp lets NaN through");
    check(fast_exp(-1000) < 1e-37 && fast_exp(0) == 1, "fast_exp at its ends");
}

// Every pass deals each number once, in another order.
static void test_deck(void) {
    enum { N = 50 };
    int order[3][N], same = 0;
    Deck d = deck_new(N, 1, 'd');
    for (int pass = 0; pass < 3; pass++) {
        int seen[N] = {0}, n = pass < 2 ? N : N / 2;
        if (pass == 2) { deck_restart(&d, n); }
        for (int i = 0; i < n; i++) { seen[order[pass][i] = deal(&d)]++; }
        for (int i = 0; i < N; i++) { check(seen[i] == (i < n), "%d in pass %d", i, pass); }
    }
    for (int i = 0; i < N; i++) { same += order[0][i] == order[1][i]; }
    check(same < 10, "two passes have %d of %d numbers in the same place", same, N);
}

static void fill(real *x, size_t n, Rng *r) {
    for (size_t i = 0; i < n; i++) {
        x[i] = (real)rng_normal(r);
    }
}

// All layouts, sizes on both sides of tiles and blocks, with and without init and bias.
static void test_matmul(void) {
    const int sizes[][3] = {{1, 1, 1}, {7, 33, 5}, {8, 32, 16}, {65, 31, 300}, {70, 300, 257},
                            {130, 1, 64}, {3, 513, 520}};
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
            Matrix A = layout & 1 ? turned(a, m) : rows(a, k),
                   B = layout & 2 ? turned(b, k) : rows(b, n);
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
                    worst = fmax(worst, fabs(x - (double)c[i * n + j]));
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
        near((double)b.logp[i], ORACLE_LOGP[i], tolerance, "logp");
        near((double)b.value[i], ORACLE_VALUE[i], tolerance, "value");
    }
    gpt_backward(&g, &a, &b, b.dlogp, b.dvalue);
    for (int k = 0; k < N_TENSORS; k++) {
        double squares = 0, waves = 0;
        for (size_t i = 0; i < g.tensor[k].size; i++) {
            double x = (double)g.grads[g.tensor[k].at + i];
            squares += x * x;
            waves += x * cos(0.13 * (double)i + k);
        }
        near(sqrt(squares), ORACLE_GRAD[k][0], tolerance, "norm of a gradient");
        near(waves, ORACLE_GRAD[k][1], tolerance, "a gradient, weighted");
    }
    for (int step = 1; step <= 3; step++) {  // the first gradient is still there
        if (step > 1) {
            oracle_loss(&g, &a, &b);
            gpt_backward(&g, &a, &b, b.dlogp, b.dvalue);
        }
        near(adamw(&g, 1e-2, 1, step), ORACLE_ADAMW_NORM[step - 1], is_double() ? 1e-6 : 1e-3,
             "gradient norm");
        near(oracle_loss(&g, &a, &b), ORACLE_ADAMW_L[step - 1], is_double() ? 1e-6 : 1e-3,
             "loss after AdamW");
    }
}

// Every single parameter: (L(w + h) - L(w - h)) / 2h against the backward pass.
static void test_gpt_gradients(void) {
    if (!is_double()) {
        return;
    }
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
            worst = fmax(worst, fabs((up - down) / (2 * h) - (double)g.grads[i]));
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
        worst = fmax(worst, fabs((side[0] - side[1]) / (2 * h) - (double)dx[i]));
    }
    check(worst < 1e-7, "%s: gradient off by %g", name, worst);
}

enum { LN_N = 3, LN_C = 10 };  // x holds the input, then w, then b

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

static void gelu_y(real *y, const real *x) {
    gelu_forward(y, x, 100);
}

static void gelu_dx(real *dx, const real *dy, const real *x) {
    memcpy(dx, dy, 100 * sizeof *dx);
    gelu_backward(dx, x, 100);
}

enum { LIN_N = 5, LIN_C = 7, LIN_OC = 9 };  // x holds the input, then w, then the bias

static void linear_y(real *y, const real *x) {
    const real *w = x + LIN_N * LIN_C;
    real packed[512];
    pack(packed, turned(w, LIN_C), LIN_C, LIN_OC);
    linear_forward(y, NULL, x, packed, w + LIN_OC * LIN_C, LIN_N, LIN_C, LIN_OC);
}

static void linear_dx(real *dx, const real *dy, const real *x) {
    real *dw = dx + LIN_N * LIN_C;
    linear_backward(dx, dw, dw + LIN_OC * LIN_C, dy, x, x + LIN_N * LIN_C, LIN_N, LIN_C, LIN_OC);
}

static const int ATT_ROWS[] = {0, 4, 5, 8};
enum { ATT_C = 6 };  // three rows of 4, 1 and 3 tokens, two heads

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
        for (int i = 0; i < n; i++) {
            row[i] = rng_below(&r, 50);
        }
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
    for (size_t i = 0; i < g.n_params; i++) {
        g.params[i] *= g.params[i] == 1 ? 1 : 8;
    }
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
        for (int i = 0; i < n; i++) {
            row[i] = rng_below(&r, 40);
        }
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
            worst = fmax(worst, fabs((double)(logp[i] - out.logp[i])));
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
    for (int i = 0; i < V * V; i++) {
        batch_add(&exact, (int[]){0, i / V, i % V}, 3, 1);
    }
    gpt_forward(&g, &a, &exact, exact.logp, NULL);
    const double temperatures[] = {1, 0.7};
    for (int k = 0; k < 2; k++) {
        double p[V * V], first[V] = {0}, chi2 = 0, sharp = 1 / temperatures[k];
        int seen[V * V] = {0};
        Sampling how = {.T = 3, .eot = -1, .temperature = temperatures[k], .seed = 11};
        rollout(&g, &s, &prompt, ROWS, &how, &out);
        for (int i = 0; i < ROWS; i++) {
            seen[out.token[3 * i + 1] * V + out.token[3 * i + 2]]++;
        }
        for (int i = 0; i < V; i++) {  // each step's softmax is sharpened for itself
            double total = 0;
            for (int j = 0; j < V; j++) {
                total += p[i * V + j] = exp(sharp * (double)exact.logp[3 * (i * V + j) + 2]);
            }
            for (int j = 0; j < V; j++) {
                p[i * V + j] /= total;
            }
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
    for (int i = 0; i < ROWS; i++) {
        seen[out.token[3 * i + 1]]++;
    }
    for (int i = 0; i < V; i++) {
        kinds += seen[i] > 0;
    }
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

// A number that changes if any bit does.
static uint64_t fingerprint(const void *data, size_t bytes, uint64_t before) {
    for (size_t i = 0; i < bytes; i++) {
        before = (before ^ ((const unsigned char *)data)[i]) * 1099511628211u;
    }
    return before;
}

static void test_threads(void) {
    uint64_t print[3];
    int before = threads();
    for (int n = 1; n <= 3; n++) {
        set_threads(n);
        GPT g = gpt_new((Config){24, 60, 2, 4, 64, 60}, 0, 1);
        gpt_init(&g, 3);
        Acts s = sampler_new(g.c, 150, 24);
        Batch start = batch_new(1, 1, 1), out = batch_new(150, 150 * 24, 1);
        Acts a = acts_new(&g, 150, 24, 1);
        batch_add(&start, (int[]){0}, 1, 1);
        Sampling how = {.T = 24, .eot = 1, .temperature = 1, .seed = 2};
        for (int step = 1; step <= 3; step++) {
            rollout(&g, &s, &start, 150, &how, &out);
            gpt_forward(&g, &a, &out, out.logp, NULL);
            loss_tokens(&out, NULL);
            gpt_backward(&g, &a, &out, out.dlogp, NULL);
            adamw(&g, 1e-2, 1, step);
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
    near(loss_of(name, &b, &o), loss, is_double() ? 1e-12 : 1e-5, name);
    for (int i = 0; i < 12; i++) {
        near((double)b.dlogp[at[i]], d[i], is_double() ? 1e-12 : 1e-5, name);
    }
}

static void test_losses(void) {
    Options o = LOSS_OPTIONS;
    check_loss("dpo", o, ORACLE_DPO, ORACLE_DPO_D);
    check_loss("ipo", o, ORACLE_IPO, ORACLE_IPO_D);
    check_loss("ppo", o, ORACLE_PPO, ORACLE_PPO_D);
    o.beta = 1;
    check_loss("rwr", o, ORACLE_RWR, ORACLE_RWR_D);
    o.ipo_mean = 1;
    check_loss("ipo", o, ORACLE_IPO_MEAN, ORACLE_IPO_MEAN_D);
    int at[12];
    for (int m = 0; m < N_METHODS; m++) {  // every loss by finite differences of its own value
        Batch b = loss_batch(at);
        real d[16];
        o = LOSS_OPTIONS;
        loss_of(METHODS[m].name, &b, &o);
        memcpy(d, b.dlogp, sizeof d);
        double worst = 0, h = 1e-6;
        for (int i = 0; i < 12 && is_double(); i++) {
            real kept = b.logp[at[i]];
            b.logp[at[i]] = kept + (real)h;
            double up = loss_of(METHODS[m].name, &b, &o);
            b.logp[at[i]] = kept - (real)h;
            double down = loss_of(METHODS[m].name, &b, &o);
            b.logp[at[i]] = kept;
            worst = fmax(worst, fabs((up - down) / (2 * h) - (double)d[at[i]]));
        }
        check(worst < 1e-6, "%s: dlogp off by %g", METHODS[m].name, worst);
        int down = 0;
        for (int i = 0; i < b.n_tokens; i++) { down += d[i] > 0; }
        check((down > 0) == (strcmp(METHODS[m].negative, "no") != 0),
              "%s pushes %d tokens down", METHODS[m].name, down);
        o.neg = 0;
        weigh(&b, METHODS[m].loss, &o);
        for (int i = 0; i < b.n_tokens; i++) {
            check(b.dlogp[i] <= 0 && (d[i] > 0 || b.dlogp[i] == d[i]),
                  "--neg 0: nothing is pushed down");
        }
    }
    Batch b = loss_batch(at);  // by hand: the best is row 0; responses of 3 tokens
    near(loss_of("bon", &b, &o), -((double)b.logp[1] + (double)b.logp[2] + (double)b.logp[3]), 1e-6,
         "bon");
    check(b.dlogp[1] == -1 && b.dlogp[6] == 0, "bon pushes up the best alone");
    near(loss_of("pref-ft", &b, &o),
         -(response_sum(&b, b.logp, 0) + 2 * response_sum(&b, b.logp, 2)) / 3, 1e-6, "pref-ft");
    real large = 40;
    for (int i = b.start[2]; i < b.row[3]; i++) { b.advantage[i] = large; }
    loss_of("rwr", &b, &o);
    check(b.dlogp[b.start[2]] == -5, "rwr's weights are capped");
    memcpy(b.old_logp, b.logp, 16 * sizeof(real));  // the first step after collection
    real ppo[16];
    loss_of("ppo", &b, &o);
    memcpy(ppo, b.dlogp, sizeof ppo);
    loss_of("reinforce", &b, &o);
    check(!memcmp(ppo, b.dlogp, sizeof ppo) && b.clip_frac == 0, "ppo's first step is reinforce's");
}

static void test_advantages(void) {
    Batch b = batch_new(6, 12, 3);
    const double reward[] = {1, 2, 6, 4, 4, 4}, loo[] = {-3, -1.5, 4.5, 0, 0, 0};
    const double group[] = {-0.75592895, -0.37796447, 1.13389342, 0, 0, 0};
    for (int r = 0; r < 6; r++) { batch_add(&b, (int[]){0, 60 + r}, 2, 1); }
    memcpy(b.reward, reward, sizeof reward);
    for (int kind = NO_BASELINE; kind <= GROUP_BASELINE; kind++) {
        advantages(&b, kind, 0);
        for (int r = 0; r < 6; r++) {
            double expected = kind == NO_BASELINE     ? reward[r]
                              : kind == LEAVE_ONE_OUT ? loo[r]
                                                      : group[r];
            near((double)b.advantage[2 * r + 1], expected, 1e-6, BASELINES[kind]);
        }
    }
    make_pairs(&b);
    check(b.n_pairs == 3 && b.pair[0].won == 1 && b.pair[0].lost == 0 && b.pair[2].won == 2,
          "pairs");
    Options o = LOSS_OPTIONS;
    Run tuning = {.o = &o, .world = {.task = &TASKS[0]}, .loss = loss_bon, .data = b};
    double r1[6], all = 0;
    for (int r = 0; r < 6; r++) { r1[r] = truth(&tuning.world, &b, r); }
    near(r1[2], exp(-0.64), 1e-12, "R1 of token 62");
    near(imitation_bound(&tuning), (r1[2] + r1[3]) / 2, 1e-6, "what imitation of the best earns");
    tuning.loss = loss_sft;
    for (int r = 0; r < 6; r++) { all += r1[r] / 6; }
    near(imitation_bound(&tuning), all, 1e-6, "what imitation of all earns");
}

// The reward model's loss, the value head's, and GAE, against dev/oracle.py.
static void test_heads(void) {
    double tolerance = is_double() ? 1e-12 : 1e-6, mean = 0, std = 0;
    const double score[] = {0.3, -0.2, 1.1, 0.9};
    Options o = LOSS_OPTIONS;
    int at[12];
    Batch b = loss_batch(at);
    for (int r = 0; r < 4; r++) { b.value[b.row[r + 1] - 1] = (real)score[r]; }
    near(weigh(&b, loss_bradley_terry, &o), ORACLE_BT, tolerance, "Bradley-Terry");
    for (int r = 0; r < 4; r++) {
        near((double)b.dvalue[b.row[r + 1] - 1], ORACLE_BT_D[r], tolerance, "Bradley-Terry");
    }
    // one response of 5 tokens: reward 1 at its end, and 0.2 for straying from the reference at 3
    b = batch_new(1, 6, 1);
    batch_add(&b, (int[6]){0}, 6, 1);
    const double value[] = {0.5, 0.4, 0.6, 0.3, 0.8};
    for (int t = 0; t < 5; t++) { b.old_value[t] = (real)value[t]; }
    b.old_logp[3] = -1;
    b.ref_logp[3] = (real)-0.8;
    b.reward[0] = 1;
    gae(&b, 0.95, 1);
    for (int t = 0; t < 5; t++) { mean += ORACLE_GAE[t] / 5; }
    for (int t = 0; t < 5; t++) { std += pow(ORACLE_GAE[t] - mean, 2) / 5; }
    for (int t = 0; t < 5; t++) {
        near((double)b.returns[t + 1], ORACLE_RETURNS[t], tolerance, "returns");
        near((double)b.advantage[t + 1], (ORACLE_GAE[t] - mean) / sqrt(std), 1e-6, "GAE");
    }
    const struct { double v, old, target; } cases[] = {
        {0.5, 0.4, 1}, {0.9, 0.4, 0}, {-0.1, 0.4, 0.3}, {0.9, 0.4, 1}};
    for (int k = 0; k < 2; k++) {  // the first three, then the last, where the clip is the larger
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

static double table_reward(int way) {
    return cos(1.7 * way) + 0.1 * way;
}

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
            advantages(&b, kind, 0);
            loss_of("reinforce", &b, &o);
            for (int r = 0; r < 2; r++) {
                table_gradient(logit, way[r] / 4, way[r] % 4, p * (double)b.dlogp[3 * r + 1],
                               p * (double)b.dlogp[3 * r + 2], estimate);
            }
        }
        for (int i = 0; i < LOGITS; i++) { worst = fmax(worst, fabs(estimate[i] - exact[i])); }
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
    for (int i = 0; i < WAYS; i++) {  // both orders of each pair, each with its probability
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
        worst = fmax(worst, fabs(exp(first[y / 4] + second[y / 4][y % 4]) - best[y] / total));
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
    return truth(w, &b, 0);
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
    Options o = {.data = "tinystories_tok.bin"};
    World w = world_new(tasks[0], &o, (Config){128, 512, 1, 1, 1, 512});
    int *y = alloc(200, sizeof(int), "a response"), count[128] = {0}, most = 0, prompts = 0;
    check(w.longest == 103 && w.mode >= 40 && w.mode <= 60, "mode %d, longest %d", w.mode,
          w.longest);
    for (int d = 0; d < w.train.n_docs; d++) {
        int *doc = w.train.doc + d, n = doc[1] - doc[0];
        count[n - prompt_length(&w.t, w.train.token + doc[0], n)]++;
    }
    for (int l = 5; l < 99; l++) {  // the mode is where a window of 9 holds most
        int near_l = 0;
        for (int i = l - 4; i <= l + 4; i++) { near_l += count[i]; }
        if (near_l > most) {
            most = near_l;
            prompts = l;
        }
    }
    check(w.mode == prompts, "the mode of lengths is %d, not %d", prompts, w.mode);
    for (int l = 1; l <= 120; l++) {
        double expected[] = {l <= 103 ? 1 - (l - 1) / 102.0 : 0, exp(-pow((l - w.mode) / 10.0, 2)),
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

// Run `pref` with these words (split at blanks; in quotes they stay together); returns the exit
// status, or 100 + the signal. Its standard output and error are left in files of the scratch
// folder.
static int cli(const char *line) {
    char words[4096], *argv[64] = {(char *)run.self, "--cli"};
    int argc = 2, quoted = 0, inside = 0;
    snprintf(words, sizeof words, "%s", line);
    for (char *p = words; *p; p++) {
        if (*p == '\'') {
            quoted = !quoted;
            if (quoted) {
                argv[argc++] = p + 1;
            }
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
        execv(run.self, argv);
        _exit(98);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

// The command must end with this status and one line on stderr that has these words.
static void fails(int status, const char *words, const char *format, ...) {
    char line[4096], *error;
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    int got = cli(line);
    size_t n = slurp(in_scratch("stderr"), &error), newlines = 0;
    for (size_t i = 0; i < n; i++) {
        newlines += error[i] == '\n';
    }
    check(got == status && newlines == 1 && strstr(error, words) && !strncmp(error, "pref: ", 6),
          "pref %s: status %d (expected %d), said: %s (expected: %s)", line, got, status, error,
          words);
}

static void works(const char *format, ...) {
    char line[4096], *error;
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    int got = cli(line);
    slurp(in_scratch("stderr"), &error);
    check(got == 0 && !*error, "pref %s: status %d, said: %s", line, got, error);
}

static void test_checkpoint(void) {
    const char *path = in_scratch("model.bin"), *bad = in_scratch("bad.bin");
    for (int head = 0; head < 2; head++) {
        GPT g = gpt_new((Config){16, 20, 2, 2, 8, 24}, head, 0);
        Rng r = rng_stream(5, 'c', 0);
        for (size_t i = 0; i < g.n_params; i++) {
            g.params[i] = (real)(float)rng_normal(&r);
        }
        gpt_save(&g, path);
        GPT h = gpt_load(path, 0, 0);
        check(h.head == head && h.n_params == g.n_params && !memcmp(&g.c, &h.c, sizeof g.c)
              && !memcmp(g.params, h.params, g.n_params * sizeof(real)), "checkpoint round trip");
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
    const struct { int at; int32_t value; const char *says;
    } wrong[] = {{0, 20240327, "no model"},   {1, 5, "not a model"},      {2, -1, "impossible"},
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
    Corpus train, val;
    stories_load("tinystories_tok.bin", &t, &train, &val);
    check(t.V == 512 && t.eot == 511, "512 tokens, the last of them end-of-text");
    Rng r = rng_stream(6, 't', 0);
    const char *letters = "aaeeehhtt  nn.,!?\"'12\n\tTLx\xc3\xa9";
    for (int k = 0; k < 2000; k++) {  // arbitrary bytes, and text-like ones
        char text[200], back[200];
        int id[200], apart[200], n = 1 + rng_below(&r, 199), m = 0;
        for (int i = 0; i < n; i++) {
            text[i] =
                (char)(k % 2 ? rng_below(&r, 256) : letters[rng_below(&r, (int)strlen(letters))]);
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
    const struct { const char *text; int piece;
    } pieces[] = {{"cat dog", 3}, {" cat.", 4},  {"  cat", 1},
                  {"12cat", 2},   {".\" So", 2}, {"\n\n a", 2},
                  {" ", 1},       {" 12", 1},    {"\xc3\xa9t\xc3\xa9 x", 5}};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        check(piece_length(pieces[i].text, (int)strlen(pieces[i].text)) == pieces[i].piece,
              "piece of '%s'", pieces[i].text);
    }
    const struct { const char *text; const char *prompt;
    } sentences[] = {{"A cat sat. It ran.", "A cat sat."},
                     {"\"Hi!\" said Tim. Then", "\"Hi!\""},
                     {"No end", "No end"}};
    for (size_t i = 0; i < sizeof sentences / sizeof *sentences; i++) {
        int id[64], n = encode(&t, sentences[i].text, (int)strlen(sentences[i].text), id),
                    bytes = 0;
        uint16_t doc[64];
        for (int j = 0; j < n; j++) {
            doc[j] = (uint16_t)id[j];
        }
        doc[n] = (uint16_t)t.eot;
        for (int j = 0, p = prompt_length(&t, doc, n + 1); j < p; j++) {
            bytes += t.at[id[j] + 1] - t.at[id[j]];
        }
        check(bytes == (int)strlen(sentences[i].prompt), "first sentence of '%s'",
              sentences[i].text);
    }
}

// What issue 3 asks of the stories that are shipped.
static void test_stories(void) {
    Tokenizer t;
    Corpus train, val;
    stories_load("tinystories_tok.bin", &t, &train, &val);
    int longest_prompt = 0, longest_rest = 0, dogs = 0, cats = 0;
    check(train.n_docs >= 20000 && train.doc[train.n_docs] >= 1000000, "enough stories");
    for (int d = 0; d < train.n_docs; d++) {
        int n = train.doc[d + 1] - train.doc[d],
            p = prompt_length(&t, train.token + train.doc[d], n);
        longest_prompt = p > longest_prompt ? p : longest_prompt;
        longest_rest = n - p > longest_rest ? n - p : longest_rest;
        char text[1024] = "";
        int m = 0;
        for (int i = train.doc[d]; i < train.doc[d + 1] - 1; i++) {
            int length = t.at[train.token[i] + 1] - t.at[train.token[i]];
            memcpy(text + m, t.bytes + t.at[train.token[i]], (size_t)length);
            m += length;
        }
        int dog = strstr(text, " dog") != NULL, cat = strstr(text, " cat") != NULL;
        check(!dog || !cat, "story %d has a dog and a cat", d);
        dogs += dog;
        cats += cat;
    }
    double share = (double)dogs / (dogs + cats), animals = (double)(dogs + cats) / train.n_docs;
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
    const struct { int at; int32_t value; const char *says;
    } wrong[] = {{0, 1, "does not begin"},   {1, 9, "does not begin"}, {2, -5, "impossible"},
                 {2, 1 << 20, "impossible"}, {3, 512, "impossible"},   {3, -1, "impossible"},
                 {2, 600, "bad_tok.bin"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int32_t kept = h[wrong[i].at];
        h[wrong[i].at] = wrong[i].value;
        spill(bad, data, n);
        fails(1, wrong[i].says, "sft --data %s -o %s", bad, in_scratch("x.bin"));
        h[wrong[i].at] = kept;
    }
    Tokenizer t = tokenizer_load("tinystories_tok.bin");
    size_t block = 1024 + (size_t)t.V + (size_t)t.at[t.V];  // where the training tokens start
    memcpy(&h, &(int32_t *){0}, sizeof h);
    const struct { size_t at; int32_t value; const char *says; } worse[] = {
        {block, 3, "no block"}, {block + 8, -1, "promises"}, {block + 8, INT_MAX, "promises"},
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
    for (int k = 0; k < 20; k++) {  // flip bits in the first blocks: an error or none, no crash
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

// One line of pairs: what json_pair makes of a copy of it; its texts are the caller's to free.
static const char *read_pair(const char *line, char *text[3], double number[2]) {
    char *copy = alloc(strlen(line) + 1, 1, "a line");
    strcpy(copy, line);
    number[0] = number[1] = NAN;
    return json_pair(copy, text, number);
}

static void test_json(void) {
    char *text[3];
    double number[2];
    const char *wrong = read_pair(
        " {\"other\": [1, {\"a}\": \"]\"}, null], \"prompt\":\"a\\\"b\\\\\\/\", "
        "\"score_chosen\" : -1.5e-1, \"chosen\": \"\\u00e9\\ud83d\\ude00\\n\\t\", "
        "\"score_rejected\": null, \"rejected\":\"\", \"x\": true }\r\n", text, number);
    check(!wrong, "a good line: %s", wrong);
    check(!strcmp(text[0], "a\"b\\/"), "escapes: %s", text[0]);
    check(!strcmp(text[1], "\xc3\xa9\xf0\x9f\x98\x80\n\t"), "Unicode: %s", text[1]);
    check(!*text[2] && number[0] == -0.15 && isnan(number[1]), "empty field, numbers");
    const char *good = "{\"prompt\": \"p\", \"chosen\": \"c\", \"rejected\": \"r\"}";
    check(!read_pair(good, text, number), "the shortest line");
    char line[128];
    for (size_t n = 0; n < strlen(good); n++) {  // cut anywhere, it is broken
        memcpy(line, good, n);
        line[n] = 0;
        check(read_pair(line, text, number) != NULL, "a line cut after %zu bytes", n);
    }
    const char *bad[] = {
        "[]", "{}", "{\"prompt\": \"p\", \"chosen\": \"c\"}", "{\"prompt\": 1}",
        "{\"prompt\" \"p\"}", "{prompt: \"p\"}", "{\"a\": }", "{\"a\": 1,}", "{\"a\": \"\\q\"}",
        "{\"a\": \"\\u12g4\"}", "{\"a\": \"\\ud800\"}", "{\"a\": \"\\udc00\"}",
        "{\"a\": \"\\u0000\"}",
        "{\"a\": \"\xff\"}", "{\"a\": \"\xc0\x80\"}", "{\"a\": \"\xed\xa0\x80\"}",
        "{\"a\": \"\xf5\x80\x80\x80\"}", "{\"a\": \"\xe2\x82\"}", "{\"a\": \"\t\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        check(read_pair(bad[i], text, number) != NULL, "taken for good: %s", bad[i]);
    }
    snprintf(line, sizeof line, "%s x", good);
    check(read_pair(line, text, number) != NULL, "something after the object");
    Rng r = rng_stream(3, 'j', 0);
    for (int i = 0; i < 20000; i++) {  // broken in one place: an answer, never a crash
        snprintf(line, sizeof line, "{\"prompt\": \"\\u00e9\", \"chosen\": [\"c\"], \"x\": {}}");
        line[rng_below(&r, (int)strlen(line))] = (char)(1 + rng_below(&r, 255));
        char *copy = strdup(line);
        json_pair(copy, text, number);
        free(copy);
    }
}

static void test_commands(void) {
    const char *model = in_scratch("tiny.bin"), *log = in_scratch("log.csv"),
               *ids = in_scratch("ids");
    const char *missing = in_scratch("no/such/file"), *other = in_scratch("other.bin");
    works("sft --steps 3 --batch 4 -L 1 -H 1 -C 8 -o %s --log %s", model, log);
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
    const struct { const char *ids, *says; } rows_[] = {
        {"1 x 3\n", ":1: expected"}, {"1 2\n3 -4\n", ":2: expected"}, {"1 512\n", "from 0 to 511"},
        {"99999999999999999999\n", ":1: expected"}};
    for (size_t i = 0; i < sizeof rows_ / sizeof *rows_; i++) {
        spill(ids, rows_[i].ids, strlen(rows_[i].ids));
        fails(1, rows_[i].says, "score -m %s --ids %s", model, ids);
    }
    char *many = alloc(1000, 1, "test");
    for (int i = 0; i < 129; i++) {
        memcpy(many + 2 * i, "1 ", 2);
    }
    spill(ids, many, 258);
    fails(1, "at most 128", "score -m %s --ids %s", model, ids);
    for (int i = 0; i < 200; i++) {
        memcpy(many + 4 * i, " zqx", 4);
    }
    fails(1, "room for", "sample -m %s -p '%s'", model, many);
    fails(1, "room for", "score -m %s --text '%s'", model, many);
    fails(2, "nearest is 'sample'", "smaple -m x");
    fails(2, "nearest is '--steps'", "sft --step 3");
    fails(2, "expected a value", "sft --steps");
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
    fails(2, "nearest", "help nothing");
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

// Compare a CSV with another but for its last column, the seconds.
static void same_log(const char *a, const char *b, const char *what) {
    char *x, *y;
    slurp(in_scratch(a), &x);
    slurp(in_scratch(b), &y);
    int same = 1, lines = 0;
    for (char *p = strtok(x, "\n"), *q = y; p; p = strtok(NULL, "\n"), lines++) {
        size_t n = (size_t)(strrchr(p, ',') - p);
        same = same && q && !strncmp(p, q, n + 1);
        q = q ? strchr(q, '\n') : NULL;
        q = q ? q + 1 : NULL;
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
    if (is_double()) { return; }  // ./pref is the float build
    const char *d = run.directory, *methods[] = {"dpo", "ppo", "bon"};
    shell("./pref sft --task bandit --len 3 --seed 4 -o %s/ref.bin", d);
    const char *common = "tune --task r1 --len 3 --seed 4 --batch 5 -n 6 --reuse 4 --steps 80 "
        "--eval-every 40";
    for (int i = 0; i < 3; i++) {
        const char *m = methods[i];
        shell("./pref %s -m %s/ref.bin --method %s --log %s/off.csv >/dev/null", common, d, m, d);
        shell("./pref_onpolicy %s -m %s/ref.bin --method %s --collect 100 --log %s/all.csv "
              ">/dev/null",
              common, d, m, d);
        same_log("off.csv", "all.csv", "pref_onpolicy with one collection is pref");
        shell("./pref_onpolicy %s -m %s/ref.bin --method %s --log %s/on.csv >/dev/null", common, d,
              m, d);
        check(last_reward("on.csv") > last_reward("off.csv") + 0.05,
              "%s: fresh data %g, fixed data %g", m, last_reward("on.csv"), last_reward("off.csv"));
    }
    shell("./pref_onpolicy tune --task r1 --len 3 -m %s/ref.bin --method bon --batch 5 -n 4 "
          "--reuse 2 --collect 15 --queries 400 --log %s/q.csv > /dev/null", d, d);
    check(last_field("q.csv", 1) == 400, "--queries 400 makes %g", last_field("q.csv", 1));
    for (int n = 1; n <= 3; n++) {
        shell("OMP_NUM_THREADS=%d ./pref_onpolicy %s -m %s/ref.bin --method ipo --log %s/t%d.csv "
              "--hist %s/h%d.csv --steps 20 >/dev/null", n, common, d, d, n, d, n);
    }
    same_log("t1.csv", "t2.csv", "threads");
    same_log("t1.csv", "t3.csv", "threads");
    char *text;
    slurp(in_scratch("t1.csv"), &text);
    const char *header =
        "step,queries,loss,gold_reward,proxy_reward,kl,entropy,distinct,response_len,"
        "logp_chosen,logp_rejected,reward_margin,reward_accuracy,push_up,push_down,grad_norm,clip_"
        "frac,"
        "seconds\n0,0,,";
    check(!strncmp(text, header, strlen(header)), "the log's columns");
    slurp(in_scratch("h1.csv"), &text);
    check(!strncmp(text, "step,0,1,2,", 11), "the histogram's columns");
}

// Pairs, reward model and policies of stories, end to end with a small model; wrong input.
static void test_story_tuning(void) {
    const char *m = in_scratch("story.bin"), *f = in_scratch("min.jsonl"),
               *rm = in_scratch("rm.bin"), *p = in_scratch("policy.bin"),
               *bad = in_scratch("bad.jsonl");
    works("sft --steps 150 --batch 16 -L 1 -H 2 -C 32 -T 128 --lr 0.01 -o %s", m);
    works("pairs -m %s --task min -n 200 -o %s", m, f);
    works("pairs -m %s --task skew -n 20 -o %s", m, in_scratch("skew.jsonl"));
    works("pairs -m %s --task mode -n 20 --label-noise 0.3 -o %s", m, in_scratch("noisy.jsonl"));
    char *text;
    slurp(f, &text);
    int lines = 0;
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1, lines++) {
        char *part[3];
        double score[2] = {0, 0};
        *end = 0;
        check(!json_pair(line, part, score) && score[0] > score[1], "pair %d", lines);
    }
    check(lines == 200, "%d pairs", lines);
    works("info %s", f);
    works("rm -m %s --pairs %s -o %s --steps 60 --batch 16 --log %s", m, f, rm,
          in_scratch("rm.csv"));
    slurp(in_scratch("stdout"), &text);
    char *at = strstr(text, "accuracy on the held-out pairs ");
    check(at && atof(at + 31) >= 0.8, "the reward model: %s", text);
    const char *tune = "--task min --steps 6 --batch 4 -n 4 --eval-every 3";
    for (int k = 0; k < N_METHODS; k++) {
        works("tune --method %s %s -m %s --rm %s -o %s", METHODS[k].name, tune, m, rm, p);
    }
    works("tune --method ppo --baseline value --kl 0.05 %s -m %s --rm %s -o %s", tune, m, rm, p);
    works("eval -m %s --ref %s --task min --rm %s -n 40 --count dog,cat", p, m, rm);
    slurp(in_scratch("stdout"), &text);
    check(strstr(text, "gold reward") && strstr(text, "win rate")
          && strstr(text, "reference: cat "), "eval: %s", text);
    if (!is_double()) {  // ./pref and ./pref_onpolicy are the float builds
        const char *steps = "--task min --steps 24 --batch 4 --lr 1e-3 --eval-every 12";
        const char *d = run.directory;
        char common[100];
        snprintf(common, sizeof common, "%s -n 8", steps);
        shell("./pref tune --method dpo %s -m %s --pairs %s --log %s/pairs1.csv > %s/out", steps, m,
              f, d, d);
        const char *own_rate = "--task min --steps 24 --batch 4 -n 8 --eval-every 12";
        shell("./pref tune --method reinforce %s -m %s --rm %s --log %s/pairs0.csv > %s/out",
              own_rate, m, rm, d, d);
        shell("./pref_onpolicy tune --method reinforce %s -m %s --rm %s --collect 48 "
              "--log %s/all.csv > %s/out", own_rate, m, rm, d, d);
        same_log("pairs0.csv", "all.csv", "stories: one collection is fixed data");
        shell("./pref_onpolicy tune --method ppo %s -m %s --rm %s --log %s/on.csv > %s/out",
              common, m, rm, d, d);
        shell("./pref tune --method ppo %s -m %s --rm %s --log %s/off.csv > %s/out", common, m, rm,
              d, d);
        check(last_reward("on.csv") > last_reward("off.csv") + 0.05,
              "stories: fresh data %g, fixed data %g", last_reward("on.csv"),
              last_reward("off.csv"));
        check(last_reward("pairs1.csv") > 0, "dpo on a file of pairs");
    }
    FILE *one = fopen(bad, "w");
    fputs("{\"prompt\": \"A.\", \"chosen\": \" B.\", \"rejected\": \" C.\"}\n", one);
    fclose(one);
    fails(1, "one pair is not enough", "rm -m %s --pairs %s -o %s", m, bad, p);
    fails(2, "--task r1", "pairs -m %s --task r1 -o %s", m, bad);
    fails(2, "--task r2", "eval -m %s --ref %s --task r2", m, m);
    fails(2, "stories need a reward model", "tune --method dpo --task min -m %s", m);
    fails(2, "-m MODEL is needed", "tune --method dpo --task min --rm %s", rm);
    fails(2, "-n counts", "tune --method dpo --task min -m %s --pairs %s -n 4", m, f);
    fails(2, "not bandits", "tune --method dpo --task r1 --rm %s", rm);
    fails(2, "--len is for", "tune --method dpo --task min -m %s --rm %s --len 9", m, rm);
    fails(2, "--baseline value is for", "tune --method dpo --baseline value --task r1");
    fails(1, "no reward model", "tune --method dpo --task min -m %s --rm %s", m, m);
    const struct { const char *line, *says; } wrong[] = {
        {"", "holds no pairs"}, {"{\n", ":1: "}, {"\n{\"prompt\": 3}\n", ":2: "},
        {"{\"prompt\": \"a\", \"chosen\": \"b\", \"rejected\": \"b\"}", "are the same"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        spill(bad, wrong[i].line, strlen(wrong[i].line));
        fails(1, wrong[i].says, "rm -m %s --pairs %s -o %s", m, bad, p);
    }
    const size_t lengths[] = {2000, 3 << 20};
    for (int i = 0; i < 2; i++) {  // no room for a response; a huge line
        char *line = alloc(lengths[i] + 100, 1, "a line");
        size_t n = (size_t)sprintf(line, "{\"prompt\": \"");
        for (; n < lengths[i]; n++) { line[n] = n % 5 ? 'x' : ' '; }
        strcpy(line + n, "\", \"chosen\": \"a\", \"rejected\": \"b\"}");
        spill(bad, line, strlen(line));
        fails(1, i ? "longer than any context" : "the model has room for 128",
              "rm -m %s --pairs %s -o %s", m, bad, p);
    }
    GPT g = gpt_new((Config){128, 20, 1, 1, 8, 20}, 1, 0);
    gpt_save(&g, bad);
    fails(1, "vocabulary of 20", "tune --method dpo --task min -m %s --rm %s", m, bad);
    fails(1, "vocabulary of 20", "rm -m %s --pairs %s -o %s", bad, f, p);
    g = gpt_new((Config){64, 512, 1, 1, 8, 512}, 1, 0);
    gpt_save(&g, bad);
    fails(1, "its context is 64", "tune --method dpo --task min -m %s --rm %s", m, bad);
    fails(1, "not of the same shape", "eval -m %s --ref %s --task min", m, bad);
}

static void test_tune_errors(void) {
    const char *ref = in_scratch("ref2.bin"), *tune = "tune --method dpo --task r1";
    works("sft --task bandit --len 2 -o %s", ref);
    fails(2, "--method NAME is needed", "tune --task r1");
    fails(2, "--task NAME is needed", "tune --method dpo");
    fails(2, "nearest is 'dpo'", "tune --method dpp --task r1");
    fails(2, "nearest is 'dpo'", "tune --method dop --task r1");  // two edits, as far as bon
    fails(2, "nearest is 'r1'", "tune --method dpo --task r");
    fails(2, "nearest is 'group'", "%s --baseline grup", tune);
    fails(2, "--beta 0", "%s --beta 0", tune);
    fails(2, "--tau -1", "%s --tau -1", tune);
    fails(2, "--clip x", "%s --clip x", tune);
    fails(2, "--reuse 0", "%s --reuse 0", tune);
    fails(2, "--batch 0", "%s --batch 0", tune);
    fails(2, "multiple", "%s --collect 15 --batch 10", tune);
    fails(2, "give one", "%s --steps 10 --queries 100", tune);
    fails(2, "makes 0 steps", "%s --queries 3 --reuse 1", tune);
    fails(2, "-n 2 at least", "%s -n 1", tune);
    fails(1, "are 100 and 10", "%s -m %s", tune, ref);
    fails(1, "cannot write", "%s --len 2 -m %s --log %s", tune, ref, in_scratch("no/such"));
    fails(1, "cannot write", "%s --len 2 -m %s -o %s", tune, ref, in_scratch("no/such"));
    if (!is_double()) {  // which has room for numbers that large
        fails(1, "ipo: the loss is not finite at step",
          "tune --method ipo --task r1 --len 2 -m %s --lr 1e6 --steps 9", ref);
    }
    fails(2, "knows stories", "sft --task r1");
    fails(2, "--len goes with", "sft --len 3");
    fails(2, "too large", "bench -B 65536 -T 65536");
    fails(1, "too large", "%s --len 2 -m %s --queries 1000000000", tune, ref);
    works("help tune");
    works("kl --log %s", in_scratch("kl.csv"));
}

// The same command twice writes the same model; a short training run learns.
static void test_sft(void) {
    const char *a = in_scratch("a.bin"), *b = in_scratch("b.bin");
    char *one, *two;
    works("sft --steps 30 --batch 8 -L 1 -H 2 -C 16 -T 64 --lr 0.008 -o %s", a);
    works("sft --steps 30 --batch 8 -L 1 -H 2 -C 16 -T 64 --lr 0.008 -o %s", b);
    char *out = NULL, *last = NULL;
    slurp(in_scratch("stdout"), &out);
    for (char *p = out; (p = strstr(p, "validation ")); p++) {
        last = p;
    }
    double loss = last ? atof(last + 11) : INFINITY;
    check(loss < 5.9, "30 steps bring the validation loss from ln 512 = 6.24 to %g", loss);
    size_t n = slurp(a, &one), m = slurp(b, &two);
    check(n == m && !memcmp(one, two, n), "the same seed writes the same model");
}

int main(int argc, char **argv) {
    if (argc > 1 && !strcmp(argv[1], "--cli")) {
        run_command(argc - 1, argv + 1);
        return 0;
    }
    char directory[] = "/tmp/test_pref_XXXXXX";
    run.self = argv[0];
    run.directory = mkdtemp(directory);
    const struct { const char *name; void (*test)(void); } tests[] = {
        {"exp", test_exp},
        {"a random order", test_deck},
        {"matrix multiply", test_matmul},
        {"layers, by finite differences", test_layers},
        {"GPT against PyTorch", test_gpt_against_oracle},
        {"GPT, every parameter by finite differences", test_gpt_gradients},
        {"a row does not depend on its batch", test_row_alone},
        {"sampler against forward pass", test_sampler_logp},
        {"sampler's frequencies", test_sampler_frequencies},
        {"threads", test_threads},
        {"losses", test_losses},
        {"advantages and pairs", test_advantages},
        {"reward and value heads, GAE", test_heads},
        {"policy gradient is unbiased", test_unbiased},
        {"KL of samples", test_kl_estimate},
        {"dpo's optimum", test_dpo_optimum},
        {"ipo's optimum", test_ipo_optimum},
        {"bandit", test_bandit},
        {"stories' tasks", test_story_tasks},
        {"JSON", test_json},
        {"gradients of the KL study", test_kl_gradients},
        {"checkpoints", test_checkpoint},
        {"tokenizer", test_tokenizer},
        {"stories", test_stories},
        {"stories file, broken", test_stories_file},
        {"commands, right and wrong", test_commands},
        {"sft", test_sft},
        {"fresh and fixed data", test_builds},
        {"pairs, reward model, stories", test_story_tuning},
        {"tune, wrong input", test_tune_errors},
    };
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        double begin = seconds();
        int failed = run.failed;
        tests[i].test();
        printf("%-6s %-46s %5.1f s\n", run.failed == failed ? "ok" : "FAILED", tests[i].name,
               seconds() - begin);
    }
    char command[PATH_MAX + 16];
    snprintf(command, sizeof command, "rm -r '%s'", run.directory);
    if (system(command) != 0) {
        printf("%s could not be removed\n", run.directory);
    }
    printf("%s: %d passed, %d failed\n", is_double() ? "double" : "float", run.passed, run.failed);
    return run.failed > 0;
}
