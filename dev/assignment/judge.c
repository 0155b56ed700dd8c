/*
judge.c: the side of the grader in which none of a student's code runs.

    judge run SECONDS MEGABYTES OUT ERR PROGRAM ARGUMENTS...
        Runs a program with its output in two files. If it fails, says how, with status 1. It runs
        as the user STUDENT_UID, if that is in the environment, which needs root.
    judge end
        Ends all that this user still runs.
    judge compare EXPECTED GOT
        Compares the values that two runs of driver.c have printed. If they differ, says how, with
        status 1.
    judge json < LINES > RESULTS
        Turns lines of a part's name, its points, its most points and what is wrong (with tabs
        between them) into the results.json of Gradescope.
*/
#define _DEFAULT_SOURCE
#define _DARWIN_C_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int die(const char *what) {
    fprintf(stderr, "judge: %s: %s\n", what, strerror(errno));
    exit(2);
}

// --- run -----------------------------------------------------------------------------------------

// Sets a limit, at which there is a signal, and one more above it that kills.
static void limit(int what, double most) {
    struct rlimit r;
    if (getrlimit(what, &r) == 0 && (r.rlim_max == RLIM_INFINITY || most < (double)r.rlim_max)) {
        r.rlim_cur = (rlim_t)most;
        r.rlim_max = (rlim_t)most + 1;
        setrlimit(what, &r);
    }
}

// Becomes the user that grade.sh has chosen, if it has: one who owns nothing and needs no name.
static void drop_rights(void) {
    const char *user = getenv("STUDENT_UID");
    if (!user) { return; }
    if (setgroups(0, NULL) || setgid((gid_t)atoi(user)) || setuid((uid_t)atoi(user))) { die("setuid"); }
}

static int end_all(void) {
    if (!getenv("STUDENT_UID")) { return 0; }
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        drop_rights();
        kill(-1, SIGKILL);  // it sends none to itself on Linux
        _exit(0);
    }
    return pid < 0 || waitpid(pid, &status, 0) != pid || status;
}

// Becomes the program. It has a process group of its own, so that all it starts can be ended.
static void become(double seconds, double megabytes, char **argv) {
    setpgid(0, 0);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_CPU, seconds);
    limit(RLIMIT_FSIZE, megabytes * 1e6);
    int in = open("/dev/null", O_RDONLY);
    int out = open(argv[0], O_WRONLY | O_CREAT | O_TRUNC, 0666);
    int err = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (in < 0 || out < 0 || err < 0) { die(argv[0]); }
    dup2(in, 0);
    dup2(out, 1);
    dup2(err, 2);
    drop_rights();
    execvp(argv[2], argv + 2);
    die(argv[2]);
}

// Prints the first line of a file, without what follows its first 300 characters.
static void print_first_line(const char *path) {
    char line[300] = "";
    FILE *f = fopen(path, "r");
    if (f && fgets(line, sizeof line, f)) { line[strcspn(line, "\r\n")] = 0; }
    if (f) { fclose(f); }
    puts(*line ? line : "it prints no message");
}

static int run(char **argv) {
    double seconds = atof(argv[0]);  // of the processor; a busy machine may take six times as long
    pid_t pid = fork();
    if (pid < 0) { die("fork"); }
    if (pid == 0) { become(seconds, atof(argv[1]), argv + 2); }
    setpgid(pid, pid);  // whichever of the two processes comes first
    int status = 0, ended = 0;
    for (int i = 0; !ended && i < 6 * seconds * 100; i++) {
        ended = waitpid(pid, &status, WNOHANG) == pid;
        if (!ended) { nanosleep(&(struct timespec){0, 10000000}, NULL); }
    }
    kill(-pid, SIGKILL);
    int number = ended && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (!ended) { waitpid(pid, &status, 0); }
    if (!ended || number == SIGXCPU) {
        printf("did not end within %g seconds\n", seconds);
    } else if (number == SIGKILL) {
        puts("was killed from outside; is the memory full? grade again");
    } else if (number == SIGXFSZ) {
        printf("printed more than %s MB\n", argv[1]);
    } else if (number) {
        printf("crashed: %s\n", number == SIGSEGV ? "segmentation fault"
               : number == SIGBUS ? "bus error" : number == SIGABRT ? "aborted"
               : number == SIGFPE ? "division of integers by zero" : strsignal(number));
    } else if (status) {
        printf("ended with status %d: ", WEXITSTATUS(status));
        print_first_line(argv[3]);
    }
    return !ended || status;
}

// --- compare -------------------------------------------------------------------------------------

// A line of driver.c's output: a label, an index and a value, with tabs between them. Lines with
// the same label make a vector. "= NAME" is not the label of a result, but of a constant by which
// a wrong result may be off. "?LABEL" (in what is expected only) has the values of the vector LABEL
// under a common mistake, which is the fourth field.
typedef struct { char *label, *why; int index, is_number; double value; } Line;
typedef struct { Line *line; int n; } Lines;

