# make            pref (offline data), pref_onpolicy (the same file with -DON_POLICY), measure, dev/kl,
#                 dev/jsonl
# make test       all tests
# make debug      pref_debug, pref_onpolicy_debug: -O0 -g, for gdb
# make asan       the tests, with float, under the address and undefined-behaviour sanitizers
# make coverage   which lines of pref.c the tests never reach
# make bench      speed of training and sampling
# make data       tinystories_tok.bin from our own stories; TEXT="file.txt": from any corpus; V=1536
# make pairs JSONL="file.jsonl"   pairs.tsv, or OUT="file.tsv", from preference pairs in JSON Lines
# make assignment   a folder for a class, with functions that are left to write: all parts, or
#                 PARTS="dpo ppo"; FOLDER="assignment"
# make grade SUBMISSION="folder"   the points of a student's pref.c, also as RESULTS="grade.json"
# make exercise NAME=slic   whether the method slic, which you have added to pref.c, is right; the
#                 exercises are in dev/EXERCISES.md
# make clean
# PORTABLE=1 leaves out -march=native, OMP=0 leaves out OpenMP.

CFLAGS ?= -O3
WARN = -std=c11 -Wall -Wextra -Wshadow

HASH := \#
COMMA := ,
# A flag, if this compiler has it (and the header it needs), else nothing.
try = $(shell printf '%s\n%s\nint main(void) { return 0; }\n' '$(2)' '$(3)' | \
	$(CC) $(1) -x c - -o /dev/null >/dev/null 2>&1 && echo '$(1)')
# ISO C mode would otherwise keep gcc from fusing multiplications and additions, and traps from
# vectorizing a loop that compares. None of these flags changes what NaN or a rounding means.
FLAGS := $(WARN) $(call try,-ffp-contract=fast) $(call try,-fno-math-errno) \
	$(call try,-fno-trapping-math)
# A 32-bit x86 compiler computes floats with too many digits unless it is told otherwise.
FLAGS += $(call try,-msse2 -mfpmath=sse,_Static_assert(sizeof(void *) == 4$(COMMA) "");)
ifndef PORTABLE
FLAGS += $(call try,-march=native)
endif
ifneq ($(OMP),0)
OPENMP := $(call try,-fopenmp,$(HASH)include <omp.h>,int n(void) { return omp_get_num_procs(); })
ifeq ($(OPENMP),)  # macOS: Apple's compiler, and the library that Homebrew installs
BREW := $(shell brew --prefix libomp 2>/dev/null || echo /opt/homebrew/opt/libomp)
OPENMP := $(call try,-Xpreprocessor -fopenmp -I$(BREW)/include -L$(BREW)/lib -lomp,$(HASH)include <omp.h>)
endif
FLAGS += $(OPENMP)
endif

PROGRAMS = pref pref_onpolicy measure dev/kl dev/jsonl
all: $(PROGRAMS)

# What everything is built with. It changes when the compiler or its flags do, and with it all is
# built anew.
BUILT_WITH = $(CC) $(CFLAGS) $(FLAGS)
.flags: FORCE
	@echo '$(BUILT_WITH)' | cmp -s - $@ || echo '$(BUILT_WITH)' > $@

pref: pref.c .flags
	$(CC) $(CFLAGS) $(FLAGS) $< -o $@ -lm

pref_onpolicy: pref.c .flags
	$(CC) $(CFLAGS) $(FLAGS) -DON_POLICY $< -o $@ -lm

measure: dev/measure.c pref.c .flags
	$(CC) $(CFLAGS) $(FLAGS) $< -o $@ -lm

dev/kl: dev/kl.c .flags
	$(CC) $(CFLAGS) $(FLAGS) $< -o $@ -lm

dev/jsonl: dev/jsonl.c pref.c .flags
	$(CC) $(CFLAGS) $(FLAGS) $< -o $@ -lm

dev/report: dev/report.c .flags
	$(CC) $(CFLAGS) $(FLAGS) $< -o $@ -lm

