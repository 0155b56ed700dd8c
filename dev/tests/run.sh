#!/bin/sh
# Tests run.sh with a stand-in for the programs, which writes what it is told to, in a folder whose
# name has a space. The stand-in obeys files in that folder, each with a part of a command line in
# it: `fail`, `full` (the disk is), `partial` (a product stays away), `slow` (it waits for `go`).
. "$(dirname "$0")/lib.sh"

folder="$scratch/a folder"
mkdir -p "$folder/dev" "$folder/bin"
sh run.sh list full > "$scratch/full"
# fewer methods and tasks, so that a run with the stand-in takes no time
sed 's/ in rwr bon dpo reinforce ppo;/ in dpo;/; s/ in dpo bon rwr ppo;/ in dpo;/
    s/ in bon reinforce ppo dpo;/ in dpo;/; s/ in bon rwr dpo;/ in dpo;/; s/ in r1 r2;/ in r1;/
    s/ in 20 50 100 200 500;/ in 20;/; s/ in 1 2 5 20 50;/ in 2;/' run.sh > "$folder/run.sh"
cd "$folder" || exit 1

cat > pref.c << 'END'
// A program.
#ifdef ON_POLICY
int main(void) { return 2; }  // fresh
#else
int main(void) { return 1; }  /* fixed */
#endif
END
echo "int main(void) { return 0; }" > dev/measure.c
cp dev/measure.c dev/kl.c
echo "tokens" > tinystories_tok.bin
cat > Makefile << 'END'
all: pref pref_onpolicy measure dev/kl
	@[ ! -e slow_make ] || { echo make > waits; sleep 30; }
pref pref_onpolicy measure dev/kl dev/report: stand_in pref.c
	cp stand_in $@
END
cat > stand_in << 'END'
#!/bin/sh
obeys() { [ -e "$1" ] && case $command in *"$(cat "$1")"*) return 0 ;; esac; return 1; }
command="${0##*/} $*"
case $command in report*) cat report_says; exit ;; esac
echo "$command" >> ran
last=''
while [ $# -gt 0 ]; do
    case $1 in -o | --log) echo half > "$2"; last=$2 ;; esac
    shift
done
if obeys slow; then
    echo "$command" >> waits
    tries=0
    until [ -e go ] || [ $tries = 1000 ]; do sleep 0.02; tries=$((tries + 1)); done
    [ -e go ] || echo "$command" >> waited_in_vain
fi
! obeys fail || { echo "it went wrong" >&2; exit 1; }
! obeys full || { echo "cannot write: No space left on device" >&2; exit 1; }
set -- $command
while [ $# -gt 0 ]; do
    case $1 in -o | --log) cat pref_writes > "$2" ;; esac
    shift
done
! obeys partial || rm "$last"
echo "a table: $command"
END
chmod +x stand_in
echo "a claim" > report_says
echo "whole" > pref_writes

# What run.sh asks of its surroundings: how many cores there are, and how many jobs xargs starts.
cat > bin/nproc << 'END'
#!/bin/sh
echo "${OMP_NUM_THREADS:-3}"
END
cat > bin/xargs << END
#!/bin/sh
echo "\$*" >> xargs_got
exec $(command -v xargs) "\$@"
END
chmod +x bin/nproc bin/xargs
PATH="$folder/bin:$PATH"
export PATH
unset OMP_NUM_THREADS CC

# poll COMMAND...: wait until it succeeds, 20 s at most
poll() {
    rounds=0
    until "$@" > "$scratch/polled" 2>&1; do
        rounds=$((rounds + 1))
        [ $rounds -lt 1000 ] || { fail "waited in vain: $*"; return 1; }
        sleep 0.02
    done
}
lines() { cat "$@" 2> /dev/null | awk 'END { print NR }'; }
one_line() { same "$1: lines" "$(lines "$scratch/said")" 1; }
state() { find out -type f -exec cksum {} + | sort | cksum; }
# ran COUNT WHAT: so many commands were run since the last time
ran() {
    same "commands run: $2" "$(lines ran)" "$1"
    rm -f ran
}
tidy() {  # tidy WHAT: nothing half made is left
    same "left over: $1" "$(find . -name '*.part*'; ls -d out/.run 2> /dev/null)" ""
    same "half made: $1" "$(grep -rl 'half\|\.part' out)" ""
}
# start ARGUMENTS...: run.sh in the background; `ended` ends when all that it started has ended
start() {
    rm -f waits go status
    { sh ./run.sh "$@"; echo $? > status; } 2>&1 < /dev/null | cat > "$scratch/told" &
    ended=$!
}
waits() { [ "$(lines waits)" -ge "$1" ]; }
running() { cat out/.run/pid; }

# --- what is asked for wrongly -------------------------------------------------------------------

for wrong in "--seeds 0" "--seeds x" "--seeds" "--seeds 1000" "-j 0" "-j" "-j 1.5"; do
    says 2 "expected a number" sh ./run.sh $wrong
    one_line "$wrong"
