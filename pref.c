/*
pref.c: preference fine-tuning of a small language model, in one C file.

This is a minimal reimplementation of "Preference Fine-Tuning of LLMs Should Leverage Suboptimal,
On-Policy Data" (Tajwar et al., ICML 2024). One idea runs through all of it:

    Every method is a weight on each token's log-likelihood. With logp[i] = log p(token i | the
    tokens before it), the gradient of any loss L is  sum_i dlogp[i] * grad logp[i],  where
    dlogp = dL/dlogp.

So a loss is a small function that turns log-probabilities into dlogp, and the network has one
backward pass, which takes dlogp. A token with dlogp < 0 becomes likelier. A token with dlogp > 0
becomes less likely: this is the paper's negative gradient.

Sections, in reading order. No section calls a later one.
     1 utilities           errors, files, random numbers, vector arithmetic
     2 matrix multiply     the one routine that does nearly all of the arithmetic
     3 layers              forward and backward in pairs
     4 the GPT             parameters, batches, activations, one forward and one backward pass
     5 optimizer           Adam, and the files that models are stored in
     6 tokenizer           byte-pair encoding, and the stories
     7 sampler             many rows at once, with a cache of keys and values
     8 tasks               rewards, prompts and preference pairs
     9 losses              each a short function that writes dlogp, and the table of methods
    10 training            one gradient step and one loop; #ifdef ON_POLICY decides who samples
    11 commands            what the user types: sft, sample, pairs, rm, tune

Only the paper? Read logp_backward in section 3, Batch in section 4, section 9 and section 10, about
750 lines. Only the network? Read sections 2 to 5.

Glossary
    row          a sequence of tokens: a prompt, followed by a response
    policy       the model that is being trained, pi in the equations
    reference    the model it started from, pi_ref, which stays fixed
    group        the responses to one prompt, in neighbouring rows
    collection   the groups that are sampled together and then trained on
    pair         two responses to one prompt, y_w (which won) and y_l (which lost)
    part         the share of a batch's rows that passes through the network as one piece of work
    slot         the sampler's place for a row that is being extended
    nats         the unit of log-probabilities, entropies and KL: all logarithms are natural

Build it with make, or with  cc -O3 pref.c -lm -o pref.  Then type ./pref help. With -DON_POLICY the
program is pref_onpolicy, which trains on samples of the policy itself, not on fixed data.
*/
#define _POSIX_C_SOURCE 200809L
#define _DARWIN_C_SOURCE  // macOS otherwise hides what POSIX does not name, such as _SC_PHYS_PAGES
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <float.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <tgmath.h>  // sqrt, exp and log take the type of their argument
#include <time.h>
#include <unistd.h>

#if defined __FAST_MATH__ || __FINITE_MATH_ONLY__ > 0
#error "-ffast-math (which -Ofast implies) breaks fast_exp and every check for NaN: use -O3"
#elif FLT_EVAL_METHOD < 0 || FLT_EVAL_METHOD == 1 || FLT_EVAL_METHOD == 2
#error "floats are computed with excess precision, which breaks fast_exp: use -msse2 -mfpmath=sse"
#elif defined __BYTE_ORDER__ && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#error "model and story files are little-endian, and this machine is big-endian"
#endif
#ifdef _OPENMP
#include <omp.h>
static int threads(void) { return omp_get_max_threads(); }
#else
#pragma GCC diagnostic ignored "-Wunknown-pragmas"  // without OpenMP its pragmas mean nothing
static int threads(void) { return 1; }
#endif
#ifndef PROGRAM
#ifdef ON_POLICY
#define PROGRAM "pref_onpolicy"
#else
#define PROGRAM "pref"
#endif
#endif
#ifndef REAL
#define REAL float  // the tests also build with double, for exact finite differences
#endif
typedef REAL real;

// ==== 1  Utilities ===============================================================================

static char temporary[PATH_MAX + 32];  // the file that is being written beside its place
static volatile sig_atomic_t has_temporary, training, interrupted;

static void remove_temporary(void) {
    if (has_temporary) { unlink(temporary); }
    has_temporary = 0;
}

// Ends the program on a signal. While a model is trained, the first one is only noted, and the loop
// ends after its current step.
static void on_signal(int number) {
    if (!training || interrupted) {
        remove_temporary();
        _exit(128 + number);
    }
    interrupted = number;
}

// Prints a message on stderr. On a terminal it replaces the line that progress() has drawn.
static void print_line(const char *before, const char *format, va_list args, const char *after) {
    fflush(stdout);
    fprintf(stderr, "%s%s", isatty(STDERR_FILENO) ? "\r\033[K" : "", before);
    vfprintf(stderr, format, args);
    fputs(after, stderr);
}

static _Noreturn void stop_with(int status, const char *format, va_list args) {
    print_line(PROGRAM ": ", format, args, "\n");
    remove_temporary();
    exit(status);
}

// Ends the program with a message, and with status 2 for wrong usage or 1 for any other error.
static _Noreturn void stop(int status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    stop_with(status, format, args);
}

// Does the same if something is wrong, and else returns.
static void stop_if(int wrong, int status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    if (wrong) { stop_with(status, format, args); }
    va_end(args);
}

// Prints a line about something that is not an error but that the user should know.
static void note(const char *format, ...) {
    va_list args;
    va_start(args, format);
    print_line("note: ", format, args, "\n");
    va_end(args);
}

// Draws a line over the previous one while something long runs, on a terminal only.
static void progress(const char *format, ...) {
    va_list args;
    va_start(args, format);
    if (isatty(STDERR_FILENO)) { print_line("", format, args, ""); }
    va_end(args);
}

// Returns count * size zeroed bytes, which are never freed. Blocks begin at different places of
// their pages, so that they do not compete for cache lines. Each begins with a pointer to the
// previous one, so that leak checkers still see every block. Error: the total exceeds the machine's
// memory. (The kernel might promise it all the same.)
static void *alloc(uint64_t count, size_t size, const char *what) {
    static void *previous;
    static double total;  // as a double, because a product can wrap on 32 bits
    static size_t n_blocks;
    double have = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    size_t skip = 128 + n_blocks++ * 5 % 61 * 64;
    total += (double)count * (double)size;
    int fits = total <= have && total < (double)SIZE_MAX / 2;
    void **block = fits ? calloc((size_t)count * size + skip, 1) : NULL;
    stop_if(!block, 1,
            "%s: needs %.0f MB of memory; the machine has %.0f", what, total / 1e6, have / 1e6);
    *block = previous;
    previous = block;
    return (char *)block + skip - (uintptr_t)block % 64;
}

// Returns the seconds since some fixed moment.
static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int min_int(int a, int b) { return a < b ? a : b; }

// Splits n items evenly among some workers. Returns the first item of worker i.
static int share(int n, int i, int workers) { return (int)((long long)n * i / workers); }

// What the user can set. The table of options in section 11 says what each field is.
typedef struct Options {
    const char *file;  // the one argument that is not an option
    uint64_t given;    // bit i is set if option i of the table was given
    const char *model, *ref, *rm, *pairs, *out, *data, *log, *prompt, *text, *ids, *count, *task;
    const char *method, *baseline;
    int steps, batch, L, NH, C, V, T, n, top_k, max_len, seed, collect, reuse, queries, len;
    int eval_every;
    double lr, temperature, beta, tau, kl, clip, neg, push_worst, gae, label_noise;
} Options;

// --- files ---------------------------------------------------------------------------------------

typedef struct { FILE *f; const char *path; size_t size; } Input;

// Opens a file for reading. Error: it is not a regular file, or cannot be opened.
static Input input_open(const char *path) {
    struct stat s = {0};
    int found = stat(path, &s) == 0;  // opening a pipe would wait for its writer
    stop_if(found && !S_ISREG(s.st_mode), 1, "%s: not a regular file", path);
    Input in = {found ? fopen(path, "rb") : NULL, path, (size_t)s.st_size};
    stop_if(!in.f, 1, "%s: cannot open it: %s", path, strerror(errno));
    return in;
}

// Reads `count` items of `size` bytes each. Error: the file has fewer.
static void input_read(Input *in, void *to, size_t count, size_t size) {
    size_t n = fread(to, size, count, in->f);
    stop_if(n != count, 1, "%s: ends too early (%zu bytes)", in->path, in->size);
}

// A file is written under a temporary name, only one at a time, and renamed when it is complete.
// Logs, which people like to watch, and anything but regular files are written in place.
typedef struct { FILE *f; const char *path; int in_place; } Output;

// Opens a file for writing. Errors: it cannot be written, or another program is writing it.
static Output output_open(const char *path, int in_place) {
    struct stat s;
    Output out = {NULL, path, in_place || (lstat(path, &s) == 0 && !S_ISREG(s.st_mode))};
    if (!out.in_place) {
        snprintf(temporary, sizeof temporary, "%s.%ld.tmp", path, (long)getpid());
        has_temporary = 1;  // only now: a signal must not remove a file by half a name
    }
    int append = in_place ? O_APPEND : 0;  // a log, which others may shorten while it grows
    int fd = open(out.in_place ? path : temporary, O_WRONLY | O_CREAT | append, 0666);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int locked = fd >= 0 && fcntl(fd, F_SETLK, &lock) < 0 && (errno == EAGAIN || errno == EACCES);
    stop_if(locked, 1, "%s: another program is writing it", path);
    int emptied = fd >= 0 && (fstat(fd, &s) || !S_ISREG(s.st_mode) || ftruncate(fd, 0) == 0);
    out.f = emptied ? fdopen(fd, "wb") : NULL;
    stop_if(!out.f, 1, "%s: cannot write it: %s", path, strerror(errno));
    return out;
}

// Starts a CSV file that arrives line by line; without a path (NULL) there is no file.
static Output csv_open(const char *path, const char *header) {
    if (!path) { return (Output){0}; }
    Output out = output_open(path, 1);
    setvbuf(out.f, NULL, _IOLBF, 1 << 13);
    fputs(header, out.f);
    return out;
}

// Completes a file. Error: not all of it could be written; then nothing takes the file's place.
static void output_close(Output *out) {
    if (!out->f) { return; }
    int failed = ferror(out->f);
    errno = 0;  // an earlier error has not left its number
    failed = fclose(out->f) || failed || (!out->in_place && rename(temporary, out->path));
    stop_if(failed, 1, "%s: cannot write it: %s", out->path, strerror(errno ? errno : EIO));
    if (!out->in_place) { has_temporary = 0; }
    out->f = NULL;
}

// Stops the program now, and not after a minute of training, if the file cannot be written.
static void output_check(const char *path) {
    if (path) { fclose(output_open(path, 0).f); }
    remove_temporary();
}

// --- random numbers ------------------------------------------------------------------------------

// splitmix64 (Steele, Lea, Flood 2014) is a counter that a mixing function scrambles. Every sampled
// row has its own stream, so the order and the threads in which rows are drawn do not matter.
typedef uint64_t Rng;

static uint64_t rng_next(Rng *r) {
    uint64_t z = *r += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// What each random stream is for. The values only need to be distinct.
enum {
    SAMPLE_STREAM, EVALUATION_STREAM, PROBE_STREAM, EXAMPLE_STREAM, EVAL_STREAM, EVAL_REF_STREAM,
    PAIRS_STREAM, BENCH_STREAM = 'b', BANDIT_STREAM = 'd', EPOCH_STREAM = 'e', INIT_STREAM = 'i',
    HELD_OUT_STREAM = 'h', LABEL_STREAM = 'l', ORDER_STREAM = 'o', PROMPT_STREAM = 'x',
    COLLECTION_STREAM = 1000  // and those that follow, one for each collection
};

// repeated() combines a purpose with the number of a repetition. rng_stream() returns the generator
// for a seed, a purpose and an index.
static uint64_t repeated(uint64_t purpose, int i) { return (uint64_t)i << 32 | purpose; }
static Rng rng_stream(int seed, uint64_t purpose, uint64_t index) {
    Rng r = (Rng)seed;
    r = rng_next(&r) + purpose;
    r = rng_next(&r) + index;
    return rng_next(&r);
}

// These return a uniform number in [0, 1), one of 0 to n-1, and a standard normal one (Box-Muller).
static double rng_uniform(Rng *r) { return (double)(rng_next(r) >> 11) * 0x1p-53; }
static int rng_below(Rng *r, int n) { return (int)(rng_uniform(r) * n); }
static double rng_normal(Rng *r) {
    double radius = sqrt(-2 * log(1 - rng_uniform(r)));
    return radius * cos(6.283185307179586 * rng_uniform(r));
}

// The numbers 0 to n-1 in a random order, a new one each time all have been dealt.
typedef struct { int n, next, *number, seed; uint64_t purpose, pass; } Deck;

// Starts again with n numbers, no more than at first, in a new order.
static void deck_restart(Deck *d, int n) {
    for (int i = 0; i < n; i++) { d->number[i] = i; }
    d->next = d->n = n;
}

// Makes a deck, which is shuffled when the first number is dealt.
static Deck deck_new(int n, int seed, uint64_t purpose) {
    Deck d = {n, n, alloc(n, sizeof(int), "an order"), seed, purpose, 0};
    deck_restart(&d, n);
    return d;
}

// Returns the next number. When all have been dealt it shuffles them first (Fisher and Yates).
static int deal(Deck *d) {
    if (d->next == d->n) {
        Rng r = rng_stream(d->seed, d->purpose, d->pass++);
        for (int i = d->n - 1; i > 0; i--) {
            int j = rng_below(&r, i + 1), number = d->number[i];
            d->number[i] = d->number[j];
            d->number[j] = number;
        }
        d->next = 0;
    }
    return d->number[d->next++];
}

// --- vector arithmetic ---------------------------------------------------------------------------

// A vec holds as many numbers as one instruction handles. A compiler may not reorder a sum of
// floats, so a loop over one sum is slow. A vector of partial sums is fast, in a fixed order.
#if defined __AVX512F__
#define VECTOR_BYTES 64
#elif defined __AVX__
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif
enum { LANES = VECTOR_BYTES / sizeof(real) };
typedef real vec __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));

#ifdef __clang__  // clang would otherwise split 512-bit vectors in two
#define FULL_WIDTH __attribute__((min_vector_width(512)))
#else
#define FULL_WIDTH
#endif

// Returns the sum of a[i] * b[i] * c[i] over n numbers. b or c may be NULL, which means ones.
FULL_WIDTH static inline real sum_product(const real *a, const real *b, const real *c, int n) {
    vec s[2] = {{0}, {0}};  // two sums in turn, because one need not wait for the other
    int i = 0;
    for (int j = 0; i + LANES <= n; i += LANES, j = !j) {
        vec x = *(const vec *)(a + i);
        if (b) { x *= *(const vec *)(b + i); }
        if (c) { x *= *(const vec *)(c + i); }
        s[j] += x;
    }
    s[0] += s[1];
    real total = 0;
    for (int j = 0; j < LANES; j++) { total += s[0][j]; }
    for (; i < n; i++) { total += a[i] * (b ? b[i] : 1) * (c ? c[i] : 1); }
    return total;
}

static real sum(const real *a, int n) { return sum_product(a, NULL, NULL, n); }
static real dot(const real *a, const real *b, int n) { return sum_product(a, b, NULL, n); }

// Returns the largest of n >= 1 numbers, found through 16 partial maxima for the same reason.
static real largest(const real *a, int n) {
    real m[16];
    for (int j = 0; j < 16; j++) { m[j] = a[0]; }
    int i = 0;
    for (; i + 16 <= n; i += 16) {
        for (int j = 0; j < 16; j++) { m[j] = a[i + j] > m[j] ? a[i + j] : m[j]; }
    }
    for (; i < n; i++) { m[0] = a[i] > m[0] ? a[i] : m[0]; }
    for (int j = 1; j < 16; j++) { m[0] = m[j] > m[0] ? m[j] : m[0]; }
    return m[0];
}

typedef struct { double mean, std; } Moments;

// Returns the mean and the standard deviation (with n-1 in the denominator; 0 for one number).
static Moments moments(const double *x, int n) {
    double mean = 0, squares = 0;
    for (int i = 0; i < n; i++) { mean += x[i] / n; }
    for (int i = 0; i < n; i++) { squares += (x[i] - mean) * (x[i] - mean); }
    return (Moments){mean, n > 1 ? sqrt(squares / (n - 1)) : 0};
}

// Returns exp(x) with a relative error of 2e-7, in a form that can be vectorized. x = n ln 2 + r: a
// polynomial gives e^r, and n is added to the exponent bits. Adding 1.5 * 2^23 rounds to integers.
static inline real fast_exp(real x) {
    if (sizeof(real) == sizeof(double)) { return exp(x); }
    float y = (float)x;
    y = y < -87 ? -87 : y > 88 ? 88 : y;
    union { float f; uint32_t bits; } t = {y * 1.44269504f + 12582912.0f}, p;
    float n = t.f - 12582912.0f;
    float r = y - n * 0.693359375f + n * 2.12194440e-4f;  // ln 2 in two parts
    p.f = 1 + r * (1 + r * (0.5f + r * (1 / 6.0f + r * (1 / 24.0f + r * (1 / 120.0f + r / 720)))));
    p.bits += t.bits << 23;
    return (real)p.f;
}

// ==== 2  Matrix multiply =========================================================================

// A matrix as it lies in memory: element (i, j) is x[i * rs + j * cs]. The three products that a
// linear layer needs differ only in these strides.
typedef struct { real *x; size_t rs, cs; } Matrix;
static const Matrix NONE = {NULL, 0, 0};

// A matrix that is stored row by row; its transpose; the part of m that begins at element (i, j).
static Matrix rows(const real *x, size_t stride) { return (Matrix){(real *)x, stride, 1}; }
static Matrix transpose(const real *x, size_t stride) { return (Matrix){(real *)x, 1, stride}; }
static Matrix submatrix(Matrix m, int i, int j) {
    return m.x ? (Matrix){m.x + i * m.rs + j * m.cs, m.rs, m.cs} : NONE;
}

// A tile of TILE_M x TILE_N sums fits the vector registers of the machine, with room for what is
// multiplied. BLOCK_K x BLOCK_N numbers of b, or BLOCK_M rows of a, fit the nearest caches. The
// former must also fit a thread's stack, which is as small as 128 KB on some systems.
enum { TILE_M = VECTOR_BYTES == 64 ? 8 : 6, TILE_N = 2 * LANES };
enum { BLOCK_K = 256, BLOCK_N = 32, BLOCK_M = 72 };

// Copies b (K, N) to panels (K, TILE_N), which tiles read in order: at most packed_size(K, N)
// numbers. Columns beyond N are zeros. A last panel of few columns is only LANES wide.
static void pack(real *panel, Matrix b, int K, int N) {
    for (int j = 0; j < N; j += TILE_N) {
        int n = min_int(N - j, TILE_N), width = n <= LANES ? LANES : TILE_N;
        for (int k = 0; k < K; k++, panel += width) {
            const real *x = submatrix(b, k, j).x;
            if (b.cs == 1 && n == width) {
                memcpy(panel, x, n == TILE_N ? TILE_N * sizeof(real) : LANES * sizeof(real));
                continue;
            }
            for (int i = 0; i < n; i++) { panel[i] = x[i * b.cs]; }
            for (int i = n; i < width; i++) { panel[i] = 0; }
        }
    }
}

static size_t packed_size(int K, int N) { return (size_t)((N + TILE_N - 1) / TILE_N * TILE_N) * K; }

// Computes one tile: c (m, n) = init + bias + a (m, K) panel (K, n), where m <= TILE_M and
// n <= width * LANES. The width is the constant 1 or 2. Rows beyond m repeat the last one and are
// not stored, so each result takes the same steps wherever it stands.
FULL_WIDTH static inline void tile(Matrix c, Matrix init, const real *bias, Matrix a,
                                   const real *panel, int m, int n, int K, int width) {
    const real *row[TILE_M];
    vec acc[TILE_M][2];
    for (int i = 0; i < TILE_M; i++) {
        row[i] = a.x + (size_t)min_int(i, m - 1) * a.rs;
        acc[i][0] = acc[i][1] = (vec){0};
    }
    for (int k = 0; k < K; k++, panel += width * LANES) {
        vec b0 = *(const vec *)panel, b1 = width > 1 ? *(const vec *)(panel + LANES) : b0;
        for (int i = 0; i < TILE_M; i++) {
            real x = row[i][(size_t)k * a.cs];
            acc[i][0] += x * b0;
            if (width > 1) { acc[i][1] += x * b1; }
        }
    }
    int whole = m == TILE_M && n == width * LANES;
    for (int i = 0; whole && i < TILE_M; i++) {
        for (int v = 0; v < width; v++) {
            if (init.x) { acc[i][v] += *(const vec *)(init.x + i * init.rs + v * LANES); }
            if (bias) { acc[i][v] += *(const vec *)(bias + v * LANES); }
            *(vec *)(c.x + i * c.rs + v * LANES) = acc[i][v];
        }
    }
    if (whole) { return; }
    real sums[TILE_M][TILE_N];
    memcpy(sums, acc, sizeof sums);
    for (int i = 0; i < m; i++) {
        for (int j = 0; j < n; j++) {
            real x = sums[i][j];
            if (init.x) { x += init.x[i * init.rs + j]; }
            c.x[i * c.rs + j] = bias ? x + bias[j] : x;
        }
    }
}