TEST_SOURCES = test_pref.c pref.c dev/measure.c dev/kl.c dev/oracle.h
test_float: $(TEST_SOURCES) .flags
	$(CC) $(CFLAGS) $(FLAGS) $< -o $@ -lm

test_double: $(TEST_SOURCES) .flags
	$(CC) $(CFLAGS) $(FLAGS) -DREAL=double $< -o $@ -lm

test:
	@$(MAKE) --no-print-directory -j 2 all test_double test_float
	@sh dev/tests/all.sh

debug: pref.c
	$(CC) -O0 -g $(WARN) $< -o pref_debug -lm
	$(CC) -O0 -g $(WARN) -DON_POLICY $< -o pref_onpolicy_debug -lm

SANITIZE = -O1 -g $(call try,-march=native) -fsanitize=address,undefined \
	-fno-sanitize-recover=all -fno-omit-frame-pointer
asan: $(TEST_SOURCES) all
	$(CC) $(SANITIZE) $(WARN) test_pref.c -o test_asan -lm
	./test_asan $(TESTS)

# gcov counts what test_coverage and the commands that it runs reach; ##### marks lines never reached.
coverage: $(TEST_SOURCES) all
	rm -rf dev/coverage && mkdir dev/coverage
	$(CC) -O1 --coverage $(WARN) test_pref.c -o dev/coverage/test -lm
	-./dev/coverage/test
	gcov -o dev/coverage dev/coverage/test-test_pref.gcda > dev/coverage/summary
	mv *.gcov dev/coverage
	grep -A 1 "pref.c'" dev/coverage/summary
	grep '#####' dev/coverage/pref.c.gcov || true

bench: measure
	./measure bench
	./measure bench -L 3 -H 3 -C 48 -V 100 -B 100 -T 10

V = 1536
data: dev/stories.c dev/tok.c pref.c
	$(CC) -O2 $(WARN) dev/tok.c -o dev/tok -lm
ifdef TEXT
	./dev/tok -V $(V) "$(TEXT)" tinystories_tok.bin
else
	$(CC) -O2 $(WARN) dev/stories.c -o dev/stories
	./dev/stories > dev/stories.txt
	./dev/tok -V $(V) dev/stories.txt tinystories_tok.bin
endif

# The checker includes pref.c, so it is built anew after every change of it.
dev/solutions/check: dev/solutions/check.c pref.c .flags
	@$(CC) $(CFLAGS) $(FLAGS) $< -o $@ -lm

CHECKED = $(notdir $(basename $(wildcard dev/solutions/*.txt)))
exercise: dev/solutions/check
ifndef NAME
	@echo 'make exercise needs a name: make exercise NAME=slic' >&2; exit 2
else ifeq ($(wildcard dev/solutions/$(NAME).txt),)
	@echo 'there is no checker for $(NAME); there is one for: $(CHECKED)' >&2; exit 2
else
	@./dev/solutions/check "$(NAME)"
endif

OUT = pairs.tsv
pairs: dev/jsonl
ifndef JSONL
	@echo 'make pairs needs a file: make pairs JSONL="file.jsonl"' >&2; exit 2
else
	./dev/jsonl "$(JSONL)" "$(OUT)"
endif

PARTS =
FOLDER = assignment
assignment:
	@CC="$(CC)" sh dev/assignment/make.sh "$(FOLDER)" $(PARTS)

RESULTS = grade.json
grade:
ifndef SUBMISSION
	@echo 'make grade needs a folder with a pref.c: make grade SUBMISSION="folder"' >&2; exit 2
else
	@CC="$(CC)" sh dev/assignment/make.sh --grade "$(SUBMISSION)" "$(RESULTS)" $(PARTS) || \
		[ $$? = 1 ]  # that points are missing is no error of make's
endif

# assignment/ stays, because somebody may have written in it.
clean:
	rm -f $(PROGRAMS) pref_debug pref_onpolicy_debug test_float test_double test_asan .flags
	rm -f dev/stories dev/tok dev/report dev/stories.txt dev/solutions/check grade.json *.tmp
	rm -rf dev/coverage assignment.tmp

.PHONY: all test debug asan coverage bench data pairs exercise assignment grade clean FORCE
