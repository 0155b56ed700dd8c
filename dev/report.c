/*
report.c: says which of the paper's claims hold in the runs that run.sh left behind.

    report OUT            prints the claims table, writes OUT/report.html: the table and its plots
    report --sweep OUT    prints the final rewards of the bandit's learning-rate sweep
    report --sweep-lm OUT the same for stories

A run is OUT/bandit/NAME_sSEED.csv, or OUT/lm/..., as `pref tune --log` writes it; run.sh says how
names are made. Whatever is there is used: a claim that lacks runs says so. A log that is not
complete is named and not counted, and its claims are not known. Every number is computed per seed
first; what is printed is the mean over seeds, +- its standard error where there are two seeds or
more. A verdict needs five seeds; with fewer it is worded as a guess.
*/
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// --- the criteria, fixed before any run was looked at --------------------------------------------

// H is the headroom: 1 - the reward of the reference. A change here is a change of CLAIMS below.
static const double MARGIN = 0.05;     // the least difference that counts, as a share of H
static const double RANK = -0.7;       // C3: the weakest rank correlation that counts
static const double SOONER = 0.9;      // C6, C8: "sooner" is at most this share of the other's time
static const double LATER = 3;         // C8: "starved" is at least so many times the other's steps
static const double NATS = 1;          // C7: the least change of a log-probability that counts
static const double BUDGET = 10000;    // queries of a run: what is never reached counts as this
static const double COLLAPSED = 0.5;   // L5: the share of the reference's entropy that is left
static const double DRIFTED = 2;       // L6: times the noise floor
static const int ENOUGH = 5;           // seeds that a verdict needs

enum { N_BANDIT = 8, N_CLAIMS = 14 };
static const struct {
    const char *says, *criterion;
} CLAIMS[N_CLAIMS] = {
    {"Fresh samples beat a fixed set where the reward peaks far from the reference (R1).",
     "(on - off)/H >= 0.05 for bon, rwr and dpo (ppo is shown apart)"},
    {"They gain less where the reward peaks in the reference's own mass (R2).",
     "the gap (on - off)/H on R1 exceeds that on R2 by >= 0.05 for bon, rwr and dpo"},
    {"The fresher the samples, the better: many small collections beat few large ones.",
     "(100 queries a collection - all at once)/H >= 0.05, rank correlation of reward\n"
     "    with queries a collection <= -0.7; both on R1 for bon, rwr and dpo (R2 is shown)"},
    {"Reusing samples T times helps, (a), but fresh ones are worth more than reuse, (b).",
     "(a) (best T>1 - T=1)/H >= 0.05; (b) (T=1 - T=50)/H >= 0.05"},
    {"Offline, a negative gradient (dpo, ipo) beats imitation of good samples; most on R1.",
     "lead = (min(dpo, ipo) - max(bon, rwr, pref-ft))/H: >= 0.05 on R1, >= 0.05 less on R2"},
    {"Fresh samples and the negative gradient add up (dpo, R1; neg 0: nothing is pushed down).",
     "(off,neg1 - off,neg0)/H >= 0.05, (on,neg0 - off,neg0)/H >= 0.05, and on,neg1\n"
     "    needs at most 0.9 x the queries of on,neg0 to gain 90% of H (never counts as 10000)"},
    {"dpo and ipo widen margins while the chosen fall too; pref-ft lifts both (offline, R1).",
     "dpo, ipo: margin up and chosen down, by >= 1 nat each; pref-ft: chosen, rejected up"},
    {"Reverse KL commits sooner where there is mass, and starves where there is none.",
     "reverse takes <= 0.9 x forward's steps in some case, >= 3 x in some far case"},
    {"Stories: fresh samples beat a fixed set where the best are far away (min, skew).",
     "(on - off)/H >= 0.05 for all five on min and, if run, skew; less on mode by >= 0.05"},
    {"On min, fresher samples are better, and each can be used several times.",
     "(8 prompts a collection - all at once)/H >= 0.05; (T=1 - T=8)/H < 0.05"},
    {"From a file of pairs, a negative gradient beats imitation; most on min.",
     "lead = (min(dpo, ipo) - max(pref-ft, rwr))/H: >= 0.05 on min, >= 0.05 less on mode"},
    {"Dpo makes more of the same labels through a reward model and fresh samples (min).",
     "(on-policy dpo - dpo on the file)/H >= 0.05"},
    {"Pushed far enough, a poor reward model is fooled; without a KL term variety collapses.",
     "(a) ppo, dpo: true reward ends >= 0.05 H below its peak, proxy no lower than there,\n"
     "    both as means of three evaluations;\n"
     "    (b) entropy ends <= 0.5 x the reference's for all five, and higher with the KL term"},
    {"A trait that no reward mentions drifts with fresh samples; the KL term holds it.",
     "mean |dog share - reference's| over methods: on-policy >= 2 x the noise floor, and\n"
     "    more than with the KL term and than offline"},
};

static const char *label(int claim) {  // C1 to C8, L1 to L6
    static char name[2][16];
    static int i;
    i = !i;
    snprintf(name[i], sizeof *name, "%c%d", claim > N_BANDIT ? 'L' : 'C',
             claim > N_BANDIT ? claim - N_BANDIT : claim);
    return name[i];
}

// --- reading -------------------------------------------------------------------------------------

enum { SEEDS = 32, POINTS = 4096 };

typedef struct {
    char path[512];
    char *header, **field;  // (rows, columns), as text
    int rows, columns;
    int cut;                // the last line has no end: it was being written, and is left out
    char fault[128];        // why it is not counted; nothing if it is
    int noted;              // the claim being looked at wanted it in spite of that
} Table;

typedef struct Run {
    char name[256];  // with the folder and what follows the seed
    Table *seed[SEEDS];
    int rows;        // the most that a seed has
    double *due;     // the step at which it is complete; NULL: its tables have no steps
    double own;      // due points here if the name says it, else at the longest of its folder
    struct Run *next;
} Run;

enum { BANDIT, LM, SWEEP };
static const char *const FOLDERS[] = {"bandit", "lm", "sweep"};

static const char *out_dir;
static int folder = BANDIT, first_seed = 1;  // --sweep looks elsewhere, at other seeds
static Run *runs, **runs_end = &runs;
static double longest[3];  // the last step of the longest run in a folder, of those whose name does
                           // not say it: all of them do as many

static _Noreturn void stop(const char *path, const char *why) {
    fprintf(stderr, "report: %s: %s\n", path, why);
    exit(1);
}

static void *grow(void *p, size_t size) {
    p = realloc(p, size);
    if (!p) { stop("memory", "there is not enough"); }
    return p;
}

// A text made of parts. It lasts until 64 others have been made.
static const char *text(const char *format, ...) {
    static char buffer[64][512];
    static int next;
    char *s = buffer[next++ % 64];
    va_list args;
    va_start(args, format);
    vsnprintf(s, sizeof *buffer, format, args);
    va_end(args);
    return s;
}

// Count a table no more.
static void fault(Table *t, const char *why) {
    if (!*t->fault) { snprintf(t->fault, sizeof t->fault, "%s", why); }
}

// A CSV file; NULL if there is none. The first field may hold commas (names do): a row's fields are
// counted from its end.
static Table *table_read(const char *path) {
    FILE *f = fopen(path, "r");
    if (!f) { return NULL; }
    Table *t = grow(NULL, sizeof *t);
    *t = (Table){.rows = -1, .columns = 1};
    snprintf(t->path, sizeof t->path, "%s", path);
    char *line = NULL;
    size_t size = 0;
    for (; getline(&line, &size, f) > 0; line = NULL, size = 0) {
        t->cut = !strchr(line, '\n');
        if (t->cut) { break; }
        line[strcspn(line, "\r\n")] = 0;
        if (t->rows++ < 0) {
            t->header = line;
            for (char *c = line; *c; c++) { t->columns += *c == ','; }
            continue;
        }
        size_t n = (size_t)(t->rows * t->columns);
        t->field = grow(t->field, n * sizeof *t->field);
        for (int c = 1; c <= t->columns; c++) {
            char *comma = c < t->columns ? strrchr(line, ',') : NULL;
            if (c < t->columns && !comma) {
                stop(path, text("row %d has too few fields", t->rows));
            }
            t->field[n - (size_t)c] = comma ? comma + 1 : line;
            if (comma) { *comma = 0; }
        }
    }
    free(line);
    fclose(f);
    if (t->rows <= 0) { fault(t, "it has no rows"); }
    return t;
}

// Where a column stands in the header.
static int column(const Table *t, const char *name) {
    size_t n = strlen(name);
    const char *at = t->header;
    for (int c = 0; c < t->columns; c++, at += strcspn(at, ",") + 1) {
        if (strcspn(at, ",") == n && !strncmp(at, name, n)) { return c; }
    }
    stop(t->path, text("has no column %s", name));
}

// NaN where a field is empty, or a number that is not finite.
static double number_at(const Table *t, int row, int c) {
    char *end;
    const char *field = t->field[row * t->columns + c];
    double x = strtod(field, &end);
    if (*end) { stop(t->path, text("row %d, field %d: not a number: %s", row + 1, c + 1, field)); }
    return end > field && isfinite(x) ? x : NAN;
}

static double cell(const Table *t, int row, const char *name) {
    return number_at(t, row, column(t, name));
}

// A cell without which nothing is known: where it has no number, the table is not counted.
static double value(Table *t, int row, const char *name) {
    double x = cell(t, row, name);
    if (isnan(x)) { fault(t, text("it has no %s in row %d", name, row + 1)); }
    return x;
}