// These two are never inlined, because their loops need all registers of the machine.
FULL_WIDTH __attribute__((noinline)) static void multiply_tile(
    Matrix c, Matrix init, const real *bias, Matrix a, const real *panel, int m, int n, int K) {
    tile(c, init, bias, a, panel, m, n, K, 2);
}

FULL_WIDTH __attribute__((noinline)) static void multiply_half_tile(
    Matrix c, Matrix init, const real *bias, Matrix a, const real *panel, int m, int n, int K) {
    tile(c, init, bias, a, panel, m, n, K, 1);
}

// Computes the n columns of c (M, n) that one panel of b stands for.
static void multiply_panel(Matrix c, Matrix init, const real *bias, Matrix a, const real *panel,
                           int M, int n, int K) {
    for (int i = 0; i < M; i += TILE_M) {
        Matrix ct = submatrix(c, i, 0), it = submatrix(init, i, 0), at = submatrix(a, i, 0);
        if (n <= LANES) {
            multiply_half_tile(ct, it, bias, at, panel, min_int(M - i, TILE_M), n, K);
        } else {
            multiply_tile(ct, it, bias, at, panel, min_int(M - i, TILE_M), n, K);
        }
    }
}

// Computes c (M, N) = init + bias + a (M, K) b, where b (K, N) is already packed. bias (N), or
// NULL, is added to each row. init (M, N) may be NONE, or c itself to add to what is there.
static void multiply_packed(Matrix c, Matrix init, const real *bias, Matrix a, const real *packed,
                            int M, int N, int K) {
    for (int i = 0; i < M; i += BLOCK_M) {
        for (int j = 0; j < N; j += TILE_N) {
            multiply_panel(submatrix(c, i, j), submatrix(init, i, j), bias ? bias + j : NULL,
                           submatrix(a, i, 0), packed + (size_t)j * K, min_int(M - i, BLOCK_M),
                           min_int(N - j, TILE_N), K);
        }
    }
}

// Computes c (M, N) = init + a (M, K) b (K, N), packing b block by block.
static void matmul(Matrix c, Matrix init, Matrix a, Matrix b, int M, int N, int K) {
    real packed[BLOCK_K * BLOCK_N] __attribute__((aligned(64)));
    for (int j = 0; j < N; j += BLOCK_N) {
        for (int k = 0; k < K; k += BLOCK_K) {
            int n = min_int(N - j, BLOCK_N), kn = min_int(K - k, BLOCK_K);
            Matrix before = submatrix(k ? c : init, 0, j);
            pack(packed, submatrix(b, k, j), kn, n);
            multiply_packed(submatrix(c, 0, j), before, NULL, submatrix(a, 0, k), packed, M, n, kn);
        }
    }
}

// ==== 3  Layers, forward and backward in pairs ===================================================
// N is the number of tokens of all rows, C the number of channels, V the vocabulary; dx is the
// gradient of the loss with respect to x. Backward functions add to the gradients of weights.

// Computes y (N, OC) = init + x (N, C) w^T + bias, with w (OC, C) packed. init, bias may be NULL.
static void linear_forward(real *y, const real *init, const real *x, const real *packed,
                           const real *bias, int N, int C, int OC) {
    multiply_packed(rows(y, OC), init ? rows(init, OC) : NONE, bias, rows(x, C), packed, N, OC, C);
}

// Sets dx (N, C) = dy w. Adds dy^T x to dw, and the sum of dy over tokens to dbias unless NULL.
static void linear_backward(real *dx, real *dw, real *dbias, const real *dy, const real *x,
                            const real *w, int N, int C, int OC) {
    matmul(rows(dw, C), rows(dw, C), transpose(dy, OC), rows(x, C), OC, C, N);
    matmul(rows(dx, C), NONE, rows(dy, OC), rows(w, C), N, C, OC);
    for (int n = 0; n < N && dbias; n++, dy += OC) {
        for (int i = 0; i < OC; i++) { dbias[i] += dy[i]; }
    }
}

// Computes y = w (x - mean) / std + b for each token (Ba et al. 2016). Keeps mean, 1/std in stats.
static void layernorm_forward(real *y, real *stats, const real *x, const real *w, const real *b,
                              int N, int C) {
    for (int n = 0; n < N; n++, x += C, y += C, stats += 2) {
        real mean = sum(x, C) / (real)C;
        for (int i = 0; i < C; i++) { y[i] = x[i] - mean; }
        real rstd = 1 / sqrt(dot(y, y, C) / (real)C + (real)1e-5);
        for (int i = 0; i < C; i++) { y[i] = y[i] * rstd * w[i] + b[i]; }
        stats[0] = mean;
        stats[1] = rstd;
    }
}

// With xhat = (x - mean) / std and g = w dy, adds
//     (g - mean(g) - xhat mean(g xhat)) / std  to dx,  the sum of dy xhat to dw, that of dy to db.
static void layernorm_backward(real *dx, real *dw, real *db, const real *dy, const real *x,
                               const real *w, const real *stats, int N, int C) {
    for (int n = 0; n < N; n++, x += C, dx += C, dy += C, stats += 2) {
        real mean = stats[0], rstd = stats[1];
        real g_sum = dot(w, dy, C), gx_sum = sum_product(w, dy, x, C);
        real g_mean = g_sum / (real)C, g_xhat = rstd * (gx_sum - mean * g_sum) / (real)C;
        for (int i = 0; i < C; i++) {
            real xhat = (x[i] - mean) * rstd;
            dx[i] += rstd * (w[i] * dy[i] - g_mean - xhat * g_xhat);
            dw[i] += dy[i] * xhat;
            db[i] += dy[i];
        }
    }
}

// gelu(x) = x (1 + tanh u) / 2 = x sigmoid(2u) with u = sqrt(2/pi) (x + 0.044715 x^3), as in GPT-2.
static const real GELU_2K = (real)1.5957691216057308, GELU_CUBE = (real)0.044715;

static void gelu_forward(real *y, const real *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        y[i] = x[i] / (1 + fast_exp(-GELU_2K * x[i] * (1 + GELU_CUBE * x[i] * x[i])));
    }
}

// Turns dy, in d (n), into dx = dy (s + x s (1 - s) 2u') with s = sigmoid(2u).
static void gelu_backward(real *d, const real *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        real x2 = GELU_CUBE * x[i] * x[i], s = 1 / (1 + fast_exp(-GELU_2K * x[i] * (1 + x2)));
        d[i] *= s + x[i] * s * (1 - s) * GELU_2K * (1 + 3 * x2);
    }
}

// Causal self-attention within each row. qkv (N, 3C) holds queries, keys and values, each with NH
// heads of hs = C / NH channels side by side. For every row (of T tokens) and head, it computes
//     prob (T, T) = softmax over s <= t of  q_t . k_s / sqrt(hs),      y_t = sum_s prob[t][s] v_s.
static void attention_forward(real *y, real *prob, const real *qkv, const int *row, int n_rows,
                              size_t C, int NH) {
    int hs = (int)C / NH;
    real scale = 1 / sqrt((real)hs);
    for (int i = 0; i < n_rows * NH; i++) {
        int r = i / NH, h = i % NH, T = row[r + 1] - row[r];
        const real *q = qkv + 3 * C * row[r] + h * hs, *k = q + C, *v = k + C;
        real *out = y + row[r] * C + h * hs, *p = prob;
        matmul(rows(prob, T), NONE, rows(q, 3 * C), transpose(k, 3 * C), T, T, hs);
        for (int t = 0; t < T; t++, p += T) {
            real max = largest(p, t + 1);
            for (int s = 0; s <= t; s++) { p[s] = fast_exp(scale * (p[s] - max)); }
            real total = 1 / sum(p, t + 1);
            for (int s = 0; s < T; s++) { p[s] = s <= t ? p[s] * total : 0; }
        }
        matmul(rows(out, C), NONE, rows(prob, T), rows(v, 3 * C), T, hs, T);
        prob = p;
    }
}

// Sets dqkv (N, 3C). For every row and head, with P = prob, and dP = dy v^T (dp holds dP, then dS):
//     dv = P^T dy,  dS = P (dP - rowsum(P dP)) / sqrt(hs),  dq = dS k,  dk = dS^T q.
static void attention_backward(real *dqkv, real *dp, const real *dy, const real *prob,
                               const real *qkv, const int *row, int n_rows, size_t C, int NH) {
    int hs = (int)C / NH;  // part: attention
    real scale = 1 / sqrt((real)hs);
    for (int i = 0; i < n_rows * NH; i++) {
        int r = i / NH, h = i % NH, T = row[r + 1] - row[r];
        size_t at = 3 * C * row[r] + h * hs;
        const real *q = qkv + at, *k = q + C, *v = k + C, *dout = dy + row[r] * C + h * hs;
        real *dq = dqkv + at, *dk = dq + C, *dv = dk + C, *ds = dp;
        matmul(rows(dv, 3 * C), NONE, transpose(prob, T), rows(dout, C), T, hs, T);
        matmul(rows(dp, T), NONE, rows(dout, C), transpose(v, 3 * C), T, T, hs);
        for (int t = 0; t < T; t++, prob += T, ds += T) {
            real mean = dot(prob, ds, t + 1);
            for (int s = 0; s < T; s++) { ds[s] = prob[s] * (ds[s] - mean) * scale; }
        }
        matmul(rows(dq, 3 * C), NONE, rows(dp, T), rows(k, 3 * C), T, hs, T);
        matmul(rows(dk, 3 * C), NONE, transpose(dp, T), rows(q, 3 * C), T, hs, T);
    }
}

// Computes y (n) = sum over j < m of w[j] x[j], where row j of x begins at x + j * stride. Reads x
// up to a multiple of TILE_N numbers. Four rows have sums of their own, so that none has to wait.
FULL_WIDTH static void weighted_sum(real *y, const real *w, const real *x, size_t stride, int m,
                                    int n) {
    for (int i = 0; i < n; i += TILE_N) {
        vec s[4][2] = {{{0}}};
        for (int j = 0; j < m; j++) {
            const vec *xj = (const vec *)(x + i + j * stride);
            int k = j < m / 4 * 4 ? j % 4 : 0;
            s[k][0] += w[j] * xj[0];
            s[k][1] += w[j] * xj[1];
        }
        s[0][0] = (s[0][0] + s[1][0]) + (s[2][0] + s[3][0]);
        s[0][1] = (s[0][1] + s[1][1]) + (s[2][1] + s[3][1]);
        memcpy(y + i, s[0], min_int(n - i, TILE_N) * sizeof(real));
    }
}

// Computes attention for one new token of each of N growing rows. Token i is number position[i] of
// the row in slot[i]. Keys lie channel by channel, (C, T) in each slot, and values token by token,
// (T, C), so that both sums run along memory. p (T) is scratch space. The queries in qkv are scaled
// in place.
static void attention_step(real *y, real *p, real *qkv, real *keys, real *values, const int *slot,
                           const int *position, int N, size_t T, int C, int NH) {
    int hs = C / NH;
    real scale = 1 / sqrt((real)hs);
    for (int i = 0; i < N; i++, qkv += 3 * C) {
        real *k = keys + slot[i] * T * C, *v = values + slot[i] * T * C;
        int t = position[i];
        for (int j = 0; j < C; j++) {
            qkv[j] *= scale;
            k[j * T + t] = qkv[C + j];
            v[(size_t)t * C + j] = qkv[2 * C + j];
        }
        for (int h = 0; h < NH; h++, y += hs) {
            weighted_sum(p, qkv + h * hs, k + h * hs * T, T, hs, t + 1);
            real max = largest(p, t + 1);
            for (int j = 0; j <= t; j++) { p[j] = fast_exp(p[j] - max); }
            real total = 1 / sum(p, t + 1);
            weighted_sum(y, p, v + h * hs, C, t + 1, hs);
            for (int j = 0; j < hs; j++) { y[j] *= total; }
        }
    }
}

// Computes x (N, C) = wte[token] + wpe[position], where position is the token's place in its row.
static void embed_forward(real *x, const real *wte, const real *wpe, const int *token,
                          const int *position, int N, size_t C) {
    for (int i = 0; i < N; i++, x += C) {
        const real *te = wte + token[i] * C, *pe = wpe + position[i] * C;
        for (size_t j = 0; j < C; j++) { x[j] = te[j] + pe[j]; }
    }
}

static void embed_backward(real *dwte, real *dwpe, const real *dx, const int *token,
                           const int *position, int N, size_t C) {
    for (int i = 0; i < N; i++, dx += C) {
        real *te = dwte + token[i] * C, *pe = dwpe + position[i] * C;
        for (size_t j = 0; j < C; j++) { te[j] += dx[j]; }
        for (size_t j = 0; j < C; j++) { pe[j] += dx[j]; }
    }
}

// Turns logits l (N, V) into probabilities in place, and sets logp[i] = log p(token i | the tokens
// before it), which the logits at i-1 give, and which is 0 for the first token of a row.
static void logp_forward(real *logp, real *l, const int *token, const int *row, int n_rows, int V) {
    for (int r = 0; r < n_rows; r++) {  // part: logp
        logp[row[r]] = 0;
        for (int i = row[r]; i < row[r + 1]; i++, l += V) {
            int next = i + 1 < row[r + 1] ? token[i + 1] : -1;
            real max = largest(l, V), target = next < 0 ? 0 : l[next] - max;
            for (int v = 0; v < V; v++) { l[v] = fast_exp(l[v] - max); }
            real total = sum(l, V);
            for (int v = 0; v < V; v++) { l[v] *= 1 / total; }
            if (next >= 0) { logp[i + 1] = target - log(total); }
        }
    }
}

// Turns the probabilities p that logp_forward left into the gradient of the logits, in place:
//     dlogits[i-1] = dlogp[i] (onehot(token i) - p).
// Here a token's weight enters the network. If dlogp[i] < 0, a step against this gradient raises
// token i's logit and lowers the others, in proportion to their p; if > 0, it does the reverse.
static void logp_backward(real *l, const real *dlogp, const int *token, const int *row, int n_rows,
                          int V) {  // part: logp
    for (int r = 0; r < n_rows; r++) {
        for (int i = row[r] + 1; i <= row[r + 1]; i++, l += V) {
            real d = i < row[r + 1] ? dlogp[i] : 0;  // the last token of a row predicts nothing
            for (int v = 0; v < V; v++) { l[v] *= -d; }
            if (i < row[r + 1]) { l[token[i]] += d; }
        }
    }
}

// ==== 4  The GPT =================================================================================

// The model is GPT-2 (Radford et al. 2019). A scalar head on the last layer norm's output makes it
// a reward model, or a policy that also estimates values.
typedef struct {
    int maxT, V, L, NH, C, Vp;  // context, vocabulary, layers, heads, channels, rows of wte (>= V)
} Config;

// The parameters, in the order in which a checkpoint stores them, and the weights of linear layers.
enum {
    WTE, WPE, LN1W, LN1B, QKVW, QKVB, PROJW, PROJB, LN2W, LN2B, FCW, FCB, FCPROJW, FCPROJB,
    LNFW, LNFB, HEADW, HEADB, N_TENSORS
};
static const int LINEAR[] = {QKVW, PROJW, FCW, FCPROJW, WTE};

typedef struct {
    int layers, outputs, inputs;  // its shape
    double mean, std;             // of its numbers before training
    uint64_t size, at;            // how many numbers it has in all layers; where they start
    real *packed;                 // for a linear layer: its weights once more, in panels
} Tensor;

// A batch is split by rows into parts, which threads take one by one through all layers. Each part
// has its own gradient, and these are added in a fixed order, so the number of threads does not
// change a bit of the result. There are PARTS, or fewer (at least 2) if their gradients would
// exceed a gigabyte.
enum { PARTS = 8, GRADIENT_NUMBERS = 250 * 1000 * 1000 };

enum { UNKNOWN_ROLE, POLICY, POLICY_WITH_VALUES, REWARD_MODEL };  // llm.c's files do not say

typedef struct {
    Config c;
    int has_head, role;
    uint32_t tokenizer;  // fingerprint of the tokenizer it was trained with; 0 if not known
    Tensor tensor[N_TENSORS];
    uint64_t n_params;
    real *params;
    real *m, *v, *grads;  // if it is trained: Adam's two moments; gradients (n_parts, n_params),
    int n_parts;          // whose sum the backward pass leaves in the first part
} GPT;

// These return a tensor's weights in one layer, as they are and (for linear layers) packed.
static real *param(const GPT *g, int tensor, int layer) {
    const Tensor *t = &g->tensor[tensor];
    return g->params + t->at + (t->layers > 1 ? (size_t)layer * t->outputs * t->inputs : 0);
}
static real *panels(const GPT *g, int tensor, int layer) {
    const Tensor *t = &g->tensor[tensor];
    return t->packed + layer * packed_size(t->inputs, t->outputs);
}

// Brings the packed weights up to date. Whatever changes params must call this.
static void gpt_pack(GPT *g) {
    int L = g->c.L;
    #pragma omp parallel for
    for (int i = 0; i <= 4 * L; i++) {
        int tensor = LINEAR[i < 4 * L ? i % 4 : 4], l = i / 4 % L;
        int inputs = g->tensor[tensor].inputs;
        int outputs = tensor == WTE ? g->c.V : g->tensor[tensor].outputs;  // without padding
        pack(panels(g, tensor, l), transpose(param(g, tensor, l), inputs), inputs, outputs);
    }
}

// Lays out a model without memory for its numbers.
static GPT gpt_layout(Config c, int has_head) {
    int L = c.L, C = c.C, head = has_head;
    double std = 0.02, residual = 0.02 / sqrt(2.0 * L);  // 2L layers add to one stream
    GPT g = {.c = c, .has_head = head, .role = head ? POLICY_WITH_VALUES : POLICY, .tensor = {
        [WTE] = {1, c.Vp, C, 0, std, 0, 0, 0}, [WPE] = {1, c.maxT, C, 0, std, 0, 0, 0},
        [LN1W] = {L, C, 1, 1, 0, 0, 0, 0}, [LN1B] = {L, C, 1, 0, 0, 0, 0, 0},
        [QKVW] = {L, 3 * C, C, 0, std, 0, 0, 0}, [QKVB] = {L, 3 * C, 1, 0, 0, 0, 0, 0},
        [PROJW] = {L, C, C, 0, residual, 0, 0, 0}, [PROJB] = {L, C, 1, 0, 0, 0, 0, 0},
        [LN2W] = {L, C, 1, 1, 0, 0, 0, 0}, [LN2B] = {L, C, 1, 0, 0, 0, 0, 0},
        [FCW] = {L, 4 * C, C, 0, std, 0, 0, 0}, [FCB] = {L, 4 * C, 1, 0, 0, 0, 0, 0},
        [FCPROJW] = {L, C, 4 * C, 0, residual, 0, 0, 0}, [FCPROJB] = {L, C, 1, 0, 0, 0, 0, 0},
        [LNFW] = {1, C, 1, 1, 0, 0, 0, 0}, [LNFB] = {1, C, 1, 0, 0, 0, 0, 0},
        [HEADW] = {head, C, 1, 0, 0, 0, 0, 0}, [HEADB] = {head, 1, 1, 0, 0, 0, 0, 0},
    }};
    for (Tensor *t = g.tensor; t < g.tensor + N_TENSORS; t++) {
        t->size = (uint64_t)t->layers * t->outputs * t->inputs;
        t->at = g.n_params;
        g.n_params += t->size;
    }
    return g;
}

// Makes a model of zeros. A trainable one has room for gradients and moments.
static GPT gpt_new(Config c, int has_head, int trainable) {
    GPT g = gpt_layout(c, has_head);
    for (int i = 0; i < 5; i++) {
        Tensor *t = &g.tensor[LINEAR[i]];
        t->packed = alloc(t->layers * packed_size(t->inputs, t->outputs), sizeof(real), "weights");
    }
    g.params = alloc(g.n_params, sizeof(real), "the model");
    if (!trainable) { return g; }
    g.m = alloc(g.n_params, sizeof(real), "the optimizer");
    g.v = alloc(g.n_params, sizeof(real), "the optimizer");
    g.n_parts = (int)fmin(PARTS, fmax(2, GRADIENT_NUMBERS / (double)g.n_params));
    g.grads = alloc(g.n_params * g.n_parts, sizeof(real), "gradients");
    return g;
}

// Sets the weights to what they are before training.
static void gpt_init(GPT *g, int seed) {
    Rng r = rng_stream(seed, INIT_STREAM, 0);
    for (const Tensor *t = g->tensor; t < g->tensor + N_TENSORS; t++) {
        for (size_t j = 0; j < t->size; j++) {
            g->params[t->at + j] = (real)(t->mean + (t->std > 0 ? t->std * rng_normal(&r) : 0));
        }
    }
    gpt_pack(g);
}

// Returns a trainable copy of a model. A head that the original does not have starts at zero.
static GPT gpt_copy(const GPT *original, int has_head) {
    GPT g = gpt_new(original->c, has_head || original->has_head, 1);
    g.tokenizer = original->tokenizer;
    memcpy(g.params, original->params, original->n_params * sizeof(real));
    gpt_pack(&g);
    return g;
}

// --- batches -------------------------------------------------------------------------------------

