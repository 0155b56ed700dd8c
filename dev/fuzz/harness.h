/*
What lets pref.c and dev/jsonl.c run millions of times within one process, without editing it. pref reads files by
their names, never frees what alloc gave, and ends the program on an error. Here files lie in memory
(nothing on the disk is read or written), all that was asked for is recorded and freed after each
input, and the end of the program is a jump back. The macros at the end put this in place: pref.c is
included after them, and all of the system's headers before.
*/
#define _XOPEN_SOURCE 700  // POSIX with fmemopen and S_IFREG
#define TESTING            // no main
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <float.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

// What an input is given to.
typedef struct {
    const char *name;
    void (*run)(const char *data, size_t size);
} Target;

// If what must hold does not, libFuzzer reports the abort and keeps the input.
static void must(int ok, const char *what) {
    if (ok) { return; }
    fprintf(stderr, "fuzz: broken promise: %s\n", what);
    abort();
}

// --- what was asked for and not yet given back ---------------------------------------------------

enum { MOST_LIVE = 1 << 14, LARGEST = 1 << 20 };  // inputs are small: a larger block is refused
enum { BLOCK, HEAP, STREAM };                     // a block is alloc's, which nobody frees
static struct { void *p; int kind; } live[MOST_LIVE];
static int n_live, n_kept;  // the first n_kept stay from one input to the next

static void *keep(void *p, int kind) {
    must(n_live < MOST_LIVE, "the harness has room for all blocks");
    live[n_live].p = p;
    live[n_live++].kind = kind;
    return p;
}

static void forget(void *p) {
    int i = n_live - 1;
    while (i >= n_kept && live[i].p != p) { i--; }
    must(i >= n_kept, "only what is live is freed or closed");
    live[i] = live[--n_live];
}

// Give all back; returns whether there was anything that the program should have given back.
static int sweep(void) {
    int lost = 0;
    while (n_live > n_kept) {
        n_live--;
        lost |= live[n_live].kind != BLOCK;
        if (live[n_live].kind == STREAM) { fclose(live[n_live].p); } else { free(live[n_live].p); }
    }
    return lost;
}

static void *fuzz_malloc(size_t size) { return size > LARGEST ? NULL : keep(malloc(size), HEAP); }

// At a cache line's edge, where alloc leaves nothing unused after what it gives: so the sanitizer
// sees the first step too far.
static void *fuzz_calloc(size_t n, size_t size) {
    void *p = NULL;
    if (n * size > LARGEST || posix_memalign(&p, 64, n * size) != 0) { return NULL; }
    return keep(memset(p, 0, n * size), BLOCK);
}

static void fuzz_free(void *p) {
    if (p) { forget(p); }
    free(p);
}

// As getline, but the line is always in a new block of just its size, for the same reason.
static ssize_t fuzz_getline(char **text, size_t *room, FILE *f) {
    static char *line;
    static size_t line_room;
    ssize_t n = getline(&line, &line_room, f);
    if (n >= 0) {
        fuzz_free(*text);
        *room = (size_t)n + 1;
        *text = memcpy(keep(malloc(*room), HEAP), line, *room);
    }
    return n;
}

// --- files in memory -----------------------------------------------------------------------------

static struct { const char *path; const void *bytes; size_t size; } disk[3];  // those that exist
static char fuzz_written[1 << 18];  // what was written last: all files are written here
static size_t n_output;
static FILE *silence;       // in place of stdout and stderr
static char **stream_text;  // where the last open_memstream leaves its text

static void disk_set(int i, const char *path, const void *bytes, size_t size) {
    disk[i].path = path;
    disk[i].bytes = bytes;
    disk[i].size = size;
}

static int disk_find(const char *path) {
    for (int i = 0; i < 3; i++) {
        if (disk[i].path && !strcmp(disk[i].path, path)) { return i; }
    }
    errno = ENOENT;
    return -1;
}

static int fuzz_stat(const char *path, struct stat *s) {
    int i = disk_find(path);
    size_t n = strlen(path);
    int folder = n > 0 && path[n - 1] == '.';  // enough for same_file
    *s = (struct stat){.st_mode = folder ? S_IFDIR : S_IFREG, .st_ino = folder ? n : (ino_t)i};
    if (i >= 0) { s->st_size = (off_t)disk[i].size; }
    return i >= 0 || folder ? 0 : -1;
}

static FILE *fuzz_fopen(const char *path, const char *mode) {
    int i = disk_find(path);
    FILE *f = NULL;
    if (*mode == 'w') { f = fmemopen(fuzz_written, sizeof fuzz_written, "w"); }
    if (*mode == 'r' && i >= 0) { f = fmemopen((void *)disk[i].bytes, disk[i].size, "r"); }
    return f ? keep(f, STREAM) : NULL;
}

static FILE *fuzz_memstream(char **text, size_t *size) {
    stream_text = text;
    return keep(open_memstream(text, size), STREAM);
}

static int fuzz_fclose(FILE *f) {
    forget(f);
    n_output = (size_t)ftell(f);
    int failed = fclose(f);
    if (stream_text) { keep(*stream_text, HEAP); }
    stream_text = NULL;
    return failed;
}

static int fuzz_ignore(const char *path) { return path == NULL; }

// Signals are libFuzzer's.
static int fuzz_sigaction(const void *action, const void *old) { return action && old ? -1 : 0; }

// --- the end of the program ----------------------------------------------------------------------

static jmp_buf next_input;
static int exit_status, all_valid;  // of the exit that was asked for, if any; there must be none

static _Noreturn void fuzz_exit(int status) {
    must(status == 1 || status == 2, "an error's status is 1 or 2");
    must(!all_valid, "what is valid is accepted");
    exit_status = status;
    longjmp(next_input, 1);
}

// alloc's running total only grows: the machine seems to have a thousand TB, in pages of one byte.
#define sysconf(what) ((what) == _SC_PAGESIZE ? 1L : 1000000000000000L)
#define exit(status) fuzz_exit(status)
#define malloc(size) fuzz_malloc(size)
#define calloc(n, size) fuzz_calloc(n, size)
#define free(p) fuzz_free(p)
#define getline(text, room, f) fuzz_getline(text, room, f)
#define stat(path, s) fuzz_stat(path, s)
#define lstat(path, s) fuzz_stat(path, s)
#define fopen(path, mode) fuzz_fopen(path, mode)
#define fclose(f) fuzz_fclose(f)
#define open_memstream(text, size) fuzz_memstream(text, size)
#define open(path, ...) (fuzz_ignore(path) + 100)  // no file has this number
#define close(fd) ((fd) != 100)
#define fcntl(fd, ...) ((fd) != 100)
#define fstat(fd, s) ((fd) == 100)  // fails: what is opened is no regular file
#define fdopen(fd, mode) fuzz_fopen("", mode)
#define rename(from, to) fuzz_ignore(to)
#define remove(path) fuzz_ignore(path)
#define unlink(path) fuzz_ignore(path)
#define isatty(fd) 0
#define sigaction(number, action, old) fuzz_sigaction(action, old)
#define printf(...) fprintf(silence, __VA_ARGS__)
#define putchar(c) fputc(c, silence)
#undef stdout
#define stdout silence
#undef stderr
#define stderr silence