// The tables of a run, read once.
static Run *run_find(const char *name, const char *ending) {
    char key[256];  // not by text(): many are asked for while others' texts are in use
    snprintf(key, sizeof key, "%s/%s%s", FOLDERS[folder], name, ending);
    for (Run *r = runs; r; r = r->next) {
        if (!strcmp(r->name, key)) { return r; }
    }
    Run *r = grow(NULL, sizeof *r);
    const char *steps = strstr(name, "_steps");
    *r = (Run){.own = steps ? atof(steps + 6) : 0};
    snprintf(r->name, sizeof r->name, "%s", key);
    *runs_end = r;
    runs_end = &r->next;
    if (!strcmp(ending, ".csv")) { r->due = steps ? &r->own : &longest[folder]; }
    for (int i = 0; i < SEEDS; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s/%s_s%d%s", out_dir, FOLDERS[folder], name,
                 first_seed + i, ending);
        Table *t = r->seed[i] = table_read(path);
        for (int row = 1; t && r->due && row < t->rows; row++) {
            if (!(cell(t, row, "step") > cell(t, row - 1, "step"))) {
                fault(t, text("its steps do not rise in row %d", row + 1));
            }
        }
        if (!t || *t->fault) { continue; }
        r->rows = t->rows > r->rows ? t->rows : r->rows;
        if (r->due) { *r->due = fmax(*r->due, value(t, t->rows - 1, "step")); }
    }
    return r;
}

// Find the logs that are not complete. A log is written line by line while its run goes on, so only
// the others tell how long it has to be. All that is asked for must have been read.
static void runs_check(void) {
    for (Run *r = runs; r; r = r->next) {
        for (int i = 0; i < SEEDS; i++) {
            Table *t = r->seed[i];
            if (!t || *t->fault) { continue; }
            double last = r->due ? cell(t, t->rows - 1, "step") : 0;
            if (r->due && last < *r->due) {
                fault(t, text("it ends at step %.0f of %.0f", last, *r->due));
            } else if (t->cut) {
                fault(t, "its last line is cut off");
            } else if (r->due && t->rows < r->rows) {
                fault(t, text("it has %d rows, another seed has %d", t->rows, r->rows));
            }
        }
    }
}

// Whether a run has been begun, with any seed.
static int exists(const char *run) {
    Run *r = run_find(run, ".csv");
    for (int i = 0; i < SEEDS; i++) {
        if (r->seed[i]) { return 1; }
    }
    return 0;
}

// A table of a run; NULL if there is none, or none that counts, which is then noted.
static Table *run_table(Run *r, int i) {
    Table *t = r->seed[i];
    if (!t || !*t->fault) { return t; }
    t->noted = 1;
    return NULL;
}

// --- one number per seed -------------------------------------------------------------------------

typedef struct {
    double at[SEEDS];  // NaN: none. Arithmetic passes it on, so only complete seeds count.
} Seeds;

enum { FIRST, LAST, LOWEST, HIGHEST };

static Seeds measure(const char *run, const char *quantity, int which) {
    Seeds s;
    Run *all = run_find(run, ".csv");
    for (int i = 0; i < SEEDS; i++) {
        Table *t = run_table(all, i);
        s.at[i] = t ? value(t, which == LAST ? t->rows - 1 : 0, quantity) : NAN;
        for (int r = 0; t && r < t->rows && which >= LOWEST; r++) {
            double x = value(t, r, quantity);
            s.at[i] = which == LOWEST ? fmin(s.at[i], x) : fmax(s.at[i], x);
        }
    }
    return s;
}

static Seeds reward(const char *run) {
    return measure(run, "gold_reward", LAST);
}

static Seeds minus(Seeds a, Seeds b) {
    for (int i = 0; i < SEEDS; i++) { a.at[i] -= b.at[i]; }
    return a;
}

// What the reference leaves to be gained: H. It divides, so where there is nothing it is NaN.
static Seeds headroom(const char *run) {
    Seeds start = measure(run, "gold_reward", FIRST);
    for (int i = 0; i < SEEDS; i++) { start.at[i] = start.at[i] < 1 ? 1 - start.at[i] : NAN; }
    return start;
}

// (a - b) / H
static Seeds gap(const char *a, const char *b) {
    Seeds d = minus(reward(a), reward(b)), h = headroom(a);
    for (int i = 0; i < SEEDS; i++) { d.at[i] /= h.at[i]; }
    return d;
}

typedef struct {
    int n;
    double mean, se;  // NaN without seeds; se: standard error, NaN with one
} Stat;

static Stat stat(Seeds s) {
    Stat r = {0, 0, 0};
    for (int i = 0; i < SEEDS; i++) {
        if (!isnan(s.at[i])) {
            r.n++;
            r.mean += s.at[i];
        }
    }
    r.mean = r.n ? r.mean / r.n : NAN;
    for (int i = 0; i < SEEDS; i++) {
        if (!isnan(s.at[i])) { r.se += pow(s.at[i] - r.mean, 2); }
    }
    r.se = r.n > 1 ? sqrt(r.se / (r.n - 1) / r.n) : NAN;
    return r;
}

static double mean(Seeds s) {
    return stat(s).mean;
}

// The difference of two means, each over the seeds that it has.
static Stat apart(Seeds a, Seeds b) {
    Stat x = stat(a), y = stat(b);
    return (Stat){x.n < y.n ? x.n : y.n, x.mean - y.mean, NAN};
}

static const char *number(double x, int digits) {
    return isnan(x) ? "-" : text("%.*f", digits, x);
}

// 0.123 +- 0.004; `digits` after the point
static const char *show(Seeds seeds, int digits) {
    Stat s = stat(seeds);
    if (s.n == 0) { return "no figure"; }
    return s.n == 1 ? number(s.mean, digits)
                    : text("%.*f +- %.*f", digits, s.mean, digits, s.se);
}

// --- the page ------------------------------------------------------------------------------------

static FILE *out, *html, *figures;  // the plots of a claim wait until its text has ended
static char *figures_text;
static size_t figures_size;

static FILE *memory(char **to, size_t *size) {
    FILE *f = open_memstream(to, size);
    if (!f) { stop("memory", strerror(errno)); }
    return f;
}

// Print on standard output and on the page.
static void say(const char *format, ...) {
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    fputs(line, out);
    for (const char *c = line; *c && html; c++) {
        fputs(*c == '<' ? "&lt;" : (char[]){*c, 0}, html);
    }
}

// Print a long line, folded where a phrase ends.
static void say_folded(const char *head, const char *s) {
    int at = (int)strlen(head), indent = at;
    say("%s", head);
    while (*s) {
        int n = 0;
        while (s[n] && strncmp(s + n, ", ", 2) && strncmp(s + n, "; ", 2)
               && strncmp(s + n, ") (", 3)) {
            n++;
        }
        n += s[n] != 0;
        if (at + 1 + n > 100) {
            say("\n%*s", indent, "");
            at = indent;
        }
        say(" %.*s", n, s);
        at += 1 + n;
        s += n + (s[n] == ' ');
    }
    say("\n");
}

// Name the logs that were wanted since the last call and are not complete. Returns how many, and
// the name of the first in *which.
static int say_faults(const char **which) {
    int n = 0;
    for (Run *r = runs; r; r = r->next) {
        for (int i = 0; i < SEEDS; i++) {
            Table *t = r->seed[i];
            if (!t || !t->noted) { continue; }
            const char *name = strrchr(t->path, '/') + 1;
            say("    %s: not complete: %s\n", name, t->fault);
            *which = n++ ? *which : name;
            t->noted = 0;
        }
    }
    return n;
}

// --- the verdicts --------------------------------------------------------------------------------

// What a claim needs: that a number lies on one side of a limit.
typedef struct {
    const char *who, *what;  // which method ("": the claim judges none), and which of its numbers
    double x, limit, of;     // x is held against limit * of
    const char *sign;        // >=, <=, > or <
    int seeds;
} Need;

static Need needs[32];
static int n_needs;
static char verdict[N_CLAIMS][2048];  // nothing: not looked at
static int seeds_of[N_CLAIMS];        // those that the verdict stands on; 0: not known

// Whether x will do. NaN never does: nothing that it is compared with is true.
static int met(const Need *n, double x) {
    double limit = n->limit * n->of;
    return (n->sign[0] == '>' ? x > limit : x < limit) || (n->sign[1] && x == limit);
}

static void need(const char *who, const char *what, Stat s, const char *sign, double limit,
                 double of) {
    needs[n_needs++] = (Need){who, what, s.mean, limit, of, sign, s.n};
}

static const char *figure(double x, int more) {
    return text("%.*f", (fabs(x) < 10 ? 3 : fabs(x) < 100 ? 2 : 0) + more, x);
}

// A need's number, with so many digits that it shows on which side of the limit it is.
static const char *deciding(const Need *n) {
    int more = 0;
    while (more < 12 && met(n, atof(figure(n->x, more))) != met(n, n->x)) { more++; }
    return figure(n->x, more);
}

static const char *limit(const Need *n, int is_met) {
    const char *const against[] = {"<", "<=", ">", ">="};
    const char *sign = is_met ? n->sign : against[2 * (n->sign[0] == '<') + !n->sign[1]];
    return n->of == 1 ? text("%s %g", sign, n->limit)
                      : text("%s %g x %s", sign, n->limit, figure(n->of, 0));
}

static const char *word(int yes, int seeds) {
    static const char *const words[] = {"would not hold", "would hold", "does not hold", "holds"};
    return words[2 * (seeds >= ENOUGH) + yes];
}