done
says 2 "unknown word 'bandits'" sh ./run.sh bandits
one_line "an unknown word"
says 1 "no C compiler: 'no_such_cc'" env CC=no_such_cc sh ./run.sh kl
one_line "no compiler"
mv tinystories_tok.bin away
says 1 "tinystories_tok.bin is missing" sh ./run.sh kl
one_line "no tokenizer"
mv away tinystories_tok.bin
same "after wrong usage" "$(ls)" "$(printf '%s\n' Makefile bin dev pref.c pref_writes report_says \
    run.sh stand_in tinystories_tok.bin)"

holds "list full has more than 400 lines" [ "$(lines "$scratch/full")" -gt 400 ]
same "lines of list that are no command" \
    "$(grep -Ev '^(mkdir -p |# wait$|dev/kl |env [A-Z_]*=[0-9]* \./[a-z_]* )' "$scratch/full" |
        head -n 3)" ""
holds "list names what it makes" grep -q '^dev/kl --log out/kl.csv > out/kl.txt$' \
    "$scratch/full"

# --- a run, and what of it is made again ---------------------------------------------------------

says 0 "./run.sh full" env OMP_NUM_THREADS=1 sh ./run.sh
same "cores, whatever OMP_NUM_THREADS" "$(sed -n '2s/.*-P \([0-9]*\) .*/\1/p' xargs_got)" 3
tidy "a run"
sh ./run.sh list > "$scratch/list"
ran $(($(grep -cv '^mkdir\|^#' "$scratch/list") + 1)) "all, and a sample"
tr ' ' '\n' < "$scratch/list" | grep '^out/.*\.' | sort -u | grep -v '^out/bandit/ref_s1.bin$' |
    while read -r file; do [ -e "$file" ] || echo "$file"; done > "$scratch/missing"
same "products that are missing" "$(cat "$scratch/missing")" ""

rm ran xargs_got 2> /dev/null
echo "five seeds decide" > report_says
says 0 "five seeds decide" sh ./run.sh -j 2
same "no second word on five seeds" "$(grep -c 'five seeds' "$scratch/said")" 1
ran 1 "nothing anew but the sample"
echo "a claim" > report_says

rm out/kl.txt
says 0 "a claim" sh ./run.sh kl -j 2
ran 1 "a table was lost"
same "-j 2" "$(sed 's/.*-P \([0-9]*\) .*/\1/' xargs_got)" 2
rm out/bandit/off_dpo_r1_s1.hist.csv out/bandit/ref_s1.bin
says 0 "a claim" sh ./run.sh
ran 3 "a histogram and a reference were lost"

# --- commands that fail --------------------------------------------------------------------------

rm out/kl.*
echo "kl --log" > fail
says 1 "failed: dev/kl --log out/kl.csv > out/kl.txt: it went wrong" sh ./run.sh bandit kl
holds "one failure does not stop the others" [ -e out/bandit/on_dpo_r1_collect20_s1.csv ]
same "what failed left" "$(ls out/kl.* 2> /dev/null)" ""
tidy "a failure"
mv fail partial
says 1 "it did not make out/kl.csv" sh ./run.sh kl
tidy "a product that stayed away"
rm -f ran partial
says 0 "a claim" sh ./run.sh kl
ran 1 "what had failed"

echo "sft -o" > fail
says 1 "failed, or lacks what failed" sh ./run.sh --anew
same "a failure is said once" "$(grep -c 'it went wrong' "$scratch/said")" 1
holds "what does not need the model" [ -e out/bandit/on_dpo_r1_s1.csv ]
same "what needs it" "$(ls out/lm)" ""
rm -rf fail out.old* out
echo "tune" > full
says 1 "No space left on device" sh ./run.sh bandit
same "a full disk is said once" "$(grep -c 'No space' "$scratch/said")" 1
tidy "a full disk"
rm -f full ran
says 0 "a claim" sh ./run.sh bandit
tidy "after a full disk"
rm -f ran

# --- run.sh is killed, or there are two ----------------------------------------------------------

rm -rf out
echo "sft --task bandit" > slow
start bandit --seeds 2 -j 1
poll waits 1
kill -9 "$(running)"
touch go
wait $ended
ran 1 "none after kill -9"
start bandit --seeds 2 -j 1
poll waits 1
kill -9 "$(running)"
rm slow
says 0 "a claim" sh ./run.sh bandit --seeds 2
wait $ended
same "what the killed one left was ended" "$(cat waited_in_vain 2> /dev/null)" ""
tidy "kill -9"
holds "the interrupted run was made" [ -e out/bandit/ref_s2.bin ]
rm -f ran
says 0 "a claim" sh ./run.sh bandit --seeds 2
ran 0 "all was made already"

echo "kl --log" > slow
start kl
poll waits 1
says 1 "another run.sh is at work in this folder: process $(running)" sh ./run.sh bandit
one_line "two at once"
touch go
wait $ended
same "the first of two" "$(cat status)" 0
tidy "two at once"

