/*
pref.c: preference fine-tuning of a small language model, in one C file.

A minimal reimplementation of "Preference Fine-Tuning of LLMs Should Leverage Suboptimal, On-Policy
Data" (Tajwar et al., ICML 2024). The one idea to keep in mind while reading:

    Every method is a weight on each token's log-likelihood. With logp[i] = log p(token i | before),
    any loss L has the gradient  sum_i dlogp[i] * grad logp[i],  where dlogp = dL/dlogp.

So a loss is a small function from log-probabilities to dlogp, the network has one backward pass
that takes dlogp, and dlogp > 0 ("push this token down") is the paper's negative gradient.

Sections, in reading order; nothing calls a later one:
     1 utilities             errors, files, random numbers, exp
     2 matrix multiply       the one routine that does nearly all of the arithmetic
     3 layers                forward and backward in pairs
     4 the GPT               parameters, activations, one forward and one backward pass
     5 optimizer, checkpoints
     6 tokenizer, stories
     7 sampler               many rows at once, with a key/value cache
     8 tasks and rewards
     9 losses                each a short function that writes dlogp, and the table of methods
    10 the training loop     sampled data or fixed data: #ifdef ON_POLICY
    11 commands              the option table and what the user types

Build: make, or  cc -O3 pref.c -lm -o pref.  Then ./pref help.
*/
#define _POSIX_C_SOURCE 200809L
#define _DARWIN_C_SOURCE  // without it macOS hides what POSIX does not name, as _SC_PHYS_PAGES
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
#define PROGRAM "pref"
#endif
#ifndef REAL
#define REAL float  // the tests also build with double, for exact finite differences
#endif
typedef REAL real;

// ==== 1  Utilities ===============================================================================

// The temporary files that exist at the moment; an empty name is a free place.
enum { TEMPORARIES = 4, NAME_BYTES = PATH_MAX + 32 };
static char temporary[TEMPORARIES][NAME_BYTES];

static void remove_temporaries(void) {
    for (int i = 0; i < TEMPORARIES; i++) {
        if (temporary[i][0]) { unlink(temporary[i]); }
    }
}

// A signal ends the program at once, without leaving a temporary file; but while a model is trained
// the first one is only noted, and the training loop ends after its step (see end_early).
static volatile sig_atomic_t training, interrupted;

static void on_signal(int number) {
    if (!training || interrupted) {
        remove_temporaries();
        _exit(128 + number);
    }
    interrupted = number;
}

// One line on stderr. On a terminal it takes the place of a line that progress() has drawn.
static void print_line(const char *before, const char *format, va_list args) {
    fflush(stdout);
    fprintf(stderr, "%s%s", isatty(STDERR_FILENO) ? "\r\033[K" : "", before);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
}

// Print one line on stderr and end the program: status 1 for what went wrong, 2 for wrong usage.
static _Noreturn void stop(int status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    print_line(PROGRAM ": ", format, args);
    va_end(args);
    remove_temporaries();
    exit(status);
}

// Print one line on stderr about something that is not an error, but that the user should know.
static void note(const char *format, ...) {
    va_list args;
    va_start(args, format);
    print_line("note: ", format, args);
    va_end(args);
}

// count * size zeroed bytes, on a cache line's edge: each at another place in its page, as what is
// walked together must not crowd the same part of the cache. Error: more, in all, than the machine
// has; the kernel would promise it and kill us later. Nothing is freed before the end; each block
// begins with the address of the one before, so that none looks lost.
static void *alloc(uint64_t count, size_t size, const char *what) {
    static void *last;
    static double need;
    static size_t n_blocks;
    double have = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    size_t skip = 128 + n_blocks++ * 5 % 61 * 64;
    need += (double)count * (double)size;  // as a double: on 32 bits the product can wrap
    int fits = need <= have && (need < 1u << 31 || sizeof(size_t) > 4);
    void **block = fits ? calloc((size_t)count * size + skip, 1) : NULL;
    if (!block) {
        stop(1, "%s: needs %.0f MB of memory; the machine has %.0f", what, need / 1e6, have / 1e6);
    }
    *block = last;
    last = block;
    return (char *)block + skip - (uintptr_t)block % 64;
}

static double seconds(void) {  // since some fixed moment
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int min_int(int a, int b) { return a < b ? a : b; }

// The first of n things that worker i of `workers` takes, when they are shared out evenly.
static int share(int n, int i, int workers) { return (int)((long long)n * i / workers); }

// A line that is drawn over itself while something long runs; on a terminal only.
static void progress(const char *format, ...) {
    if (!isatty(STDERR_FILENO)) { return; }
    va_list args;
    va_start(args, format);
    fputs("\r\033[K", stderr);
    vfprintf(stderr, format, args);
    fflush(stderr);
    va_end(args);
}

// What the user can set; the table of options at the end says what each is.
typedef struct Options {
    const char *file;  // the one argument that is not an option
    const char *model, *ref, *rm, *pairs, *out, *data, *log, *hist, *prompt, *text, *ids, *count;
    const char *task, *method, *baseline;
    int steps, batch, L, NH, C, V, T, n, top_k, max_len, seed, collect, reuse, queries, len;
    int eval_every, ipo_mean;
    double lr, temperature, beta, tau, kl, clip, neg, gae, label_noise;
} Options;

// --- files ---------------------------------------------------------------------------------------

typedef struct {
    FILE *f;
    const char *path;
    size_t size;  // bytes; what a header promises is checked against it before memory is asked for
} Input;

// A file to read from its beginning. Anything but a regular file is an error.
static Input input_open(const char *path) {
    struct stat s = {0};
    int found = stat(path, &s) == 0;  // opening a pipe would wait for its writer
    if (found && !S_ISREG(s.st_mode)) { stop(1, "%s: not a regular file", path); }
    Input in = {found ? fopen(path, "rb") : NULL, path, (size_t)s.st_size};
    if (!in.f) { stop(1, "%s: cannot open it: %s", path, strerror(errno)); }
    return in;
}

// The next `count` things of `size` bytes each; fewer are an error.
static void input_read(Input *in, void *to, size_t count, size_t size) {
    if (fread(to, size, count, in->f) != count) {
        stop(1, "%s: ends too early (%zu bytes)", in->path, in->size);
    }
}

// A file is written beside its place, under a name of its own, and renamed over it, so that a
// reader never sees half of one, and two programs never write the same one. Anything but a regular
// file (/dev/null, /dev/stdout) is written in place, and so is a log, which people like to watch.
typedef struct {
    FILE *f;
    const char *path;
    char *temp;  // the temporary file's name; NULL for a file that is written in place
} Output;

// Error: the file cannot be written.
static Output output_open(const char *path) {
    Output out = {NULL, path, NULL};
    struct stat s;
    if (lstat(path, &s) == 0 && !S_ISREG(s.st_mode)) {
        out.f = fopen(path, "wb");
    } else {
        int place = 0;
        while (place < TEMPORARIES - 1 && temporary[place][0]) { place++; }
        char name[NAME_BYTES];
        sigset_t all, before;  // a signal waits until the file that it would remove is known
        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, &before);
        for (int k = 0; !out.f && k < 1000; k++) {  // "x": only if no other program has that name
            snprintf(name, sizeof name, "%s.%ld.tmp", path, (long)getpid() + k);
            out.f = fopen(name, "wbx");
            if (!out.f && errno != EEXIST) { break; }
        }
        if (out.f) { out.temp = strcpy(temporary[place], name); }
        int why = errno;
        sigprocmask(SIG_SETMASK, &before, NULL);
        errno = why;
    }
    if (!out.f) { stop(1, "%s: cannot write it: %s", path, strerror(errno)); }
    return out;
}

// A CSV that begins with this header and arrives line by line; no file if path is NULL. Errors: it
// cannot be written, or another program is writing it.
static Output csv_open(const char *path, const char *header) {
    Output out = {NULL, path, NULL};
    if (!path) { return out; }
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0666);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fd >= 0 && fcntl(fd, F_SETLK, &lock) < 0 && (errno == EAGAIN || errno == EACCES)) {
        stop(1, "%s: another program is writing it", path);
    }
    struct stat s;
    int emptied = fd >= 0 && (fstat(fd, &s) || !S_ISREG(s.st_mode) || ftruncate(fd, 0) == 0);
    out.f = emptied ? fdopen(fd, "ab") : NULL;
    if (!out.f) { stop(1, "%s: cannot write it: %s", path, strerror(errno)); }
    setvbuf(out.f, NULL, _IOLBF, 1 << 13);
    fputs(header, out.f);
    return out;
}

// Error: what was written did not all arrive; nothing then stands at the file's place.
static void output_close(Output *out) {
    if (!out->f) { return; }
    int bad = ferror(out->f);
    errno = 0;  // an earlier error has left no number
    if (fclose(out->f) != 0 || bad || (out->temp && rename(out->temp, out->path) != 0)) {
        stop(1, "%s: cannot write it: %s", out->path, strerror(errno ? errno : EIO));
    }
    if (out->temp) { out->temp[0] = 0; }
}

// Say so at once, not after a minute of training, if `path` (NULL: nothing to do) is not writable.
static void output_check(const char *path) {
    if (path) {
        Output out = output_open(path);
        fclose(out.f);
        if (out.temp) {
            unlink(out.temp);
            out.temp[0] = 0;
        }
    }
}

// --- random numbers ------------------------------------------------------------------------------

// splitmix64 (Steele, Lea, Flood 2014): a counter passed through a mixing function. Any two
// counters give unrelated streams, so every row that is sampled gets its own: results then do not
// depend on the order or the thread in which rows are drawn.
typedef uint64_t Rng;

static uint64_t rng_next(Rng *r) {
    uint64_t z = *r += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// The stream number `index` of those that `seed` and `purpose` (any two numbers) name.
static Rng rng_stream(int seed, uint64_t purpose, uint64_t index) {
    Rng r = (Rng)seed;
    r = rng_next(&r) + purpose;
    r = rng_next(&r) + index;
    return rng_next(&r);
}

// Uniform in [0, 1); a whole number 0 .. n-1; normal (Box and Muller).
static double rng_uniform(Rng *r) { return (double)(rng_next(r) >> 11) * 0x1p-53; }
static int rng_below(Rng *r, int n) { return (int)(rng_uniform(r) * n); }
static double rng_normal(Rng *r) {
    double radius = sqrt(-2 * log(1 - rng_uniform(r)));
    return radius * cos(6.283185307179586 * rng_uniform(r));
}

// The numbers 0 .. n-1 in a random order, a new one each time all have been dealt.
typedef struct {
    int n, next, *number, seed;
    uint64_t purpose, pass;
} Deck;

// Begin again, with n numbers (no more than there were), and the next pass's random stream.
static void deck_restart(Deck *d, int n) {
    for (int i = 0; i < n; i++) { d->number[i] = i; }
    d->next = d->n = n;
}

static Deck deck_new(int n, int seed, uint64_t purpose) {
    Deck d = {n, n, alloc(n, sizeof(int), "an order"), seed, purpose, 0};
    deck_restart(&d, n);
    return d;
}

static int deal(Deck *d) {
    if (d->next == d->n) {
        Rng r = rng_stream(d->seed, d->purpose, d->pass++);
        for (int i = d->n - 1; i > 0; i--) {  // Fisher and Yates
            int j = rng_below(&r, i + 1), t = d->number[i];
            d->number[i] = d->number[j];
            d->number[j] = t;
        }
        d->next = 0;
    }
    return d->number[d->next++];
}

// --- arithmetic ----------------------------------------------------------------------------------

// As many numbers as one instruction handles, in the compilers' portable notation. Compilers may
// not reorder a sum of floats, so they leave a plain loop over one scalar sum slow; a vector of
// partial sums says the order outright, and so gives the same bits everywhere it is used.
#if defined __AVX512F__
#define VECTOR_BYTES 64
#elif defined __AVX__
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif
enum { LANES = VECTOR_BYTES / sizeof(real) };
typedef real vec __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));

#ifdef __clang__  // which would otherwise split 512-bit vectors in two
#define FULL_WIDTH __attribute__((min_vector_width(512)))
#else
#define FULL_WIDTH
#endif

// sum of a[i] * b[i] * c[i]; b or c may be NULL, for ones
FULL_WIDTH static inline real sum_product(const real *a, const real *b, const real *c, int n) {
    vec s[2] = {{0}, {0}};
    int i = 0;
    for (int j = 0; i + LANES <= n; i += LANES, j = !j) {
        vec x = *(const vec *)(a + i);
        if (b) { x *= *(const vec *)(b + i); }
        if (c) { x *= *(const vec *)(c + i); }
        s[j] += x;  // two sums in turn, for one need not wait for the other
    }
    s[0] += s[1];
    real total = 0;
    for (int j = 0; j < LANES; j++) { total += s[0][j]; }
    for (; i < n; i++) { total += a[i] * (b ? b[i] : 1) * (c ? c[i] : 1); }
    return total;
}

static real sum(const real *a, int n) { return sum_product(a, NULL, NULL, n); }
static real dot(const real *a, const real *b, int n) { return sum_product(a, b, NULL, n); }

// The largest of n >= 1 numbers, by 16 partial ones for the same reason.
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

// Mean and standard deviation (n - 1 in the denominator; 0 for one) of n numbers.
typedef struct { double mean, std; } Moments;

static Moments moments(const double *x, int n) {
    double mean = 0, squares = 0;
    for (int i = 0; i < n; i++) { mean += x[i] / n; }
    for (int i = 0; i < n; i++) { squares += (x[i] - mean) * (x[i] - mean); }
    return (Moments){mean, n > 1 ? sqrt(squares / (n - 1)) : 0};
}

// exp(x) to 2e-7 relative in float, in a form that compilers turn into vector instructions (libm's
// for double). x = n ln 2 + r with |r| <= ln 2 / 2: a polynomial gives e^r, and n is added to the
// exponent bits. Adding 1.5 * 2^23 rounds to an integer, which then stands in the low bits.
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

// A matrix as it lies in memory: element (i, j) at x[i * rs + j * cs]. The three products that a
// linear layer needs differ in nothing but strides.
typedef struct { real *x; size_t rs, cs; } Matrix;

static const Matrix NONE = {NULL, 0, 0};

// What is stored row by row; the transpose of that; what lies right of and below element (i, j).
static Matrix rows(const real *x, size_t stride) { return (Matrix){(real *)x, stride, 1}; }
static Matrix turned(const real *x, size_t stride) { return (Matrix){(real *)x, 1, stride}; }
static Matrix from(Matrix m, int i, int j) {
    return m.x ? (Matrix){m.x + i * m.rs + j * m.cs, m.rs, m.cs} : NONE;
}

// A tile of TILE_M x TILE_N sums fits the vector registers of the machine, with room to spare for
// what is multiplied. BLOCK_K x BLOCK_N numbers of b, or BLOCK_M rows of a, fit the nearest caches,
// and the former a thread's stack, which on some systems is as small as 128 KB.
enum { TILE_M = VECTOR_BYTES == 64 ? 8 : 4, TILE_N = 2 * LANES };
enum { BLOCK_K = 256, BLOCK_N = 32, BLOCK_M = 64 };

// Copy b (K, N) to panels (K, TILE_N), which a tile reads from first to last: packed_size(K, N)
// numbers. Past column N there are zeros; a last panel of few columns is LANES wide.
static void pack(real *panel, Matrix b, int K, int N) {
    for (int j = 0; j < N; j += TILE_N) {
        int n = min_int(N - j, TILE_N), width = n <= LANES ? LANES : TILE_N;
        for (int k = 0; k < K; k++, panel += width) {
            const real *x = from(b, k, j).x;
            if (b.cs == 1 && n == width) {
                memcpy(panel, x, n == TILE_N ? TILE_N * sizeof(real) : LANES * sizeof(real));
            } else {
                for (int i = 0; i < n; i++) { panel[i] = x[i * b.cs]; }
                for (int i = n; i < width; i++) { panel[i] = 0; }
            }
        }
    }
}

static size_t packed_size(int K, int N) { return (size_t)((N + TILE_N - 1) / TILE_N * TILE_N) * K; }

// One tile: c (m, n) = init + bias + a (m, K) panel (K, n), with m <= TILE_M and n <= width *
// LANES, the width a constant 1 or 2. Rows past m repeat the last one and are not stored, so each
// result takes the same steps wherever it stands.
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
    if (m == TILE_M && n == width * LANES) {
        for (int i = 0; i < TILE_M; i++) {
            for (int v = 0; v < width; v++) {
                if (init.x) { acc[i][v] += *(const vec *)(init.x + i * init.rs + v * LANES); }
                if (bias) { acc[i][v] += *(const vec *)(bias + v * LANES); }
                *(vec *)(c.x + i * c.rs + v * LANES) = acc[i][v];
            }
        }
        return;
    }
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

// Functions of their own, never inlined: their loops want all registers of the machine.
FULL_WIDTH __attribute__((noinline)) static void multiply_tile(
    Matrix c, Matrix init, const real *bias, Matrix a, const real *panel, int m, int n, int K) {
    tile(c, init, bias, a, panel, m, n, K, 2);
}

FULL_WIDTH __attribute__((noinline)) static void multiply_half_tile(
    Matrix c, Matrix init, const real *bias, Matrix a, const real *panel, int m, int n, int K) {
    tile(c, init, bias, a, panel, m, n, K, 1);
}

// c (M, N) = init + bias + a (M, K) b, with b (K, N) already packed. bias (N) or NULL is added to
// each row; init (M, N) may be NONE, or c itself to add to what is there.
static void multiply_packed(Matrix c, Matrix init, const real *bias, Matrix a, const real *packed,
                            int M, int N, int K) {
    for (int i0 = 0; i0 < M; i0 += BLOCK_M) {
        for (int j = 0; j < N; j += TILE_N) {
            for (int i = i0; i < M && i < i0 + BLOCK_M; i += TILE_M) {
                int m = min_int(M - i, TILE_M), n = min_int(N - j, TILE_N);
                Matrix ct = from(c, i, j), it = from(init, i, j), at = from(a, i, 0);
                const real *panel = packed + (size_t)j * K, *bt = bias ? bias + j : NULL;
                if (n <= LANES) {
                    multiply_half_tile(ct, it, bt, at, panel, m, n, K);
                } else {
                    multiply_tile(ct, it, bt, at, panel, m, n, K);
                }
            }
        }
    }
}

// c (M, N) = init + a (M, K) b (K, N), packing b block by block.
static void matmul(Matrix c, Matrix init, Matrix a, Matrix b, int M, int N, int K) {
    real packed[BLOCK_K * BLOCK_N] __attribute__((aligned(64)));
    for (int j = 0; j < N; j += BLOCK_N) {
        for (int k = 0; k < K; k += BLOCK_K) {
            int n = min_int(N - j, BLOCK_N), kn = min_int(K - k, BLOCK_K);
            Matrix before = from(k ? c : init, 0, j);
            pack(packed, from(b, k, j), kn, n);
            multiply_packed(from(c, 0, j), before, NULL, from(a, 0, k), packed, M, n, kn);
        }
    }
}

