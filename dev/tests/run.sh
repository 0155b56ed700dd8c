#!/bin/sh
# Tests run.sh: its list of commands, and then, in a folder whose name has a space and with a
# stand-in for the programs, what is run, run again, stopped and continued. The stand-in writes the
# files that it is asked for and obeys two files, each with a part of a command line in it: `fail`,
# and `slow` (it waits until there is a file `go`).
. "$(dirname "$0")/lib.sh"
unset OMP_NUM_THREADS MAKEFLAGS CC
tab=$(printf '\t')

place="$scratch/a folder"
mkdir -p "$place/dev" "$place/bin"
cp run.sh pref.c tinystories_tok.bin "$place"
cp dev/experiments.sh dev/measure.c dev/kl.c "$place/dev"
cd "$place" || exit 1

# --- the list: names as in dev/report.c, every command complete ---------------------------------------

# names FOLDER SIDES METHODS TASKS OPTIONS: the logs of runs with every combination, on seed 11
names() {
    for n_side in $2; do
        for n_method in $3; do
            for n_task in $4; do
                for n_option in $5; do echo "out/$1/${n_side}_${n_method}_$n_task${n_option#.}_s11.csv"; done
            done
        done
    done
}
bandit_names() {
    names "$1" "on off" "bon rwr dpo ppo" "r1 r2" .                                 # C1, C2
    names "$1" on "bon rwr dpo" "r1 r2" _collect200
    names "$1" on "bon rwr dpo" r1 "_collect20 _collect50"                          # C3
    for reuse in . _reuse2 _reuse5 _reuse10 _reuse20 _reuse50; do                   # C4
        names "$1" on "bon ppo dpo" r1 _queries2000${reuse#.}
    done
    names "$1" off "ipo pref-ft" "r1 r2" .                                          # C5
    names "$1" off "bon rwr dpo ipo pref-ft" "r1 r2" _len1                          # C5b
    names "$1" off bon r1 "_push-worst0.1 _push-worst1"                             # C5c
    names "$1" "on off" dpo r1 "_neg0 _reuse10 _neg0_reuse10"                       # C6
    for reuse in 200 50 10 2; do                                                    # C7
        names "$1" off "dpo ipo pref-ft" r1 "_batch5_reuse$reuse _len1_batch5_reuse$reuse"
    done
}
lm_names() {
    names "$1" "on off" "rwr bon ppo dpo" "min skew mode" .                         # L1
    l2_methods="ppo rwr bon"
    [ "$1" != lm_x3 ] && [ "$1" != lm_best ] || l2_methods=ppo
    names "$1" on "$l2_methods" min \
        "_queries1600 _queries1600_reuse2 _queries1600_reuse4 _queries1600_reuse8"  # L2
    names "$1" file "dpo ipo pref-ft rwr" "min mode" .                              # L3
    names "$1" file dpo skew .                                                      # L4
}
made_in() {  # made_in FOLDER: what list makes there for seed 11 by training
    sed -n "s|^\(out/$1/[^:]*_s11.csv\): .*|\1|p" "$scratch/list" | grep -v '/rm_\|\.eval\|\.hist\|_noisy\|_kl' |
        sort
}
sh run.sh list full > "$scratch/list"
for folder in bandit bandit_x3 bandit_best; do
    same "the runs in $folder" "$(made_in $folder)" "$(bandit_names $folder | sort)"
done
for folder in lm lm_x3 lm_best; do
    same "the runs in $folder" "$(made_in $folder)" "$(lm_names $folder | sort)"
done
# counted WHAT PATTERN NUMBER: so many targets in the list
counted() { same "$1" "$(grep -c "^out/$2: " "$scratch/list")" "$3"; }
targets() { sh run.sh list "$@" | grep -c "^$tab"; }
counted "runs on each seed" 'bandit_x3/.*_s1[1-5].csv' $((5 * $(bandit_names . | grep -c .)))
counted "runs on each seed" 'lm_best/.*_s1[1-5].csv' $((5 * $(lm_names lm_best | grep -c .)))
counted "references" 'bandit/ref\(_len1\)*_s1[1-5].bin' 10
counted "push-worst on other seeds" 'bandit/off_bon_r1_push-worst[01.]*_s10[123].csv' 6
counted "pairs" 'lm/\(min\|skew\|mode\|noisy\)_s1[1-5].tsv' 20
counted "reward models" 'lm/rm_\(min\|skew\|mode\|noisy\)_s1[1-5].csv' 20
counted "evaluations" 'lm/\(reference\|[a-z]*_[-a-z]*_mode\(_kl0.1\)*\)_s1[1-5].eval.csv' 85
counted "token shares" 'bandit/.*_s11.hist.csv' 7
counted "lengths" 'lm/.*_s11.hist.csv' 8
counted "beyond" 'lm/on_[a-z]*_mode_\(noisy\|kl0.1\)_s1[1-5].csv' 30
counted "all" '[^:]*' 2169
same "the core" "$(targets)" 101
same "bandit" "$(targets bandit)" 101
same "the sweep" "$(targets sweep)" 970
same "two seeds" "$(targets kl sweep --seeds 2)" $((1 + 1 + 2 * (970 - 1) / 3))
same "further rates" "$(targets bandit --rates)" $((101 + 2 * 92))
same "one further rate" "$(targets lm x3)" $((1 + 6 + 45 + 37 + 8))
same "commands run at once" "$(sh run.sh list full sweep | sed -n 's/^\(out[^:]*\): .*/\1/p' | uniq -d)" ""
sh run.sh list full sweep > "$scratch/list"
# line COMMAND: it is in the list. Without a `>` in it, its last word stands for what all have there.
line() {
    log=${1##* }
    case $1 in *' > '*) ;; *)
        set -- "OMP_NUM_THREADS=1 ${1% *} --log $log.part > ${log%.csv}.txt && mv $log.part $log" ;;
    esac
    if grep -qFx "$tab$1" "$scratch/list"; then pass; else fail "not in the list: $1"; fi
}
line "GOMP_SPINCOUNT=1000 ./pref sft -o out/sft.bin --log out/sft.csv.part > out/sft.txt && mv out/sft.csv.part out/sft.csv"
line "dev/kl --log out/kl.csv.part > out/kl.txt && mv out/kl.csv.part out/kl.csv"
b=out/bandit l=out/lm
line "OMP_NUM_THREADS=1 ./pref sft --task bandit --len 1 --seed 12 -o $b/ref_len1_s12.bin > $b/ref_len1_s12.txt"
line "./pref_onpolicy tune --method dpo --task r1 -m $b/ref_s11.bin --seed 11 -o $b/on_dpo_r1_s11.bin $b/on_dpo_r1_s11.csv"
line "./pref tune --method bon --task r1 -m $b/ref_s102.bin --seed 102 --push-worst 0.1 $b/off_bon_r1_push-worst0.1_s102.csv"
line "./pref_onpolicy tune --method ppo --task r1 -m $b/ref_s13.bin --seed 13 --queries 2000 --reuse 5 --eval-every 5 $b/on_ppo_r1_queries2000_reuse5_s13.csv"
line "./pref tune --method ipo --task r1 -m $b/ref_len1_s15.bin --seed 15 --len 1 --batch 5 --reuse 50 --lr 3e-3 ${b}_x3/off_ipo_r1_len1_batch5_reuse50_s15.csv"
line "OMP_NUM_THREADS=1 ./pref pairs -m out/sft.bin --task mode -n 80 --label-noise 0.3 --seed 11 -o $l/noisy_s11.tsv > $l/noisy_s11.txt"
line "./pref rm -m out/sft.bin --pairs $l/min_s11.tsv --steps 600 --seed 11 -o $l/rm_min_s11.bin $l/rm_min_s11.csv"
line "./pref_onpolicy tune --method rwr --task min -m out/sft.bin --rm $l/rm_min_s11.bin --seed 11 --queries 1600 --eval-every 1 $l/on_rwr_min_queries1600_s11.csv"
line "./pref tune --method dpo --task skew -m out/sft.bin --pairs $l/skew_s14.tsv --seed 14 --lr 3e-4 ${l}_x3/file_dpo_skew_s14.csv"
line "./pref_onpolicy tune --method ppo --task mode -m out/sft.bin --rm $l/rm_noisy_s11.bin --seed 11 --steps 200 --lr 3e-4 $l/on_ppo_mode_noisy_s11.csv"
line "./pref_onpolicy tune --method bon --task mode -m out/sft.bin --rm $l/rm_mode_s11.bin --seed 11 --kl 0.1 -o $l/on_bon_mode_kl0.1_s11.bin $l/on_bon_mode_kl0.1_s11.csv"
line "./measure eval -m out/sft.bin --ref out/sft.bin --task mode -n 2000 --count dog,cat --seed 11 $l/reference_s11.eval.csv"
line "OMP_NUM_THREADS=1 ./measure hist -m $l/file_dpo_min_s11.bin --task min --seed 11 > $l/file_dpo_min_s11.hist.csv.part && mv $l/file_dpo_min_s11.hist.csv.part $l/file_dpo_min_s11.hist.csv"
line "./pref tune --method rwr --task r2 -m $b/ref_len1_s101.bin --seed 101 --len 1 --lr 1e-2 out/sweep_bandit/off_rwr_r2_len1_lr1e-2_s101.csv"
line "./pref_onpolicy tune --method bon --task skew -m out/sft.bin --rm $l/rm_skew_s103.bin --seed 103 --lr 3e-4 out/sweep_lm/on_bon_skew_lr3e-4_s103.csv"
same "what list leaves behind" "$(ls)" "$(printf '%s\n' bin dev pref.c run.sh tinystories_tok.bin)"