// Append to a claim's verdict.
static void add(char *to, const char *format, ...) {
    size_t n = strlen(to);
    va_list args;
    va_start(args, format);
    vsnprintf(to + n, sizeof *verdict - n, format, args);
    va_end(args);
}

static int same_who(const Need *a, const Need *b) {
    return !strcmp(a->who, b->who);
}

// Whether two needs can share a pair of brackets: "(bon 0.90, rwr 0.93; each >= 0.05)".
static int same_limit(const Need *a, const Need *b) {
    return (!*a->who || !strcmp(a->what, b->what)) && a->limit == b->limit && a->of == b->of
        && !strcmp(a->sign, b->sign);
}

typedef int (*Same)(const Need *, const Need *);

static int is_first(const Need *n, Same same) {
    for (const Need *m = needs; m < n; m++) {
        if (same(m, n)) { return 0; }
    }
    return 1;
}

// How many of the needs that belong together with n are met, or are not.
static int count(const Need *n, Same same, int is_met) {
    int k = 0;
    for (const Need *m = needs; m < needs + n_needs; m++) {
        k += same(n, m) && met(m, m->x) == is_met;
    }
    return k;
}

// Put the needs into words, with the numbers that decide: of all, or else of those not met.
static void verdict_write(char *v, int seeds) {
    const Need *end = needs + n_needs;
    int some = 0, failed = 0;
    for (const Need *n = needs; n < end; n++) {
        failed += !met(n, n->x);
        some |= !count(n, same_who, 0);
    }
    add(v, "%s", word(!failed || some, seeds));
    for (const Need *n = needs; n < end && !failed; n++) {
        if (!is_first(n, same_limit)) { continue; }
        add(v, *n->who && *n->what ? " (%s: " : " (", n->what);
        for (const Need *m = n; m < end; m++) {
            if (!same_limit(n, m)) { continue; }
            add(v, "%s%s%s%s", m > n ? ", " : "", *m->who ? m->who : m->what,
                *m->who ? " " : " = ", deciding(m));
        }
        add(v, "%s%s)", count(n, same_limit, 1) > 1 ? "; each " : " ", limit(n, 1));
    }
    if (!failed) { return; }
    const char *before = " for ";
    for (const Need *n = needs; n < end && some; n++) {
        if (!is_first(n, same_who) || count(n, same_who, 0)) { continue; }
        add(v, "%s%s", before, n->who);
        before = ", ";
    }
    before = some ? "; not for " : ": ";
    for (const Need *n = needs; n < end; n++) {
        if (!is_first(n, same_who) || !count(n, same_who, 0)) { continue; }
        add(v, "%s%s", before, n->who);
        before = *n->who ? ": " : "";
        for (const Need *m = n; m < end; m++) {
            if (!same_who(n, m) || met(m, m->x)) { continue; }
            add(v, "%s%s%s%s %s", before, m->what, *m->what ? " = " : "", deciding(m), limit(m, 0));
            before = ", ";
        }
        before = "; ";
    }
}

static void claim_begin(int claim) {
    n_needs = 0;
    figures = memory(&figures_text, &figures_size);
    fputs("<section><pre>", html);
    say("\n%s  %s\n", label(claim), CLAIMS[claim - 1].says);
    say("    criterion: %s\n", CLAIMS[claim - 1].criterion);
}

static void claim_end(int claim, const char *caption) {
    char *v = verdict[claim - 1];
    const char *log, *before = "not known: no figure for ";
    int faults = say_faults(&log), seeds = SEEDS;
    *v = 0;
    for (const Need *n = needs; n < needs + n_needs; n++) {
        seeds = n->seeds < seeds ? n->seeds : seeds;
        if (isnan(n->x) || isnan(n->limit * n->of)) {
            add(v, "%s%s%s%s", before, n->who, *n->who && *n->what ? " " : "", n->what);
            before = ", ";
        }
    }
    if (faults) {
        *v = 0;
        add(v, "not known: %s is not complete", log);
        if (faults > 1) { add(v, ", nor %s", faults > 2 ? "are others" : "is another"); }
    }
    seeds_of[claim - 1] = *v ? 0 : seeds;
    if (!*v) { verdict_write(v, seeds); }
    say_folded(text("    %s:", label(claim)), v);
    fclose(figures);
    fprintf(html, "</pre>\n%s<p>%s</p></section>\n", figures_text, caption);
    free(figures_text);
}

// --- the plots -----------------------------------------------------------------------------------

typedef struct {
    char label[64];
    const char *color;
    int n;
    char style;                              // '-' solid, ':' dashed, '#' area
    double x[POINTS], y[POINTS], e[POINTS];  // e: half the height of the band, or NaN
} Line;

static Line lines[16];
static int n_lines;

static Line *line_new(const char *label, const char *color, char style) {
    Line *l = &lines[n_lines++];
    *l = (Line){.color = color, .style = style};
    snprintf(l->label, sizeof l->label, "%s", label);
    return l;
}

static void point(Line *l, double x, double y, double e) {
    if (l->n < POINTS && isfinite(x) && isfinite(y)) {
        l->x[l->n] = x;
        l->y[l->n] = y;
        l->e[l->n++] = e;
    }
}

#define BLUE "#4477aa"
#define ORANGE "#ee7733"
#define GREY "#999999"
#define LIGHT "#dddddd"

static const char *method_color(const char *method) {  // the same in all plots
    static const char *const names[][2] = {{"bon", ORANGE}, {"dpo", BLUE}, {"rwr", "#228833"},
        {"ppo", "#aa3377"}, {"ipo", "#33bbee"}, {"pref-ft", "#cc3311"}, {"reinforce", "#bbaa33"}};
    for (int i = 0; i < 7; i++) {
        if (!strcmp(method, names[i][0])) { return names[i][1]; }
    }
    return GREY;
}

// A quantity of a run against another, the mean over seeds row by row. Offline, all queries are
// spent before the first step: by queries, such a curve stays where it is until then.
static void curve(const char *run, const char *x, const char *y, const char *label,
                  const char *color, char style) {
    Line *l = line_new(label, color, style);
    const Run *all = run_find(run, ".csv");
    for (int r = 0, more = 1; more; r++) {
        Seeds xs, ys;
        more = 0;
        for (int i = 0; i < SEEDS; i++) {
            const Table *t = all->seed[i];
            int there = t && !*t->fault && r < t->rows;
            xs.at[i] = there ? cell(t, r, x) : NAN;
            ys.at[i] = there ? cell(t, r, y) : NAN;
            more |= there;
        }
        if (r == 1 && !strcmp(x, "queries") && !strncmp(run, "off", 3)) {
            point(l, mean(xs), l->y[0], NAN);
        }
        point(l, mean(xs), mean(ys), stat(ys).se);
    }
    n_lines -= l->n == 0;
}

// Draw the lines and forget them.
static void plot(const char *title, const char *x_name, const char *y_name, int log_x) {
    enum { W = 330, H = 210, LEFT = 58, TOP = 30, ALL_W = W + LEFT + 140, ALL_H = H + TOP + 45 };
    double x0 = INFINITY, x1 = -INFINITY, y0 = INFINITY, y1 = -INFINITY;
    for (Line *l = lines; l < lines + n_lines; l++) {
        for (int i = 0; i < l->n; i++) {
            double e = isnan(l->e[i]) ? 0 : l->e[i];
            x0 = fmin(x0, l->x[i]), x1 = fmax(x1, l->x[i]);
            y0 = fmin(y0, l->y[i] - e), y1 = fmax(y1, l->y[i] + e);
        }
    }
    int n = x1 >= x0 ? n_lines : 0;
    n_lines = 0;
    if (n == 0) { return; }
    if (y0 > 0 && y0 < 0.5 * y1) { y0 = 0; }  // from zero, unless that would hide what happens
    y1 += y1 > y0 ? 0.04 * (y1 - y0) : 1;
    x1 += x1 > x0 ? 0 : 1;
#define X(x) (LEFT + W * (log_x ? log((x) / x0) / log(x1 / x0) : ((x) - x0) / (x1 - x0)))
#define Y(y) (TOP + H * (y1 - (y)) / (y1 - y0))
    FILE *f = figures;
    fprintf(f, "<svg width=\"%d\" height=\"%d\"><text x=\"%d\" y=\"18\" class=\"t\">%s</text>\n",
            ALL_W, ALL_H, LEFT, title);
    // Ticks at 1, 2 and 5 of each decade on a log axis, else about five at a round distance.
    for (int axis = 0; axis < 2; axis++) {
        int logs = log_x && !axis;
        double low = axis ? y0 : x0, high = axis ? y1 : x1;
        double step = pow(10, floor(log10(high - low) - 1));
        for (int k = 0; (high - low) / step > 6; k++) { step *= k % 3 == 1 ? 2.5 : 2; }
        double tick = logs ? pow(10, floor(log10(low))) : ceil(low / step) * step;
        int few = logs && high / low > 2e3;  // so long an axis has room for the decades only
        for (int k = 0; tick <= high + 1e-9 * fabs(high); k++) {
            double at = axis ? Y(tick) : X(tick), value = fabs(tick) < 1e-9 ? 0 : tick;
            if (axis) {
                fprintf(f, "<path class=\"g\" d=\"M%d %.1fh%d\"/>", LEFT, at, W);
                fprintf(f, "<text x=\"%d\" y=\"%.1f\" class=\"r\">%g</text>\n", LEFT - 6, at + 4,
                        value);
            } else if (tick >= low - 1e-9) {
                fprintf(f, "<path class=\"g\" d=\"M%.1f %dv%d\"/>", at, TOP, H);
                fprintf(f, "<text x=\"%.1f\" y=\"%d\" class=\"m\">%g</text>\n", at, TOP + H + 15,
                        value);
            }
            tick = !logs ? tick + step : few ? 10 * tick : tick * (k % 3 == 1 ? 2.5 : 2);
        }
    }
    fprintf(f, "<text x=\"%d\" y=\"%d\" class=\"m\">%s</text>\n", LEFT + W / 2, ALL_H - 10, x_name);
    fprintf(f, "<text transform=\"translate(13 %d) rotate(-90)\" class=\"m\">%s</text>\n",
            TOP + H / 2, y_name);
    for (const Line *l = lines; l < lines + n; l++) {
        int area = l->style == '#', last = l->n - 1, key = TOP + 12 + 18 * (int)(l - lines);
        if (last < 0) { continue; }
        if (area) {  // down to zero
            fprintf(f, "<path fill=\"%s\" d=\"M%.1f %.1f", l->color, X(l->x[0]), Y(0));
            for (int i = 0; i <= last; i++) { fprintf(f, "L%.1f %.1f", X(l->x[i]), Y(l->y[i])); }
            fprintf(f, "L%.1f %.1fZ\"/>\n", X(l->x[last]), Y(0));
        } else if (!isnan(l->e[last])) {  // the band of the standard error: along its top and back
            fprintf(f, "<path fill=\"%s\" opacity=\"0.18\" d=\"", l->color);
            for (int i = 0; i < 2 * l->n; i++) {
                int back = i > last, j = back ? 2 * last + 1 - i : i;
                double e = isnan(l->e[j]) ? 0 : l->e[j];
                fprintf(f, "%c%.1f %.1f", i ? 'L' : 'M', X(l->x[j]), Y(l->y[j] + (back ? -e : e)));
            }
            fputs("Z\"/>\n", f);
        }
        fprintf(f, "<g fill=\"none\" stroke=\"%s\" stroke-width=\"%d\"%s><path d=\"M%d %dh22",
                l->color, area ? 9 : 2, l->style == ':' ? " stroke-dasharray=\"5 4\"" : "",
                LEFT + W + 10, key - 4);
        for (int i = 0; i <= last && !area; i++) {
            fprintf(f, "%c%.1f %.1f", i ? 'L' : 'M', X(l->x[i]), Y(l->y[i]));
        }
        fprintf(f, "\"/></g><text x=\"%d\" y=\"%d\">%s</text>\n", LEFT + W + 37, key, l->label);
        if (!area) {
            fprintf(f, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n", X(l->x[last]),
                    Y(l->y[last]), l->color);
        }
    }
    fputs("</svg>\n", f);
}

