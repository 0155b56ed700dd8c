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
            Matrix A = layout & 1 ? turned(a, m) : rows(a, k), B = layout & 2 ? turned(b, k) : rows(b, n);
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
        near(sqrt(squares), ORACLE_GRAD[k][0], tolerance, g.tensor[k].name);
        near(waves, ORACLE_GRAD[k][1], tolerance, g.tensor[k].name);
    }
    for (int step = 1; step <= 3; step++) {  // the first gradient is still there
        if (step > 1) {
            oracle_loss(&g, &a, &b);
            gpt_backward(&g, &a, &b, b.dlogp, b.dvalue);
        }
        near(adamw(&g, 1e-2, 1, step), ORACLE_ADAMW_NORM[step - 1], is_double() ? 1e-6 : 1e-3, "gradient norm");
        near(oracle_loss(&g, &a, &b), ORACLE_ADAMW_L[step - 1], is_double() ? 1e-6 : 1e-3, "loss after AdamW");
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
              "gradient of %s: off by %g of %g", g.tensor[k].name, worst, largest_grad);
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
    real mean[LN_N], rstd[LN_N];
    const real *w = x + LN_N * LN_C;
    layernorm_forward(y, mean, rstd, x, w, w + LN_C, LN_N, LN_C);
}

static void norm_dx(real *dx, const real *dy, const real *x) {
    real y[LN_N * LN_C], mean[LN_N], rstd[LN_N];
    const real *w = x + LN_N * LN_C;
    real *dw = dx + LN_N * LN_C;
    layernorm_forward(y, mean, rstd, x, w, w + LN_C, LN_N, LN_C);
    layernorm_backward(dx, dw, dw + LN_C, dy, x, w, mean, rstd, LN_N, LN_C);
}

static void gelu_y(real *y, const real *x) {
    gelu_forward(y, x, 5, 20);
}

static void gelu_dx(real *dx, const real *dy, const real *x) {
    memcpy(dx, dy, 100 * sizeof *dx);
    gelu_backward(dx, x, 5, 20);
}

enum { LIN_N = 5, LIN_C = 7, LIN_OC = 9 };  // x holds the input, then w, then the bias

static void linear_y(real *y, const real *x) {
    const real *w = x + LIN_N * LIN_C;
    real packed[512];
    pack(packed, turned(w, LIN_C), LIN_C, LIN_OC);
    linear_forward(y, NONE, x, packed, w + LIN_OC * LIN_C, LIN_N, LIN_C, LIN_OC);
}

static void linear_dx(real *dx, const real *dy, const real *x) {
    real *dw = dx + LIN_N * LIN_C;
    linear_backward(dx, dw, dw + LIN_OC * LIN_C, dy, x, x + LIN_N * LIN_C, LIN_N, LIN_C, LIN_OC);
}

static const int ATT_ROWS[] = {0, 4, 5, 8};
static const size_t ATT_PROB_AT[] = {0, 32, 34};
enum { ATT_C = 6 };  // three rows of 4, 1 and 3 tokens, two heads

static void attention_y(real *y, const real *x) {
    real prob[52];
    attention_forward(y, prob, ATT_PROB_AT, x, ATT_ROWS, 3, ATT_C, 2);
}

static void attention_dx(real *dx, const real *dy, const real *x) {
    real y[8 * ATT_C], prob[52], dprob[16];
    attention_forward(y, prob, ATT_PROB_AT, x, ATT_ROWS, 3, ATT_C, 2);
    attention_backward(dx, dprob, dy, prob, ATT_PROB_AT, x, ATT_ROWS, 3, ATT_C, 2);
}

static void test_layers(void) {
    if (is_double()) {
        check_layer("layernorm", norm_y, norm_dx, LN_N * LN_C + 2 * LN_C, LN_N * LN_C);
        check_layer("gelu", gelu_y, gelu_dx, 100, 100);
        check_layer("linear", linear_y, linear_dx, LIN_N * LIN_C + LIN_OC * (LIN_C + 1), LIN_N * LIN_OC);
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

// More rows than slots, prompts of different lengths, an end-of-text: logp as the forward pass has it.
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
    Sampler s = sampler_new(g.c, 180, 33);
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
                      (size_t)(out.start[k] - out.row[k]) * sizeof(int)), "row %d keeps its prompt", k);
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
    Sampler s = sampler_new(g.c, ROWS, 3);
    Batch prompt = batch_new(1, 1, 1), out = batch_new(ROWS, 3 * ROWS, 1), exact = batch_new(V * V, 3 * V * V, 1);
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
        check((double)out.logp[1] >= (double)exact.logp[3 * i * V + 1] - 1e-5, "greedy takes the best");
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
        Sampler s = sampler_new(g.c, 150, 24);
        Batch start = batch_new(1, 1, 1), out = batch_new(150, 150 * 24, 1);
        Acts a = acts_new(&g, 150, 24, 1);
        batch_add(&start, (int[]){0}, 1, 1);
        Sampling how = {.T = 24, .eot = 1, .temperature = 1, .seed = 2};
        for (int step = 1; step <= 3; step++) {
            rollout(&g, &s, &start, 150, &how, &out);
            gpt_forward(&g, &a, &out, out.logp, NULL);
            mean_nll(&out);
            gpt_backward(&g, &a, &out, out.dlogp, NULL);
            adamw(&g, 1e-2, 1, step);
        }
        print[n - 1] = fingerprint(g.params, g.n_params * sizeof(real), 0);
        print[n - 1] = fingerprint(out.token, (size_t)out.n_tokens * sizeof(int), print[n - 1]);
    }
    set_threads(before);
    check(print[0] == print[1] && print[1] == print[2], "other bits with other numbers of threads");
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

