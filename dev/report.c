/*
report.c: says which of the paper's claims hold in the runs that run.sh left behind.

    report OUT [DIR]                    prints the verdicts; writes DIR/RESULTS.md, the figures in
                                        DIR/figures (DIR: OUT if not given), and OUT/report.html
    report --sweep OUT [--rates FILE]   prints what every learning rate earned in the sweep, and the
                                        best rates as dev/rates.txt has them, into FILE if given

A run is OUT/FOLDER/NAME_sSEED.csv, as `pref tune --log` writes it; run.sh says how names are made.
Whatever is there is used. A claim whose runs are absent says so. A log that is broken is named and
not counted, and what depends on it is "not known". Every number is computed seed by seed; the page
shows the mean over seeds, +- its standard error. A verdict needs the seeds 11 to 15.

The parts of this file: reading logs; numbers of runs; the page, written as Markdown and as HTML by
the same calls; plots; the claims and how each is judged; the figures; the sweep; main.
*/
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { SEEDS = 10, ENOUGH = 5, CLAIM_SEED = 11, SWEEP_SEED = 101, MAX_ROWS = 100000 };
enum { ONE_RATE, THREE_TIMES, OWN_BEST, N_SETS };
static const char *const SET_NAMES[] = {"one rate", "3 x the rate", "own best rate"};
static const char *const SET_ENDINGS[] = {"", "_x3", "_best"};
static const char *const RATES[] = {"1e-4", "3e-4", "1e-3", "3e-3", "1e-2"};
enum { N_RATES = 5 };

// --- reading logs --------------------------------------------------------------------------------

typedef struct {
    char path[512];
    char *header, **field;  // (rows, columns), as text
    int rows, columns;
    double end;             // the last step
    char fault[160];        // why this table is not counted; empty if it is
} Table;

// A run with all its seeds. Logs of one group must end at the same step.
typedef struct Run {
    char key[256], group[256];
    Table *seed[SEEDS];
    struct Run *next;
} Run;

static const char *out_dir;
static Run *all_runs;

static _Noreturn void stop(const char *path, const char *why) {
    fprintf(stderr, "report: %s: %s\n", path, why);
    exit(1);
}

static void *grow(void *p, size_t size) {
    p = realloc(p, size);
    if (!p) { stop("memory", "there is not enough"); }
    return p;
}

// Returns a text made of parts. It lasts until 256 others have been made.
static const char *text(const char *format, ...) {
    static char buffer[256][512];
    static int next;
    char *s = buffer[next++ % 256];
    va_list args;
    va_start(args, format);
    vsnprintf(s, sizeof *buffer, format, args);
    va_end(args);
    return s;
}

// Marks a table as broken. The first reason stays.
static void fault(Table *t, const char *why) {
    if (!*t->fault) { snprintf(t->fault, sizeof t->fault, "%s", why); }
}

// Splits a line at its commas and appends it to the table.
static void add_row(Table *t, char *line) {
    size_t n = (size_t)t->rows * (size_t)t->columns;
    t->field = grow(t->field, (n + (size_t)t->columns) * sizeof *t->field);
    int c = 0;
    for (char *at = line, *comma = line; comma; at = comma + 1, c++) {
        comma = strchr(at, ',');
        if (comma) { *comma = 0; }
        if (c < t->columns) { t->field[n + (size_t)c] = at; }
    }
    t->rows++;
    if (c != t->columns) {
        fault(t, text("row %d has %d fields, not %d", t->rows, c, t->columns));
        t->rows--;
    }
}

// Reads a CSV file with a header line. Returns NULL if there is no such file.
static Table *table_read(const char *path) {
    FILE *f = fopen(path, "r");
    if (!f) { return NULL; }
    Table *t = grow(NULL, sizeof *t);
    *t = (Table){.columns = 1};
    snprintf(t->path, sizeof t->path, "%s", path);
    char *line = NULL;
    size_t size = 0;
    for (; getline(&line, &size, f) > 0 && t->rows < MAX_ROWS; line = NULL, size = 0) {
        if (!strchr(line, '\n')) { fault(t, "its last line is cut off"); }
        line[strcspn(line, "\r\n")] = 0;
        if (t->header) {
            add_row(t, line);
            continue;
        }
        t->header = line;
        for (const char *c = line; *c; c++) { t->columns += *c == ','; }
    }
    free(line);
    fclose(f);
    if (t->rows == 0) { fault(t, "it has no rows"); }
    return t;
}

// Returns where a column stands in the header, or -1 if there is none of that name.
static int column(const Table *t, const char *name) {
    size_t n = strlen(name);
    const char *at = t->header ? t->header : "";
    for (int c = 0; c < t->columns; c++, at += strcspn(at, ",") + 1) {
        if (strcspn(at, ",") == n && !strncmp(at, name, n)) { return c; }
        if (!at[strcspn(at, ",")]) { break; }
    }
    return -1;
}

static const char *field(const Table *t, int row, const char *name) {
    int c = column(t, name);
    return c < 0 ? "" : t->field[row * t->columns + c];
}

// Returns the number in a field, or NaN if there is no finite one.
static double cell(const Table *t, int row, const char *name) {
    char *end;
    const char *s = field(t, row, name);
    double x = strtod(s, &end);
    return end > s && !*end && isfinite(x) ? x : NAN;
}

// The same for a number that has to be there: without it the table is broken.
static double value(Table *t, int row, const char *name) {
    double x = cell(t, row, name);
    if (isnan(x) && !*t->fault) {
        const char *s = field(t, row, name);
        fault(t, column(t, name) < 0 ? text("it has no column %s", name)
                 : *s ? text("%s in row %d is not a number: %.40s", name, row + 1, s)
                      : text("it has no %s in row %d", name, row + 1));
    }
    return x;
}

// Checks what every claim reads from a log of `pref tune`.
static void check_log(Table *t) {
    for (int r = 0; r < t->rows && !*t->fault; r++) {
        double step = value(t, r, "step"), gold = value(t, r, "gold_reward");
        value(t, r, "queries");
        if (gold < 0 || gold > 1) { fault(t, text("gold_reward in row %d is %g", r + 1, gold)); }
        if (r == 0 && step != 0) { fault(t, "it does not begin at step 0"); }
        if (r == 0) { continue; }
        double every = cell(t, 1, "step"), before = cell(t, r - 1, "step"), gap = step - before;
        if (!(gap > 0)) { fault(t, text("its steps do not rise in row %d", r + 1)); }
        int last = r == t->rows - 1;
        if (last ? gap > every : gap != every) {
            fault(t, text("its evaluations are not evenly spaced in row %d", r + 1));
        }
    }
    if (t->rows == 1) { fault(t, "it has one row only"); }
    t->end = t->rows ? cell(t, t->rows - 1, "step") : 0;
}

// Finds a run, and reads its tables when it is asked for first.
static Run *run_find(const char *folder, const char *name, const char *ending, int first_seed) {
    char key[256];  // not by text(): callers hold on to many of those
    snprintf(key, sizeof key, "%s/%s%s %d", folder, name, ending, first_seed);
    for (Run *r = all_runs; r; r = r->next) {
        if (!strcmp(r->key, key)) { return r; }
    }
    Run *r = grow(NULL, sizeof *r);
    *r = (Run){.next = all_runs};
    all_runs = r;
    snprintf(r->key, sizeof r->key, "%s", key);
    const char *budget = strstr(name, "_queries");
    budget = budget ? budget : strstr(name, "_noisy") ? "_noisy" : "";
    if (!strcmp(ending, ".csv")) { snprintf(r->group, sizeof r->group, "%s%s", folder, budget); }
    for (int i = 0; i < SEEDS; i++) {
        char path[600];
        snprintf(path, sizeof path, "%s/%s/%s_s%d%s", out_dir, folder, name, first_seed + i,
                 ending);
        r->seed[i] = table_read(path);
        if (r->seed[i] && *r->group) { check_log(r->seed[i]); }
    }
    return r;
}

// The last step of the longest log in r's group, or the most rows that a seed of r has.
static double longest(const Run *r, int rows) {
    double most = 0;
    for (const Run *o = all_runs; o; o = o->next) {
        if (rows ? o != r : strcmp(o->group, r->group) != 0) { continue; }
        for (int k = 0; k < SEEDS; k++) {
            const Table *t = o->seed[k];
            if (t && !*t->fault) { most = fmax(most, rows ? t->rows : t->end); }
        }
    }
    return most;
}

// Finds the logs that end too early, by others of their group. Everything must have been read.
static void check_ends(void) {
    for (Run *r = all_runs; r; r = r->next) {
        double due = longest(r, 0), rows = longest(r, 1);
        for (int i = 0; i < SEEDS && *r->group; i++) {
            Table *t = r->seed[i];
            if (!t || *t->fault) { continue; }
            if (t->end < due) {
                fault(t, text("it ends at step %.0f, others at %.0f", t->end, due));
            }
            if (t->rows < rows) {
                fault(t, text("it has %d rows, another seed has %.0f", t->rows, rows));
            }
        }
    }
}

// --- numbers of runs -----------------------------------------------------------------------------

typedef struct {
    double at[SEEDS];  // NaN: none. Arithmetic passes it on, so only complete seeds count.
} Seeds;

typedef struct {
    int n;
    double mean, se;  // se: the standard error, NaN with fewer than two seeds
} Stat;

// How a number decides: by being "better", which is rule 2 of the claims; or by its mean alone,
// held against the limit in the claim's row; or by both its own limit and 2 standard errors.
enum { BETTER, AT_LEAST, AT_MOST, ABOVE, AT_LEAST_2SE, SHOWN };

typedef struct {
    char who[64];
    Seeds d;
    double share;        // the mean of d as a share of H; NaN: not meant to be one
    int rule, decides;   // decides: whether the claim as a whole needs it
    double limit;
} Part;

enum { NOT_RUN, NOT_KNOWN, FEW_SEEDS, FAILS, HOLDS };
static const char *const WORDS[] = {"not run", "not known", "5 seeds decide", "does not hold",
                                    "holds"};

// A claim judged on one set of runs; also the place where runs are looked for, and the record of
// those that were not found or were broken.
typedef struct {
    int set, first_seed;
    char folder[32];
    Part part[48];
    int n, whole;           // whole: 1 or 0 by the claim's own rule; -1: all parts decide
    int n_missing, n_broken;
    char missing[3000], broken[400], note[600];  // missing: names, each with a space behind it
    int word;
    char why[1400];
} Verdict;

static Verdict place(const char *kind, int set) {
    Verdict v = {.set = set, .first_seed = CLAIM_SEED, .whole = -1};
    snprintf(v.folder, sizeof v.folder, "%s%s", kind, SET_ENDINGS[set]);
    return v;
}

// Appends to a text of limited size.
static void append(char *to, size_t size, const char *format, ...) {
    size_t n = strlen(to);
    va_list args;
    va_start(args, format);
    vsnprintf(to + n, size - n, format, args);
    va_end(args);
}

#define NOTE(v, ...) append((v)->note, sizeof (v)->note, __VA_ARGS__)

// Notes that a run was looked for in vain, or found to be broken.
static void note_fault(Verdict *v, const Table *t) {
    const char *slash = strrchr(t->path, '/');
    const char *says = text("%s: %s", slash ? slash + 1 : t->path, t->fault);
    if (strstr(v->broken, says)) { return; }
    append(v->broken, sizeof v->broken, "%s%s", v->n_broken++ ? "; " : "", says);
}

static int run_exists(const Verdict *v, const char *name) {
    const Run *r = run_find(v->folder, name, ".csv", v->first_seed);
    for (int i = 0; i < SEEDS; i++) {
        if (r->seed[i]) { return 1; }
    }
    return 0;
}

static Run *run_of(Verdict *v, const char *name) {
    Run *r = run_find(v->folder, name, ".csv", v->first_seed);
    if (!run_exists(v, name) && !strstr(v->missing, text("%s ", name))) {
        v->n_missing++;
        append(v->missing, sizeof v->missing, "%s ", name);
    }
    for (int i = 0; i < SEEDS; i++) {
        if (r->seed[i] && *r->seed[i]->fault) { note_fault(v, r->seed[i]); }
    }
    return r;
}

static Table *whole_table(const Run *r, int i) {
    return r->seed[i] && !*r->seed[i]->fault ? r->seed[i] : NULL;
}

enum { FIRST, LAST, AVERAGE };  // average: over all evaluations but that at step 0

// Returns one number a seed from a column of a run.
static Seeds measure(Verdict *v, const char *name, const char *of, int which) {
    Seeds s;
    Run *run = run_of(v, name);
    for (int i = 0; i < SEEDS; i++) {
        Table *t = whole_table(run, i);
        s.at[i] = t ? value(t, which == FIRST ? 0 : t->rows - 1, of) : NAN;
        if (t && which == AVERAGE) {
            double sum = 0;
            for (int r = 1; r < t->rows; r++) { sum += value(t, r, of); }
            s.at[i] = sum / (t->rows - 1);
        }
    }
    return s;
}

static Seeds auc(Verdict *v, const char *name) { return measure(v, name, "gold_reward", AVERAGE); }

static Seeds end_of(Verdict *v, const char *name) {
    return measure(v, name, "gold_reward", LAST);
}

// Returns a + weight * b.
static Seeds plus(Seeds a, double weight, Seeds b) {
    for (int i = 0; i < SEEDS; i++) { a.at[i] += weight * b.at[i]; }
    return a;
}

static Seeds minus(Seeds a, Seeds b) { return plus(a, -1, b); }

static Seeds ratio(Seeds a, Seeds b) {
    for (int i = 0; i < SEEDS; i++) { a.at[i] = b.at[i] > 0 ? a.at[i] / b.at[i] : NAN; }
    return a;
}

// Returns H: what the reference leaves to be gained.
static Seeds headroom(Verdict *v, const char *name) {
    Seeds h = measure(v, name, "gold_reward", FIRST);
    for (int i = 0; i < SEEDS; i++) { h.at[i] = 1 - h.at[i]; }
    return h;
}

static Seeds change(Verdict *v, const char *name, const char *of) {
    return minus(measure(v, name, of, LAST), measure(v, name, of, FIRST));
}

// Returns what `of` (steps or queries) was when the reward first gained a share of H; infinity
// where it never did.
static Seeds reached(Verdict *v, const char *name, double share, const char *of) {
    Seeds s;
    Run *run = run_of(v, name);
    for (int i = 0; i < SEEDS; i++) {
        Table *t = whole_table(run, i);
        s.at[i] = t ? INFINITY : NAN;
        for (int r = 0; t && r < t->rows && isinf(s.at[i]); r++) {
            double start = value(t, 0, "gold_reward");
            if (value(t, r, "gold_reward") >= start + share * (1 - start) - 1e-9) {
                s.at[i] = value(t, r, of);
            }
        }
    }
    return s;
}