// --- the claims ----------------------------------------------------------------------------------

static const char *const METHODS[] = {"bon", "rwr", "dpo", "ppo"};  // the first three are judged
static const char *const TASKS[] = {"r1", "r2"};

// The number after `before` in what a run printed; NaN if there is none, or no end of its line.
static double printed(const char *run, int i, const char *before) {
    FILE *f = fopen(text("%s/%s/%s_s%d.txt", out_dir, FOLDERS[folder], run, first_seed + i), "r");
    char line[256], *at, *end;
    double x = NAN;
    while (f && fgets(line, sizeof line, f)) {
        if (!(at = strstr(line, before)) || !strchr(line, '\n')) { continue; }
        x = strtod(at += strlen(before), &end);
        x = end > at ? x : NAN;
    }
    if (f) { fclose(f); }
    return x;
}

// The reward that imitation of a run's fixed set can earn: the run prints it.
static Seeds imitation_bound(const char *run) {
    Seeds bound;
    for (int i = 0; i < SEEDS; i++) {
        bound.at[i] = printed(run, i, "perfectly would earn ");
    }
    return bound;
}

static void claims_1_2(void) {
    const char *where[] = {"far from the reference", "in the reference's mass"};
    claim_begin(1);
    say("    %-6s%-17s%-17s%-17s%-7s%s\n", "R1", "on-policy", "offline", "(on - off)/H", "seeds",
        "imitation of the set can earn");
    for (int m = 0; m < 4; m++) {
        const char *on = text("on_%s_r1", METHODS[m]), *off = text("off_%s_r1", METHODS[m]);
        Seeds d = gap(on, off);
        say("    %-6s%-17s%-17s%-17s%-7d%s\n", METHODS[m], show(reward(on), 3),
            show(reward(off), 3), show(d, 3), stat(d).n,
            m < 2 ? show(imitation_bound(off), 3) : "");
        if (m < 3) { need(METHODS[m], "", stat(d), ">=", MARGIN, 1); }
    }
    say("    ppo, share of ratios clipped at the end: on-policy %s, offline %s\n",
        show(measure("on_ppo_r1", "clip_frac", LAST), 3),
        show(measure("off_ppo_r1", "clip_frac", LAST), 3));
    for (int k = 0; k < 4; k++) {
        const char *x = k % 2 ? "step" : "queries", *task = TASKS[k / 2];
        for (int m = 0; m < 4; m++) {
            const char *name = METHODS[m], *color = method_color(name);
            curve(text("on_%s_%s", name, task), x, "gold_reward", text("%s, on-policy", name),
                  color, '-');
            curve(text("off_%s_%s", name, task), x, "gold_reward", text("%s, offline", name),
                  color, ':');
        }
        plot(text("R%d: the peak is %s", k / 2 + 1, where[k / 2]),
             k % 2 ? "gradient steps" : "reward queries", "reward", 0);
    }
    claim_end(1, "Solid: sampled from the policy as it learns. Dashed: one set, sampled from the "
              "reference; all of its queries are spent before the first step, so by queries it "
              "rises at the right edge only. See how much lower the dashed lines end, and where.");
    claim_begin(2);
    say("    %-6s%-19s%-19s%-19s%s\n", "", "gap/H on R1", "gap/H on R2", "R1 - R2", "seeds");
    for (int m = 0; m < 3; m++) {
        const char *name = METHODS[m];
        Seeds far = gap(text("on_%s_r1", name), text("off_%s_r1", name));
        Seeds near = gap(text("on_%s_r2", name), text("off_%s_r2", name)), d = minus(far, near);
        say("    %-6s%-19s%-19s%-19s%d\n", name, show(far, 3), show(near, 3), show(d, 3),
            stat(d).n);
        need(name, "", stat(d), ">=", MARGIN, 1);
    }
    claim_end(2, "The plots are those above.");
}

// Spearman's rank correlation; equal values share their mean rank. All equal: 0.
static double rank_correlation(const double *x, const double *y, int n) {
    double xy = 0, xx = 0, yy = 0;
    for (int i = 0; i < n; i++) {
        double rx = 0, ry = 0;  // the rank, less the mean rank: half of (smaller - greater)
        for (int j = 0; j < n; j++) {
            rx += (x[j] < x[i]) - (x[j] > x[i]);
            ry += (y[j] < y[i]) - (y[j] > y[i]);
        }
        xy += rx * ry;
        xx += rx * rx;
        yy += ry * ry;
    }
    return xx * yy > 0 ? xy / sqrt(xx * yy) : 0;
}

static void claim_3(void) {
    const int collect[] = {10, 20, 50, 100, 200, 500, 1000};  // prompts, of 10 responses each
    claim_begin(3);
    say("    %-20s", "queries/collection");
    for (int k = 0; k < 7; k++) { say("%7d", 10 * collect[k]); }
    say("  (first-last)/H  rank\n    %-20s", "collections");
    for (int k = 0; k < 7; k++) { say("%7d", 1000 / collect[k]); }
    say("\n");
    for (int t = 0; t < 2; t++) {
        for (int m = 0; m < 3; m++) {
            const char *name = text("%s_%s", METHODS[m], TASKS[t]), *at[7];
            double x[7], y[7];
            int fewest = SEEDS;
            Line *l = line_new(METHODS[m], method_color(METHODS[m]), '-');
            for (int k = 0; k < 7; k++) {
                at[k] = k == 0 ? text("on_%s", name) : k == 6 ? text("off_%s", name)
                          : text("on_%s_collect%d", name, collect[k]);
                Stat s = stat(reward(at[k]));
                x[k] = 10 * collect[k];
                y[k] = s.mean;
                fewest = s.n < fewest ? s.n : fewest;
                point(l, x[k], y[k], s.se);
            }
            Seeds d = gap(at[0], at[6]);
            double rank = fewest ? rank_correlation(x, y, 7) : NAN;
            say("    R%d  %-4s %2d seed%-5s", t + 1, METHODS[m], fewest,
                fewest == 1 ? "" : "s");
            for (int k = 0; k < 7; k++) { say("%7s", number(y[k], 3)); }
            say("  %-14s %6s\n", show(d, 3), number(rank, 2));
            if (t == 0) {
                need(METHODS[m], "", stat(d), ">=", MARGIN, 1);
                need(METHODS[m], "rank", (Stat){fewest, rank, 0}, "<=", RANK, 1);
            }
        }
        plot(text("R%d", t + 1), "queries a collection, of 10000 in all", "final reward", 1);
    }
    claim_end(3, "At the left 100 collections, each sampled from the policy of that moment; at the "
              "right one, sampled from the reference. Falling lines: fresh samples matter.");
}