// ==== 3  Layers, forward and backward in pairs ===================================================
// N: tokens of all rows, C: channels, V: vocabulary. x_backward adds to the gradients of weights
// (d and their name) and, where said, of inputs. All this is one thread's: each has its own rows.

// y (N, OC) = init + x (N, C) w^T + bias, with w (OC, C) packed; init (N, OC) or bias may be NULL.
static void linear_forward(real *y, const real *init, const real *x, const real *packed,
                           const real *bias, int N, int C, int OC) {
    multiply_packed(rows(y, OC), init ? rows(init, OC) : NONE, bias, rows(x, C), packed, N, OC, C);
}

// dx (N, C) = dy w (overwritten), dw += dy^T x, dbias (NULL: none) += sum of dy over tokens.
static void linear_backward(real *dx, real *dw, real *dbias, const real *dy, const real *x,
                            const real *w, int N, int C, int OC) {
    matmul(rows(dw, C), rows(dw, C), turned(dy, OC), rows(x, C), OC, C, N);
    matmul(rows(dx, C), NONE, rows(dy, OC), rows(w, C), N, C, OC);
    for (int n = 0; n < N && dbias; n++, dy += OC) {
        for (int i = 0; i < OC; i++) { dbias[i] += dy[i]; }
    }
}

// y = w (x - mean) / std + b over a token's channels (Ba et al. 2016). stats (N, 2): mean, 1/std.
static void layernorm_forward(real *y, real *stats, const real *x, const real *w, const real *b,
                              int N, int C) {
    for (int n = 0; n < N; n++, x += C, y += C, stats += 2) {
        real m = sum(x, C) / (real)C;
        for (int i = 0; i < C; i++) { y[i] = x[i] - m; }
        real s = 1 / sqrt(dot(y, y, C) / (real)C + (real)1e-5);
        for (int i = 0; i < C; i++) { y[i] = y[i] * s * w[i] + b[i]; }
        stats[0] = m;
        stats[1] = s;
    }
}

// With xhat = (x - mean) / std and g = w dy:  dx += (g - mean(g) - xhat mean(g xhat)) / std;
// dw += sum of dy xhat, db += sum of dy.
static void layernorm_backward(real *dx, real *dw, real *db, const real *dy, const real *x,
                               const real *w, const real *stats, int N, int C) {
    for (int n = 0; n < N; n++, x += C, dx += C, dy += C, stats += 2) {
        real m = stats[0], s = stats[1], g = dot(w, dy, C), gx = sum_product(w, dy, x, C);
        real g_mean = g / (real)C, g_xhat = s * (gx - m * g) / (real)C;
        for (int i = 0; i < C; i++) {
            real xhat = (x[i] - m) * s;
            dx[i] += s * (w[i] * dy[i] - g_mean - xhat * g_xhat);
            dw[i] += dy[i] * xhat;
            db[i] += dy[i];
        }
    }
}

// gelu(x) = x (1 + tanh u) / 2 = x sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3): GPT-2's form.
static const real GELU_2K = (real)1.5957691216057308, GELU_CUBE = (real)0.044715;

static void gelu_forward(real *y, const real *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        y[i] = x[i] / (1 + fast_exp(-GELU_2K * x[i] * (1 + GELU_CUBE * x[i] * x[i])));
    }
}

// d (n) holds dy and becomes dx = dy (s + x s (1 - s) 2u'), s = sigmoid(2u).
static void gelu_backward(real *d, const real *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        real x2 = GELU_CUBE * x[i] * x[i], s = 1 / (1 + fast_exp(-GELU_2K * x[i] * (1 + x2)));
        d[i] *= s + x[i] * s * (1 - s) * GELU_2K * (1 + 3 * x2);
    }
}

// Causal self-attention within each row. Row r has T = row[r+1] - row[r] tokens; qkv (N, 3C) holds
// its queries, keys and values, heads side by side, hs = C / NH channels each. For each of these
//     prob (T, T) = softmax over s <= t of  q_t . k_s / sqrt(hs),      y_t = sum_s prob[t][s] v_s.
// prob keeps these matrices one after the other.
static void attention_forward(real *y, real *prob, const real *qkv, const int *row, int n_rows,
                              size_t C, int NH) {
    int hs = (int)C / NH;
    real scale = 1 / sqrt((real)hs);
    for (int r = 0; r < n_rows; r++) {
        int T = row[r + 1] - row[r];
        for (int h = 0; h < NH; h++) {
            const real *q = qkv + 3 * C * row[r] + h * hs, *k = q + C, *v = k + C;
            real *p = prob, *out = y + row[r] * C + h * hs;
            matmul(rows(prob, T), NONE, rows(q, 3 * C), turned(k, 3 * C), T, T, hs);
            for (int t = 0; t < T; t++, p += T) {
                real most = largest(p, t + 1);
                for (int s = 0; s <= t; s++) { p[s] = fast_exp(scale * (p[s] - most)); }
                real total = 1 / sum(p, t + 1);
                for (int s = 0; s < T; s++) { p[s] = s <= t ? p[s] * total : 0; }
            }
            matmul(rows(out, C), NONE, rows(prob, T), rows(v, 3 * C), T, hs, T);
            prob = p;
        }
    }
}

// dqkv (N, 3C) is overwritten; dp: scratch (T, T). Per row and head, with P = prob, dP = dy v^T:
//     dv = P^T dy,  dS = P (dP - rowsum(P dP)) / sqrt(hs),  dq = dS k,  dk = dS^T q.
static void attention_backward(real *dqkv, real *dp, const real *dy, const real *prob,
                               const real *qkv, const int *row, int n_rows, size_t C, int NH) {
    int hs = (int)C / NH;
    real scale = 1 / sqrt((real)hs);
    for (int r = 0; r < n_rows; r++) {
        int T = row[r + 1] - row[r];
        for (int h = 0; h < NH; h++) {
            size_t at = 3 * C * row[r] + h * hs;
            const real *q = qkv + at, *k = q + C, *v = k + C, *p = prob;
            const real *dout = dy + row[r] * C + h * hs;
            real *dq = dqkv + at, *dk = dq + C, *dv = dk + C, *ds = dp;
            matmul(rows(dv, 3 * C), NONE, turned(prob, T), rows(dout, C), T, hs, T);
            matmul(rows(dp, T), NONE, rows(dout, C), turned(v, 3 * C), T, T, hs);
            for (int t = 0; t < T; t++, p += T, ds += T) {
                real mean = dot(p, ds, t + 1);
                for (int s = 0; s < T; s++) { ds[s] = p[s] * (ds[s] - mean) * scale; }
            }
            matmul(rows(dq, 3 * C), NONE, rows(dp, T), rows(k, 3 * C), T, hs, T);
            matmul(rows(dk, 3 * C), NONE, turned(dp, T), rows(q, 3 * C), T, hs, T);
            prob = p;
        }
    }
}

// y (n) = sum over j < m of w[j] x[j], with row j of x at x + j * stride. Reads x up to a multiple
// of TILE_N numbers, past n. The sums of four rows in turn are kept apart: none waits for another.
FULL_WIDTH static void weighted_sum(real *y, const real *w, const real *x, size_t stride, int m,
                                    int n) {
    for (int i = 0; i < n; i += TILE_N) {
        vec s[4][2] = {{{0}}};
        const real *xj = x + i;
        int j = 0;
        for (; j + 4 <= m; j += 4) {
            for (int k = 0; k < 4; k++, xj += stride) {
                s[k][0] += w[j + k] * *(const vec *)xj;
                s[k][1] += w[j + k] * *(const vec *)(xj + LANES);
            }
        }
        for (; j < m; j++, xj += stride) {
            s[0][0] += w[j] * *(const vec *)xj;
            s[0][1] += w[j] * *(const vec *)(xj + LANES);
        }
        s[0][0] = (s[0][0] + s[1][0]) + (s[2][0] + s[3][0]);
        s[0][1] = (s[0][1] + s[1][1]) + (s[2][1] + s[3][1]);
        memcpy(y + i, s[0], min_int(n - i, TILE_N) * sizeof(real));
    }
}

// attention_forward for one new token of each of N growing rows: token i is number position[i] of
// the row whose keys and values are those of slot[i]. Keys lie channel by channel, (slots, C, T),
// values token by token, (slots, T, C), so that both sums run along memory. p: scratch (T); the
// queries in qkv (N, 3C) are scaled.
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
            real most = largest(p, t + 1);
            for (int j = 0; j <= t; j++) { p[j] = fast_exp(p[j] - most); }
            real total = 1 / sum(p, t + 1);
            weighted_sum(y, p, v + h * hs, C, t + 1, hs);
            for (int j = 0; j < hs; j++) { y[j] *= total; }
        }
    }
}

// x (N, C) = wte[token] + wpe[position], the token's place in its row.
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
        for (size_t j = 0; j < C; j++) {
            te[j] += dx[j];
            pe[j] += dx[j];
        }
    }
}

// Turns logits (N, V) into probabilities in place, and sets logp[i] = log p(token i | before),
// which the logits at i-1 give; 0 for the first token of each row, which nothing predicts.
static void logp_forward(real *logp, real *l, const int *token, const int *row, int n_rows, int V) {
    for (int r = 0; r < n_rows; r++) {
        logp[row[r]] = 0;
        for (int i = row[r]; i < row[r + 1]; i++, l += V) {
            int next = i + 1 < row[r + 1] ? token[i + 1] : -1;
            real most = largest(l, V), target = next < 0 ? 0 : l[next] - most;
            for (int v = 0; v < V; v++) { l[v] = fast_exp(l[v] - most); }
            real total = sum(l, V);
            for (int v = 0; v < V; v++) { l[v] *= 1 / total; }
            if (next >= 0) { logp[i + 1] = target - log(total); }
        }
    }
}

// Turns the probabilities that logp_forward left into dlogits, in place: the logits at i-1 get
// dlogp[i] (1 at token i, minus the probability of each). Here the weight on a token's
// log-likelihood enters the network.
static void logp_backward(real *l, const real *dlogp, const int *token, const int *row, int n_rows,
                          int V) {
    for (int r = 0; r < n_rows; r++) {
        for (int i = row[r] + 1; i <= row[r + 1]; i++, l += V) {
            real d = i < row[r + 1] ? dlogp[i] : 0;
            for (int v = 0; v < V; v++) { l[v] *= -d; }
            if (i < row[r + 1]) { l[token[i]] += d; }
        }
    }
}

// ==== 4  The GPT =================================================================================

// GPT-2 (Radford et al. 2019): pre-norm blocks, learned positions, wte tied to the output. A scalar
// head on the last layer norm's output makes it a reward model, or a policy with a value estimate.
typedef struct {
    int maxT, V, L, NH, C, Vp;  // context, vocabulary, layers, heads, channels, rows of wte (>= V)
} Config;

// The parameters, in the order of a checkpoint.
enum {
    WTE, WPE, LN1W, LN1B, QKVW, QKVB, PROJW, PROJB, LN2W, LN2B, FCW, FCB, FCPROJW, FCPROJB,
    LNFW, LNFB, HEADW, HEADB, N_TENSORS
};

static const int LINEAR[] = {QKVW, PROJW, FCW, FCPROJW, WTE};  // four in each block; the output

typedef struct {
    int layers, outputs, inputs;  // its shape
    double mean, std;             // before training
    size_t size, at;              // numbers, over all layers; where they start in params
    real *packed;                 // of a linear layer: its weights once more, in panels
} Tensor;

// A batch is split by rows into PARTS, which threads take one by one, each through all layers. The
// split does not depend on the number of threads, nor does the order in which the parts' gradients
// are added: so neither do the bits. Models too large for many gradients get fewer parts.
enum { PARTS = 8 };

// What a model is for. Files of llm.c do not say.
enum { UNKNOWN_ROLE, POLICY, POLICY_WITH_VALUES, REWARD_MODEL };

typedef struct {
    Config c;
    int head;  // whether the scalar head is there
    int role;
    uint32_t tokenizer;  // the fingerprint of the tokenizer it was trained with; 0: not known
    Tensor tensor[N_TENSORS];
    size_t n_params;
    real *params;
    real *m, *v;   // AdamW's two moments; NULL in a model that is not trained, like what follows
    int n_parts;   // into how many parts a batch is split
    real *grads;   // (n_parts, n_params) each part's gradient; backward leaves the sum in the first
} GPT;

// The weights of a tensor in a layer.
static real *param(const GPT *g, int tensor, int layer) {
    const Tensor *t = &g->tensor[tensor];
    return g->params + t->at + (size_t)layer * t->outputs * t->inputs;
}

// The same place in the gradient of a part.
static real *grad(const GPT *g, int part, int tensor, int layer) {
    return g->grads + part * g->n_params + (param(g, tensor, layer) - g->params);
}

// The packed weights of a linear layer.
static real *panels(const GPT *g, int tensor, int layer) {
    const Tensor *t = &g->tensor[tensor];
    return t->packed + layer * packed_size(t->inputs, t->outputs);
}

// Bring packed up to date with params. Whoever changes params calls this.
static void gpt_pack(GPT *g) {
    int L = g->c.L;
    #pragma omp parallel for
    for (int i = 0; i <= 4 * L; i++) {
        int tensor = LINEAR[i < 4 * L ? i % 4 : 4], l = i / 4 % L;
        int inputs = g->tensor[tensor].inputs, outputs = g->tensor[tensor].outputs;
        if (tensor == WTE) { outputs = g->c.V; }  // without the rows that only fill it up
        pack(panels(g, tensor, l), turned(param(g, tensor, l), inputs), inputs, outputs);
    }
}

// What a model of shape c consists of, without memory for it. Error: more than can be addressed.
static GPT gpt_layout(Config c, int head) {
    int L = c.L, C = c.C;
    double total = 0;
    double std = 0.02, residual = 0.02 / sqrt(2.0 * L);  // 2 L projections add to one stream
    GPT g = {.c = c, .head = head, .role = head ? POLICY_WITH_VALUES : POLICY, .tensor = {
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
    for (int i = 0; i < N_TENSORS; i++) {
        Tensor *t = &g.tensor[i];
        t->size = (size_t)t->layers * t->outputs * t->inputs;
        t->at = g.n_params;
        g.n_params += t->size;
        total += (double)t->layers * t->outputs * t->inputs;
    }
    if (total > (double)SIZE_MAX / 64) {
        stop(1, "a model of %.0f million parameters is too large for this machine", total / 1e6);
    }
    return g;
}

// A model of shape c, all zeros. trainable: with room for gradients and moments.
static GPT gpt_new(Config c, int head, int trainable) {
    GPT g = gpt_layout(c, head);
    for (int i = 0; i < 5; i++) {
        Tensor *t = &g.tensor[LINEAR[i]];
        t->packed = alloc(t->layers * packed_size(t->inputs, t->outputs), sizeof(real), "weights");
    }
    g.params = alloc(g.n_params, sizeof(real), "the model");
    if (trainable) {
        g.m = alloc(g.n_params, sizeof(real), "the optimizer");
        g.v = alloc(g.n_params, sizeof(real), "the optimizer");
        g.n_parts = (int)fmin(PARTS, fmax(1, 3e7 / (double)g.n_params));
        g.grads = alloc(g.n_params * g.n_parts, sizeof(real), "gradients");
    }
    return g;
}

// Weights as they are before training.
static void gpt_init(GPT *g, int seed) {
    Rng r = rng_stream(seed, 'i', 0);
    for (const Tensor *t = g->tensor; t < g->tensor + N_TENSORS; t++) {
        for (size_t j = 0; j < t->size; j++) {
            g->params[t->at + j] = (real)(t->mean + (t->std > 0 ? t->std * rng_normal(&r) : 0));
        }
    }
    gpt_pack(g);
}

typedef struct { int won, lost; double weight; } Pair;  // two rows; weight: 1 but in tests

// The rows of one forward pass, one after the other without padding, and what is known of them.
typedef struct {
    int n_rows, n_tokens, max_rows;
    int *row;    // (n_rows + 1) each row's first token; row[n_rows] = n_tokens
    int *start;  // (n_rows) the first token of each row's response
    int *token;  // (n_tokens) ids
    // (n_tokens) of each token given those before: log pi, log pi_ref, log pi when it was sampled
    real *logp, *ref_logp, *old_logp;
    real *dlogp;       // (n_tokens) dloss/dlogp, which a loss writes
    real *advantage;   // (n_tokens) how much better than expected
    real *value, *dvalue;  // (n_tokens) the scalar head's output, and dloss/dvalue
    real *old_value, *returns;  // (n_tokens) value when sampled; what it should have been
    double *reward;    // (n_rows)
    double *score;     // (n_rows) the truth as a pairs file has it, else NAN; NULL: no such file
    int group;         // rows i * group .. i * group + group-1 share prompt i
    Pair *pair;        // (n_pairs) the rows that won and lost
    int n_pairs;
    double clip_frac;  // PPO: share of tokens whose ratio was clipped
} Batch;

// An empty batch with room for rows in groups.
static Batch batch_new(int max_rows, int max_tokens, int group) {
    Batch b = {.max_rows = max_rows, .group = group};
    b.row = alloc((size_t)max_rows + 1, sizeof(int), "a batch");
    b.start = alloc(max_rows, sizeof(int), "a batch");
    b.token = alloc(max_tokens, sizeof(int), "a batch");
    b.reward = alloc(max_rows, sizeof(double), "a batch");
    b.pair = alloc((size_t)max_rows * (group - 1) / 2, sizeof(Pair), "a batch");
    real **parts[] = {&b.logp, &b.ref_logp, &b.old_logp, &b.dlogp, &b.advantage, &b.value,
                      &b.dvalue, &b.old_value, &b.returns};
    for (int i = 0; i < 9; i++) { *parts[i] = alloc(max_tokens, sizeof(real), "a batch"); }
    return b;
}

static void batch_clear(Batch *b) { b->n_rows = b->n_tokens = b->n_pairs = 0; }

// Append a row of n tokens (they may be in place already); those from `start` on are the response.
static void batch_add(Batch *b, const int *token, int n, int start) {
    memmove(b->token + b->n_tokens, token, n * sizeof(int));
    b->start[b->n_rows] = b->n_tokens + start;
    b->n_tokens += n;
    b->row[++b->n_rows] = b->n_tokens;
}

// What the forward pass of a block computes and the backward pass needs; or the gradients of these.
typedef struct {
    real *in;             // (N, C) the residual stream on entry
    real *ln1, *stats1;   // (N, C), (N, 2)
    real *qkv;            // (N, 3C)
    real *prob;           // (sum over rows of NH T T) attention probabilities
    real *att;            // (N, C) attention's output, heads side by side
    real *mid;            // (N, C) the residual stream after attention
    real *ln2, *stats2;
    real *fc, *gelu;      // (N, 4C)
    real *keys, *values;  // the sampler's, else NULL: see attention_step
} Layer;

// The work space of one thread, for the rows it has at a time.
typedef struct {
    int T;             // most tokens in a row
    int n_rows, *row;  // counted from the part's first token
    int *position;     // (N) of each token in its row
    int *slot;         // (N) sampler: where its row's keys and values are
    Layer *layer;      // (L + 1); of the last only in, ln1 and stats1, for the output
    Layer d;           // the gradients of one layer at a time
    real *logits;      // (N, V), then probabilities, then their gradient
    real *odds;        // (V) sampler: what a token is drawn by
} Part;

// The prob of a layer has room for N / T whole rows.
static Layer layer_new(Config c, uint64_t N, size_t T) {
    Layer y = {0};
    size_t C = c.C, width[] = {C, C, 2, 3 * C, c.NH * T, C, C, C, 2, 4 * C, 4 * C};
    real **to[] = {&y.in, &y.ln1, &y.stats1, &y.qkv, &y.prob, &y.att, &y.mid, &y.ln2, &y.stats2,
                   &y.fc, &y.gelu};
    for (int i = 0; i < 11; i++) { *to[i] = alloc(N * width[i], sizeof(real), "activations"); }
    return y;
}

// Work space for N tokens in rows of up to T. Without `train` one layer's memory does for all.
static Part part_new(Config c, uint64_t N, int T, int train) {
    Part a = {.T = T, .row = alloc(N + 1, sizeof(int), "activations"),
              .position = alloc(N, sizeof(int), "activations"),
              .slot = alloc(N, sizeof(int), "activations"),
              .layer = alloc(c.L + 1, sizeof(Layer), "activations"),
              .logits = alloc(N * c.V, sizeof(real), "activations"),
              .odds = alloc(c.V, sizeof(real), "activations")};
    for (int l = 0; l <= c.L; l++) { a.layer[l] = train || !l ? layer_new(c, N, T) : a.layer[0]; }
    if (train) { a.d = layer_new(c, N, T); }
    return a;
}

// All parts. One for training, with train = 0 a smaller one that cannot go back, or the sampler's.
typedef struct {
    int n_parts, max_rows;  // max_rows: of one part
    Part *part;
} Acts;

// Activations for batches of up to n_rows rows of up to T tokens.
static Acts acts_new(const GPT *g, int n_rows, int T, int train) {
    Acts a = {.n_parts = train ? g->n_parts : PARTS};
    a.part = alloc(a.n_parts, sizeof(Part), "activations");
    a.max_rows = (n_rows + a.n_parts - 1) / a.n_parts;
    size_t N = (size_t)a.max_rows * T;
    for (int i = 0; i < a.n_parts; i++) { a.part[i] = part_new(g->c, N, T, train); }
    return a;
}

// From N tokens (whole rows, or in the sampler one of each) to the last layer norm's output (N, C).
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
        linear_forward(y[1].in, y->mid, y->gelu, panels(g, FCPROJW, l), param(g, FCPROJB, l),
                       N, F, C);
    }
    layernorm_forward(y->ln1, y->stats1, y->in, param(g, LNFW, 0), param(g, LNFB, 0), N, C);
    return y->ln1;
}

