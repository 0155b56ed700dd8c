/*
check.c: is a method right? It runs the loss of a method of ../../pref.c on a small batch, whose
values were worked out by hand.

    make exercise NAME=slic     from the top folder; it runs dev/solutions/check slic

dev/solutions/slic.txt has the working and, at its end, the values. What is wrong is said in words.
The exit status is 0 if all is right, 1 if not, and 2 if there is no exercise of that name.
*/
#define TESTING
#define REAL double
#define PROGRAM "check"
#if defined __GNUC__
#pragma GCC diagnostic ignored "-Wunused-function"  // most of pref.c is not called here
#endif
#include "../../pref.c"

// The batch: two prompts, which have 1 and 2 tokens, with two responses each. The winners are
// responses 1 and 4; the pair of the first prompt has the weight 0.5, that of the second 1.
enum { N_ROWS = 4, LONGEST = 3, ROOM = N_ROWS * (2 + LONGEST), SHOWN = 9 };
static const struct {
    int prompt, n;  // tokens
    double reward, logp[LONGEST], ref_logp[LONGEST], old_logp[LONGEST];
} ROWS[N_ROWS] = {
    {1, 2, 1.00, {-1.0, -2.0},       {-1.5, -2.0},       {-1.5, -2.1}},
    {1, 3, 0.00, {-1.0, -0.5, -1.0}, {-0.8, -1.0, -0.9}, {-0.5, -0.5, -1.5}},
    {2, 1, 0.25, {-2.5},             {-2.1},             {-2.5}},
    {2, 2, 0.75, {-0.5, -0.5},       {-1.0, -1.0},       {-0.6, -0.4}},
};

static Batch batch_by_hand(void) {
    Batch b = batch_new(N_ROWS, ROOM, 2);
    for (int r = 0; r < N_ROWS; r++) {
        const int token[2 + LONGEST] = {0};
        int at = b.n_tokens, n = ROWS[r].prompt + ROWS[r].n;
        for (int i = 0; i < n; i++) {
            int k = i - ROWS[r].prompt;  // a prompt's tokens have values that must not be read
            b.logp[at + i] = k < 0 ? -9 : ROWS[r].logp[k];
            b.ref_logp[at + i] = k < 0 ? -8 : ROWS[r].ref_logp[k];
            b.old_logp[at + i] = k < 0 ? -7 : ROWS[r].old_logp[k];
        }
        b.reward[r] = ROWS[r].reward;
        batch_add(&b, token, n, ROWS[r].prompt);
    }
    make_pairs(&b);
    b.pair[0].weight = 0.5;
    set_advantages(&b, GROUP_BASELINE, 0);
    return b;
}

// What a file of this folder says that a loss and its dlogp are.
typedef struct {
    double beta, loss, dlogp[N_ROWS][LONGEST];
    int holds_mean;  // whether the loss takes the mean log pi/pi_ref of the batch for a constant
} Expected;

// Reads the lines "beta = X", "loss = X", "dlogp of response N = X ..." and "the mean of log
// pi/pi_ref is held constant". All others are for people.
static Expected expected_read(const char *name) {
    char path[256], line[256];
    Expected e = {0};
    int found = 0, r, used;
    snprintf(path, sizeof path, "dev/solutions/%s.txt", name);
    FILE *f = fopen(path, "r");
    stop_if(!f, 2, "%s: cannot open it; is there an exercise '%s'? (see dev/EXERCISES.md)", path,
            name);
    while (fgets(line, sizeof line, f)) {
        sscanf(line, "beta = %lf", &e.beta);
        found += sscanf(line, "loss = %lf", &e.loss) == 1;
        e.holds_mean |= !strncmp(line, "the mean of log pi/pi_ref is held constant", 42);
        if (sscanf(line, "dlogp of response %d =%n", &r, &used) < 1 || r < 1 || r > N_ROWS) {
            continue;
        }
        char *at = line + used, *end;
        for (int k = 0; k < ROWS[r - 1].n; k++, at = end, found++) {
            e.dlogp[r - 1][k] = strtod(at, &end);
            stop_if(end == at, 2, "%s: response %d has too few numbers", path, r);
        }
    }
    fclose(f);
    stop_if(found != 1 + 8, 2, "%s: has %d of the 9 expected numbers", path, found);
    return e;
}