# --- what is asked for wrongly ------------------------------------------------------------------------

for wrong in "--seeds 0" "--seeds x" "--seeds" "--seeds 91" "-j 0" "-j" "-j 1.5"; do
    says 2 "expected a number" sh ./run.sh $wrong
done
says 2 "unknown word 'bandits'; there are bandit lm kl beyond full sweep list" sh ./run.sh bandits
says 0 "./run.sh sweep" sh ./run.sh -h

# --- the stand-in ---------------------------------------------------------------------------------------

cat > Makefile << 'END'
all: pref pref_onpolicy measure dev/kl dev/report
pref pref_onpolicy measure dev/kl dev/report: stand_in pref.c dev/measure.c dev/kl.c
	@cp stand_in $@
END
cat > stand_in << 'END'
#!/bin/sh
obeys() { [ -e "$1" ] && case $command in *"$(cat "$1")"*) return 0 ;; esac; return 1; }
command="${0##*/} $*"
case $command in
    report*) echo "a claim: $command"; exit ;;
    *out/.lock*) exit ;;
esac
echo "$command" >> ran
while [ $# -gt 0 ]; do
    case $1 in -o | --log) echo "$command" > "$2" ;; esac
    shift
done
if obeys slow; then
    echo "$command" >> waits
    tries=0
    until [ -e go ] || [ $tries = 500 ]; do sleep 0.05; tries=$((tries + 1)); done
    echo "$command" >> survivors