// Takes a line apart. Returns whether it has the form of a line.
static int parse(char *text, Line *line) {
    char *field[4] = {text, NULL, NULL, ""}, *end;
    for (int i = 1; i < 4; i++) {
        char *tab = strchr(field[i - 1], '\t');
        if (!tab && i == 3) { break; }
        if (!tab) { return 0; }
        *tab = 0;
        field[i] = tab + 1;
    }
    *line = (Line){field[0], field[3], (int)strtol(field[1], &end, 10), 1, 0};
    if (*end || end == field[1]) { return 0; }
    line->value = strtod(field[2], &end);
    line->is_number = isfinite(line->value);
    return *field[2] && !*end;
}

// Reads the values of a run. A line of another form gets no label, and is kept in `why`.
static Lines lines_read(const char *path) {
    Lines all = {NULL, 0};
    FILE *f = fopen(path, "r");
    if (!f) { die(path); }
    char *text = NULL;
    size_t room = 0;
    while (getline(&text, &room, f) >= 0) {
        all.line = realloc(all.line, (all.n + 1) * sizeof(Line));
        char *copy = strdup(text), *whole = strdup(text);
        if (!all.line || !copy || !whole) { die("memory"); }
        copy[strcspn(copy, "\r\n")] = whole[strcspn(whole, "\r\n")] = 0;
        if (!parse(copy, &all.line[all.n])) { all.line[all.n] = (Line){NULL, whole, 0, 0, 0}; }
        all.n++;
    }
    fclose(f);
    return all;
}

static int near(double got, double expected) {
    return fabs(got - expected) <= 1e-6 + 1e-6 * fabs(expected);
}

// Returns how many lines from `at` on belong to one vector.
static int vector_length(const Lines *a, int at) {
    int n = 1;
    const char *label = a->line[at].label;
    while (at + n < a->n && a->line[at + n].label && !strcmp(a->line[at + n].label, label)
           && a->line[at + n].index > a->line[at + n - 1].index) { n++; }
    return n;
}

// Returns whether got is factor * expected, number by number.
static int is_multiple(const Line *got, const Line *expected, int n, double factor) {
    for (int i = 0; i < n; i++) {
        double x = factor * expected[i].value;
        if (fabs(got[i].value - x) > 1e-8 + 1e-5 * fabs(x)) { return 0; }
    }
    return 1;
}

// Returns whether got has the expected values `by` places later. The places that are left are 0.
static int is_shifted(const Line *got, const Line *expected, int n, int by) {
    int differs = 0;
    for (int i = 0; i < n; i++) {
        int from = i - by;
        double x = from < 0 || from >= n ? 0 : expected[from].value;
        if (!near(got[i].value, x)) { return 0; }
        differs |= x != 0;
    }
    return differs;
}

// Looks for the name of a factor among the constants that were printed before line `end`.
static int name_factor(const Lines *all, int end, double factor, char *name, size_t room) {
    for (int sign = 1; sign >= -1; sign -= 2) {
        double f = sign * factor;
        const char *minus = sign < 0 ? ", with the wrong sign" : "";
        for (int i = end - 1; i >= 0; i--) {
            const Line *c = &all->line[i];
            if (strncmp(c->label, "= ", 2) || c->value == 1) { continue; }
            if (fabs(f - c->value) < 1e-5 * fabs(f)) {
                snprintf(name, room, ", which is %s%s", c->label + 2, minus);
                return 1;
            }
            if (fabs(f * c->value - 1) < 1e-5) {
                snprintf(name, room, ", which is 1 / %s%s", c->label + 2, minus);
                return 1;
            }
        }
        if (fabs(f - 2) < 1e-5 || fabs(f - 0.5) < 1e-5) {
            snprintf(name, room, "%s%s", f > 1 ? "" : ", which is 1 / 2", minus);
            return 1;
        }
    }
    return 0;
}

// Returns whether the values of a mistake, from line `at` to the end of those with the same text, are
// in `got` from line `from` on.
static int is_all_there(const Lines *all, int at, const Lines *got, int from) {
    const char *why = all->line[at].why;
    for (; at < all->n && all->line[at].label[0] == '?' && !strcmp(all->line[at].why, why); at++) {
        const Line *want = &all->line[at];
        for (int g = from; g < got->n; g++) {
            const Line *x = &got->line[g];
            if (!x->label || strcmp(x->label, want->label + 1) || x->index != want->index) { continue; }
            if (!near(x->value, want->value)) { return 0; }
            break;
        }
    }
    return 1;
}

// Returns the text of the common mistake that gives the n numbers from line `from` of what was got,
// or NULL. One that gives all that follows, too, is preferred.
static const char *find_mistake(const Lines *all, const Lines *got, int from, int n) {
    const Line *x = &got->line[from];
    const char *found = NULL;
    for (int i = 0; i < all->n; i++) {
        const char *label = all->line[i].label;
        if (label[0] != '?' || strcmp(label + 1, x->label)) { continue; }
        int m = vector_length(all, i), k = 0;
        while (k < n && k < m && near(x[k].value, all->line[i + k].value)
               && (x[k].value == 0) == (all->line[i + k].value == 0)) { k++; }
        if (k < n || m != n) { continue; }
        if (is_all_there(all, i, got, from)) { return all->line[i].why; }
        found = found ? found : all->line[i].why;
    }
    return found;
}

