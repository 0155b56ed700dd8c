/*
report.c: says which of the paper's claims hold in the runs that run.sh left behind.

    report OUT            prints the claims table, writes OUT/report.html: the table and its plots
    report --sweep OUT    prints the final rewards of the learning-rate sweep

A run is OUT/bandit/NAME_sSEED.csv, as `pref tune --log` writes it; run.sh says how names are made.
Whatever is there is used: a claim that lacks runs says so. Every number is computed per seed first;
what is printed is the mean over seeds, +- its standard error where there are two seeds or more.
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

enum { N_CLAIMS = 8 };
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
};

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

// 0.123 +- 0.004; `digits` after the point
static const char *show(Seeds seeds, int digits) {
    Stat s = stat(seeds);
    if (s.n == 0) { return "not run"; }
    return s.n == 1 ? text("%.*f", digits, s.mean) : text("%.*f +- %.*f", digits, s.mean, digits, s.se);
}

// --- the page ------------------------------------------------------------------------------------

static FILE *html;

// Print on standard output and on the page.
static void say(const char *format, ...) {
    char line[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    fputs(line, stdout);
    for (const char *c = line; *c; c++) {
        fputs(*c == '<' ? "&lt;" : *c == '&' ? "&amp;" : (char[]){*c, 0}, html);
    }
}

enum { NOT_RUN, FAILS, HOLDS };
static const char *const VERDICTS[] = {"not run", "does not hold", "holds"};
static int verdict[N_CLAIMS];  // of each claim

static void claim_begin(int claim) {
    fprintf(html, "<section id=\"C%d\"><pre>", claim);
    say("\nC%d  %s\n    criterion: %s\n", claim, CLAIMS[claim - 1].says, CLAIMS[claim - 1].criterion);
}

// known: all runs are there
static void claim_end(int claim, int known, int holds) {
    verdict[claim - 1] = !known ? NOT_RUN : holds ? HOLDS : FAILS;
    say("    C%d: %s\n", claim, VERDICTS[verdict[claim - 1]]);
    fputs("</pre>", html);
}

static void caption(const char *says) {
    fprintf(html, "<p>%s</p></section>\n", says);
}

typedef struct {
    char label[64];
    int color, n;
    char style;  // '-' solid, ':' dashed, '#' area
    double x[POINTS], y[POINTS], e[POINTS];  // e: half the height of the band, or NaN
} Line;

static Line lines[16];
static int n_lines;
static const char *const COLORS[] = {"#4477aa", "#cc6677", "#228833", "#aa3377", "#ee7733", "#66ccee",
                                     "#777777", "#dddddd", "#bb9900"};
enum { BLUE, RED, GREEN, PURPLE, ORANGE, CYAN, GREY, LIGHT, GOLD };

static Line *line_new(const char *label, int color, char style) {
    Line *l = &lines[n_lines < 15 ? n_lines++ : 15];
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

static int method_color(const char *method) {
    const char *names[] = {"bon", "dpo", "rwr", "ppo", "ipo", "pref-ft", "reinforce"};
    for (int i = 0; i < 7; i++) {
        if (!strcmp(method, names[i])) { return i; }
    }
    return GOLD;
}

// A quantity of a run against another, the mean over seeds row by row; nothing if it was not run.
static void curve(const char *run, const char *x, const char *y, const char *label, int color, char style) {
    Line *l = NULL;
    int rows = 0;
    for (int i = 0; i < SEEDS; i++) {
        const Table *t = run_table(run, i, ".csv");
        if (t && t->rows > rows) { rows = t->rows; }
    }
    for (int r = 0; r < rows; r++) {
        Seeds xs, ys;
        for (int i = 0; i < SEEDS; i++) {
            const Table *t = run_table(run, i, ".csv");
            int there = t && r < t->rows;
            xs.at[i] = there ? cell(t, r, x) : NAN;
            ys.at[i] = there ? cell(t, r, y) : NAN;
        }
        if (!l) { l = line_new(label, color, style); }
        point(l, mean(xs), mean(ys), stat(ys).se);
    }
}

// Draw the lines and forget them. Nothing to draw: nothing drawn.
static void plot(const char *title, const char *x_name, const char *y_name, int log_x) {
    enum { W = 330, H = 220, LEFT = 58, TOP = 30, ALL_W = W + LEFT + 135, ALL_H = H + TOP + 45 };
    double x0 = INFINITY, x1 = -INFINITY, y0 = INFINITY, y1 = -INFINITY;
    for (Line *l = lines; l < lines + n_lines; l++) {
        for (int i = 0; i < l->n; i++) {
            double e = isnan(l->e[i]) ? 0 : l->e[i];
            x0 = fmin(x0, l->x[i]), x1 = fmax(x1, l->x[i]);
            y0 = fmin(y0, l->y[i] - e), y1 = fmax(y1, l->y[i] + e);
        }
    }
    if (!(x1 >= x0)) { n_lines = 0; }
    if (n_lines == 0) { return; }
    if (y0 > 0 && y0 < 0.5 * y1) { y0 = 0; }
    if (y1 - y0 < 1e-9) { y1 = y0 + 1; }
    if (x1 - x0 < 1e-9) { x1 = x0 + 1; }
    y1 += 0.04 * (y1 - y0);
    double lx0 = log_x ? log(x0) : x0, lx1 = log_x ? log(x1) : x1;
#define X(x) (LEFT + W * ((log_x ? log(x) : (x)) - lx0) / (lx1 - lx0))
#define Y(y) (TOP + H * (y1 - (y)) / (y1 - y0))
    fprintf(html, "<svg width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n", ALL_W, ALL_H, ALL_W, ALL_H);
    fprintf(html, "<text x=\"%d\" y=\"18\" class=\"t\">%s</text>\n", LEFT, title);
    // Ticks: on a log axis 1, 2 and 5 of each decade, else about five at a round distance.
    for (int axis = 0; axis < 2; axis++) {
        double low = axis ? y0 : x0, high = axis ? y1 : x1, step = pow(10, floor(log10((high - low) / 4)));
        step *= (high - low) / step > 25 ? 10 : (high - low) / step > 12 ? 5 : (high - low) / step > 6 ? 2 : 1;
        double tick = ceil(low / step - 1e-9) * step;
        if (!axis && log_x) { tick = pow(10, floor(log10(low))); }
        for (int k = 0; tick <= high * (1 + 1e-9) || tick <= high + 1e-9; k++) {
            if (tick >= low * (1 - 1e-9) || !log_x || axis) {
                double at = axis ? Y(tick) : X(tick);
                const char *label = text("%g", fabs(tick) < 1e-9 ? 0 : tick);
                if (axis) {
                    fprintf(html, "<path class=\"g\" d=\"M%d %.1fh%d\"/><text x=\"%d\" y=\"%.1f\" "
                            "text-anchor=\"end\">%s</text>\n", LEFT, at, W, LEFT - 6, at + 4, label);
                } else {
                    fprintf(html, "<path class=\"g\" d=\"M%.1f %dv%d\"/><text x=\"%.1f\" y=\"%d\" "
                            "text-anchor=\"middle\">%s</text>\n", at, TOP, H, at, TOP + H + 15, label);
                }
            }
            tick = !axis && log_x ? tick * (k % 3 == 1 ? 2.5 : 2) : tick + step;
        }
    }
    fprintf(html, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", LEFT + W / 2, ALL_H - 12, x_name);
    fprintf(html, "<text transform=\"translate(13 %d) rotate(-90)\" text-anchor=\"middle\">%s</text>\n",
            TOP + H / 2, y_name);
    for (int k = 0; k < n_lines; k++) {
        const Line *l = &lines[k];
        const char *color = COLORS[l->color];
        if (l->n && !isnan(l->e[l->n - 1])) {  // the band: up along its top, back along its bottom
            fprintf(html, "<path fill=\"%s\" opacity=\"0.18\" d=\"", color);
            for (int i = 0, band = 0; i < 2 * l->n; i++) {
                int j = i < l->n ? i : 2 * l->n - 1 - i;
                if (isnan(l->e[j])) { continue; }
                fprintf(html, "%c%.1f %.1f", band++ ? 'L' : 'M', X(l->x[j]),
                        Y(l->y[j] + (i < l->n ? l->e[j] : -l->e[j])));
            }
            fputs("Z\"/>\n", html);
        }
        int area = l->style == '#';
        fprintf(html, "<path fill=\"%s\" stroke=\"%s\" stroke-width=\"%g\"%s d=\"", area ? color : "none",
                color, area ? 0.0 : 2.0, l->style == ':' ? " stroke-dasharray=\"5 4\"" : "");
        if (area && l->n) { fprintf(html, "M%.1f %.1fL", X(l->x[0]), Y(0)); }
        for (int i = 0; i < l->n; i++) {
            fprintf(html, "%c%.1f %.1f", i || area ? 'L' : 'M', X(l->x[i]), Y(l->y[i]));
        }
        if (area && l->n) { fprintf(html, "L%.1f %.1fZ", X(l->x[l->n - 1]), Y(0)); }
        fputs("\"/>\n", html);
        if (l->n && !area) {  // where it ends
            fprintf(html, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n", X(l->x[l->n - 1]),
                    Y(l->y[l->n - 1]), color);
        }
        fprintf(html, "<path stroke=\"%s\" stroke-width=\"%d\"%s d=\"M%d %dh22\"/><text x=\"%d\" y=\"%d\">"
                "%s</text>\n", color, area ? 9 : 2, l->style == ':' ? " stroke-dasharray=\"5 4\"" : "",
                LEFT + W + 10, TOP + 10 + 18 * k, LEFT + W + 37, TOP + 14 + 18 * k, l->label);
    }
    fputs("</svg>\n", html);
    n_lines = 0;
}

// --- the claims ----------------------------------------------------------------------------------

static const char *const METHODS[] = {"bon", "rwr", "dpo", "ppo"};  // the first three: what is judged
static const char *const TASKS[] = {"r1", "r2"};

static void claims_1_2(void) {
    int known = 1, holds = 1, known2 = 1, holds2 = 1;
    claim_begin(1);
    say("    %-6s%-17s%-17s%-17s%-7s%s\n", "R1", "on-policy", "offline", "(on - off)/H", "seeds",
        "imitation of the set can earn");
    for (int m = 0; m < 4; m++) {
        const char *on = text("on_%s_r1", METHODS[m]), *off = text("off_%s_r1", METHODS[m]);
        Seeds d = gap(on, off), bound;
        for (int i = 0; i < SEEDS; i++) {  // printed by the run, not logged
            FILE *f = fopen(text("%s/bandit/%s_s%d.txt", out_dir, off, i + 1), "r");
            char line[256];
            bound.at[i] = NAN;
            while (f && fgets(line, sizeof line, f)) {
                sscanf(line, "imitating these samples perfectly would earn %lf", &bound.at[i]);
            }
            if (f) { fclose(f); }
        }
        say("    %-6s%-17s%-17s%-17s%-7d%s\n", METHODS[m], show(reward(on), 3), show(reward(off), 3),
            show(d, 3), stat(d).n, stat(bound).n ? show(bound, 3) : "");
        if (m < 3) {
            known &= stat(d).n > 0;
            holds &= mean(d) >= MARGIN;
        }
    }
    say("    ppo: share of ratios clipped at the end: on-policy %s, offline %s\n",
        show(measure("on_ppo_r1", "clip_frac", LAST), 3), show(measure("off_ppo_r1", "clip_frac", LAST), 3));
    claim_end(1, known, holds);
    for (int t = 0; t < 2; t++) {
        for (int by_steps = 0; by_steps < 2; by_steps++) {
            for (int m = 0; m < 4; m++) {
                const char *x = by_steps ? "step" : "queries";
                curve(text("on_%s_%s", METHODS[m], TASKS[t]), x, "gold_reward",
                      text("%s, on-policy", METHODS[m]), method_color(METHODS[m]), '-');
                curve(text("off_%s_%s", METHODS[m], TASKS[t]), x, "gold_reward",
                      text("%s, offline", METHODS[m]), method_color(METHODS[m]), ':');
            }
            plot(text("R%d, the peak %s", t + 1, t ? "in the reference's mass" : "far from the reference"),
                 by_steps ? "gradient steps" : "reward queries", "reward", 0);
        }
    }
    caption("Reward by queries and by gradient steps. Solid: sampled from the policy as it learns; dashed: "
            "one set, sampled from the reference, all of its queries spent before the first step. On R1 the "
            "dashed lines of bon and rwr level off early; on R2 they have less to lose.");

    claim_begin(2);
    say("    %-6s%-19s%-19s%-19s%s\n", "", "(on - off)/H, R1", "(on - off)/H, R2", "R1 - R2", "seeds");
    for (int m = 0; m < 3; m++) {
        Seeds far = gap(text("on_%s_r1", METHODS[m]), text("off_%s_r1", METHODS[m]));
        Seeds near = gap(text("on_%s_r2", METHODS[m]), text("off_%s_r2", METHODS[m])), d = minus(far, near);
        say("    %-6s%-19s%-19s%-19s%d\n", METHODS[m], show(far, 3), show(near, 3), show(d, 3), stat(d).n);
        known2 &= stat(d).n > 0;
        holds2 &= mean(d) >= MARGIN;
    }
    claim_end(2, known2, holds2);
    caption("The plots are those above.");
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
    int known = 1, holds = 1;
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
            int all = 1;
            Line *l = line_new(METHODS[m], method_color(METHODS[m]), '-');
            for (int k = 0; k < 7; k++) {
                runs[k] = k == 0 ? text("on_%s", name) : k == 6 ? text("off_%s", name)
                          : text("on_%s_collect%d", name, collect[k]);
                Stat s = stat(reward(runs[k]));
                x[k] = 10 * collect[k];
                y[k] = s.mean;
                all &= s.n > 0;
                point(l, x[k], y[k], s.se);
            }
            Seeds d = gap(runs[0], runs[6]);
            double rank = all ? rank_correlation(x, y, 7) : NAN;
            say("    R%d  %-4s %2d seed%-5s", t + 1, METHODS[m], stat(d).n, stat(d).n == 1 ? "" : "s");
            for (int k = 0; k < 7; k++) { say("%7s", isnan(y[k]) ? "-" : text("%.3f", y[k])); }
            say("  %-14s %6s\n", show(d, 3), isnan(rank) ? "-" : text("%.2f", rank));
            if (t == 0) {
                known &= all;
                holds &= mean(d) >= MARGIN && rank <= RANK;
            }
        }
        plot(text("R%d", t + 1), "queries a collection, of 10000 in all", "final reward", 1);
    }
    claim_end(3, known, holds);
    caption("Left end: 100 collections, each sampled from the policy of that moment. Right end: one, sampled "
            "from the reference. Lines that fall say that fresh samples matter; band: standard error.");
}

static void claim_4(void) {
    const int reuse[] = {1, 2, 5, 10, 20, 50};
    const char *methods[] = {"bon", "ppo", "dpo", "reinforce"};
    const char *title[] = {"(a) 100 collections, so 100 T gradient steps",
                           "(b) 1000 gradient steps, so 1000/T collections"};
    int known = 1, holds = 1;
    claim_begin(4);
    for (int fixed_steps = 0; fixed_steps < 2; fixed_steps++) {
        say("    %-49s", title[fixed_steps]);
        say("   %s\n    %-14s", fixed_steps ? "(T=1 - T=50)/H" : "(best - T=1)/H", "T");
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
                          : fixed_steps ? text("on_%s_r1_reuse%d", methods[m], reuse[k])
                          : text("on_%s_r1_reuse%d_steps%d", methods[m], reuse[k], 100 * reuse[k]);
                Stat s = stat(reward(runs[k]));
                y[k] = s.mean;
                all &= s.n > 0;
                if (k > 0 && y[k] > y[best]) { best = k; }
                point(l, reuse[k], y[k], s.se);
                say("%6s", s.n ? text("%.3f", y[k]) : "-");
            }
            Seeds d = fixed_steps ? gap(runs[0], runs[5]) : gap(runs[best], runs[0]);
            int yes = mean(d) >= MARGIN;
            all &= stat(d).n > 0;
            say("   %-16s %d seed%s  %s\n", show(d, 3), stat(d).n, stat(d).n == 1 ? " " : "s",
                VERDICTS[!all ? NOT_RUN : yes ? HOLDS : FAILS]);
            known &= all;
            holds &= yes;
        }
        plot(title[fixed_steps], "T, uses of each sample", "final reward", 1);
    }
    claim_end(4, known, holds);
    caption("(a) The same samples, used more often: rising lines say that reuse helps. (b) The same number "
            "of steps on fewer samples: falling lines say what reuse costs.");
}

// The reward when the KL to the reference first reaches `nats`, between two rows by a straight line.
static Seeds reward_at_kl(const char *run, double nats) {
    Seeds s;
    for (int i = 0; i < SEEDS; i++) {
        const Table *t = run_table(run, i, ".csv");
        s.at[i] = NAN;
        for (int r = 1; t && r < t->rows && isnan(s.at[i]); r++) {
            double a = cell(t, r - 1, "kl"), b = cell(t, r, "kl"), y = cell(t, r - 1, "gold_reward");
            if (b >= nats) { s.at[i] = y + (cell(t, r, "gold_reward") - y) * (nats - a) / (b - a); }
        }
    }
    return s;
}

static void claim_5(void) {
    const char *methods[] = {"dpo", "ipo", "bon", "rwr", "pref-ft"};
    Seeds lead[2];
    claim_begin(5);
    say("    %-12s%-17s%-7sreward when the KL first reaches\n", "", "", "");
    say("    %-12s%-17s%-7s%-17s%-17s%s\n", "offline", "reward", "seeds", "5 nats", "10 nats", "20 nats");
    for (int t = 0; t < 2; t++) {
        Seeds with = {{0}}, without = {{0}}, h = headroom(text("off_dpo_%s", TASKS[t]));
        for (int m = 0; m < 5; m++) {
            const char *run = text("off_%s_%s", methods[m], TASKS[t]);
            Seeds r = reward(run);
            for (int i = 0; i < SEEDS; i++) {  // a seed without one of the methods is left out
                Seeds *side = m < 2 ? &with : &without;
                double other = side->at[i], x = r.at[i];
                int first = m == 0 || m == 2;
                side->at[i] = first ? x : isnan(x) || isnan(other) ? NAN : m < 2 ? fmin(x, other) : fmax(x, other);
            }
            say("    R%d %-9s%-17s%-7d", t + 1, methods[m], show(r, 3), stat(r).n);
            for (int nats = 5; nats <= 20; nats *= 2) {
                Seeds at = reward_at_kl(run, nats);
                say("%-17s", stat(at).n ? show(at, 3) : "-");
            }
            say("\n");
            curve(run, "kl", "gold_reward", methods[m], method_color(methods[m]), '-');
        }
        plot(text("R%d, offline", t + 1), "KL to the reference, nats a response", "reward", 0);
        lead[t] = minus(with, without);
        for (int i = 0; i < SEEDS; i++) { lead[t].at[i] /= h.at[i]; }
    }
    Seeds less = minus(lead[0], lead[1]);
    say("    lead on R1 %s, on R2 %s, difference %s\n", show(lead[0], 3), show(lead[1], 3), show(less, 3));
    claim_end(5, stat(less).n > 0, mean(lead[0]) >= MARGIN && mean(less) >= MARGIN);
    caption("What each method earns for each nat it moves from the reference, all on the same fixed set. "
            "On R1 imitation stops at what the best of the samples earn; a negative gradient goes on.");
}

// The first row at which `share` of the headroom is gained. Never: the whole budget, and *never is set.
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
        s.at[i] = r < t->rows ? cell(t, r, unit) : !strcmp(unit, "queries") ? BUDGET : cell(t, r - 1, unit);
    }
    return s;
}

static void claim_6(void) {
    const char *runs[] = {"off_dpo_r1_neg0", "off_dpo_r1", "on_dpo_r1_neg0", "on_dpo_r1"};
    const char *names[] = {"off, neg 0", "off, neg 1", "on, neg 0", "on, neg 1"};
    const int colors[] = {ORANGE, ORANGE, BLUE, BLUE};
    int known = 1;
    claim_begin(6);
    say("    %-12s%-17s%-13s%-13s%-13s%-13s%s\n", "", "", "queries to", "steps to", "queries to", "steps to", "");
    say("    %-12s%-17s%-13s%-13s%-13s%-13s%s\n", "dpo on R1", "reward", "50% of H", "50% of H", "90% of H",
        "90% of H", "seeds");
    for (int k = 0; k < 4; k++) {
        Seeds r = reward(runs[k]);
        say("    %-12s%-17s", names[k], show(r, 3));
        for (int c = 0; c < 4; c++) {
            int never = 0;
            Seeds s = time_to(runs[k], c < 2 ? 0.5 : 0.9, c % 2 ? "step" : "queries", &never);
            say("%-13s", stat(s).n ? text("%s%.0f", never ? ">" : "", mean(s)) : "-");
        }
        say("%d\n", stat(r).n);
        known &= stat(r).n > 0;
        curve(runs[k], "step", "gold_reward", names[k], colors[k], k % 2 ? '-' : ':');
    }
    plot("dpo on R1", "gradient steps", "reward", 0);
    for (int k = 0; k < 4; k++) {
        curve(runs[k], "queries", "gold_reward", names[k], colors[k], k % 2 ? '-' : ':');
    }
    plot("dpo on R1", "reward queries", "reward", 0);
    int never = 0;
    Seeds neg = gap(runs[1], runs[0]), fresh = gap(runs[2], runs[0]);
    double both = mean(time_to(runs[3], 0.9, "queries", &never));
    double one = mean(time_to(runs[2], 0.9, "queries", &never));
    say("    negative gradient alone %s, fresh samples alone %s (of H)\n", show(neg, 3), show(fresh, 3));
    claim_end(6, known, mean(neg) >= MARGIN && mean(fresh) >= MARGIN && both <= SOONER * one);
    caption("One bit changes the method: with neg 0 (dashed) nothing is pushed down. Orange: offline; blue: "
            "on-policy. Each of the two helps alone, and both together are fastest.");
}

static void claim_7(void) {
    const char *methods[] = {"dpo", "ipo", "pref-ft"};
    const char *what[] = {"logp_chosen", "logp_rejected", "reward_margin"};
    int known = 1, holds = 1;
    claim_begin(7);
    say("    %-8s%-14s%-16s%-16s%-16s%8s%8s  %s\n", "offline", "nats", "first", "last", "change", "lowest",
        "highest", "seeds");
    for (int m = 0; m < 3; m++) {
        const char *run = text("off_%s_r1", methods[m]);
        double change[3];
        for (int w = 0; w < 3; w++) {
            Seeds first = measure(run, what[w], FIRST), last = measure(run, what[w], LAST);
            Seeds d = minus(last, first);
            int n = stat(d).n;
            change[w] = mean(d);
            known &= n > 0;
            say("    %-8s%-14s%-16s%-16s%-16s", w ? "" : methods[m], what[w], show(first, 2), show(last, 2),
                show(d, 2));
            say("%8s%8s  %d\n", n ? text("%.2f", mean(measure(run, what[w], LOWEST))) : "-",
                n ? text("%.2f", mean(measure(run, what[w], HIGHEST))) : "-", n);
            curve(run, "step", what[w], w == 0 ? "log p of chosen" : w == 1 ? "of rejected" : "margin",
                  w == 0 ? GREEN : w == 1 ? RED : BLUE, w == 2 ? ':' : '-');
        }
        plot(text("%s, offline, R1", methods[m]), "gradient steps", "nats a response", 0);
        holds &= m < 2 ? change[2] >= NATS && change[0] <= -NATS : change[0] > 0 && change[1] > 0;
    }
    claim_end(7, known, holds);
    caption("Log-probabilities of 128 held-out pairs. A growing margin (dashed) does not mean that the chosen "
            "responses become likelier: with dpo and ipo both fall, the rejected ones further.");
}

// The distributions of a case of the study at its beginning, middle and end.
static void plot_bins(const Table *t, int from, int to, const char *title) {
    int middle = from;
    while (cell(t, middle, "step") < cell(t, to - 1, "step") / 2) { middle++; }
    const int rows[] = {from, middle, to - 1}, colors[] = {LIGHT, CYAN, BLUE};
    for (int k = 0; k < 3; k++) {
        Line *l = line_new(text("step %.0f", cell(t, rows[k], "step")), colors[k], k ? '-' : '#');
        for (int b = 0; b < 20; b++) {
            point(l, b - 0.5, cell(t, rows[k], text("p%d", b)), NAN);
            point(l, b + 0.5, cell(t, rows[k], text("p%d", b)), NAN);
        }
    }
    plot(title, "bin", "probability", 0);
}

static void claim_8(void) {
    const Table *t = table_read(text("%s/kl.csv", out_dir));
    FILE *f = fopen(text("%s/kl.txt", out_dir), "r");  // the log is thinned out, the table is exact
    int sooner = 0, later = 0, rows = 0;
    char line[256];
    claim_begin(8);
    while (f && fgets(line, sizeof line, f)) {
        // "name  TV  steps lr  steps lr", where "never" may stand for steps and lr
        char *word[64], copy[256];
        int n = 0, at = 0;
        double steps[2];
        snprintf(copy, sizeof copy, "%s", line);
        for (char *w = strtok(copy, " \n"); w && n < 64; w = strtok(NULL, " \n")) { word[n++] = w; }
        say("    %s", line);
        for (at = n - 1; at > 0 && (!strcmp(word[at], "never") || strtod(word[at], NULL) > 0); at--) { }
        if (++rows <= 2 || n - at < 4) { continue; }  // the two lines above the table
        for (int k = 0, w = at + 2; k < 2; k++) {     // at + 1 is the TV
            int never = !strcmp(word[w], "never");
            steps[k] = never ? INFINITY : strtod(word[w], NULL);
            w += never ? 1 : 2;
        }
        sooner += isfinite(steps[1]) && steps[1] <= SOONER * steps[0];
        later += !strncmp(line, "far", 3) && isfinite(steps[0]) && steps[1] >= LATER * steps[0];
    }
    if (f) { fclose(f); }
    claim_end(8, rows > 2, sooner && later);
    for (int from = 0, mid, to; t && from < t->rows; from = to) {  // forward, then reverse, from step 0
        for (mid = from + 1; mid < t->rows && cell(t, mid, "step") > 0; mid++) { }
        for (to = mid + 1; to < t->rows && cell(t, to, "step") > 0; to++) { }
        if (to > t->rows) { stop(t->path, "ends within a case"); }
        Line *forward = line_new("forward", ORANGE, '-'), *reverse = line_new("reverse", BLUE, '-');
        for (int r = from; r < to; r++) {
            point(r < mid ? forward : reverse, 1 + cell(t, r, "step"), cell(t, r, "tv"), NAN);
        }
        plot(t->first[from], "1 + step", "total variation left", 1);
        plot_bins(t, from, mid, "forward KL");
        plot_bins(t, mid, to, "reverse KL");
    }
    caption("Left: how much of the way is left. Middle and right: the distribution at the start (grey area), "
            "half-way and at the end, each at its best learning rate.");
}

// Where the mass went: the share of each token under the policies of seed 1, the reward behind.
static void histograms(void) {
    const char *names[] = {"off_bon", "off_dpo", "on_dpo"};
    fputs("<section><h2>Where did the mass go?</h2>\n", html);
    for (int task = 0; task < 2; task++) {
        for (int k = 0; k < 3; k++) {
            const Table *t = run_table(text("%s_%s", names[k], TASKS[task]), 0, ".hist.csv");
            if (!t) { continue; }
            double most = 0;
            for (int c = 1; c < t->columns; c++) { most = fmax(most, t->v[(t->rows - 1) * t->columns + c]); }
            Line *reward_line = line_new("reward (no scale)", LIGHT, '#');
            Line *before = line_new("reference", GREY, ':'), *after = line_new("policy, at the end", BLUE, '-');
            for (int c = 1; c < t->columns; c++) {
                point(reward_line, c - 1, most * exp(-pow((c - 1 - (task ? 20 : 70)) / 10.0, 2)), NAN);
                point(before, c - 1, t->v[c], NAN);
                point(after, c - 1, t->v[(t->rows - 1) * t->columns + c], NAN);
            }
            plot(text("%s, R%d", names[k], task + 1), "token", "share of tokens", 0);
        }
    }
    caption("Tokens of 512 responses by the policy at the end. Imitation (bon) keeps to where the "
            "reference was; dpo moves on, and with fresh samples all the way to the peak.");
}

// --- the sweep -----------------------------------------------------------------------------------

static void sweep(void) {
    const char *methods[] = {"sft", "pref-ft", "bon", "rwr", "reinforce", "ppo", "dpo", "ipo"};
    const char *rates[] = {"1e-4", "3e-4", "1e-3", "3e-3", "1e-2"}, *builds[] = {"off", "on"};
    folder = "sweep";
    first_seed = 101;
    printf("final reward, mean of R1 and R2 over seeds; * the best learning rate; - not run or diverged\n");
    printf("%-22s", "");
    for (int k = 0; k < 5; k++) { printf("%10s ", rates[k]); }
    printf("  seeds\n");
    for (int m = 0; m < 8; m++) {
        for (int b = 0; b < 2; b++) {
            double y[5], top = -1;
            int n = 0;
            for (int k = 0; k < 5; k++) {
                Seeds r[2];
                for (int t = 0; t < 2; t++) {
                    r[t] = reward(text("%s_%s_%s_lr%s", builds[b], methods[m], TASKS[t], rates[k]));
                }
                for (int i = 0; i < SEEDS; i++) { r[0].at[i] = (r[0].at[i] + r[1].at[i]) / 2; }
                y[k] = mean(r[0]);
                top = fmax(top, y[k]);
                n = stat(r[0]).n > n ? stat(r[0]).n : n;
            }
            printf("%-10s %-11s", b ? "" : methods[m], b ? "on-policy" : "offline");
            for (int k = 0; k < 5; k++) {
                printf("%10s%c", isnan(y[k]) ? "-" : text("%.3f", y[k]), y[k] == top ? '*' : ' ');
            }
            printf("%7d\n", n);
        }
    }
}

static const char STYLE[] =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>pref.c: the claims</title>\n<style>"
    "body{font:15px/1.45 sans-serif;color:#222;background:#fff;margin:24px auto;max-width:1080px;padding:0 16px}"
    "pre{font-size:13px;background:#f6f6f3;padding:10px;overflow-x:auto}section{margin-bottom:34px}"
    "svg{font:12px sans-serif;fill:#222}.t{font-weight:bold}.g{stroke:#e4e4e4}</style>\n"
    "<h1>pref.c: the paper's claims, measured</h1>\n";

int main(int argc, char **argv) {
    if (argc == 3 && !strcmp(argv[1], "--sweep")) {
        out_dir = argv[2];
        sweep();
        return 0;
    }
    if (argc != 2 || argv[1][0] == '-') {
        fputs("usage: report [--sweep] OUT\n", stderr);
        return 2;
    }
    out_dir = argv[1];
    const char *path = text("%s/report.html", out_dir);
    html = fopen(path, "w");
    if (!html) { stop(path, strerror(errno)); }
    fputs(STYLE, html);
    claims_1_2();
    claim_3();
    claim_4();
    claim_5();
    claim_6();
    claim_7();
    claim_8();
    histograms();
    if (fclose(html) != 0) { stop(path, strerror(errno)); }
    printf("\n");
    for (int c = 0; c < N_CLAIMS; c++) { printf("C%d %s%s", c + 1, VERDICTS[verdict[c]], c < 7 ? "; " : "\n"); }
    printf("plots: %s/report.html\n", out_dir);
    return 0;
}