static void claim_4(void) {
    const int reuse[] = {1, 2, 5, 10, 20, 50};
    const char *methods[] = {"bon", "ppo", "dpo", "reinforce"};
    const char *title[] = {"(a) 100 collections, so 100 T gradient steps",
                           "(b) 1000 gradient steps, so 1000/T collections"};
    claim_begin(4);
    for (int fixed_steps = 0; fixed_steps < 2; fixed_steps++) {
        say("    %-52s%s\n    %-14s", title[fixed_steps],
            fixed_steps ? "(T=1 - T=50)/H" : "(best - T=1)/H", "T");
        for (int k = 0; k < 6; k++) { say("%6d", reuse[k]); }
        say("\n");
        for (int m = 0; m < 4; m++) {
            const char *at[6];
            int best = 1, all = 1;
            double y[6];
            Line *l = line_new(methods[m], method_color(methods[m]), '-');
            say("    %-14s", methods[m]);
            for (int k = 0; k < 6; k++) {
                at[k] = reuse[k] == 10 ? text("on_%s_r1", methods[m])
                          : fixed_steps ? text("on_%s_r1_reuse%d_steps1000", methods[m], reuse[k])
                          : text("on_%s_r1_reuse%d_steps%d", methods[m], reuse[k], 100 * reuse[k]);
                Stat s = stat(reward(at[k]));
                y[k] = s.mean;
                all &= s.n > 0;
                if (k > 0 && y[k] > y[best]) { best = k; }
                point(l, reuse[k], y[k], s.se);
                say("%6s", number(y[k], 3));
            }
            Seeds d = fixed_steps ? gap(at[0], at[5]) : gap(at[best], at[0]);
            Stat s = all ? stat(d) : (Stat){0, NAN, NAN};
            say("  %-16s %d seed%s  %s\n", show(d, 3), s.n, s.n == 1 ? " " : "s",
                s.n ? word(s.mean >= MARGIN, s.n) : "not known");
            need(methods[m], fixed_steps ? "(b)" : "(a)", s, ">=", MARGIN, 1);
        }
        plot(title[fixed_steps], "T, uses of each sample", "final reward", 1);
    }
    claim_end(4, "(a) The same number of samples, used more often: rising lines say that reuse "
              "helps. (b) The same number of steps on fewer samples: falling lines are its price.");
}

// The reward when the KL to the reference first reaches `nats`: between rows by a straight line.
static Seeds reward_at_kl(const char *run, double nats) {
    Seeds s;
    Run *all = run_find(run, ".csv");
    for (int i = 0; i < SEEDS; i++) {
        Table *t = run_table(all, i);
        s.at[i] = NAN;
        for (int r = 1; t && r < t->rows && isnan(s.at[i]); r++) {
            double a = value(t, r - 1, "kl"), b = value(t, r, "kl");
            double y = value(t, r - 1, "gold_reward"), z = value(t, r, "gold_reward");
            if (b >= nats) { s.at[i] = y + (z - y) * (nats - a) / (b - a); }
        }
    }
    return s;
}

static void claim_5(void) {
    const char *methods[] = {"dpo", "ipo", "bon", "rwr", "pref-ft"};
    Seeds lead[2];
    claim_begin(5);
    say("    %-12s%-17s%-7sreward when the KL to the reference first reaches\n", "", "", "");
    say("    %-12s%-17s%-7s%-17s%-17s%s\n", "offline", "reward", "seeds", "5 nats", "10 nats",
        "20 nats");
    for (int t = 0; t < 2; t++) {
        Seeds end[5], h = headroom(text("off_dpo_%s", TASKS[t]));
        for (int m = 0; m < 5; m++) {
            const char *run = text("off_%s_%s", methods[m], TASKS[t]);
            end[m] = reward(run);
            say("    R%d %-9s%-17s%-7d", t + 1, methods[m], show(end[m], 3), stat(end[m]).n);
            for (int nats = 5; nats <= 20; nats *= 2) {
                Seeds at = reward_at_kl(run, nats);
                say("%-*s", nats < 20 ? 17 : 0, stat(at).n ? show(at, 3) : "-");
            }
            say("\n");
            curve(run, "kl", "gold_reward", methods[m], method_color(methods[m]), '-');
        }
        plot(text("R%d, offline", t + 1), "KL to the reference, nats a response", "reward", 0);
        for (int i = 0; i < SEEDS; i++) {  // fmin and fmax pass over NaN: the sum brings it back
            double with = fmin(end[0].at[i], end[1].at[i]), all = 0;
            double without = fmax(fmax(end[2].at[i], end[3].at[i]), end[4].at[i]);
            for (int m = 0; m < 5; m++) { all += end[m].at[i]; }
            lead[t].at[i] = isnan(all) ? NAN : (with - without) / h.at[i];
        }
    }
    Seeds less = minus(lead[0], lead[1]);
    say("    lead on R1: %s; on R2: %s; R1 - R2: %s\n", show(lead[0], 3), show(lead[1], 3),
        show(less, 3));
    need("", "lead on R1", stat(lead[0]), ">=", MARGIN, 1);
    need("", "lead on R1 - lead on R2", stat(less), ">=", MARGIN, 1);
    claim_end(5, "What each method earns for each nat it moves from the reference, all on the same "
              "fixed set. See where imitation (bon, rwr, pref-ft) ends, and where the others do.");
}

// The first row at which `share` of H is gained. Never: the whole budget, and *never is set.
static Seeds time_to(const char *run, double share, const char *unit, int *never) {
    Seeds s;
    Run *all = run_find(run, ".csv");
    for (int i = 0; i < SEEDS; i++) {
        Table *t = run_table(all, i);
        int r = 0;
        s.at[i] = NAN;
        if (!t) { continue; }
        double start = value(t, 0, "gold_reward"), goal = start + share * (1 - start);
        while (r < t->rows && !(value(t, r, "gold_reward") >= goal)) { r++; }
        *never |= r == t->rows;
        double budget = !strcmp(unit, "queries") ? BUDGET : value(t, t->rows - 1, unit);
        s.at[i] = r < t->rows ? value(t, r, unit) : budget;
    }
    return s;
}

static void claim_6(void) {
    const char *run[] = {"off_dpo_r1_neg0", "off_dpo_r1", "on_dpo_r1_neg0", "on_dpo_r1"};
    const char *names[] = {"off, neg 0", "off, neg 1", "on, neg 0", "on, neg 1"};
    claim_begin(6);
    say("    %-12s%-17s%-26s%-26s%s\n", "dpo on R1", "reward", "50% of H: queries, steps",
        "90% of H: queries, steps", "seeds");
    for (int k = 0; k < 4; k++) {
        Seeds r = reward(run[k]);
        say("    %-12s%-17s", names[k], show(r, 3));
        for (int c = 0; c < 4; c++) {
            int never = 0;
            Seeds s = time_to(run[k], c < 2 ? 0.5 : 0.9, c % 2 ? "step" : "queries", &never);
            say("%-*s", c % 2 ? 16 : 10, text("%s%s", never ? ">" : "", number(mean(s), 0)));
        }
        say("%d\n", stat(r).n);
    }
    for (int k = 0; k < 8; k++) {
        int i = k % 4;
        curve(run[i], k < 4 ? "step" : "queries", "gold_reward", names[i], i < 2 ? ORANGE : BLUE,
              i % 2 ? '-' : ':');
        if (i == 3) { plot("dpo on R1", k < 4 ? "gradient steps" : "reward queries", "reward", 0); }
    }
    int never = 0;
    Seeds neg = gap(run[1], run[0]), fresh = gap(run[2], run[0]);
    Seeds both = time_to(run[3], 0.9, "queries", &never);
    Seeds one = time_to(run[2], 0.9, "queries", &never);
    say("    of H: negative gradient alone %s, fresh samples alone %s\n", show(neg, 3),
        show(fresh, 3));
    need("", "negative gradient", stat(neg), ">=", MARGIN, 1);
    need("", "fresh samples", stat(fresh), ">=", MARGIN, 1);
    need("", "queries of on,neg1", stat(both), "<=", SOONER, mean(one));
    claim_end(6, "One bit changes the method: with neg 0 (dashed) nothing is pushed down. Orange: "
              "offline; blue: on-policy. See what each of the two adds, alone and together.");
}

static void claim_7(void) {
    const char *methods[] = {"dpo", "ipo", "pref-ft"};
    const char *what[] = {"logp_chosen", "logp_rejected", "reward_margin"};
    const char *labels[] = {"log p of chosen", "log p of rejected", "margin"};
    const char *colors[] = {BLUE, ORANGE, GREY};
    claim_begin(7);
    say("    %-8s%-14s%-16s%-16s%-16s%8s%8s  %s\n", "offline", "nats", "first", "last", "change",
        "lowest", "highest", "seeds");
    for (int m = 0; m < 3; m++) {
        const char *run = text("off_%s_r1", methods[m]);
        Seeds d[3];
        for (int w = 0; w < 3; w++) {
            Seeds first = measure(run, what[w], FIRST), last = measure(run, what[w], LAST);
            d[w] = minus(last, first);
            say("    %-8s%-14s%-16s%-16s%-16s", w ? "" : methods[m], what[w], show(first, 2),
                show(last, 2), show(d[w], 2));
            say("%8s%8s  %d\n", number(mean(measure(run, what[w], LOWEST)), 2),
                number(mean(measure(run, what[w], HIGHEST)), 2), stat(d[w]).n);
            curve(run, "step", what[w], labels[w], colors[w], w == 2 ? ':' : '-');
        }
        plot(text("%s, offline, R1", methods[m]), "gradient steps", "nats a response", 0);
        if (m < 2) { need(methods[m], "margin", stat(d[2]), ">=", NATS, 1); }
        need(methods[m], "chosen", stat(d[0]), m < 2 ? "<=" : ">", m < 2 ? -NATS : 0, 1);
        if (m == 2) { need(methods[m], "rejected", stat(d[1]), ">", 0, 1); }
    }
    claim_end(7, "Log-probabilities of 128 pairs that no training saw. A growing margin (dashed) "
              "does not mean that the chosen responses become likelier: see whether both fall.");
}