mkdir out/.run
sh -c 'echo $$' > out/.run/pid
says 0 "a claim" sh ./run.sh kl
sleep 60 &
mkdir out/.run
echo $! > out/.run/pid
says 0 "a claim" sh ./run.sh kl
kill $!
mkdir out/.run
echo half > out/bandit/on_dpo_r1_s1.csv.part
says 0 "a claim" sh ./run.sh kl
tidy "stale locks, and what was killed with its job"

# --- signals -------------------------------------------------------------------------------------

stopped() {  # stopped HOW: kl was, and nothing of it is left; then the same command continues
    same "status after $1" "$(cat status)" 130
    holds "what is said after $1" grep -q 'stopped; the same command continues' "$scratch/told"
    same "left after $1" "$(ls out/kl.* 2> /dev/null)" ""
    tidy "$1"
    touch go
    says 0 "a claim" sh ./run.sh kl
    tidy "$1, continued"
    rm -f out/kl.* waits go
}
ignored() {  # is signal $1 ignored here? Then run.sh would, too (nohup, a script's background)
    { sh -c "kill -$1 \$\$; echo ignored" | grep -q ignored; } 2> /dev/null || return 1
    echo "run: $1 is ignored here, so it is not tested"
}
rm -f out/kl.* waits go
for signal in TERM HUP; do
    ! ignored $signal || continue
    start kl
    poll waits 1
    kill -$signal "$(running)"
    wait $ended
    stopped $signal
done
rm slow
touch slow_make
start kl
poll waits 1
kill -TERM "$(running)"
wait $ended
rm slow_make
stopped "TERM while it compiles"
echo "kl --log" > slow
if ! ignored INT; then
    (poll waits 1; kill -INT "$(running)") &  # what is in the foreground does not ignore it
    sh ./run.sh kl > "$scratch/told" 2>&1
    echo $? > status
    stopped INT
    if command -v bash > /dev/null; then  # Ctrl-C goes to all processes of a group
        (poll waits 1; kill -s INT -- "-$(running)") &
        bash -c 'set -m; sh ./run.sh kl & wait $!; echo $? > status' \
            > "$scratch/told" 2>&1 < /dev/null
        stopped "Ctrl-C"
    fi
fi
rm slow

# --- another program, tokenizer or model ---------------------------------------------------------

# refused WHAT: one line says so, and nothing is touched
refused() {
    before=$(state)
    says 1 "out/ has results of another $1; put that back, or begin anew: './run.sh --anew'" \
        sh ./run.sh
    one_line "another $1"
    same "what is in out/ after another $1" "$(state)" "$before"
    tidy "another $1"
}
says 0 "a claim" sh ./run.sh
rm -f ran
cp pref.c first.c
sed 's/A program/The program/; s/fresh/new/; s/^int/  int/' first.c > pref.c
says 0 "a claim" sh ./run.sh
for cc in gcc clang; do
    if command -v $cc > /dev/null; then says 0 "a claim" env CC=$cc sh ./run.sh kl; fi
done
ran 1 "nothing for a comment, but the sample"
for code in 's/return 2/return 3/' 's/return 1/return 3/'; do
    sed "$code" first.c > pref.c
    refused pref.c
done
cp tinystories_tok.bin first.bin
echo "others" > tinystories_tok.bin
refused "pref.c and tinystories_tok.bin"
cp first.c pref.c
refused tinystories_tok.bin
mv first.bin tinystories_tok.bin
cp dev/measure.c first_measure.c
echo "int other;" >> dev/measure.c
refused dev/measure.c
mkdir histograms
mv out/bandit/*.hist.csv histograms  # now nothing in out/ was made with it
says 0 "a claim" sh ./run.sh kl
mv first_measure.c dev/measure.c
says 0 "a claim" sh ./run.sh kl
mv histograms/* out/bandit
rmdir histograms
cp dev/kl.c first_kl.c
echo "int other;" >> dev/kl.c
refused dev/kl.c
mv first_kl.c dev/kl.c
cp out/sft.bin first.bin
echo "a better one" > out/sft.bin
refused out/sft.bin
mv first.bin out/sft.bin
rm -f ran
says 0 "a claim" sh ./run.sh
ran 1 "all was put back"

rm out/sft.bin
says 0 "a claim" sh ./run.sh
rm out/sft.bin
echo "otherwise" > pref_writes
says 1 "another out/sft.bin" sh ./run.sh
rm out/lm/*
says 0 "a claim" sh ./run.sh

rm out/made_by
refused "program (there is no out/made_by)"
says 0 "what was in out/ is in out.old-" sh ./run.sh kl --anew
same "the results of before" "$(cat out.old-*/sft.bin)" otherwise
holds "a new out/made_by" grep -q '^pref.c ' out/made_by
tidy "--anew"
rm -rf out out.old*
mkdir out
echo "made by hand" > out/sft.bin
says 0 "a claim" sh ./run.sh

finish run
