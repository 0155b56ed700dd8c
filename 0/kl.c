/*
kl.c: why preference tuning is mode-seeking, in the smallest setting.

    dev/kl [--log FILE.csv]

A softmax over a few bins is moved from q0 to a target t by gradient descent on its logits, along
    forward KL(t || p), maximum likelihood:        dlogit_i = p_i - t_i
    reverse KL(p || t), regularised reward:        dlogit_i = p_i (log(p_i / t_i) - KL(p || t))
for E_p[r] - beta KL(p || ref) = -beta KL(p || t) + const with t = ref exp(r / beta) / Z. The p_i in
front starves the reverse gradient where the model has no mass.
*/
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

// A part of the assignment that is not written yet ends the program.
#ifndef NOT_WRITTEN
#define NOT_WRITTEN
#include <stdlib.h>
#pragma GCC diagnostic ignored "-Wunused-function"  // that only missing parts call
#pragma GCC diagnostic ignored "-Wunused-parameter"
static double not_written(const char *function, const char *part) {
    fprintf(stderr, "pref: %s (part %s) is not written yet\n", function, part);
    exit(1);
}
#endif

// A case with fewer bins has no mass in the others, neither at the start nor in the target.
enum { BINS = 20, CATEGORIES = 4, KL_STEPS = 20000, SETTLED = 20 };

// p = softmax(logit); KL(p || q) in nats; half the sum of |p - q|.
static void softmax_of(const double *logit, double *p) {
    double total = 0;
    for (int i = 0; i < BINS; i++) { total += p[i] = exp(logit[i]); }
    for (int i = 0; i < BINS; i++) { p[i] /= total; }
}

static double kl_divergence(const double *p, const double *q) {
    double kl = 0;
    for (int i = 0; i < BINS; i++) { kl += p[i] > 0 ? p[i] * log(p[i] / q[i]) : 0; }
    return kl;
}

static double total_variation(const double *p, const double *q) {
    double tv = 0;
    for (int i = 0; i < BINS; i++) { tv += fabs(p[i] - q[i]) / 2; }
    return tv;
}

// A bump around `center`, over `floor_mass` spread evenly.
static void bump(double *p, double center, double width, double floor_mass) {
    double total = 0;
    for (int i = 0; i < BINS; i++) { total += p[i] = exp(-pow((i - center) / width, 2) / 2); }
    for (int i = 0; i < BINS; i++) { p[i] = (1 - floor_mass) * p[i] / total + floor_mass / BINS; }
}

// d = the gradient on the logits of p = softmax(logit), which lies at KL(p || t) = kl from t.
static void kl_gradient(const double *p, const double *t, double kl, int reverse, double *d) {
    // ---- part kl: write kl_gradient ----
    // Write this: d[i] for all BINS bins. Where p[i] is 0, the reverse gradient is 0.
    not_written("kl_gradient", "kl");
    // ---- end of kl_gradient ----
}

// Descend from q0 to t; returns the steps until no more than a tenth of the initial total variation
// is left, and is not left again within SETTLED steps (KL_STEPS: never). f: a log, or NULL.
static int descend(const double *q0, const double *t, int reverse, double lr, const char *name,
                   FILE *f) {
    double logit[BINS], p[BINS], d[BINS], start = total_variation(q0, t);
    int arrived = 0;
    for (int i = 0; i < BINS; i++) { logit[i] = log(q0[i]); }
    for (int step = 0; step < KL_STEPS; step++) {
        softmax_of(logit, p);
        double kl = kl_divergence(p, t), left = total_variation(p, t);
        if (!(left <= 0.1 * start)) { arrived = step + 1; }
        if (f && (step < 1000 || step % 100 == 0)) {
            fprintf(f, "%s,%s,%g,%d,%.6g,%.6g,%.6g", name, reverse ? "reverse" : "forward", lr,
                    step, left, kl_divergence(t, p), kl);
            for (int i = 0; i < BINS; i++) { fprintf(f, ",%.6g", p[i]); }
            fputc('\n', f);
        }
        if (!isfinite(kl)) { return KL_STEPS; }  // thrown too far
        if (step - arrived >= SETTLED) { return arrived; }
        kl_gradient(p, t, kl, reverse, d);
        for (int i = 0; i < BINS; i++) { logit[i] -= lr * d[i]; }
    }
    return KL_STEPS;
}