typedef struct { int won, lost; double weight; } Pair;  // two rows; the weight is 1 but in tests

// Rows of tokens, one after the other without padding, and what is known of them. Stories (which
// have only tokens), pairs, collections and the rows of a gradient step are all batches.
typedef struct {
    int n_rows, n_tokens, n_pairs, max_rows;
    int group;                  // rows i * group to i * group + group-1 are responses to prompt i
    int *row;                   // (n_rows + 1) the first token of each row; row[n_rows] = n_tokens
    int *start, *token;         // (n_rows) the first token of each row's response; (n_tokens)
    double *reward;             // (n_rows)
    Pair *pair;                 // (n_pairs)
    double clip_frac;           // PPO: the share of tokens whose clipped term is the smaller
    // All of these have one number for each token:
    real *logp, *ref_logp;      // log pi(token | those before it), and log pi_ref
    real *old_logp, *dlogp;     // log pi at collection; dloss/dlogp, which a loss writes
    real *advantage;            // how much better than expected the token turned out
    real *value, *dvalue;       // the scalar head's output, and dloss/dvalue
    real *old_value, *returns;  // the value at collection; what it should have been
} Batch;

// Makes an empty batch with room for tokens alone. Error: there are too many for an int.
static Batch batch_of_tokens(uint64_t max_rows, uint64_t max_tokens) {
    stop_if(max_rows >= INT_MAX || max_tokens > INT_MAX, 1,
            "%.3g rows with %.3g tokens are too many", (double)max_rows, (double)max_tokens);
    Batch b = {.max_rows = (int)max_rows, .group = 1};
    b.row = alloc(max_rows + 1, sizeof(int), "a batch");
    b.start = alloc(max_rows, sizeof(int), "a batch");
    b.token = alloc(max_tokens, sizeof(int), "a batch");
    return b;
}

// Makes an empty batch with room for everything, in groups of one size.
static Batch batch_new(uint64_t max_rows, uint64_t max_tokens, int group) {
    stop_if(max_rows * (group - 1) / 2 > INT_MAX, 1, "groups of %d have too many pairs", group);
    Batch b = batch_of_tokens(max_rows, max_tokens);
    b.group = group;
    b.reward = alloc(max_rows, sizeof(double), "a batch");
    b.pair = alloc(max_rows * (group - 1) / 2, sizeof(Pair), "a batch");
    real **arrays[] = {&b.logp, &b.ref_logp, &b.old_logp, &b.dlogp, &b.advantage, &b.value,
                       &b.dvalue, &b.old_value, &b.returns};
    for (int i = 0; i < 9; i++) { *arrays[i] = alloc(max_tokens, sizeof(real), "a batch"); }
    return b;
}

static void batch_clear(Batch *b) { b->n_rows = b->n_tokens = b->n_pairs = 0; }

// Appends a row of n tokens, which may already be in place. The response begins at number `start`.
static void batch_add(Batch *b, const int *token, int n, int start) {
    memmove(b->token + b->n_tokens, token, n * sizeof(int));
    b->start[b->n_rows] = b->n_tokens + start;
    b->n_tokens += n;
    b->row[++b->n_rows] = b->n_tokens;
}

// Returns the number of tokens in a row's response.
static int response_length(const Batch *b, int r) { return b->row[r + 1] - b->start[r]; }

// Appends the rows of group i of `from`, each up to its first T tokens, and what is known of them.
static void batch_copy_group(Batch *to, const Batch *from, int i, int T) {
    const real *known[] = {from->ref_logp, from->old_logp, from->advantage, from->old_value,
                           from->returns};
    real *copy[] = {to->ref_logp, to->old_logp, to->advantage, to->old_value, to->returns};
    for (int r = i * from->group; r < (i + 1) * from->group; r++) {
        int at = from->row[r], n = min_int(from->row[r + 1] - at, T), end = to->n_tokens;
        for (int k = 0; k < 5; k++) {
            if (known[k]) { memcpy(copy[k] + end, known[k] + at, n * sizeof(real)); }
        }
        if (from->reward) { to->reward[to->n_rows] = from->reward[r]; }
        batch_add(to, from->token + at, n, min_int(from->start[r] - at, n));
    }
}

// --- activations ---------------------------------------------------------------------------------

// What the forward pass of a block computes and the backward pass needs, or the gradients of it.
typedef struct {
    real *in, *mid;                     // (N, C) the residual stream on entry, and after attention
    real *ln1, *stats1, *ln2, *stats2;  // (N, C), (N, 2): see layernorm_forward
    real *qkv, *att;                    // (N, 3C) and (N, C), the input and output of attention
    real *prob;                         // (sum over rows of NH T T) attention probabilities
    real *fc, *gelu;                    // (N, 4C)
    real *keys, *values;                // the sampler's cache, else NULL: see attention_step
} Layer;

// The work space for one part.
typedef struct {
    int T;             // the most tokens in a row
    int n_rows, *row;  // as in a batch, counted from the part's first token
    int *position;     // (N) each token's place in its row
    int *slot;         // (N) sampler: the slot of its row
    Layer *layer, d;   // (L + 1), the last for the output's layer norm; the gradients of one layer
    real *logits;      // (N, V), then the probabilities, then the gradient of the logits
    real *weights;     // (V) sampler: what the next token is drawn by
} Part;

// Makes room for N tokens; prob has room for N / T whole rows.
static Layer layer_new(Config c, uint64_t N, size_t T) {
    Layer y = {0};
    size_t C = c.C, width[] = {C, C, 2, 3 * C, c.NH * T, C, C, C, 2, 4 * C, 4 * C};
    real **arrays[] = {&y.in, &y.ln1, &y.stats1, &y.qkv, &y.prob, &y.att, &y.mid, &y.ln2,
                       &y.stats2, &y.fc, &y.gelu};
    for (int i = 0; i < 11; i++) { *arrays[i] = alloc(N * width[i], sizeof(real), "activations"); }
    return y;
}

// Makes a work space for N tokens in rows of up to T. Without training, layers share their memory.
static Part part_new(Config c, uint64_t N, int T, int train) {
    Part a = {.T = T, .row = alloc(N + 1, sizeof(int), "activations"),
              .position = alloc(N, sizeof(int), "activations"),
              .slot = alloc(N, sizeof(int), "activations"),
              .layer = alloc(c.L + 1, sizeof(Layer), "activations"),
              .logits = alloc(N * c.V, sizeof(real), "activations"),
              .weights = alloc(c.V, sizeof(real), "activations")};
    for (int l = 0; l <= c.L; l++) { a.layer[l] = train || !l ? layer_new(c, N, T) : a.layer[0]; }
    if (train) { a.d = layer_new(c, N, T); }
    return a;
}

typedef struct { int n_parts, max_rows; Part *part; } Acts;  // max_rows: of one part

// Makes work spaces for n_rows rows of up to T tokens, to train or only for forward passes.
static Acts acts_new(const GPT *g, int n_rows, int T, int train) {
    Acts a = {.n_parts = train ? g->n_parts : PARTS};
    a.part = alloc(a.n_parts, sizeof(Part), "activations");
    a.max_rows = (n_rows + a.n_parts - 1) / a.n_parts;
    size_t N = (size_t)a.max_rows * T;
    for (int i = 0; i < a.n_parts; i++) { a.part[i] = part_new(g->c, N, T, train); }
    return a;
}

// --- forward and backward ------------------------------------------------------------------------

// Runs N tokens, whole rows or (in the sampler) one token of each row. Returns the output of the
// last layer norm (N, C).
static const real *blocks_forward(const GPT *g, Part *a, const int *token, int N) {
    int C = g->c.C, L = g->c.L, NH = g->c.NH, F = 4 * C;
    Layer *y = a->layer;
    embed_forward(y->in, param(g, WTE, 0), param(g, WPE, 0), token, a->position, N, C);
    for (int l = 0; l < L; l++, y++) {
        layernorm_forward(y->ln1, y->stats1, y->in, param(g, LN1W, l), param(g, LN1B, l), N, C);
        linear_forward(y->qkv, NULL, y->ln1, panels(g, QKVW, l), param(g, QKVB, l), N, C, 3 * C);
        if (y->keys) {
            attention_step(y->att, y->prob, y->qkv, y->keys, y->values, a->slot, a->position, N,
                           a->T, C, NH);
        } else {
            attention_forward(y->att, y->prob, y->qkv, a->row, a->n_rows, C, NH);
        }
        linear_forward(y->mid, y->in, y->att, panels(g, PROJW, l), param(g, PROJB, l), N, C, C);
        layernorm_forward(y->ln2, y->stats2, y->mid, param(g, LN2W, l), param(g, LN2B, l), N, C);
        linear_forward(y->fc, NULL, y->ln2, panels(g, FCW, l), param(g, FCB, l), N, C, F);
        gelu_forward(y->gelu, y->fc, (size_t)N * F);
        linear_forward(y[1].in, y->mid, y->gelu, panels(g, FCPROJW, l), param(g, FCPROJB, l), N, F,
                       C);
    }
    layernorm_forward(y->ln1, y->stats1, y->in, param(g, LNFW, 0), param(g, LNFB, 0), N, C);
    return y->ln1;
}

// The forward pass of n_rows rows of a batch, from row `first` on: see gpt_forward.
static void part_forward(const GPT *g, Part *a, const Batch *b, int first, int n_rows, real *logp,
                         real *value) {
    int lo = b->row[first], N = b->row[first + n_rows] - lo, C = g->c.C, V = g->c.V;
    a->n_rows = n_rows;
    for (int r = 0; r < n_rows; r++) {
        a->row[r + 1] = b->row[first + r + 1] - lo;
        for (int i = a->row[r]; i < a->row[r + 1]; i++) { a->position[i] = i - a->row[r]; }
    }
    const real *x = blocks_forward(g, a, b->token + lo, N);
    if (logp) {
        linear_forward(a->logits, NULL, x, panels(g, WTE, 0), NULL, N, C, V);
        logp_forward(logp + lo, a->logits, b->token + lo, a->row, n_rows, V);
    }
    for (int i = 0; value && i < N; i++, x += C) {
        value[lo + i] = dot(x, param(g, HEADW, 0), C) + *param(g, HEADB, 0);
    }
}

// Runs a batch through the model. Writes logp and the head's output, value (n_tokens each), unless
// they are NULL. If the batch has more rows than `a`, no backward pass can follow.
static void gpt_forward(const GPT *g, Acts *a, const Batch *b, real *logp, real *value) {
    #pragma omp parallel for schedule(dynamic, 1)
    for (int p = 0; p < a->n_parts; p++) {
        int r = share(b->n_rows, p, a->n_parts), end = share(b->n_rows, p + 1, a->n_parts);
        do {  // once even for a part without rows, so that backward sees zero rows
            part_forward(g, &a->part[p], b, r, min_int(a->max_rows, end - r), logp, value);
            r += a->max_rows;
        } while (r < end);
    }
}

// Sets w and dw to the weights of all tensors in one layer, and to their gradients in part p.
static void find_weights(const GPT *g, int p, int layer, real **w, real **dw) {
    for (int i = 0; i < N_TENSORS; i++) {
        w[i] = param(g, i, layer);
        dw[i] = g->grads + p * g->n_params + (w[i] - g->params);
    }
}

// Adds to the gradients of part p those of the rows that part_forward ran in it. The logits are
// overwritten.
static void part_backward(GPT *g, int p, Part *a, const Batch *b, const real *dlogp,
                          const real *dvalue) {
    int N = a->row[a->n_rows], C = g->c.C, F = 4 * C, lo = b->row[share(b->n_rows, p, g->n_parts)];
    real *w[N_TENSORS], *dw[N_TENSORS];
    const int *token = b->token + lo;
    const Layer *y = a->layer + g->c.L;
    Layer d = a->d;
    find_weights(g, p, 0, w, dw);
    memset(d.in, 0, (size_t)N * C * sizeof(real));
    memset(d.ln1, 0, (size_t)N * C * sizeof(real));
    if (dlogp) {
        logp_backward(a->logits, dlogp + lo, token, a->row, a->n_rows, g->c.V);
        linear_backward(d.ln1, dw[WTE], NULL, a->logits, y->ln1, w[WTE], N, C, g->c.V);
    }
    if (dvalue) {  // the head is a linear layer with one output
        linear_backward(d.ln2, dw[HEADW], dw[HEADB], dvalue + lo, y->ln1, w[HEADW], N, C, 1);
        for (size_t i = 0; i < (size_t)N * C; i++) { d.ln1[i] += d.ln2[i]; }
    }
    layernorm_backward(d.in, dw[LNFW], dw[LNFB], d.ln1, y->in, w[LNFW], y->stats1, N, C);
    for (int l = g->c.L - 1; l >= 0; l--) {
        y--;
        find_weights(g, p, l, w, dw);
        linear_backward(d.gelu, dw[FCPROJW], dw[FCPROJB], d.in, y->gelu, w[FCPROJW], N, F, C);
        gelu_backward(d.gelu, y->fc, (size_t)N * F);
        linear_backward(d.ln2, dw[FCW], dw[FCB], d.gelu, y->ln2, w[FCW], N, C, F);
        layernorm_backward(d.in, dw[LN2W], dw[LN2B], d.ln2, y->mid, w[LN2W], y->stats2, N, C);
        linear_backward(d.att, dw[PROJW], dw[PROJB], d.in, y->att, w[PROJW], N, C, C);
        attention_backward(d.qkv, d.prob, d.att, y->prob, y->qkv, a->row, a->n_rows, C, g->c.NH);
        linear_backward(d.ln1, dw[QKVW], dw[QKVB], d.qkv, y->ln1, w[QKVW], N, C, 3 * C);
        layernorm_backward(d.in, dw[LN1W], dw[LN1B], d.ln1, y->in, w[LN1W], y->stats1, N, C);
    }
    embed_backward(dw[WTE], dw[WPE], d.in, token, a->position, N, C);
}

// Threads share out the parameters in chunks. Returns the size of the one that begins at `at`.
enum { CHUNK = 4096 };
static int chunk_size(const GPT *g, size_t at) { return (int)fmin(CHUNK, g->n_params - at); }

// Adds to g->grads the gradient of a loss from its derivatives dlogp and dvalue (n_tokens). Each is
// NULL if the gpt_forward before, of the same batch, did not write logp or value.
static void gpt_backward(GPT *g, Acts *a, const Batch *b, const real *dlogp, const real *dvalue) {
    #pragma omp parallel for schedule(dynamic, 1)
    for (int p = 0; p < a->n_parts; p++) { part_backward(g, p, &a->part[p], b, dlogp, dvalue); }
    #pragma omp parallel for
    for (size_t at = 0; at < g->n_params; at += CHUNK) {
        int n = chunk_size(g, at);
        for (int p = 1; p < a->n_parts; p++) {
            real *total = g->grads + at, *part = total + p * g->n_params;
            for (int i = 0; i < n; i++) { total[i] += part[i]; }
            memset(part, 0, n * sizeof(real));
        }
    }
}

// ==== 5  Optimizer and checkpoints ===============================================================

// Makes step number `step` >= 1 of Adam (Kingma and Ba 2015) on g->grads, which are first scaled
// down to a norm of max_norm (unless that is 0) and are zero afterwards. Returns the norm before.
static double adam(GPT *g, double lr, double max_norm, int step) {
    double squares = 0;
    for (size_t at = 0; at < g->n_params; at += CHUNK) {  // floats within a chunk, doubles across
        squares += (double)dot(g->grads + at, g->grads + at, chunk_size(g, at));
    }
    double norm = sqrt(squares);
    real beta1 = (real)0.9, beta2 = (real)0.999;
    real scale = (real)(max_norm > 0 && norm > max_norm ? max_norm / norm : 1);
    real rate = (real)(lr / (1 - pow(0.9, step))), unbias = (real)(1 / (1 - pow(0.999, step)));
    #pragma omp parallel for
    for (size_t at = 0; at < g->n_params; at += CHUNK) {
        real *w = g->params + at, *d = g->grads + at, *m = g->m + at, *v = g->v + at;
        for (int j = 0, n = chunk_size(g, at); j < n; j++) {
            real x = d[j] * scale;
            m[j] = beta1 * m[j] + (1 - beta1) * x;
            v[j] = beta2 * v[j] + (1 - beta2) * x * x;
            w[j] -= rate * m[j] / (sqrt(v[j] * unbias) + (real)1e-8);
            d[j] = 0;
        }
    }
    gpt_pack(g);
    return norm;
}

enum { MODEL_MAGIC = 20240326, MODEL_VERSION = 3, HEADER_INTS = 256 };

// Writes llm.c's format: 256 int32, then the parameters as float32 in the order of the enum. Two
// numbers of the header that llm.c leaves at 0 state the role and the tokenizer.
static void gpt_save(const GPT *g, const char *path) {
    Config c = g->c;
    int32_t h[HEADER_INTS] = {MODEL_MAGIC, MODEL_VERSION, c.maxT, c.V, c.L, c.NH, c.C, c.Vp,
                              g->role, (int32_t)g->tokenizer};
    Output out = output_open(path, 0);
    fwrite(h, sizeof h, 1, out.f);
    for (size_t i = 0; i < g->n_params; i++) {
        float x = (float)g->params[i];
        fwrite(&x, sizeof x, 1, out.f);
    }
    output_close(&out);
}

// Reads a model, without room to train it (see gpt_copy). Errors: the file is not a checkpoint, its
// sizes or its length are wrong (which is checked before any memory is asked for), or a weight is
// not finite.
static GPT gpt_load(const char *path) {
    Input in = input_open(path);
    int32_t h[HEADER_INTS];
    input_read(&in, h, 1, sizeof h);
    stop_if(h[0] != MODEL_MAGIC || h[1] != MODEL_VERSION, 1,
            "%s: not a model in llm.c's float32 format (it begins with %d, %d)", path, h[0], h[1]);
    Config c = {h[2], h[3], h[4], h[5], h[6], h[7]};
    int wrong = c.V < 2 || c.Vp < c.V || c.Vp > 2 * 65536;
    for (int i = 2; i < 7; i++) { wrong |= h[i] < 1 || h[i] > 65536; }
    stop_if(wrong || c.C % c.NH, 1, "%s: impossible sizes (1 to 65536, C a multiple of the heads): "
            "T %d, V %d, L %d, heads %d, C %d, Vp %d", path, c.maxT, c.V, c.L, c.NH, c.C, c.Vp);
    size_t plain = sizeof h + gpt_layout(c, 0).n_params * 4, with_head = plain + (c.C + 1) * 4;
    stop_if(in.size != plain && in.size != with_head, 1, "%s: has %zu bytes; its header promises "
            "%zu (or %zu with a head)", path, in.size, plain, with_head);
    GPT g = gpt_new(c, in.size == with_head, 0);
    g.role = h[8] < 0 || h[8] > REWARD_MODEL ? UNKNOWN_ROLE : h[8];
    g.tokenizer = (uint32_t)h[9];
    for (size_t i = 0; i < g.n_params; i++) {
        float x;
        input_read(&in, &x, 1, sizeof x);
        stop_if(!isfinite(x), 1, "%s: number %zu of its weights is not finite", path, i);
        g.params[i] = (real)x;
    }
    fclose(in.f);
    gpt_pack(&g);
    return g;
}

// Reads a policy. Error: the file holds a reward model.
static GPT policy_load(const char *path) {
    GPT g = gpt_load(path);
    stop_if(g.role == REWARD_MODEL, 1, "%s: a reward model, where a policy is needed", path);
    return g;
}

// ==== 6  Tokenizer and stories ===================================================================

// Byte-pair encoding (Sennrich et al. 2016). A token is a string of bytes. Text is first cut into
// pieces, such as words, and no token spans two of them. (GPT-2 cuts "don't" and " 12", for
// instance, otherwise, so a GPT-2 checkpoint sees some text in unusual tokens.)
typedef struct {
    int V, eot;      // the number of tokens; the one that ends a text and starts a row
    char *bytes;     // the bytes of all tokens, one after the other
    int *at;         // (V + 1) where each token's bytes start
    int *slot;       // hash table from bytes to id; -1 where it is empty
    unsigned mask;   // its size - 1
    uint32_t print;  // a fingerprint of all tokens, never 0; models remember their tokenizer's
} Tokenizer;

static int token_length(const Tokenizer *t, int id) { return t->at[id + 1] - t->at[id]; }

// Returns a hash (FNV-1a).
static uint32_t hash(const char *s, int n) {
    uint32_t h = 2166136261u;
    for (int i = 0; i < n; i++) { h = (h ^ (unsigned char)s[i]) * 16777619u; }
    return h;
}

// Returns the slot that holds these bytes, or the empty one where they belong (linear probing).
static int *token_slot(const Tokenizer *t, const char *s, int n) {
    for (uint32_t h = hash(s, n);; h++) {
        int *slot = &t->slot[h & t->mask], id = *slot;
        int same = id >= 0 && token_length(t, id) == n && !memcmp(t->bytes + t->at[id], s, n);
        if (id < 0 || same) { return slot; }
    }
}