// The distribution in a row of the study, as steps: both edges of each of 20 bins.
static void bins(Line *l, const Table *t, int row) {
    for (int edge = 0; edge < 40; edge++) {
        double p = number_at(t, row, column(t, "p0") + edge / 2);
        point(l, edge / 2 - 0.5 + edge % 2, p, NAN);
    }
}

// Steps and a learning rate, or never; NaN if neither stands there.
static double steps_read(char **at) {
    char *lr, *end;
    *at += strspn(*at, " ");
    if (!strncmp(*at, "never", 5)) {
        *at += 5;
        return INFINITY;
    }
    double steps = strtod(*at, &lr);
    strtod(lr, &end);
    *at = end;
    return end > lr ? steps : NAN;
}

static void claim_8(void) {
    static const Table *t;
    t = t ? t : table_read(text("%s/kl.csv", out_dir));
    if (!t) { return; }
    FILE *f = fopen(text("%s/kl.txt", out_dir), "r");  // exact; the log leaves out steps
    double least = NAN, most = NAN;                    // reverse / forward steps; NaN: no case yet
    int told = 0, logged = 0;
    char line[256], *at;
    claim_begin(8);
    while (f && fgets(line, sizeof line, f)) {  // name (30 wide), TV, forward, reverse
        int whole = strchr(line, '\n') != NULL;
        say("    %s%s", line, whole ? "" : "\n");
        strtod(line + (strlen(line) > 30 ? 30 : 0), &at);
        double forward = steps_read(&at), reverse = steps_read(&at), times = reverse / forward;
        if (!whole || isnan(forward) || isnan(reverse)) { continue; }
        told++;
        least = fmin(least, isfinite(reverse) ? times : INFINITY);
        if (!strncmp(line, "far", 3)) { most = fmax(most, isfinite(forward) ? times : 0); }
    }
    if (f) { fclose(f); }
    for (int from = 0, mid, to; from < t->rows; from = to) {  // forward, then reverse
        for (mid = from + 1; mid < t->rows && cell(t, mid, "step") > 0; mid++) { }
        for (to = mid + 1; to < t->rows && cell(t, to, "step") > 0; to++) { }
        if (to > t->rows) { break; }
        logged++;
        const int start[] = {from, mid}, end[] = {mid, to};
        const char *names[] = {"forward KL", "reverse KL"}, *colors[] = {ORANGE, BLUE};
        for (int k = 0; k < 2; k++) {
            Line *l = line_new(names[k], colors[k], '-');
            for (int r = start[k]; r < end[k]; r++) {
                point(l, 1 + cell(t, r, "step"), cell(t, r, "tv"), NAN);
            }
        }
        plot(t->field[from * t->columns], "1 + step", "total variation left", 1);
        double near = 0.1 * cell(t, from, "tv");
        int row = 0;  // rows after the start: the first at which one of the two has arrived
        while (from + row < mid - 1 && mid + row < to - 1 && cell(t, from + row, "tv") > near
               && cell(t, mid + row, "tv") > near) {
            row++;
        }
        bins(line_new("the start", LIGHT, '#'), t, from);
        for (int k = 0; k < 2; k++) { bins(line_new(names[k], colors[k], '-'), t, start[k] + row); }
        plot(text("%s: step %.0f", t->field[from * t->columns], cell(t, from + row, "step")), "bin",
             "probability", 0);
    }
    if (t->cut || told == 0 || told != logged) {
        say("    kl.csv: not complete: it has %d cases, kl.txt %d\n", logged, told);
        least = most = NAN;
    }
    need("", "reverse / forward steps, least", (Stat){SEEDS, least, 0}, "<=", SOONER, 1);
    need("", "most, far", (Stat){SEEDS, most, 0}, ">=", LATER, 1);
    claim_end(8, "Left: how much of the way is left, each at its best learning rate. Right: the "
              "distributions when the first of the two arrives. See which lags, and where.");
}

// The shares of tokens under a policy of seed 1, which `measure hist` has written; NULL if they are
// not there, or not whole.
static Table *shares(const char *run) {
    Table *t = run_find(run, ".hist.csv")->seed[0];
    return t && !t->cut && !*t->fault ? t : NULL;
}

// Where the mass went: the share of each token under the policies of seed 1, the reward behind.
static void histograms(void) {
    const char *names[] = {"off_bon", "off_dpo", "on_dpo"};
    const char *titles[] = {"bon, offline", "dpo, offline", "dpo, on-policy"};
    const Table *reference = shares("ref");
    figures = html;
    fputs("<section><h2>Where did the mass go?</h2>\n", html);
    for (int k = 0; k < 6 && reference; k++) {
        const Table *t = shares(text("%s_%s", names[k % 3], TASKS[k / 3]));
        if (!t) { continue; }
        double most = 0;
        for (int r = 0; r < t->rows; r++) { most = fmax(most, cell(t, r, "share")); }
        Line *peak = line_new("reward's shape", LIGHT, '#');
        Line *before = line_new("the reference", GREY, ':');
        Line *after = line_new("the policy", BLUE, '-');
        for (int r = 0; r < t->rows; r++) {
            double token = cell(t, r, "bin"), far = (token - (k < 3 ? 70 : 20)) / 10;
            point(peak, token, most * exp(-far * far), NAN);
            point(after, token, cell(t, r, "share"), NAN);
        }
        for (int r = 0; r < reference->rows; r++) {
            point(before, cell(reference, r, "bin"), cell(reference, r, "share"), NAN);
        }
        plot(text("%s, R%d", titles[k % 3], k / 3 + 1), "token", "share of tokens", 0);
    }
    fputs("<p>Tokens of 512 responses at the end of training, seed 1. See how much of the mass has "
          "moved under the reward, offline and with fresh samples.</p></section>\n", html);
}

// --- the claims about stories --------------------------------------------------------------------

static const char *const STORY_TASKS[] = {"min", "skew", "mode"};
static const char *const TUNED[] = {"rwr", "bon", "dpo", "reinforce", "ppo"};

static void claim_l1(void) {
    int skew = 0;  // not part of the core
    for (int m = 0; m < 5; m++) { skew |= exists(text("on_%s_skew", TUNED[m])); }
    claim_begin(9);
    say("    %-17s%-17s%-17s%-17s%-7s%s\n", "", "on-policy", "offline", "(on - off)/H", "seeds",
        "imitation of the set can earn");
    for (int m = 0; m < 5; m++) {
        Seeds d[3];
        for (int t = 0; t < 3; t++) {
            const char *on = text("on_%s_%s", TUNED[m], STORY_TASKS[t]);
            const char *off = text("off_%s_%s", TUNED[m], STORY_TASKS[t]);
            d[t] = gap(on, off);
            if (t == 1 && !skew) { continue; }
            say("    %-5s%-12s%-17s%-17s%-17s%-7d%s\n", STORY_TASKS[t], TUNED[m],
                show(reward(on), 3), show(reward(off), 3), show(d[t], 3), stat(d[t]).n,
                m < 2 ? show(imitation_bound(off), 3) : "");
        }
        Seeds less = minus(d[0], d[2]);
        need(TUNED[m], "min", stat(d[0]), ">=", MARGIN, 1);
        if (skew) { need(TUNED[m], "skew", stat(d[1]), ">=", MARGIN, 1); }
        need(TUNED[m], "min - mode", stat(less), ">=", MARGIN, 1);
    }
    const char *classic[] = {"dpo", "ipo", "pref-ft"};
    for (int t = 0; t < 3; t++) {
        for (int m = 0; m < 3; m++) {
            Seeds r = reward(text("pairs_%s_%s", classic[m], STORY_TASKS[t]));
            if (stat(r).n) {
                say("    %-5s%-12s%-17s%-17s%-17s%d\n", STORY_TASKS[t], classic[m], "",
                    show(r, 3), "(pairs file)", stat(r).n);
            }
        }
    }
    for (int t = 0; t < 3; t++) {
        for (int m = 0; m < 5; m++) {
            const char *name = text("%s_%s", TUNED[m], STORY_TASKS[t]);
            curve(text("on_%s", name), "step", "gold_reward", text("%s, on-policy", TUNED[m]),
                  method_color(TUNED[m]), '-');
            curve(text("off_%s", name), "step", "gold_reward", text("%s, offline", TUNED[m]),
                  method_color(TUNED[m]), ':');
        }
        plot(STORY_TASKS[t], "gradient steps", "true reward", 0);
    }
    claim_end(9, "All learn from the same reward model, and are measured by the truth. Solid: the "
              "policy samples. Dashed: one set, sampled from the reference.");
}