// Descends in both directions, each at its best of many learning rates, and prints the steps. f: a
// log, or NULL.
static void at_best_rates(const double *q0, const double *t, const char *name, FILE *f) {
    printf("%-30s %6.3f", name, total_variation(q0, t));
    for (int reverse = 0; reverse < 2; reverse++) {
        int best = KL_STEPS;
        double best_lr = 1;
        for (int k = -16; k <= 48; k++) {  // quarters of a doubling, from 1/16 to 4096
            double lr = exp2(k / 4.0);
            int steps = descend(q0, t, reverse, lr, NULL, NULL);
            if (steps < best) {
                best = steps;
                best_lr = lr;
            }
        }
        if (best == KL_STEPS) { printf("  %22s", "never"); }
        if (best < KL_STEPS) { printf("  %12d %9.3g", best, best_lr); }
        descend(q0, t, reverse, best_lr, name, f);
    }
    putchar('\n');
}

// The toy of the paper: four categories, and both directions at the same learning rates.
static void paper_toy(FILE *f) {
    const double q0[BINS] = {0.3, 0.3, 0.1, 0.3}, t[BINS] = {0.2, 0.1, 0.6, 0.1};
    const double rates[] = {0.1, 0.3, 1, 3};
    at_best_rates(q0, t, "the paper's four categories", f);
    for (int k = 0; k < 4; k++) {
        printf("%-30s %6s", "  at equal rates", "");
        for (int reverse = 0; reverse < 2; reverse++) {
            int steps = descend(q0, t, reverse, rates[k], "the paper's at equal rates", f);
            printf("  %12d %9.3g", steps, rates[k]);
        }
        putchar('\n');
    }
    printf("\nthe paper's four categories on their way, at the learning rate 1\n");
    printf("%6s  %-27s %s\n", "step", "forward KL", "reverse KL");
    double logit[2][BINS], p[BINS], d[BINS];
    for (int i = 0; i < BINS; i++) { logit[0][i] = logit[1][i] = log(q0[i]); }
    for (int step = 0; step <= 8; step++) {
        printf("%6d", step);
        for (int reverse = 0; reverse < 2; reverse++) {
            softmax_of(logit[reverse], p);
            kl_gradient(p, t, kl_divergence(p, t), reverse, d);
            for (int i = 0; i < CATEGORIES; i++) { printf("%7.3f", p[i]); }
            for (int i = 0; i < CATEGORIES; i++) { logit[reverse][i] -= d[i]; }
        }
        putchar('\n');
    }
}

// The study. f: a log, or NULL.
static void study(FILE *f) {
    double q0[BINS], t[BINS];
    if (f) { fputs("case,direction,lr,step,tv,forward_kl,reverse_kl", f); }
    for (int i = 0; i < BINS && f; i++) { fprintf(f, ",p%d%s", i, i + 1 < BINS ? "" : "\n"); }
    // a bump of width 2 around `at`, over some mass spread evenly, is to become one around `to`
    const struct { const char *name; double at, to, floor_mass; } cases[] = {
        {"near with mass everywhere", 6, 9, 0.1},
        {"near with none elsewhere", 6, 9, 1e-6},
        {"far with mass everywhere", 4, 15, 0.1},
        {"far with a little there", 4, 15, 1e-3},
        {"far with none to speak of", 4, 15, 1e-6},
    };
    printf("steps until 10%% of the initial total variation is left, at the best learning rate\n");
    printf("%-30s %6s  forward KL (steps, lr)  reverse KL (steps, lr)\n", "target", "TV");
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        bump(q0, cases[c].at, 2, cases[c].floor_mass);
        bump(t, cases[c].to, 2, cases[c].floor_mass);
        at_best_rates(q0, t, cases[c].name, f);
    }
    paper_toy(f);
}

#ifndef TESTING
// Error (status 1): the log or the table cannot be written; 2: wrong usage.
int main(int argc, char **argv) {
    if (argc != 1 && (argc != 3 || strcmp(argv[1], "--log"))) {
        fputs("usage: kl [--log FILE.csv]\n", stderr);
        return 2;
    }
    FILE *f = argc == 3 ? fopen(argv[2], "w") : NULL;
    int bad = argc == 3 && !f;
    if (!bad) { study(f); }
    errno = bad ? errno : 0;
    bad |= f && (ferror(f) | fclose(f));
    if (bad) {
        fprintf(stderr, "kl: %s: cannot write it: %s\n", argv[2], strerror(errno ? errno : EIO));
    } else if (fflush(stdout) || ferror(stdout)) {
        fputs("kl: standard output: cannot write it\n", stderr);
        bad = 1;
    }
    return bad;
}
#endif