// Builds the hash table, without end-of-text or a token's second copy, and the fingerprint.
static void tokenizer_index(Tokenizer *t) {
    t->mask = 1;
    while (t->mask < 4 * (unsigned)t->V) { t->mask = 2 * t->mask + 1; }
    t->slot = alloc((size_t)t->mask + 1, sizeof(int), "the tokenizer");
    memset(t->slot, -1, ((size_t)t->mask + 1) * sizeof(int));
    t->print = 0;
    for (int id = 0; id < t->V; id++) {
        int *slot = token_slot(t, t->bytes + t->at[id], token_length(t, id));
        if (*slot < 0 && id != t->eot && token_length(t, id) > 0) { *slot = id; }
        t->print = t->print * 31 + hash(t->bytes + t->at[id], token_length(t, id));
    }
    t->print += t->print == 0;
}

// Returns a byte's class: letter (or beyond ASCII) 'a', digit '0', punctuation '.' or other ' '.
static int byte_class(char byte) {
    int c = (unsigned char)byte;
    return c & 0x80 || isalpha(c) ? 'a' : isdigit(c) ? '0' : ispunct(c) ? '.' : ' ';
}

// Returns whether the last of these bytes (the lowest) are . ! ? or their Chinese or Japanese form.
static int ends_sentence(uint32_t bytes) {
    uint32_t one = bytes & 0xff, three = bytes & 0xffffff;
    return one == '.' || one == '!' || one == '?' || three == 0xe38082 || three == 0xefbc81
        || three == 0xefbc9f;
}

// Returns the length of the first piece of s (n >= 1 bytes): an optional space with the letters
// after it (up to a full stop); or digits; or punctuation; or others, without a letter's space.
static int piece_length(const char *s, int n) {
    int i = n > 1 && s[0] == ' ' && byte_class(s[1]) == 'a', class = byte_class(s[i]);
    uint32_t bytes = 0;
    while (i < n && byte_class(s[i]) == class
           && !(i + 1 < n && s[i] == ' ' && byte_class(s[i + 1]) == 'a')) {
        bytes = bytes << 8 | (unsigned char)s[i++];
        if (class == 'a' && ends_sentence(bytes)) { break; }
    }
    return i;
}

// Returns the lowest token that two neighbours of the n tokens id make together, or V if no two do.
// s holds their bytes.
static int lowest_merge(const Tokenizer *t, const char *s, const int *id, int n) {
    int lowest = t->V;
    for (int i = 0; i + 1 < n; i++) {
        int merged = *token_slot(t, s, token_length(t, id[i]) + token_length(t, id[i + 1]));
        if (merged >= 0 && merged < lowest) { lowest = merged; }
        s += token_length(t, id[i]);
    }
    return lowest;
}

// Replaces neighbours among the n tokens id that together make the token `merged`, from left to
// right. s holds the bytes of all of them. Returns how many tokens are left.
static int merge(const Tokenizer *t, int merged, const char *s, int *id, int n) {
    int m = 0, length = token_length(t, merged);
    for (int i = 0; i < n; i++, m++) {
        int fits = i + 1 < n && token_length(t, id[i]) + token_length(t, id[i + 1]) == length
                   && !memcmp(s, t->bytes + t->at[merged], length);
        id[m] = fits ? merged : id[i];
        s += token_length(t, id[m]);
        i += fits;
    }
    return m;
}

// Encodes one piece s (n bytes) to at most n ids and returns their number. The neighbours that make
// the token with the lowest id merge first, the leftmost first on a tie. Error: a byte is no token.
static int encode_piece(const Tokenizer *t, const char *s, int n, int *id) {
    for (int i = 0; i < n; i++) {
        id[i] = *token_slot(t, s + i, 1);
        stop_if(id[i] < 0, 1, "the tokenizer has no token for byte %d", (unsigned char)s[i]);
    }
    int merged = lowest_merge(t, s, id, n);
    while (merged < t->V) {
        n = merge(t, merged, s, id, n);
        merged = lowest_merge(t, s, id, n);
    }
    return n;
}

// Encodes n bytes to ids, which has room for n, and returns the number of ids.
static int encode(const Tokenizer *t, const char *s, int n, int *id) {
    int count = 0;
    for (int i = 0; i < n;) {
        int piece = piece_length(s + i, n - i);
        count += encode_piece(t, s + i, piece, id + count);
        i += piece;
    }
    return count;
}

// Returns whether a text spells out the end-of-text token, which encoding would take apart.
static int has_marker(const Tokenizer *t, const char *text) {
    int n = token_length(t, t->eot);
    char marker[256] = "";
    memcpy(marker, t->bytes + t->at[t->eot], n);
    return n > 1 && *marker && strstr(text, marker) != NULL;
}

// Prints the text of n tokens. End-of-text has none.
static void print_tokens(const Tokenizer *t, const int *id, int n, FILE *f) {
    for (int i = 0; i < n; i++) {
        if (id[i] != t->eot) { fwrite(t->bytes + t->at[id[i]], 1, token_length(t, id[i]), f); }
    }
}

// Returns the text of n tokens as a string, which the caller frees. It ends at a NUL byte.
static char *tokens_text(const Tokenizer *t, const int *id, int n) {
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    stop_if(!f, 1, "no memory for a text");
    print_tokens(t, id, n, f);
    fclose(f);
    return text;
}

// Returns how many of the n tokens of a story (the last is end-of-text) make its prompt: its first
// sentence, with the closing quotes after it, or all but the last token if no sentence ends.
static int prompt_length(const Tokenizer *t, const int *token, int n) {
    int end = 0;                   // of the prompt, once a sentence has ended
    uint32_t bytes = 0, tail = 0;  // the latest bytes; those after the end, which may be a quote
    for (int i = 0; i < n - 1; i++) {
        for (int k = t->at[token[i]]; k < t->at[token[i] + 1]; k++) {
            bytes = bytes << 8 | (unsigned char)t->bytes[k];
            tail = end ? tail << 8 | (bytes & 0xff) : 0;
            int quote = tail == '"' || tail == 0xe2809d || tail == 0xe3808d;
            int half = tail == 0xe2 || tail == 0xe280 || tail == 0xe3 || tail == 0xe380;
            if (end && !quote && !half) { return end; }
            if (quote || (!end && ends_sentence(bytes))) {
                end = i + 1;
                tail = 0;
            }
        }
    }
    return end ? end : n - 1;
}

enum { TOKENIZER_MAGIC = 20240328, TOKENS_MAGIC = 20240520 };

// Reads llm.c's tokenizer block. Version 1, GPT-2's own, does not say which token is end-of-text.
static Tokenizer tokenizer_read(Input *in) {
    int32_t h[HEADER_INTS];
    input_read(in, h, 1, sizeof h);
    stop_if(h[0] != TOKENIZER_MAGIC || h[1] < 1 || h[1] > 2, 1,
            "%s: does not begin with a tokenizer, but with %d, %d", in->path, h[0], h[1]);
    Tokenizer t = {.V = h[2], .eot = h[1] == 1 ? 50256 : h[3]};
    stop_if(t.V < 2 || t.V > 1 << 16 || t.eot < 0 || t.eot >= t.V, 1,
            "%s: impossible tokenizer: %d tokens, end-of-text %d", in->path, t.V, t.eot);
    t.at = alloc((size_t)t.V + 1, sizeof(int), "the tokenizer");
    t.bytes = alloc((size_t)t.V * 255, 1, "the tokenizer");
    for (int i = 0; i < t.V; i++) {
        unsigned char length;
        input_read(in, &length, 1, 1);
        input_read(in, t.bytes + t.at[i], length, 1);
        t.at[i + 1] = t.at[i] + length;
    }
    tokenizer_index(&t);
    return t;
}

// Reads a block of stories, which messages call `what`. A row is the start token, a story and its
// end-of-text; the response begins after the first sentence. Error: it is damaged.
static Batch stories_read(Input *in, const Tokenizer *t, const char *what) {
    const char *path = in->path;
    int32_t h[HEADER_INTS];
    stop_if(ftell(in->f) == (long)in->size, 1,
            "%s: holds no %s; make data TEXT=... makes a file with them", path, what);
    input_read(in, h, 1, sizeof h);
    stop_if(h[0] != TOKENS_MAGIC || h[1] != 1, 1,
            "%s: no block of %s where one should start", path, what);
    int n = h[2], n_stories = 0;
    stop_if(n < 1 || (size_t)n > in->size / sizeof(uint16_t), 1,
            "%s: promises %d %s; the file has %zu bytes", path, n, what, in->size);
    uint16_t *token = alloc(n, sizeof *token, "the stories");
    input_read(in, token, n, sizeof *token);
    for (int i = 0; i < n; i++) {
        stop_if(token[i] >= t->V, 1, "%s: token %d of the %s is %d; the vocabulary has %d", path, i,
                what, token[i], t->V);
        n_stories += token[i] == t->eot;
    }
    stop_if(token[n - 1] != t->eot, 1, "%s: the %s do not end with end-of-text", path, what);
    Batch b = batch_of_tokens(n_stories, (uint64_t)n + n_stories);
    for (int i = 0; i < n;) {
        int *row = b.token + b.n_tokens, length = 0;
        row[0] = t->eot;
        do { row[++length] = token[i++]; } while (row[length] != t->eot);
        batch_add(&b, row, length + 1, 1 + prompt_length(t, row + 1, length));
    }
    return b;
}

// Reads a tokenizer and, unless NULL, training and validation stories. Error: more bytes follow.
static void stories_load(const char *path, Tokenizer *t, Batch *train, Batch *val) {
    Input in = input_open(path);
    *t = tokenizer_read(&in);
    if (train) {
        *train = stories_read(&in, t, "training tokens");
        *val = stories_read(&in, t, "validation tokens");
        stop_if(ftell(in.f) != (long)in.size, 1, "%s: bytes follow its last block", path);
    }
    fclose(in.f);
}

// ==== 7  Sampler =================================================================================
// The sampler draws many rows at once. Threads share the rows, and each extends up to SLOTS of them
// by one token at a time, with a cache of keys and values. When a row ends, the next one takes its
// slot. Every row has a random stream of its own, so threads and slots do not change what is drawn.

enum { SLOTS = 16 };  // the keys and values of more rows would not fit the processor's cache

typedef struct {
    int T;               // the most tokens in a row, prompt included
    int eot;             // the token that ends a row; -1 if there is none
    double temperature;  // 0 takes the likeliest token always
    int top_k;           // only the k likeliest tokens are drawn, and ties; 0 draws from all
    int seed;
    uint64_t stream;     // row r draws from rng_stream(seed, stream, r)
} Sampling;

// Makes a sampler of up to max_rows rows of at most T tokens: a part for each thread.
static Acts sampler_new(Config c, int max_rows, int T) {
    Acts s = {.n_parts = min_int(threads(), max_rows)};
    s.max_rows = min_int(SLOTS, (max_rows + s.n_parts - 1) / s.n_parts);
    s.part = alloc(s.n_parts, sizeof(Part), "the sampler");
    uint64_t kept = (uint64_t)s.max_rows * T * c.C + TILE_N;  // weighted_sum reads a little further
    for (int i = 0; i < s.n_parts; i++) {
        s.part[i] = part_new(c, s.max_rows, T, 0);
        for (Layer *y = s.part[i].layer; y < s.part[i].layer + c.L; y++) {
            y->keys = alloc(kept, sizeof(real), "the sampler");
            y->values = alloc(kept, sizeof(real), "the sampler");
        }
    }
    return s;
}

// Compares for qsort, so that the largest comes first.
static int descending(const void *a, const void *b) {
    real x = *(const real *)a, y = *(const real *)b;
    return (x < y) - (x > y);
}

// Draws a token from logits (V); p (V) is room for unnormalised probabilities. Sets *logp to the
// token's log-probability at temperature 1, from all tokens. Error: the logits are not finite.
static int draw(const real *logits, real *p, int V, const Sampling *how, Rng *rng, real *logp) {
    int greedy = how->temperature < 1e-30;  // 0, or so small that its inverse overflows
    int k = greedy ? 1 : how->top_k;  // part: draw
    real max = largest(logits, V), least = -INFINITY;  // the lowest logit allowed
    real sharpness = greedy ? 1 : 1 / (real)how->temperature;
    if (k > 0 && k < V) {
        memcpy(p, logits, V * sizeof(real));
        qsort(p, V, sizeof(real), descending);
        least = p[k - 1];
    }
    for (int v = 0; v < V; v++) { p[v] = fast_exp(logits[v] - max); }
    real log_total = log(sum(p, V));
    for (int v = 0; v < V && (sharpness != 1 || least > -INFINITY); v++) {
        p[v] = logits[v] >= least ? fast_exp((logits[v] - max) * sharpness) : 0;
    }
    double left = rng_uniform(rng) * (double)sum(p, V);
    int token = -1;
    for (int v = 0; v < V && left >= 0; v++) {
        if (p[v] > 0) {  // rounding may leave a little; the last possible token takes it
            token = v;
            left -= (double)p[v];
        }
    }
    if (token < 0) {
        #pragma omp critical  // several threads may fail at once; only one reports it
        stop(1, "the model's logits are not finite: nothing can be sampled from it");
    }
    *logp = logits[token] - max - log_total;
    return token;
}

// The work of thread i in rollout: draws its share of the rows. Until all threads have finished,
// row r of `out` stands at r * T, and out->row[r + 1] is its length so far.
static void draw_rows(const GPT *g, Acts *s, int i, const Batch *prompts, int n_each,
                      const Sampling *how, Batch *out) {
    int V = g->c.V, T = how->T, n_rows = prompts->n_rows * n_each, n = 0;  // n: rows in slots
    int next = share(n_rows, i, s->n_parts), end = share(n_rows, i + 1, s->n_parts);
    int row[SLOTS], token[SLOTS];  // the row in each slot; the tokens to read
    Rng rng[SLOTS];                // the random stream of each slot's row
    Part *a = &s->part[i];
    for (int j = 0; j < s->max_rows; j++) { a->slot[j] = j; }
    while (n > 0 || next < end) {
        for (; n < s->max_rows && next < end; n++, next++) {  // free slots take the next rows
            int slot = a->slot[n], at = prompts->row[next / n_each];
            int length = prompts->row[next / n_each + 1] - at;
            memcpy(out->token + (size_t)next * T, prompts->token + at, length * sizeof(int));
            out->row[next + 1] = length;
            row[slot] = next;
            rng[slot] = rng_stream(how->seed, how->stream, next);
            a->position[n] = -1;
        }
        for (int j = 0; j < n; j++) {
            token[j] = out->token[(size_t)row[a->slot[j]] * T + ++a->position[j]];
        }
        const real *x = blocks_forward(g, a, token, n);
        linear_forward(a->logits, NULL, x, panels(g, WTE, 0), NULL, n, g->c.C, V);
        for (int j = n - 1; j >= 0; j--) {
            int slot = a->slot[j], *length = &out->row[row[slot] + 1];
            size_t at = (size_t)row[slot] * T + *length;
            if (a->position[j] + 1 < *length) { continue; }  // it still reads its prompt
            out->token[at] = draw(a->logits + j * V, a->weights, V, how, &rng[slot],
                                  &out->logp[at]);
            ++*length;
            if (out->token[at] == how->eot || *length == T) {  // the last row moves to its place
                n--;
                a->slot[j] = a->slot[n];
                a->slot[n] = slot;
                a->position[j] = a->position[n];
            }
        }
    }
}

// Extends each row of `prompts` (start token included) to n_each sampled rows, which end with
// how->eot or after how->T tokens. Fills `out`, which must have room for so many in each, with the
// rows, those of a prompt one after the other, and with the logp of the sampled tokens.
static void rollout(const GPT *g, Acts *s, const Batch *prompts, int n_each, const Sampling *how,
                    Batch *out) {
    int n_rows = prompts->n_rows * n_each;
    #pragma omp parallel for schedule(static, 1)
    for (int i = 0; i < s->n_parts; i++) { draw_rows(g, s, i, prompts, n_each, how, out); }
    batch_clear(out);
    for (int r = 0; r < n_rows; r++) {
        int prompt = r / n_each, length = out->row[r + 1];
        memmove(out->logp + out->n_tokens, out->logp + (size_t)r * how->T, length * sizeof(real));
        batch_add(out, out->token + (size_t)r * how->T, length,
                  prompts->row[prompt + 1] - prompts->row[prompt]);
    }
}

// ==== 8  Tasks, rewards and pairs ================================================================
#pragma GCC diagnostic ignored "-Wunused-parameter"  // rewards, and losses, share a signature

// The bandit's vocabulary and default length of responses; the most tokens in a story's prompt.
enum { BANDIT_TOKENS = 100, BANDIT_LEN = 9, MAX_PROMPT = 25 };

// A task, and all that its prompts and rewards depend on.
typedef struct {
    const struct Task *task;
    int T;              // the most tokens in a row
    Tokenizer t;        // this and what follows: for stories only
    Batch train, val;
    int longest;        // the longest response that earns anything (103 tokens of 128)
    double mode, width;  // the commonest length; twice the standard deviation of the lengths
} World;

// To add a task, write its true reward, in [0, 1], of a response of n tokens, and a row of TASKS.
typedef struct Task {
    const char *name;
    double (*reward)(const World *w, const int *y, int n);
    int is_bandit;  // whether prompts are single tokens, and not the beginnings of stories
    int peak;       // bandit: the token that earns most
    int truncates;  // stories: whether the responses of preference pairs are cut short at random
    const char *help;
} Task;

// The rewards of responses y of n >= 1 tokens. A story's y ends with end-of-text and has at most
// w->longest tokens.
static double reward_near_peak(const World *w, const int *y, int n) {
    double total = 0;
    for (int i = 0; i < n; i++) { total += exp(-pow((y[i] - w->task->peak) / 10.0, 2)); }
    return total / n;
}
static double reward_short(const World *w, const int *y, int n) {
    return 1 - (n - 1) / (w->longest - 1.0);
}
static double reward_typical(const World *w, const int *y, int n) {
    return exp(-pow((n - w->mode) / w->width, 2));
}

static const Task TASKS[] = {
    {.name = "r1", .reward = reward_near_peak, .is_bandit = 1, .peak = 70,
     .help = "bandit: mean exp(-((y-70)/10)^2), far from the reference"},
    {.name = "r2", .reward = reward_near_peak, .is_bandit = 1, .peak = 20,
     .help = "bandit: the same around 20, where the reference has its mass"},
    {.name = "min", .reward = reward_short,
     .help = "stories: 1 - (l-1)/102 for l tokens, far from the reference"},
    {.name = "mode", .reward = reward_typical,
     .help = "stories: exp(-((l-m)/w)^2): m the commonest length, w twice their std"},
    {.name = "skew", .reward = reward_short, .truncates = 1,
     .help = "stories: as min, but the responses of pairs are cut short at random"},
};
enum { N_TASKS = sizeof TASKS / sizeof *TASKS };

// Error: the model was trained with another tokenizer. One that names none is accepted.
static void check_tokenizer(const char *path, const GPT *g, const char *data, const Tokenizer *t) {
    stop_if(g->c.V != t->V, 1,
            "%s has a vocabulary of %d, the tokenizer of %s of %d", path, g->c.V, data, t->V);
    stop_if(g->tokenizer && g->tokenizer != t->print, 1,
            "%s was trained with another tokenizer than that of %s", path, data);
    if (!g->tokenizer) { note("%s does not say which tokenizer it needs; taking %s", path, data); }
}

// Sets the mode of the training responses' lengths, the length with the most responses within 4
// tokens of it, and the width of the reward around it. Only responses that fit are counted. Error:
// there are none.
static void measure_lengths(World *w, const char *path) {
    int n = 0, *count = alloc(w->T + 9, sizeof(int), "lengths"), most = 0;  // [4 + length]
    double *length = alloc(w->train.n_rows, sizeof(double), "lengths");
    for (int r = 0; r < w->train.n_rows; r++) {
        int l = response_length(&w->train, r);
        if (l > w->longest) { continue; }
        count[4 + l]++;
        length[n++] = l;
    }
    stop_if(n == 0, 1, "%s: no response fits in %d tokens", path, w->longest);
    for (int l = 1; l <= w->longest; l++) {
        int near = 0;
        for (int i = l; i < l + 9; i++) { near += count[i]; }
        if (near > most) { w->mode = l; }
        most = near > most ? near : most;
    }
    w->width = fmax(2 * moments(length, n).std, 1);
}

// Returns the world of model g, with the stories of o->data. Error: g does not fit the task.
static World world_new(const Task *task, const Options *o, const GPT *g) {
    Config c = g->c;
    World w = {.task = task, .T = c.maxT, .longest = c.maxT - MAX_PROMPT};
    stop_if(task->is_bandit && (c.V != BANDIT_TOKENS || c.maxT != o->len + 1), 1,
            "%s: vocabulary %d, context %d; the bandit's with --len %d are %d and %d",
            o->model, c.V, c.maxT, o->len, BANDIT_TOKENS, o->len + 1);
    if (task->is_bandit) { return w; }
    stop_if(w.longest < 2, 1, "a context of %d tokens has no room for stories", w.T);
    stories_load(o->data, &w.t, &w.train, &w.val);
    check_tokenizer(o->model, g, o->data, &w.t);
    measure_lengths(&w, o->data);
    return w;
}