// The forward pass of some rows of a batch: see gpt_forward.
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

// Run the batch's rows through the model. Writes logp (N) and, with a head, value (N): the head at
// each token; NULL: not wanted. A batch of more rows than `a` holds cannot go back.
static void gpt_forward(const GPT *g, Acts *a, const Batch *b, real *logp, real *value) {
    #pragma omp parallel for schedule(dynamic, 1)
    for (int p = 0; p < a->n_parts; p++) {
        int r = share(b->n_rows, p, a->n_parts), end = share(b->n_rows, p + 1, a->n_parts);
        do {  // once even without rows, for the way back to know
            part_forward(g, &a->part[p], b, r, min_int(a->max_rows, end - r), logp, value);
        } while ((r += a->max_rows) < end);
    }
}

// The backward pass of the rows that part_forward ran; adds to the gradients of part number p.
static void part_backward(GPT *g, int p, Part *a, const Batch *b, const real *dlogp,
                          const real *dvalue) {
    int N = a->row[a->n_rows], C = g->c.C, F = 4 * C, lo = b->row[share(b->n_rows, p, g->n_parts)];
    const int *token = b->token + lo;
    const Layer *y = a->layer + g->c.L;
    Layer d = a->d;
    memset(d.in, 0, (size_t)N * C * sizeof(real));
    memset(d.ln1, 0, (size_t)N * C * sizeof(real));
    if (dlogp) {
        logp_backward(a->logits, dlogp + lo, token, a->row, a->n_rows, g->c.V);
        linear_backward(d.ln1, grad(g, p, WTE, 0), NULL, a->logits, y->ln1, param(g, WTE, 0), N, C,
                        g->c.V);
    }
    if (dvalue) {  // the head is a linear layer with one output
        linear_backward(d.ln2, grad(g, p, HEADW, 0), grad(g, p, HEADB, 0), dvalue + lo, y->ln1,
                        param(g, HEADW, 0), N, C, 1);
        for (size_t i = 0; i < (size_t)N * C; i++) { d.ln1[i] += d.ln2[i]; }
    }
    layernorm_backward(d.in, grad(g, p, LNFW, 0), grad(g, p, LNFB, 0), d.ln1, y->in,
                       param(g, LNFW, 0), y->stats1, N, C);
    for (int l = g->c.L - 1; l >= 0; l--) {
        y--;
        linear_backward(d.gelu, grad(g, p, FCPROJW, l), grad(g, p, FCPROJB, l), d.in, y->gelu,
                        param(g, FCPROJW, l), N, F, C);
        gelu_backward(d.gelu, y->fc, (size_t)N * F);
        linear_backward(d.ln2, grad(g, p, FCW, l), grad(g, p, FCB, l), d.gelu, y->ln2,
                        param(g, FCW, l), N, C, F);
        layernorm_backward(d.in, grad(g, p, LN2W, l), grad(g, p, LN2B, l), d.ln2, y->mid,
                           param(g, LN2W, l), y->stats2, N, C);
        linear_backward(d.att, grad(g, p, PROJW, l), grad(g, p, PROJB, l), d.in, y->att,
                        param(g, PROJW, l), N, C, C);
        attention_backward(d.qkv, d.prob, d.att, y->prob, y->qkv, a->row, a->n_rows, C, g->c.NH);
        linear_backward(d.ln1, grad(g, p, QKVW, l), grad(g, p, QKVB, l), d.qkv, y->ln1,
                        param(g, QKVW, l), N, C, 3 * C);
        layernorm_backward(d.in, grad(g, p, LN1W, l), grad(g, p, LN1B, l), d.ln1, y->in,
                           param(g, LN1W, l), y->stats1, N, C);
    }
    embed_backward(grad(g, p, WTE, 0), grad(g, p, WPE, 0), d.in, token, a->position, N, C);
}

// Threads share out the parameters in chunks: this many begin at parameter `at`.
enum { CHUNK = 4096 };
static int chunk_size(const GPT *g, size_t at) { return (int)fmin(CHUNK, g->n_params - at); }

// Add to g->grads the gradient of a loss whose derivatives are dlogp and dvalue (N); either may be
// NULL. Follows a gpt_forward of the same batch that wanted the same.
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