static void claim_l2(void) {
    const int collect[] = {8, 40, 160, 320}, reuse[] = {1, 2, 4, 8};
    const char *methods[] = {"ppo", "rwr", "bon"};
    claim_begin(10);
    for (int axis = 0; axis < 2; axis++) {
        say("    %-25s", axis ? "T, in 80 steps" : "prompts a collection");
        for (int k = 0; k < 4; k++) { say("%7d", axis ? reuse[k] : collect[k]); }
        say("  (first-last)/H\n");
        for (int m = 0; m < 3; m++) {
            const char *at[4];
            Line *l = line_new(methods[m], method_color(methods[m]), '-');
            for (int k = 0; k < 4; k++) {
                at[k] = axis ? k == 1 ? text("on_%s_min", methods[m])
                                        : text("on_%s_min_reuse%d", methods[m], reuse[k])
                          : k == 0 ? text("on_%s_min", methods[m])
                          : k == 3 ? text("off_%s_min", methods[m])
                                   : text("on_%s_min_collect%d", methods[m], collect[k]);
                Stat s = stat(reward(at[k]));
                point(l, axis ? reuse[k] : collect[k], s.mean, s.se);
            }
            Seeds d = gap(at[0], at[3]);
            say("    %-10s%2d seed%-8s", methods[m], stat(d).n, stat(d).n == 1 ? "" : "s");
            for (int k = 0; k < 4; k++) { say("%7s", number(mean(reward(at[k])), 3)); }
            say("  %s\n", show(d, 3));
            need(methods[m], axis ? "T=1 - T=8" : "8 - all at once", stat(d), axis ? "<" : ">=",
                 MARGIN, 1);
        }
        plot("min", axis ? "T, uses of each sample" : "prompts a collection, of 320 in all",
             "final true reward", 1);
    }
    claim_end(10, "Left: the same number of samples in fewer collections. Right: the same number "
              "of steps on fewer samples.");
}

static void claim_l3(void) {
    const char *methods[] = {"dpo", "ipo", "pref-ft", "rwr"};
    const char *what[] = {"logp_chosen", "logp_rejected", "reward_margin", "kl"};
    Seeds lead[2];
    claim_begin(11);
    say("    %-17s%-17s%-17s%-17s%-12s%s\n", "on the file", "reward", "log p chosen",
        "log p rejected", "margin", "KL");
    for (int t = 0; t < 2; t++) {
        const char *task = t ? "mode" : "min";
        Seeds end[4], h = headroom(text("pairs_dpo_%s", task));
        for (int m = 0; m < 4; m++) {
            const char *run = text("pairs_%s_%s", methods[m], task);
            end[m] = reward(run);
            say("    %-5s%-12s%-17s", task, methods[m], show(end[m], 3));
            for (int w = 0; w < 4; w++) {
                Seeds d = minus(measure(run, what[w], LAST), measure(run, what[w], FIRST));
                say("%-*s", w < 2 ? 17 : w < 3 ? 12 : 0,
                    stat(d).n ? text("%+.1f", mean(d)) : "no figure");
                curve(run, "step", what[w], what[w],
                      (const char *[]){BLUE, ORANGE, GREY, "#228833"}[w], w < 2 ? '-' : ':');
            }
            say("\n");
            plot(text("%s on pairs, %s", methods[m], task), "gradient steps", "nats", 0);
        }
        for (int i = 0; i < SEEDS; i++) {
            double x = fmin(end[0].at[i], end[1].at[i]) - fmax(end[2].at[i], end[3].at[i]), all = 0;
            for (int m = 0; m < 4; m++) { all += end[m].at[i]; }
            lead[t].at[i] = isnan(all) ? NAN : x / h.at[i];
        }
    }
    Seeds less = minus(lead[0], lead[1]);
    say("    lead on min: %s; on mode: %s; min - mode: %s\n", show(lead[0], 3), show(lead[1], 3),
        show(less, 3));
    need("", "lead on min", stat(lead[0]), ">=", MARGIN, 1);
    need("", "lead on min - lead on mode", stat(less), ">=", MARGIN, 1);
    claim_end(11, "The columns are changes from start to end, of 128 pairs that no training saw.");
}

static void claim_l4(void) {
    const char *run[] = {"on_dpo_min", "pairs_dpo_min", "on_ppo_min"};
    const char *names[] = {"dpo, on-policy", "dpo, pairs file", "ppo, on-policy"};
    claim_begin(12);
    say("    %-18s%-17s%-9s%-11s%-10s%s\n", "min", "true reward", "labels", "RM queries",
        "seconds", "with the RM's training");
    for (int k = 0; k < 3; k++) {
        Seeds with_rm = measure(run[k], "seconds", LAST), own = with_rm;
        int rm = k != 1;
        for (int i = 0; i < SEEDS && rm; i++) {
            with_rm.at[i] += printed("rm_min", i, " steps in ");
        }
        say("    %-18s%-17s%-9d%-11s%-10s%s\n", names[k], show(reward(run[k]), 3), 2000,
            rm ? number(mean(measure(run[k], "queries", LAST)), 0) : "0", number(mean(own), 1),
            number(mean(with_rm), 1));
    }
    Seeds d = gap(run[0], run[1]);
    say("    (on-policy dpo - dpo on the file)/H: %s\n", show(d, 3));
    need("", "on-policy - file", stat(d), ">=", MARGIN, 1);
    claim_end(12, "Labels: comparisons by the truth. The reward model is trained on them once; its "
              "queries are cheap.");
}

// The mean of three rows around row r: one evaluation alone is too noisy to call a peak.
static double smooth(Table *t, int r, const char *quantity) {
    return (value(t, r - 1, quantity) + value(t, r, quantity) + value(t, r + 1, quantity)) / 3;
}

// A quantity at the end, less that where the true reward was highest; mean of three models.
static Seeds after_peak(const char *method, const char *quantity) {
    Seeds s = {{0}};
    for (int k = 1; k <= 3; k++) {
        Run *all = run_find(text("on_%s_mode_steps160_noisy%d", method, k), ".csv");
        for (int i = 0; i < SEEDS; i++) {
            Table *t = run_table(all, i);
            if (t && t->rows < 3) { stop(t->path, "has too few rows to find a peak"); }
            int peak = 1;
            for (int r = 1; t && r < t->rows - 1; r++) {
                if (smooth(t, r, "gold_reward") > smooth(t, peak, "gold_reward")) { peak = r; }
            }
            s.at[i] += t ? (smooth(t, t->rows - 2, quantity) - smooth(t, peak, quantity)) / 3 : NAN;
        }
    }
    return s;
}

static void claim_l5(void) {
    claim_begin(13);
    say("    (a) %-34s%-20s%s\n", "reward models of 80 noisy pairs", "true, since peak",
        "proxy, since then");
    for (int m = 0; m < 2; m++) {
        const char *name = m ? "dpo" : "ppo";
        Seeds gold = after_peak(name, "gold_reward"), proxy = after_peak(name, "proxy_reward");
        Seeds h = headroom(text("on_%s_mode_steps160_noisy1", name));
        for (int i = 0; i < SEEDS; i++) { h.at[i] = gold.at[i] / h.at[i]; }
        say("    %-38s%-20s%-16s of H: %s\n", name, show(gold, 3), show(proxy, 3), show(h, 3));
        need(name, "(a) true reward since its peak", stat(h), "<=", -MARGIN, 1);
        need(name, "(a) proxy since then", stat(proxy), ">=", 0, 1);
        for (int k = 1; k <= 3; k++) {
            const char *run = text("on_%s_mode_steps160_noisy%d", name, k);
            curve(run, "kl", "gold_reward", text("true, model %d", k), BLUE, '-');
            curve(run, "kl", "proxy_reward", text("proxy, model %d", k), ORANGE, ':');
        }
        plot(text("%s on mode, poor reward models", name), "KL to the reference, nats", "reward",
             0);
    }
    say("    (b) %-12s%-17s%-17s%-19s%-10s%s\n", "mode", "entropy, start", "end",
        "end with --kl 0.1", "distinct", "with --kl 0.1");
    for (int m = 0; m < 5; m++) {
        const char *run = text("on_%s_mode", TUNED[m]), *kl = text("on_%s_mode_kl0.1", TUNED[m]);
        Seeds start = measure(run, "entropy", FIRST), end = measure(run, "entropy", LAST);
        Seeds held = measure(kl, "entropy", LAST);
        say("    %-16s%-17s%-17s%-19s%-10s%s\n", TUNED[m], show(start, 2), show(end, 2),
            show(held, 2), number(mean(measure(run, "distinct", LAST)), 2),
            number(mean(measure(kl, "distinct", LAST)), 2));
        need(TUNED[m], "(b) entropy", stat(end), "<=", COLLAPSED, mean(start));
        need(TUNED[m], "(b) KL term adds", apart(held, end), ">", 0, 1);
        curve(run, "kl", "entropy", TUNED[m], method_color(TUNED[m]), '-');
        curve(kl, "kl", "entropy", text("%s, --kl 0.1", TUNED[m]), method_color(TUNED[m]), ':');
    }
    plot("mode: variety", "KL to the reference, nats", "entropy, nats", 0);
    claim_end(13, "(a) Solid: what the trainer never sees. Dashed: what it climbs. (b) How many "
              "different stories are left, as nats.");
}

// |share of dogs among animals - the reference's|, of 2000 responses each. *animals: how many of
// the policy's have one; it has no row if none has.
static Seeds drift(const char *run, Seeds *animals) {
    Seeds s;
    Run *all = run_find(run, ".eval.csv");
    for (int i = 0; i < SEEDS; i++) {
        Table *t = run_table(all, i);
        double share[2] = {NAN, NAN};
        animals->at[i] = t ? 0 : NAN;
        for (int r = 0; t && r < t->rows; r++) {
            if (!strcmp(t->field[r * t->columns], "policy: dog")) {
                share[0] = value(t, r, "mean");
                animals->at[i] = value(t, r, "n");
            }
            if (!strcmp(t->field[r * t->columns], "reference: dog")) {
                share[1] = value(t, r, "mean");
            }
        }
        if (t && isnan(share[1])) { fault(t, "it has no animals of the reference"); }
        s.at[i] = fabs(share[0] - share[1]);
    }
    return s;
}