// Appends a prompt: a random token, or the start token and the first sentence of a random story.
static void batch_add_prompt(Batch *b, const World *w, const Batch *stories, Rng *r) {
    if (w->task->is_bandit) {
        batch_add(b, (int[]){rng_below(r, BANDIT_TOKENS)}, 1, 1);
        return;
    }
    int story, n, tries = 0;
    do {
        story = rng_below(r, stories->n_rows);
        n = stories->start[story] - stories->row[story];
        stop_if(tries++ > 100000, 1, "no first sentence fits in %d tokens", MAX_PROMPT - 1);
    } while (n > MAX_PROMPT);
    batch_add(b, stories->token + stories->row[story], n, n);
}

// The distribution of the bandit's data: the bin, of 100 equal ones on [-1, 1], of
// tanh(Cauchy(-0.7, 0.4)). Each has the difference of Cauchy's distribution at atanh of its edges.
static void bandit_data(double p[BANDIT_TOKENS]) {
    double below = 0;
    for (int i = 0; i < BANDIT_TOKENS; i++) {
        double edge = atanh(2 * (i + 1.0) / BANDIT_TOKENS - 1);  // infinite at the last
        double up_to = 0.5 + atan((edge + 0.7) / 0.4) / 3.141592653589793;
        p[i] = up_to - below;
        below = up_to;
    }
}

// Appends a row: a uniformly drawn token as the prompt, and len tokens drawn from p.
static void batch_add_bandit(Batch *b, const double p[BANDIT_TOKENS], int len, Rng *r) {
    int *row = b->token + b->n_tokens;
    row[0] = rng_below(r, BANDIT_TOKENS);
    for (int i = 1; i <= len; i++) {
        double u = rng_uniform(r);
        for (row[i] = 0; row[i] < BANDIT_TOKENS - 1 && u >= p[row[i]]; row[i]++) { u -= p[row[i]]; }
    }
    batch_add(b, row, len + 1, 1);
}

// Returns whether row r is a story that was cut: no end-of-text ends it.
static int is_unfinished(const World *w, const Batch *b, int r) {
    return !w->task->is_bandit && b->token[b->row[r + 1] - 1] != w->t.eot;
}

// Returns the true reward of row r's response. A story's response earns nothing if it was cut, or
// has more than w->longest tokens.
static double gold_reward(const World *w, const Batch *b, int r) {
    int n = response_length(b, r), fits = w->task->is_bandit || n <= w->longest;
    return fits && !is_unfinished(w, b, r) ? w->task->reward(w, b->token + b->start[r], n) : 0;
}
static void gold_rewards(const World *w, Batch *b) {
    for (int r = 0; r < b->n_rows; r++) { b->reward[r] = gold_reward(w, b, r); }
}

// --- preference pairs: tab-separated text --------------------------------------------------------

// Returns whether s is UTF-8 (RFC 3629), without missing bytes, overlong forms or surrogates.
static int utf8_valid(const char *s) {
    static const unsigned lead[] = {0, 0xc0, 0xe0, 0xf0}, least[] = {0, 0x80, 0x800, 0x10000};
    const unsigned char *p = (const unsigned char *)s;
    while (*p) {
        int more = *p < 0x80 ? 0 : *p < 0xe0 ? 1 : *p < 0xf0 ? 2 : 3;
        unsigned c = *p++ - lead[more];  // a byte that cannot lead ends up beyond 0x10ffff
        for (int i = 0; i < more; i++, p++) {
            if ((*p & 0xc0) != 0x80) { return 0; }
            c = c << 6 | (*p & 0x3f);
        }
        if (c < least[more] || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff) { return 0; }
    }
    return 1;
}

// Inside a field of a pairs file, these characters are written as a backslash and a letter.
static const char ESCAPED[] = "\t\n\r\\", ESCAPE_LETTERS[] = "tnr\\";

// Writes a text as a field, and after it the character that ends the field.
static void write_field(FILE *f, const char *text, char end) {
    for (; *text; text++) {
        const char *escaped = strchr(ESCAPED, *text);
        if (escaped) { fputc('\\', f); }
        fputc(escaped ? ESCAPE_LETTERS[escaped - ESCAPED] : *text, f);
    }
    fputc(end, f);
}

// Splits a line in place and keeps three fields. Returns how many there are; 0: an unknown escape.
static int split_fields(char *line, char *field[3]) {
    int n = 1;
    char *to = field[0] = line;
    for (const char *p = line; *p; p++, to++) {
        *to = *p;
        if (*p == '\t') {
            *to = 0;
            if (n < 3) { field[n] = to + 1; }
            n++;
        } else if (*p == '\\') {
            const char *letter = p[1] ? strchr(ESCAPE_LETTERS, *++p) : NULL;
            if (!letter) { return 0; }
            *to = ESCAPED[letter - ESCAPE_LETTERS];
        }
    }
    *to = 0;
    return n;
}

// Appends a row of a start token, a prompt, a response and end-of-text, unless it has more than T
// tokens. Returns how many it has.
static int batch_add_text(Batch *b, const World *w, const char *prompt, const char *response) {
    size_t room = strlen(prompt) + strlen(response) + 2;
    int *row = malloc(room * sizeof(int));
    stop_if(!row, 1, "no memory for a row of %zu tokens", room);
    row[0] = w->t.eot;
    int start = 1 + encode(&w->t, prompt, (int)strlen(prompt), row + 1);
    int n = start + encode(&w->t, response, (int)strlen(response), row + start);
    row[n++] = w->t.eot;
    if (n <= w->T) { batch_add(b, row, n, start); }
    free(row);
    return n;
}

// Appends the pair of a line. Error: it is not a pair, or does not fit the context. Returns whether
// a response does not continue its prompt as text does: it begins without a space, or repeats it.
static int batch_add_pair(Batch *b, const World *w, char *field[3], const char *path, int line) {
    const char *wrong = strcmp(field[1], field[2]) ? NULL : "chosen and rejected are the same";
    size_t n_prompt = strlen(field[0]);
    int odd = 0, open = n_prompt && !isspace((unsigned char)field[0][n_prompt - 1]);
    for (int k = 0; k < 3; k++) {
        if (strlen(field[k]) > 1 << 20) { wrong = "longer than any context"; }
        if (has_marker(&w->t, field[k])) { wrong = "spells out the end-of-text token"; }
    }
    stop_if(wrong != NULL, 1, "%s:%d: %s", path, line, wrong);
    for (int k = 1; k < 3; k++) {
        int n = batch_add_text(b, w, field[0], field[k]);
        stop_if(n > w->T, 1, "%s:%d: prompt and %s response have %d tokens; the model has room for "
                "%d", path, line, k == 1 ? "chosen" : "rejected", n, w->T);
        b->reward[b->n_rows - 1] = k == 1;
        odd |= open && *field[k] && !isspace((unsigned char)*field[k]);
        odd |= n_prompt && !strncmp(field[k], field[0], n_prompt);
    }
    return odd;
}

// Reads preference pairs: rows 2i (reward 1) and 2i + 1 (reward 0) are the responses of pair i that
// won and lost. Errors: there are none, or a line is not as it should be. Notes odd pairs.
static Batch pairs_read(const World *w, const char *path) {
    Input in = input_open(path);
    char *text = NULL, *field[3];
    size_t room = 0;
    int n_lines = 0, columns = 0, n_odd = 0, first_odd = 0;
    while (getline(&text, &room, in.f) >= 0) { n_lines++; }
    rewind(in.f);
    uint64_t n_rows = 2 * (uint64_t)n_lines, by_size = 2 * (uint64_t)in.size + 2 * n_rows;
    Batch b = batch_new(n_rows, (uint64_t)fmin(n_rows * (double)w->T, by_size), 2);
    for (int line = 1; line <= n_lines; line++) {
        ssize_t length = getline(&text, &room, in.f);
        stop_if(strlen(text) != (size_t)length, 1, "%s:%d: holds a NUL byte", path, line);
        while (length > 0 && strchr("\r\n", text[length - 1])) { text[--length] = 0; }
        stop_if(!utf8_valid(text), 1, "%s:%d: not UTF-8", path, line);
        stop_if(strchr(text, '\r') != NULL, 1, "%s:%d: a carriage return in the line", path, line);
        int has_mark = line == 1 && !strncmp(text, "\xef\xbb\xbf", 3);  // a byte-order mark
        int n = split_fields(text + 3 * has_mark, field);
        stop_if(n == 0, 1, "%s:%d: a backslash is not followed by t, n, r or \\", path, line);
        int header = n > 2 && !strcmp(field[0], "prompt") && !strcmp(field[1], "chosen")
                     && !strcmp(field[2], "rejected");
        stop_if(line == 1 && !header, 1, "%s: expected tab-separated text under the header prompt, "
                "chosen, rejected; make pairs JSONL=%s converts JSON Lines", path, path);
        columns = line == 1 ? n : columns;
        stop_if(n != columns, 1, "%s:%d: has %d fields, not %d", path, line, n, columns);
        if (line > 1 && batch_add_pair(&b, w, field, path, line)) {
            first_odd = n_odd++ ? first_odd : line;
        }
    }
    stop_if(b.n_rows == 0, 1, "%s: holds no pairs", path);
    if (n_odd) {
        note("%s:%d: a response begins without a space, or repeats its prompt; so in %d of %d "
             "pairs", path, first_odd, n_odd, b.n_rows / 2);
    }
    free(text);
    fclose(in.f);
    return b;
}

// ==== 9  Losses ==================================================================================
// A loss reads what it needs of a batch, returns its value, and writes dlogp (or dvalue), which its
// caller has set to zero. y_w is the response that won, y_l the one that lost. The helpers are
// shared: KL and entropy in the log use them, too.

typedef double (*Loss)(Batch *, const Options *);

// Adds g to dlogp of every token of a response: g < 0 makes it likelier, g > 0 less likely.
static void push(Batch *b, int row, double g) {
    for (int i = b->start[row]; i < b->row[row + 1]; i++) { b->dlogp[i] += (real)g; }
}

// Returns the sum of x over the tokens of a response.
static double response_sum(const Batch *b, const real *x, int row) {
    double total = 0;
    for (int i = b->start[row]; i < b->row[row + 1]; i++) { total += (double)x[i]; }
    return total;
}

// These return log(pi(y) / pi_ref(y)), and a pair's margin h: that of y_w minus that of y_l.
static double logratio(const Batch *b, int row) {
    return response_sum(b, b->logp, row) - response_sum(b, b->ref_logp, row);
}
static double margin(const Batch *b, Pair y) { return logratio(b, y.won) - logratio(b, y.lost); }

// Returns log(1 / (1 + exp(-x))), which overflows on neither side.
static double log_sigmoid(double x) { return x > 0 ? -log1p(exp(-x)) : x - log1p(exp(x)); }

// The loss of imitating one response: -weight log pi(y).
static double imitate(Batch *b, int row, double weight) {
    push(b, row, -weight);
    return -weight * response_sum(b, b->logp, row);
}

// SFT on samples: the mean over all responses of -log pi(y). It imitates them, good or bad.
static double loss_sft(Batch *b, const Options *o) {
    double loss = 0;
    for (int r = 0; r < b->n_rows; r++) { loss += imitate(b, r, 1.0 / b->n_rows); }
    return loss;
}

// Pref-FT: the mean over pairs of -log pi(y_w), also known as filtered SFT on the chosen responses.
static double loss_pref_ft(Batch *b, const Options *o) {  // part: pref-ft
    double loss = 0;
    for (int p = 0; p < b->n_pairs; p++) {
        loss += imitate(b, b->pair[p].won, b->pair[p].weight / b->n_pairs);
    }
    return loss;
}

// Best of N: the mean over prompts of -log pi(y_best), where y_best has the highest reward of its
// group (the first on a tie). On fresh samples this is RAFT (Dong et al. 2023) or expert iteration.
// With --push-worst X, the same mean of X log pi(y_worst) is added: the paper's best-of-N with an
// explicit negative gradient. A group whose rewards are all equal has no worst response.
static double loss_bon(Batch *b, const Options *o) {  // part: bon
    double loss = 0, weight = (double)b->group / b->n_rows;
    for (int r = 0; r < b->n_rows; r += b->group) {
        int best = r, worst = r;
        for (int i = r; i < r + b->group; i++) {
            best = b->reward[i] > b->reward[best] ? i : best;
            worst = b->reward[i] < b->reward[worst] ? i : worst;
        }
        loss += imitate(b, best, weight);
        if (worst != best) { loss += imitate(b, worst, -weight * o->push_worst); }
    }
    return loss;
}

// Reward-weighted regression (Peters and Schaal 2007; Peng et al. 2019): the mean over responses of
// -min(exp(A/beta), 20) log pi(y). The cap keeps one response from outweighing the whole batch.
static double loss_rwr(Batch *b, const Options *o) {  // part: rwr
    double loss = 0;
    for (int r = 0; r < b->n_rows; r++) {
        double weight = fmin(exp((double)b->advantage[b->start[r]] / o->beta), 20);
        loss += imitate(b, r, weight / b->n_rows);
    }
    return loss;
}

// REINFORCE (Williams 1992): the mean over responses of -sum_t A_t log pi(y_t).
static double loss_reinforce(Batch *b, const Options *o) {  // part: reinforce
    double loss = 0;
    for (int r = 0; r < b->n_rows; r++) {
        for (int i = b->start[r]; i < b->row[r + 1]; i++) {
            b->dlogp[i] = -b->advantage[i] / (real)b->n_rows;
            loss += (double)(b->dlogp[i] * b->logp[i]);
        }
    }
    return loss;
}

// PPO (Schulman et al. 2017, eq. 7): the mean over responses of
//     -sum_t min(rho_t A_t, clip(rho_t, 1-eps, 1+eps) A_t),   rho_t = pi(y_t) / pi_old(y_t).
// Where the clipped term is smaller, nothing is left to gain, and dlogp is 0; clip_frac is the
// share of such tokens. pi_old is computed by gpt_forward, as pi is. The sampler adds in another
// order, so its log-probabilities are rounded differently, and rho_t would not begin at exactly 1.
static double loss_ppo(Batch *b, const Options *o) {  // part: ppo
    double loss = 0, n_clipped = 0, n = 0;
    for (int r = 0; r < b->n_rows; r++) {
        for (int i = b->start[r]; i < b->row[r + 1]; i++) {
            double A = (double)b->advantage[i], rho = exp((double)(b->logp[i] - b->old_logp[i]));
            double bounded = fmin(fmax(rho, 1 - o->clip), 1 + o->clip);
            int clipped = bounded * A < rho * A;
            loss -= (clipped ? bounded : rho) * A / b->n_rows;
            b->dlogp[i] = clipped ? 0 : (real)(-rho * A / b->n_rows);
            n_clipped += clipped;
            n++;
        }
    }
    b->clip_frac = n_clipped / n;
    return loss;
}

// The loss of the value head, clipped as in TRL: the mean over responses of the sum over tokens of
// 0.1 / 2 max((V - return)^2, (clip(V, V_old - 0.2, V_old + 0.2) - return)^2). The value before
// token y_t was chosen stands at the token before it. Writes dvalue.
static double loss_value(Batch *b) {
    double loss = 0, scale = 0.1 / b->n_rows;
    for (int r = 0; r < b->n_rows; r++) {
        for (int i = b->start[r]; i < b->row[r + 1]; i++) {
            double V = (double)b->value[i - 1], old = (double)b->old_value[i - 1];
            double gap = V - (double)b->returns[i];
            double bounded = fmin(fmax(V, old - 0.2), old + 0.2) - (double)b->returns[i];
            int clipped = bounded * bounded > gap * gap;
            loss += scale / 2 * (clipped ? bounded * bounded : gap * gap);
            b->dvalue[i - 1] = clipped ? 0 : (real)(scale * gap);
        }
    }
    return loss;
}

// PPO with --baseline value, as in RLHF: the value head learns along with the policy.
static double loss_ppo_value(Batch *b, const Options *o) { return loss_ppo(b, o) + loss_value(b); }

// DPO (Rafailov et al. 2023, eq. 7): the mean over pairs of -log sigmoid(beta h), with the margin
// h = log pi/pi_ref (y_w) - log pi/pi_ref (y_l). It pushes y_l down exactly as hard as y_w up.
// For example, one pair with beta = 0.1, log pi(y_w) = -20, log pi_ref(y_w) = -21,
// log pi(y_l) = -24 and log pi_ref(y_l) = -22 has
//     h = (-20 + 21) - (-24 + 22) = 3,         loss = -log sigmoid(0.3) = 0.5544,
//     g = beta sigmoid(-beta h) = 0.1 * 0.4256 = 0.04256:
// dlogp is -0.04256 for each token of y_w and +0.04256 for each token of y_l.
static double loss_dpo(Batch *b, const Options *o) {  // part: dpo
    double loss = 0;
    for (int p = 0; p < b->n_pairs; p++) {
        Pair y = b->pair[p];
        double h = margin(b, y), weight = y.weight / b->n_pairs;
        double g = weight * o->beta * exp(log_sigmoid(-o->beta * h));
        loss -= weight * log_sigmoid(o->beta * h);
        push(b, y.won, -g);
        push(b, y.lost, g);  // the negative gradient
    }
    return loss;
}

// IPO (Azar et al. 2023, eq. 17): the mean over pairs of (h - 1/(2 tau))^2. It pulls each margin to
// a finite target, where DPO would widen it for ever. dloss/dh = 2 (h - 1/(2 tau)), and dh/dlogp is
// +1 on y_w and -1 on y_l. Short of the target, y_l is pushed down; beyond it, y_w is.
static double loss_ipo(Batch *b, const Options *o) {  // part: ipo
    double loss = 0;
    for (int p = 0; p < b->n_pairs; p++) {
        Pair y = b->pair[p];
        double gap = margin(b, y) - 1 / (2 * o->tau), weight = y.weight / b->n_pairs;
        loss += weight * gap * gap;
        push(b, y.won, 2 * weight * gap);
        push(b, y.lost, -2 * weight * gap);
    }
    return loss;
}

// Language modelling: the mean of -log p over all tokens but each row's first, prompts included.
static double loss_tokens(Batch *b, const Options *o) {
    double loss = 0, weight = 1.0 / (b->n_tokens - b->n_rows);
    for (int r = 0; r < b->n_rows; r++) {
        double total = 0;
        for (int i = b->row[r] + 1; i < b->row[r + 1]; i++) {
            b->dlogp[i] = (real)-weight;
            total += (double)b->logp[i];
        }
        loss -= weight * total;
    }
    return loss;
}

// Bradley and Terry 1952, for the reward model: the mean over pairs of -log sigmoid(s_w - s_l). The
// score s of a response is the head's output at its last token. Writes dvalue and no dlogp.
static double loss_bradley_terry(Batch *b, const Options *o) {  // part: bradley-terry
    double loss = 0;
    for (int p = 0; p < b->n_pairs; p++) {
        int won = b->row[b->pair[p].won + 1] - 1, lost = b->row[b->pair[p].lost + 1] - 1;
        double gap = (double)(b->value[won] - b->value[lost]);
        double weight = b->pair[p].weight / b->n_pairs, g = weight * exp(log_sigmoid(-gap));
        loss -= weight * log_sigmoid(gap);
        b->dvalue[won] -= (real)g;
        b->dvalue[lost] += (real)g;
    }
    return loss;
}

// A method is a loss and what the training loop must know of it. To add a method, write its loss
// and add a row to METHODS. After `loss`, fields that are zero may be left out.
typedef struct {
    const char *name, *help;
    const char *on_policy, *reuse, *negative;  // the paper's three axes, as the help shows them
    Loss loss, loss_with_values;  // the latter for --baseline value, if the method can use it
    int needs_pairs, needs_ref, needs_old;  // whether it reads b->pair, ref_logp, old_logp
    int ignores_rewards;
    int imitates;  // whether it imitates responses: the rewards of fixed data are then a bound
    const char *reads;  // which it reads of --beta --tau --clip --baseline --neg --push-worst
    double beta;   // the default of --beta
} Method;

static const Method METHODS[] = {
    {"sft", "imitates all responses", "no", "yes", "no", loss_sft,
     .imitates = 1, .ignores_rewards = 1},
    {"pref-ft", "imitates the winners of pairs (filtered SFT on chosen)", "no", "yes", "no",
     loss_pref_ft, .imitates = 1, .needs_pairs = 1},
    {"bon", "imitates the best of n (fresh: RAFT, expert iteration)", "either", "either",
     "--push-worst", loss_bon, .imitates = 1, .reads = "--push-worst"},
    {"rwr", "imitates all, weighted by exp(A/beta)", "either", "either", "no",
     loss_rwr, .imitates = 1, .reads = "--beta --baseline", .beta = 1},
    {"reinforce", "policy gradient (with --baseline loo: RLOO)", "yes", "no", "with a baseline",
     loss_reinforce, .reads = "--baseline --neg"},
    {"ppo", "clipped policy gradient (group baseline: GRPO-like)", "yes", "yes", "with a baseline",
     loss_ppo, loss_ppo_value, .needs_old = 1, .reads = "--clip --baseline --neg"},
    {"dpo", "widens the margins of pairs (fresh: online DPO)", "either", "yes", "yes",
     loss_dpo, .needs_pairs = 1, .needs_ref = 1, .reads = "--beta --neg", .beta = 0.1},
    {"ipo", "pulls the margins of pairs to 1/(2 tau)", "either", "yes", "yes",
     loss_ipo, .needs_pairs = 1, .needs_ref = 1, .reads = "--tau --neg"},
};
enum { N_METHODS = sizeof METHODS / sizeof *METHODS };