fi
! obeys fail || { echo "it went wrong" >&2; exit 1; }
echo "a table: $command"
END
printf '#!/bin/sh\necho "${OMP_NUM_THREADS:-3}"\n' > bin/nproc
printf '#!/bin/sh\necho "$*" >> make_got\nexec %s "$@"\n' "$(command -v make)" > bin/make
chmod +x stand_in bin/*
PATH="$place/bin:$PATH"
export PATH

poll() {  # poll COMMAND...: wait until it succeeds, 20 s at most
    rounds=0
    until "$@" > "$scratch/polled" 2>&1; do
        rounds=$((rounds + 1))
        [ $rounds -lt 400 ] || { fail "waited in vain: $*"; return 1; }
        sleep 0.05
    done
}
# ran NUMBER WHAT [PATTERN]: so many commands were run since the last time, and all have the pattern
ran() {
    same "commands run: $2" "$(awk 'END { print NR }' ran)" "$1"
    same "others that were run: $2" "$(grep -v -e "${3-}" ran | head -n 3)" ""
    : > ran
}
told() {  # told PATTERN: what `says` has just seen
    if grep -q "$1" "$scratch/said"; then pass; else fail "expected to see: $1" "$scratch/said"; fi
}
told_no() { same "not told: $1" "$(grep -c "$1" "$scratch/said")" 0; }
tidy() { same "left over: $1" "$(find . -name '*.part' -o -name .lock)" ""; }
: > ran

# --- what is run, and what of it is run again -----------------------------------------------------------

says 0 "run.sh: 101 commands on 3 cores (story 1, references 2, pairs 2, reward models 2, runs 87, evaluations 7), about 1 s" env OMP_NUM_THREADS=1 sh ./run.sh
told "^a claim: report out$"
same "cores, whatever OMP_NUM_THREADS" "$(grep -c -- '-j 3 ' make_got)" 1
ran 101 "the core"
tidy "a run"
same "no progress in a pipe" "$(grep -c 'done' "$scratch/said")" 0
sh run.sh list | sed -n 's/^\(out[^:]*\): .*/\1/p' | while read -r file; do [ -e "$file" ] || echo "$file"; done \
    > "$scratch/missing"