static void claim_l6(void) {
    const char *ways[] = {"on-policy", "with --kl 0.1", "offline"};
    Seeds animals, all[3] = {{{0}}, {{0}}, {{0}}}, found = drift("reference", &animals);
    Table *t = run_table(run_find("reference", ".eval.csv"), 0);
    int fewest = SEEDS;
    // the mean of |difference| of two samples of n animals of which a share p are dogs
    double p = 0.6, n = t ? value(t, t->rows - 1, "n") : NAN;
    double noise = sqrt(2 / 3.14159265) * sqrt(2 * p * (1 - p) / n);
    claim_begin(14);
    say("    noise floor: two samples of the reference differ by %s; expected of so many animals: "
        "%s\n    in brackets: of 2000 stories those with a dog or a cat; of the reference's %.0f\n",
        show(found, 3), number(noise, 3), mean(animals));
    say("    %-12s%-24s%-24s%s\n", "mode", ways[0], ways[1], ways[2]);
    for (int m = 0; m < 5; m++) {
        say("    %-12s", TUNED[m]);
        for (int k = 0; k < 3; k++) {
            const char *run = text(k < 1 ? "on_%s_mode" : k < 2 ? "on_%s_mode_kl0.1"
                                                                : "off_%s_mode", TUNED[m]);
            Seeds s = drift(run, &animals);
            const char *dogs = stat(s).n ? show(s, 3) : "none left";
            int there = stat(animals).n;
            fewest = there < fewest ? there : fewest;
            say("%-*s", k < 2 ? 24 : 0, there ? text("%s (%.0f)", dogs, mean(animals)) : "-");
            for (int i = 0; i < SEEDS; i++) { all[k].at[i] += s.at[i] / 5; }
        }
        say("\n");
    }
    say("    %-12s", "mean");
    for (int k = 0; k < 3; k++) {
        say("%-*s", k < 2 ? 24 : 0, stat(all[k]).n ? show(all[k], 3) : "not known");
    }
    say("\n    (each mean is over the seeds in which all five still write animals: "
        "%d, %d and %d of them)\n",
        stat(all[0]).n, stat(all[1]).n, stat(all[2]).n);
    const char *classic[] = {"dpo", "ipo", "pref-ft", "rwr"};
    for (int m = 0; m < 4; m++) {
        Seeds s = drift(text("pairs_%s_mode", classic[m]), &animals);
        say("    %-12s%-48s%s (%.0f)\n", classic[m], "on the pairs file", show(s, 3),
            mean(animals));
    }
    double drifts = mean(all[0]);
    need("", "drift on-policy", (Stat){fewest, drifts, 0}, ">=", DRIFTED, noise);
    need("", "more than offline by", (Stat){fewest, drifts - mean(all[2]), 0}, ">", 0, 1);
    need("", "more than with KL by", (Stat){fewest, drifts - mean(all[1]), 0}, ">", 0, 1);
    claim_end(14, "A story's animal is a dog in 60% and a cat in 40%; nothing that is rewarded "
              "depends on which.");
}

// --- the sweep -----------------------------------------------------------------------------------

static void sweep(int stories) {
    const char *rows[][2] = {
        {"sft", "off on"}, {"pref-ft", "off on"}, {"bon", "off on"}, {"rwr", "off on"},
        {"reinforce", "off on"}, {"ppo", "off on"}, {"dpo", "off on"}, {"ipo", "off on"},
        {"rwr", "off on kl pairs"}, {"bon", "off on kl"}, {"dpo", "off on kl pairs"},
        {"reinforce", "off on kl"}, {"ppo", "off on kl"}, {"pref-ft", "pairs"}, {"ipo", "pairs"}};
    const char *rates[] = {"1e-4", "3e-4", "1e-3", "3e-3", "1e-2"};
    const char *tasks[] = {stories ? "min" : "r1", stories ? "mode" : "r2"};
    const int n_rates = 5;
    folder = SWEEP;
    first_seed = 101;
    say("final reward, mean of %s and %s: over seeds, and of the worst seed\n*: where the worst "
           "is best; -: not run, or diverged%s\n", tasks[0], tasks[1],
           stories ? "; kl: fresh samples with --kl 0.1, mode alone" : "");
    say("%-17s", "");
    for (int k = 0; k < n_rates; k++) { say("%12s  ", rates[k]); }
    say("  seeds\n");
    for (int m = stories ? 8 : 0; m < (stories ? 15 : 8); m++) {
        char build[8];
        for (const char *p = rows[m][1]; sscanf(p, "%7s", build) == 1; p += strcspn(p, " ")) {
            Stat y[5];
            double worst[5], top = -1;
            int n = 0;
            p += strspn(p, " ");
            for (int k = 0; k < n_rates; k++) {
                Seeds r[2];
                int kl = !strcmp(build, "kl");
                for (int t = 0; t < 2; t++) {
                    r[t] = reward(text("%s_%s_%s_lr%s", kl ? "on" : build, rows[m][0],
                                       kl ? "mode_kl0.1" : tasks[t], rates[k]));
                }
                worst[k] = NAN;
                for (int i = 0; i < SEEDS; i++) {
                    r[0].at[i] = (r[0].at[i] + r[1].at[i]) / 2;
                    worst[k] = fmin(worst[k], r[0].at[i]);
                }
                y[k] = stat(r[0]);
                n = y[k].n > n ? y[k].n : n;
            }
            for (int k = 0; k < n_rates; k++) {  // a seed that diverged earned nothing
                if (y[k].n < n) { worst[k] = 0; }
                top = fmax(top, worst[k]);
            }
            say("%-10s %-6s", rows[m][0], build);
            for (int k = 0; k < n_rates; k++) {
                say("%7s %5s%c", number(y[k].mean, 3), number(worst[k], 3),
                       worst[k] == top ? '*' : ' ');
            }
            say("%7d\n", n);
        }
    }
    const char *log;
    say_faults(&log);
}

static const char STYLE[] =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>pref.c: the claims</title>\n"
    "<style>"
    "body{font:15px/1.45 sans-serif;color:#222;background:#fff;margin:24px auto;max-width:1080px}"
    "pre{font-size:13px;background:#f6f6f3;padding:10px;overflow-x:auto}section{margin-bottom:34px}"
    "svg{font:12px sans-serif;fill:#222}.t{font-weight:bold}.g{stroke:#e4e4e4}.r{text-anchor:end}"
    ".m{text-anchor:middle}</style>\n"
    "<h1>pref.c: the paper's claims, measured</h1>\n";

// What run.sh was not asked for is left out: on_rwr_.. stands for the core, the rest for all.
static void all_claims(void) {
    folder = BANDIT;
    if (exists("on_rwr_r1")) { claims_1_2(); }
    if (exists("on_dpo_r1_collect20")) {
        claim_3();
        claim_4();
    }
    if (exists("on_rwr_r1")) {
        claim_5();
        claim_6();
        claim_7();
    }
    claim_8();
    if (exists("on_rwr_r1")) { histograms(); }
    folder = LM;
    if (exists("on_rwr_min")) { claim_l1(); }
    if (exists("on_rwr_min_collect40")) {
        claim_l2();
        claim_l3();
        claim_l4();
        claim_l5();
        claim_l6();
    }
}

// What has to be said of the verdicts where seeds are few; nothing where they are not.
static const char *caution(void) {
    static const char *const names[] = {"one seed", "two seeds", "three seeds", "four seeds"};
    int fewest = SEEDS, most = 0;
    for (int c = 0; c < N_CLAIMS; c++) {
        if (seeds_of[c] == 0 || c + 1 == N_BANDIT) { continue; }  // C8 has no seeds
        fewest = seeds_of[c] < fewest ? seeds_of[c] : fewest;
        most = seeds_of[c] > most ? seeds_of[c] : most;
    }
    if (fewest >= ENOUGH) { return ""; }
    return text("%s%s: these are figures, not verdicts; five seeds decide (./run.sh full)",
                names[fewest - 1], fewest < most ? " in some claims" : "");
}

int main(int argc, char **argv) {
    int sweeps = argc == 3 && (!strcmp(argv[1], "--sweep") || !strcmp(argv[1], "--sweep-lm"));
    if (!sweeps && (argc != 2 || argv[1][0] == '-')) {
        fputs("usage: report [--sweep | --sweep-lm] OUT\n", stderr);
        return 2;
    }
    out_dir = argv[argc - 1];
    char *said = NULL, *page = NULL;
    size_t size;
    for (int pass = 0; pass < 2; pass++) {  // the first only reads, to learn how long logs are
        free(said);
        free(page);
        out = memory(&said, &size);
        html = sweeps ? NULL : memory(&page, &size);
        if (sweeps) { sweep(argv[1][7] == '-'); }
        if (!sweeps) { all_claims(); }
        fclose(out);
        if (html) { fclose(html); }
        if (pass == 0) { runs_check(); }
    }
    out = stdout;
    if (sweeps) {
        fputs(said, out);
        return 0;
    }
    if (!*said) { stop(out_dir, "has no runs that a claim looks at"); }
    const char *path = text("%s/report.html", out_dir), *careful = caution();
    html = fopen(path, "w");
    if (!html) { stop(path, strerror(errno)); }
    if (*careful) { printf("\n%s\n", careful); }
    fputs(said, out);
    fprintf(html, "%s<pre>", STYLE);
    say("\nSummary%s%s\n", *careful ? ", " : "", careful);
    for (int c = 0; c < N_CLAIMS; c++) {
        if (*verdict[c]) { say_folded(text("%s ", label(c + 1)), verdict[c]); }
    }
    fprintf(html, "</pre>\n%s", page);
    if (fclose(html) != 0) { stop(path, strerror(errno)); }
    printf("plots: %s/report.html\n", out_dir);
    return 0;
}