// Run `pref` with these words (split at blanks; in quotes they stay together); returns the exit status,
// or 100 + the signal. Its standard output and error are left in files of the scratch folder.
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
        if (!freopen(in_scratch("stdout"), "w", stdout) || !freopen(in_scratch("stderr"), "w", stderr)) {
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
          "pref %s: status %d (expected %d), said: %s (expected: %s)", line, got, status, error, words);
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
          && header[4] == 2 && header[5] == 2 && header[6] == 8 && header[7] == 24, "llm.c's header");
    const size_t cuts[] = {0, 3, 100, 1023, 1024, n / 2, n - 1};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        spill(bad, data, cuts[i]);
        fails(1, "bad.bin", "info %s", bad);
    }
    spill(bad, data, n + 1);
    fails(1, "header promises", "info %s", bad);
    const struct { int at; int32_t value; const char *says; } wrong[] = {
        {0, 20240327, "neither"}, {1, 5, "not a model"}, {2, -1, "impossible"}, {2, 1 << 30, "impossible"},
        {3, 0, "impossible"}, {3, 1 << 30, "impossible"}, {4, 0, "impossible"}, {4, INT_MAX, "impossible"},
        {5, 3, "impossible"}, {5, -8, "impossible"}, {6, INT_MAX, "impossible"}, {6, 16, "promises"},
        {7, 19, "impossible"}, {4, 60000, "promises"}};
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
            text[i] = (char)(k % 2 ? rng_below(&r, 256) : letters[rng_below(&r, (int)strlen(letters))]);
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
    const struct { const char *text; int piece; } pieces[] = {
        {"cat dog", 3}, {" cat.", 4}, {"  cat", 1}, {"12cat", 2}, {".\" So", 2}, {"\n\n a", 2}, {" ", 1},
        {" 12", 1}, {"\xc3\xa9t\xc3\xa9 x", 5}};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        check(piece_length(pieces[i].text, (int)strlen(pieces[i].text)) == pieces[i].piece,
              "piece of '%s'", pieces[i].text);
    }
    const struct { const char *text; const char *prompt; } sentences[] = {
        {"A cat sat. It ran.", "A cat sat."}, {"\"Hi!\" said Tim. Then", "\"Hi!\""}, {"No end", "No end"}};
    for (size_t i = 0; i < sizeof sentences / sizeof *sentences; i++) {
        int id[64], n = encode(&t, sentences[i].text, (int)strlen(sentences[i].text), id), bytes = 0;
        uint16_t doc[64];
        for (int j = 0; j < n; j++) {
            doc[j] = (uint16_t)id[j];
        }
        doc[n] = (uint16_t)t.eot;
        for (int j = 0, p = prompt_length(&t, doc, n + 1); j < p; j++) {
            bytes += t.at[id[j] + 1] - t.at[id[j]];
        }
        check(bytes == (int)strlen(sentences[i].prompt), "first sentence of '%s'", sentences[i].text);
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
        int n = train.doc[d + 1] - train.doc[d], p = prompt_length(&t, train.token + train.doc[d], n);
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
    const struct { int at; int32_t value; const char *says; } wrong[] = {
        {0, 1, "does not begin"}, {1, 9, "does not begin"}, {2, -5, "impossible"}, {2, 1 << 20, "impossible"},
        {3, 512, "impossible"}, {3, -1, "impossible"}, {2, 600, "bad_tok.bin"}};
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
    for (int k = 0; k < 20; k++) {  // flip bits anywhere in the first blocks: an error or none, no crash
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

static void test_commands(void) {
    const char *model = in_scratch("tiny.bin"), *log = in_scratch("log.csv"), *ids = in_scratch("ids");
    const char *missing = in_scratch("no/such/file"), *other = in_scratch("other.bin");
    works("sft --steps 3 --batch 4 -L 1 -H 1 -C 8 -o %s --log %s", model, log);
    char *text;
    slurp(log, &text);
    check(!strncmp(text, "step,loss,val_loss,lr,grad_norm,tokens_per_second,seconds\n1,", 60), "sft's log");
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
    check(sscanf(text, "%lf %lf\n%lf", &a, &b, &c) == 3 && a < 0 && b < 0 && c < 0, "score: %s", text);
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

// The same command twice writes the same model; a short training run learns.
static void test_sft(void) {
    const char *a = in_scratch("a.bin"), *b = in_scratch("b.bin");
    char *one, *two;
    works("sft --steps 30 --batch 8 -L 1 -H 2 -C 16 -T 64 -o %s", a);
    works("sft --steps 30 --batch 8 -L 1 -H 2 -C 16 -T 64 -o %s", b);
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
        {"matrix multiply", test_matmul},
        {"layers, by finite differences", test_layers},
        {"GPT against PyTorch", test_gpt_against_oracle},
        {"GPT, every parameter by finite differences", test_gpt_gradients},
        {"a row does not depend on its batch", test_row_alone},
        {"sampler against forward pass", test_sampler_logp},
        {"sampler's frequencies", test_sampler_frequencies},
        {"threads", test_threads},
        {"checkpoints", test_checkpoint},
        {"tokenizer", test_tokenizer},
        {"stories", test_stories},
        {"stories file, broken", test_stories_file},
        {"commands, right and wrong", test_commands},
        {"sft", test_sft},
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