same "results that are missing" "$(cat "$scratch/missing")" ""
says 0 "run.sh: all results are there" sh ./run.sh -j 2
told_no removes
ran 0 "nothing again"
rm out/lm/rm_min_s11.bin
says 0 "a claim" sh ./run.sh
ran 9 "a lost model" "min_s11"
echo "another" > tinystories_tok.bin
says 0 "a claim" sh ./run.sh
ran 23 "other stories" "out/sft.bin"
touch pref.c dev/*.c
says 0 "a claim" sh ./run.sh bandit
ran 24 "what the core has not; files touched" "collect[25]0\\|queries2000"

# edit WHAT SCRIPT NUMBER [PATTERN]: after this change of pref.c so many commands are run
edit() {
    sed "$2" pref.c > changed.c
    ! cmp -s changed.c pref.c || fail "$1: the test changes nothing"
    mv changed.c pref.c
    says 0 "a claim" sh ./run.sh bandit
    ran "$3" "$1" "${4-}"
}
edit "comments and white space" '/^static double loss_ipo/,/^}/s|^    |&  |; s|^// IPO .*|// Another|' 0
edit "the loss of ipo" '/^static double loss_ipo/,/^}/s|1 /|2 /|' 12 "method ipo"
told "^run.sh: removes 12 results of other code, commands or inputs$"
if command -v clang > /dev/null; then
    says 0 "a claim" env CC=clang sh ./run.sh bandit
    ran 0 "another compiler"
fi
edit "Adam" 's/0\.999/0.998/' 101
echo "int other;" >> dev/measure.c
says 0 "a claim" sh ./run.sh bandit
ran 7 "measure" "^measure hist"
echo "int other;" >> dev/kl.c
says 0 "a claim" sh ./run.sh kl
ran 1 "kl" "^kl "
says 0 "a claim" sh ./run.sh bandit best
ran 92 "the best rates"
same "rates without dev/rates.txt" "$(cat out/*_best/*.csv | grep -c -e --lr)" 0
echo "bandit off ipo r1_len1 3e-3  # by the sweep" > dev/rates.txt
says 0 "a claim" sh ./run.sh bandit best
ran 5 "a rate" "--method ipo --task r1 .* --len 1 .*--lr 3e-3 "
told_no "no rates of stories"
says 0 "a claim" sh ./run.sh lm best
told "^run.sh: note: dev/rates.txt has no rates of stories"
echo "lm on dpo min 3e-4" >> dev/rates.txt
says 0 "a claim" sh ./run.sh lm best
told_no "no rates of stories"
: > ran
rm out/kl.txt
says 0 "a claim" sh ./run.sh kl
ran 1 "a lost table"

# --- commands that fail ---------------------------------------------------------------------------------

rm -rf out
echo "tune --method ipo --task r1 -m out/bandit/ref_s11.bin --seed 11 --log" > fail
says 1 "failed: out/bandit/off_ipo_r1_s11.csv" sh ./run.sh bandit
told "^it went wrong$"
told "failed: 1; not run without their results: 0. The same"
same "its result" "$(ls out/bandit/off_ipo_r1_s11.csv 2> /dev/null)" ""
ran 101 "all were tried"
tidy "a failure"
rm fail
says 0 "a claim" sh ./run.sh bandit
ran 1 "what had failed"
echo "sft -o" > fail
says 1 "failed: 1; not run without their results: 59" sh ./run.sh lm
ran 1 "nothing without the model"

sed '/^static double loss_ipo/,/^}/s|2 /|3 /|' pref.c > changed.c  # an old program's results
echo "--method ipo" > fail                                        # go even if the new one fails
mv changed.c pref.c
says 1 "failed: 12; not" sh ./run.sh bandit
same "results of the old program" "$(ls out/*/*_ipo_*.csv 2> /dev/null)" ""
rm fail
mv tinystories_tok.bin away
says 1 "tinystories_tok.bin is missing" sh ./run.sh kl
mv away tinystories_tok.bin
says 1 "no C compiler: 'no_such_cc'" env CC=no_such_cc sh ./run.sh kl

# --- the makefile alone ---------------------------------------------------------------------------------

rm -rf out
: > ran
sh run.sh list bandit > list.mk
make -s -f list.mk references > "$scratch/said" 2>&1
ran 2 "a phase" "^pref sft"
holds "the next phase can be printed" [ "$(make -s -n -f list.mk runs | grep -c tune)" = 92 ]
make -s -j 3 -f list.mk > "$scratch/said" 2>&1
ran 99 "the rest"
sleep 1
touch pref.c
says 2 "pref is missing or older than pref.c: run make first" make -f list.mk
says 2 "pref is missing or older" env problem=none make -f list.mk  # the environment hides nothing
make all > "$scratch/said"

