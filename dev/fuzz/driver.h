/*
What libFuzzer calls. Each program that is fuzzed ends with this file; before it stand its TARGETS
and prepare(), which makes what stays from one input to the next.
*/

static void (*target)(const char *data, size_t size);
static int only_valid;  // for run.sh to make sure that what it starts from is

const char *__asan_default_options(void) {  // we look for leaks; what else is off takes time
    return "detect_leaks=0:quarantine_size_mb=4:max_malloc_fill_size=0";
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    const char *name = getenv("TARGET");
    for (const Target *t = TARGETS; name && t->name; t++) {
        if (!strcmp(name, t->name)) { target = t->run; }
    }
    must(target && *argc > 0 && **argv, "the environment's TARGET names a target");
    only_valid = getenv("VALID") != NULL;
    silence = freopen("/dev/null", "w", stdin);
    prepare();
    n_kept = n_live;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    exit_status = 0;
    all_valid = only_valid;
    if (setjmp(next_input) == 0) { target((const char *)data, size); }
    has_temporary = 0;
    must(!sweep() || exit_status, "without an error, memory and files are given back");
    return 0;
}