// --- advantages and pairs ------------------------------------------------------------------------

enum { NO_BASELINE, LEAVE_ONE_OUT, GROUP_BASELINE, VALUE_BASELINE };
static const char *const BASELINES[] = {"none", "loo", "group", "value"};

// Takes the KL penalty, kl log(pi_old/pi_ref), off the rewards r, and sets the advantages A from
// them, group by group. "none": A = r. "loo": A = r - the mean of the others, which is
// (r - mean) n / (n-1). "group": A = (r - mean) / (std + 1e-8), and 0 if std is 0.
static void set_advantages(Batch *b, int baseline, double kl) {  // part: advantages
    int n = b->group;
    for (int r = 0; r < b->n_rows && kl > 0; r++) {
        b->reward[r] -= kl * (response_sum(b, b->old_logp, r) - response_sum(b, b->ref_logp, r));
    }
    for (int r = 0; r < b->n_rows; r++) {
        double A = b->reward[r];
        Moments m = moments(b->reward + r - r % n, n);
        if (baseline == LEAVE_ONE_OUT) { A = n > 1 ? (A - m.mean) * n / (n - 1) : 0; }
        if (baseline == GROUP_BASELINE) { A = m.std > 0 ? (A - m.mean) / (m.std + 1e-8) : 0; }
        for (int i = b->start[r]; i < b->row[r + 1]; i++) { b->advantage[i] = (real)A; }
    }
}

// Generalised advantage estimation (Schulman et al. 2016), with gamma 1:
//     delta_t = r_t + V_{t+1} - V_t,   A_t = delta_t + lambda A_{t+1},   return_t = A_t + V_t.
// r_t is -kl log(pi_old/pi_ref), plus the response's reward at its last token. The advantages of
// the whole collection are then normalised to mean 0 and standard deviation 1.
static void set_advantages_gae(Batch *b, double lambda, double kl) {  // part: gae
    double total = 0, squares = 0, n = 0;
    for (int r = 0; r < b->n_rows; r++) {
        double A = 0, next = 0, reward = b->reward[r];
        for (int i = b->row[r + 1] - 1; i >= b->start[r]; i--, reward = 0) {
            double V = (double)b->old_value[i - 1];
            if (kl > 0) { reward -= kl * (double)(b->old_logp[i] - b->ref_logp[i]); }
            A = reward + next - V + lambda * A;
            next = V;
            b->advantage[i] = (real)A;
            b->returns[i] = (real)(A + V);
            total += A;
            squares += A * A;
            n++;
        }
    }
    double mean = total / n, std = sqrt(fmax(squares / n - mean * mean, 0));
    for (int r = 0; r < b->n_rows; r++) {
        for (int i = b->start[r]; i < b->row[r + 1]; i++) {
            b->advantage[i] = (real)(((double)b->advantage[i] - mean) / (std + 1e-8));
        }
    }
}

// Pairs all responses of a group that have different rewards.
static void make_pairs(Batch *b) {
    b->n_pairs = 0;
    for (int i = 0; i < b->n_rows; i++) {
        for (int j = i + 1; j < b->n_rows && j / b->group == i / b->group; j++) {
            if (b->reward[i] != b->reward[j]) {
                int first = b->reward[i] > b->reward[j];
                b->pair[b->n_pairs++] = (Pair){first ? i : j, first ? j : i, 1};
            }
        }
    }
}

// ==== 10  Training ===============================================================================

// A model that is being trained, in any of the ways below, and what the training loop needs.
typedef struct Trainer {
    const char *name, *out;     // for messages; where to save the model at the end, or NULL
    const Options *o;
    GPT *model;
    Acts acts;
    Loss loss;
    int uses_logp, uses_value;  // what the loss reads of the network
    int needs_pairs;            // whether a batch without pairs makes no step
    int decay;                  // whether the learning rate warms up and decays, or is constant
    double max_norm;            // gradients are clipped to this norm; 0: never
    double neg;                 // multiplies every positive dlogp; 1 except under --neg
    const Batch *data, *held;   // groups to train on, and groups to validate on
    Deck deck;                  // the order of the former
    Batch batch;                // the rows of the current step
    long long left;             // how many more steps these data are used for
    int steps;                  // gradient steps made so far
    double first_loss;          // the loss of the first
    struct { double loss, push_up, push_down, grad_norm, clip_frac, n; } sum;  // of this report
    double spent, tokens;       // seconds of training, without evaluation; tokens trained on
    Output log;
    struct Run *run;            // preference tuning, else NULL
    void (*refill)(struct Trainer *t);            // brings new data when none are left
    void (*report)(struct Trainer *t, int step);  // prints and logs how the training goes
} Trainer;

// Makes a trainer for steps of o->batch groups.
static Trainer trainer_new(const char *name, GPT *g, Loss loss, int group, const Options *o) {
    int n = o->batch * group, T = g->c.maxT;
    return (Trainer){.name = name, .o = o, .model = g, .loss = loss, .uses_logp = 1, .max_norm = 1,
                     .neg = 1, .left = LLONG_MAX, .batch = batch_new(n, (uint64_t)n * T, group),
                     .acts = acts_new(g, n, T, 1)};
}

// Returns the loss of a batch whose logp or value is set. Sets dlogp and dvalue.
static double loss_and_dlogp(Batch *b, Loss loss, const Options *o) {
    memset(b->dlogp, 0, (size_t)b->n_tokens * sizeof(real));
    memset(b->dvalue, 0, (size_t)b->n_tokens * sizeof(real));
    return loss(b, o);
}

// Runs t->batch through the model and returns its loss. Sets dlogp and dvalue.
static double forward_loss(Trainer *t) {
    Batch *b = &t->batch;
    gpt_forward(t->model, &t->acts, b, t->uses_logp ? b->logp : NULL,
                t->uses_value ? b->value : NULL);
    return loss_and_dlogp(b, t->loss, t->o);
}

// The one gradient step of all training: forward, loss, backward, Adam. Adds to t->sum.
static void gradient_step(Trainer *t, double lr) {
    Batch *b = &t->batch;
    double loss = forward_loss(t);
    for (int i = 0; i < b->n_tokens; i++) {
        if (b->dlogp[i] > 0) { b->dlogp[i] *= (real)t->neg; }
        t->sum.push_up += fmax(-(double)b->dlogp[i], 0);
        t->sum.push_down += fmax((double)b->dlogp[i], 0);
    }
    gpt_backward(t->model, &t->acts, b, t->uses_logp ? b->dlogp : NULL,
                 t->uses_value ? b->dvalue : NULL);
    double norm = adam(t->model, lr, t->max_norm, ++t->steps);
    stop_if(!isfinite(loss) || !isfinite(norm), 1,
            "%s: the loss is not finite at step %d; try a smaller --lr", t->name, t->steps);
    if (t->steps == 1) { t->first_loss = loss; }
    t->sum.loss += loss;
    t->sum.grad_norm += norm;
    t->sum.clip_frac += b->clip_frac;
    t->sum.n++;
    t->tokens += b->n_tokens;
}

// Returns a step's learning rate: linear over a twentieth of the steps, then a cosine down to 0.
static double scheduled_rate(double lr, int step, int steps) {
    double warm = step / (0.05 * steps + 1), done = (double)step / steps;
    return lr * (warm < 1 ? warm : 0.5 * (1 + cos(3.141592653589793 * done)));
}

// Ends an interrupted run. If -o asked for the model, it is kept as OUT.unfinished.
static _Noreturn void end_early(const Trainer *t, int step) {
    char path[PATH_MAX + 16] = "";
    training = 0;
    if (t->o->out) {
        snprintf(path, sizeof path, "%s.unfinished", t->o->out);
        gpt_save(t->model, path);
    }
    stop(128 + interrupted, "interrupted after step %d of %d%s%s", step, t->o->steps,
         *path ? "; the model so far is " : "", path);
}

// --- the training loop, which is the paper's unified algorithm -----------------------------------
//
//     repeat until all gradient steps are made:
//         prompts   = the next `collect` prompts
//         responses = n samples for each, from the policy as it is now (ON_POLICY),
//                     or from the reference, once and for all steps (otherwise)
//         rewards   = label(responses)
//         for pass = 1 to `reuse`:
//             for each `batch` of the prompts, in random order:
//                 make one gradient step on the method's loss
//
// The three axes of the paper are three knobs:
//     on-policy sampling   which build, pref or pref_onpolicy, and how large --collect is
//     sample reuse         --reuse, the number of passes over a collection
//     negative gradient    --method: whether its loss writes any dlogp > 0, which --neg scales
// In supervised training the data are given, and never refilled.
static void train(Trainer *t) {
    const Options *o = t->o;
    int every = o->eval_every ? o->eval_every : (o->steps + 9) / 10;
    training = 1;  // from here on, a signal ends the loop after its current step
    for (int step = 1; step <= o->steps; step++, t->left--) {
        double begin = seconds();
        if (t->left == 0) { t->refill(t); }
        batch_clear(&t->batch);
        for (int i = 0; i < o->batch; i++) {
            batch_copy_group(&t->batch, t->data, deal(&t->deck), t->model->c.maxT);
        }
        make_pairs(&t->batch);
        if (t->batch.n_pairs > 0 || !t->needs_pairs) {  // equal rewards teach nothing
            gradient_step(t, t->decay ? scheduled_rate(o->lr, step, o->steps) : o->lr);
        }
        t->spent += seconds() - begin;
        progress("%s, step %d of %d, about %.0f s left", t->name, step, o->steps,
                 t->spent / step * (o->steps - step));
        if (step == o->steps && t->out) { gpt_save(t->model, t->out); }
        if (t->report && (step % every == 0 || step == o->steps)) { t->report(t, step); }
        if (interrupted && step < o->steps) { end_early(t, step); }
    }
    training = 0;
    progress("%s", "");
    output_close(&t->log);
}

// --- supervised training -------------------------------------------------------------------------

// Returns the mean loss over at most 500 held-out groups, in nats per token or per pair.
static double validation_loss(Trainer *t) {
    Batch *b = &t->batch;
    double total = 0, n_items = 0;
    for (int i = 0, n = min_int(t->held->n_rows / b->group, 500); i < n;) {
        for (batch_clear(b); i < n && b->n_rows < b->max_rows; i++) {
            batch_copy_group(b, t->held, i, t->model->c.maxT);
        }
        make_pairs(b);
        double items = t->uses_logp ? b->n_tokens - b->n_rows : b->n_pairs;
        total += items * forward_loss(t);
        n_items += items;
    }
    return total / n_items;
}

// Prints and logs the loss on the training data since the last report, and on those held out.
static void report_loss(Trainer *t, int step) {
    double val_loss = validation_loss(t), n = t->sum.n, rate = t->tokens / t->spent, lr = t->o->lr;
    double guessing = t->uses_logp ? log((double)t->model->c.V) : log(2.0);  // its loss
    progress("%s", "");
    printf("step %5d  train %.4f  validation %.4f  %.0f tokens/s  %.0f s\n", step, t->sum.loss / n,
           val_loss, rate, t->spent);
    fflush(stdout);
    if (val_loss > 1.5 * guessing && val_loss > t->first_loss) {  // at first it may be
        note("guessing has a validation loss of %.2f, far less: --lr %g is probably too high",
             guessing, lr);
        t->first_loss = INFINITY;  // so that this is said once
    }
    if (t->log.f) {
        fprintf(t->log.f, "%d,%.6f,%.6f,%.6g,%.6g,%.0f,%.3f\n", step, t->sum.loss / n, val_loss,
                scheduled_rate(lr, step, t->o->steps), t->sum.grad_norm / n, rate, t->spent);
    }
    memset(&t->sum, 0, sizeof t->sum);
}

// Trains on data, with reports on the groups of held.
static void fit(Trainer *t, const Batch *data, const Batch *held) {
    t->data = data;
    t->held = held;
    t->deck = deck_new(data->n_rows / data->group, t->o->seed, EPOCH_STREAM);
    t->log = csv_open(t->o->log, "step,loss,val_loss,lr,grad_norm,tokens_per_second,seconds\n");
    t->decay = 1;
    t->report = report_loss;
    printf("%.2f M parameters, %d thread(s)\n", (double)t->model->n_params / 1e6, threads());
    train(t);
}

// Returns the bandit's reference policy, trained on its data, each used once, at a constant rate.
static GPT bandit_reference(int len, int seed) {
    const Options o = {.steps = 300, .batch = 256, .lr = 3e-3};
    int n_rows = o.steps * o.batch;
    Rng r = rng_stream(seed, BANDIT_STREAM, 0);
    double p[BANDIT_TOKENS];
    bandit_data(p);
    Batch data = batch_of_tokens(n_rows, n_rows * (len + 1));
    while (data.n_rows < n_rows) { batch_add_bandit(&data, p, len, &r); }
    GPT g = gpt_new((Config){len + 1, BANDIT_TOKENS, 3, 3, 48, BANDIT_TOKENS}, 0, 1);
    gpt_init(&g, seed);
    Trainer t = trainer_new("the reference", &g, loss_tokens, 1, &o);
    t.max_norm = 0;
    t.data = &data;
    t.deck = deck_new(n_rows, seed, EPOCH_STREAM);
    t.deck.next = 0;  // in the order in which they were drawn
    train(&t);
    return g;
}

// --- preference tuning ---------------------------------------------------------------------------

// All that a tuning run consists of.
typedef struct Run {
    const Options *o;
    World world;
    const Method *method;
    int baseline;
    GPT policy, ref, rm;       // rm: the reward model, if there is one
    Trainer trainer;           // of the policy
    Acts rm_acts, sampler;
    Batch prompts, data;       // the prompts drawn last; a collection
    Batch eval;                // fresh samples of the policy, by which it is measured
    Batch probe, train_probe;  // watched pairs: reference samples; data trained on, if fixed
    const GPT *source;         // who samples the collections; NULL: they are the pairs of a file
    double at_once, total;     // prompts in a collection; prompts in all collections
    int round, queries;        // collections and responses so far
    double bound;              // what imitating fixed data perfectly would earn, or 0
    double start_gold, start_entropy, gold;  // of the reference, at step 0; the last true reward
} Run;

enum { EVAL_BANDIT = 512, EVAL_STORIES = 128, PROBE_PAIRS = 128, CUT_PENALTY = 3 };

// Sets every reward to what the reward model says, its head's output at the last token. A truncated
// response, which pairs never contain, gets 3 standard deviations less than the reference's mean
// (scores are scaled, see standardise), as in TRL.
static void proxy_rewards(Run *run, Batch *b) {
    gpt_forward(&run->rm, &run->rm_acts, b, NULL, b->value);
    for (int r = 0; r < b->n_rows; r++) {
        double score = (double)b->value[b->row[r + 1] - 1];
        b->reward[r] = is_unfinished(&run->world, b, r) ? -CUT_PENALTY : score;
    }
}

// Fills `out` with n responses of model g to each of run->prompts.
static void sample_responses(Run *run, const GPT *g, int n, uint64_t stream, Batch *out) {
    const World *w = &run->world;
    Sampling how = {.T = w->T, .eot = w->task->is_bandit ? -1 : w->t.eot, .temperature = 1,
                    .seed = run->o->seed, .stream = stream};
    rollout(g, &run->sampler, &run->prompts, n, &how, out);
}

// The same for n_prompts new prompts, which for story tasks are drawn from `stories`.
static void sample_groups(Run *run, const GPT *g, const Batch *stories, int n_prompts, int n,
                          uint64_t stream, Batch *out) {
    Rng r = rng_stream(run->o->seed, PROMPT_STREAM, stream);
    batch_clear(&run->prompts);
    while (run->prompts.n_rows < n_prompts) {
        batch_add_prompt(&run->prompts, &run->world, stories, &r);
    }
    sample_responses(run, g, n, stream, out);
}

// Labels a collection with rewards, and from these with advantages. The bandit has its true reward.
// Stories have the reward model's, or the 1 and 0 of a pairs file; their true reward is for
// evaluation alone. Also sets old_logp and ref_logp if the method reads them. kl is the weight of
// the KL penalty.
static void label(Run *run, Batch *b, double kl) {
    const Method *m = run->method;
    Acts *a = &run->trainer.acts;
    int values = run->baseline == VALUE_BASELINE, has_pairs = !run->source && m->needs_pairs;
    if (run->world.task->is_bandit) { gold_rewards(&run->world, b); }
    if (run->rm.params && !has_pairs) { proxy_rewards(run, b); }
    if (m->needs_old || kl > 0) {  // before any step on these data; see loss_ppo
        gpt_forward(&run->policy, a, b, b->old_logp, values ? b->old_value : NULL);
    }
    if (m->needs_ref || kl > 0) { gpt_forward(&run->ref, a, b, b->ref_logp, NULL); }
    if (values) { set_advantages_gae(b, run->o->gae, kl); }
    if (!values) { set_advantages(b, run->baseline, kl); }
}

// Prints the most that imitation of fixed data can earn: the mean true reward of the responses,
// weighted by dlogp, which does not depend on the policy.
static void print_imitation_bound(Run *run) {
    Batch *b = &run->data;
    double weights = 0, total = 0;
    loss_and_dlogp(b, run->method->loss, run->o);
    for (int r = 0; r < b->n_rows; r++) {
        double weight = -(double)b->dlogp[b->start[r]];
        weights += weight;
        total += weight * gold_reward(&run->world, b, r);
    }
    if (weights > 0) {
        run->bound = total / weights;
        progress("%s", "");
        printf("imitating these samples perfectly would earn %.4f\n", run->bound);
    }
}

// Sets the rows of train_probe to PROBE_PAIRS of the pairs trained on, evenly spread over the data,
// or to all of them if they are fewer.
static void make_train_probe(Run *run) {
    Batch *b = &run->train_probe;
    const Batch *data = &run->data;
    batch_clear(b);
    int n = min_int(data->n_pairs, PROBE_PAIRS);
    for (int p = 0; p < n; p++) {
        Pair y = data->pair[(size_t)p * data->n_pairs / n];
        for (int k = 0; k < 2; k++) {
            int r = k ? y.lost : y.won, at = data->row[r];
            b->reward[b->n_rows] = !k;
            batch_add(b, data->token + at, data->row[r + 1] - at, data->start[r] - at);
        }
    }
    make_pairs(b);
    if (n > 0) { gpt_forward(&run->ref, &run->trainer.acts, b, b->ref_logp, NULL); }
}

// Makes the next collection.
static void collect(Trainer *t) {
    Run *run = t->run;
    const Options *o = run->o;
    int n_prompts = (int)fmin(run->at_once, run->total - run->round * run->at_once);
    if (run->source) {
        sample_groups(run, run->source, &run->world.train, n_prompts, o->n,
                      COLLECTION_STREAM + run->round, &run->data);
    }
    run->queries += run->data.n_rows;
    label(run, &run->data, run->round ? o->kl : 0);  // at first the policy is the reference
    run->round++;
    deck_restart(&t->deck, n_prompts);
    t->left = run->source ? (long long)n_prompts * o->reuse / o->batch : o->steps;
    if (n_prompts < run->total) { return; }  // what follows is about fixed data
    make_pairs(&run->data);
    if (run->method->imitates && !(o->push_worst > 0)) { print_imitation_bound(run); }
    make_train_probe(run);
}

// --- evaluation: nothing that is measured here reaches the training ------------------------------

// Returns whether no earlier row has the same response.
static int is_new(const Batch *b, int r) {
    const int *y = b->token + b->start[r], n = response_length(b, r);
    for (int i = 0; i < r; i++) {
        int as_long = response_length(b, i) == n;
        if (as_long && !memcmp(b->token + b->start[i], y, n * sizeof(int))) { return 0; }
    }
    return 1;
}

// What is measured of each response, and of pairs: the mean of log pi(y_w), log pi(y_l) and h, and
// how often h > 0. These are columns of the log, in its order.
enum { GOLD, PROXY, KL, ENTROPY, DISTINCT, LENGTH, N_MEASURES };
enum { LOGP_CHOSEN, LOGP_REJECTED, MARGIN, ACCURACY, N_PAIR_MEASURES };
static const char LOG_HEADER[] = "step,queries,loss,gold_reward,proxy_reward,kl,entropy,distinct,"
    "response_len,logp_chosen,logp_rejected,reward_margin,reward_accuracy,push_up,push_down,"
    "grad_norm,clip_frac,seconds,train_logp_chosen,train_logp_rejected,train_reward_margin,"
    "train_reward_accuracy,unfinished\n";

// Measures row r, whose logp, ref_logp and (with a reward model) reward are set.
static double measure(const Run *run, const Batch *b, int r, int what) {
    switch (what) {
    case GOLD: return gold_reward(&run->world, b, r);
    case PROXY: return run->rm.params ? b->reward[r] : NAN;
    case KL: return logratio(b, r);
    case ENTROPY: return -response_sum(b, b->logp, r);
    case DISTINCT: return is_new(b, r);
    default: return response_length(b, r);
    }
}

