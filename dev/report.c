/*
report.c: says which of the paper's claims hold in the runs that run.sh left behind.

    report OUT            prints the claims table, writes OUT/report.html: the table and its plots
    report --sweep OUT    prints the final rewards of the bandit's learning-rate sweep
    report --sweep-lm OUT the same for stories

A run is OUT/bandit/NAME_sSEED.csv, or OUT/lm/..., as `pref tune --log` writes it; run.sh says how
names are made. Whatever is there is used: a claim that lacks runs says so. Every number is computed
per seed first; what is printed is the mean over seeds, +- its standard error where there are two
seeds or more.
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

typedef struct Table {
    char path[512];
    char *header, **first;  // first: the first field of each row, as text
    int rows, columns;
    double *v;              // (rows, columns); NaN where a field is empty or no number
    struct Table *next;
} Table;

static const char *out_dir;
static const char *folder = "bandit";  // --sweep looks elsewhere, at other seeds
static int first_seed = 1;

static _Noreturn void stop(const char *path, const char *why) {
    fflush(stdout);
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

// A CSV file; NULL if there is none. Read once, then remembered. The first field may hold commas
// (names do): a row's fields are counted from its end.
static const Table *table_read(const char *path) {
    static Table *tables;
    for (Table *t = tables; t; t = t->next) {
        if (!strcmp(t->path, path)) { return t->columns ? t : NULL; }
    }
    Table *t = grow(NULL, sizeof *t);
    *t = (Table){.next = tables};
    snprintf(t->path, sizeof t->path, "%s", path);
    tables = t;
    FILE *f = fopen(path, "r");
    if (!f) { return NULL; }
    char *line = NULL;
    size_t size = 0;
    for (int row = -1; getline(&line, &size, f) > 0; row++) {
        line[strcspn(line, "\r\n")] = 0;
        if (row < 0) {
            t->header = line;
            line = NULL, size = 0;
            t->columns = 1;
            for (char *c = t->header; *c; c++) { t->columns += *c == ','; }
            continue;
        }
        size_t n = (size_t)row + 1;
        t->v = grow(t->v, n * (size_t)t->columns * sizeof *t->v);
        t->first = grow(t->first, n * sizeof *t->first);
        for (int c = t->columns - 1; c >= 0; c--) {
            char *comma = c > 0 ? strrchr(line, ',') : NULL, *end;
            if (c > 0 && !comma) { stop(path, text("row %d has too few fields", row + 1)); }
            const char *field = comma ? comma + 1 : line;
            double x = strtod(field, &end);
            t->v[row * t->columns + c] = end == field || *end ? NAN : x;
            if (comma) { *comma = 0; }
        }
        t->first[row] = line;
        line = NULL, size = 0;
        t->rows = row + 1;
    }
    free(line);
    fclose(f);
    if (t->rows == 0) { stop(path, "has no rows"); }
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

static double cell(const Table *t, int row, const char *name) {
    return t->v[row * t->columns + column(t, name)];
}

static const Table *run_table(const char *run, int i, const char *ending) {
    char path[512];  // not by text(): many are asked for while others' texts are in use
    snprintf(path, sizeof path, "%s/%s/%s_s%d%s", out_dir, folder, run, first_seed + i, ending);
    return table_read(path);
}

// --- one number per seed -------------------------------------------------------------------------

typedef struct {
    double at[SEEDS];  // NaN: not run. Arithmetic passes it on, so only complete seeds count.
} Seeds;

enum { FIRST, LAST, LOWEST, HIGHEST };

static Seeds measure(const char *run, const char *quantity, int which) {
    Seeds s;
    for (int i = 0; i < SEEDS; i++) {
        const Table *t = run_table(run, i, ".csv");
        s.at[i] = t ? cell(t, which == LAST ? t->rows - 1 : 0, quantity) : NAN;
        for (int r = 0; t && r < t->rows && which >= LOWEST; r++) {
            double x = cell(t, r, quantity);
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

// What the reference leaves to be gained: H.
static Seeds headroom(const char *run) {
    Seeds start = measure(run, "gold_reward", FIRST);
    for (int i = 0; i < SEEDS; i++) { start.at[i] = 1 - start.at[i]; }
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

static const char *number(double x, int digits) {
    return isnan(x) ? "-" : text("%.*f", digits, x);
}

// 0.123 +- 0.004; `digits` after the point
static const char *show(Seeds seeds, int digits) {
    Stat s = stat(seeds);
    if (s.n == 0) { return "not run"; }
    return s.n == 1 ? number(s.mean, digits)
                    : text("%.*f +- %.*f", digits, s.mean, digits, s.se);
}

// --- the page ------------------------------------------------------------------------------------

static FILE *html, *figures;  // the plots of a claim wait until its text has ended
static char *figures_text;
static size_t figures_size;

// Print on standard output and on the page.
static void say(const char *format, ...) {
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    fputs(line, stdout);
    for (const char *c = line; *c; c++) { fputs(*c == '<' ? "&lt;" : (char[]){*c, 0}, html); }
}

static const char *const VERDICTS[] = {"not known", "does not hold", "holds"};
static int verdict[N_CLAIMS];  // 0: not looked at; 1 + one of these
static int known, holds;       // of the claim being looked at

static void claim_begin(int claim) {
    known = holds = 1;
    figures = open_memstream(&figures_text, &figures_size);
    if (!figures) { stop("memory", strerror(errno)); }
    fputs("<section><pre>", html);
    say("\n%s  %s\n", label(claim), CLAIMS[claim - 1].says);
    say("    criterion: %s\n", CLAIMS[claim - 1].criterion);
}

// One thing that the claim needs: that ok is true, as seen from `seeds`.
static void need(Seeds seeds, int ok) {
    known &= stat(seeds).n > 0;
    holds &= ok;
}

static void claim_end(int claim, const char *caption) {
    verdict[claim - 1] = 1 + (known ? 1 + holds : 0);
    say("    %s: %s\n", label(claim), VERDICTS[verdict[claim - 1] - 1]);
    fclose(figures);
    fprintf(html, "</pre>\n%s<p>%s</p></section>\n", figures_text, caption);
    free(figures_text);
}

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
    for (int r = 0, more = 1; more; r++) {
        Seeds xs, ys;
        more = 0;
        for (int i = 0; i < SEEDS; i++) {
            const Table *t = run_table(run, i, ".csv");
            int there = t && r < t->rows;
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

// The number after `before` in what a run printed; NaN if there is none.
static double printed(const char *run, int i, const char *before) {
    FILE *f = fopen(text("%s/%s/%s_s%d.txt", out_dir, folder, run, first_seed + i), "r");
    char line[256], *at;
    double x = NAN;
    while (f && fgets(line, sizeof line, f)) {
        if ((at = strstr(line, before))) { x = atof(at + strlen(before)); }
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
        if (m < 3) { need(d, mean(d) >= MARGIN); }
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
        need(d, mean(d) >= MARGIN);
    }
    claim_end(2, "The plots are those above.");
}

// Spearman's rank correlation; equal values share their mean rank.
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
    return xy / sqrt(xx * yy);
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
            const char *name = text("%s_%s", METHODS[m], TASKS[t]), *runs[7];
            double x[7], y[7];
            int all = 1, fewest = SEEDS;
            Line *l = line_new(METHODS[m], method_color(METHODS[m]), '-');
            for (int k = 0; k < 7; k++) {
                runs[k] = k == 0 ? text("on_%s", name) : k == 6 ? text("off_%s", name)
                          : text("on_%s_collect%d", name, collect[k]);
                Stat s = stat(reward(runs[k]));
                x[k] = 10 * collect[k];
                y[k] = s.mean;
                all &= s.n > 0;
                fewest = s.n < fewest ? s.n : fewest;
                point(l, x[k], y[k], s.se);
            }
            Seeds d = gap(runs[0], runs[6]);
            double rank = all ? rank_correlation(x, y, 7) : NAN;
            say("    R%d  %-4s %2d seed%-5s", t + 1, METHODS[m], fewest,
                fewest == 1 ? "" : "s");
            for (int k = 0; k < 7; k++) { say("%7s", number(y[k], 3)); }
            say("  %-14s %6s\n", show(d, 3), number(rank, 2));
            if (t == 0) { need(d, mean(d) >= MARGIN && rank <= RANK); }
            known &= t > 0 || all;
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
            const char *runs[6];
            int best = 1, all = 1;
            double y[6];
            Line *l = line_new(methods[m], method_color(methods[m]), '-');
            say("    %-14s", methods[m]);
            for (int k = 0; k < 6; k++) {
                runs[k] = reuse[k] == 10 ? text("on_%s_r1", methods[m])
                          : fixed_steps ? text("on_%s_r1_reuse%d_steps1000", methods[m], reuse[k])
                          : text("on_%s_r1_reuse%d_steps%d", methods[m], reuse[k], 100 * reuse[k]);
                Stat s = stat(reward(runs[k]));
                y[k] = s.mean;
                all &= s.n > 0;
                if (k > 0 && y[k] > y[best]) { best = k; }
                point(l, reuse[k], y[k], s.se);
                say("%6s", number(y[k], 3));
            }
            Seeds d = fixed_steps ? gap(runs[0], runs[5]) : gap(runs[best], runs[0]);
            int yes = mean(d) >= MARGIN;
            all &= stat(d).n > 0;
            say("  %-16s %d seed%s  %s\n", show(d, 3), stat(d).n, stat(d).n == 1 ? " " : "s",
                VERDICTS[all ? 1 + yes : 0]);
            need(d, yes);
            known &= all;
        }
        plot(title[fixed_steps], "T, uses of each sample", "final reward", 1);
    }
    claim_end(4, "(a) The same number of samples, used more often: rising lines say that reuse "
              "helps. (b) The same number of steps on fewer samples: falling lines are its price.");
}

// The reward when the KL to the reference first reaches `nats`: between rows by a straight line.
static Seeds reward_at_kl(const char *run, double nats) {
    Seeds s;
    for (int i = 0; i < SEEDS; i++) {
        const Table *t = run_table(run, i, ".csv");
        s.at[i] = NAN;
        for (int r = 1; t && r < t->rows && isnan(s.at[i]); r++) {
            double a = cell(t, r - 1, "kl"), b = cell(t, r, "kl");
            double y = cell(t, r - 1, "gold_reward"), z = cell(t, r, "gold_reward");
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
    need(less, mean(lead[0]) >= MARGIN && mean(less) >= MARGIN);
    claim_end(5, "What each method earns for each nat it moves from the reference, all on the same "
              "fixed set. See where imitation (bon, rwr, pref-ft) ends, and where the others do.");
}

// The first row at which `share` of H is gained. Never: the whole budget, and *never is set.
static Seeds time_to(const char *run, double share, const char *unit, int *never) {
    Seeds s;
    for (int i = 0; i < SEEDS; i++) {
        const Table *t = run_table(run, i, ".csv");
        int r = 0;
        s.at[i] = NAN;
        if (!t) { continue; }
        double start = cell(t, 0, "gold_reward"), goal = start + share * (1 - start);
        while (r < t->rows && cell(t, r, "gold_reward") < goal) { r++; }
        *never |= r == t->rows;
        double all = !strcmp(unit, "queries") ? BUDGET : cell(t, t->rows - 1, unit);
        s.at[i] = r < t->rows ? cell(t, r, unit) : all;
    }
    return s;
}

static void claim_6(void) {
    const char *runs[] = {"off_dpo_r1_neg0", "off_dpo_r1", "on_dpo_r1_neg0", "on_dpo_r1"};
    const char *names[] = {"off, neg 0", "off, neg 1", "on, neg 0", "on, neg 1"};
    claim_begin(6);
    say("    %-12s%-17s%-26s%-26s%s\n", "dpo on R1", "reward", "50% of H: queries, steps",
        "90% of H: queries, steps", "seeds");
    for (int k = 0; k < 4; k++) {
        Seeds r = reward(runs[k]);
        say("    %-12s%-17s", names[k], show(r, 3));
        for (int c = 0; c < 4; c++) {
            int never = 0;
            Seeds s = time_to(runs[k], c < 2 ? 0.5 : 0.9, c % 2 ? "step" : "queries", &never);
            say("%-*s", c % 2 ? 16 : 10, text("%s%s", never ? ">" : "", number(mean(s), 0)));
        }
        say("%d\n", stat(r).n);
    }
    for (int k = 0; k < 8; k++) {
        int i = k % 4;
        curve(runs[i], k < 4 ? "step" : "queries", "gold_reward", names[i], i < 2 ? ORANGE : BLUE,
              i % 2 ? '-' : ':');
        if (i == 3) { plot("dpo on R1", k < 4 ? "gradient steps" : "reward queries", "reward", 0); }
    }
    int never = 0;
    Seeds neg = gap(runs[1], runs[0]), fresh = gap(runs[2], runs[0]);
    Seeds both = time_to(runs[3], 0.9, "queries", &never);
    Seeds one = time_to(runs[2], 0.9, "queries", &never);
    say("    of H: negative gradient alone %s, fresh samples alone %s\n", show(neg, 3),
        show(fresh, 3));
    need(neg, mean(neg) >= MARGIN);
    need(fresh, mean(fresh) >= MARGIN);
    need(both, mean(both) <= SOONER * mean(one));
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
        int fall = mean(d[2]) >= NATS && mean(d[0]) <= -NATS;
        int rise = mean(d[0]) > 0 && mean(d[1]) > 0;
        need(d[0], m < 2 ? fall : rise);
    }
    claim_end(7, "Log-probabilities of 128 pairs that no training saw. A growing margin (dashed) "
              "does not mean that the chosen responses become likelier: see whether both fall.");
}

// The distribution in a row of the study, as steps: both edges of each of 20 bins.
static void bins(Line *l, const Table *t, int row) {
    for (int edge = 0; edge < 40; edge++) {
        double p = t->v[row * t->columns + column(t, "p0") + edge / 2];
        point(l, edge / 2 - 0.5 + edge % 2, p, NAN);
    }
}

static void claim_8(void) {
    const Table *t = table_read(text("%s/kl.csv", out_dir));
    FILE *f = fopen(text("%s/kl.txt", out_dir), "r");  // exact; the log leaves out steps
    int sooner = 0, starved = 0;
    char line[256];
    claim_begin(8);
    known = f && t;
    while (f && fgets(line, sizeof line, f)) {  // name (30 wide), TV, twice: steps and lr or never
        char *at = line + (strlen(line) > 30 ? 30 : 0), *end;
        double steps[2] = {INFINITY, INFINITY};
        strtod(at, &end);
        for (int k = 0; k < 2 && end != at; k++) {
            at = end + strspn(end, " ");
            end = at + 5;
            if (strncmp(at, "never", 5)) {
                steps[k] = strtod(at, &end);
                strtod(end, &end);
            }
        }
        sooner |= isfinite(steps[1]) && steps[1] <= SOONER * steps[0];
        starved |= !strncmp(line, "far", 3) && isfinite(steps[0]) && steps[1] >= LATER * steps[0];
        say("    %s", line);
    }
    if (f) { fclose(f); }
    holds = sooner && starved;
    for (int from = 0, mid, to; t && from < t->rows; from = to) {  // forward, then reverse
        for (mid = from + 1; mid < t->rows && cell(t, mid, "step") > 0; mid++) { }
        for (to = mid + 1; to < t->rows && cell(t, to, "step") > 0; to++) { }
        if (to > t->rows) { stop(t->path, "ends within a case"); }
        const int start[] = {from, mid}, end[] = {mid, to};
        const char *names[] = {"forward KL", "reverse KL"}, *colors[] = {ORANGE, BLUE};
        for (int k = 0; k < 2; k++) {
            Line *l = line_new(names[k], colors[k], '-');
            for (int r = start[k]; r < end[k]; r++) {
                point(l, 1 + cell(t, r, "step"), cell(t, r, "tv"), NAN);
            }
        }
        plot(t->first[from], "1 + step", "total variation left", 1);
        double near = 0.1 * cell(t, from, "tv");
        int row = 0;  // rows after the start: the first at which one of the two has arrived
        while (from + row < mid - 1 && mid + row < to - 1 && cell(t, from + row, "tv") > near
               && cell(t, mid + row, "tv") > near) {
            row++;
        }
        bins(line_new("the start", LIGHT, '#'), t, from);
        for (int k = 0; k < 2; k++) { bins(line_new(names[k], colors[k], '-'), t, start[k] + row); }
        plot(text("%s: step %.0f", t->first[from], cell(t, from + row, "step")), "bin",
             "probability", 0);
    }
    claim_end(8, "Left: how much of the way is left, each at its best learning rate. Right: the "
              "distributions when the first of the two arrives. See which lags, and where.");
}

// Where the mass went: the share of each token under the policies of seed 1, the reward behind.
static void histograms(void) {
    const char *names[] = {"off_bon", "off_dpo", "on_dpo"};
    const char *titles[] = {"bon, offline", "dpo, offline", "dpo, on-policy"};
    figures = html;
    fputs("<section><h2>Where did the mass go?</h2>\n", html);
    for (int k = 0; k < 6; k++) {
        const Table *t = run_table(text("%s_%s", names[k % 3], TASKS[k / 3]), 0, ".hist.csv");
        if (!t) { continue; }
        const double *first = t->v, *last = t->v + (t->rows - 1) * t->columns;
        double most = 0;
        for (int c = 1; c < t->columns; c++) { most = fmax(most, last[c]); }
        Line *peak = line_new("reward's shape", LIGHT, '#');
        Line *before = line_new("the reference", GREY, ':');
        Line *after = line_new("the policy", BLUE, '-');
        for (int c = 1; c < t->columns; c++) {
            double far = (c - 1 - (k < 3 ? 70 : 20)) / 10.0;
            point(peak, c - 1, most * exp(-far * far), NAN);
            point(before, c - 1, first[c], NAN);
            point(after, c - 1, last[c], NAN);
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
    claim_begin(9);
    say("    %-17s%-17s%-17s%-17s%-7s%s\n", "", "on-policy", "offline", "(on - off)/H", "seeds",
        "imitation of the set can earn");
    for (int m = 0; m < 5; m++) {
        Seeds d[3];
        for (int t = 0; t < 3; t++) {
            const char *on = text("on_%s_%s", TUNED[m], STORY_TASKS[t]);
            const char *off = text("off_%s_%s", TUNED[m], STORY_TASKS[t]);
            d[t] = gap(on, off);
            if (t == 1 && stat(d[t]).n == 0) { continue; }  // skew is not part of the core
            say("    %-5s%-12s%-17s%-17s%-17s%-7d%s\n", STORY_TASKS[t], TUNED[m],
                show(reward(on), 3), show(reward(off), 3), show(d[t], 3), stat(d[t]).n,
                m < 2 ? show(imitation_bound(off), 3) : "");
        }
        Seeds less = minus(d[0], d[2]);
        need(d[0], mean(d[0]) >= MARGIN);
        if (stat(d[1]).n) { need(d[1], mean(d[1]) >= MARGIN); }
        need(less, mean(less) >= MARGIN);
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
            const char *runs[4];
            Line *l = line_new(methods[m], method_color(methods[m]), '-');
            for (int k = 0; k < 4; k++) {
                runs[k] = axis ? k == 1 ? text("on_%s_min", methods[m])
                                        : text("on_%s_min_reuse%d", methods[m], reuse[k])
                          : k == 0 ? text("on_%s_min", methods[m])
                          : k == 3 ? text("off_%s_min", methods[m])
                                   : text("on_%s_min_collect%d", methods[m], collect[k]);
                Stat s = stat(reward(runs[k]));
                point(l, axis ? reuse[k] : collect[k], s.mean, s.se);
            }
            Seeds d = gap(runs[0], runs[3]);
            say("    %-10s%2d seed%-8s", methods[m], stat(d).n, stat(d).n == 1 ? "" : "s");
            for (int k = 0; k < 4; k++) { say("%7s", number(mean(reward(runs[k])), 3)); }
            say("  %s\n", show(d, 3));
            need(d, axis ? mean(d) < MARGIN : mean(d) >= MARGIN);
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
                    stat(d).n ? text("%+.1f", mean(d)) : "not run");
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
    need(less, mean(lead[0]) >= MARGIN && mean(less) >= MARGIN);
    claim_end(11, "The columns are changes from start to end, of 128 pairs that no training saw.");
}

static void claim_l4(void) {
    const char *runs[] = {"on_dpo_min", "pairs_dpo_min", "on_ppo_min"};
    const char *names[] = {"dpo, on-policy", "dpo, pairs file", "ppo, on-policy"};
    claim_begin(12);
    say("    %-18s%-17s%-9s%-11s%-10s%s\n", "min", "true reward", "labels", "RM queries",
        "seconds", "with the RM's training");
    for (int k = 0; k < 3; k++) {
        Seeds with_rm = measure(runs[k], "seconds", LAST), own = with_rm;
        int rm = k != 1;
        for (int i = 0; i < SEEDS && rm; i++) {
            with_rm.at[i] += printed("rm_min", i, " steps in ");
        }
        say("    %-18s%-17s%-9d%-11s%-10s%s\n", names[k], show(reward(runs[k]), 3), 2000,
            rm ? number(mean(measure(runs[k], "queries", LAST)), 0) : "0", number(mean(own), 1),
            number(mean(with_rm), 1));
    }
    Seeds d = gap(runs[0], runs[1]);
    say("    (on-policy dpo - dpo on the file)/H: %s\n", show(d, 3));
    need(d, mean(d) >= MARGIN);
    claim_end(12, "Labels: comparisons by the truth. The reward model is trained on them once; its "
              "queries are cheap.");
}

// The mean of three rows around row r: one evaluation alone is too noisy to call a peak.
static double smooth(const Table *t, int r, const char *quantity) {
    return (cell(t, r - 1, quantity) + cell(t, r, quantity) + cell(t, r + 1, quantity)) / 3;
}

// A quantity at the end, less that where the true reward was highest; mean of three models.
static Seeds after_peak(const char *method, const char *quantity) {
    Seeds s;
    for (int i = 0; i < SEEDS; i++) {
        s.at[i] = 0;
        for (int k = 1; k <= 3; k++) {
            const Table *t = run_table(text("on_%s_mode_steps160_noisy%d", method, k), i, ".csv");
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
        need(h, mean(h) <= -MARGIN && mean(proxy) >= 0);
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
        need(held, mean(end) <= COLLAPSED * mean(start) && mean(held) > mean(end));
        curve(run, "kl", "entropy", TUNED[m], method_color(TUNED[m]), '-');
        curve(kl, "kl", "entropy", text("%s, --kl 0.1", TUNED[m]), method_color(TUNED[m]), ':');
    }
    plot("mode: variety", "KL to the reference, nats", "entropy, nats", 0);
    claim_end(13, "(a) Solid: what the trainer never sees. Dashed: what it climbs. (b) How many "
              "different stories are left, as nats.");
}

// |share of dogs among animals - the reference's|, of 2000 responses each. *animals: how many of
// the policy's have one, mean over the seeds.
static Seeds drift(const char *run, double *animals) {
    Seeds s, with;
    for (int i = 0; i < SEEDS; i++) {
        const Table *t = run_table(run, i, ".eval.csv");
        double share[2] = {NAN, NAN};
        with.at[i] = t ? 0 : NAN;
        for (int r = 0; t && r < t->rows; r++) {
            if (!strcmp(t->first[r], "policy: dog")) {
                share[0] = cell(t, r, "mean");
                with.at[i] = cell(t, r, "n");
            }
            if (!strcmp(t->first[r], "reference: dog")) { share[1] = cell(t, r, "mean"); }
        }
        s.at[i] = fabs(share[0] - share[1]);
    }
    *animals = mean(with);
    return s;
}

static void claim_l6(void) {
    const char *ways[] = {"on-policy", "with --kl 0.1", "offline"};
    double animals;
    Seeds all[3] = {{{0}}, {{0}}, {{0}}}, found = drift("reference", &animals);
    const Table *t = run_table("reference", 0, ".eval.csv");
    // the mean of |difference| of two samples of n animals of which a share p are dogs
    double p = 0.6, n = t ? cell(t, t->rows - 1, "n") : NAN;
    double noise = sqrt(2 / 3.14159265) * sqrt(2 * p * (1 - p) / n);
    claim_begin(14);
    say("    noise floor: two samples of the reference differ by %s; expected of so many animals: "
        "%s\n    in brackets: of 2000 stories those with a dog or a cat; of the reference's %.0f\n",
        show(found, 3), number(noise, 3), animals);
    say("    %-12s%-24s%-24s%s\n", "mode", ways[0], ways[1], ways[2]);
    for (int m = 0; m < 5; m++) {
        say("    %-12s", TUNED[m]);
        for (int k = 0; k < 3; k++) {
            const char *run = text(k < 1 ? "on_%s_mode" : k < 2 ? "on_%s_mode_kl0.1"
                                                                : "off_%s_mode", TUNED[m]);
            Seeds s = drift(run, &animals);
            const char *cell = stat(s).n ? show(s, 3) : "none left";
            say("%-*s", k < 2 ? 24 : 0, animals >= 0 ? text("%s (%.0f)", cell, animals) : "-");
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
        say("    %-12s%-48s%s (%.0f)\n", classic[m], "on the pairs file", show(s, 3), animals);
    }
    need(all[0], mean(all[0]) >= DRIFTED * noise && mean(all[0]) > mean(all[2]));
    need(all[1], mean(all[0]) > mean(all[1]));
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
    folder = "sweep";
    first_seed = 101;
    printf("final reward, mean of %s and %s: over seeds, and of the worst seed\n*: where the worst "
           "is best; -: not run, or diverged%s\n", tasks[0], tasks[1],
           stories ? "; kl: fresh samples with --kl 0.1, mode alone" : "");
    printf("%-17s", "");
    for (int k = 0; k < n_rates; k++) { printf("%12s  ", rates[k]); }
    printf("  seeds\n");
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
            printf("%-10s %-6s", rows[m][0], build);
            for (int k = 0; k < n_rates; k++) {
                printf("%7s %5s%c", number(y[k].mean, 3), number(worst[k], 3),
                       worst[k] == top ? '*' : ' ');
            }
            printf("%7d\n", n);
        }
    }
}

static const char STYLE[] =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>pref.c: the claims</title>\n"
    "<style>"
    "body{font:15px/1.45 sans-serif;color:#222;background:#fff;margin:24px auto;max-width:1080px}"
    "pre{font-size:13px;background:#f6f6f3;padding:10px;overflow-x:auto}section{margin-bottom:34px}"
    "svg{font:12px sans-serif;fill:#222}.t{font-weight:bold}.g{stroke:#e4e4e4}.r{text-anchor:end}"
    ".m{text-anchor:middle}</style>\n"
    "<h1>pref.c: the paper's claims, measured</h1>\n";

int main(int argc, char **argv) {
    if (argc == 3 && (!strcmp(argv[1], "--sweep") || !strcmp(argv[1], "--sweep-lm"))) {
        out_dir = argv[2];
        sweep(argv[1][7] == '-');
        return 0;
    }
    if (argc != 2 || argv[1][0] == '-') {
        fputs("usage: report [--sweep | --sweep-lm] OUT\n", stderr);
        return 2;
    }
    out_dir = argv[1];
    const char *path = text("%s/report.html", out_dir);
    html = fopen(path, "w");
    if (!html) { stop(path, strerror(errno)); }
    fputs(STYLE, html);
    // What run.sh was not asked for is left out: on_rwr_.. stands for the core, the rest for all.
    if (run_table("on_rwr_r1", 0, ".csv")) { claims_1_2(); }
    if (run_table("on_dpo_r1_collect20", 0, ".csv")) {
        claim_3();
        claim_4();
    }
    if (run_table("on_rwr_r1", 0, ".csv")) {
        claim_5();
        claim_6();
        claim_7();
    }
    if (table_read(text("%s/kl.csv", out_dir))) { claim_8(); }
    if (run_table("on_rwr_r1", 0, ".csv")) { histograms(); }
    folder = "lm";
    if (run_table("on_rwr_min", 0, ".csv")) { claim_l1(); }
    if (run_table("on_rwr_min_collect40", 0, ".csv")) {
        claim_l2();
        claim_l3();
        claim_l4();
        claim_l5();
        claim_l6();
    }
    if (fclose(html) != 0) { stop(path, strerror(errno)); }
    printf("\n");
    for (int c = 0; c < N_CLAIMS; c++) {
        if (verdict[c]) { printf("%s  %s\n", label(c + 1), VERDICTS[verdict[c] - 1]); }
    }
    printf("plots: %s/report.html\n", out_dir);
    return 0;
}