// One AdamW step (Loshchilov and Hutter 2019; no decay) on g->grads, scaled down first to a norm of
// max_norm at most (0: as they are), zeroed after. Step counts from 1. Returns the norm before.
static double adamw(GPT *g, double lr, double max_norm, int step) {
    double squares = 0;
    for (size_t at = 0; at < g->n_params; at += CHUNK) {  // floats within a chunk, doubles across
        squares += (double)dot(g->grads + at, g->grads + at, chunk_size(g, at));
    }
    double norm = sqrt(squares);
    const real beta1 = (real)0.9, beta2 = (real)0.999;
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

// A checkpoint is llm.c's: 256 int32, then the parameters as float32 in the order of the enum. Two
// of the header's numbers that llm.c leaves at 0 tell the model's role and tokenizer.
enum { MODEL_MAGIC = 20240326, MODEL_VERSION = 3, HEADER_INTS = 256 };

// Error: the file cannot be written.
static void gpt_save(const GPT *g, const char *path) {
    Config c = g->c;
    int32_t h[HEADER_INTS] = {MODEL_MAGIC, MODEL_VERSION, c.maxT, c.V, c.L, c.NH, c.C, c.Vp,
                              g->role, (int32_t)g->tokenizer};
    Output out = output_open(path);
    fwrite(h, sizeof h, 1, out.f);
    for (size_t i = 0; i < g->n_params; i++) {
        float x = (float)g->params[i];
        fwrite(&x, sizeof x, 1, out.f);
    }
    output_close(&out);
}

// A model from a file, not to be trained further. Errors: not a checkpoint, absurd sizes, a length
// that does not fit them, numbers that are not finite.
static GPT gpt_load(const char *path) {
    Input in = input_open(path);
    int32_t h[HEADER_INTS];
    input_read(&in, h, 1, sizeof h);
    if (h[0] != MODEL_MAGIC || h[1] != MODEL_VERSION) {
        stop(1, "%s: not a model in llm.c's float32 format (its first numbers are %d, %d; expected "
             "%d, %d)", path, h[0], h[1], MODEL_MAGIC, MODEL_VERSION);
    }
    Config c = {h[2], h[3], h[4], h[5], h[6], h[7]};
    const int most = 1 << 16;
    if (c.maxT < 1 || c.V < 2 || c.L < 1 || c.NH < 1 || c.C < 1 || c.Vp < c.V || c.maxT > most
        || c.Vp > 2 * most || c.V > most || c.L > most || c.C > most || c.C % c.NH != 0) {
        stop(1, "%s: impossible sizes in its header: T %d, V %d, L %d, heads %d, C %d, Vp %d", path,
             c.maxT, c.V, c.L, c.NH, c.C, c.Vp);
    }
    size_t plain = sizeof h + gpt_layout(c, 0).n_params * sizeof(float);
    size_t with_head = sizeof h + gpt_layout(c, 1).n_params * sizeof(float);
    if (in.size != plain && in.size != with_head) {
        stop(1, "%s: has %zu bytes; its header promises %zu (or %zu with a head)", path, in.size,
             plain, with_head);
    }
    GPT g = gpt_new(c, in.size == with_head, 0);
    g.role = h[8] < 0 || h[8] > REWARD_MODEL ? UNKNOWN_ROLE : h[8];
    g.tokenizer = (uint32_t)h[9];
    for (size_t i = 0; i < g.n_params; i++) {
        float x;
        input_read(&in, &x, 1, sizeof x);
        if (!isfinite(x)) { stop(1, "%s: number %zu of its weights is not finite", path, i); }
        g.params[i] = (real)x;
    }
    fclose(in.f);
    gpt_pack(&g);
    return g;
}

// A trainable copy of a model; head: with a scalar head, zero if it had none.
static GPT gpt_copy(const GPT *from, int head) {
    GPT g = gpt_new(from->c, head || from->head, 1);
    g.tokenizer = from->tokenizer;
    memcpy(g.params, from->params, from->n_params * sizeof(real));
    gpt_pack(&g);
    return g;
}

// A policy from a file. Error: the file holds a reward model.
static GPT policy_load(const char *path) {
    GPT g = gpt_load(path);
    if (g.role == REWARD_MODEL) { stop(1, "%s: a reward model, where a policy is needed", path); }
    return g;
}

// ==== 6  Tokenizer and stories ===================================================================

// Byte-pair encoding. A token is a string of bytes; text is encoded piece by piece, so that no
// token spans two pieces and any text splits at a piece's edge without changing its tokens.
typedef struct {
    int V, eot;      // number of tokens; the one that ends a text and starts a row
    char *bytes;     // all tokens' bytes, one after the other
    int *at;         // (V + 1) where each token's bytes start
    int *slot;       // hash table from bytes to id, -1 where empty
    unsigned mask;   // its size - 1
    uint32_t print;  // a fingerprint of all tokens, never 0: a model remembers its tokenizer's
} Tokenizer;

static int token_length(const Tokenizer *t, int id) { return t->at[id + 1] - t->at[id]; }

// FNV-1a: a number that changes, most likely, if any of n bytes does.
static uint32_t hash(const char *s, int n) {
    uint32_t h = 2166136261u;
    for (int i = 0; i < n; i++) { h = (h ^ (unsigned char)s[i]) * 16777619u; }
    return h;
}

// The slot that holds these bytes, or the empty one where they would go (linear probing).
static int *token_slot(const Tokenizer *t, const char *s, int n) {
    for (uint32_t h = hash(s, n);; h++) {
        int *slot = &t->slot[h & t->mask], id = *slot;
        int same = id >= 0 && token_length(t, id) == n && !memcmp(t->bytes + t->at[id], s, n);
        if (id < 0 || same) { return slot; }
    }
}

// Make a tokenizer of V tokens out of lengths and bytes that are in place. The first of two equal
// tokens is the one that counts; end-of-text is no text's encoding.
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

// What the rule of pieces tells apart: letters, digits, punctuation, other. Every byte of a
// character beyond ASCII counts as a letter.
static int kind(char byte) {
    int c = (unsigned char)byte;
    return c & 0x80 || isalpha(c) ? 'a' : isdigit(c) ? '0' : ispunct(c) ? '.' : ' ';
}

// Whether a sentence ends with the last of these bytes, the latest of which is the lowest: . ! ? or
// one of the three-byte full stops of Chinese and Japanese.
static int ends_sentence(uint32_t bytes) {
    uint32_t one = bytes & 0xff, three = bytes & 0xffffff;
    return one == '.' || one == '!' || one == '?' || three == 0xe38082 || three == 0xefbc81
        || three == 0xefbc9f;
}

// Length of the first piece of s (n >= 1 bytes): an optional space with the letters after it (if a
// full stop is among them, up to it); a run of digits; a run of punctuation; a run of other bytes,
// but for a space that belongs to letters.
static int piece_length(const char *s, int n) {
    int i = n > 1 && s[0] == ' ' && kind(s[1]) == 'a', first = kind(s[i]);
    uint32_t bytes = 0;
    while (i < n && kind(s[i]) == first && !(i + 1 < n && s[i] == ' ' && kind(s[i + 1]) == 'a')) {
        bytes = bytes << 8 | (unsigned char)s[i++];
        if (first == 'a' && ends_sentence(bytes)) { break; }
    }
    return i;
}

// Encode one piece s (n bytes) to at most n ids; returns their number. Of all neighbours whose
// bytes together are a token, those that make the token with the lowest id merge first, the
// leftmost on a tie. Error: a byte that is no token.
static int encode_piece(const Tokenizer *t, const char *s, int n, int *id) {
    for (int i = 0; i < n; i++) {
        id[i] = *token_slot(t, s + i, 1);
        if (id[i] < 0) { stop(1, "the tokenizer has no token for byte %d", (unsigned char)s[i]); }
    }
    for (;;) {
        int best = t->V, m = 0;
        const char *p = s;
        for (int i = 0; i + 1 < n; p += token_length(t, id[i++])) {
            int merged = *token_slot(t, p, token_length(t, id[i]) + token_length(t, id[i + 1]));
            if (merged >= 0 && merged < best) { best = merged; }
        }
        if (best == t->V) { return n; }
        p = s;
        for (int i = 0, length = token_length(t, best); i < n; i++, m++) {  // all of that merge
            int fits = i + 1 < n && token_length(t, id[i]) + token_length(t, id[i + 1]) == length
                       && !memcmp(p, t->bytes + t->at[best], length);
            id[m] = fits ? best : id[i];
            p += token_length(t, id[m]);
            i += fits;
        }
        n = m;
    }
}

// Whether a text spells the end-of-text token out. Encoding would take the marker apart, and the
// model would learn to write its letters.
static int has_marker(const Tokenizer *t, const char *text) {
    int n = token_length(t, t->eot);
    char marker[256] = "";
    memcpy(marker, t->bytes + t->at[t->eot], n);
    return n > 1 && *marker && strstr(text, marker) != NULL;
}

// Encode n bytes to ids; returns their number. id has room for n.
static int encode(const Tokenizer *t, const char *s, int n, int *id) {
    int count = 0;
    for (int i = 0, piece; i < n; i += piece) {
        piece = piece_length(s + i, n - i);
        count += encode_piece(t, s + i, piece, id + count);
    }
    return count;
}

// The text of n tokens; end-of-text has none.
static void print_tokens(const Tokenizer *t, const int *id, int n, FILE *f) {
    for (int i = 0; i < n; i++) {
        if (id[i] != t->eot) { fwrite(t->bytes + t->at[id[i]], 1, token_length(t, id[i]), f); }
    }
}

// The text of n tokens, as a string to free; one with a NUL byte ends there.
static char *tokens_text(const Tokenizer *t, const int *id, int n) {
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (!f) { stop(1, "no memory for a text"); }
    print_tokens(t, id, n, f);
    fclose(f);
    return text;
}

// Documents one after the other, each ending with end-of-text.
typedef struct {
    int n_docs;
    int *doc;         // (n_docs + 1) where each starts in token
    uint16_t *token;
} Corpus;

enum { TOKENIZER_MAGIC = 20240328, TOKENS_MAGIC = 20240520 };

// Read llm.c's tokenizer block. Version 1 (GPT-2's own file) does not name its end-of-text. Errors:
// no such block, impossible sizes, a file that ends too early.
static Tokenizer tokenizer_read(Input *in) {
    int32_t h[HEADER_INTS];
    input_read(in, h, 1, sizeof h);
    if (h[0] != TOKENIZER_MAGIC || (h[1] != 1 && h[1] != 2)) {
        stop(1, "%s: does not begin with a tokenizer (its first numbers are %d, %d; expected %d, "
             "2)", in->path, h[0], h[1], TOKENIZER_MAGIC);
    }
    Tokenizer t = {.V = h[2], .eot = h[1] == 1 ? 50256 : h[3]};
    if (t.V < 2 || t.V > 1 << 16 || t.eot < 0 || t.eot >= t.V) {
        stop(1, "%s: impossible tokenizer: %d tokens, end-of-text %d", in->path, t.V, t.eot);
    }
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

// Read a block of tokens; `what` they are, for messages. Errors: no such block, or a wrong length;
// tokens that the tokenizer does not have; an end without end-of-text.
static Corpus corpus_read(Input *in, const Tokenizer *t, const char *what) {
    int32_t h[HEADER_INTS];
    if (ftell(in->f) == (long)in->size) {
        stop(1, "%s: holds no %s; make data TEXT=... makes a file with them", in->path, what);
    }
    input_read(in, h, 1, sizeof h);
    if (h[0] != TOKENS_MAGIC || h[1] != 1) {
        stop(1, "%s: no block of %s where one should start (found %d, %d; expected %d, 1)",
             in->path, what, h[0], h[1], TOKENS_MAGIC);
    }
    if (h[2] < 1 || (size_t)h[2] > in->size / sizeof(uint16_t)) {
        stop(1, "%s: promises %d %s; the file has %zu bytes", in->path, h[2], what, in->size);
    }
    int n = h[2];
    Corpus c = {.token = alloc(n, sizeof(uint16_t), "the stories")};
    c.doc = alloc((size_t)n + 1, sizeof(int), "the stories");  // more than enough
    input_read(in, c.token, n, sizeof(uint16_t));
    for (int i = 0; i < n; i++) {
        if (c.token[i] >= t->V) {
            stop(1, "%s: token %d of the %s is %d; the vocabulary has %d", in->path, i, what,
                 c.token[i], t->V);
        }
        if (c.token[i] == t->eot) { c.doc[++c.n_docs] = i + 1; }
    }
    if (c.token[n - 1] != t->eot) { stop(1, "%s: no end-of-text ends the %s", in->path, what); }
    return c;
}

// The tokenizer of a file, whatever follows it.
static Tokenizer tokenizer_load(const char *path) {
    Input in = input_open(path);
    Tokenizer t = tokenizer_read(&in);
    fclose(in.f);
    return t;
}

// A whole file of three blocks. Error: more than these.
static void stories_load(const char *path, Tokenizer *t, Corpus *train, Corpus *val) {
    Input in = input_open(path);
    *t = tokenizer_read(&in);
    *train = corpus_read(&in, t, "training tokens");
    *val = corpus_read(&in, t, "validation tokens");
    if (ftell(in.f) != (long)in.size) {
        stop(1, "%s: %zu bytes follow its last block", path, in.size - (size_t)ftell(in.f));
    }
    fclose(in.f);
}

// Append story d as a row of at most T tokens: end-of-text as start, then its tokens, up to and
// with its end-of-text if there is room. Those from `start` on are the response.
static void batch_add_story(Batch *b, const Corpus *c, int d, int T, int start) {
    int n = min_int(c->doc[d + 1] - c->doc[d], T - 1), *row = b->token + b->n_tokens;
    row[0] = c->token[c->doc[d + 1] - 1];
    for (int i = 0; i < n; i++) { row[i + 1] = c->token[c->doc[d] + i]; }
    batch_add(b, row, n + 1, start);
}

// The number of tokens of a document (n tokens, end-of-text among them) that make its first
// sentence: up to its first full stop (see ends_sentence) and the closing quotes right after it.
// This is the prompt; if no sentence ends, everything but the end-of-text is.
static int prompt_length(const Tokenizer *t, const uint16_t *token, int n) {
    int end = 0;                  // of the prompt, once a sentence has ended
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

// ==== 7  Sampler =================================================================================
// Draws many rows at once. Threads share out the rows; each advances up to SLOTS of them, a token a
// step, keeping the keys and values of what came before. A row that ends makes room for the next.
// Every row has its own random stream and its own arithmetic: neither threads nor slots show.

enum { SLOTS = 16 };  // with more, their keys and values no longer fit the cache

typedef struct {
    int T;               // most tokens in a row, prompt included
    int eot;             // the token that ends a row, -1: none
    double temperature;  // 0: always the likeliest
    int top_k;           // draw from the k likeliest only (and their equals); 0: from all
    int seed;
    uint64_t stream;     // row r draws from rng_stream(seed, stream, r)
} Sampling;

// A sampler of up to max_rows rows of at most T tokens, for models of shape c: a part for each
// thread, with a slot for each row it has at a time.
static Acts sampler_new(Config c, int max_rows, int T) {
    Acts s = {.n_parts = min_int(threads(), max_rows)};
    s.max_rows = min_int(SLOTS, (max_rows + s.n_parts - 1) / s.n_parts);
    s.part = alloc(s.n_parts, sizeof(Part), "the sampler");
    uint64_t kept = (uint64_t)s.max_rows * T * c.C + TILE_N;  // weighted_sum reads a little further
    for (Part *a = s.part; a < s.part + s.n_parts; a++) {
        *a = part_new(c, s.max_rows, T, 0);
        for (int l = 0; l < c.L; l++) {
            a->layer[l].keys = alloc(kept, sizeof(real), "the sampler's keys and values");
            a->layer[l].values = alloc(kept, sizeof(real), "the sampler's keys and values");
        }
    }
    return s;
}

// For qsort: the largest first.
static int descending(const void *a, const void *b) {
    real x = *(const real *)a, y = *(const real *)b;
    return (x < y) - (x > y);
}

// Draw a token from logits (V); odds: scratch (V). Sets *logp: its log-probability under the model
// itself, whatever the temperature and top_k. Error: logits that are no numbers.
static int draw(const real *logits, real *odds, int V, const Sampling *how, Rng *rng, real *logp) {
    int greedy = how->temperature < 1e-30;  // 0, or so small that its inverse overflows
    real most = largest(logits, V), floor_logit = greedy ? most : -INFINITY;
    if (how->top_k > 0 && how->top_k < V && !greedy) {
        memcpy(odds, logits, V * sizeof(real));
        qsort(odds, V, sizeof(real), descending);
        floor_logit = odds[how->top_k - 1];
    }
    for (int v = 0; v < V; v++) { odds[v] = fast_exp(logits[v] - most); }
    real log_total = log(sum(odds, V)), sharp = 1 / (real)how->temperature;
    if (how->temperature != 1 || floor_logit > -INFINITY) {
        for (int v = 0; v < V; v++) {
            real weight = greedy ? 1 : fast_exp((logits[v] - most) * sharp);
            odds[v] = logits[v] >= floor_logit ? weight : 0;
        }
    }
    double left = rng_uniform(rng) * (double)sum(odds, V);
    int token = -1;
    for (int v = 0; v < V && left >= 0; v++) {
        if (odds[v] > 0) {  // the last possible token takes the crumb that rounding may leave
            token = v;
            left -= (double)odds[v];
        }
    }
    if (token < 0) {
        #pragma omp critical  // threads may find out together; one says so
        stop(1, "the model's logits are not finite: nothing can be sampled from it");
    }
    *logp = logits[token] - most - log_total;
    return token;
}

// Extend each row of `prompts` (start token included) to n_each sampled rows, in groups one after
// the other. Fills `out`: its rows, where their responses start, and logp of the tokens sampled. It
// has room for how->T tokens a row: there a row ends, or at how->eot. Until all have ended, row r
// stands at r * T and its length in out->row[r + 1].
static void rollout(const GPT *g, Acts *s, const Batch *prompts, int n_each, const Sampling *how,
                    Batch *out) {
    int V = g->c.V, T = how->T, n_rows = prompts->n_rows * n_each, *length = out->row + 1;
    #pragma omp parallel for schedule(static, 1)
    for (int i = 0; i < s->n_parts; i++) {
        Part *a = &s->part[i];
        int next = share(n_rows, i, s->n_parts), end = share(n_rows, i + 1, s->n_parts), n = 0;
        int which[SLOTS] = {0}, token[SLOTS];  // the row in each slot; what the n under way read
        Rng rng[SLOTS] = {0};
        for (int j = 0; j < s->max_rows; j++) { a->slot[j] = j; }
        while (n > 0 || next < end) {
            for (; n < s->max_rows && next < end; next++, n++) {  // a row for every free slot
                const int *prompt = prompts->row + next / n_each;
                length[next] = prompt[1] - prompt[0];
                memcpy(out->token + (size_t)next * T, prompts->token + prompt[0],
                       length[next] * sizeof(int));
                which[a->slot[n]] = next;
                rng[a->slot[n]] = rng_stream(how->seed, how->stream, next);
                a->position[n] = -1;
            }
            for (int j = 0; j < n; j++) {
                token[j] = out->token[(size_t)which[a->slot[j]] * T + ++a->position[j]];
            }
            const real *x = blocks_forward(g, a, token, n);
            linear_forward(a->logits, NULL, x, panels(g, WTE, 0), NULL, n, g->c.C, V);
            for (int j = n - 1; j >= 0; j--) {
                int slot = a->slot[j], r = which[slot];
                if (a->position[j] + 1 < length[r]) { continue; }  // it still reads its prompt
                size_t at = (size_t)r * T + length[r]++;
                out->token[at] = draw(a->logits + j * V, a->odds, V, how, &rng[slot],
                                      &out->logp[at]);
                if (out->token[at] == how->eot || length[r] == T) {  // the last row moves up
                    a->slot[j] = a->slot[--n];
                    a->slot[n] = slot;
                    a->position[j] = a->position[n];
                }
            }
        }
    }
    batch_clear(out);
    for (int r = 0; r < n_rows; r++) {
        const int *prompt = prompts->row + r / n_each;
        memmove(out->logp + out->n_tokens, out->logp + (size_t)r * T, length[r] * sizeof(real));
        batch_add(out, out->token + (size_t)r * T, length[r], prompt[1] - prompt[0]);
    }
}

// ==== 8  Tasks and rewards =======================================================================

// Tokens of the bandit's vocabulary, and of its response by default; the most in a story's prompt,
// start token included.
enum { BANDIT_TOKENS = 100, BANDIT_LEN = 9, MAX_PROMPT = 25 };

typedef struct {
    const char *name, *help;
    enum { BANDIT, SHORTEST, SKEWED, TYPICAL } kind;  // skewed: its pairs are mostly long
    double peak;                                      // bandit: the token that earns most
} Task;

static const Task TASKS[] = {
    {"r1", "bandit: mean of exp(-((token-70)/10)^2), far from the reference's mass", BANDIT, 70},
    {"r2", "bandit: the same around token 20, where the reference has its mass", BANDIT, 20},
    {"min", "stories: 1 - (l-1)/102 for l tokens, far from the reference", SHORTEST, 0},
    {"mode", "stories: exp(-((l-m)/10)^2), m the commonest length", TYPICAL, 0},
    {"skew", "stories: as min, but the pairs are mostly of long responses", SKEWED, 0},
};
enum { N_TASKS = sizeof TASKS / sizeof *TASKS };

// Where a task's prompts and rewards come from.
typedef struct {
    const Task *task;
    int T;              // most tokens in a row
    Tokenizer t;        // this and the rest: stories only
    Corpus train, val;
    int longest, mode;  // longest response that earns anything (103 of 128), commonest length
} World;

static int is_bandit(const World *w) { return w->task->kind == BANDIT; }

// Error: a model that was not trained with this tokenizer. A file that does not say is believed.
static void check_tokenizer(const char *path, const GPT *g, const char *data, const Tokenizer *t) {
    if (g->c.V != t->V) {
        stop(1, "%s has a vocabulary of %d, the tokenizer of %s one of %d", path, g->c.V, data,
             t->V);
    }
    if (g->tokenizer && g->tokenizer != t->print) {
        stop(1, "%s was trained with another tokenizer than that of %s", path, data);
    }
    if (!g->tokenizer) { note("%s does not say which tokenizer it needs; taking %s", path, data); }
}

// The world of a model g, which o->model names, with the stories of o->data. To find the commonest
// length, each counts with four on either side. Error: the model does not fit the task.
static World world_new(const Task *task, const Options *o, const GPT *g) {
    Config c = g->c;
    World w = {.task = task, .T = c.maxT, .longest = c.maxT - MAX_PROMPT, .mode = 1};
    if (is_bandit(&w) && (c.V != BANDIT_TOKENS || c.maxT != o->len + 1)) {
        stop(1, "%s: vocabulary %d, context %d; the bandit's with --len %d are %d and %d", o->model,
             c.V, c.maxT, o->len, BANDIT_TOKENS, o->len + 1);
    }
    if (is_bandit(&w)) { return w; }
    if (w.longest < 2) { stop(1, "a context of %d tokens has no room for stories", w.T); }
    stories_load(o->data, &w.t, &w.train, &w.val);
    check_tokenizer(o->model, g, o->data, &w.t);
    int *count = alloc(w.T + 9, sizeof(int), "lengths");
    for (int d = 0; d < w.train.n_docs; d++) {
        int *doc = w.train.doc + d, all = doc[1] - doc[0];
        int n = all - prompt_length(&w.t, w.train.token + doc[0], all);
        for (int i = n; n <= w.longest && i < n + 9; i++) { count[i]++; }  // count[l + 4]: near l
    }
    for (int n = 1; n <= w.longest; n++) {
        if (count[n + 4] > count[w.mode + 4]) { w.mode = n; }
    }
    if (!count[w.mode + 4]) { stop(1, "%s: no response fits in %d tokens", o->data, w.longest); }
    return w;
}

// Append a prompt as a row: one uniform token, or the start token and the first sentence of a story
// of c. Error: there is none that is short enough.
static void batch_add_prompt(Batch *b, const World *w, const Corpus *c, Rng *r) {
    if (is_bandit(w)) {
        batch_add(b, (int[]){rng_below(r, BANDIT_TOKENS)}, 1, 1);
        return;
    }
    int d, n, tries = 0;
    do {
        d = rng_below(r, c->n_docs);
        n = prompt_length(&w->t, c->token + c->doc[d], c->doc[d + 1] - c->doc[d]);
        if (tries++ > 100000) { stop(1, "no first sentence fits in %d tokens", MAX_PROMPT - 1); }
    } while (n >= MAX_PROMPT);
    batch_add_story(b, c, d, n + 1, n + 1);
}

// The bandit's data: a token is the bin, of 100 equal ones on [-1, 1], of tanh(Cauchy(-0.7, 0.4)).
// So p of a bin is the difference of the Cauchy distribution function at atanh of its edges: exact.
static void bandit_data(double p[BANDIT_TOKENS]) {
    double below = 0;
    for (int i = 0; i < BANDIT_TOKENS; i++) {
        double edge = atanh(2 * (i + 1.0) / BANDIT_TOKENS - 1);  // +inf at the last
        double up_to = 0.5 + atan((edge + 0.7) / 0.4) / 3.141592653589793;
        p[i] = up_to - below;
        below = up_to;
    }
}

// The truth: the reward, in [0, 1], of row r's response. A story's that was cut (no end-of-text) or
// has more than w->longest tokens earns 0.
static double truth(const World *w, const Batch *b, int r) {
    const int *token = b->token + b->start[r], n = b->row[r + 1] - b->start[r];
    double total = 0;
    if (is_bandit(w)) {
        for (int i = 0; i < n; i++) { total += exp(-pow((token[i] - w->task->peak) / 10, 2)); }
        return total / n;
    }
    if (token[n - 1] != w->t.eot || n > w->longest) { return 0; }
    return w->task->kind == TYPICAL ? exp(-pow((n - w->mode) / 10.0, 2))
                                    : 1 - (n - 1) / (w->longest - 1.0);
}

// The true reward of every row.
static void gold_rewards(const World *w, Batch *b) {
    for (int r = 0; r < b->n_rows; r++) { b->reward[r] = truth(w, b, r); }
}

// Append a row: a prompt of one uniform token, and `len` tokens from the bandit's data.
static void batch_add_bandit(Batch *b, const double p[BANDIT_TOKENS], int len, Rng *r) {
    int *row = b->token + b->n_tokens;
    row[0] = rng_below(r, BANDIT_TOKENS);
    for (int i = 1; i <= len; i++) {
        double u = rng_uniform(r);
        for (row[i] = 0; row[i] < BANDIT_TOKENS - 1 && u >= p[row[i]]; row[i]++) { u -= p[row[i]]; }
    }
    batch_add(b, row, len + 1, 1);
}

// --- preference pairs: JSON Lines of prompt, chosen, rejected ------------------------------------

// Whether s is UTF-8 (RFC 3629): no stray or missing bytes, nothing overlong, no surrogates.
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

// The number of the escape \uXXXX at p; -1: there is none.
static int json_unicode(const char *p) {
    char four[5] = "";
    if (strncmp(p, "\\u", 2) || strspn(p + 2, "0123456789abcdefABCDEF") < 4) { return -1; }
    return (int)strtol(memcpy(four, p + 2, 4), NULL, 16);
}

// Decode the JSON string that starts at *p (its opening quote) in place. Returns its text, and
// moves *p past it; NULL if it is broken, not UTF-8, or contains a NUL, which no text here does.
static char *json_string(char **p) {
    static const char names[] = "\"\\/bfnrtu", meant[] = "\"\\/\b\f\n\r\t";
    char *in = *p + 1, *text = in, *to = in;
    while (*in != '"') {
        if ((unsigned char)*in < ' ') { return NULL; }  // the end of the line, too
        const char *code = *in == '\\' && in[1] ? strchr(names, in[1]) : NULL;  // of an escape
        if (*in == '\\' && !code) { return NULL; }
        if (!code || *code != 'u') {
            *to++ = code ? meant[code - names] : *in;
            in += code ? 2 : 1;
            continue;
        }
        int c = json_unicode(in), low = c > 0 ? json_unicode(in + 6) : -1;
        if (c <= 0) { return NULL; }
        in += 6;
        if ((c & 0xfc00) == 0xd800 && (low & 0xfc00) == 0xdc00) {  // a pair; alone neither is UTF-8
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            in += 6;
        }
        int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;  // bytes after the first
        *to++ = (char)(more ? (0xff << (7 - more)) | c >> 6 * more : c);
        while (more-- > 0) { *to++ = (char)(0x80 | (c >> 6 * more & 0x3f)); }
    }
    *to = 0;
    *p = in + 1;
    return utf8_valid(text) ? text : NULL;
}

// Move *p past a JSON value that nobody wants: everything up to the comma or brace that ends it.
// Returns 0 if there is none or a string in it is broken.
static int json_skip(char **p) {
    char *start = *p;
    for (int depth = 0; **p && (depth > 0 || !strchr(",}", **p));) {
        depth += (**p == '[' || **p == '{') - (**p == ']' || **p == '}');
        char *passed = **p == '"' ? json_string(p) : (*p)++;
        if (!passed) { return 0; }
    }
    return *p > start;
}

// Read a line's object: three texts, perhaps two numbers. Returns what is wrong, or NULL.
static const char *json_pair(char *p, char *text[3], double number[2]) {
    const char *const keys[] = {"prompt", "chosen", "rejected", "score_chosen", "score_rejected"};
    const char *blank = " \t\r\n";
    text[0] = text[1] = text[2] = NULL;
    p += strspn(p, blank);
    if (*p != '{') { return "expected an object {...}"; }
    do {
        p += 1 + strspn(p + 1, blank);
        char *key = *p == '"' ? json_string(&p) : NULL;
        p += strspn(p, blank);
        if (!key || *p != ':') { return "expected a key in quotes, and a colon"; }
        p += 1 + strspn(p + 1, blank);
        int k = 0;
        while (k < 5 && strcmp(key, keys[k])) { k++; }
        if (k < 3 && *p != '"') { return "prompt, chosen and rejected must be strings"; }
        if ((k == 3 || k == 4) && strchr("-0123456789", *p)) { number[k - 3] = strtod(p, NULL); }
        if (k < 3 ? !(text[k] = json_string(&p)) : !json_skip(&p)) {
            return "a value is missing, broken or not UTF-8";
        }
        p += strspn(p, blank);
    } while (*p == ',');
    if (*p != '}' || p[1 + strspn(p + 1, blank)]) { return "expected } at the end of the line"; }
    return text[0] && text[1] && text[2] ? NULL : "needs prompt, chosen and rejected";
}

// Append the row of a prompt and a response. Returns its tokens; one of more than T is not added.
static int batch_add_text(Batch *b, const World *w, const char *prompt, const char *response) {
    size_t room = strlen(prompt) + strlen(response) + 2;
    int *row = malloc(room * sizeof(int)), n = 1;
    if (!row) { stop(1, "no memory for a row of %zu tokens", room); }
    row[0] = w->t.eot;
    int start = n += encode(&w->t, prompt, (int)strlen(prompt), row + n);
    n += encode(&w->t, response, (int)strlen(response), row + n);
    row[n++] = w->t.eot;
    if (n <= w->T) { batch_add(b, row, n, start); }
    free(row);
    return n;
}

// Ways in which a prompt and a response join that their author probably did not mean.
enum { GLUED, SPLIT, REPEATED, ODDITIES };

// Counts the oddities of the pair on this line: count[kind] of each is raised by one, and
// first[kind] becomes the first line that has it.
static void count_oddities(char *text[3], int line, int count[ODDITIES], int first[ODDITIES]) {
    size_t n = strlen(text[0]);
    char last = n ? text[0][n - 1] : ' ';
    int odd[ODDITIES] = {0};
    for (int k = 1; k < 3; k++) {
        int glued = *text[k] && !isspace((unsigned char)*text[k]) && !isspace((unsigned char)last);
        int split = glued && kind(last) == kind(*text[k]) && kind(last) != '.';
        odd[SPLIT] |= split;
        odd[GLUED] |= glued && !split;
        odd[REPEATED] |= n > 0 && !strncmp(text[k], text[0], n);
    }
    for (int k = 0; k < ODDITIES; k++) {
        if (odd[k] && count[k]++ == 0) { first[k] = line; }
    }
}

// Read preference pairs: rows 2i (reward 1) and 2i + 1 (reward 0) are the responses of pair i that
// won and lost. Errors, with the line: no such object, a pair of equals, a row longer than T.
// Notes: texts that were probably joined otherwise than their author meant.
static Batch pairs_read(const World *w, const char *path) {
    Input in = input_open(path);
    char *text = NULL;
    size_t room = 0;
    int lines = 0;
    while (getline(&text, &room, in.f) >= 0) { lines += text[strspn(text, " \t\r\n")] != 0; }
    if (lines == 0) { stop(1, "%s: holds no pairs", path); }
    double most = fmin(2.0 * lines * w->T, 2 * (double)in.size);  // JSON is longer
    if (most > INT_MAX) { stop(1, "%s: %d pairs are too many", path, lines); }
    Batch b = batch_new(2 * lines, (int)most, 2);
    b.score = alloc(2 * (size_t)lines, sizeof *b.score, "scores");
    rewind(in.f);
    ssize_t length;
    int count[ODDITIES] = {0}, first[ODDITIES] = {0};
    for (int line = 1; (length = getline(&text, &room, in.f)) >= 0; line++) {
        char *part[3];
        if (strlen(text) != (size_t)length) { stop(1, "%s:%d: holds a NUL byte", path, line); }
        if (!text[strspn(text, " \t\r\n")]) { continue; }
        b.score[b.n_rows] = b.score[b.n_rows + 1] = NAN;
        const char *wrong = json_pair(text, part, b.score + b.n_rows);
        if (!wrong && !strcmp(part[1], part[2])) { wrong = "chosen and rejected are the same"; }
        if (!wrong && length > 1 << 20) { wrong = "longer than any context"; }
        for (int k = 0; k < 3 && !wrong; k++) {
            if (has_marker(&w->t, part[k])) { wrong = "spells out the end-of-text token"; }
        }
        if (wrong) { stop(1, "%s:%d: %s", path, line, wrong); }
        count_oddities(part, line, count, first);
        for (int k = 0; k < 2; k++) {
            int n = batch_add_text(&b, w, part[0], part[1 + k]);
            if (n > w->T) {
                stop(1, "%s:%d: prompt and %s response have %d tokens; the model has room for %d",
                     path, line, k ? "rejected" : "chosen", n, w->T);
            }
            b.reward[b.n_rows - 1] = !k;
        }
    }
    static const char *const odd[] = {
        "a response begins without a space or line break",
        "a word or number runs on from the prompt into a response",
        "a response repeats its prompt"};
    for (int k = 0; k < ODDITIES; k++) {
        if (count[k]) {
            note("%s:%d: %s; so in %d of %d pairs", path, first[k], odd[k], count[k], lines);
        }
    }
    free(text);
    fclose(in.f);
    return b;
}

// ==== 9  Losses ==================================================================================
// A loss reads log-probabilities, advantages and pairs, returns its value, and writes dlogp, which
// it finds zeroed. It knows no network. y_w won, y_l lost; pi is the policy, pi_ref the reference.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"  // one signature for all losses

// Add g to dlogp of every token of the row's response.
static void push(Batch *b, int row, double g) {
    for (int i = b->start[row]; i < b->row[row + 1]; i++) { b->dlogp[i] += (real)g; }
}

// log x(y), given the log-probabilities x of tokens: their sum over the response.
static double response_sum(const Batch *b, const real *x, int row) {
    double total = 0;
    for (int i = b->start[row]; i < b->row[row + 1]; i++) { total += (double)x[i]; }
    return total;
}

// log pi(y) / pi_ref(y)
static double logratio(const Batch *b, int row) {
    return response_sum(b, b->logp, row) - response_sum(b, b->ref_logp, row);
}

// log(1 / (1 + exp(-x))), without overflow on either side.
static double log_sigmoid(double x) { return x > 0 ? -log1p(exp(-x)) : x - log1p(exp(x)); }

// -weight log pi(y), the loss of imitating one response.
static double imitate(Batch *b, int row, double weight) {
    push(b, row, -weight);
    return -weight * response_sum(b, b->logp, row);
}

// loss = mean over all responses of -log pi(y): imitates them, good or bad.
static double loss_sft(Batch *b, const Options *o) {
    double loss = 0;
    for (int r = 0; r < b->n_rows; r++) { loss += imitate(b, r, 1.0 / b->n_rows); }
    return loss;
}

// loss = mean over pairs of -log pi(y_w): imitates what won. "Filtered SFT on chosen".
static double loss_pref_ft(Batch *b, const Options *o) {
    double loss = 0;
    for (int p = 0; p < b->n_pairs; p++) {
        loss += imitate(b, b->pair[p].won, b->pair[p].weight / b->n_pairs);
    }
    return loss;
}

// loss = mean over prompts of -log pi(y_best), the best of the N responses. On fresh samples: RAFT
// (Dong et al. 2023), expert iteration.
static double loss_bon(Batch *b, const Options *o) {
    double loss = 0, w = (double)b->group / b->n_rows;
    for (int r = 0; r < b->n_rows; r += b->group) {
        int best = r;  // the first on a tie
        for (int i = r + 1; i < r + b->group; i++) {
            if (b->reward[i] > b->reward[best]) { best = i; }
        }
        loss += imitate(b, best, w);
    }
    return loss;
}

// Reward-weighted regression (Peters and Schaal 2007; Peng et al. 2019): loss = mean over responses
// of -min(exp(A/beta), 20) log pi(y). Only pushes up; the cap keeps one from being the whole batch.
static double loss_rwr(Batch *b, const Options *o) {
    double loss = 0;
    for (int r = 0; r < b->n_rows; r++) {
        double weight = fmin(exp((double)b->advantage[b->start[r]] / o->beta), 20);
        loss += imitate(b, r, weight / b->n_rows);
    }
    return loss;
}

// REINFORCE (Williams 1992): loss = mean over responses of -sum_t A_t log pi(y_t). Down if A < 0.
static double loss_reinforce(Batch *b, const Options *o) {
    double loss = 0;
    for (int r = 0; r < b->n_rows; r++) {
        for (int i = b->start[r]; i < b->row[r + 1]; i++) {
            b->dlogp[i] = -b->advantage[i] / (real)b->n_rows;
            loss += (double)(b->dlogp[i] * b->logp[i]);
        }
    }
    return loss;
}

// PPO (Schulman et al. 2017, eq. 7), with the ratio rho_t = pi(y_t) / pi_old(y_t) of each token:
// loss = mean over responses of -sum_t min(rho_t A_t, clip(rho_t, 1-eps, 1+eps) A_t). Where the
// clipped term is the smaller, nothing is left to gain and dlogp is 0; clip_frac counts these.
static double loss_ppo(Batch *b, const Options *o) {
    double loss = 0, clipped = 0, tokens = 0;
    for (int r = 0; r < b->n_rows; r++) {
        for (int i = b->start[r]; i < b->row[r + 1]; i++) {
            double A = (double)b->advantage[i], rho = exp((double)(b->logp[i] - b->old_logp[i]));
            double bounded = fmin(fmax(rho, 1 - o->clip), 1 + o->clip);
            int past = bounded * A < rho * A;
            loss -= (past ? bounded : rho) * A / b->n_rows;
            b->dlogp[i] = past ? 0 : (real)(-rho * A / b->n_rows);
            clipped += past;
            tokens++;
        }
    }
    b->clip_frac = clipped / tokens;
    return loss;
}

// The value head's loss, with PPO's clip (as TRL has it): mean over responses of the sum over
// tokens of 0.1 / 2 max((V - return)^2, (clip(V, V_old - 0.2, V_old + 0.2) - return)^2). The value
// of y_t stands at the token before. Writes dvalue.
static double loss_value(Batch *b) {
    double loss = 0, scale = 0.1 / b->n_rows;
    for (int r = 0; r < b->n_rows; r++) {
        for (int i = b->start[r]; i < b->row[r + 1]; i++) {
            double V = (double)b->value[i - 1], old = (double)b->old_value[i - 1];
            double gap = V - (double)b->returns[i];
            double bounded = fmin(fmax(V, old - 0.2), old + 0.2) - (double)b->returns[i];
            int past = bounded * bounded > gap * gap;
            loss += scale / 2 * (past ? bounded * bounded : gap * gap);
            b->dvalue[i - 1] = past ? 0 : (real)(scale * gap);
        }
    }
    return loss;
}

// PPO as in RLHF: with --baseline value, the head learns along with the policy.
static double loss_ppo_value(Batch *b, const Options *o) { return loss_ppo(b, o) + loss_value(b); }

// DPO (Rafailov et al. 2023, eq. 7): h = log pi/pi_ref (y_w) - log pi/pi_ref (y_l),
// loss = mean over pairs of -log sigmoid(beta h). y_l is pushed down exactly as hard as y_w up.
static double loss_dpo(Batch *b, const Options *o) {
    double loss = 0;
    for (int p = 0; p < b->n_pairs; p++) {
        Pair y = b->pair[p];
        double h = logratio(b, y.won) - logratio(b, y.lost), weight = y.weight / b->n_pairs;
        double g = weight * o->beta * exp(log_sigmoid(-o->beta * h));
        loss -= weight * log_sigmoid(o->beta * h);
        push(b, y.won, -g);
        push(b, y.lost, g);
    }
    return loss;
}

// IPO (Azar et al. 2023, eq. 17): loss = mean over pairs of (h - 1/(2 tau))^2. Pulls each margin to
// a finite target, where DPO would widen it for ever. The paper's h sums over tokens; with ipo_mean
// each response's part is divided by its length, as its authors later advised.
static double loss_ipo(Batch *b, const Options *o) {
    double loss = 0;
    for (int p = 0; p < b->n_pairs; p++) {
        Pair y = b->pair[p];
        double won = o->ipo_mean ? 1.0 / (b->row[y.won + 1] - b->start[y.won]) : 1;
        double lost = o->ipo_mean ? 1.0 / (b->row[y.lost + 1] - b->start[y.lost]) : 1;
        double gap = won * logratio(b, y.won) - lost * logratio(b, y.lost) - 1 / (2 * o->tau);
        double weight = y.weight / b->n_pairs;
        loss += weight * gap * gap;
        push(b, y.won, 2 * weight * gap * won);
        push(b, y.lost, -2 * weight * gap * lost);
    }
    return loss;
}

// SFT from scratch: the mean over all tokens of -log p. Here a row is one response to its start.
static double loss_tokens(Batch *b, const Options *o) {
    double loss = 0;
    for (int r = 0; r < b->n_rows; r++) { loss += imitate(b, r, 1.0 / (b->n_tokens - b->n_rows)); }
    return loss;
}

// Bradley and Terry 1952, for the reward model: loss = mean over pairs of -log sigmoid(s_w - s_l).
// A response's score s is the head at its last token. Writes dvalue; knows no log-probabilities.
static double loss_bradley_terry(Batch *b, const Options *o) {
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

#pragma GCC diagnostic pop
typedef double (*Loss)(Batch *, const Options *);

// A method is a loss, and what the loop must prepare for it.
typedef struct {
    const char *name, *help, *on_policy, *reuse, *negative;  // the paper's three axes
    Loss loss;
    int pairs, ref, old;      // needs pairs, reference and sampling log-probabilities
    double beta;              // default of --beta
    double lr[5];  // the default: bandit; stories: fresh samples, fixed, pairs, fresh with --kl
} Method;

static const Method METHODS[] = {
    {"sft", "imitates all responses", "no", "yes", "no", loss_sft, 0, 0, 0, 0,
     {3e-4, 1e-4, 1e-4, 1e-4, 1e-4}},
    {"pref-ft", "imitates winners of pairs (filtered SFT on chosen)", "no", "yes", "no",
     loss_pref_ft, 1, 0, 0, 0, {3e-4, 1e-4, 1e-4, 1e-3, 1e-4}},
    {"bon", "imitates the best of n (fresh: RAFT, expert iteration)", "either", "either",
     "no", loss_bon, 0, 0, 0, 0, {1e-3, 1e-2, 1e-2, 1e-2, 3e-3}},
    {"rwr", "imitates all, weighted by exp(A/beta)", "either", "either", "no",
     loss_rwr, 0, 0, 0, 1, {3e-4, 3e-3, 3e-3, 3e-3, 3e-4}},
    {"reinforce", "policy gradient (with --baseline loo: RLOO)", "yes", "no", "with a baseline",
     loss_reinforce, 0, 0, 0, 0, {1e-3, 1e-3, 3e-3, 1e-4, 3e-4}},
    {"ppo", "clipped policy gradient (group baseline: GRPO-like)", "yes", "yes", "yes",
     loss_ppo, 0, 0, 1, 0, {1e-3, 3e-3, 3e-3, 3e-3, 3e-4}},
    {"dpo", "widens pairs' margins (with ON_POLICY: online DPO)", "either", "yes", "yes",
     loss_dpo, 1, 1, 0, 0.1, {3e-3, 1e-3, 1e-3, 3e-4, 3e-4}},
    {"ipo", "pulls pairs' margins to 1/(2 tau)", "either", "yes", "yes",
     loss_ipo, 1, 1, 0, 0, {1e-2, 1e-4, 1e-4, 1e-4, 1e-4}},
};
enum { N_METHODS = sizeof METHODS / sizeof *METHODS };

// How an advantage is made of the rewards of a group.
enum { NO_BASELINE, LEAVE_ONE_OUT, GROUP_BASELINE, VALUE_BASELINE };
static const char *const BASELINES[] = {"none", "loo", "group", "value"};

// Set advantages from the rewards r of a group, each less kl log pi/pi_ref at collection: none r;
// loo r - mean of the others; group (r - mean) / (std + 1e-8), std with n-1; 0 if all are equal.
static void advantages(Batch *b, int baseline, double kl) {
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

// Generalised advantage estimation (Schulman et al. 2016) over the tokens of a response, gamma 1:
//     delta_t = r_t + V_{t+1} - V_t,   A_t = delta_t + lambda A_{t+1},   return_t = A_t + V_t,
// with r_t the reward at the last token, less kl log pi/pi_ref at each. The advantages of all
// responses are then brought to mean 0 and standard deviation 1.
static void gae(Batch *b, double lambda, double kl) {
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

// All pairs within groups whose rewards differ.
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

// ==== 10  The training loop ======================================================================

// The loss of b->logp and b->value; writes dlogp and dvalue. --neg scales what pushes tokens down
// (tune's option: elsewhere it is 0, where nothing is pushed down).
static double weigh(Batch *b, Loss loss, const Options *o) {
    memset(b->dlogp, 0, (size_t)b->n_tokens * sizeof(real));
    memset(b->dvalue, 0, (size_t)b->n_tokens * sizeof(real));
    double x = loss(b, o);
    for (int i = 0; i < b->n_tokens; i++) {
        if (b->dlogp[i] > 0) { b->dlogp[i] *= (real)o->neg; }
    }
    return x;
}

// What a loss wants of the network: log-probabilities, the scalar head's values, or both.
static int wants_logp(Loss loss) { return loss != loss_bradley_terry; }
static int wants_value(Loss loss) { return loss == loss_bradley_terry || loss == loss_ppo_value; }

// The loss of a batch under g: a forward pass, and dlogp and dvalue to go back with.
static double batch_loss(const GPT *g, Acts *a, Batch *b, Loss loss, const Options *o) {
    gpt_forward(g, a, b, wants_logp(loss) ? b->logp : NULL, wants_value(loss) ? b->value : NULL);
    return weigh(b, loss, o);
}

// One gradient step of g: forward, loss, backward, AdamW. step counts from 1; name says who steps,
// for errors. Returns the loss, and in *norm the gradient's norm. Error: one is not finite.
static double learn(GPT *g, Acts *a, Batch *b, const char *name, Loss loss, const Options *o,
                    double lr, double max_norm, int step, double *norm) {
    double x = batch_loss(g, a, b, loss, o);
    gpt_backward(g, a, b, wants_logp(loss) ? b->dlogp : NULL, wants_value(loss) ? b->dvalue : NULL);
    *norm = adamw(g, lr, max_norm, step);
    if (!isfinite(x) || !isfinite(*norm)) {
        stop(1, "%s: the loss is not finite at step %d; try a smaller --lr", name, step);
    }
    return x;
}

// What supervised training reads, its items numbered from `first` to before `end`: documents for a
// language model, or pairs for a reward model. Item i is pair number order[i], rows 2 order[i]
// (which won) and 2 order[i] + 1 of a batch.
typedef struct {
    const Corpus *docs;
    const Batch *pairs;
    const int *order;
    int first, end;
} Lessons;

static void batch_add_lesson(Batch *b, const Lessons *from, int i, int T) {
    if (from->docs) { batch_add_story(b, from->docs, i, T, 1); }
    for (int k = 0; k < 2 && from->pairs; k++) {
        const int *row = from->pairs->row + 2 * from->order[i] + k;
        batch_add(b, from->pairs->token + row[0], row[1] - row[0], 1);
    }
    if (from->pairs) { b->pair[b->n_pairs++] = (Pair){b->n_rows - 2, b->n_rows - 1, 1}; }
}

// The mean loss over all items, nats a token or a pair, a batch at a time.
static double lessons_loss(const GPT *g, Acts *a, Batch *b, Loss loss, const Lessons *from,
                           const Options *o) {
    double total = 0, n = 0;
    for (int i = from->first; i < from->end;) {
        for (batch_clear(b); i < from->end && b->n_rows < b->max_rows; i++) {
            batch_add_lesson(b, from, i, g->c.maxT);
        }
        double items = from->docs ? b->n_tokens - b->n_rows : b->n_pairs;
        total += items * batch_loss(g, a, b, loss, o);
        n += items;
    }
    return total / n;
}

// End a run that was interrupted after this step. The model is kept if -o asked for one, under a
// name that says that it is not finished.
static _Noreturn void end_early(const GPT *g, const Options *o, int step) {
    char path[NAME_BYTES] = "";
    progress("%s", "");
    training = 0;
    if (o->out) {
        snprintf(path, sizeof path, "%s.unfinished", o->out);
        gpt_save(g, path);
    }
    stop(128 + interrupted, "interrupted after step %d of %d%s%s", step, o->steps,
         o->out ? "; the model so far is " : "", path);
}

// The learning rate of a step: linear warm-up over a twentieth of the steps, then half a cosine
// down to 0.
static double scheduled_rate(double lr, int step, int steps) {
    double warm = step / (0.05 * steps + 1), done = (double)step / steps;
    return lr * (warm < 1 ? warm : 0.5 * (1 + cos(3.141592653589793 * done)));
}

enum { ROW_BYTES = 256 };  // most bytes in a row of the log of fit()

// Supervised training of g: AdamW, its rate warmed up and then brought to 0, over the lessons (from
// 0 on) in a new order each pass. Ten times it prints and logs the loss, on them and on those held.
// Returns the log, whose last row is left in `last`: it is to be written once the model has been.
static Output fit(GPT *g, const char *name, Loss loss, const Lessons *from, const Lessons *held,
                  const Options *o, char last[ROW_BYTES]) {
    int T = g->c.maxT, group = from->docs ? 1 : 2, n_rows = o->batch * group, since = 0;
    int every = (o->steps + 9) / 10;
    double chance = from->docs ? log((double)g->c.V) : log(2.0);  // the loss of guessing
    Acts a = acts_new(g, n_rows, T, 1);
    Batch b = batch_new(n_rows, n_rows * T, group);
    Deck deck = deck_new(from->end, o->seed, 'e');
    Output log = csv_open(o->log, "step,loss,val_loss,lr,grad_norm,tokens_per_second,seconds\n");
    printf("%.2f M parameters, %d thread%s\n", (double)g->n_params / 1e6, threads(),
           threads() > 1 ? "s" : "");
    double spent = 0, total = 0, norms = 0, norm, tokens = 0, first = 0;
    int hopeless = 0;
    training = 1;  // from here on a signal ends the loop after the step under way
    for (int step = 1; step <= o->steps; step++) {
        double begin = seconds();
        for (batch_clear(&b); b.n_rows < n_rows;) { batch_add_lesson(&b, from, deal(&deck), T); }
        double lr = scheduled_rate(o->lr, step, o->steps);
        double x = learn(g, &a, &b, name, loss, o, lr, 1, step, &norm);
        first = step == 1 ? x : first;
        total += x;
        norms += norm;
        tokens += b.n_tokens;
        since++;
        spent += seconds() - begin;
        progress("step %d of %d, loss %.3f, about %.0f s left", step, o->steps, x,
                 spent / step * (o->steps - step));
        if (step % every == 0 || step == o->steps) {
            double v = lessons_loss(g, &a, &b, loss, held, o);
            progress("%s", "");
            printf("step %5d  train %.4f  validation %.4f  %.0f tokens/s  %.0f s\n", step,
                   total / since, v, tokens / spent, spent);
            fflush(stdout);
            if (v > fmax(1.5 * chance, first) && !hopeless++) {  // stories start above chance
                note("guessing has a validation loss of %.2f: --lr %g is probably too high", chance,
                     o->lr);
            }
            snprintf(last, ROW_BYTES, "%d,%.6f,%.6f,%.6g,%.6g,%.0f,%.3f\n", step, total / since, v,
                     lr, norms / since, tokens / spent, spent);
            if (log.f && step < o->steps) { fputs(last, log.f); }
            total = norms = since = 0;
        }
        if (interrupted && step < o->steps) { end_early(g, o, step); }
    }
    training = 0;
    return log;
}

// Save a model; only then complete the log of its training.
static void save_trained(const GPT *g, const Options *o, Output *log, const char *last) {
    gpt_save(g, o->out);
    if (log->f) { fputs(last, log->f); }
    output_close(log);
}

// The bandit's reference policy: SFT on responses drawn from its data.
static GPT bandit_reference(int len, int seed) {
    enum { STEPS = 300, ROWS = 256 };
    GPT g = gpt_new((Config){len + 1, BANDIT_TOKENS, 3, 3, 48, BANDIT_TOKENS}, 0, 1);
    gpt_init(&g, seed);
    Acts a = acts_new(&g, ROWS, len + 1, 1);
    Batch b = batch_new(ROWS, ROWS * (len + 1), 1);
    Rng r = rng_stream(seed, 'd', 0);
    double p[BANDIT_TOKENS], norm;
    bandit_data(p);
    for (int step = 1; step <= STEPS; step++) {
        for (batch_clear(&b); b.n_rows < ROWS;) { batch_add_bandit(&b, p, len, &r); }
        learn(&g, &a, &b, "the reference", loss_tokens, &(Options){0}, 3e-3, 0, step, &norm);
        progress("training the reference, step %d of %d", step, STEPS);
    }
    return g;
}

// Everything a tuning run holds.
typedef struct {
    const Options *o;
    World world;
    const Method *method;
    Loss loss;                 // the method's, or PPO's with a value head
    int baseline;
    GPT policy, ref, rm;       // rm: the reward model, if there is one
    Acts acts, rm_acts, sampler;
    Batch prompts, data;       // the prompts drawn last; a collection
    Batch step;                // what one gradient step reads
    Batch eval;                // fresh samples of the policy, to measure it
    Batch probe;               // pairs of reference samples, to watch their log-probabilities
    int queries, updates;
    Output log, hist;
    double start_gold, start_entropy;  // the reference's, at step 0
    int n_bins;                // of the histogram: tokens in the bandit, lengths of stories
    double *count;
    struct { double loss, push_up, push_down, grad_norm, clip_frac, n; } sum;  // since the last row
    double spent;              // seconds, evaluation left out
} Run;

enum { EVAL_BANDIT = 512, EVAL_STORIES = 256, PROBE_PAIRS = 128 };

// The reward of every row as the reward model has it: its head at the last token. One that was cut
// gets three standard deviations below the reference's mean, for no pair has one that could teach
// it (TRL's "missing EOS penalty").
static void proxy_rewards(Run *run, Batch *b) {
    gpt_forward(&run->rm, &run->rm_acts, b, NULL, b->value);
    for (int r = 0; r < b->n_rows; r++) {
        int last = b->row[r + 1] - 1;
        b->reward[r] = b->token[last] == run->world.t.eot ? (double)b->value[last] : -3;
    }
}

// out: n responses of `from` to each of run->prompts.
static void answer(Run *run, const GPT *from, int n, uint64_t stream, Batch *out) {
    const World *w = &run->world;
    Sampling how = {.T = w->T, .eot = is_bandit(w) ? -1 : w->t.eot, .temperature = 1,
                    .seed = run->o->seed, .stream = stream};
    rollout(from, &run->sampler, &run->prompts, n, &how, out);
}

// The same for n_prompts new prompts, of stories those of c. stream names what for.
static void sample_rows(Run *run, const GPT *from, const Corpus *c, int n_prompts, int n,
                        uint64_t stream, Batch *out) {
    Rng r = rng_stream(run->o->seed, 'x', stream);
    batch_clear(&run->prompts);
    for (int i = 0; i < n_prompts; i++) { batch_add_prompt(&run->prompts, &run->world, c, &r); }
    answer(run, from, n, stream, out);
}

// data: n_prompts prompts, their responses by `from` (NULL: those of the pairs file, in place), and
// all that a loss will want to know of them. The bandit's reward is the truth. That of stories is
// the reward model's, or the file's 1 and 0: their truth is read by evaluation alone.
static void collect(Run *run, const GPT *from, int n_prompts, int round) {
    Batch *b = &run->data;
    const Options *o = run->o;
    int values = run->baseline == VALUE_BASELINE;
    double kl = round ? o->kl : 0;  // before the first step the policy is the reference
    if (from) { sample_rows(run, from, &run->world.train, n_prompts, o->n, round + 1000, b); }
    run->queries += b->n_rows;
    if (is_bandit(&run->world)) { gold_rewards(&run->world, b); }
    int labelled = !from && run->method->pairs;  // a file's pairs keep their order
    if (run->rm.params && !labelled) { proxy_rewards(run, b); }
    if (run->method->old || kl > 0) {  // the policy is still as it was when these were sampled
        gpt_forward(&run->policy, &run->acts, b, b->old_logp, values ? b->old_value : NULL);
    }
    if (run->method->ref || kl > 0) { gpt_forward(&run->ref, &run->acts, b, b->ref_logp, NULL); }
    if (values) { gae(b, o->gae, kl); }
    if (!values) { advantages(b, run->baseline, kl); }
}

// Copy the rows of the next prompts of data, and what is known of them, to step.
static void gather(Run *run, Deck *deck) {
    Batch *from = &run->data, *to = &run->step;
    const real *known[] = {from->ref_logp, from->old_logp, from->advantage, from->old_value,
                           from->returns};
    real *copy[] = {to->ref_logp, to->old_logp, to->advantage, to->old_value, to->returns};
    batch_clear(to);
    for (int i = 0; i < run->o->batch; i++) {
        int first = deal(deck) * to->group;
        for (int r = first; r < first + to->group; r++) {
            int at = from->row[r], n = from->row[r + 1] - at, end = to->n_tokens;
            for (int k = 0; k < 5; k++) { memcpy(copy[k] + end, known[k] + at, n * sizeof(real)); }
            to->reward[to->n_rows] = from->reward[r];
            batch_add(to, from->token + at, n, from->start[r] - at);
        }
    }
    if (run->method->pairs) { make_pairs(to); }
}

// One step of the policy on run->step; adds to the sums that the next row of the log will show.
static void gradient_step(Run *run) {
    Batch *b = &run->step;
    double norm;
    if (run->method->pairs && b->n_pairs == 0) { return; }  // all rewards equal: nothing to learn
    run->sum.loss += learn(&run->policy, &run->acts, b, run->method->name, run->loss, run->o,
                           run->o->lr, 1, ++run->updates, &norm);
    for (int i = 0; i < b->n_tokens; i++) {
        double d = (double)b->dlogp[i];
        *(d > 0 ? &run->sum.push_down : &run->sum.push_up) += fabs(d);
    }
    run->sum.grad_norm += norm;
    run->sum.clip_frac += b->clip_frac;
    run->sum.n++;
}

// Whether no earlier row has the same response.
static int is_new(const Batch *b, int r) {
    const int *y = b->token + b->start[r], n = b->row[r + 1] - b->start[r];
    for (int i = 0; i < r; i++) {
        int as_long = b->row[i + 1] - b->start[i] == n;
        if (as_long && !memcmp(b->token + b->start[i], y, n * sizeof(int))) { return 0; }
    }
    return 1;
}

// What is measured of each response: columns of the log, in its order.
enum { GOLD, PROXY, KL, ENTROPY, DISTINCT, LENGTH, N_MEASURES };

// Of row r, whose logp and ref_logp, and with a reward model reward, are set.
static double measure(const Run *run, const Batch *b, int r, int what) {
    switch (what) {
    case GOLD: return truth(&run->world, b, r);
    case PROXY: return run->rm.params ? b->reward[r] : NAN;  // NAN: an empty field
    case KL: return logratio(b, r);
    case ENTROPY: return -response_sum(b, b->logp, r);
    case DISTINCT: return is_new(b, r);
    default: return b->row[r + 1] - b->start[r];
    }
}

static const char LOG_HEADER[] = "step,queries,loss,gold_reward,proxy_reward,kl,entropy,distinct,"
    "response_len,logp_chosen,logp_rejected,reward_margin,reward_accuracy,push_up,push_down,"
    "grad_norm,clip_frac,seconds\n";

// The policy's answers to new validation prompts, and all that measure() reads of them.
static void assess(Run *run, uint64_t stream) {
    Batch *b = &run->eval;
    sample_rows(run, &run->policy, &run->world.val, b->max_rows, 1, stream, b);
    if (run->rm.params) { proxy_rewards(run, b); }
    gpt_forward(&run->policy, &run->acts, b, b->logp, NULL);
    gpt_forward(&run->ref, &run->acts, b, b->ref_logp, NULL);
}

// Measure the policy on fresh samples and on the probe pairs; write a row of the log, and one of
// the histogram; print a line. Nothing measured here reaches the training.
static void evaluate(Run *run, int step) {
    Batch *b = &run->eval, *probe = &run->probe;
    assess(run, (uint64_t)step << 32 | 1);
    double mean[N_MEASURES] = {0}, counted = 0;
    memset(run->count, 0, (size_t)run->n_bins * sizeof *run->count);
    for (int r = 0; r < b->n_rows; r++) {
        for (int k = 0; k < N_MEASURES; k++) { mean[k] += measure(run, b, r, k) / b->n_rows; }
        int length = b->row[r + 1] - b->start[r], bandit = is_bandit(&run->world);
        counted += bandit ? length : 1;
        if (!bandit) { run->count[length - 1]++; }
        for (int i = 0; i < length && bandit; i++) { run->count[b->token[b->start[r] + i]]++; }
    }
    gpt_forward(&run->policy, &run->acts, probe, probe->logp, NULL);
    double chosen = probe->n_pairs ? 0 : NAN, rejected = chosen, margin = chosen, accuracy = chosen;
    for (int p = 0; p < probe->n_pairs; p++) {
        int won = probe->pair[p].won, lost = probe->pair[p].lost;
        double h = logratio(probe, won) - logratio(probe, lost);
        chosen += response_sum(probe, probe->logp, won) / probe->n_pairs;
        rejected += response_sum(probe, probe->logp, lost) / probe->n_pairs;
        margin += h / probe->n_pairs;
        accuracy += (h > 0 ? 1 : h < 0 ? 0 : 0.5) / probe->n_pairs;
    }
    progress("%s", "");
    printf("step %5d  queries %6d  reward %.4f  ", step, run->queries, mean[GOLD]);
    if (run->rm.params) { printf("proxy %6.3f  length %5.1f  ", mean[PROXY], mean[LENGTH]); }
    printf("KL %7.3f  entropy %6.2f  distinct %.3f\n", mean[KL], mean[ENTROPY], mean[DISTINCT]);
    fflush(stdout);
    if (step == 0) {
        run->start_gold = mean[GOLD];
        run->start_entropy = mean[ENTROPY];
    } else if (mean[ENTROPY] < 0.01 * run->start_entropy && mean[GOLD] < run->start_gold) {
        note("the policy has collapsed: it has entropy %.2f (the reference: %.2f) and earns less; "
             "--lr %g is probably too high", mean[ENTROPY], run->start_entropy, run->o->lr);
    }
    if (run->log.f) {
        double n = run->sum.n > 0 ? run->sum.n : NAN;
        const double row[] = {
            run->sum.loss / n, mean[GOLD], mean[PROXY], mean[KL], mean[ENTROPY], mean[DISTINCT],
            mean[LENGTH], chosen, rejected, margin, accuracy, run->sum.push_up / n,
            run->sum.push_down / n, run->sum.grad_norm / n,
            run->method->old ? run->sum.clip_frac / n : NAN};
        fprintf(run->log.f, "%d,%d", step, run->queries);
        for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
            fprintf(run->log.f, isnan(row[i]) ? "," : ",%.6g", row[i]);
        }
        fprintf(run->log.f, ",%.3f\n", run->spent);
    }
    FILE *hist = run->hist.f;
    if (hist) {
        fprintf(hist, "%d", step);
        for (int i = 0; i < run->n_bins; i++) { fprintf(hist, ",%.6g", run->count[i] / counted); }
        fputc('\n', hist);
    }
    memset(&run->sum, 0, sizeof run->sum);
}

// Pairs of reference samples that the truth tells apart, the same for every method.
static void make_probe(Run *run) {
    Batch *b = &run->probe;
    sample_rows(run, &run->ref, &run->world.val, 2 * PROBE_PAIRS, 2, 2, b);
    gold_rewards(&run->world, b);
    make_pairs(b);
    b->n_pairs = min_int(b->n_pairs, PROBE_PAIRS);
    if (b->n_pairs > 0) { b->n_rows = 1 + (b->pair[b->n_pairs - 1].won | 1); }  // no more is needed
    gpt_forward(&run->ref, &run->acts, b, b->ref_logp, NULL);
}

// The most that imitation of fixed data can earn: the true reward of the responses, weighted as the
// method weights them (NAN: it weights none). Read off dlogp, which for these methods does not
// depend on the policy.
static double imitation_bound(Run *run) {
    Batch *b = &run->data;
    double weights = 0, total = 0;
    make_pairs(b);
    weigh(b, run->loss, run->o);
    for (int r = 0; r < b->n_rows; r++) {
        double weight = -(double)b->dlogp[b->start[r]];
        weights += weight;
        total += weight * truth(&run->world, b, r);
    }
    return total / weights;
}

// The paper's unified algorithm. The two builds differ in who samples, and in how often.
static void train(Run *run) {
    const Options *o = run->o;
    int T = run->world.T;
    // prompts to collect in all: steps * batch / reuse, rounded up to whole steps
    double all = ceil(ceil((double)o->steps * o->batch / o->reuse) / o->batch) * o->batch;
#ifdef ON_POLICY
    const GPT *from = &run->policy;  // the policy as it is at that moment
    double at_once = fmin(o->collect, all);
#else
    const GPT *from = &run->ref;     // the reference, once
    double at_once = all;
    if (o->pairs) {                  // or whoever wrote the file, for as many passes as it takes
        from = NULL;
        at_once = all = run->data.n_rows / 2;
    }
#endif
    if (at_once * o->n * fmax(T, o->n) > INT_MAX) {
        stop(1, "a collection of %.0f prompts with %d responses each is too large", at_once, o->n);
    }
    int most = (int)at_once, rows = most * o->n, room = (int)fmax(from ? rows : 0, EVAL_BANDIT);
    if (from) { run->data = batch_new(rows, rows * T, o->n); }
    run->prompts = batch_new(room, room * min_int(T, MAX_PROMPT), 1);
    run->sampler = sampler_new(run->policy.c, room, T);
    Deck deck = deck_new(most, o->seed, 'o');
    make_probe(run);
    evaluate(run, 0);
    training = 1;
    for (long long step = 1, left = 0, round = 0; step <= o->steps; step++, left--) {
        double begin = seconds();
        if (left == 0) {
            int n_prompts = (int)fmin(most, all - (double)round * most);
            collect(run, from, n_prompts, (int)round++);
            deck_restart(&deck, n_prompts);
            left = from ? (long long)n_prompts * o->reuse / o->batch : o->steps;
            int imitates = n_prompts == all && !strcmp(run->method->negative, "no");
            double best = imitates ? imitation_bound(run) : NAN;
            if (best >= 0) { printf("imitating these samples perfectly would earn %.4f\n", best); }
        }
        gather(run, &deck);
        gradient_step(run);
        run->spent += seconds() - begin;
        progress("%s, step %lld of %d", run->method->name, step, o->steps);
        if (step == o->steps && o->out) { gpt_save(&run->policy, o->out); }  // before the last row
        if (step % o->eval_every == 0 || step == o->steps) { evaluate(run, (int)step); }
        if (interrupted && step < o->steps) { end_early(&run->policy, o, (int)step); }
    }
    training = 0;
}

// ==== 11  Commands ===============================================================================

static const char NEEDED[] = "needed";  // in place of a default: there is no doing without it

// Every option of every command: how to read it, its limits, its default, its line of help.
static const struct Option {
    const char *name, *commands, *value;  // value: NULL for a switch, an int that becomes 1
    char kind;  // i: int, d: double, s: string
    size_t at;
    double least, most;
    const char *standard, *help;
} OPTIONS[] = {
#define AT(field) offsetof(Options, field)
    {"-m", "sample score pairs rm eval", "MODEL", 's', AT(model), 0, 0, NEEDED, "the model"},
    {"--ref", "eval", "MODEL", 's', AT(ref), 0, 0, NEEDED, "the reference it was tuned from"},
    {"--method", "tune", "NAME", 's', AT(method), 0, 0, NEEDED, "one of those below"},
    {"--task", "tune pairs eval", "NAME", 's', AT(task), 0, 0, NEEDED, "a task of pref help tune"},
    {"-m", "tune", "MODEL", 's', AT(model), 0, 0, NULL, "the reference (bandit: made on the spot)"},
    {"--rm", "tune eval", "FILE", 's', AT(rm), 0, 0, NULL, "stories: the reward model"},
    {"--pairs", "rm", "FILE", 's', AT(pairs), 0, 0, NEEDED, "preference pairs"},
    {"--pairs", "tune", "FILE", 's', AT(pairs), 0, 0, NULL, "pairs to learn from, not samples"},
    {"--task", "sft", "bandit", 's', AT(task), 0, 0, NULL,
     "the bandit's reference; takes -o, --len and --seed"},
    {"-o", "sft", "FILE", 's', AT(out), 0, 0, "sft.bin", "where the model goes"},
    {"-o", "pairs rm", "FILE", 's', AT(out), 0, 0, NEEDED, "where the result goes"},
    {"-o", "tune", "FILE", 's', AT(out), 0, 0, NULL, "where the tuned model goes"},
    {"--data", "sft sample score pairs rm tune eval info", "FILE", 's', AT(data), 0, 0,
     "tinystories_tok.bin", "tokenizer and stories"},
    {"--steps", "sft", "N", 'i', AT(steps), 1, 1e9, "4000", "gradient steps"},
    {"--batch", "sft", "B", 'i', AT(batch), 1, 65536, "16", "stories a step"},
    {"--lr", "sft", "X", 'd', AT(lr), 1e-12, 1, "0.003", "highest learning rate"},
    {"--steps", "rm", "N", 'i', AT(steps), 1, 1e8, "300", "gradient steps"},
    {"--batch", "rm", "B", 'i', AT(batch), 1, 65536, "32", "pairs a step"},
    {"--lr", "rm", "X", 'd', AT(lr), 1e-12, 1, "0.003", "learning rate"},
    {"-n", "pairs", "N", 'i', AT(n), 1, 1e7, "2000", "number of pairs"},
    {"--label-noise", "pairs", "X", 'd', AT(label_noise), 0, 1e6, "0", "labels' temperature"},
    {"-n", "eval", "N", 'i', AT(n), 2, 1e5, "256", "number of prompts"},
    {"--count", "eval", "W,W", 's', AT(count), 0, 0, NULL, "the share of each of these words"},
    {"--steps", "tune", "N", 'i', AT(steps), 1, 1e8, NULL, "gradient steps (1000; stories 80)"},
    {"--queries", "tune", "N", 'i', AT(queries), 1, 1e9, NULL, "or: responses in all"},
    {"--batch", "tune", "N", 'i', AT(batch), 1, 65536, NULL, "prompts (10; stories 8, pairs 32)"},
    {"-n", "tune", "N", 'i', AT(n), 1, 1024, NULL, "responses to each (10; stories 8, pairs 2)"},
    {"--collect", "tune", "N", 'i', AT(collect), 1, 1e8, NULL, "prompts a collection (--batch)"},
    {"--reuse", "tune", "T", 'i', AT(reuse), 1, 1e6, NULL, "passes over each (10; stories 2)"},
    {"--lr", "tune", "X", 'd', AT(lr), 1e-12, 1, NULL, "learning rate (the method's, see below)"},
    {"--beta", "tune", "X", 'd', AT(beta), 1e-6, 1e6, NULL, "temperature: dpo (0.1), rwr (1)"},
    {"--tau", "tune", "X", 'd', AT(tau), 1e-6, 1e6, "0.05", "ipo: margins are pulled to 1/(2 tau)"},
    {"--kl", "tune", "X", 'd', AT(kl), 0, 1e6, "0", "subtract X log(pi/pi_ref) from rewards"},
    {"--clip", "tune", "X", 'd', AT(clip), 1e-6, 1e6, "0.2", "ppo: ratios are clipped to 1 +- X"},
    {"--baseline", "tune", "NAME", 's', AT(baseline), 0, 0, "group", "none, loo, group, value"},
    {"--gae", "tune", "X", 'd', AT(gae), 0, 1, "0.95", "lambda, with --baseline value"},
    {"--neg", "tune", "X", 'd', AT(neg), 0, 1e6, "1", "multiply all weights that push tokens down"},
    {"--ipo-mean", "tune", NULL, 'i', AT(ipo_mean), 0, 1, NULL, "ipo: average over tokens"},
    {"--len", "tune sft", "N", 'i', AT(len), 1, 1000, NULL, "bandit: tokens in a response (9)"},
    {"--eval-every", "tune", "N", 'i', AT(eval_every), 1, 1e9, NULL, "steps between rows"},
    {"--hist", "tune", "FILE", 's', AT(hist), 0, 0, NULL, "write shares of tokens or lengths"},
    {"-L", "sft", "N", 'i', AT(L), 1, 1000, "2", "layers"},
    {"-L", "bench", "N", 'i', AT(L), 1, 1000, "4", "layers"},
    {"-H", "sft bench", "N", 'i', AT(NH), 1, 1000, "4", "attention heads"},
    {"-C", "sft bench", "N", 'i', AT(C), 1, 65536, "128", "channels"},
    {"-V", "bench", "N", 'i', AT(V), 2, 65536, "512", "vocabulary"},
    {"-B", "bench", "N", 'i', AT(batch), 1, 65536, "32", "rows in a batch"},
    {"-T", "sft bench", "N", 'i', AT(T), 2, 65536, "128", "context: most tokens in a row"},
    {"-p", "sample", "TEXT", 's', AT(prompt), 0, 0, "", "the text to continue"},
    {"-n", "sample", "N", 'i', AT(n), 1, 65536, "3", "number of samples"},
    {"--temp", "sample", "X", 'd', AT(temperature), 0, 1000, "1", "temperature; 0: greedy"},
    {"--top-k", "sample", "N", 'i', AT(top_k), 0, 65536, "0", "draw from the N likeliest; 0: all"},
    {"--max-len", "sample", "N", 'i', AT(max_len), 1, 65536, "65536", "most tokens to add"},
    {"--text", "score", "TEXT", 's', AT(text), 0, 0, NULL, "score this, after the start token"},
    {"--ids", "score", "FILE", 's', AT(ids), 0, 0, NULL, "score rows of token ids, one a line"},
    {"--seed", "sft sample tune pairs rm eval", "N", 'i', AT(seed), 0, INT_MAX, "1", "random seed"},
    {"--log", "sft tune rm eval", "FILE", 's', AT(log), 0, 0, NULL, "write a CSV"},
#undef AT
};
enum { N_OPTIONS = sizeof OPTIONS / sizeof *OPTIONS };

// The next of some words that are separated by commas, without spaces around it: returns where it
// starts and sets its length *n, and moves *words past it. NULL: there is none left.
static const char *next_word(const char **words, size_t *n) {
    const char *word = *words + strspn(*words, " ,");
    *n = strcspn(word, ",");
    *words = word + *n;
    while (*n && word[*n - 1] == ' ') { --*n; }
    return *n ? word : NULL;
}

// Whether text has one of the words (separated by commas), as a whole word.
static int has_any(const char *text, const char *words) {
    size_t n;
    for (const char *word; (word = next_word(&words, &n)) != NULL;) {
        for (const char *p = text; *p; p++) {
            int begins = p == text || kind(p[-1]) != 'a';
            if (begins && !strncmp(p, word, n) && kind(p[n]) != 'a') { return 1; }
        }
    }
    return 0;
}

// A usage error, if something is wrong.
static void refuse(int wrong, const char *why) {
    if (wrong) { stop(2, "%s", why); }
}

// Index of `word` in a table whose rows begin with a name. A usage error lists the valid names.
static int find(const char *what, const char *word, const void *table, size_t n, size_t row_size) {
    char names[1024] = "";
    for (size_t i = 0; i < n; i++) {
        const char *name = *(const char *const *)((const char *)table + i * row_size);
        if (!strcmp(name, word)) { return (int)i; }
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", name);
    }
    stop(2, "unknown %s '%s'; there are %s", what, word, names);
}

// Put the text of an option's value where it belongs in o.
static void option_set(Options *o, const struct Option *p, const char *text) {
    char *field = (char *)o + p->at, *end;
    if (p->kind == 's') {
        *(const char **)field = text;
        return;
    }
    errno = 0;
    double x = p->kind == 'i' ? (double)strtoll(text, &end, 10) : strtod(text, &end);
    if (end == text || *end || errno || !(x >= p->least && x <= p->most)) {
        stop(2, "%s %s: expected %s from %g to %g", p->name, text,
             p->kind == 'i' ? "a whole number" : "a number", p->least, p->most);
    }
    if (p->kind == 'i') { *(int *)field = (int)x; }
    if (p->kind == 'd') { *(double *)field = x; }
}

// The options of a command, defaults first. Errors (status 2): what the table does not allow.
static Options options_parse(const char *command, int argc, char **argv) {
    Options o = {0};
    struct Option own[N_OPTIONS], *p;
    int n = 0;
    for (int i = 0; i < N_OPTIONS; i++) {
        if (!has_any(OPTIONS[i].commands, command)) { continue; }
        own[n++] = OPTIONS[i];
        if (OPTIONS[i].standard) { option_set(&o, &OPTIONS[i], OPTIONS[i].standard); }
    }
    for (int a = 0; a < argc; a++) {
        if (argv[a][0] != '-' || !strcmp(argv[a], "-")) {
            if (o.file || (n && strcmp(command, "info"))) {
                stop(2, "unexpected '%s'; see " PROGRAM " help %s", argv[a], command);
            }
            o.file = argv[a];
        } else if (n == 0) {
            stop(2, "%s takes no options, but was given %s", command, argv[a]);
        } else {
            p = own + find("option", argv[a], own, n, sizeof *own);
            if (p->value && a + 1 == argc) {
                stop(2, "%s: expected a value (%s) after it", argv[a], p->value);
            }
            option_set(&o, p, p->value ? argv[++a] : "1");
        }
    }
    for (p = own; p < own + n; p++) {
        if (p->standard == NEEDED && *(const char **)((char *)&o + p->at) == NEEDED) {
            stop(2, "%s %s is needed; see " PROGRAM " help %s", p->name, p->value, command);
        }
    }
    return o;
}

// n continuations of a prompt, as text, an empty line between them.
static void print_samples(const GPT *g, const Tokenizer *t, const int *prompt, int n_prompt, int n,
                          const Sampling *how) {
    Acts s = sampler_new(g->c, n, how->T);
    Batch start = batch_new(1, n_prompt, 1), out = batch_new(n, n * how->T, 1);
    batch_add(&start, prompt, n_prompt, n_prompt);
    rollout(g, &s, &start, n, how, &out);
    for (int r = 0; r < n; r++) {
        print_tokens(t, out.token + out.row[r], out.row[r + 1] - out.row[r], stdout);
        printf("\n%s", r + 1 < n ? "\n" : "");
    }
}

// The shape that -L -H -C -T ask for.
static Config shape(const Options *o, int V) {
    if (o->C % o->NH) {
        stop(2, "-C %d is not a multiple of -H %d: heads share the channels evenly", o->C, o->NH);
    }
    if ((double)o->batch * o->T > INT_MAX) {
        stop(2, "a batch of %d rows of %d tokens is too large", o->batch, o->T);
    }
    return (Config){o->T, V, o->L, o->NH, o->C, V};
}

// The reference policies: the bandit's, or a model of stories from random weights.
static void command_sft(const Options *o) {
    refuse(o->task && strcmp(o->task, "bandit"), "--task: sft knows stories and 'bandit'");
    refuse(o->task && o->log, "--log goes with stories, not with --task bandit");
    refuse(!o->task && o->len, "--len goes with --task bandit, not with stories");
    output_check(o->out);
    if (o->task) {
        GPT bandit = bandit_reference(o->len ? o->len : BANDIT_LEN, o->seed);
        gpt_save(&bandit, o->out);
        return;
    }
    Tokenizer t;
    Corpus train_set, val;
    stories_load(o->data, &t, &train_set, &val);
    GPT g = gpt_new(shape(o, t.V), 0, 1);
    // Tokens used alike, as names are, get alike gradients: what tells them apart is mostly what
    // they start with, so they start wider than GPT-2's (README, "The story model").
    g.tensor[WTE].std = 0.15;
    g.tokenizer = t.print;
    gpt_init(&g, o->seed);
    int n = train_set.n_docs, cut = 0;
    for (int d = 0; d < n; d++) { cut += train_set.doc[d + 1] - train_set.doc[d] > o->T - 1; }
    printf("%d stories to train on, %d to validate, %d longer than the context of %d\n", n,
           val.n_docs, cut, o->T);
    char last[ROW_BYTES];
    Output log = fit(&g, "sft", loss_tokens, &(Lessons){&train_set, NULL, NULL, 0, n},
                     &(Lessons){&val, NULL, NULL, 0, min_int(val.n_docs, 500)}, o, last);
    save_trained(&g, o, &log, last);
    printf("\na sample:\n");
    Sampling how = {.T = o->T, .eot = t.eot, .temperature = 1, .seed = o->seed};
    print_samples(&g, &t, &t.eot, 1, 1, &how);
    printf("\nmore: ./pref sample -m %s -p \"Once upon a time\"\n", o->out);
}

// The model and the tokenizer it was trained with.
static GPT load_with_tokenizer(const Options *o, Tokenizer *t) {
    GPT g = policy_load(o->model);
    *t = tokenizer_load(o->data);
    check_tokenizer(o->model, &g, o->data, t);
    return g;
}

// A row of ids: start token, then the encoded text; *n their number. At most `most`, else an error.
static int *encode_row(const Tokenizer *t, const char *text, int most, int *n) {
    size_t bytes = strlen(text);
    if (bytes > 1 << 20) {
        stop(1, "the text is %zu bytes long; at most %d can be read", bytes, 1 << 20);
    }
    if (has_marker(t, text)) { stop(1, "the text spells out the end-of-text token; leave it out"); }
    int *id = alloc(bytes + 1, sizeof(int), "the text");
    id[0] = t->eot;
    *n = 1 + encode(t, text, (int)bytes, id + 1);
    if (*n > most) {
        stop(1, "the text has %d tokens with the start token; the model has room for %d", *n, most);
    }
    return id;
}

// Continue a text. Error: one that leaves no room in the context.
static void command_sample(const Options *o) {
    Tokenizer t;
    GPT g = load_with_tokenizer(o, &t);
    int n, *prompt = encode_row(&t, o->prompt, g.c.maxT - 1, &n);
    Sampling how = {.T = min_int(g.c.maxT, n + o->max_len), .eot = t.eot, .top_k = o->top_k,
                    .temperature = o->temperature, .seed = o->seed};
    if ((double)o->n * how.T > INT_MAX) { stop(2, "-n %d is too large", o->n); }
    print_samples(&g, &t, prompt, n, o->n, &how);
}

// A run with the model that -m names, on the task that --task names, of stories.
static Run story_run(const Options *o) {
    const Task *task = &TASKS[find("task", o->task, TASKS, N_TASKS, sizeof *TASKS)];
    if (task->kind == BANDIT) { stop(2, "--task %s: expected a task of stories", o->task); }
    Run run = {.o = o, .policy = policy_load(o->model)};
    run.world = world_new(task, o, &run.policy);
    return run;
}

// run->rm, if --rm names one, to score `rows` rows at a time. Errors: no head; another's model.
static void load_reward_model(Run *run, int rows) {
    const char *path = run->o->rm;
    if (!path) { return; }
    GPT g = run->rm = gpt_load(path);
    int T = run->world.T;
    check_tokenizer(path, &g, run->o->data, &run->world.t);
    if (g.c.maxT != T) {
        stop(1, "%s has a context of %d, %s one of %d", path, g.c.maxT, run->o->model, T);
    }
    if (!g.head || (g.role && g.role != REWARD_MODEL)) {
        stop(1, "%s: not a reward model but a policy; pref rm trains one", path);
    }
    run->rm_acts = acts_new(&g, rows, T, 0);
}

// What the reference and the policy make of the same three validation prompts.
static void print_before_after(Run *run) {
    for (int side = 0; side < 2; side++) {
        printf(side ? "\nafter:\n" : "\nbefore:\n");
        sample_rows(run, side ? &run->policy : &run->ref, &run->world.val, 3, 1, 3, &run->eval);
        for (int r = 0; r < 3; r++) {
            const int *row = run->eval.row + r;
            printf("%d. ", r + 1);
            print_tokens(&run->world.t, run->eval.token + row[0], row[1] - row[0], stdout);
            putchar('\n');
        }
    }
}

// Defaults that depend on the method, the task or each other; what cannot go together is an error.
static void settle(Options *o, const Method *method, int bandit, int baseline) {
    refuse(bandit && (o->pairs || o->rm), "--pairs and --rm are for stories, not bandits");
    refuse(!bandit && o->len, "--len is for bandits, not stories");
    refuse(!bandit && !o->rm && !o->pairs, "stories need a reward model, --rm FILE, or --pairs");
    refuse(baseline == VALUE_BASELINE && method->loss != loss_ppo,
           "--baseline value is for --method ppo");
    refuse(o->pairs && o->queries, "--queries counts samples; with --pairs give --steps");
    refuse(o->pairs && o->n, "-n counts samples; a pair of --pairs has 2 responses");
    refuse(o->steps && o->queries, "--steps and --queries say the same thing twice: give one");
    refuse(!bandit && !o->model, "-m MODEL is needed; see pref help tune");
    o->batch = o->batch ? o->batch : bandit ? 10 : o->pairs ? 32 : 8;
    o->n = o->n ? o->n : bandit ? 10 : o->pairs ? 2 : 8;
    o->reuse = o->reuse ? o->reuse : bandit ? 10 : 2;
    o->len = o->len ? o->len : BANDIT_LEN;
    o->beta = o->beta > 0 ? o->beta : method->beta;
    o->collect = o->collect ? o->collect : o->batch;
    if (o->queries) {
        double steps = floor((double)o->queries * o->reuse / ((double)o->batch * o->n));
        if (steps < 1 || steps > 1e8) { stop(2, "--queries makes %.0f steps", steps); }
        o->steps = (int)steps;
    }
    o->steps = o->steps ? o->steps : bandit ? 1000 : 80;
    o->eval_every = o->eval_every ? o->eval_every : (o->steps + 9) / 10;
    refuse(o->collect % o->batch, "--collect is to be a multiple of --batch");
    refuse(method->pairs && o->n < 2, "dpo, ipo and pref-ft compare responses: -n 2 at least");
#ifdef ON_POLICY
    refuse(o->pairs != NULL, "--pairs is fixed data: use ./pref, or --rm without --pairs here");
    const char *misfit = !strcmp(method->on_policy, "no") ? "fixed data" : NULL;
    int once = (double)o->collect * o->reuse >= (double)o->steps * o->batch;
#else
    const char *misfit = !strcmp(method->on_policy, "yes") ? "fresh samples of the policy" : NULL;
    int once = 1;  // the data is collected once, for all steps
    if (o->collect != o->batch) { printf("note: fixed data is collected once; no --collect\n"); }
#endif
    int rate = bandit ? 0 : o->pairs ? 3 : once ? 2 : o->kl > 0 ? 4 : 1;
    o->lr = o->lr > 0 ? o->lr : method->lr[rate];
    if (misfit) { printf("note: %s is meant for %s; it runs all the same\n", o->method, misfit); }
    if (o->n == 1 && (baseline == LEAVE_ONE_OUT || baseline == GROUP_BASELINE)) {
        printf("note: -n 1 leaves nothing to compare with: all advantages are 0\n");
    }
}

// Everything that a run needs before its first step. Sets the options that depend on each other in
// *o, which the run keeps. Errors: files that cannot be read, written or used together.
static Run run_new(Options *o) {
    Run run = {.o = o};
    run.method = &METHODS[find("method", o->method, METHODS, N_METHODS, sizeof *METHODS)];
    const Task *task = &TASKS[find("task", o->task, TASKS, N_TASKS, sizeof *TASKS)];
    run.baseline = find("baseline", o->baseline, BASELINES, 4, sizeof *BASELINES);
    int bandit = task->kind == BANDIT, values = run.baseline == VALUE_BASELINE;
    run.loss = values ? loss_ppo_value : run.method->loss;
    settle(o, run.method, bandit, run.baseline);
    output_check(o->out);
    run.ref = o->model ? policy_load(o->model) : bandit_reference(o->len, o->seed);
    run.world = world_new(task, o, &run.ref);
    int T = run.world.T, n_step = o->batch * o->n, n_eval = bandit ? EVAL_BANDIT : EVAL_STORIES;
    if (n_step * fmax(T, o->n) > INT_MAX) {
        stop(2, "a step of %d responses is too large", n_step);
    }
    load_reward_model(&run, n_step);
    if (o->pairs) { run.data = pairs_read(&run.world, o->pairs); }
    run.n_bins = bandit ? BANDIT_TOKENS : T;
    run.count = alloc(run.n_bins, sizeof *run.count, "the histogram");
    run.hist = csv_open(o->hist, "step");
    for (int i = 0; i < run.n_bins && run.hist.f; i++) {
        fprintf(run.hist.f, ",%d%s", bandit ? i : i + 1, i + 1 < run.n_bins ? "" : "\n");
    }
    run.log = csv_open(o->log, LOG_HEADER);
    run.policy = gpt_copy(&run.ref, values);
    run.acts = acts_new(&run.policy, n_step, T, 1);
    run.step = batch_new(n_step, n_step * T, o->n);
    run.eval = batch_new(n_eval, n_eval * T, 1);
    run.probe = batch_new(4 * PROBE_PAIRS, 4 * PROBE_PAIRS * T, 2);
    return run;
}

// Set a run up, train, show what it did.
static void command_tune(const Options *given) {
    Options o = *given;
    Run run = run_new(&o);
    train(&run);
    if (!is_bandit(&run.world)) { print_before_after(&run); }
    output_close(&run.hist);
    output_close(&run.log);
}

// "key": "text", with what JSON wants escaped.
static void json_write(FILE *f, const char *key, const char *text) {
    fprintf(f, "\"%s\": \"", key);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') { fputc('\\', f); }
        fprintf(f, c < ' ' || c == 127 ? "\\u%04x" : "%c", c);
    }
    fputs("\", ", f);
}

// Of the rows of b from first to before end, responses to one prompt, keep the first two that are
// complete and valid as text. What encoding that text gives back is what counts, so that the file
// alone determines everything. Skew keeps each with probability exp((l - longest) / 15). Sets text
// (two responses and the prompt, to free) and `pair`; returns whether the truth tells two apart.
static int draw_pair(const World *w, const Batch *b, int first, int end, Rng *r, Batch *pair,
                     char *text[3]) {
    int begin = b->row[first];
    char *prompt = text[2] = tokens_text(&w->t, b->token + begin, b->start[first] - begin);
    batch_clear(pair);
    text[0] = text[1] = NULL;
    for (int i = first; i < end && pair->n_rows < 2 && utf8_valid(prompt); i++) {
        int n = b->row[i + 1] - b->start[i], k = pair->n_rows;
        double keep = w->task->kind == SKEWED ? exp((n - w->longest) / 15.0) : 1;
        if (rng_uniform(r) >= keep || b->token[b->row[i + 1] - 1] != w->t.eot) { continue; }
        free(text[k]);
        text[k] = tokens_text(&w->t, b->token + b->start[i], n);
        if (n <= w->longest && utf8_valid(text[k])) { batch_add_text(pair, w, prompt, text[k]); }
    }
    gold_rewards(w, pair);
    return pair->n_rows == 2 && pair->reward[0] != pair->reward[1];
}

// Preference pairs: two responses of the model to a training prompt, labelled by the task's truth;
// with --label-noise X the label is drawn, by Bradley and Terry at temperature X.
static void command_pairs(const Options *o) {
    enum { ROUND = 64 };  // prompts at a time
    Run run = story_run(o);
    const World *w = &run.world;
    int each = w->task->kind == SKEWED ? 32 : 4, n_rows = ROUND * each, written = 0;
    run.sampler = sampler_new(run.policy.c, n_rows, w->T);
    run.prompts = batch_new(ROUND, ROUND * MAX_PROMPT, 1);
    Batch b = batch_new(n_rows, n_rows * w->T, each), pair = batch_new(2, 2 * w->T, 2);
    double *sampled = alloc(w->T, sizeof *sampled, "lengths");  // how many of each length
    double *kept = alloc(w->T, sizeof *kept, "lengths"), all = 0;
    Output out = output_open(o->out);
    Rng r = rng_stream(o->seed, 'l', 0);
    for (int round = 0; written < o->n; round++) {
        if (round >= 20 && written < round * ROUND / 100) {
            stop(1, "%s: only %d of %d prompts gave a pair; the others' responses are cut, alike "
                 "or not UTF-8", o->model, written, round * ROUND);
        }
        sample_rows(&run, &run.policy, &w->train, ROUND, each, (uint64_t)round << 32 | 6, &b);
        for (int i = 0; i < n_rows; i++, all++) { sampled[b.row[i + 1] - b.start[i]]++; }
        for (int first = 0; first < n_rows && written < o->n; first += each) {
            char *text[3];
            if (draw_pair(w, &b, first, first + each, &r, &pair, text)) {
                double gap = pair.reward[0] - pair.reward[1], noise = o->label_noise;
                int won = gap < 0;
                if (noise > 0) { won = rng_uniform(&r) >= exp(log_sigmoid(gap / noise)); }
                fputc('{', out.f);
                json_write(out.f, "prompt", text[2]);
                json_write(out.f, "chosen", text[won]);
                json_write(out.f, "rejected", text[!won]);
                fprintf(out.f, "\"score_chosen\": %.6g, \"score_rejected\": %.6g}\n",
                        pair.reward[won], pair.reward[!won]);
                for (int k = 0; k < 2; k++) { kept[pair.row[k + 1] - pair.start[k]]++; }
                written++;
            }
            for (int k = 0; k < 3; k++) { free(text[k]); }
        }
        progress("%d of %d pairs", written, o->n);
    }
    output_close(&out);
    progress("%s", "");
    double up_to = 0, high = 0;
    int tenth = 0;  // the 10th percentile
    while ((up_to += sampled[tenth]) < 0.1 * all) { high += kept[tenth++]; }
    printf("%d pairs in %s; %.1f%% of their responses are shorter than %d tokens, the model's 10th "
           "percentile\n", written, o->out, 50 * high / written, tenth);
}

// Pearson's, of n pairs of numbers.
static double correlation(const double *x, const double *y, int n) {
    Moments mx = moments(x, n), my = moments(y, n);
    double together = 0;
    for (int i = 0; i < n; i++) { together += (x[i] - mx.mean) * (y[i] - my.mean) / (n - 1); }
    return together / (mx.std * my.std);
}

// Only differences of scores were learned. Bring the head to mean 0 and standard deviation 1 over
// the reference's responses to the prompts of data, one each, of 512 at most.
static void standardise(GPT *rm, Acts *a, const GPT *ref, const Batch *data, const Sampling *how) {
    int n_rows = min_int(512, data->n_rows / 2);
    Acts sampler = sampler_new(ref->c, n_rows, how->T);
    Batch prompts = batch_new(n_rows, n_rows * how->T, 1);
    Batch b = batch_new(n_rows, n_rows * how->T, 1);
    for (int row = 0; row < 2 * n_rows; row += 2) {
        int n = data->start[row] - data->row[row];
        batch_add(&prompts, data->token + data->row[row], n, n);
    }
    rollout(ref, &sampler, &prompts, 1, how, &b);
    gpt_forward(rm, a, &b, NULL, b.value);
    int n = 0;
    for (int i = 1; i <= n_rows; i++) {  // none that was cut: see proxy_rewards
        if (b.token[b.row[i] - 1] == how->eot) { b.reward[n++] = (double)b.value[b.row[i] - 1]; }
    }
    if (n < 2) {
        printf("note: the model's responses are cut: the scores keep their scale\n");
        return;
    }
    Moments m = moments(b.reward, n);
    real std = (real)(m.std + 1e-8), *bias = param(rm, HEADB, 0);
    for (int i = 0; i < rm->c.C; i++) { param(rm, HEADW, 0)[i] /= std; }
    *bias = (*bias - (real)m.mean) / std;
}

// A reward model: the model with a scalar head, trained by Bradley and Terry on all pairs of a file
// but a tenth, drawn at random, which says how good it is.
static void command_rm(const Options *o) {
    output_check(o->out);
    double begin = seconds(), right = 0;
    World w = {.task = NULL};
    GPT ref = load_with_tokenizer(o, &w.t), rm = gpt_copy(&ref, 1);
    w.T = ref.c.maxT;
    Batch data = pairs_read(&w, o->pairs);
    int n_pairs = data.n_rows / 2, held = (n_pairs + 9) / 10, known = n_pairs - held, n = 0;
    if (known == 0) { stop(1, "%s: one pair is not enough", o->pairs); }
    rm.role = REWARD_MODEL;
    Deck deck = deck_new(n_pairs, o->seed, 'h');
    int *order = alloc(n_pairs, sizeof(int), "an order");
    for (int p = 0; p < n_pairs; p++) { order[p] = deal(&deck); }
    char last[ROW_BYTES];
    Output log = fit(&rm, "rm", loss_bradley_terry, &(Lessons){NULL, &data, order, 0, known},
                     &(Lessons){NULL, &data, order, known, n_pairs}, o, last);
    Acts a = acts_new(&rm, 2 * o->batch, w.T, 0);
    Sampling how = {.T = w.T, .eot = w.t.eot, .temperature = 1, .seed = o->seed};
    standardise(&rm, &a, &ref, &data, &how);
    gpt_forward(&rm, &a, &data, NULL, data.value);
    double *x = alloc(held, 4 * sizeof *x, "scores"), *y = x + 2 * held;
    for (int i = known; i < n_pairs; i++) {
        double s[2];
        for (int k = 0, row = 2 * order[i]; k < 2; k++, row++) {
            x[n] = s[k] = (double)data.value[data.row[row + 1] - 1];
            y[n] = data.score[row];
            n += isfinite(y[n]) != 0;
        }
        right += s[0] > s[1] ? 1 : s[0] < s[1] ? 0 : 0.5;
    }
    printf("%d pairs to train on, %d held out; %d steps in %.1f s\n", known, held, o->steps,
           seconds() - begin);
    printf("accuracy on the held-out pairs %.4f\n", right / held);
    double r = n > 2 ? correlation(x, y, n) : NAN;
    if (r >= -1) { printf("correlation with their true scores %.4f\n", r); }
    if (n > 2 && isnan(r)) { printf("their true scores, or the model's, are all equal\n"); }
    save_trained(&rm, o, &log, last);
}

static void command_help(const Options *o);

static const struct {
    const char *name;
    void (*run)(const Options *);
    const char *help;
} COMMANDS[] = {
#ifdef MORE_COMMANDS  // dev/measure.c is this file with commands of its own
    MORE_COMMANDS
#endif
#ifndef MEASURE
    {"sft", command_sft, "train a model on stories: the reference policy"},
    {"pairs", command_pairs, "preference pairs, sampled and labelled by a task's truth"},
    {"rm", command_rm, "train a reward model on pairs"},
    {"tune", command_tune, "preference fine-tuning: any method, any task"},
    {"sample", command_sample, "continue a text"},
#endif
    {"help", command_help, "this; " PROGRAM " help COMMAND for its options"},
};
enum { N_COMMANDS = sizeof COMMANDS / sizeof *COMMANDS };

// All commands; or one, with its options, and for tune its tasks and methods.
static void command_help(const Options *o) {
    if (!o->file) {
        printf("pref.c: preference fine-tuning of a small language model\n\n");
        for (int i = 0; i < N_COMMANDS; i++) {
            printf("  " PROGRAM " %-8s %s\n", COMMANDS[i].name, COMMANDS[i].help);
        }
        printf("\nStart with: ./pref sft, then ./pref sample -m sft.bin -p \"Once upon a time\"\n");
        return;
    }
    int c = find("command", o->file, COMMANDS, N_COMMANDS, sizeof *COMMANDS);
    printf(PROGRAM " %s: %s\n", COMMANDS[c].name, COMMANDS[c].help);
    for (const struct Option *p = OPTIONS; p < OPTIONS + N_OPTIONS; p++) {
        if (!has_any(p->commands, COMMANDS[c].name)) { continue; }
        int width = 17 - (int)strlen(p->name);
        printf("  %s %-*s %s", p->name, width, p->value ? p->value : "", p->help);
        if (p->standard && *p->standard) { printf(" (%s)", p->standard); }
        putchar('\n');
    }
    if (!strcmp(o->file, "tune")) {
        printf("\ntasks\n");
        for (int i = 0; i < N_TASKS; i++) { printf("  %-10s %s\n", TASKS[i].name, TASKS[i].help); }
        printf("\n%-69s%-10s%-7s%-18s--lr: bandit; stories, fresh, fixed, pairs, --kl\n", "methods",
               "on-policy", "reuse", "negative gradient");
        for (int i = 0; i < N_METHODS; i++) {
            const Method *m = &METHODS[i];
            printf("  %-10s %-55s %-9s %-6s %-16s", m->name, m->help, m->on_policy, m->reuse,
                   m->negative);
            for (int k = 0; k < 5; k++) { printf(" %7g", m->lr[k]); }
            putchar('\n');
        }
    }
}

// Whether two paths name one file: the same name in the same folder, or the same file by links.
static int same_file(const char *a, const char *b) {
    const char *path[] = {a, b}, *name[2];
    char folder[2][PATH_MAX] = {"", ""};
    struct stat s[2];
    if (!stat(a, &s[0]) && !stat(b, &s[1])) {
        return S_ISREG(s[0].st_mode) && s[0].st_dev == s[1].st_dev && s[0].st_ino == s[1].st_ino;
    }
    for (int k = 0; k < 2; k++) {
        const char *slash = strrchr(path[k], '/');
        name[k] = slash ? slash + 1 : path[k];
        snprintf(folder[k], PATH_MAX, "%.*s.", (int)(name[k] - path[k]), path[k]);
        if (stat(folder[k], &s[k])) { return 0; }
    }
    return !strcmp(name[0], name[1]) && s[0].st_dev == s[1].st_dev && s[0].st_ino == s[1].st_ino;
}

// Usage error: a file that would be written is also read, or written twice.
static void check_files(const Options *o) {
    const struct { const char *option, *path; } files[] = {
        {"-o", o->out}, {"--log", o->log}, {"--hist", o->hist}, {"-m", o->model}, {"--ref", o->ref},
        {"--rm", o->rm}, {"--pairs", o->pairs}, {"--data", o->data}, {"--ids", o->ids}};
    for (int i = 0; i < 3; i++) {
        for (int j = i + 1; j < 9; j++) {
            if (files[i].path && files[j].path && same_file(files[i].path, files[j].path)) {
                stop(2, "%s and %s name the same file, %s", files[i].option, files[j].option,
                     files[i].path);
            }
        }
    }
}

// What every program does first: see that standard output is not taken for another file, catch
// signals, and bound the number of threads.
static void start_process(void) {
    int fd;
    do {  // were standard output closed, the next file that is opened would take its place
        fd = open("/dev/null", O_RDONLY);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    close(fd);
    const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    for (int i = 0; i < 4; i++) {
        struct sigaction action = {.sa_handler = on_signal}, old;
        if (!sigaction(signals[i], NULL, &old) && old.sa_handler != SIG_IGN) {  // nohup stays
            sigaction(signals[i], &action, NULL);
        }
    }
#ifdef _OPENMP
    omp_set_num_threads(min_int(threads(), 256));  // OpenMP ends the program if it cannot have them
#endif
}

// argv[1] is the command, what follows its options. Error: output that did not arrive.
static void run_command(int argc, char **argv) {
    start_process();
    int help = argc < 2 || !strcmp(argv[1], "-h") || !strcmp(argv[1], "--help");
    int c = find("command", help ? "help" : argv[1], COMMANDS, N_COMMANDS, sizeof *COMMANDS);
    Options o = options_parse(COMMANDS[c].name, argc > 2 ? argc - 2 : 0, argv + 2);
    check_files(&o);
    COMMANDS[c].run(&o);
    if (fflush(stdout) != 0 || ferror(stdout)) { stop(1, "standard output: cannot write it"); }
}

#ifndef TESTING
int main(int argc, char **argv) {
    run_command(argc, argv);
    return 0;
}
#endif