// Says what is wrong with the vector of n numbers whose first is line `at` of what is expected, and
// line `from` of what was got.
static void diagnose(const Lines *all, int at, const Lines *all_got, int from, int n) {
    const Line *want = &all->line[at], *got = &all_got->line[from];
    int first = 0, zero = 1, largest = 0;
    while (got[first].is_number && near(got[first].value, want[first].value)) { first++; }
    for (int i = 0; i < n; i++) {
        zero &= got[i].value == 0;
        largest = fabs(want[i].value) > fabs(want[largest].value) ? i : largest;
    }
    double factor = got[largest].value / want[largest].value;
    int scaled = want[largest].value != 0 && !zero && is_multiple(got, want, n, factor);
    char values[200], where[40] = "", name[200] = "";
    const char *mistake = find_mistake(all, all_got, from, n), *label = want->label;
    const char *unit = strstr(label, "token") ? "token" : "number";
    if (n > 1) { snprintf(where, sizeof where, "%s %d ", unit, want[first].index); }
    snprintf(values, sizeof values, "%sgot %.6g, expected %.6g", where, got[first].value,
             want[first].value);
    if (!got[first].is_number) {
        printf("%s: %sis not a number, expected %.6g\n", label, where, want[first].value);
    } else if (mistake) {
        printf("%s: the values are those %s: %s\n", label, mistake, values);
    } else if (zero && n > 1) {
        printf("%s: all values are 0: %s\n", label, values);
    } else if (scaled && fabs(factor + 1) < 1e-5) {
        printf("%s has the wrong sign: %s\n", label, values);
    } else if (scaled && (name_factor(all, at, factor, name, sizeof name) || n > 1)) {
        printf("%s is %.3g times what it should be%s: %s\n", label, factor, name, values);
    } else if (n > 1 && is_shifted(got, want, n, 1)) {
        printf("%s: the right values stand one %s late: %s\n", label, unit, values);
    } else if (n > 1 && is_shifted(got, want, n, -1)) {
        printf("%s: the right values stand one %s early: %s\n", label, unit, values);
    } else {
        printf("%s: %s\n", label, values);
    }
}

static int compare(char **argv) {
    Lines want = lines_read(argv[0]), got = lines_read(argv[1]);
    int g = 0;
    for (int at = 0, n; at < want.n; at += n) {
        n = vector_length(&want, at);
        if (want.line[at].label[0] == '?') { continue; }
        int wrong = 0;
        for (int i = 0; i < n; i++) {
            const Line *w = &want.line[at + i], *x = &got.line[g + i];
            if (g + i >= got.n) {
                while (strchr("=?", w->label[0]) && w + 1 < want.line + want.n) { w++; }
                printf("the program ended before it had printed: %s\n", w->label);
                return 1;
            }
            if (!x->label || strcmp(x->label, w->label) || x->index != w->index) {
                printf("an unexpected line in the output: '%.100s' (print with fprintf(stderr, "
                       "...))\n", x->label ? x->label : x->why);
                return 1;
            }
            wrong |= !x->is_number || !near(x->value, w->value);
        }
        if (wrong) {
            diagnose(&want, at, &got, g, n);
            return 1;
        }
        g += n;
    }
    if (g < got.n) {
        const Line *x = &got.line[g];
        printf("an unexpected line at the end of the output: '%.100s'\n",
               x->label ? x->label : x->why);
    }
    return g < got.n;
}

// --- json ----------------------------------------------------------------------------------------

static void print_string(const char *s) {
    putchar('"');
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\') { putchar('\\'); }
        putchar(c < 32 || c > 126 ? '?' : c);
    }
    putchar('"');
}

static int json(void) {
    char *text = NULL;
    size_t room = 0;
    double total = 0;
    printf("{\n  \"tests\": [");
    for (int n = 0; getline(&text, &room, stdin) >= 0; n++) {
        text[strcspn(text, "\n")] = 0;
        char *field[4] = {text, "0", "0", ""};
        for (int i = 1; i < 4; i++) {
            char *tab = strchr(field[i - 1], '\t');
            if (!tab) { break; }
            *tab = 0;
            field[i] = tab + 1;
        }
        printf("%s\n    {\"name\": ", n ? "," : "");
        print_string(field[0]);
        printf(", \"score\": %s, \"max_score\": %s, \"output\": ", field[1], field[2]);
        print_string(field[3]);
        putchar('}');
        total += atof(field[1]);
    }
    printf("\n  ],\n  \"score\": %g\n}\n", total);
    return 0;
}

int main(int argc, char **argv) {
    if (argc > 6 && !strcmp(argv[1], "run")) { return run(argv + 2); }
    if (argc == 4 && !strcmp(argv[1], "compare")) { return compare(argv + 2); }
    if (argc == 2 && !strcmp(argv[1], "json")) { return json(); }
    if (argc == 2 && !strcmp(argv[1], "end")) { return end_all(); }
    fputs("usage: judge run | compare | json | end; see judge.c\n", stderr);
    return 2;
}