static const char *method_name;
static int n_wrong;

// Prints one thing that is wrong, unless that would be too many.
static void wrong(const char *format, ...) {
    va_list args;
    va_start(args, format);
    if (n_wrong++ < SHOWN) {
        printf("%s: ", method_name);
        vprintf(format, args);
        printf("\n");
    }
    va_end(args);
}

// Whether x is what it should be, within what rounding to six decimals costs; NaN never is.
static int equal(double x, double expected) { return fabs(x - expected) < 1e-5; }

// Compares with the values worked out by hand. Adding 0 turns -0 into 0.
static void check_values(const Batch *b, double loss, const Expected *e) {
    double most = 0, factor = 1, all = 1;
    if (!equal(loss, e->loss)) { wrong("the loss is %.6g, expected %.6g", loss, e->loss); }
    for (int r = 0; r < N_ROWS; r++) {
        for (int i = b->row[r]; i < b->start[r]; i++) {
            if (!equal(b->dlogp[i], 0)) {
                wrong("dlogp of the prompt before response %d is %.6g, expected 0; it has no loss",
                      r + 1, b->dlogp[i]);
            }
        }
        for (int k = 0; k < ROWS[r].n; k++) {
            double x = b->dlogp[b->start[r] + k] + 0.0, expected = e->dlogp[r][k];
            if (!equal(x, expected)) {
                wrong("dlogp of token %d of response %d is %.6g, expected %.6g", k + 1, r + 1, x,
                      expected);
            }
            if (fabs(expected) > most) {
                most = fabs(expected);
                factor = x / expected;
            }
        }
    }
    for (int i = 0; i < N_ROWS * LONGEST; i++) {
        int r = i / LONGEST, k = i % LONGEST;
        if (k < ROWS[r].n) { all *= equal(b->dlogp[b->start[r] + k], factor * e->dlogp[r][k]); }
    }
    if (all > 0 && !equal(factor, 1)) {
        printf("%s: every dlogp is %.4g times what is expected\n", method_name, factor);
    }
}

// Returns by how much the loss grows for each nat that is added to logp[i], and, unless j is
// negative, taken off logp[j].
static double slope(Batch *b, Loss loss, const Options *o, int i, int j) {
    const double step = 1e-5;
    double logp[2], value[2];
    logp[0] = b->logp[i];
    logp[1] = j < 0 ? 0 : b->logp[j];
    for (int k = 0; k < 2; k++) {
        b->logp[i] = logp[0] + (k ? step : -step);
        if (j >= 0) { b->logp[j] = logp[1] - (k ? step : -step); }
        value[k] = loss_and_dlogp(b, loss, o);
    }
    b->logp[i] = logp[0];
    if (j >= 0) { b->logp[j] = logp[1]; }
    return (value[1] - value[0]) / (2 * step);
}

// Checks that dlogp is the derivative of the loss, whatever the loss is, and prints the first token
// where it is not. If the loss holds a mean constant that depends on logp, only changes that keep
// the mean can tell: what one token gets, the batch's last one loses.
static void check_derivative(Batch *b, Loss loss, const Options *o, int holds_mean,
                             const char *where) {
    double dlogp[ROOM];
    loss_and_dlogp(b, loss, o);
    memcpy(dlogp, b->dlogp, (size_t)b->n_tokens * sizeof(double));
    int other = holds_mean ? b->n_tokens - 1 : -1;
    for (int r = 0; r < N_ROWS; r++) {
        for (int i = b->start[r]; i < b->row[r + 1]; i++) {
            double x = dlogp[i] - (holds_mean ? dlogp[other] : 0);
            double grows = i == other ? 0 : slope(b, loss, o, i, other);
            if (equal(x, grows)) { continue; }
            wrong("dlogp of token %d of response %d is %.6g%s%s, but the loss grows by %.6g for "
                  "each nat of its logp", i - b->start[r] + 1, r + 1, x,
                  holds_mean ? " more than that of the last token" : "", where, grows);
            return;
        }
    }
}

