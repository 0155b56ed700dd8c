# make            pref, pref_onpolicy (the same file with -DON_POLICY), dev/kl, dev/jsonl, measure
# make grade      the points of each part, and what is wrong; also as grade/results.json
# make grade PART=dpo   the same for one part; PARTS="dpo ppo": for some
# make test       the tests of the whole program, which need all parts
# make values     the program that prints what the grader compares: ./values dpo 1
# make clean

# -fno-trapping-math lets gcc vectorize loops that compare.
NATIVE := $(shell echo 'int main(void) { return 0; }' | \
	$(CC) -march=native -x c - -o /dev/null 2>/dev/null && echo -march=native)
CFLAGS ?= -O2 -g -ftree-vectorize -fno-trapping-math $(NATIVE)
FLAGS = -std=c11 -Wall -Wextra -Wshadow -Wno-unknown-pragmas

PROGRAMS = pref pref_onpolicy measure dev/kl dev/jsonl
all: $(PROGRAMS)

pref: pref.c
	$(CC) $(CFLAGS) $(FLAGS) pref.c -o $@ -lm

pref_onpolicy: pref.c
	$(CC) $(CFLAGS) $(FLAGS) -DON_POLICY pref.c -o $@ -lm

measure: dev/measure.c pref.c
	$(CC) $(CFLAGS) $(FLAGS) dev/measure.c -o $@ -lm

dev/kl: dev/kl.c
	$(CC) $(CFLAGS) $(FLAGS) dev/kl.c -o $@ -lm

dev/jsonl: dev/jsonl.c pref.c
	$(CC) $(CFLAGS) $(FLAGS) dev/jsonl.c -o $@ -lm

TEST_SOURCES = test_pref.c pref.c dev/measure.c dev/kl.c dev/oracle.h
test_double: $(TEST_SOURCES)
	$(CC) $(CFLAGS) $(FLAGS) -DREAL=double test_pref.c -o $@ -lm

test_float: $(TEST_SOURCES)
	$(CC) $(CFLAGS) $(FLAGS) test_pref.c -o $@ -lm

test: all test_double test_float
	./test_double
	./test_float

grade:
	@CC="$(CC)" PARTS="$(PART) $(PARTS)" sh grade/grade.sh grade/handed . grade/results.json || \
		[ $$? = 1 ]  # that points are missing is no error of make's

values: CFLAGS = -O0 -g
values: grade/driver.c pref.c dev/kl.c
	$(CC) $(CFLAGS) $(FLAGS) -DREAL=double -DPART_KL -I. -Idev grade/driver.c -o $@ -lm

clean:
	rm -f $(PROGRAMS) test_double test_float values

.PHONY: all test grade clean