# --- killed, stopped, two at once -----------------------------------------------------------------------

# start WORD...: run.sh in the background, where Ctrl-C would be ignored, so it gets SIGTERM here
start() {
    rm -f waits go
    sh ./run.sh "$@" > "$scratch/told" 2>&1 < /dev/null &
    runner=$!
    poll test -s waits
}
alone() {  # alone HOW: none of the commands that had been waiting is alive
    touch go
    sleep 0.2
    same "commands that survived $1" "$(cat survivors 2> /dev/null)" ""
    rm -f go survivors
}
stopped() {  # stopped STATUS HOW
    wait $runner
    same "status after $2" "$?" "$1"
    holds "what is said after $2" grep -q 'stopped; the same command continues' "$scratch/told"
    tidy "$2"
    alone "$2"
}
rm -f out/bandit/*bon*.csv
echo "--method bon" > slow
ignored() {  # is signal $1 ignored here, as HUP is under nohup? Then run.sh ignores it, too
    { sh -c "kill -$1 \$\$; echo ignored" | grep -q ignored; } 2> /dev/null || return 1
    echo "run: $1 is ignored here, so it is not tested"
}
for signal in TERM HUP; do
    ! ignored $signal || continue
    start bandit
    begin=$(date +%s)
    kill -$signal $runner
    stopped 130 $signal
    holds "seconds until it had stopped after $signal" [ $(($(date +%s) - begin)) -lt 3 ]
done
start bandit  # what is edited and built during a run has to wait for the next one
sed '/^static double loss_ipo/,/^}/s|3 /|4 /|' pref.c > changed.c
mv changed.c pref.c
make -s all
touch go
wait $runner
same "status after an edit during the run" "$?" 0
rm -f slow go survivors
: > ran
says 0 "a claim" sh ./run.sh bandit
ran 12 "what was edited during the run" "method ipo"
rm -f out/bandit/*bon*.csv
echo "--method bon" > slow
start bandit
says 1 "another run.sh is at work in this folder: process $runner" sh ./run.sh kl
kill -9 $runner
wait $runner 2> /dev/null
rm slow
: > ran
says 0 "a claim" sh ./run.sh bandit  # ends what the killed one has left
tidy "kill -9 of run.sh"
alone "kill -9 of run.sh"
same "results cut short by kill -9" "$(grep -L . out/bandit/*.csv)" ""
says 0 "run.sh: all results are there" sh ./run.sh bandit
rm -f out/bandit/off_bon_r1_s11.csv
echo "--method bon" > slow
start bandit
: > ran
kill -9 $(ps -A -o pid= -o args= | awk '/[p]ref tune --method bon --task r1 .*off_bon_r1_s11/ { print $1 }')
wait $runner
same "status after kill -9 of a command" "$?" 1
rm slow
same "its result" "$(ls out/bandit/off_bon_r1_s11.csv 2> /dev/null)" ""
says 0 "a claim" sh ./run.sh bandit
ran 2 "what was killed, and its histogram" "off_bon_r1"
sleep 30 &
for holder in "$(sh -c 'echo $$')" $!; do  # of a dead process, and of one that is not run.sh
    mkdir out/.lock
    echo "$holder" > out/.lock/pid
    echo half > out/bandit/x.csv.part
    says 0 "run.sh: all results are there" sh ./run.sh bandit
    tidy "a stale lock"
done
kill $!

# --- on a terminal: Ctrl-C and progress -----------------------------------------------------------------

if ! ignored INT && script -qec true /dev/null > /dev/null 2>&1 < /dev/null; then
    rm -f out/bandit/*bon* waits
    echo "--method bon" > slow
    : > "$scratch/told"
    # The shell that script starts is interrupted, too, and must live on to print the status.
    { poll test -s waits; sleep 0.7; printf '\003'; poll grep -q '^status' "$scratch/told"; } |
        script -qec 'trap : INT; sh ./run.sh bandit -j 2 || echo "status $?"' /dev/null > "$scratch/told"
    tr '\r' '\n' < "$scratch/told" > "$scratch/said"
    for words in '^[0-9]* of [0-9]* done, about [0-9]* s left; now .*_bon_r' 'status 130' \
            'run.sh: stopped; the same command continues'; do
        if grep -q "$words" "$scratch/said"; then pass; else fail "on a terminal: $words" "$scratch/said"; fi
    done
    tidy "Ctrl-C"
    alone "Ctrl-C"
    rm slow
    says 0 "a claim" sh ./run.sh bandit
else
    echo "run: nothing is tested on a terminal; that needs script(1)"
fi

finish run