// Whether other values of something change what the loss computes.
static int changes(Batch *b, Loss loss, const Options *o, double value, const double *dlogp) {
    int same = equal(loss_and_dlogp(b, loss, o), value);
    for (int i = 0; i < b->n_tokens; i++) { same &= equal(b->dlogp[i], dlogp[i]); }
    return !same;
}

// Checks that the method's row says what its loss reads: nothing else would be set in training.
static void check_row(const Method *m, const Options *o) {
    struct { const char *field; int says; } needs[] = {
        {"needs_ref", m->needs_ref}, {"needs_old", m->needs_old}, {"needs_pairs", m->needs_pairs}
    };
    const char *what[] = {"ref_logp", "old_logp", "pairs"};
    const char *option[] = {"--beta", "--tau", "--clip"};
    for (int k = 0; k < 6; k++) {
        Batch b = batch_by_hand();
        Options other = *o;
        double dlogp[ROOM], value = loss_and_dlogp(&b, m->loss, o);
        memcpy(dlogp, b.dlogp, (size_t)b.n_tokens * sizeof(double));
        for (int i = 0; i < b.n_tokens; i++) {
            if (k == 0) { b.ref_logp[i] += 0.1 * i; }
            if (k == 1) { b.old_logp[i] += 0.1 * i; }
        }
        if (k == 2) { b.n_pairs = 0; }
        if (k == 3) { other.beta *= 2; }
        if (k == 4) { other.tau *= 2; }
        if (k == 5) { other.clip *= 2; }
        int reads = changes(&b, m->loss, &other, value, dlogp);
        if (k < 3 && reads && !needs[k].says) {
            wrong("its loss reads %s; if the equation does so, its row of METHODS needs .%s = 1",
                  what[k], needs[k].field);
        }
        if (k >= 3 && reads && !(m->reads && lists(m->reads, option[k - 3]))) {
            wrong("its loss reads %s, which its row of METHODS does not list in .reads",
                  option[k - 3]);
        }
    }
    if (!m->reads || !lists(m->reads, "--neg")) {
        wrong("its loss has a negative gradient, but its row of METHODS does not list --neg in "
              ".reads");
    }
}

int main(int argc, char **argv) {
    stop_if(argc != 2 || !*argv[1], 2, "expected the name of an exercise: make exercise NAME=slic");
    method_name = argv[1];
    Expected e = expected_read(method_name);
    const Method *m = METHODS;
    while (m < METHODS + N_METHODS && strcasecmp(m->name, method_name)) { m++; }
    if (m == METHODS + N_METHODS) {
        printf("%s: METHODS of pref.c has no such method yet\n", method_name);
        return 1;
    }
    const Command *tune_row = COMMANDS;
    while (strcmp(tune_row->name, "tune")) { tune_row++; }
    Options o = tune_row->defaults;
    o.beta = e.beta > 0 ? e.beta : 1;
    Batch b = batch_by_hand();
    double loss = loss_and_dlogp(&b, m->loss, &o);
    check_values(&b, loss, &e);
    check_derivative(&b, m->loss, &o, e.holds_mean, "");
    double *logp = b.logp;  // once more, on other numbers; the mean of log pi/pi_ref is negative
    b.logp = b.ref_logp;
    b.ref_logp = logp;
    check_derivative(&b, m->loss, &o, 0, " (with logp and ref_logp exchanged)");
    check_row(m, &o);
    if (n_wrong > SHOWN) { printf("%s: and %d more\n", method_name, n_wrong - SHOWN); }
    if (!n_wrong) { printf("%s: right\n", method_name); }
    return n_wrong > 0;
}
