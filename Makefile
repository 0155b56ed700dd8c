# make            pref (offline data) and pref_onpolicy (the same file with -DON_POLICY)
# make test       all tests
# make debug      pref_debug, pref_onpolicy_debug: -O0 -g, for gdb
# make asan       the tests, with float, under the address and undefined-behaviour sanitizers
# make bench      speed of training and sampling
# make data       tinystories_tok.bin from our own stories; TEXT=file.txt: from any corpus; V=512
# make clean
# PORTABLE=1 leaves out -march=native, OMP=0 leaves out OpenMP.

CFLAGS ?= -O3
WARN = -std=c11 -Wall -Wextra -Wshadow

HASH := \#
# A flag, if this compiler has it (and the header it needs), else nothing.
try = $(shell printf '%s\nint main(void) { return 0; }\n' '$(2)' | \
	$(CC) $(1) -x c - -o /dev/null >/dev/null 2>&1 && echo '$(1)')
# ISO C mode would otherwise keep gcc from fusing multiplications and additions
FLAGS := $(WARN) $(call try,-ffp-contract=fast) $(call try,-fno-math-errno)
ifndef PORTABLE
FLAGS += $(call try,-march=native)
endif
ifneq ($(OMP),0)
OPENMP := $(call try,-fopenmp,$(HASH)include <omp.h>)
ifeq ($(OPENMP),)
OPENMP := $(call try,-Xpreprocessor -fopenmp -lomp,$(HASH)include <omp.h>)
endif
FLAGS += $(OPENMP)
endif

all: pref pref_onpolicy

pref: pref.c
	$(CC) $(CFLAGS) $(FLAGS) $< -o $@ -lm

pref_onpolicy: pref.c
	$(CC) $(CFLAGS) $(FLAGS) -DON_POLICY $< -o $@ -lm

TEST_SOURCES = test_pref.c pref.c dev/oracle.h
test_float: $(TEST_SOURCES)
	$(CC) $(CFLAGS) $(FLAGS) $< -o $@ -lm

test_double: $(TEST_SOURCES)
	$(CC) $(CFLAGS) $(FLAGS) -DREAL=double $< -o $@ -lm

test: pref pref_onpolicy test_double test_float
	./test_double
	./test_float

debug: pref.c
	$(CC) -O0 -g $(WARN) $< -o pref_debug -lm
	$(CC) -O0 -g $(WARN) -DON_POLICY $< -o pref_onpolicy_debug -lm

SANITIZE = -O2 -g $(call try,-march=native) -fsanitize=address,undefined \
	-fno-sanitize-recover=all -fno-omit-frame-pointer
asan: $(TEST_SOURCES)
	$(CC) $(SANITIZE) $(WARN) test_pref.c -o test_asan -lm
	./test_asan

bench: pref
	./pref bench
	./pref bench -L 3 -H 3 -C 48 -V 100 -B 100 -T 10

V = 512
data: dev/stories.c dev/tok.c pref.c
	$(CC) -O2 $(WARN) dev/stories.c -o dev/stories
	$(CC) -O2 $(WARN) -Wno-unused-function dev/tok.c -o dev/tok -lm
ifdef TEXT
	./dev/tok -V $(V) $(TEXT) tinystories_tok.bin
else
	./dev/stories > dev/stories.txt
	./dev/tok -V $(V) dev/stories.txt tinystories_tok.bin
endif

clean:
	rm -f pref pref_onpolicy pref_debug pref_onpolicy_debug test_float test_double test_asan
	rm -f dev/stories dev/tok dev/report dev/stories.txt *.tmp

.PHONY: all test debug asan bench data clean