// Samples the policy's responses to new validation prompts, and sets all that measure() reads.
static void sample_evaluation(Run *run, uint64_t stream) {
    Batch *b = &run->eval;
    sample_groups(run, &run->policy, &run->world.val, b->max_rows, 1, stream, b);
    if (run->rm.params) { proxy_rewards(run, b); }
    gpt_forward(&run->policy, &run->trainer.acts, b, b->logp, NULL);
    gpt_forward(&run->ref, &run->trainer.acts, b, b->ref_logp, NULL);
}

// Makes the probe, the same for all methods: pairs of reference samples whose true rewards differ.
static void make_probe(Run *run) {
    Batch *b = &run->probe;
    sample_groups(run, &run->ref, &run->world.val, 2 * PROBE_PAIRS, 2, PROBE_STREAM, b);
    gold_rewards(&run->world, b);
    make_pairs(b);
    b->n_pairs = min_int(b->n_pairs, PROBE_PAIRS);
    if (b->n_pairs > 0) { b->n_rows = 2 + b->pair[b->n_pairs - 1].won / 2 * 2; }  // drop the rest
    gpt_forward(&run->ref, &run->trainer.acts, b, b->ref_logp, NULL);
}

// Sets what is measured of b's pairs; NAN if it has none.
static void measure_pairs(Run *run, Batch *b, double mean[N_PAIR_MEASURES]) {
    if (b->n_pairs) { gpt_forward(&run->policy, &run->trainer.acts, b, b->logp, NULL); }
    for (int k = 0; k < N_PAIR_MEASURES; k++) { mean[k] = b->n_pairs ? 0 : NAN; }
    for (int p = 0; p < b->n_pairs; p++) {
        double h = margin(b, b->pair[p]);
        mean[LOGP_CHOSEN] += response_sum(b, b->logp, b->pair[p].won) / b->n_pairs;
        mean[LOGP_REJECTED] += response_sum(b, b->logp, b->pair[p].lost) / b->n_pairs;
        mean[MARGIN] += h / b->n_pairs;
        mean[ACCURACY] += (h > 0 ? 1 : h < 0 ? 0 : 0.5) / b->n_pairs;
    }
}

// Writes a number, or an empty field for NAN, which stands for a quantity that a method lacks.
static void log_number(FILE *f, double x) { fprintf(f, isnan(x) ? "," : ",%.6g", x); }

// The last columns are about the pairs trained on, and the share of stories that were cut.
static void log_row(const Trainer *t, int step, int queries, const double *mean,
                    const double *last) {
    double n = t->sum.n > 0 ? t->sum.n : NAN;
    double clip_frac = t->run->method->needs_old ? t->sum.clip_frac : NAN;
    const double sums[] = {t->sum.push_up, t->sum.push_down, t->sum.grad_norm, clip_frac};
    fprintf(t->log.f, "%d,%d", step, queries);
    log_number(t->log.f, t->sum.loss / n);
    for (int i = 0; i < N_MEASURES + N_PAIR_MEASURES; i++) { log_number(t->log.f, mean[i]); }
    for (int i = 0; i < 4; i++) { log_number(t->log.f, sums[i] / n); }
    fprintf(t->log.f, ",%.3f", t->spent);
    for (int i = 0; i <= N_PAIR_MEASURES; i++) { log_number(t->log.f, last[i]); }
    fputc('\n', t->log.f);
}

// Measures the policy on fresh samples and on the probe pairs, prints a line and logs a row.
static void evaluate(Trainer *t, int step) {
    Run *run = t->run;
    Batch *b = &run->eval;
    int queries = step ? run->queries : 0;  // the first are collected before step 0, but not used
    double mean[N_MEASURES + N_PAIR_MEASURES] = {0}, last[N_PAIR_MEASURES + 1], unfinished = 0;
    sample_evaluation(run, repeated(EVALUATION_STREAM, step));
    for (int r = 0; r < b->n_rows; r++) {
        for (int k = 0; k < N_MEASURES; k++) { mean[k] += measure(run, b, r, k) / b->n_rows; }
        unfinished += is_unfinished(&run->world, b, r);
    }
    measure_pairs(run, &run->probe, mean + N_MEASURES);
    measure_pairs(run, &run->train_probe, last);
    last[N_PAIR_MEASURES] = run->world.task->is_bandit ? NAN : unfinished / b->n_rows;
    progress("%s", "");
    printf("step %5d  queries %6d  reward %.4f  ", step, queries, mean[GOLD]);
    if (run->rm.params) { printf("proxy %6.3f  length %5.1f  ", mean[PROXY], mean[LENGTH]); }
    printf("KL %7.3f  entropy %6.2f  distinct %.3f\n", mean[KL], mean[ENTROPY], mean[DISTINCT]);
    fflush(stdout);
    if (step == 0) {
        run->start_gold = mean[GOLD];
        run->start_entropy = mean[ENTROPY];
    } else if (mean[ENTROPY] < 0.01 * run->start_entropy && mean[GOLD] < run->start_gold) {
        note("the policy has collapsed: its entropy is %.2f (the reference's: %.2f), and its "
             "reward is lower; --lr %g is probably too high", mean[ENTROPY], run->start_entropy,
             run->o->lr);
    }
    if (t->log.f) { log_row(t, step, queries, mean, last); }
    run->gold = mean[GOLD];
    memset(&t->sum, 0, sizeof t->sum);
}

// Tunes the policy: decides who samples, and how many prompts at a time, and makes room for that.
static void tune(Run *run) {
    const Options *o = run->o;
    Trainer *t = &run->trainer;
    int T = run->world.T;
    // as many prompts as the steps use up, steps * batch / reuse, rounded up to whole batches
    run->total = ceil(ceil((double)o->steps * o->batch / o->reuse) / o->batch) * o->batch;
#ifdef ON_POLICY  // part: on-policy
    run->source = &run->policy;
    run->at_once = fmin(o->collect, run->total);
#else
    run->source = o->pairs ? NULL : &run->ref;
    if (o->pairs) { run->total = run->data.n_rows / 2; }  // used as many times as it takes
    run->at_once = run->total;
#endif
    uint64_t n_rows = run->source ? (uint64_t)run->at_once * o->n : 0;
    if (run->source) { run->data = batch_new(n_rows, n_rows * T, o->n); }
    int room = (int)fmax(n_rows, EVAL_BANDIT);
    run->prompts = batch_new(room, (uint64_t)room * min_int(T, MAX_PROMPT), 1);
    run->sampler = sampler_new(run->policy.c, room, T);
    t->data = &run->data;
    t->deck = deck_new((int)run->at_once, o->seed, ORDER_STREAM);
    t->run = run;
    t->refill = collect;
    t->report = evaluate;
    t->out = o->out;
    make_probe(run);
    double begin = seconds();
    progress("making the data of the first steps");
    collect(t);  // before the first row of the log, which has columns about fixed data
    t->spent += seconds() - begin;
    evaluate(t, 0);
    train(t);
    if (run->bound > 0) {
        printf("the policy earns %.4f, perfect imitation %.4f\n", run->gold, run->bound);
    }
}

// ==== 11  Commands ===============================================================================

// Every option, once: how its value is read, and the commands that read it. If only some runs of
// these do, `runs` lists which: "method" (those whose row of METHODS names the option), "bandit" or
// "stories", "samples" (not --pairs), "value" (the baseline) or "pref_onpolicy" (the program). Any
// other use is an error. (dev/measure.c is this file with commands and options of its own.)
typedef struct {
    const char *name, *value;
    char type;  // i: int, d: double, s: string
    size_t at;  // where in Options
    double min, max;
    const char *commands, *runs, *help;
} Option;

static const Option OPTIONS[] = {
#define TEXT(field) 's', offsetof(Options, field), 0, 0
#define INT(field, min, max) 'i', offsetof(Options, field), min, max
#define NUMBER(field, min, max) 'd', offsetof(Options, field), min, max
    {"-m", "MODEL", TEXT(model), "sample pairs rm tune eval score hist", "", "the model"},
    {"--method", "NAME", TEXT(method), "tune", "", "one of the methods below"},
    {"--task", "NAME", TEXT(task), "sft pairs tune eval hist", "", "a task; for sft only bandit"},
    {"--rm", "FILE", TEXT(rm), "tune eval", "stories", "the reward model"},
    {"--pairs", "FILE", TEXT(pairs), "rm tune", "stories", "preference pairs to learn from"},
    {"-o", "FILE", TEXT(out), "sft pairs rm tune", "", "the result"},
    {"--data", "FILE", TEXT(data), "sft sample pairs rm tune eval score info hist", "stories",
     "tokenizer and stories"},
    {"--steps", "N", INT(steps, 1, 1e8), "sft rm tune", "", "gradient steps"},
    {"--queries", "N", INT(queries, 1, 1e9), "tune", "samples", "responses in all, not --steps"},
    {"--batch", "N", INT(batch, 1, 65536), "sft rm tune", "",
     "stories, pairs or prompts in a step"},
    {"-n", "N", INT(n, 1, 1e7), "sample pairs tune eval hist", "samples",
     "how many; for tune, responses to each prompt"},
    {"--collect", "N", INT(collect, 1, 1e8), "tune", "pref_onpolicy", "prompts at once (--batch)"},
    {"--reuse", "T", INT(reuse, 1, 1e6), "tune", "samples", "passes over each collection"},
    {"--lr", "X", NUMBER(lr, 1e-12, 1), "sft rm tune", "", "learning rate"},
    {"--beta", "X", NUMBER(beta, 1e-6, 1e6), "tune", "method", "temperature (rwr 1, dpo 0.1)"},
    {"--tau", "X", NUMBER(tau, 1e-6, 1e6), "tune", "method", "margins are pulled to 1/(2 tau)"},
    {"--kl", "X", NUMBER(kl, 0, 1e6), "tune", "pref_onpolicy", "KL penalty on rewards"},
    {"--clip", "X", NUMBER(clip, 1e-6, 1e6), "tune", "method", "ratios are clipped to 1 +- X"},
    {"--baseline", "NAME", TEXT(baseline), "tune", "method", "none, loo, group, value"},
    {"--gae", "X", NUMBER(gae, 0, 1), "tune", "value", "lambda, for --baseline value"},
    {"--neg", "X", NUMBER(neg, 0, 1e6), "tune", "method", "a factor on the negative gradient"},
    {"--push-worst", "X", NUMBER(push_worst, 0, 1e6), "tune", "method",
     "weight of pushing down the worst of n"},
    {"--len", "N", INT(len, 1, 1000), "sft tune hist", "bandit", "tokens in a response"},
    {"--eval-every", "N", INT(eval_every, 1, 1e9), "tune", "", "steps between rows of the log"},
    {"--label-noise", "X", NUMBER(label_noise, 0, 1e6), "pairs", "", "the labels' temperature"},
    {"-L", "N", INT(L, 1, 1000), "sft bench", "stories", "layers"},
    {"-H", "N", INT(NH, 1, 1000), "sft bench", "stories", "attention heads"},
    {"-C", "N", INT(C, 1, 65536), "sft bench", "stories", "channels"},
    {"-T", "N", INT(T, 2, 65536), "sft bench", "stories", "context, in tokens"},
    {"-p", "TEXT", TEXT(prompt), "sample", "", "the text to continue"},
    {"--temp", "X", NUMBER(temperature, 0, 1000), "sample", "", "temperature; 0: greedy"},
    {"--top-k", "N", INT(top_k, 0, 65536), "sample", "", "draw from the N likeliest; 0: from all"},
    {"--max-len", "N", INT(max_len, 1, 65536), "sample", "", "the most tokens to add"},
#ifdef MORE_OPTIONS
    MORE_OPTIONS
#endif
    {"--seed", "N", INT(seed, 0, INT_MAX), "sft sample pairs rm tune eval hist", "", "random seed"},
    {"--log", "FILE", TEXT(log), "sft rm tune eval", "", "the CSV file to write"},
};
enum { N_OPTIONS = sizeof OPTIONS / sizeof *OPTIONS };

// Returns whether a list contains any of some words. Spaces separate the words of both.
static int lists(const char *list, const char *words) {
    for (size_t n; *words; words += n + (words[n] == ' ')) {
        n = strcspn(words, " ");
        for (const char *p = list; p; p = strchr(p, ' ')) {
            p += *p == ' ';
            if (!strncmp(p, words, n) && (!p[n] || p[n] == ' ')) { return 1; }
        }
    }
    return 0;
}

