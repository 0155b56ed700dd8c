/*
Fuzzes dev/jsonl, which converts JSON Lines to pairs files and back. Neither direction may lose or
change anything that the other one can express.
*/
#include "harness.h"
#define main jsonl_main  // what it does beyond the two conversions, dev/tests/jsonl.sh tests
#include "../jsonl.c"
#undef main
#include "oracles.h"

// Converts the file `path` and returns the n bytes that come out, which the caller frees. Ends the
// input where jsonl would end with an error.
static char *convert(void (*how)(Reader *, FILE *), const char *path, size_t *n) {
    Reader r = {.in = input_open(path)};
    char *out;
    FILE *memory = open_memstream(&out, n);
    how(&r, memory);
    must(fclose(memory) == 0, "there is memory for what comes out");
    fclose(r.in.f);
    free(r.line);
    return out;
}

// What pairs_from_json writes are lines of five fields, and the responses of each differ.
static void check_lines(const char *p, size_t n) {
    for (const char *all = p + n, *end; p < all; p = end + 1) {
        char *field[3];
        end = memchr(p, '\n', (size_t)(all - p));
        must(end != NULL, "every line ends");
        must(!memchr(p, '\r', (size_t)(end - p)), "a carriage return is escaped");
        must(line_fields(p, end, field) == 5, "a line has five fields");
        must(strcmp(field[1], field[2]) != 0, "the responses of a pair differ");
    }
}

// Returns a pairs file of these lines.
static char *with_header(const char *lines, size_t n, size_t *size) {
    const char *header = HEADER SCORES "\n";
    char *file = alloc(strlen(header) + n, 1, "a pairs file");
    memcpy(file, header, strlen(header));
    memcpy(file + strlen(header), lines, n);
    *size = strlen(header) + n;
    return file;
}

// JSON Lines, to pairs, to JSON Lines, to pairs: the pairs are the same both times.
static void fuzz_json(const char *data, size_t size) {
    size_t n, n_back, n_again, n_file;
    disk_set(0, "input", data, size);
    char *pairs = convert(pairs_from_json, "input", &n);
    check_lines(pairs, n);
    char *file = with_header(pairs, n, &n_file);
    disk_set(1, "pairs", file, n_file);
    all_valid = 1;
    char *back = convert(json_from_pairs, "pairs", &n_back);
    disk_set(2, "back", back, n_back);
    char *again = convert(pairs_from_json, "back", &n_again);
    must(n == n_again && !memcmp(pairs, again, n), "pairs survive a round trip");
    free(pairs);
    free(back);
    free(again);
}

// A pairs file, to JSON Lines, to pairs: the texts are the same, line by line.
static void fuzz_back(const char *data, size_t size) {
    size_t n_json, n;
    const char *p = data, *all = data + size, *end;
    disk_set(0, "input", data, size);
    char *json = convert(json_from_pairs, "input", &n_json);
    disk_set(1, "json", json, n_json);
    all_valid = 1;
    char *pairs = convert(pairs_from_json, "json", &n), *again = pairs;
    check_lines(pairs, n);
    for (int line = 0; p < all; p = end + 1, line++) {
        char *said[3], *kept[3];
        end = memchr(p, '\n', (size_t)(all - p));
        end = end ? end : all;
        if (line == 0) { continue; }  // the header
        must(line_fields(p, end - (end > p && end[-1] == '\r'), said) >= 3, "a pair has three texts");
        must(again < pairs + n, "no pair is lost");
        char *stop = memchr(again, '\n', (size_t)(pairs + n - again));
        line_fields(again, stop, kept);
        for (int k = 0; k < 3; k++) { must(!strcmp(said[k], kept[k]), "no text changes"); }
        again = stop + 1;
    }
    must(again == pairs + n, "no pair is made up");
    free(json);
    free(pairs);
}

static const Target TARGETS[] = {{"json", fuzz_json}, {"back", fuzz_back}, {0}};

static void prepare(void) {}

#include "driver.h"