static Stat stat_of(Seeds s) {
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

static double mean(Seeds s) { return stat_of(s).mean; }

// Returns "0.123 +- 0.004", or "-" where there is no number.
static const char *show(Seeds seeds, int digits) {
    Stat s = stat_of(seeds);
    if (s.n == 0 || !isfinite(s.mean)) { return "-"; }
    return s.n == 1 ? text("%.*f", digits, s.mean)
                    : text("%.*f ± %.*f", digits, s.mean, digits, s.se);
}

// The same for a time that not every seed reached.
static const char *show_time(Seeds s) {
    int never = 0, n = stat_of(s).n;
    for (int i = 0; i < SEEDS; i++) { never += isinf(s.at[i]); }
    if (n == 0) { return "-"; }
    if (never == n) { return "never"; }
    return never ? text("never in %d of %d", never, n) : show(s, 0);
}

// --- the page: Markdown and HTML by the same calls -----------------------------------------------

// Texts for the page are plain, but for `code` in backticks.
typedef struct {
    FILE *md, *html;
    int n_figures;
} Page;

static Page page;

static void put_text(const char *s) {
    int code = 0;
    for (; *s; s++) {
        const char *h = *s == '<' ? "&lt;" : *s == '>' ? "&gt;" : *s == '&' ? "&amp;" : NULL;
        if (*s == '`') {
            code = !code;
            fputs(code ? "<code>" : "</code>", page.html);
            fputc('`', page.md);
            continue;
        }
        if (h) { fputs(h, page.html); } else { fputc(*s, page.html); }
        int escape = !code && strchr("*_#[]\\|", *s);
        if (escape) { fputc('\\', page.md); }
        if (h && !code) { fputs(h, page.md); } else { fputc(*s, page.md); }
    }
}

// Puts text between what begins and ends it in Markdown and in HTML.
static void element(const char *md, const char *html, const char *s, const char *html_end) {
    fputs(md, page.md);
    fputs(html, page.html);
    put_text(s);
    fputs("\n", page.md);
    fprintf(page.html, "%s\n", html_end);
}

static void heading(int level, const char *id, const char *s) {
    fprintf(page.md, "\n<a id=\"%s\"></a>\n\n", id);
    element(level == 1 ? "# " : level == 2 ? "## " : "### ",
            text("<h%d id=\"%s\">", level, id), s, text("</h%d>", level));
    fputs("\n", page.md);
}

static void paragraph(const char *format, ...) {
    char s[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(s, sizeof s, format, args);
    va_end(args);
    element("", "<p>", s, "</p>");
    fputs("\n", page.md);
}

static void link_item(const char *id, const char *s) {
    fputs("- [", page.md);
    fprintf(page.html, "<p class=\"i\"><a href=\"#%s\">", id);
    put_text(s);
    fprintf(page.md, "](#%s)\n", id);
    fputs("</a></p>\n", page.html);
}

// Puts one line of a table, whose cells are divided by "|".
static void cells(const char *s, const char *tag) {
    char part[1600];
    fputs("<tr>", page.html);
    for (int more = 1; more; s += strcspn(s, "|") + 1) {
        int n = (int)strcspn(s, "|");
        more = s[n] != 0;
        snprintf(part, sizeof part, "%.*s", n, s);
        fprintf(page.html, "<%s>", tag);
        fputs("| ", page.md);
        put_text(part);
        fputs(" ", page.md);
        fprintf(page.html, "</%s>", tag);
    }
    fputs("|\n", page.md);
    fputs("</tr>\n", page.html);
}

static void table_begin(const char *head) {
    fputs("<div class=\"s\"><table>\n", page.html);
    cells(head, "th");
    for (const char *c = head; c; c = strchr(c + 1, '|')) { fputs("|---", page.md); }
    fputs("|\n", page.md);
}

static void row(const char *format, ...) {
    char s[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(s, sizeof s, format, args);
    va_end(args);
    cells(s, "td");
}

static void table_end(void) {
    fputs("\n", page.md);
    fputs("</table></div>\n", page.html);
}

// --- plots ---------------------------------------------------------------------------------------

enum { POINTS = 512, LINES = 12, PANELS = 8, CATEGORIES = 8 };
enum { WIDTH = 520, LEFT = 66, PLOT_W = 304, TOP = 34, BOTTOM = 50, LABEL_GAP = 16 };

typedef struct {
    char label[40];
    int look, dash, n, bars, plain;      // look: colour and marker; plain: without markers
    double x[POINTS], y[POINTS], e[POINTS];  // e: half the height of the band, or NaN
} Line;

typedef struct {
    char title[80], x_name[60], y_name[60];
    char category[CATEGORIES][16];       // names along the x axis, for bars
    int n, n_categories, height, log_x;
    double y0, y1;                       // NaN: follow from the lines
    Line line[LINES];
} Panel;

typedef struct {
    int n;
    Panel panel[PANELS];
} Figure;

// Colours differ in lightness, too, and each has its marker, so that lines tell in greyscale.
static const struct { const char *color; char marker; } LOOKS[] = {
    {"#1f5fa8", 'o'}, {"#c2570c", 's'}, {"#1b7f3b", 't'}, {"#8a2a86", 'd'},
    {"#0b8f9c", 'v'}, {"#7a1f1f", 'x'}, {"#555555", 'o'}};
static const char *const DASHES[] = {"", "7 4", "2 3", "9 3 2 3"};
enum { SOLID, DASHED, DOTTED, DOT_DASHED };
enum { GREY = 6 };

static int look_of(const char *method) {
    static const char *const names[] = {"dpo", "rwr", "bon", "ppo", "ipo", "pref-ft"};
    for (int i = 0; i < 6; i++) {
        if (!strcmp(method, names[i])) { return i; }
    }
    return GREY;
}

// Copies a text for an SVG file, which a log may have made up.
static void svg_copy(char *to, size_t size, const char *from) {
    snprintf(to, size, "%s", from);
    for (; *to; to++) {
        int odd = (unsigned char)*to < ' ' || (unsigned char)*to > '~' || strchr("<>&", *to);
        *to = odd ? '?' : *to;
    }
}

static Panel *panel_new(Figure *f, const char *title, const char *x_name, const char *y_name) {
    Panel *p = &f->panel[f->n < PANELS ? f->n++ : PANELS - 1];
    memset(p, 0, sizeof *p);
    p->height = 200;
    p->y0 = p->y1 = NAN;
    svg_copy(p->title, sizeof p->title, title);
    snprintf(p->x_name, sizeof p->x_name, "%s", x_name);
    snprintf(p->y_name, sizeof p->y_name, "%s", y_name);
    return p;
}

static Line *line_new(Panel *p, const char *label, int look, int dash) {
    Line *l = &p->line[p->n < LINES ? p->n++ : LINES - 1];
    l->n = l->bars = l->plain = 0;
    l->look = look;
    l->dash = dash;
    svg_copy(l->label, sizeof l->label, label);
    return l;
}

static void point(Line *l, double x, double y, double e) {
    if (l->n < POINTS && isfinite(x) && isfinite(y)) {
        l->x[l->n] = x;
        l->y[l->n] = y;
        l->e[l->n++] = isfinite(e) ? e : 0;
    }
}

// Draws a column of a run against another, row by row, as the mean over seeds and its error.
static void curve(Panel *p, Verdict *v, const char *name, const char *x, const char *y,
                  const char *label, int look, int dash) {
    if (!run_exists(v, name)) { return; }
    Run *run = run_of(v, name);
    Line *l = line_new(p, label, look, dash);
    int rows = 0, every;
    for (int i = 0; i < SEEDS; i++) {
        Table *t = whole_table(run, i);
        if (t && t->rows > rows) { rows = t->rows; }
    }
    every = rows / POINTS + 1;
    for (int r = 0; r < rows; r += every) {
        Seeds xs, ys;
        for (int i = 0; i < SEEDS; i++) {
            Table *t = whole_table(run, i);
            xs.at[i] = t && r < t->rows ? cell(t, r, x) : NAN;
            ys.at[i] = t && r < t->rows ? cell(t, r, y) : NAN;
        }
        point(l, mean(xs), mean(ys), stat_of(ys).se);
    }
    if (l->n == 0) { p->n--; }
}

// The scale of one axis: from low to high on the page's from to to.
typedef struct {
    double low, high, from, to;
    int log;
} Scale;

static double at(const Scale *s, double x) {
    double share = s->log ? log(x / s->low) / log(s->high / s->low)
                          : (x - s->low) / (s->high - s->low);
    return s->from + (s->to - s->from) * fmin(fmax(share, -0.05), 1.05);
}

static void panel_scales(const Panel *p, double top, Scale *x, Scale *y) {
    double x0 = INFINITY, x1 = -INFINITY, y0 = INFINITY, y1 = -INFINITY;
    for (const Line *l = p->line; l < p->line + p->n; l++) {
        for (int i = 0; i < l->n; i++) {
            x0 = fmin(x0, l->x[i]);
            x1 = fmax(x1, l->x[i]);
            y0 = fmin(y0, l->y[i] - l->e[i]);
            y1 = fmax(y1, l->y[i] + l->e[i]);
        }
    }
    int bars = p->n_categories > 0;
    if (y0 > 0 && (bars || y0 < 0.5 * y1)) { y0 = 0; }
    if (bars && y1 < 0) { y1 = 0; }
    y0 = isnan(p->y0) ? y0 : p->y0;
    y1 = isnan(p->y1) ? y1 + (y1 > y0 ? 0.04 * (y1 - y0) : 1) : p->y1;
    if (y0 < 0 && isnan(p->y0)) { y0 -= 0.04 * (y1 - y0); }
    if (bars) {
        x0 = -0.5;
        x1 = p->n_categories - 0.5;
    }
    *x = (Scale){x0, x1 > x0 ? x1 : x0 + 1, LEFT, LEFT + PLOT_W, p->log_x && x0 > 0};
    *y = (Scale){y0, y1 > y0 ? y1 : y0 + 1, top + p->height, top, 0};
}

// Draws grid lines and their numbers: 1, 2 and 5 of each decade on a log axis, else about five at
// a round distance.
static void draw_ticks(FILE *f, const Scale *s, int is_y, double edge, double length) {
    double step = pow(10, floor(log10(s->high - s->low) - 1));
    for (int k = 0; (s->high - s->low) / step > 6; k++) { step *= k % 3 == 1 ? 2.5 : 2; }
    double tick = s->log ? pow(10, floor(log10(s->low))) : ceil(s->low / step - 1e-9) * step;
    for (int k = 0; k < 100 && tick <= s->high + 1e-9 * fabs(s->high); k++) {
        double shown = fabs(tick) < 1e-9 * step ? 0 : tick;
        if (tick >= s->low * (1 - 1e-9) || !s->log) {
            double a = at(s, tick);
            if (is_y) {
                fprintf(f, "<path class=\"g\" d=\"M%d %.1fh%.0f\"/><text x=\"%d\" y=\"%.1f\" "
                        "class=\"r\">%g</text>\n", LEFT, a, length, LEFT - 6, a + 5, shown);
            } else {
                fprintf(f, "<path class=\"g\" d=\"M%.1f %.1fv%.0f\"/><text x=\"%.1f\" y=\"%.1f\" "
                        "class=\"m\">%g</text>\n", a, edge, -length, a, edge + 17, shown);
            }
        }
        tick = s->log ? tick * (k % 3 == 1 ? 2.5 : 2) : tick + step;
    }
}

static void draw_axes(FILE *f, const Panel *p, double top, const Scale *x, const Scale *y) {
    double bottom = top + p->height;
    fprintf(f, "<text x=\"4\" y=\"%.1f\" class=\"t\">%s</text>\n", top - 14, p->title);
    draw_ticks(f, y, 1, bottom, PLOT_W);
    if (!p->n_categories) { draw_ticks(f, x, 0, bottom, p->height); }
    for (int c = 0; c < p->n_categories; c++) {
        fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" class=\"m\">%s</text>\n", at(x, c), bottom + 17,
                p->category[c]);
    }
    fprintf(f, "<path class=\"a\" d=\"M%d %.1fV%.1fh%d\"/>\n", LEFT, top, bottom, PLOT_W);
    fprintf(f, "<text x=\"%d\" y=\"%.1f\" class=\"m\">%s</text>\n", LEFT + PLOT_W / 2,
            bottom + 36, p->x_name);
    fprintf(f, "<text transform=\"translate(15 %.1f) rotate(-90)\" class=\"m\">%s</text>\n",
            top + p->height / 2.0, p->y_name);
}

static void draw_marker(FILE *f, const Line *l, double x, double y) {
    static const struct { char marker; const char *path; } shapes[] = {
        {'o', "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z"}, {'s', "m-4 -4h8v8h-8z"},
        {'t', "m0 -5l5 8h-10z"}, {'d', "m0 -5l5 5l-5 5l-5 -5z"}, {'v', "m0 5l5 -8h-10z"},
        {'x', "m-4 -2v4h2v2h4v-2h2v-4h-2v-2h-4v2z"}};
    for (int i = 0; i < 6; i++) {
        if (shapes[i].marker != LOOKS[l->look].marker) { continue; }
        fprintf(f, "<path d=\"M%.1f %.1f%s\" fill=\"%s\" stroke=\"%s\"/>\n", x, y, shapes[i].path,
                l->dash ? "#fff" : LOOKS[l->look].color, LOOKS[l->look].color);
    }
}

// Draws a line with its band, and a marker at each quarter of its points.
static void draw_line(FILE *f, const Line *l, const Scale *x, const Scale *y) {
    const char *color = LOOKS[l->look].color;
    double band = 0;
    for (int i = 0; i < l->n; i++) { band = fmax(band, l->e[i]); }
    if (band > 0) {  // along its top and back
        fprintf(f, "<path fill=\"%s\" opacity=\"0.18\" d=\"", color);
        for (int i = 0; i < 2 * l->n; i++) {
            int back = i >= l->n, j = back ? 2 * l->n - 1 - i : i;
            fprintf(f, "%c%.1f %.1f", i ? 'L' : 'M', at(x, l->x[j]),
                    at(y, l->y[j] + (back ? -l->e[j] : l->e[j])));
        }
        fputs("Z\"/>\n", f);
    }
    fprintf(f, "<path fill=\"none\" stroke=\"%s\" stroke-width=\"2\" stroke-dasharray=\"%s\" d=\"",
            color, *DASHES[l->dash] ? DASHES[l->dash] : "none");
    for (int i = 0; i < l->n; i++) {
        fprintf(f, "%c%.1f %.1f", i ? 'L' : 'M', at(x, l->x[i]), at(y, l->y[i]));
    }
    fputs("\"/>\n", f);
    for (int k = 1; k <= 4 && !l->plain; k++) {
        int i = (l->n - 1) * k / 4;
        draw_marker(f, l, at(x, l->x[i]), at(y, l->y[i]));
    }
}

// Bars are full, pale (the second look) or hollow (dashed), so that they tell in greyscale.
static const char *bar_fill(const Line *l) {
    return l->dash ? "#fff" : l->look == 1 ? "#f6cfae" : LOOKS[l->look].color;
}

// Draws the bars of one line, beside those of the others.
static void draw_bars(FILE *f, const Panel *p, int which, const Scale *x, const Scale *y) {
    const Line *l = &p->line[which];
    int n = 0, mine = 0;
    for (int i = 0; i < p->n; i++) {
        mine = i == which ? n : mine;
        n += p->line[i].bars;
    }
    double w = 0.8 / n * (at(x, 1) - at(x, 0));
    for (int i = 0; i < l->n; i++) {
        double left = at(x, l->x[i]) + w * (mine - n / 2.0), zero = at(y, fmax(0, y->low));
        double top = at(y, l->y[i]);
        fprintf(f, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\" "
                "stroke=\"%s\" stroke-width=\"1.5\" stroke-dasharray=\"%s\"/>\n", left + 1,
                fmin(top, zero), fmax(w - 2, 1), fabs(zero - top), bar_fill(l),
                LOOKS[l->look].color,
                l->dash > DASHED ? DASHES[l->dash] : "none");
        fprintf(f, "<path class=\"a\" d=\"M%.1f %.1fV%.1f\"/>\n", left + w / 2,
                at(y, l->y[i] - l->e[i]), at(y, l->y[i] + l->e[i]));
    }
}

// Writes the labels beside the ends of their lines, moved apart so that none covers another.
static void draw_labels(FILE *f, const Panel *p, double top, const Scale *x, const Scale *y) {
    double place[LINES];
    int order[LINES], n = 0;
    for (int i = 0; i < p->n; i++) {
        const Line *l = &p->line[i];
        if (l->n == 0) { continue; }
        place[i] = l->bars ? top + LABEL_GAP * (n + 1) : at(y, l->y[l->n - 1]) + 5;
        int k = n++;
        for (; k > 0 && place[order[k - 1]] > place[i]; k--) { order[k] = order[k - 1]; }
        order[k] = i;
    }
    double lowest = top + p->height + 3;
    for (int k = n - 1; k >= 0; k--) {  // up from the bottom, then down from the top
        place[order[k]] = fmin(place[order[k]], lowest - LABEL_GAP * (n - 1 - k));
    }
    for (int k = 1; k < n; k++) {
        place[order[k]] = fmax(place[order[k]], place[order[k - 1]] + LABEL_GAP);
    }
    for (int k = n - 1, limit = 1; k >= 0 && limit; k--) {
        double most = k == n - 1 ? lowest : place[order[k + 1]] - LABEL_GAP;
        place[order[k]] = fmin(place[order[k]], most);
    }
    for (int k = 0; k < n; k++) {
        const Line *l = &p->line[order[k]];
        double right = LEFT + PLOT_W, end = at(y, l->y[l->n - 1]), t = place[order[k]];
        if (!l->bars) {  // a hair from the line's end to its label
            fprintf(f, "<path stroke=\"%s\" stroke-width=\"0.7\" fill=\"none\" d=\"M%.1f %.1f"
                    "L%.1f %.1f\"/>\n", LOOKS[l->look].color, at(x, l->x[l->n - 1]), end,
                    right + 10, t - 5);
        } else {
            fprintf(f, "<rect x=\"%.1f\" y=\"%.1f\" width=\"8\" height=\"10\" fill=\"%s\" "
                    "stroke=\"%s\"/>\n", right + 1, t - 10, bar_fill(l), LOOKS[l->look].color);
        }
        fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" fill=\"%s\">%s</text>\n", right + 12, t,
                LOOKS[l->look].color, l->label);
    }
}

static void draw_figure(FILE *f, const Figure *fig) {
    double height = 4, top = 0;
    for (int i = 0; i < fig->n; i++) { height += TOP + fig->panel[i].height + BOTTOM; }
    fprintf(f, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%.0f\" "
            "viewBox=\"0 0 %d %.0f\">\n<style>text{font:14px sans-serif}"
            ".t{font-weight:bold;font-size:15px}.g{stroke:#e2e2e2}.a{stroke:#444;fill:none}"
            ".r{text-anchor:end}.m{text-anchor:middle}</style>\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n", WIDTH, height, WIDTH,
            height);
    for (int i = 0; i < fig->n; i++) {
        const Panel *p = &fig->panel[i];
        Scale x, y;
        top += TOP;
        panel_scales(p, top, &x, &y);
        draw_axes(f, p, top, &x, &y);
        for (int k = 0; k < p->n; k++) {
            if (p->line[k].n == 0) { continue; }
            if (p->line[k].bars) { draw_bars(f, p, k, &x, &y); }
            if (!p->line[k].bars) { draw_line(f, &p->line[k], &x, &y); }
        }
        draw_labels(f, p, top, &x, &y);
        top += p->height + BOTTOM;
    }
    fputs("</svg>\n", f);
}

// --- judging -------------------------------------------------------------------------------------

// Whether a number lies where its part wants it. NaN never does. The allowance is for rounding.
static int met(const Part *p) {
    Stat s = stat_of(p->d);
    double limit = p->rule == BETTER ? 0.05 : p->limit, tiny = 1e-9;
    int clear = s.mean >= 2 * s.se - tiny;
    switch (p->rule) {
    case AT_MOST: return s.mean <= limit + tiny;
    case ABOVE: return s.mean > limit + tiny;
    case AT_LEAST: return s.mean >= limit - tiny;
    case SHOWN: return 1;
    default: return clear && s.mean >= limit - tiny;
    }
}

// Adds a number to a verdict. h: what it is also shown as a share of, or NULL.
static void add_part(Verdict *v, int decides, int rule, double limit, Seeds d, const Seeds *h,
                     const char *who) {
    if (v->n == (int)(sizeof v->part / sizeof *v->part)) { return; }
    Part *p = &v->part[v->n++];
    *p = (Part){.d = d, .rule = rule, .decides = decides, .limit = limit, .share = NAN};
    snprintf(p->who, sizeof p->who, "%s", who);
    if (h) { p->share = mean(ratio(d, *h)); }
}

static void better(Verdict *v, Seeds d, const Seeds *h, const char *who) {
    add_part(v, 1, BETTER, 0, d, h, who);
}

static int has_enough(Seeds s) {
    for (int i = 0; i < ENOUGH; i++) {
        if (isnan(s.at[i])) { return 0; }
    }
    return 1;
}

// Returns a number's mean with as many digits as tell it from the limit that it misses.
static const char *deciding(const Part *p) {
    Stat s = stat_of(p->d);
    double limit = p->rule == BETTER ? 0.05 : p->limit;
    double off = fabs(s.mean - limit);
    int digits = fabs(s.mean) >= 100 ? 0 : 3;
    while (digits < 9 && off < 0.6 * pow(10, -digits) && off > 1e-9) { digits++; }
    int wants_error = p->rule == BETTER || p->rule == AT_LEAST_2SE;
    return wants_error && s.n > 1 && s.mean >= limit - 1e-9 && !met(p)
               ? text("%.*f, but 2 s.e. are %.*f", digits, s.mean, digits, 2 * s.se)
               : text("%.*f", digits, s.mean);
}

// Decides on the word and writes the reasons: whom the claim holds for, and whom not.
static void settle(Verdict *v) {
    int ok = 1, few = 0, unknown = 0, n_yes = 0, n_no = 0;
    for (const Part *p = v->part; p < v->part + v->n; p++) {
        ok &= !p->decides || met(p);
        few |= p->rule != SHOWN && !has_enough(p->d);
        unknown |= p->decides && isnan(mean(p->d));
    }
    ok = v->whole >= 0 ? v->whole : ok;
    v->word = v->n_broken ? NOT_KNOWN : v->n_missing ? NOT_RUN : few ? FEW_SEEDS
              : unknown || v->n == 0 ? NOT_KNOWN : ok ? HOLDS : FAILS;
    append(v->why, sizeof v->why, "%s", WORDS[v->word]);
    if (v->n_broken) { append(v->why, sizeof v->why, ": %s", v->broken); }
    if (v->word == NOT_RUN) {
        const char *name = v->missing;
        for (int i = 0; i < v->n_missing && i < 3; i++, name += strcspn(name, " ") + 1) {
            append(v->why, sizeof v->why, "%s%.*s", i ? ", " : ": needs ",
                   (int)strcspn(name, " "), name);
        }
        if (v->n_missing > 3) { append(v->why, sizeof v->why, " and %d more", v->n_missing - 3); }
    }
    if (v->word <= NOT_KNOWN) { return; }
    for (const Part *p = v->part; p < v->part + v->n && v->word == FEW_SEEDS; p++) {
        if (!p->decides) { continue; }
        append(v->why, sizeof v->why, "%s %s %.3f", n_yes++ ? "," : ":", p->who, mean(p->d));
    }
    for (int yes = 1; yes >= 0; yes--) {
        for (const Part *p = v->part; p < v->part + v->n; p++) {
            if (p->rule == SHOWN || met(p) != yes || v->word == FEW_SEEDS) { continue; }
            int first = yes ? n_yes++ == 0 : n_no++ == 0;
            const char *met_by = v->word == HOLDS ? " for " : "; met: ";
            append(v->why, sizeof v->why, "%s%s %s", !first ? ", " : yes ? met_by
                   : v->word == HOLDS ? "; not for " : "; not met: ", p->who, deciding(p));
        }
    }
}

// The mean over methods of what was computed for each; seeds that lack one have none.
static Seeds mean_of(const Seeds *s, int n) {
    Seeds m = {{0}};
    for (int k = 0; k < n; k++) { m = plus(m, 1.0 / n, s[k]); }
    return m;
}

// The learning rate that a method has in a set, from dev/rates.txt (or environment RATES).
static const char *rate_of(int set, const char *kind, const char *side, const char *method,
                           const char *task) {
    int bandit = !strcmp(kind, "bandit");
    const char *rate = bandit ? "1e-3" : "1e-4", *path = getenv("RATES");
    if (set == THREE_TIMES) { return bandit ? "3e-3" : "3e-4"; }
    if (set == ONE_RATE) { return rate; }
    FILE *f = fopen(path ? path : "dev/rates.txt", "r");
    char line[256], w[5][32];
    while (f && fgets(line, sizeof line, f)) {
        line[strcspn(line, "#")] = 0;
        int n = sscanf(line, "%31s %31s %31s %31s %31s", w[0], w[1], w[2], w[3], w[4]);
        if (n == 5 && !strcmp(w[0], kind) && !strcmp(w[1], side) && !strcmp(w[2], method)
            && !strcmp(w[3], task)) {
            rate = text("%s", w[4]);
        }
    }
    if (f) { fclose(f); }
    return rate;
}

// Returns which of two methods is the better one, by the AUC of the sweep's seeds if these are
// there, else by that of the claim's own. names: the runs on the claim's seeds; trials: those of
// the sweep, in `folder`.
static int better_of(Verdict *v, const char *folder, const char *const *names,
                     const char *const *trials, const char *const *called) {
    Verdict sweep = {.first_seed = SWEEP_SEED};
    snprintf(sweep.folder, sizeof sweep.folder, "%s", folder);
    double a = mean(auc(&sweep, trials[0])), b = mean(auc(&sweep, trials[1]));
    int own = isnan(a) || isnan(b);
    if (own) {
        Seeds first = auc(v, names[0]), second = auc(v, names[1]);
        a = mean(plus(first, 0, second));  // over the seeds that both have
        b = mean(plus(second, 0, first));
    }
    NOTE(v, "The better of %s and %s is %s (AUC %.3f and %.3f %s). ", called[0], called[1],
         called[b > a], a, b, own ? "on the claim's own seeds, since the sweep's are not there"
         : strncmp(folder, "sweep", 5) ? "on the seeds 101 to 103, at one rate"
                                       : "on the sweep's seeds 101 to 103");
    return b > a;
}

// The better of dpo and ipo on a task, where `side` says which data.
static const char *contrastive(Verdict *v, const char *kind, const char *side, const char *task) {
    static const char *const called[] = {"dpo", "ipo"};
    const char *names[2], *trials[2];
    for (int k = 0; k < 2; k++) {
        names[k] = text("%s_%s_%s", side, called[k], task);
        trials[k] = text("%s_lr%s", names[k], rate_of(v->set, kind, side, called[k], task));
    }
    return called[better_of(v, text("sweep_%s", kind), names, trials, called)];
}

// The AUC of the imitator with the highest mean on a task, over the seeds that all of them have.
static Seeds best_imitator(Verdict *v, const char *side, const char *task, const char *const *who,
                           int n) {
    Seeds all = auc(v, text("%s_%s_%s", side, who[0], task)), best = all;
    int which = 0;
    for (int k = 1; k < n; k++) {
        all = plus(all, 0, auc(v, text("%s_%s_%s", side, who[k], task)));
    }
    for (int k = 0; k < n; k++) {
        Seeds s = plus(auc(v, text("%s_%s_%s", side, who[k], task)), 0, all);
        if (k == 0 || mean(s) > mean(best)) {
            best = s;
            which = k;
        }
    }
    NOTE(v, "The best imitator on %s is %s. ", task, who[which]);
    return best;
}

static double rank_correlation(const double *y, int n) {  // with 0, 1, 2, ...
    double d2 = 0;
    for (int i = 0; i < n; i++) {
        double rank = 0;
        for (int k = 0; k < n; k++) { rank += y[k] < y[i] ? 1 : y[k] == y[i] && k != i ? 0.5 : 0; }
        d2 += (rank - i) * (rank - i);
    }
    return 1 - 6 * d2 / (n * (n * n - 1.0));
}

static const char *const IMITATORS[] = {"bon", "rwr", "pref-ft"};
static const char *const TRIO[] = {"bon", "rwr", "dpo"};
static const char *const QUARTET[] = {"rwr", "bon", "ppo", "dpo"};

static void judge_c1(Verdict *v) {
    int n_better = 0, n_worse = 0;
    for (int m = 0; m < 3; m++) {
        const char *on = text("on_%s_r1", TRIO[m]);
        Seeds h = headroom(v, on), d = minus(auc(v, on), auc(v, text("off_%s_r1", TRIO[m])));
        better(v, d, &h, TRIO[m]);
        Part other = {.rule = BETTER, .d = minus((Seeds){{0}}, d)};
        n_better += met(&v->part[m]);
        n_worse += met(&other);
    }
    v->whole = n_better >= 2 && n_worse == 0;
}

static void judge_c2(Verdict *v) {
    Seeds all[3];
    for (int m = 0; m < 3; m++) {
        Seeds loss[2];
        for (int t = 0; t < 2; t++) {
            const char *run = text("on_%s_r%d", TRIO[m], t + 1);
            loss[t] = minus(auc(v, run), auc(v, text("%s_collect200", run)));
            Seeds h = headroom(v, run);
            add_part(v, 0, SHOWN, 0, loss[t], &h, text("%s, loss on R%d", TRIO[m], t + 1));
        }
        all[m] = minus(loss[0], loss[1]);
        add_part(v, 0, AT_LEAST_2SE, 0.03, all[m], NULL, TRIO[m]);
    }
    add_part(v, 1, AT_LEAST_2SE, 0.03, mean_of(all, 3), NULL, "the mean");
}

static void judge_c3(Verdict *v) {
    static const char *const sizes[] = {"1", "2", "5", "20", "all"};
    Seeds at_size[5], h[3];
    for (int b = 0; b < 5; b++) {
        Seeds s[3];
        for (int m = 0; m < 3; m++) {
            const char *end = b == 0 || b == 4 ? "" : text("_collect%s0", sizes[b]);
            s[m] = auc(v, text("%s_%s_r1%s", b == 4 ? "off" : "on", TRIO[m], end));
            h[m] = headroom(v, text("on_%s_r1", TRIO[m]));
        }
        at_size[b] = mean_of(s, 3);
    }
    Seeds all = mean_of(h, 3);
    better(v, minus(at_size[0], at_size[4]), &all, "B/M = 1 over all");
    for (int b = 1; b < 5; b++) {
        add_part(v, 1, AT_MOST, 0.02, minus(at_size[b], at_size[b - 1]), NULL,
                 text("B/M from %s to %s", sizes[b - 1], sizes[b]));
    }
}

static void judge_c4(Verdict *v) {
    static const char *const who[] = {"bon", "ppo", "dpo"};
    static const int reuse[] = {1, 2, 5, 10, 20, 50};
    int best_at[3] = {0};
    double lost[3] = {0};
    for (int m = 0; m < 3; m++) {
        Seeds end[6], h = headroom(v, text("on_%s_r1_queries2000", who[m]));
        int best = 0, decides = m < 2;
        for (int k = 0; k < 6; k++) {
            const char *option = k ? text("_reuse%d", reuse[k]) : "";
            end[k] = end_of(v, text("on_%s_r1_queries2000%s", who[m], option));
            best = mean(end[k]) > mean(end[best]) ? k : best;
        }
        best_at[m] = reuse[best];
        lost[m] = mean(minus(end[best], end[5]));
        add_part(v, decides, BETTER, 0, minus(end[1], end[0]), &h,
                 text("(a) %s, T=2 over T=1", who[m]));
        add_part(v, decides, BETTER, 0, minus(end[best], end[5]), &h,
                 text("(b) %s, T=%d over T=50", who[m], reuse[best]));
    }
    NOTE(v, "(c) The best T is %d for ppo and %d for bon; from the best T to T = 50 ppo loses %.3f "
         "and bon %.3f: %s. ", best_at[1], best_at[0], lost[1], lost[0],
         best_at[1] > best_at[0] ? "ppo bears more reuse"
         : best_at[1] < best_at[0] ? "bon bears more reuse"
         : lost[1] < lost[0] ? "their best T is the same, and beyond it ppo loses less"
                             : "their best T is the same, and beyond it bon loses no more");
}

// The lead of the better of dpo and ipo over the best imitator, on two tasks.
static void judge_leads(Verdict *v, const char *kind, const char *side, const char *near_task,
                        const char *far_task, const char *const *imitators, int n) {
    Seeds lead[2], h[2];
    const char *task[] = {far_task, near_task}, *who = contrastive(v, kind, side, far_task);
    for (int t = 0; t < 2; t++) {
        Seeds best = best_imitator(v, side, task[t], imitators, n);
        const char *run = text("%s_%s_%s", side, who, task[t]);
        h[t] = headroom(v, run);
        lead[t] = minus(auc(v, run), best);
    }
    better(v, lead[0], &h[0], text("(a) the lead on %s", far_task));
    add_part(v, 0, SHOWN, 0, lead[1], &h[1], text("the lead on %s", near_task));
    better(v, minus(lead[0], lead[1]), NULL, text("(b) its excess over %s", near_task));
    NOTE(v, "As shares of H the leads are %.3f on %s and %.3f on %s. ",
         mean(ratio(lead[0], h[0])), far_task, mean(ratio(lead[1], h[1])), near_task);
}

static void judge_c5(Verdict *v) { judge_leads(v, "bandit", "off", "r2", "r1", IMITATORS, 3); }

static void judge_c5b(Verdict *v) {
    for (int t = 2; t >= 1; t--) {
        const char *task = text("r%d_len1", t);
        Seeds best = best_imitator(v, "off", task, IMITATORS, 3);
        Seeds start = measure(v, text("off_bon_%s", task), "gold_reward", FIRST);
        Seeds h = headroom(v, text("off_bon_%s", task)), earned = ratio(minus(best, start), h);
        add_part(v, 1, t == 2 ? AT_LEAST : AT_MOST, t == 2 ? 0.8 : 0.4, earned, NULL,
                 text("imitation, share of H on R%d", t));
        if (t == 2) { continue; }
        const char *who = contrastive(v, "bandit", "off", task);
        better(v, minus(auc(v, text("off_%s_%s", who, task)), best), &h, text("%s on R1", who));
    }
}

static void judge_c5c(Verdict *v) {
    static const char *const called[] = {"a push of 0.1", "a push of 1"};
    static const char *const names[] = {"off_bon_r1_push-worst0.1", "off_bon_r1_push-worst1"};
    Seeds h = headroom(v, "off_bon_r1"), pushed = auc(v, names[0]), hard = auc(v, names[1]);
    if (better_of(v, "bandit", names, names, called)) { pushed = hard; }
    better(v, minus(pushed, auc(v, "off_bon_r1")), &h, "bon");
    better(v, minus(auc(v, "off_dpo_r1"), auc(v, "off_dpo_r1_neg0")), &h, "dpo");
}

// Queries to 90% of H; where that is not reached, all that the run had.
static Seeds queries_to_90(Verdict *v, const char *name) {
    Seeds q = reached(v, name, 0.9, "queries"), all = measure(v, name, "queries", LAST);
    for (int i = 0; i < SEEDS; i++) {
        if (isinf(q.at[i])) { q.at[i] = all.at[i]; }
    }
    return q;
}

static void judge_c6(Verdict *v) {
    for (int k = 0; k < 2; k++) {
        const char *end = k ? "_reuse10" : "", *T = k ? "T=10" : "T=1";
        const char *both = text("on_dpo_r1%s", end), *on = text("on_dpo_r1_neg0%s", end);
        const char *neg = text("off_dpo_r1%s", end), *none = text("off_dpo_r1_neg0%s", end);
        Seeds h = headroom(v, none), base = auc(v, none);
        add_part(v, k, BETTER, 0, minus(auc(v, neg), base), &h, text("negative gradient, %s", T));
        add_part(v, k, BETTER, 0, minus(auc(v, on), base), &h, text("fresh samples, %s", T));
        Seeds q = queries_to_90(v, on), saved = plus(queries_to_90(v, both), -0.9, q);
        add_part(v, k, AT_MOST, 0, saved, NULL, text("queries of both - 0.9 x fresh alone, %s", T));
        NOTE(v, "%s: both need %.0f queries to 90%% of H, fresh samples alone %.0f. ", T,
             mean(queries_to_90(v, both)), mean(q));
    }
    NOTE(v, "A run that does not reach 90%% of H counts with all the queries it had (20,000 at T = "
         "1, 2,000 at T = 10). ");
}

static const char *const C7_METHODS[] = {"dpo", "ipo", "pref-ft"};
static const int C7_REUSE[] = {200, 50, 10, 2};  // for 5, 20, 100, 500 prompts

static const char *c7_run(const char *method, int len1, int k) {
    return text("off_%s_r1%s_batch5_reuse%d", method, len1 ? "_len1" : "", C7_REUSE[k]);
}

static void judge_c7(Verdict *v) {
    for (int len1 = 0; len1 < 2; len1++) {
        for (int m = 0; m < 2; m++) {
            double fall[4];
            Seeds fewest = {{0}}, s[4];
            for (int k = 0; k < 4; k++) {
                const char *run = c7_run(C7_METHODS[m], len1, k);
                s[k] = minus(change(v, run, "train_reward_margin"),
                             change(v, c7_run("pref-ft", len1, k), "train_reward_margin"));
                fall[k] = mean(change(v, run, "train_logp_chosen"));
                fewest = plus(fewest, 1, s[k]);
                add_part(v, 1, AT_LEAST, 1, s[k], NULL,
                         text("(a) %s, %s, %d prompts, margin over pref-ft", C7_METHODS[m],
                              len1 ? "1 token" : "9 tokens", 1000 / C7_REUSE[k]));
            }
            double rank = rank_correlation(fall, 4);
            for (int i = 0; i < SEEDS; i++) { fewest.at[i] = isnan(fewest.at[i]) ? NAN : rank; }
            add_part(v, 1, AT_MOST, -0.7, fewest, NULL,
                     text("(b) %s, %s, chosen with prompts", C7_METHODS[m],
                          len1 ? "1 token" : "9 tokens"));
        }
    }
}

// Steps of one descent in kl.csv until the total variation stays below a tenth of its start;
// infinity if it never does; NaN if there is no such descent.
static double kl_steps(const Table *t, const char *name, const char *way, const char *lr) {
    double start = NAN, arrived = 0;
    int inside = 0;
    for (int r = 0; r < t->rows; r++) {
        if (strcmp(field(t, r, "case"), name) || strcmp(field(t, r, "direction"), way)
            || strcmp(field(t, r, "lr"), lr)) {
            continue;
        }
        double tv = cell(t, r, "tv"), step = cell(t, r, "step");
        start = isnan(start) ? tv : start;
        int now = tv <= 0.1 * start;
        arrived = now && !inside ? step : arrived;
        inside = now;
    }
    return isnan(start) ? NAN : inside ? arrived : INFINITY;
}

static Table *kl_table(void) {
    static Table *t;
    if (!t) { t = table_read(text("%s/kl.csv", out_dir)); }
    for (int r = 0; t && r < t->rows && !*t->fault; r++) {
        value(t, r, "step");
        value(t, r, "tv");
        value(t, r, "lr");
        if (column(t, "case") < 0 || column(t, "direction") < 0) { fault(t, "lacks a column"); }
    }
    return t;
}

static int is_toy(const char *name) { return strstr(name, "paper") != NULL; }

// Whether row r is the first of a descent: a case, a direction and a rate.
static int begins_descent(const Table *t, int r) { return cell(t, r, "step") == 0; }

static void judge_c8(Verdict *v) {
    Table *t = kl_table();
    if (!t || *t->fault) {
        if (t) { note_fault(v, t); }
        if (!t) { append(v->missing, sizeof v->missing, "kl.csv "); }
        v->n_missing += !t;
        return;
    }
    for (int r = 0; r < t->rows; r++) {
        const char *name = field(t, r, "case"), *lr = field(t, r, "lr");
        if (!begins_descent(t, r) || strcmp(field(t, r, "direction"), "forward")) { continue; }
        double forward = kl_steps(t, name, "forward", lr);
        double reverse = kl_steps(t, name, "reverse", lr), most = 1e6;
        if (!is_toy(name) || isnan(reverse)) { continue; }
        Seeds d;  // no seeds here: the same number for all
        for (int i = 0; i < SEEDS; i++) {
            d.at[i] = fmin(forward, most) - fmin(reverse, most);
        }
        add_part(v, 1, ABOVE, 0, d, NULL, text("rate %s, steps saved by reverse", lr));
    }
    if (v->n == 0) { append(v->missing, sizeof v->missing, "the-toy-in-kl.csv "); }
    v->n_missing += v->n == 0;
}

static void judge_l1(Verdict *v) {
    static const char *const tasks[] = {"min", "skew", "mode"};
    Seeds all[3];
    for (int t = 0; t < 3; t++) {
        Seeds gap[4], h[4];
        for (int m = 0; m < 4; m++) {
            const char *on = text("on_%s_%s", QUARTET[m], tasks[t]);
            gap[m] = minus(auc(v, on), auc(v, text("off_%s_%s", QUARTET[m], tasks[t])));
            h[m] = headroom(v, on);
            add_part(v, 0, t < 2 ? BETTER : SHOWN, 0, gap[m], &h[m],
                     text("%s on %s", QUARTET[m], tasks[t]));
        }
        Seeds mean_h = mean_of(h, 4);
        all[t] = mean_of(gap, 4);
        add_part(v, t < 2, t < 2 ? BETTER : SHOWN, 0, all[t], &mean_h,
                 text("mean on %s", tasks[t]));
    }
    add_part(v, 1, AT_LEAST, 0.05, minus(all[0], all[2]), NULL, "mean on min less that on mode");
}

static void judge_l2(Verdict *v) {
    static const char *const who[] = {"ppo", "rwr", "bon"};
    int n = strcmp(v->folder, "lm") ? 1 : 3;  // rwr and bon are run at one rate only
    for (int m = 0; m < n; m++) {
        const char *run = text("on_%s_min_queries1600", who[m]);
        Seeds d = minus(auc(v, text("%s_reuse8", run)), auc(v, run)), h = headroom(v, run);
        add_part(v, m == 0, ABOVE, -0.05, d, &h, text("%s, T=8 less T=1", who[m]));
    }
}

static void judge_l3(Verdict *v) {
    static const char *const who[] = {"pref-ft", "rwr"};
    judge_leads(v, "lm", "file", "mode", "min", who, 2);
}

static void judge_l4(Verdict *v) {
    static const char *const tasks[] = {"min", "skew", "mode"};
    static const char *const others[] = {"file_dpo", "on_ppo", "on_rwr"};
    double low = INFINITY, high = -INFINITY;
    Seeds spread = {{0}};
    for (int t = 0; t < 3; t++) {
        const char *first = text("on_dpo_%s", tasks[t]);
        Seeds mine = auc(v, first), h = headroom(v, first);
        for (int k = 0; k < 4; k++) {
            const char *run = k < 3 ? text("%s_%s", others[k], tasks[t]) : "on_dpo_mode";
            Seeds end = end_of(v, run);
            if (t < 2 && k < 3) {
                add_part(v, 1, ABOVE, 0, minus(mine, auc(v, run)), &h,
                         text("%s against %s", tasks[t], others[k]));
            }
            if (t == 2) {
                low = fmin(low, mean(end));
                high = fmax(high, mean(end));
                spread = plus(spread, 1, end);
            }
        }
    }
    for (int i = 0; i < SEEDS; i++) { spread.at[i] = isnan(spread.at[i]) ? NAN : high - low; }
    add_part(v, 1, AT_MOST, 0.1, spread, NULL, "the spread of ends on mode");
}

// --- the claims ----------------------------------------------------------------------------------

static void table_c7(Verdict *v);
static void table_c8(Verdict *v);
static void table_l4(Verdict *v);

// Claims 2.7 of the design, second version, fixed before any run on seeds 11 to 15. runs: names
// with alternatives in braces, for the table.
typedef struct {
    const char *id, *kind, *says, *criterion, *runs;
    void (*judge)(Verdict *v);
    void (*table)(Verdict *v);  // one more table, or NULL
} Claim;

static const Claim CLAIMS[] = {
    {"C1", "bandit", "Fresh samples beat a fixed set (R1)",
     "R1, T = 1, 200 steps: AUC on-policy better than offline for at least two of bon, rwr and "
     "dpo, and worse for none. ppo is shown, too.",
     "{on,off}_{bon,rwr,dpo,ppo}_r1", judge_c1, NULL},
    {"C2", "bandit", "They matter more where the peak is far",
     "The AUC lost by collections of 20 M in place of M, on R1 less that on R2 (absolute), mean "
     "over bon, rwr and dpo, is at least 0.03 and at least 2 s.e.",
     "on_{bon,rwr,dpo}_{r1,r2}{,_collect200}", judge_c2, NULL},
    {"C3", "bandit", "The smaller the collection, the better",
     "R1, mean over bon, rwr and dpo: AUC at B/M = 1 better than at B/M = all, and none of the "
     "steps from 1 to 2, 5, 20 and all raises it by more than 0.02.",
     "on_{bon,rwr,dpo}_r1{,_collect20,_collect50,_collect200} off_{bon,rwr,dpo}_r1",
     judge_c3, NULL},
    {"C4", "bandit", "Some sample reuse helps, much hurts",
     "2,000 queries on R1 (20 collections), reward at the end, bon and ppo: (a) T = 2 better than "
     "T = 1; (b) the best T better than T = 50. dpo, and (c) whether ppo bears more reuse than "
     "bon, are shown.",
     "on_{bon,ppo,dpo}_r1_queries2000{,_reuse2,_reuse5,_reuse10,_reuse20,_reuse50}",
     judge_c4, NULL},
    {"C5", "bandit", "Offline, contrast beats imitation",
     "The better of dpo and ipo (a) leads the best imitator (bon, rwr, pref-ft) on R1, (b) and by "
     "more (absolute) than on R2.",
     "off_{dpo,ipo,bon,rwr,pref-ft}_{r1,r2}", judge_c5, NULL},
    {"C5b", "bandit", "The same with responses of one token",
     "The best imitator gains at least 0.8 H on R2 and at most 0.4 H on R1 (AUC less the "
     "reference's reward); the better of dpo and ipo is better than it on R1.",
     "off_{dpo,ipo,bon,rwr,pref-ft}_{r1,r2}_len1", judge_c5b, NULL},
    {"C5c", "bandit", "A push down on the bad samples helps",
     "Offline on R1, both: bon with `--push-worst` better than without (0.1 or 1, whichever is "
     "better on seeds 101 to 103); dpo better than dpo with `--neg 0`.",
     "off_bon_r1{,_push-worst0.1,_push-worst1} off_dpo_r1{,_neg0}", judge_c5c, NULL},
    {"C6", "bandit", "Fresh samples and negative gradient add up",
     "dpo on R1 at T = 10: the negative gradient alone and fresh samples alone each better than "
     "neither, and both together need at most 0.9 of the queries of fresh samples alone to 90% of "
     "H.",
     "{off,on}_dpo_r1{_neg0,}{,_reuse10}", judge_c6, NULL},
    {"C7", "bandit", "Margins grow; the chosen rise if few",
     "Offline dpo and ipo on R1, 1 and 9 tokens, 5, 20, 100 and 500 prompts, training pairs: (a) "
     "the margin grows by at least 1 nat more than pref-ft's everywhere; (b) the change of the "
     "chosen responses' log-probability falls as prompts grow (rank correlation at most -0.7).",
     "off_{dpo,ipo,pref-ft}_r1{,_len1}_batch5{_reuse200,_reuse50,_reuse10,_reuse2}", judge_c7,
     table_c7},
    {"C8", "bandit", "Reverse KL seeks the mode sooner",
     "In the paper's toy reverse KL is sooner than forward KL at every rate at which both were "
     "run, by the steps until 10% of the initial total variation is left. Where it starves is "
     "printed.",
     "", judge_c8, table_c8},
    {"L1", "lm", "Stories: fresh samples beat a fixed set",
     "Mean over rwr, bon, ppo and dpo: AUC on-policy better than one collection on min and on "
     "skew; the gap on min exceeds mode's by at least 0.05 (absolute).",
     "{on,off}_{rwr,bon,ppo,dpo}_{min,skew,mode}", judge_l1, NULL},
    {"L2", "lm", "Stories: samples can be reused",
     "min, 1,600 queries, ppo: AUC at T = 8 not worse than at T = 1 by 0.05. rwr and bon are "
     "shown.",
     "on_{ppo,rwr,bon}_min_queries1600{,_reuse2,_reuse4,_reuse8}", judge_l2, NULL},
    {"L3", "lm", "Stories: contrast beats imitation",
     "From the file of pairs: the better of dpo and ipo leads the better of pref-ft and rwr on "
     "min, and by more than on mode.",
     "file_{dpo,ipo,pref-ft,rwr}_{min,mode}", judge_l3, NULL},
    {"L4", "lm", "On-policy dpo is the best of four",
     "Of on-policy dpo, dpo on the file, ppo and on-policy rwr, on-policy dpo has the highest AUC "
     "on min and on skew, and all end within 0.1 of each other on mode.",
     "{on_dpo,file_dpo,on_ppo,on_rwr}_{min,skew,mode}", judge_l4, table_l4},
};
enum { N_CLAIMS = sizeof CLAIMS / sizeof *CLAIMS };

// Judges a claim in one set. C8 has no learning rate in common with the runs, so it has one set.
static void judge(const Claim *c, int set, Verdict *v) {
    *v = place(c->kind, set);
    c->judge(v);
    settle(v);
}

// Calls `each` for every name that a pattern stands for: "a_{b,c} d" is a_b, a_c and d.
static void expand(const char *pattern, Verdict *v, void (*each)(Verdict *v, const char *name)) {
    char head[200], rest[900], inside[200];
    const char *open = strchr(pattern, '{'), *space = strchr(pattern, ' ');
    if (space) {
        snprintf(head, sizeof head, "%.*s", (int)(space - pattern), pattern);
        expand(head, v, each);
        expand(space + 1, v, each);
        return;
    }
    if (!open) {
        if (*pattern) { each(v, pattern); }
        return;
    }
    int n = (int)strcspn(open + 1, "}");
    snprintf(inside, sizeof inside, "%.*s", n, open + 1);
    for (const char *s = inside, *more = s; more; s = more + 1) {
        more = strchr(s, ',');
        snprintf(head, sizeof head, "%.*s", (int)(open - pattern), pattern);
        snprintf(rest, sizeof rest, "%s%.*s%s", head, (int)strcspn(s, ","), s, open + n + 2);
        expand(rest, v, each);
    }
}

static void run_row(Verdict *v, const char *name) {
    if (!run_exists(v, name)) { return; }
    Seeds start = measure(v, name, "gold_reward", FIRST), a = auc(v, name);
    row("`%s`|%s|%s|%s|%s|%s|%s|%s|%d", name, show(a, 3),
        show(ratio(minus(a, start), headroom(v, name)), 2), show(end_of(v, name), 3),
        show_time(reached(v, name, 0.5, "step")), show_time(reached(v, name, 0.9, "step")),
        show_time(reached(v, name, 0.5, "queries")), show_time(reached(v, name, 0.9, "queries")),
        stat_of(a).n);
}

static int n_found;
static void count_run(Verdict *v, const char *name) { n_found += run_exists(v, name); }

static void runs_table(const Claim *c, int set) {
    Verdict v = place(c->kind, set);
    n_found = 0;
    expand(c->runs, &v, count_run);
    if (n_found == 0) { return; }
    paragraph("Runs with %s:", SET_NAMES[set]);
    table_begin("run|AUC|gain of AUC, of H|end|steps to 50% of H|to 90%|queries to 50% of H|to 90%"
                "|seeds");
    expand(c->runs, &v, run_row);
    table_end();
}

static const char *rule_words(const Part *p) {
    switch (p->rule) {
    case BETTER: return "≥ 0.05 and 2 s.e.";
    case AT_LEAST: return text("≥ %g", p->limit);
    case AT_MOST: return text("≤ %g", p->limit);
    case ABOVE: return text("more than %g", p->limit);
    case AT_LEAST_2SE: return text("≥ %g and 2 s.e.", p->limit);
    default: return "shown only";
    }
}

static void parts_table(const Claim *c, const Verdict *verdicts) {
    int shown = strcmp(c->id, "C8") != 0;  // C8 has neither rates of its own nor seeds
    table_begin("set|what is compared|mean ± s.e.|share of H|needed|met|seeds");
    for (int set = 0; set < (shown ? N_SETS : 1); set++) {
        const Verdict *v = &verdicts[set];
        for (const Part *p = v->part; p < v->part + v->n && v->word != NOT_RUN; p++) {
            const char *is_met = p->rule == SHOWN ? "" : !has_enough(p->d) ? "5 seeds decide"
                                 : met(p) ? "yes" : "no";
            row("%s|%s|%s|%s|%s%s|%s|%s", shown ? SET_NAMES[set] : "", p->who, show(p->d, 3),
                isnan(p->share) ? "" : text("%.3f", p->share), rule_words(p),
                p->decides || p->rule == SHOWN ? "" : " (does not decide)", is_met,
                shown ? text("%d", stat_of(p->d).n) : "");
        }
    }
    table_end();
}

static void table_c7(Verdict *v) {
    table_begin("method|tokens|prompts|training pairs: chosen|rejected|margin|held-out pairs: "
                "chosen|rejected|margin");
    for (int m = 0; m < 3; m++) {
        for (int k = 0; k < 8; k++) {
            const char *run = c7_run(C7_METHODS[m], k / 4, k % 4), *s[6];
            if (!run_exists(v, run)) { continue; }
            static const char *const of[] = {"train_logp_chosen", "train_logp_rejected",
                "train_reward_margin", "logp_chosen", "logp_rejected", "reward_margin"};
            for (int i = 0; i < 6; i++) { s[i] = show(change(v, run, of[i]), 2); }
            row("%s|%d|%d|%s|%s|%s|%s|%s|%s", C7_METHODS[m], k / 4 ? 1 : 9, 1000 / C7_REUSE[k % 4],
                s[0], s[1], s[2], s[3], s[4], s[5]);
        }
    }
    table_end();
    paragraph("The table shows changes from the first row of the log to the last, in nats a "
              "response, at one rate for all.");
}

static const char *steps_text(double x) {
    return isnan(x) ? "-" : isinf(x) ? "never" : text("%.0f", x);
}

static void table_c8(Verdict *v) {
    Table *t = kl_table();
    (void)v;
    if (!t || *t->fault) { return; }
    table_begin("case|direction|rate|steps until 10% of the total variation is left");
    for (int r = 0; r < t->rows; r++) {
        if (!begins_descent(t, r)) { continue; }
        const char *name = field(t, r, "case"), *way = field(t, r, "direction");
        row("%s|%s|%s|%s", name, way, field(t, r, "lr"),
            steps_text(kl_steps(t, name, way, field(t, r, "lr"))));
    }
    table_end();
    paragraph("Reverse KL starves where the model has no mass: there it never arrives, or takes "
              "many times the steps of forward KL at its best rate.");
}

static void length_row(Verdict *v, const char *name) {
    if (!run_exists(v, name)) { return; }
    row("`%s`|%s|%s|%s", name, show(measure(v, name, "response_len", FIRST), 1),
        show(measure(v, name, "response_len", AVERAGE), 1),
        show(measure(v, name, "response_len", LAST), 1));
}

static void table_l4(Verdict *v) {
    table_begin("run|length at step 0, tokens|mean of the evaluations|at the end");
    expand("{on_dpo,file_dpo,on_ppo,on_rwr}_{min,skew,mode}", v, length_row);
    table_end();
}

// --- the figures ---------------------------------------------------------------------------------

static const char *const LM_TASKS[] = {"min", "mode", "skew"};

// Reads `measure hist` of a run on the first seed; NULL if there is none that counts.
static Table *hist_of(const char *folder, const char *name) {
    Table *t = run_find(folder, name, ".hist.csv", CLAIM_SEED)->seed[0];
    for (int r = 0; t && r < t->rows; r++) {
        value(t, r, "bin");
        value(t, r, "share");
    }
    return t && !*t->fault ? t : NULL;
}

// The mode of the reference's response lengths, smoothed over 9 as the task's own is, and twice
// their standard deviation. NaN if its histogram is not there.
static double reference_mode(double *width) {
    Table *t = hist_of("lm", "reference");
    double best = -1, mode = NAN, sum = 0, squares = 0, total = 0;
    for (int r = 0; t && r < t->rows; r++) {
        double near = 0, bin = cell(t, r, "bin"), share = cell(t, r, "share");
        for (int k = r - 4; k <= r + 4; k++) {
            near += k >= 0 && k < t->rows ? cell(t, k, "share") : 0;
        }
        mode = near > best ? bin : mode;
        best = fmax(best, near);
        sum += share * bin;
        squares += share * bin * bin;
        total += share;
    }
    sum /= total;
    *width = 2 * sqrt(squares / total - sum * sum);
    return mode;
}

static void figure_lengths(Figure *f) {
    Verdict v = place("lm", ONE_RATE);
    for (int t = 0; t < 3; t++) {
        Panel *p = panel_new(f, text("Task %s", LM_TASKS[t]), "gradient steps",
                             "response length, tokens");
        p->y0 = 0;
        curve(p, &v, text("on_dpo_%s", LM_TASKS[t]), "step", "response_len", "on-policy dpo", 0, 0);
        curve(p, &v, text("file_dpo_%s", LM_TASKS[t]), "step", "response_len", "offline dpo (file)",
              0, DASHED);
        curve(p, &v, text("on_ppo_%s", LM_TASKS[t]), "step", "response_len", "ppo", 3, DOT_DASHED);
        curve(p, &v, text("on_rwr_%s", LM_TASKS[t]), "step", "response_len", "on-policy rwr", 1,
              DOTTED);
        double width, mode = reference_mode(&width);
        if (t != 1 || p->n == 0 || isnan(mode)) { continue; }
        Line *l = line_new(p, "the mode, about", GREY, SOLID);
        l->plain = 1;
        point(l, 0, mode, 0);
        point(l, p->line[0].x[p->line[0].n - 1], mode, 0);
    }
}

static void figure_sizes(Figure *f) {
    static const char *const sizes[] = {"", "_collect20", "_collect50", "_collect200"};
    static const char *const names[] = {"B/M = 1", "B/M = 2", "B/M = 5", "B/M = 20"};
    Verdict v = place("bandit", ONE_RATE);
    for (int m = 0; m < 3; m++) {
        Panel *p = panel_new(f, text("%s on R1", TRIO[m]), "gradient steps", "reward");
        for (int k = 0; k < 4; k++) {
            curve(p, &v, text("on_%s_r1%s", TRIO[m], sizes[k]), "step", "gold_reward", names[k], k,
                  k);
        }
        curve(p, &v, text("off_%s_r1", TRIO[m]), "step", "gold_reward", "all at once (offline)",
              GREY, DASHED);
    }
}

// Adds a panel of bars, one group a method. runs: names with %s for the method; labels: theirs, for
// the first bar and the second of a group. runs[1] may be NULL.
static void bars(Figure *f, const char *kind, const char *title, const char *const *runs,
                 const char *const *labels, const char *const *who, int n, int final) {
    Verdict v = place(kind, ONE_RATE);
    Panel *p = panel_new(f, title, "method", final ? "reward at the end" : "AUC (mean reward)");
    p->n_categories = n;
    p->height = 120;
    for (int k = 0; k < 2 && runs[k]; k++) {
        Line *l = line_new(p, labels[k], k, k);
        l->bars = 1;
        for (int m = 0; m < n; m++) {
            char run[64];
            snprintf(run, sizeof run, runs[k], who[m]);
            snprintf(p->category[m], sizeof *p->category, "%s", who[m]);
            if (!run_exists(&v, run)) { continue; }
            Stat s = stat_of(final ? end_of(&v, run) : auc(&v, run));
            point(l, m, s.mean, s.se);
        }
    }
}

static const char *const ON_OFF[] = {"on-policy", "offline"};
static const char *const CONTRAST_FIRST[] = {"dpo", "ipo", "bon", "rwr", "pref-ft"};
static const char *const FILE_METHODS[] = {"dpo", "ipo", "pref-ft", "rwr"};

static void figure_bars(Figure *f) {
    static const char *const who[] = {"bon", "rwr", "dpo", "ppo"};
    for (int k = 0; k < 4; k++) {
        const char *task = k / 2 ? "r2" : "r1", *what = k % 2 ? "reward at the end" : "AUC";
        const char *runs[] = {text("on_%%s_%s", task), text("off_%%s_%s", task)};
        bars(f, "bandit", text("R%d, %s", k / 2 + 1, what), runs, ON_OFF, who, 4, k % 2);
    }
}

static void figure_story_bars(Figure *f) {
    for (int k = 0; k < 6; k++) {
        const char *task = LM_TASKS[k / 2], *what = k % 2 ? "reward at the end" : "AUC";
        const char *runs[] = {text("on_%%s_%s", task), text("off_%%s_%s", task)};
        bars(f, "lm", text("%s, %s", task, what), runs, ON_OFF, QUARTET, 4, k % 2);
    }
}

static void figure_far_near(Figure *f) {
    static const char *const labels[] = {"B/M = 1", "B/M = 20"};
    for (int t = 1; t <= 2; t++) {
        const char *runs[] = {text("on_%%s_r%d", t), text("on_%%s_r%d_collect200", t)};
        bars(f, "bandit", text("R%d, AUC", t), runs, labels, TRIO, 3, 0);
    }
}

static void figure_contrast(Figure *f) {
    for (int k = 0; k < 4; k++) {
        const char *end = k / 2 ? "_len1" : "", *tokens = k / 2 ? "1 token" : "9 tokens";
        const char *runs[] = {text("off_%%s_r%d%s", k % 2 + 1, end), NULL};
        bars(f, "bandit", text("R%d, %s, AUC", k % 2 + 1, tokens), runs, ON_OFF + 1, CONTRAST_FIRST,
             5, 0);
    }
}

static void figure_file(Figure *f) {
    static const char *const labels[] = {"pairs file"};
    for (int t = 0; t < 2; t++) {
        const char *runs[] = {text("file_%%s_%s", LM_TASKS[t]), NULL};
        bars(f, "lm", text("%s, AUC", LM_TASKS[t]), runs, labels, FILE_METHODS, 4, 0);
    }
}

// Draws rewards against steps, for runs that are listed with their labels and looks.
typedef struct {
    const char *run, *label;
    int look, dash;
} Drawn;

static void reward_curves(Panel *p, const Drawn *lines, int n, const char *end) {
    Verdict v = place("bandit", ONE_RATE);
    for (int i = 0; i < n; i++) {
        curve(p, &v, text("%s%s", lines[i].run, end), "step", "gold_reward", lines[i].label,
              lines[i].look, lines[i].dash);
    }
}

static void figure_push(Figure *f) {
    static const Drawn lines[] = {
        {"off_bon_r1", "bon", 2, DASHED}, {"off_bon_r1_push-worst0.1", "bon, push 0.1", 2, DOTTED},
        {"off_bon_r1_push-worst1", "bon, push 1", 2, SOLID}, {"off_dpo_r1", "dpo", 0, SOLID},
        {"off_dpo_r1_neg0", "dpo, --neg 0", 0, DASHED}};
    reward_curves(panel_new(f, "Offline on R1", "gradient steps", "reward"), lines, 5, "");
}

static void figure_logps(Figure *f) {
    Verdict v = place("bandit", ONE_RATE);
    for (int len1 = 0; len1 < 2; len1++) {
        Panel *p = panel_new(f, len1 ? "Responses of 1 token" : "Responses of 9 tokens",
                             "prompts trained on", "change of log p, nats");
        p->log_x = 1;
        for (int i = 0; i < 24; i++) {  // methods x chosen or rejected x numbers of prompts
            int m = i / 8, lost = i / 4 % 2, k = i % 4;
            const char *run = c7_run(C7_METHODS[m], len1, k), *of = lost ? "rejected" : "chosen";
            const char *label = text("%s, %s", C7_METHODS[m], of);
            if (k == 0) { line_new(p, label, look_of(C7_METHODS[m]), lost); }
            if (!run_exists(&v, run)) { continue; }
            Stat s = stat_of(change(&v, run, text("train_logp_%s", of)));
            point(&p->line[p->n - 1], 1000.0 / C7_REUSE[k], s.mean, s.se);
        }
    }
}

// One small plot of a distribution after tuning, the reference's and the reward.
static void distribution(Figure *f, const char *folder, const char *name, const char *start,
                         double highest, const char *task) {
    Table *t[] = {hist_of(folder, start), hist_of(folder, name)};
    if (!t[1]) { return; }
    double width, mode = reference_mode(&width);
    int bandit = task[0] == 'r';
    Panel *p = panel_new(f, name, bandit ? "token" : "response length, tokens", "share");
    p->height = 100;
    p->y0 = 0;
    p->y1 = highest;
    for (int k = 0; k < 2; k++) {
        if (!t[k]) { continue; }
        Line *l = line_new(p, k ? "after tuning" : "reference", k ? 0 : GREY, k ? SOLID : DASHED);
        l->plain = 1;
        for (int r = 0; r < t[k]->rows; r++) {
            point(l, cell(t[k], r, "bin"), cell(t[k], r, "share"), 0);
        }
    }
    Line *l = line_new(p, "reward (1 = top)", 1, DOTTED);
    l->plain = 1;
    for (int r = 0; r < t[1]->rows; r++) {
        double x = cell(t[1], r, "bin"), peak = !strcmp(task, "r1") ? 70 : 20;
        double reward = bandit ? exp(-pow((x - peak) / 10, 2))
                        : !strcmp(task, "mode") ? exp(-pow((x - mode) / width, 2))
                                                : fmax(0, 1 - (x - 1) / 102);
        point(l, x, reward * highest, 0);
    }
}

// All panels of one figure have one scale: the largest share in any of them.
static double largest_share(const char *folder, const char *const *names, int n) {
    double most = 0;
    for (int k = 0; k < n; k++) {
        Table *t = hist_of(folder, names[k]);
        for (int r = 0; t && r < t->rows; r++) { most = fmax(most, cell(t, r, "share")); }
    }
    return most > 0 ? 1.04 * most : 1;
}

static void figure_tokens(Figure *f) {
    static const char *const names[] = {"off_bon_r1", "off_dpo_r1", "on_bon_r1", "on_dpo_r1",
                                        "off_dpo_r2", "on_dpo_r2", "ref"};
    for (int k = 0; k < 6; k++) {
        distribution(f, "bandit", names[k], "ref", largest_share("bandit", names, 7),
                     names[k] + strlen(names[k]) - 2);
    }
}

static void figure_story_lengths(Figure *f) {
    static const char *const names[] = {"on_dpo_min", "off_dpo_min", "file_dpo_min", "on_ppo_min",
                                        "on_rwr_min", "on_dpo_mode", "on_dpo_skew", "reference"};
    for (int k = 0; k < 7; k++) {
        distribution(f, "lm", names[k], "reference", largest_share("lm", names, 8),
                     strrchr(names[k], '_') + 1);
    }
}

static void figure_paths(Figure *f) {
    static const char *const who[] = {"dpo", "ppo", "rwr"};
    for (int k = 0; k < 2; k++) {
        Verdict v = place(k ? "lm" : "bandit", ONE_RATE);
        const char *task = k ? "min" : "r1";
        Panel *p = panel_new(f, k ? "Stories, min" : "Bandit, R1", "KL to the reference, nats",
                             "reward");
        for (int m = 0; m < 3; m++) {
            curve(p, &v, text("on_%s_%s", who[m], task), "kl", "gold_reward",
                  text("on-policy %s", who[m]), look_of(who[m]), SOLID);
        }
        curve(p, &v, text("off_dpo_%s", task), "kl", "gold_reward", "offline dpo", 0, DASHED);
    }
}

// A panel for runs with the same number of queries; what they earned: their AUC, or else the end.
static void reuse_panel(Figure *f, const char *kind, const char *task, const char *title,
                        int by_auc) {
    static const char *const who[] = {"bon", "ppo", "dpo", "rwr"};
    static const int reuse[] = {1, 2, 4, 5, 8, 10, 20, 50};
    Verdict v = place(kind, ONE_RATE);
    Panel *p = panel_new(f, title, "T, passes over each collection",
                         by_auc ? "AUC" : "reward at the end");
    p->log_x = 1;
    for (int m = 0; m < 4; m++) {
        Line *l = line_new(p, who[m], look_of(who[m]), m);
        const char *base = text("on_%s_%s", who[m], task);
        for (int i = 0; i < 8; i++) {
            const char *run = i ? text("%s_reuse%d", base, reuse[i]) : base;
            if (!run_exists(&v, run)) { continue; }
            Stat s = stat_of(by_auc ? auc(&v, run) : end_of(&v, run));
            point(l, reuse[i], s.mean, s.se);
        }
        p->n -= l->n == 0;
    }
}

static void figure_reuse(Figure *f) {
    reuse_panel(f, "bandit", "r1_queries2000", "Bandit, R1, 2,000 queries", 0);
}

static void figure_story_reuse(Figure *f) {
    reuse_panel(f, "lm", "min_queries1600", "Stories, min, 1,600 queries", 1);
}

static void figure_factors(Figure *f) {
    static const Drawn lines[] = {
        {"off_dpo_r1_neg0", "neither", GREY, DOTTED},
        {"off_dpo_r1", "negative gradient", 1, DASHED},
        {"on_dpo_r1_neg0", "fresh samples", 2, DOT_DASHED}, {"on_dpo_r1", "both", 0, SOLID}};
    for (int k = 0; k < 2; k++) {
        const char *title = k ? "dpo on R1, T = 10" : "dpo on R1, T = 1";
        reward_curves(panel_new(f, title, "gradient steps", "reward"), lines, 4,
                      k ? "_reuse10" : "");
    }
}

// A column of one descent of kl.csv by step; the first 100 steps at most.
static void descent(Panel *p, const Table *t, int from, const char *of, const char *label, int look,
                    int dash) {
    Line *l = line_new(p, label, look, dash);
    for (int r = from; r < t->rows && (r == from || !begins_descent(t, r)); r++) {
        if (cell(t, r, "step") <= 100) { point(l, cell(t, r, "step"), cell(t, r, of), 0); }
    }
}

static void figure_toy(Figure *f) {
    Table *t = kl_table();
    if (!t || *t->fault) { return; }
    for (int r = 0, n_toys = 0; r < t->rows; r++) {
        const char *name = field(t, r, "case"), *lr = field(t, r, "lr");
        int toy = is_toy(name), reverse = !strcmp(field(t, r, "direction"), "reverse");
        if (!begins_descent(t, r)) { continue; }
        char title[80];
        snprintf(title, sizeof title, toy ? "%s, rate %s" : "%s", name, lr);
        Panel *p = f->panel;
        while (p < f->panel + f->n && strcmp(p->title, title)) { p++; }
        if (p == f->panel + f->n) {
            if (f->n == PANELS || (toy && n_toys == 3)) { continue; }
            n_toys += toy;
            p = panel_new(f, title, "steps", toy ? "probability" : "total variation");
            p->height = 130;
        }
        const char *way = reverse ? "reverse" : "forward";
        if (toy) {
            descent(p, t, r, "p0", text("%s, category 0", way), reverse, DASHED);
            descent(p, t, r, "p2", text("%s, category 2", way), reverse, SOLID);
        } else {
            descent(p, t, r, "tv", text("%s, rate %.6s", way, lr), reverse, reverse);
        }
    }
}

static void figure_noisy(Figure *f) {
    Verdict v = place("lm", ONE_RATE);
    for (int k = 0; k < 2; k++) {
        Panel *p = panel_new(f, k ? "What the policy is trained on"
                                  : "The truth, which training never reads",
                             "KL to the reference, nats", k ? "proxy reward, s.d." : "true reward");
        const char *y = k ? "proxy_reward" : "gold_reward";
        curve(p, &v, "on_dpo_mode_noisy", "kl", y, "dpo", 0, SOLID);
        curve(p, &v, "on_ppo_mode_noisy", "kl", y, "ppo", 3, DASHED);
    }
}

static void figure_variety(Figure *f) {
    Verdict v = place("lm", ONE_RATE);
    for (int k = 0; k < 2; k++) {
        Panel *p = panel_new(f, "Task mode", "gradient steps", k ? "distinct responses, share"
                                                                 : "entropy, nats a response");
        p->y0 = 0;  // otherwise noise would look like a collapse
        for (int m = 0; m < 8; m++) {
            const char *who = QUARTET[m / 2];
            curve(p, &v, text("on_%s_mode%s", who, m % 2 ? "_kl0.1" : ""), "step",
                  k ? "distinct" : "entropy", text("%s%s", who, m % 2 ? ", --kl 0.1" : ""),
                  look_of(who), m % 2 ? DASHED : SOLID);
        }
    }
}

// The share of dogs among the animals of a policy ("policy") or of its reference. *animals: how
// many responses have one.
static Seeds dogs(const char *name, const char *whose, Seeds *animals) {
    Seeds s;
    Run *run = run_find("lm", name, ".eval.csv", CLAIM_SEED);
    for (int i = 0; i < SEEDS; i++) {
        Table *t = whole_table(run, i);
        s.at[i] = animals->at[i] = NAN;
        for (int r = 0; t && r < t->rows; r++) {
            if (strcmp(field(t, r, "quantity"), text("%s: dog", whose))) { continue; }
            s.at[i] = value(t, r, "mean");
            animals->at[i] = value(t, r, "n");
        }
        if (t && *t->fault) { s.at[i] = animals->at[i] = NAN; }
    }
    return s;
}

static const char *const DRIFT_WAYS[] = {"on_%s_mode", "on_%s_mode_kl0.1", "off_%s_mode",
                                         "file_%s_mode"};
static const char *const DRIFT_NAMES[] = {"on-policy", "with --kl 0.1", "offline", "pairs file"};
static const char *const DRIFT_METHODS[] = {"rwr", "bon", "ppo", "dpo", "ipo", "pref-ft"};
enum { FEWEST_ANIMALS = 200 };

// The run's share of dogs on the seeds whose responses still have at least 200 animals.
static Seeds steady_dogs(int way, int method, Seeds *animals) {
    char name[64];
    snprintf(name, sizeof name, DRIFT_WAYS[way], DRIFT_METHODS[method]);
    Seeds s = dogs(name, "policy", animals);
    for (int i = 0; i < SEEDS; i++) {
        if (!(animals->at[i] >= FEWEST_ANIMALS)) { s.at[i] = NAN; }
    }
    return s;
}

static void figure_drift(Figure *f) {
    Seeds animals;
    Panel *p = panel_new(f, "Dogs among the animals of tuned policies", "method",
                         "share of dogs");
    double start = mean(dogs("reference", "policy", &animals));
    p->n_categories = 6;
    for (int way = 0; way < 4; way++) {
        static const int looks[] = {0, 0, 1, 1};
        Line *l = line_new(p, DRIFT_NAMES[way], looks[way], way % 2 ? DOTTED : SOLID);
        l->bars = 1;
        for (int m = 0; m < 6; m++) {
            snprintf(p->category[m], sizeof *p->category, "%s", DRIFT_METHODS[m]);
            Stat s = stat_of(steady_dogs(way, m, &animals));
            point(l, m, s.mean, s.se);
        }
        p->n -= l->n == 0;
    }
    if (p->n == 0) { return; }
    Line *l = line_new(p, "the reference", GREY, DASHED);
    l->plain = 1;
    point(l, -0.5, start, 0);
    point(l, 5.5, start, 0);
}

static void figure_sft(Figure *f) {
    Table *t = table_read(text("%s/sft.csv", out_dir));
    if (!t || *t->fault) { return; }
    Panel *p = panel_new(f, "Training the story model", "gradient steps", "loss, nats a token");
    for (int k = 0; k < 2; k++) {
        Line *l = line_new(p, k ? "validation" : "training", k, k);
        for (int r = 1; r < t->rows; r += t->rows / POINTS + 1) {
            point(l, cell(t, r, "step"), cell(t, r, k ? "val_loss" : "loss"), 0);
        }
    }
}

// Which figure stands where, and what it needs.
static const struct {
    const char *claims, *file, *caption, *needs;
    void (*draw)(Figure *f);
} FIGURES[] = {
    {"C1", "bandit-on-off", "AUC and final reward, on-policy (filled) and offline (hollow); error "
     "bars are ± 1 s.e. over seeds.", "on_ and off_ bon, rwr, dpo, ppo on r1 and r2", figure_bars},
    {"C2", "far-and-near", "AUC with collections of M (filled) and of 20 M (hollow), on R1 and R2.",
     "on_ bon, rwr, dpo on r1 and r2 and their _collect200", figure_far_near},
    {"C3", "collections", "Reward against gradient steps by B/M, the number of minibatches in a "
     "collection. Bands are ± 1 s.e. over seeds.", "on_M_r1 and its _collect runs", figure_sizes},
    {"C4", "reuse", "Reward at the end by sample reuse T, at a fixed number of queries.",
     "the _queries2000 runs", figure_reuse},
    {"C5", "contrast", "Offline: contrastive methods (dpo, ipo) beside imitation (bon, rwr, "
     "pref-ft), with responses of 9 tokens and of 1.",
     "off_ dpo, ipo, bon, rwr, pref-ft on r1 and r2", figure_contrast},
    {"C5", "tokens", "Where the mass went: the share of each token before and after tuning, all at "
     "one scale, with the shape of the reward drawn in (its 1 is the top edge). Seed 11.",
     "the .hist.csv files of bandit", figure_tokens},
    {"C5c", "push", "The negative gradient added to bon, and taken from dpo.",
     "off_bon_r1, its _push-worst runs, off_dpo_r1 and off_dpo_r1_neg0", figure_push},
    {"C6", "factors", "Fresh samples and the negative gradient, each alone and both together.",
     "the dpo runs on r1 with and without _neg0 and _reuse10", figure_factors},
    {"C7", "logps", "Change of the log-probability of the chosen (filled) and rejected (hollow) "
     "responses of the training pairs, by the number of prompts.", "the _batch5_reuse runs",
     figure_logps},
    {"C8", "toy", "The paper's toy, from (0.3, 0.3, 0.1, 0.3) to (0.2, 0.1, 0.6, 0.1), and wider "
     "cases: forward KL against reverse KL, by steps of gradient descent on the logits.",
     "kl.csv", figure_toy},
    {"L1", "story-on-off", "Stories: AUC and final reward, on-policy (filled) and offline "
     "(hollow).",
     "on_ and off_ rwr, bon, ppo, dpo on min, mode, skew", figure_story_bars},
    {"L1", "paths", "Reward against KL to the reference. Markers stand at each quarter of the run, "
     "so that their distance shows the pace.", "on_ dpo, ppo, rwr and off_dpo on r1 and min",
     figure_paths},
    {"L2", "story-reuse", "AUC by sample reuse T, at a fixed number of queries.",
     "the _queries1600 runs", figure_story_reuse},
    {"L3", "pairs-file", "From the file of pairs: contrastive methods (dpo, ipo) and imitation.",
     "file_ dpo, ipo, pref-ft, rwr on min and mode", figure_file},
    {"L3", "story-lengths", "Response lengths before and after tuning, all at one scale, with the "
     "shape of the reward drawn in (its 1 is the top edge). Seed 11.", "the .hist.csv files of lm",
     figure_story_lengths},
    {"L4", "lengths", "Response length against gradient steps, the paper's figure. Bands are ± 1 "
     "s.e. over seeds. The line of the mode is estimated from the reference's lengths.",
     "on_dpo, file_dpo, on_ppo, on_rwr on min, mode, skew", figure_lengths},
    {"beyond", "over-optimisation", "A reward model from 80 noisy pairs: true and proxy reward as "
     "the policy leaves the reference.", "on_dpo_mode_noisy and on_ppo_mode_noisy", figure_noisy},
    {"beyond", "variety", "Entropy and distinct responses, without a KL penalty (solid) and with "
     "one (dashed).", "on_M_mode and on_M_mode_kl0.1", figure_variety},
    {"beyond", "drift", "Share of dogs among the animals in the stories, a trait that no reward "
     "mentions.", "the .eval.csv files", figure_drift},
    {"model", "sft", "The loss of the story model in training and on held-out stories.", "sft.csv",
     figure_sft},
};
enum { N_FIGURES = sizeof FIGURES / sizeof *FIGURES };

// --- the parts of the page -----------------------------------------------------------------------

static FILE *open_or_stop(const char *path) {
    FILE *f = fopen(path, "w");
    if (!f) { stop(path, strerror(errno)); }
    return f;
}

static void close_or_stop(FILE *f, const char *path) {
    int bad = ferror(f);
    if (fclose(f) || bad) { stop(path, "it cannot be written"); }
}

// Puts a figure on the page and into dir/figures; or, if its logs are absent, a line about them.
static void put_figure(int which, const char *dir) {
    static Figure f;
    f.n = 0;
    FIGURES[which].draw(&f);
    int full = 0;
    for (int i = 0; i < f.n; i++) {  // panels without a line leave no gap
        int points = 0;
        for (int k = 0; k < f.panel[i].n; k++) { points += f.panel[i].line[k].n; }
        if (points == 0) { continue; }
        if (full != i) { f.panel[full] = f.panel[i]; }
        full++;
    }
    f.n = full;
    if (f.n == 0) {
        paragraph("A figure is left out here (%s): it needs %s.", FIGURES[which].file,
                  FIGURES[which].needs);
        return;
    }
    const char *caption = text("Figure %d. %s", ++page.n_figures, FIGURES[which].caption);
    if (*dir) {
        const char *path = text("%s/figures/%s.svg", dir, FIGURES[which].file);
        FILE *svg = open_or_stop(path);
        draw_figure(svg, &f);
        close_or_stop(svg, path);
    }
    fprintf(page.md, "![Figure %d](figures/%s.svg)\n\n", page.n_figures, FIGURES[which].file);
    draw_figure(page.html, &f);
    paragraph("%s", caption);
}

static void put_figures(const char *claim, const char *dir) {
    for (int k = 0; k < N_FIGURES; k++) {
        if (!strcmp(FIGURES[k].claims, claim)) { put_figure(k, dir); }
    }
}

static const char *shown_word(const Claim *c, const Verdict *verdicts, int set) {
    return set && !strcmp(c->id, "C8") ? "" : WORDS[verdicts[set].word];
}

// What experiments have shown about a claim that fails, or about what is beyond the paper: the
// lines "ID: text" of dev/reasons.txt (or of environment REASONS).
static void put_reasons(const char *id, const char *before) {
    const char *path = getenv("REASONS");
    FILE *f = fopen(path ? path : "dev/reasons.txt", "r");
    char line[4096];
    size_t n = strlen(id);
    while (f && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\r\n")] = 0;
        if (!strncmp(line, id, n) && line[n] == ':') { paragraph("%s:%s", before, line + n + 1); }
    }
    if (f) { fclose(f); }
}

static void put_claim(const Claim *c, Verdict *v, const char *dir) {
    heading(2, c->id, text("%s. %s", c->id, c->says));
    paragraph("Holds if: %s", c->criterion);
    int differ = 0, fails = 0, sets = strcmp(c->id, "C8") ? N_SETS : 1;
    for (int set = 0; set < sets; set++) {
        paragraph("%s: %s.", sets > 1 ? SET_NAMES[set] : "Verdict", v[set].why);
        fails |= v[set].word == FAILS;
        differ |= v[set].word >= FAILS && v[0].word >= FAILS && v[set].word != v[0].word;
        differ |= set && v[1].word >= FAILS && v[2].word >= FAILS && v[1].word != v[2].word;
    }
    if (differ) { paragraph("The verdict depends on the learning rate: the sets differ."); }
    for (int set = 0; set < sets; set++) {
        if (*v[set].note && v[set].word >= FEW_SEEDS) {
            paragraph("Notes, %s: %s", SET_NAMES[set], v[set].note);
        }
    }
    if (fails) { put_reasons(c->id, "Why"); }
    put_figures(c->id, dir);
    int any = 0;
    for (int set = 0; set < sets; set++) { any |= v[set].word != NOT_RUN && v[set].n > 0; }
    if (any) { parts_table(c, v); }
    for (int set = 0; set < sets; set++) { runs_table(c, set); }
    if (c->table && any) { c->table(&v[0]); }
}

static void how_to_read(void) {
    heading(2, "reading", "How to read this page");
    paragraph("The reward is the true one, in [0, 1]. A run's AUC (area under the curve) is the "
              "mean of the reward over its evaluations, which are evenly spaced; the one at step 0 "
              "is left out. The end is the last evaluation. H (headroom) = 1 - the reference's "
              "reward, which is the reward at step 0: the most that can be gained.");
    paragraph("On-policy (`on_` in the names of runs) means samples of the current policy; "
              "offline (`off_`) one collection sampled from the reference; `file_` a file of "
              "preference pairs. A collection is B responses, M is the number in a minibatch (100 "
              "on the bandit, 64 on stories), T the number of passes over a collection, and a "
              "query is a response that was sampled and labelled.");
    paragraph("R1 and R2 are the bandit's rewards: the peak of R1 lies far from where the "
              "reference puts its mass, that of R2 within it. Stories: min rewards short "
              "responses, and mode those of the commonest length. skew rewards short responses, "
              "too, but those of its preference pairs are cut short at random.");
    paragraph("Methods: bon imitates the best of N samples; rwr (reward-weighted regression) "
              "weights samples by exp(A/beta), where A is the advantage; pref-ft imitates the "
              "preferred response of a pair; ppo, dpo and ipo have a negative gradient, too: they "
              "push samples down. The baseline loo (leave one out) is the mean reward of the other "
              "responses to the prompt. Log-probabilities, entropy and KL (the Kullback-Leibler "
              "divergence from the reference, KL = E[log pi - log pi_ref]) are in nats: logarithms "
              "are natural.");
    paragraph("Numbers are means over seeds ± one standard error (s.e.). Differences are taken "
              "seed by seed. \"Better\" is a mean difference of at least 0.05 and of at least 2 "
              "s.e.; a row that names a limit of its own is held against that. A verdict needs the "
              "seeds 11 to 15; with fewer there are figures only, and \"5 seeds decide\".");
    paragraph("Each verdict is given for three sets of learning rates: one rate for all methods "
              "(1e-3 on the bandit, 1e-4 on stories); three times that rate; and the own best rate "
              "of each method and kind of data, of 1e-4, 3e-4, 1e-3, 3e-3 and 1e-2, by a sweep on "
              "seeds 101 to 103 with the default T and collections (dev/rates.txt has them). "
              "`never in 2 of 5`: two of five seeds did not reach that reward.");
}

// The accuracy that `pref rm` printed; NaN if it printed none, -1 if there is no file.
static double accuracy(const char *task, int seed) {
    static const char before[] = "accuracy on the held-out pairs ";
    FILE *f = fopen(text("%s/lm/rm_%s_s%d.txt", out_dir, task, seed), "r");
    char line[256], *end;
    double x = f ? NAN : -1;
    while (f && fgets(line, sizeof line, f)) {
        if (strncmp(line, before, sizeof before - 1)) { continue; }
        x = strtod(line + sizeof before - 1, &end);
        if (*end != '\n' || !(x >= 0 && x <= 1)) { x = NAN; }
    }
    if (f) { fclose(f); }
    return x;
}

static void reward_models(void) {
    static const struct { const char *task; double least; } models[] = {
        {"min", 0.95}, {"skew", 0.95}, {"mode", 0.90}, {"noisy", 0}};
    int rows = 0;
    heading(2, "rm", "Reward models");
    for (int k = 0; k < 4 * SEEDS; k++) {
        int seed = CLAIM_SEED + k % SEEDS;
        double least = models[k / SEEDS].least, x = accuracy(models[k / SEEDS].task, seed);
        if (x < 0) { continue; }
        if (rows++ == 0) { table_begin("task|seed|accuracy on held-out pairs|needed|met"); }
        row("%s|%d|%s|%s|%s", models[k / SEEDS].task, seed,
            isnan(x) ? "not known" : text("%.1f%%", 100 * x),
            least > 0 ? text("at least %.0f%%", 100 * least) : "-",
            least <= 0 ? "-" : isnan(x) ? "not known" : x >= least - 1e-9 ? "yes" : "no");
    }
    if (rows) { table_end(); }
    if (!rows) { paragraph("A table is left out here: it needs lm/rm_min_s11.txt and the like."); }
}

static void drift_table(void) {
    Seeds animals, all;
    double start = mean(dogs("reference", "policy", &animals));
    if (isnan(start)) {
        paragraph("The table of dogs and cats is left out: it needs lm/reference_s11.eval.csv.");
        return;
    }
    paragraph("Of the reference's animals %.3f are dogs (%.0f of 2,000 stories have one).", start,
              mean(animals));
    table_begin("method|data|share of dogs|less the reference's|stories with an animal");
    for (int m = 0; m < 6; m++) {
        for (int way = 0; way < 4; way++) {
            Seeds s = steady_dogs(way, m, &all), d = s;
            if (stat_of(all).n == 0) { continue; }
            for (int i = 0; i < SEEDS; i++) { d.at[i] -= start; }
            int few = stat_of(s).n == 0;
            row("%s|%s|%s|%s|%.0f", DRIFT_METHODS[m], DRIFT_NAMES[way],
                few ? "fewer than 200 animals left" : show(s, 3), show(d, 3), mean(all));
        }
    }
    table_end();
}

// The number of a column in the row where the true reward is highest, or in the last.
static Seeds peak_of(Verdict *v, const char *name, const char *of, int last) {
    Seeds s;
    Run *run = run_of(v, name);
    for (int i = 0; i < SEEDS; i++) {
        Table *t = whole_table(run, i);
        int best = t && last ? t->rows - 1 : 0;
        for (int r = 0; t && !last && r < t->rows; r++) {
            best = cell(t, r, "gold_reward") > cell(t, best, "gold_reward") ? r : best;
        }
        s.at[i] = t ? cell(t, best, of) : NAN;
    }
    return s;
}

static void beyond(const char *dir) {
    static const char *const noisy[] = {"on_dpo_mode_noisy", "on_ppo_mode_noisy"};
    static const char *const of[] = {"gold_reward", "proxy_reward", "kl"};
    Verdict v = place("lm", ONE_RATE);
    heading(2, "beyond", "Beyond the paper");
    paragraph("There are no verdicts here: the paper does not measure these. --kl X takes X times "
              "KL from the reward.");
    if (stat_of(end_of(&v, noisy[0])).n >= ENOUGH) { put_reasons("beyond", "What it shows"); }
    put_figures("beyond", dir);
    table_begin("run|at|true reward|proxy reward|KL, nats");
    for (int k = 0; k < 4; k++) {
        const char *s[3];
        if (!run_exists(&v, noisy[k / 2])) { continue; }
        for (int i = 0; i < 3; i++) { s[i] = show(peak_of(&v, noisy[k / 2], of[i], k % 2), 3); }
        row("`%s`|%s|%s|%s|%s", noisy[k / 2], k % 2 ? "the end" : "the peak of the true reward",
            s[0], s[1], s[2]);
    }
    table_end();
    table_begin("method|data|entropy at start, nats|at the end|distinct at the end"
                "|reward at the end");
    for (int k = 0; k < 8; k++) {
        const char *name = text("on_%s_mode%s", QUARTET[k / 2], k % 2 ? "_kl0.1" : "");
        if (!run_exists(&v, name)) { continue; }
        row("%s|%s|%s|%s|%s|%s", QUARTET[k / 2], k % 2 ? "--kl 0.1" : "no KL penalty",
            show(measure(&v, name, "entropy", FIRST), 2),
            show(measure(&v, name, "entropy", LAST), 2),
            show(measure(&v, name, "distinct", LAST), 3), show(end_of(&v, name), 3));
    }
    table_end();
    drift_table();
}

// Quotes the stories before and after tuning that a run printed; the first of each three.
static void stories(void) {
    static const char *const names[] = {"on_dpo_min", "file_dpo_min", "on_rwr_min", "on_dpo_skew",
                                        "on_dpo_mode", "on_ppo_mode"};
    int n = 0;
    heading(2, "stories", "Stories before and after");
    for (int k = 0; k < 6; k++) {
        FILE *f = fopen(text("%s/lm/%s_s%d.txt", out_dir, names[k], CLAIM_SEED), "r");
        char line[2048];
        int lines = 0, quoting = 0;
        while (f && fgets(line, sizeof line, f)) {
            line[strcspn(line, "\r\n")] = 0;
            int starts = !strcmp(line, "before:") || !strcmp(line, "after:");
            if (starts) {
                paragraph("`%s`, %s", names[k], line);
                lines = 0;
                quoting = 1;
                n++;
            } else if (quoting && *line && lines++ < 4) {
                element("> ", "<blockquote>", line, "</blockquote>");
                fputs("\n", page.md);
            } else if (quoting && !*line && lines > 0) {
                quoting = 0;
            }
        }
        if (f) { fclose(f); }
    }
    if (!n) { paragraph("Stories are left out: they need lm/on_dpo_min_s11.txt and the like."); }
}

// --- the sweep -----------------------------------------------------------------------------------

static FILE *rates_file;
static int n_swept;

// Prints what a run of the sweep earned at each rate, and which is best by its worst seed. A rate
// at which a seed is missing or broken that another rate has is not chosen, nor is one at which a
// run on stories ends with more than 5% that are unfinished.
static void sweep_row(Verdict *v, const char *name) {
    double worst[N_RATES], average[N_RATES];
    int n[N_RATES], most = 0, best = -1;
    for (int k = 0; k < N_RATES; k++) {
        const char *run = text("%s_lr%s", name, RATES[k]);
        Seeds s = auc(v, run);
        worst[k] = INFINITY;
        for (int i = 0; i < SEEDS; i++) {
            Table *t = whole_table(run_of(v, run), i);
            if (t && cell(t, t->rows - 1, "unfinished") > 0.05) { s.at[i] = NAN; }
            worst[k] = isnan(s.at[i]) ? worst[k] : fmin(worst[k], s.at[i]);
        }
        average[k] = mean(s);
        n[k] = stat_of(s).n;
        most = n[k] > most ? n[k] : most;
    }
    if (most == 0) { return; }
    for (int k = 0; k < N_RATES; k++) {
        if (n[k] == most && (best < 0 || worst[k] > worst[best])) { best = k; }
    }
    printf("%-26s", name);
    for (int k = 0; k < N_RATES; k++) {
        if (n[k]) { printf(" %5.3f %5.3f%c", worst[k], average[k], k == best ? '*' : ' '); }
        if (!n[k]) { printf(" %5s %5s ", "-", "-"); }
    }
    printf(" %d\n", most);
    n_swept++;
    char side[200];
    snprintf(side, sizeof side, "%s", name);
    char *method = strchr(side, '_'), *task = method ? strchr(method + 1, '_') : NULL;
    if (!task) { return; }
    *method = *task = 0;
    fprintf(rates_file, "%s %s %s %s %s\n", v->folder + strlen("sweep_"), side, method + 1,
            task + 1, RATES[best]);
}

static void sweep(const char *rates_path) {
    static const char *const runs_of[][2] = {
        {"sweep_bandit", "{on,off}_{bon,rwr,dpo,ppo}_{r1,r2} off_{ipo,pref-ft}_{r1,r2} "
                         "off_{bon,rwr,dpo,ipo,pref-ft}_{r1,r2}_len1"},
        {"sweep_lm", "{on,off}_{rwr,bon,ppo,dpo}_{min,skew,mode} "
                     "file_{dpo,ipo,pref-ft,rwr}_{min,mode} file_dpo_skew"}};
    char *lines = NULL;
    size_t size = 0;
    Verdict v[2];
    for (int pass = 0; pass < 2; pass++) {  // the first only reads, to learn where logs end
        if (pass) { check_ends(); }
        free(lines);
        rates_file = open_memstream(&lines, &size);
        if (!rates_file) { stop("memory", strerror(errno)); }
        for (int k = 0; k < 2; k++) {
            v[k] = (Verdict){.first_seed = SWEEP_SEED};
            snprintf(v[k].folder, sizeof v[k].folder, "%s", runs_of[k][0]);
            if (!pass) { expand(runs_of[k][1], &v[k], count_run); }
            if (!pass) { continue; }
            printf("%s: AUC of the worst seed, and mean; *: best by the worst seed; how many "
                   "seeds\n%26s", runs_of[k][0], "");
            for (int i = 0; i < N_RATES; i++) { printf(" %11s ", RATES[i]); }
            putchar('\n');
            expand(runs_of[k][1], &v[k], sweep_row);
            if (v[k].n_broken) { printf("not counted: %s\n", v[k].broken); }
        }
        fclose(rates_file);
    }
    if (n_swept == 0) { stop(out_dir, "has no runs of a sweep"); }
    const char *head = "# FOLDER SIDE METHOD TASK RATE: the best by the worst seed's AUC, seeds "
                       "101 to 103,\n# of the rates at which no run on stories ends with more than "
                       "5% unfinished.\n";
    FILE *f = rates_path ? open_or_stop(rates_path) : stdout;
    fprintf(f, "%s%s", head, lines);
    if (rates_path) { close_or_stop(f, rates_path); }
}

// --- the program ---------------------------------------------------------------------------------

static const char STYLE[] =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width\"><title>pref.c: the claims</title>\n"
    "<style>body{font:16px/1.5 sans-serif;color:#222;background:#fff;margin:0 auto;padding:12px;"
    "max-width:1060px;overflow-wrap:break-word}svg{display:block;max-width:100%;height:auto;"
    "width:640px}.s{overflow-x:auto}table{border-collapse:collapse;font-size:14px}"
    "td,th{border:1px solid #ccc;padding:3px 7px;text-align:left}.i{margin:2px 0}@page{size:A4}"
    "@media print{svg{max-height:24cm}svg,tr{break-inside:avoid}table{font-size:9px}td,th{"
    "padding:1px 3px}}</style>\n";

// How many of the claims' seeds there are: the most that any run has.
static int count_seeds(char *list, size_t size) {
    int there[SEEDS] = {0}, n = 0;
    for (const Run *r = all_runs; r; r = r->next) {
        for (int i = 0; i < SEEDS && strstr(r->key, " 11"); i++) { there[i] |= r->seed[i] != NULL; }
    }
    for (int i = 0; i < SEEDS; i++) {
        if (there[i]) { append(list, size, "%s%d", n++ ? ", " : "", CLAIM_SEED + i); }
    }
    return n;
}

static void contents(void) {
    heading(2, "contents", "Contents");
    link_item("verdicts", "The verdicts on one screen");
    link_item("reading", "How to read this page");
    for (int c = 0; c < N_CLAIMS; c++) {
        link_item(CLAIMS[c].id, text("%s. %s", CLAIMS[c].id, CLAIMS[c].says));
    }
    link_item("beyond", "Beyond the paper");
    link_item("rm", "Reward models");
    link_item("model", "The story model");
    link_item("stories", "Stories before and after");
    fputs("\n", page.md);
}

// Names all logs that are broken, on the page and, in the last pass, on the screen.
static void name_broken(const Table *t, int on_screen) {
    if (!t || !*t->fault) { return; }
    const char *name = t->path + strlen(out_dir) + 1;
    if (on_screen) {
        printf("not counted: %s: %s\n", name, t->fault);
    } else {
        paragraph("Not counted: `%s`: %s.", name, t->fault);
    }
}

static void broken_logs(int on_screen) {
    name_broken(kl_table(), on_screen);
    for (const Run *r = all_runs; r; r = r->next) {
        for (int i = 0; i < SEEDS; i++) { name_broken(r->seed[i], on_screen); }
    }
}

static void verdicts_table(Verdict (*v)[N_SETS]) {
    heading(2, "verdicts", "The verdicts on one screen");
    table_begin("claim|the paper's, in short|one rate|3 x the rate|own best rate");
    for (int c = 0; c < N_CLAIMS; c++) {
        row("%s|%s|%s|%s|%s", CLAIMS[c].id, CLAIMS[c].says, shown_word(&CLAIMS[c], v[c], 0),
            shown_word(&CLAIMS[c], v[c], 1), shown_word(&CLAIMS[c], v[c], 2));
    }
    table_end();
}

static void put_page(Verdict (*v)[N_SETS], const char *dir) {
    char seeds[100] = "", date[40];
    time_t now = time(NULL);
    strftime(date, sizeof date, "%Y-%m-%d", localtime(&now));
    const char *commit = getenv("COMMIT"), *machine = getenv("MACHINE");
    int n_seeds = count_seeds(seeds, sizeof seeds);
    page.n_figures = 0;
    fputs(STYLE, page.html);
    heading(1, "top", "pref.c: the paper's claims, measured");
    paragraph("Date: %s. Seeds: %s. Commit: %.60s. Machine: %.200s.", date,
              n_seeds ? seeds : "none", commit && *commit ? commit : "not known",
              machine && *machine ? machine : "not known");
    contents();
    verdicts_table(v);
    if (n_seeds < ENOUGH) { paragraph("Fewer than five seeds: these are figures, not verdicts."); }
    broken_logs(0);
    how_to_read();
    for (int c = 0; c < N_CLAIMS; c++) { put_claim(&CLAIMS[c], v[c], dir); }
    beyond(dir);
    reward_models();
    heading(2, "model", "The story model");
    put_figures("model", dir);
    stories();
}

static void print_screen(Verdict (*v)[N_SETS]) {
    static const char *const numbers[] = {"no seeds", "one seed", "two seeds", "three seeds",
                                          "four seeds"};
    char seeds[100] = "";
    int n = count_seeds(seeds, sizeof seeds);
    printf("%-50s %-15s %-15s %s\n", "", SET_NAMES[0], SET_NAMES[1], SET_NAMES[2]);
    for (int c = 0; c < N_CLAIMS; c++) {
        const char *third = shown_word(&CLAIMS[c], v[c], 2);
        printf("%-4s %-45s %-15s %-*s%s%s\n", CLAIMS[c].id, CLAIMS[c].says,
               shown_word(&CLAIMS[c], v[c], 0), *third ? 15 : 0, shown_word(&CLAIMS[c], v[c], 1),
               *third ? " " : "", third);
        if (v[c][0].word != FEW_SEEDS) { continue; }
        const char *figures = strchr(v[c][0].why, ':') + 2;
        printf("     %.90s%s\n", figures, strlen(figures) > 90 ? " ..." : "");
    }
    broken_logs(1);
    if (n < ENOUGH) { printf("%s: no verdicts; dev/RESULTS.md has those of five\n", numbers[n]); }
}

static FILE *memory(char **to, size_t *size) {
    FILE *f = open_memstream(to, size);
    if (!f) { stop("memory", strerror(errno)); }
    return f;
}

static void write_file(const char *path, const char *s) {
    FILE *f = open_or_stop(path);
    fputs(s, f);
    close_or_stop(f, path);
}

static void report(const char *dir) {
    static Verdict v[N_CLAIMS][N_SETS];
    char *md = NULL, *html = NULL;
    size_t md_size, html_size;
    // The first pass reads everything, to learn where logs end and which are broken.
    for (int pass = 0; pass < 2; pass++) {
        free(md);
        free(html);
        page.md = memory(&md, &md_size);
        page.html = memory(&html, &html_size);
        for (int c = 0; c < N_CLAIMS; c++) {
            for (int set = 0; set < N_SETS; set++) { judge(&CLAIMS[c], set, &v[c][set]); }
        }
        put_page(v, pass ? dir : "");
        fclose(page.md);
        fclose(page.html);
        if (pass == 0) { check_ends(); }
    }
    write_file(text("%s/RESULTS.md", dir), md);
    write_file(text("%s/report.html", out_dir), html);
    free(md);
    free(html);
    print_screen(v);
    printf("%s/report.html and %s/RESULTS.md have the figures and tables\n", out_dir, dir);
}

// Error (status 1): nothing to report on, or the page cannot be written; 2: wrong usage.
int main(int argc, char **argv) {
    int sweeps = argc > 1 && !strcmp(argv[1], "--sweep");
    int rates = sweeps && argc == 5 && !strcmp(argv[3], "--rates");
    if (sweeps ? argc != 3 && !rates : (argc != 2 && argc != 3) || argv[1][0] == '-') {
        fputs("usage: report OUT [DIR] | report --sweep OUT [--rates FILE]\n", stderr);
        return 2;
    }
    struct stat s;
    out_dir = argv[sweeps ? 2 : 1];
    if (stat(out_dir, &s) || !S_ISDIR(s.st_mode)) { stop(out_dir, "there is no such folder"); }
    if (sweeps) {
        sweep(rates ? argv[4] : NULL);
    } else {
        const char *dir = argc == 3 ? argv[2] : out_dir;
        char figures[600];
        snprintf(figures, sizeof figures, "%s/figures", dir);
        mkdir(dir, 0777);
        if (mkdir(figures, 0777) && errno != EEXIST) { stop(figures, strerror(errno)); }
        report(dir);
    }
    if (fflush(stdout) || ferror(stdout)) { stop("standard output", "it cannot be written"); }
    return 0;
}