// Returns the index of `word`, in any case, in a table whose rows begin with a name or NULL. Usage
// error: the table has no such name.
static int find(const char *what, const char *word, const void *table, size_t n, size_t row_size) {
    char names[1024] = "";
    for (size_t i = 0; i < n; i++) {
        const char *name = *(const char *const *)((const char *)table + i * row_size);
        size_t used = strlen(names);
        if (name && !strcasecmp(name, word)) { return (int)i; }
        if (name) { snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", name); }
    }
    stop(2, "unknown %s '%s'; there are %s", what, word, names);
}

// Sets option p from text. Usage error: the value is missing, not a number, or out of range.
static void option_set(Options *o, const Option *p, const char *text) {
    char *field = (char *)o + p->at, *end = NULL;
    stop_if(!text, 2, "%s: expected a value (%s) after it", p->name, p->value);
    errno = 0;
    double x = p->type == 'i' ? (double)strtoll(text, &end, 10) : strtod(text, &end);
    stop_if(p->type != 's' && (end == text || *end || errno || !(x >= p->min && x <= p->max)), 2,
            "%s %s: expected %s from %g to %g",
            p->name, text, p->type == 'i' ? "a whole number" : "a number", p->min, p->max);
    if (p->type == 's') { *(const char **)field = text; }
    if (p->type == 'i') { *(int *)field = (int)x; }
    if (p->type == 'd') { *(double *)field = x; }
    o->given |= 1ull << (p - OPTIONS);
}

// Sets the options that the user gave. Usage error: the command does not have such an option.
static void options_parse(Options *o, const char *command, int argc, char **argv) {
    const char *own[N_OPTIONS] = {NULL};  // the names of the command's options
    int n = 0;
    for (int i = 0; i < N_OPTIONS; i++) {
        if (lists(OPTIONS[i].commands, command)) { own[i] = OPTIONS[i].name; }
        n += own[i] != NULL;
    }
    for (int a = 0; a < argc; a++) {
        if (argv[a][0] == '-' && argv[a][1]) {
            stop_if(!n, 2, "%s takes no options, but was given %s", command, argv[a]);
            int i = find("option", argv[a], own, N_OPTIONS, sizeof *own);
            option_set(o, &OPTIONS[i], ++a < argc ? argv[a] : NULL);
        } else if (!o->file && lists("help info", command)) {
            o->file = argv[a];
        } else {
            stop(2, "unexpected '%s'; see " PROGRAM " help %s", argv[a], command);
        }
    }
}

// Sets `names` to what reads an option, see OPTIONS: for "method" the names of methods.
static void find_readers(const Option *p, char names[256]) {
    int by_method = !strcmp(p->runs, "method");
    snprintf(names, 256, "%s", by_method ? "" : p->runs);
    for (const Method *m = METHODS; m < METHODS + N_METHODS; m++) {
        size_t n = strlen(names);
        int reads = by_method && m->reads && lists(m->reads, p->name);
        if (reads) { snprintf(names + n, 256 - n, "%s%s", n ? " " : "", m->name); }
    }
}

// Usage error: an option was given that a run, described by some words, does not read.
static void check_runs(const Options *o, const char *run) {
    char names[256];
    for (const Option *p = OPTIONS; p < OPTIONS + N_OPTIONS; p++) {
        find_readers(p, names);
        stop_if(o->given >> (p - OPTIONS) & 1 && *names && !lists(names, run), 2,
                "%s: for %s; this run is %s", p->name, names, run);
    }
}

// Prints rows as text, with an empty line between them.
static void print_rows(const Tokenizer *t, const Batch *b) {
    for (int r = 0; r < b->n_rows; r++) {
        if (r > 0) { putchar('\n'); }
        print_tokens(t, b->token + b->row[r], b->row[r + 1] - b->row[r], stdout);
        putchar('\n');
    }
}

// Returns a row of the start token and a text, and sets *n to its length. Errors: it has more than
// `max` tokens, or spells out the end-of-text token.
static int *encode_row(const Tokenizer *t, const char *text, int max, int *n) {
    int *id = alloc(strlen(text) + 1, sizeof(int), "the text");
    stop_if(has_marker(t, text), 1, "the text spells out the end-of-text token; leave it out");
    id[0] = t->eot;
    *n = 1 + encode(t, text, (int)strlen(text), id + 1);
    stop_if(*n > max, 1,
            "the text: %d tokens, with the start token; the model has room for %d", *n, max);
    return id;
}

// Prints o->n continuations of o->prompt.
static void print_samples(const GPT *g, const Tokenizer *t, const Options *o) {
    int n, *prompt = encode_row(t, o->prompt, g->c.maxT - 1, &n);
    Sampling how = {.T = min_int(g->c.maxT, n + o->max_len), .eot = t->eot, .top_k = o->top_k,
                    .temperature = o->temperature, .seed = o->seed, .stream = SAMPLE_STREAM};
    Acts s = sampler_new(g->c, o->n, how.T);
    Batch start = batch_new(1, n, 1), out = batch_new(o->n, (uint64_t)o->n * how.T, 1);
    batch_add(&start, prompt, n, n);
    rollout(g, &s, &start, o->n, &how, &out);
    print_rows(t, &out);
}

// Reads the model and the tokenizer that it was trained with.
static GPT load_with_tokenizer(const Options *o, Tokenizer *t) {
    GPT g = policy_load(o->model);
    stories_load(o->data, t, NULL, NULL);
    check_tokenizer(o->model, &g, o->data, t);
    return g;
}

static void command_sample(Options *o) {
    Tokenizer t;
    GPT g = load_with_tokenizer(o, &t);
    print_samples(&g, &t, o);
}

// Returns the shape that -L, -H, -C and -T ask for.
static Config shape(const Options *o, int V) {
    stop_if(o->C % o->NH, 2,
            "-C %d is not a multiple of -H %d: heads share the channels evenly", o->C, o->NH);
    return (Config){o->T, V, o->L, o->NH, o->C, V};
}

// Trains a reference policy: the bandit's, or a model of stories.
static void command_sft(Options *o) {
    stop_if(o->task && strcasecmp(o->task, "bandit"), 2, "--task: sft knows only 'bandit'");
    check_runs(o, o->task ? "bandit" : "stories");
    stop_if(o->task && (o->steps || o->batch || o->lr > 0 || o->log), 2,
            "--steps, --batch, --lr and --log: for sft on stories, not on the bandit");
    output_check(o->out);
    if (o->task) {
        GPT bandit = bandit_reference(o->len, o->seed);
        gpt_save(&bandit, o->out);
        return;
    }
    o->steps = o->steps ? o->steps : 6000;
    o->batch = o->batch ? o->batch : 16;
    o->lr = o->lr > 0 ? o->lr : 0.004;
    Tokenizer t;
    Batch stories, val;
    stories_load(o->data, &t, &stories, &val);
    GPT g = gpt_new(shape(o, t.V), 0, 1);
    // Weights start wider than GPT-2's, which has six times the channels. Embeddings start wider
    // still, so that attention can tell one name from another from the beginning.
    for (int i = 0; i < N_TENSORS; i++) { g.tensor[i].std *= i == WTE ? 5 : 3; }
    g.tokenizer = t.print;
    gpt_init(&g, o->seed);
    int n_cut = 0, *row = stories.row;
    for (int r = 0; r < stories.n_rows; r++) { n_cut += row[r + 1] - row[r] > o->T; }
    printf("%d stories to train on, %d to validate, %d longer than the context of %d\n",
           stories.n_rows, val.n_rows, n_cut, o->T);
    Trainer trainer = trainer_new("sft", &g, loss_tokens, 1, o);
    trainer.out = o->out;
    fit(&trainer, &stories, &val);
    printf("\na sample:\n");
    print_samples(&g, &t, o);
    printf("\nmore: ./pref sample -m %s -p \"Once upon a time\"\n", o->out);
}

// --- pairs and reward models ---------------------------------------------------------------------

// Returns a run with the model of -m on the task of --task. Usage error: that is not of stories.
static Run story_run(const Options *o) {
    const Task *task = &TASKS[find("task", o->task, TASKS, N_TASKS, sizeof *TASKS)];
    stop_if(task->is_bandit, 2, "--task %s: expected a task of stories", o->task);
    Run run = {.o = o, .policy = policy_load(o->model)};
    run.world = world_new(task, o, &run.policy);
    return run;
}

// Cuts a response of n tokens to a length drawn from an exponential distribution with mean 15, if
// that is shorter: end-of-text takes the place of its last token. Returns its length, at least 1.
static int truncate_response(int *y, int n, int eot, Rng *r) {
    double drawn = ceil(-15 * log(1 - rng_uniform(r)));
    n = drawn < n ? (int)fmax(drawn, 1) : n;
    y[n - 1] = eot;
    return n;
}

// Sets `pair` and text (two responses and the prompt, which the caller frees) to the first two
// responses of a group, from row `first` on, that are complete and valid, encoded again from their
// text, since that is what the file holds. Returns whether their true rewards differ.
static int draw_pair(const World *w, const Batch *b, int first, Rng *r, Batch *pair, char **text) {
    int begin = b->row[first];
    char *prompt = text[2] = tokens_text(&w->t, b->token + begin, b->start[first] - begin);
    batch_clear(pair);
    text[0] = text[1] = NULL;
    for (int i = first; i < first + b->group && pair->n_rows < 2 && utf8_valid(prompt); i++) {
        int *y = b->token + b->start[i], n = response_length(b, i), k = pair->n_rows;
        if (y[n - 1] != w->t.eot) { continue; }
        if (w->task->truncates) { n = truncate_response(y, n, w->t.eot, r); }
        free(text[k]);
        text[k] = tokens_text(&w->t, y, n);
        if (n <= w->longest && utf8_valid(text[k])) { batch_add_text(pair, w, prompt, text[k]); }
    }
    gold_rewards(w, pair);
    return pair->n_rows == 2 && pair->reward[0] != pair->reward[1];
}

// Writes a pair as a line. With noise, the better one wins with probability sigmoid(gap / noise).
static void write_pair(FILE *f, const Batch *pair, char *text[3], double noise, Rng *r) {
    double gap = pair->reward[0] - pair->reward[1];
    int won = noise > 0 ? rng_uniform(r) >= exp(log_sigmoid(gap / noise)) : gap < 0;
    const char *field[] = {text[2], text[won], text[!won]};
    for (int k = 0; k < 3; k++) { write_field(f, field[k], '\t'); }
    fprintf(f, "%.6g\t%.6g\n", pair->reward[won], pair->reward[!won]);
}

// Writes pairs of responses to training prompts, labelled by their true rewards.
static void command_pairs(Options *o) {
    enum { PROMPTS = 64 };  // at a time
    Run run = story_run(o);
    const World *w = &run.world;
    int each = 4, n_rows = PROMPTS * each, n = 0;  // n: pairs so far
    run.sampler = sampler_new(run.policy.c, n_rows, w->T);
    run.prompts = batch_new(PROMPTS, PROMPTS * MAX_PROMPT, 1);
    Batch b = batch_new(n_rows, n_rows * w->T, each), pair = batch_new(2, 2 * w->T, 2);
    Output out = output_open(o->out, 0);
    fputs("prompt\tchosen\trejected\tscore_chosen\tscore_rejected\n", out.f);
    Rng r = rng_stream(o->seed, LABEL_STREAM, 0);
    for (int i = 0; n < o->n; i++) {
        stop_if(i >= 20 && n < i * PROMPTS / 100, 1, "%s: only %d of %d prompts gave a pair; the "
                "others' responses are cut, alike or not UTF-8", o->model, n, i * PROMPTS);
        sample_groups(&run, &run.policy, &w->train, PROMPTS, each, repeated(PAIRS_STREAM, i), &b);
        for (int first = 0; first < n_rows && n < o->n; first += each) {
            char *text[3];
            int differ = draw_pair(w, &b, first, &r, &pair, text);
            if (differ) { write_pair(out.f, &pair, text, o->label_noise, &r); }
            n += differ;
            for (int k = 0; k < 3; k++) { free(text[k]); }
        }
        progress("%d of %d pairs", n, o->n);
    }
    output_close(&out);
    progress("%s", "");
    printf("%d pairs in %s\n", n, o->out);
}

// Pairs determine only differences of scores. Brings the head to mean 0 and standard deviation 1
// over the reference's responses to the prompts of at most 512 pairs, one each.
static void standardise(GPT *rm, Acts *a, const GPT *ref, const Batch *pairs, const Sampling *how) {
    int n_rows = min_int(512, pairs->n_rows / 2), room = n_rows * how->T, n = 0;
    Acts sampler = sampler_new(ref->c, n_rows, how->T);
    Batch prompts = batch_new(n_rows, room, 1), b = batch_new(n_rows, room, 1);
    for (int row = 0; row < 2 * n_rows; row += 2) {
        int length = pairs->start[row] - pairs->row[row];
        batch_add(&prompts, pairs->token + pairs->row[row], length, length);
    }
    rollout(ref, &sampler, &prompts, 1, how, &b);
    gpt_forward(rm, a, &b, NULL, b.value);
    for (int i = 1; i <= n_rows; i++) {  // without those that were cut: see proxy_rewards
        if (b.token[b.row[i] - 1] == how->eot) { b.reward[n++] = (double)b.value[b.row[i] - 1]; }
    }
    if (n < 2) {
        note("the scores are not standardised: too few responses of the model are complete");
        return;
    }
    Moments m = moments(b.reward, n);
    real std = (real)(m.std + 1e-8), *bias = param(rm, HEADB, 0);
    for (int i = 0; i < rm->c.C; i++) { param(rm, HEADW, 0)[i] /= std; }
    *bias = (*bias - (real)m.mean) / std;
}

// Trains a reward model, the model with a scalar head, on nine tenths of the pairs of a file; the
// rest, drawn at random, shows how good it is.
static void command_rm(Options *o) {
    output_check(o->out);
    double begin = seconds(), right = 0;
    World w = {.task = NULL};
    GPT ref = load_with_tokenizer(o, &w.t), rm = gpt_copy(&ref, 1);
    w.T = ref.c.maxT;
    rm.role = REWARD_MODEL;
    Batch all = pairs_read(&w, o->pairs);
    int n_pairs = all.n_rows / 2, n_held = (n_pairs + 9) / 10;
    stop_if(n_pairs == 1, 1, "%s: one pair is not enough", o->pairs);
    Batch known = batch_new(all.n_rows, all.n_tokens, 2);
    Batch held = batch_new(2 * n_held, 2 * (uint64_t)n_held * w.T, 2);
    Deck deck = deck_new(n_pairs, o->seed, HELD_OUT_STREAM);
    for (int i = 0; i < n_pairs; i++) {
        batch_copy_group(i < n_pairs - n_held ? &known : &held, &all, deal(&deck), w.T);
    }
    Trainer t = trainer_new("rm", &rm, loss_bradley_terry, 2, o);
    t.uses_logp = 0;
    t.uses_value = 1;
    fit(&t, &known, &held);
    Sampling how = {.T = w.T, .eot = w.t.eot, .temperature = 1, .seed = o->seed,
                    .stream = SAMPLE_STREAM};
    standardise(&rm, &t.acts, &ref, &all, &how);
    gpt_forward(&rm, &t.acts, &held, NULL, held.value);
    for (const int *row = held.row; row < held.row + held.n_rows; row += 2) {
        real won = held.value[row[1] - 1], lost = held.value[row[2] - 1];
        right += won > lost ? 1 : won < lost ? 0 : 0.5;
    }
    printf("%d pairs to train on, %d held out; %d steps in %.1f s\n", n_pairs - n_held, n_held,
           o->steps, seconds() - begin);
    printf("accuracy on the held-out pairs %.4f\n", right / n_held);
    gpt_save(&rm, o->out);
}

// --- tune ----------------------------------------------------------------------------------------

// Reads the reward model of --rm, if there is one, to score n_rows rows at a time.
static void load_reward_model(Run *run, int n_rows) {
    const char *path = run->o->rm;
    if (!path) { return; }
    run->rm = gpt_load(path);
    check_tokenizer(path, &run->rm, run->o->data, &run->world.t);
    int has = run->rm.c.maxT, T = run->world.T;
    stop_if(has != T, 1, "%s has a context of %d, %s one of %d", path, has, run->o->model, T);
    stop_if(!run->rm.has_head || (run->rm.role && run->rm.role != REWARD_MODEL), 1,
            "%s: not a reward model but a policy; pref rm trains one", path);
    run->rm_acts = acts_new(&run->rm, n_rows, T, 0);
}

// Sets the options that were not given. Usage error: options that are not read, or contradictory.
static void resolve_defaults(Options *o, const Method *m, const Task *task, int baseline) {
    int bandit = task->is_bandit, fixed = 1;  // fixed: whether data are collected only once
    char run[128];
#ifdef ON_POLICY
    fixed = 0;
    const char *build = "pref_onpolicy", *unfit = "no", *meant = "fixed data";
    stop_if(o->pairs != NULL, 2, "--pairs is fixed data: use ./pref, or --rm without --pairs");
#else
    const char *build = "pref", *unfit = "yes", *meant = "fresh samples of the policy";
#endif
    snprintf(run, sizeof run, "%s on %s with %s by %s and baseline %s", m->name,
             bandit ? "bandit" : "stories", o->pairs ? "pairs" : "samples", build,
             BASELINES[baseline]);
    check_runs(o, run);
    stop_if(baseline == VALUE_BASELINE && !m->loss_with_values, 2, "--baseline value: for ppo");
    stop_if(!bandit && !o->rm && !o->pairs, 2, "stories need --rm FILE or --pairs FILE");
    stop_if(!bandit && !o->model, 2, "-m MODEL is needed; see " PROGRAM " help tune");
    stop_if(o->steps && o->queries, 2, "--steps and --queries exclude each other");
    o->batch = o->batch ? o->batch : bandit ? 10 : o->pairs ? 32 : 8;
    o->n = o->n ? o->n : bandit ? 10 : o->pairs ? 2 : 8;
    o->beta = o->beta > 0 ? o->beta : m->beta;
    o->collect = o->collect ? o->collect : o->batch;
    if (o->queries) {
        double steps = floor((double)o->queries * o->reuse / ((double)o->batch * o->n));
        stop_if(steps < 1 || steps > 1e8, 2, "--queries makes %.0f steps", steps);
        o->steps = (int)steps;
    }
    o->steps = o->steps ? o->steps : bandit ? 200 : 100;
    if (!o->eval_every) { o->eval_every = o->steps < 20 ? 1 : o->steps / 20; }
    stop_if(o->collect % o->batch, 2, "--collect must be a multiple of --batch");
    stop_if(o->n > 1024, 2, "-n: at most 1024 responses to a prompt");
    stop_if(m->needs_pairs && o->n < 2, 2, "pairs need two responses: -n 2 at least");
    fixed |= (double)o->collect * o->reuse >= (double)o->steps * o->batch;
    stop_if(o->kl > 0 && fixed, 2, "--kl: the penalty is 0 if all data are the reference's");
    stop_if(o->kl > 0 && m->ignores_rewards, 2, "--kl: for methods that read rewards, not sft");
    // one rate for all methods: to Adam it is a step's size, so runs differ in the directions alone
    o->lr = o->lr > 0 ? o->lr : bandit ? 1e-3 : 1e-4;
    if (!strcmp(m->on_policy, unfit)) { note("%s is meant for %s", m->name, meant); }
    int compares = baseline == LEAVE_ONE_OUT || baseline == GROUP_BASELINE;
    if (o->n == 1 && compares && m->reads && lists(m->reads, "--baseline")) {
        note("-n 1 leaves nothing to compare with, so all advantages are 0");
    }
}

// Sets up a run, and in *o, which the run keeps, the options that were not given.
static void run_init(Run *run, Options *o) {
    const Method *m = &METHODS[find("method", o->method, METHODS, N_METHODS, sizeof *METHODS)];
    const Task *task = &TASKS[find("task", o->task, TASKS, N_TASKS, sizeof *TASKS)];
    int baseline = find("baseline", o->baseline, BASELINES, 4, sizeof *BASELINES);
    *run = (Run){.o = o, .method = m, .baseline = baseline};
    resolve_defaults(o, m, task, baseline);
    output_check(o->out);
    run->ref = o->model ? policy_load(o->model) : bandit_reference(o->len, o->seed);
    run->world = world_new(task, o, &run->ref);
    int T = run->world.T, values = baseline == VALUE_BASELINE;
    int n_eval = task->is_bandit ? EVAL_BANDIT : EVAL_STORIES;
    load_reward_model(run, o->batch * o->n);
    if (o->pairs) { run->data = pairs_read(&run->world, o->pairs); }
    run->policy = gpt_copy(&run->ref, values);
    Loss loss = values ? m->loss_with_values : m->loss;
    run->trainer = trainer_new(m->name, &run->policy, loss, o->n, o);
    run->trainer.uses_value = values;
    run->trainer.needs_pairs = m->needs_pairs;
    run->trainer.neg = o->neg;
    run->eval = batch_new(n_eval, n_eval * T, 1);
    run->probe = batch_new(4 * PROBE_PAIRS, 4 * PROBE_PAIRS * T, 2);
    run->train_probe = batch_new(2 * PROBE_PAIRS, 2 * PROBE_PAIRS * T, 2);
    run->trainer.log = csv_open(o->log, LOG_HEADER);
}

// Tunes a policy, and shows what the reference and the policy make of the same three prompts.
static void command_tune(Options *o) {
    Run run;
    run_init(&run, o);
    tune(&run);
    for (int k = 0; k < 2 && !run.world.task->is_bandit; k++) {
        const GPT *g = k ? &run.policy : &run.ref;
        printf(k ? "\nafter:\n" : "\nbefore:\n");
        sample_groups(&run, g, &run.world.val, 3, 1, EXAMPLE_STREAM, &run.eval);
        print_rows(&run.world.t, &run.eval);
    }
}

// Prints an option, with its default unless that is none, 0 or empty.
static void print_option(const Option *p, const Options *defaults) {
    const char *field = (const char *)defaults + p->at;
    const char *text = p->type == 's' ? *(const char *const *)field : NULL;
    char names[256];
    printf("  %s %-*s %s", p->name, 17 - (int)strlen(p->name), p->value, p->help);
    if (text && *text) { printf(" (%s)", text); }
    if (p->type == 'i' && *(const int *)field) { printf(" (%d)", *(const int *)field); }
    if (p->type == 'd' && *(const double *)field > 0) { printf(" (%g)", *(const double *)field); }
    find_readers(p, names);
    printf(*names ? " [%s]\n" : "\n", names);
}

static void command_help(Options *o);
#define STORIES "tinystories_tok.bin"
typedef struct {
    const char *name;
    void (*run)(Options *);
    const char *help, *needs;  // needs: the options that must be given
    Options defaults;
} Command;

static const Command COMMANDS[] = {
#ifdef MORE_COMMANDS
    MORE_COMMANDS
#endif
#ifndef MEASURE
    {"sft", command_sft, "train a model on stories, the reference policy", "",
     {.out = "sft.bin", .data = STORIES, .L = 1, .NH = 8, .C = 128, .T = 128, .len = BANDIT_LEN,
      .prompt = "", .n = 1, .temperature = 1, .max_len = 65536, .seed = 1}},
    {"sample", command_sample, "continue a text", "-m",
     {.data = STORIES, .prompt = "", .n = 3, .temperature = 1, .max_len = 65536, .seed = 1}},
    {"pairs", command_pairs, "write preference pairs, sampled and labelled by a task's truth",
     "-m --task -o", {.data = STORIES, .n = 2000, .seed = 1}},
    {"rm", command_rm, "train a reward model on pairs", "-m --pairs -o",
     {.data = STORIES, .steps = 300, .batch = 32, .lr = 0.003, .seed = 1}},
    {"tune", command_tune, "preference fine-tuning; without -m the bandit trains its reference",
     "--method --task", {.data = STORIES, .tau = 0.05, .clip = 0.2, .baseline = "group",
      .gae = 0.95, .neg = 1, .len = BANDIT_LEN, .reuse = 1, .seed = 1}},
#endif
    {"help", command_help, "this; " PROGRAM " help COMMAND shows its options", "", {0}},
};
enum { N_COMMANDS = sizeof COMMANDS / sizeof *COMMANDS };

// Prints all commands; or one, with its options, and for tune the tasks and methods.
static void command_help(Options *o) {
    if (!o->file) {
        printf("pref.c: preference fine-tuning of a small language model\n\n");
        for (const Command *c = COMMANDS; c < COMMANDS + N_COMMANDS; c++) {
            printf("  " PROGRAM " %-8s %s\n", c->name, c->help);
        }
        printf("\nStart with: ./pref sft, then ./pref sample -m sft.bin -p \"Once upon a time\"\n");
        return;
    }
    const Command *c = &COMMANDS[find("command", o->file, COMMANDS, N_COMMANDS, sizeof *COMMANDS)];
    printf(PROGRAM " %s: %s\n", c->name, c->help);
    if (*c->needs) { printf("  needed: %s\n", c->needs); }
    for (const Option *p = OPTIONS; p < OPTIONS + N_OPTIONS; p++) {
        if (lists(p->commands, c->name)) { print_option(p, &c->defaults); }
    }
    if (!strcmp(c->name, "sft")) { printf("defaults: --steps 6000 --batch 16 --lr 0.004\n"); }
    if (strcmp(c->name, "tune")) { return; }
    printf("defaults: --steps 200 --batch 10 -n 10 --lr 1e-3; for stories --steps 100 --batch 8\n"
           "-n 8 --lr 1e-4; with --pairs --batch 32; --eval-every a twentieth\n");
    printf("\ntasks\n");
    for (int i = 0; i < N_TASKS; i++) { printf("  %-10s %s\n", TASKS[i].name, TASKS[i].help); }
    printf("\n%-68s%-10s%-7s%s\n", "methods", "on-policy", "reuse", "negative gradient");
    for (const Method *m = METHODS; m < METHODS + N_METHODS; m++) {
        printf("  %-10s %-54s %-9s %-6s %s\n", m->name, m->help, m->on_policy, m->reuse,
               m->negative);
    }
}

// Returns whether two paths name one file. One that does not exist yet is known by its folder and
// its name.
static int same_file(const char *a, const char *b) {
    const char *path[] = {a, b}, *name[] = {"", ""};
    struct stat s[2];
    for (int k = 0; k < 2; k++) {
        int missing = stat(path[k], &s[k]);
        const char *slash = strrchr(path[k], '/');
        char folder[PATH_MAX + 1];
        if (missing) { name[k] = slash ? slash + 1 : path[k]; }
        int n = missing ? (int)(name[k] - path[k]) : 0;
        snprintf(folder, sizeof folder, "%.*s.", n, path[k]);
        if (missing ? stat(folder, &s[k]) : !S_ISREG(s[k].st_mode)) { return 0; }
    }
    return s[0].st_ino == s[1].st_ino && s[0].st_dev == s[1].st_dev && !strcmp(name[0], name[1]);
}

// Usage error: a file that would be written is also read, or written twice.
static void check_files(const Options *o) {
    const char *path[] = {o->out, o->log, o->model, o->ref, o->rm, o->pairs, o->data, o->ids};
    const char *option[] = {"-o", "--log", "-m", "--ref", "--rm", "--pairs", "--data", "--ids"};
    for (int i = 0; i < 2; i++) {
        for (int k = i + 1; k < 8; k++) {
            stop_if(path[i] && path[k] && same_file(path[i], path[k]), 2,
                    "%s and %s name the same file, %s", option[i], option[k], path[i]);
        }
    }
}

// Keeps standard output from being taken for a file, catches signals, bounds the threads.
static void start_process(void) {
    int fd = 0;  // if standard output were closed, the next file to be opened would take its place
    while (fd >= 0 && fd <= STDERR_FILENO) { fd = open("/dev/null", O_RDONLY); }
    close(fd);
    const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    const struct sigaction action = {.sa_handler = on_signal};
    for (int i = 0; i < 4; i++) {
        struct sigaction old;  // what nohup ignores stays ignored
        int ignored = sigaction(signals[i], NULL, &old) || old.sa_handler == SIG_IGN;
        if (!ignored) { sigaction(signals[i], &action, NULL); }
    }
#ifdef _OPENMP
    omp_set_num_threads(min_int(threads(), 256));  // OpenMP ends the program if it cannot have them
#endif
}

// Runs the command argv[1] with the options that follow.
static void run_command(int argc, char **argv) {
    start_process();
    const char *name = argc > 1 ? argv[1] : "help", *topic = NULL;
    for (int a = 1; a < argc; a++) {
        if (!strcmp(argv[a], "-h") || !strcmp(argv[a], "--help")) {
            topic = a > 1 ? argv[1] : NULL;  // "pref tune --help" is "pref help tune"
            name = "help";
            argc = 0;
        }
    }
    const Command *c = &COMMANDS[find("command", name, COMMANDS, N_COMMANDS, sizeof *COMMANDS)];
    Options o = c->defaults;
    o.file = topic;
    options_parse(&o, c->name, argc > 2 ? argc - 2 : 0, argv + 2);
    for (const Option *p = OPTIONS; p < OPTIONS + N_OPTIONS; p++) {
        stop_if(lists(c->needs, p->name) && !(o.given >> (p - OPTIONS) & 1), 2,
                "%s %s is needed; see " PROGRAM " help %s", p->name, p->value, c->name);
    }
    check_files(&o);
    c->run(&o);
    stop_if(fflush(stdout) != 0 || ferror(stdout), 1, "standard output: cannot write it");
}

#ifndef TESTING
int main(int argc, char **argv) {
#ifdef _OPENMP
    // Waiting threads spin by default, and on a busy machine take the time of those that work. How
    // long they spin is read before main, so a program that knows its own path starts itself again.
    int is_set = getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT") || getenv("KMP_BLOCKTIME");
    if (argc > 0 && strchr(argv[0], '/') && !is_set) {
        setenv("GOMP_SPINCOUNT", "10000", 1);  // for gcc: some 20 microseconds
        setenv("KMP_BLOCKTIME", "0", 1);       // for clang
        execv(argv[0], argv);  // if this fails, the program goes on as it is
    }
#endif
    run_command(argc, argv);
    return 0;
}
#endif
