#!/bin/sh
# Reproduces the experiments into out/. Needs nothing but a C compiler and make.
#
#   ./run.sh                the story model, the core of both halves (C1, C2, C5 to C7, L1), kl (C8)
#   ./run.sh bandit kl      every claim on the bandit, C1 to C8
#   ./run.sh lm             every claim on stories, L1 to L6
#   ./run.sh full           all of this, with 5 seeds
#   ./run.sh sweep          bandit: every method over learning rates, on seeds that no claim uses
#   ./run.sh sweep-lm       the same on stories
#   ./run.sh list [WORD]    print the commands of all this, one a line, and run nothing
#   ... --seeds N           seeds 1..N (sweep: 101..100+N)
#   ... -j N                on N cores; the default is all of them
#   ... --anew              move out/ aside to out.old-DATE and begin anew
#
# Runs go one to a core. What is there already is not run again, so a run.sh that was stopped
# continues where it was; with another pref.c, tokenizer or story model it does not, lest results of
# two be mixed. For a cluster: `list` prints simple commands for this directory; a line that says
# `# wait` stands before those that read what the lines above it write.

set -u
cd "$(dirname "$0")" || exit 1

# --- the commands: each line is complete; what it makes is what -o, --log and > name --------------

one="env OMP_NUM_THREADS=1"  # most runs are small: one to a core beats all cores on one

story_lines() {  # on all cores. Threads that wait spin; on a busy machine that takes time from the
                 # very thread they wait for, so let them sleep soon.
    echo "env GOMP_SPINCOUNT=1000 ./pref sft -o out/sft.bin --log out/sft.csv > out/sft.txt"
}

reference_lines() {  # the policy that every run of seed $1 starts from
    ref=out/bandit/ref_s$1
    echo "$one ./pref sft --task bandit --seed $1 -o $ref.bin > $ref.txt"
}

# tune BUILD METHOD TASK SEED [OPTIONS that differ from the defaults]: one training run. Its name
# says all of this, so claims that need the same run print the same line, and it runs once.
# BUILD: on; off; pairs, which is off with a file of preference pairs for data.
judge=''  # stories: the reward model, if not the task's own
tune() {
    build=$1 method=$2 task=$3 seed=$4
    shift 4
    name=${build}_${method}_$task
    for option; do
        case $option in --*) name=${name}_${option#--} ;; *) name=$name$option ;; esac
    done
    program=./pref dir=out/bandit every=50 save= from="-m out/bandit/ref_s$seed.bin"
    [ "$build" != on ] || program=./pref_onpolicy
    case $task in min | mode | skew)
        dir=out/lm every=8 from="-m out/sft.bin --rm out/lm/rm_${judge:-$task}_s$seed.bin"
        [ "$build" != pairs ] || from="-m out/sft.bin --pairs out/lm/${task}_s$seed.tsv" ;;
    esac
    case $name in
        *_lr*) dir=out/sweep every=1000 ;;                  # only the end counts
        *_mode | *_mode_kl*) save=" -o out/lm/${name}_s$seed.bin" ;;  # L6 looks at them once more
        *_steps*) every=$((${name##*_steps} / 20)) ;;
        *_dpo_r1 | *_dpo_r1_neg0) every=10 ;;               # C6 asks when a reward was reached
    esac
    name=$name${judge:+_$judge}
    case $name/$seed in                                     # hist_lines looks where the mass went
        off_dpo_r?/1 | off_bon_r?/1 | on_dpo_r?/1) save=" -o $dir/${name}_s$seed.bin" ;;
    esac
    echo "$one $program tune --method $method --task $task" \
        "$from --seed $seed${*:+ $*} --eval-every $every$save" \
        "--log $dir/${name}_s$seed.csv > $dir/${name}_s$seed.txt"
}

core_lines() {  # C1, C2, C5, C6, C7 on seed $1
    for task in r1 r2; do
        for method in dpo bon rwr ppo; do
            tune off $method $task "$1"
            tune on $method $task "$1"
        done
        for method in ipo pref-ft; do tune off $method $task "$1"; done
    done
    for build in off on; do tune $build dpo r1 "$1" --neg 0; done
}

bandit_lines() {  # all claims on the bandit, on seed $1
    core_lines "$1"
    for collect in 20 50 100 200 500; do                    # C3; 10 is the default, 1000 is offline
        for task in r1 r2; do
            for method in bon rwr dpo; do tune on $method $task "$1" --collect $collect; done
        done
    done
    tune on reinforce r1 "$1"
    for reuse in 1 2 5 20 50; do                            # C4; 10 is the default
        for method in bon reinforce ppo dpo; do
            tune on $method r1 "$1" --reuse $reuse --steps $((100 * reuse))
            tune on $method r1 "$1" --reuse $reuse --steps 1000
        done
    done
}

hist_lines() {  # where the mass went: the share of each token, on seed 1, which is drawn
    echo "$one ./measure hist -m out/bandit/ref_s1.bin --task r1 > out/bandit/ref_s1.hist.csv"
    core_lines 1 | sed -n 's/.* --task \(r.\) .* -o \(.*\)\.bin .*/\1 \2/p' |
            while read -r task name; do
        echo "$one ./measure hist -m $name.bin --task $task > $name.hist.csv"
    done
}

# Stories: what comes before tuning. Pairs, then a reward model for each file of them.
pair_lines() {
    for task in $2; do
        file=out/lm/${task}_s$1
        echo "$one ./pref pairs -m out/sft.bin --task $task --seed $1 -o $file.tsv > $file.txt"
    done
}

noisy_pair_lines() {  # L5: three sets of 80 pairs, their labels drawn
    for k in 1 2 3; do
        file=out/lm/noisy${k}_s$1
        echo "$one ./pref pairs -m out/sft.bin --task mode -n 80 --label-noise 0.3" \
            "--seed $((1000 * k + $1)) -o $file.tsv > $file.txt"
    done
}

rm_lines() {
    for name in $2; do
        file=out/lm/rm_${name}_s$1
        echo "$one ./pref rm -m out/sft.bin --pairs out/lm/${name}_s$1.tsv --seed $1" \
            "-o $file.bin > $file.txt"
    done
}

lm_core_lines() {  # L1 on seed $1, on the tasks $2
    for task in $2; do
        for method in rwr bon dpo reinforce ppo; do
            tune off $method "$task" "$1"
            tune on $method "$task" "$1"
        done
    done
}

lm_lines() {  # all claims on stories, on seed $1
    lm_core_lines "$1" "min mode skew"
    for task in min mode skew; do
        for method in dpo ipo pref-ft; do tune pairs $method $task "$1"; done
    done
    for task in min mode; do tune pairs rwr $task "$1"; done  # L3
    for method in ppo rwr bon; do                             # L2
        for collect in 40 160; do tune on $method min "$1" --collect $collect; done
        for reuse in 1 4 8; do tune on $method min "$1" --reuse $reuse; done
    done
    for judge in noisy1 noisy2 noisy3; do                     # L5
        for method in ppo dpo; do tune on $method mode "$1" --steps 160; done
    done
    judge=''
    for method in rwr bon dpo reinforce ppo; do tune on $method mode "$1" --kl 0.1; done
}

count_lines() {  # L6 on seed $1: dogs and cats; of the reference too, which has no reason to drift
    log=out/lm/reference_s$1.eval
    echo "$one ./measure eval -m out/sft.bin --ref out/sft.bin --task mode -n 2000" \
        "--count dog,cat --seed $1 --log $log.csv > $log.txt"
    lm_lines "$1" | sed -n 's/.* -o \(.*\)\.bin .*/\1/p' | while read -r name; do
        echo "$one ./measure eval -m $name.bin --ref out/sft.bin --task mode -n 2000" \
            "--count dog,cat --seed $1 --log $name.eval.csv > $name.eval.txt"
    done
}

sweep_lm_lines() {
    for lr in 1e-4 3e-4 1e-3 3e-3 1e-2; do
        for task in min mode; do
            for method in rwr bon dpo reinforce ppo; do
                for build in off on; do tune $build $method $task "$1" --lr $lr; done
            done
            for method in pref-ft dpo ipo rwr; do tune pairs $method $task "$1" --lr $lr; done
        done
        for method in rwr bon dpo reinforce ppo; do  # L5 and L6 have a KL term, on mode
            tune on $method mode "$1" --kl 0.1 --lr $lr
        done
    done
}

sweep_lines() {
    for lr in 1e-4 3e-4 1e-3 3e-3 1e-2; do
        for method in sft pref-ft bon rwr reinforce ppo dpo ipo; do
            for build in off on; do
                for task in r1 r2; do tune $build $method $task "$1" --lr $lr; done
            done
        done
    done
}

each_seed() {  # $1: what prints the lines of a seed; $2: the first seed; $3: an argument for it
    s=$2
    while [ "$s" -lt $(($2 + seeds)) ]; do
        $1 "$s" "${3-}"
        s=$((s + 1))
    done
}

# All lines of phase $1. A phase starts when the one before has ended.
phase_lines() {
    for word in $words; do
        case $1/$word in
            story/story) story_lines ;;
            first/kl) echo "dev/kl --log out/kl.csv > out/kl.txt" ;;
            first/core | first/bandit) each_seed reference_lines 1 ;;
            first/sweep) each_seed reference_lines 101 ;;
            first/lm_core) each_seed pair_lines 1 "mode min" ;;
            first/lm) each_seed pair_lines 1 "skew mode min"; each_seed noisy_pair_lines 1 ;;
            first/sweep-lm) each_seed pair_lines 101 "mode min" ;;
            second/lm_core) each_seed rm_lines 1 "mode min" ;;
            second/lm) each_seed rm_lines 1 "mode min skew noisy1 noisy2 noisy3" ;;
            second/sweep-lm) each_seed rm_lines 101 "mode min" ;;
            rest/core | rest/bandit | rest/lm) each_seed ${word}_lines 1 ;;
            rest/lm_core) each_seed lm_core_lines 1 "mode min" ;;
            rest/sweep) each_seed sweep_lines 101 ;;
            rest/sweep-lm) each_seed sweep_lm_lines 101 ;;
            last/core | last/bandit) hist_lines ;;
            last/lm) each_seed count_lines 1 ;;
        esac
    done | awk '!seen[$0]++'
}

# --- running them --------------------------------------------------------------------------------

# Take command $1 apart: $files is what it makes, the log last; $inputs is what it reads; $draft is
# the same command with .part behind each name in $files; $final tells sed how to undo that.
split() {
    files='' log='' inputs='' draft='' final='' before=''
    for word in $1; do
        case $before in
            -o | --log | '>')
                if [ "$before" = --log ]; then log=$word; else files="$files $word"; fi
                final="${final}s|$word\.part|$word|g;"
                word=$word.part ;;
            -m | --ref | --rm | --pairs) inputs="$inputs $word" ;;
        esac
        draft="$draft $word" before=$word
    done
    files="$files $log"
}

all() {  # is every file of "$@" there?
    for file; do [ -e "$file" ] || return 1; done
}

any() {  # is a file of "$@" there that is complete?
    for file; do
        case $file in *.part*) ;; *) [ ! -e "$file" ] || return 0 ;; esac
    done
    return 1
}

alive() {  # is there a process $1 whose command line matches $2? Numbers of dead ones are reused.
    { tr '\0' ' ' < "/proc/$1/cmdline" || ps -ww -o args= -p "$1"; } 2> /dev/null | grep -Eq "$2"
}

progress() {  # one line, drawn over itself; in a pipe nothing
    [ -t 2 ] || return 0
    n=$(awk 'END { print NR }' "$state/done")
    line="$n of $todo done"
    if [ "$n" -gt 0 ]; then
        left=$((($(date +%s) - start) * (todo - n) / n))
        line="$line, about $((left / 60)) min $((left % 60)) s left"
    fi
    names=$(cat "$state"/running/* 2> /dev/null | awk '{ printf "%s ", $2 }')
    printf '\r%-79.79s' "$line; $names" >&2
}

say() {  # one line on stderr, over what progress drew
    [ ! -t 2 ] || printf '\r%-79s\r' '' >&2
    printf 'run.sh: %s\n' "$1" >&2
}

die() {  # $1: the status
    say "$2"
    exit "$1"
}

no_space() { die 1 "cannot write in out/; is the disk full?"; }

# Run line $1 of the list. xargs starts `run.sh --job LINE`, a process of its own, for each. What
# the command makes gets its name when all of it is there, so what has its name is complete.
job() {
    stopped='' child='' record=$state/running/$$
    trap 'stopped=yes; [ -z "$child" ] || kill "$child" 2> /dev/null' INT TERM HUP
    # The record lets end_jobs find this job. So it comes first; then a job that finds no list, or
    # that its run.sh is gone, starts nothing.
    { echo > "$record"; } 2> /dev/null
    command=$(sed -n "$1p" "$state/todo" 2> /dev/null)
    if [ -z "$command" ] || [ "$(cat "$state/pid" 2> /dev/null)" != "$runner" ] ||
            ! alive "$runner" 'run\.sh'; then
        rm -f "$record"
        exit 1
    fi
    split "$command"
    name=${files##*/}
    name=${name%.*}
    eval "exec $draft" 2> "$state/$name.err" &
    child=$!
    [ -z "$stopped" ] || kill "$child" 2> /dev/null
    { echo "$child $name" > "$record"; } 2> /dev/null
    progress
    wait "$child" 2> /dev/null  # where it would say "Terminated"
    status=$? error=''
    # a signal ends the first wait, perhaps before the command
    [ -z "$stopped" ] || wait "$child" 2> /dev/null
    if [ $status -ne 0 ]; then
        error=$(tail -n 1 "$state/$name.err" 2> /dev/null)
        error=${error:-status $status}
    fi
    for file in $files; do
        [ -n "$error" ] || [ -e "$file.part" ] || error="it did not make $file"
    done
    if [ -z "$error$stopped" ]; then  # what it printed, which stands last, may name what it made
        table=${command##* }.part
        { sed "$final" "$table" > "$table.new" && mv "$table.new" "$table"; } 2> /dev/null ||
            error="cannot write $table"
    fi
    for file in $files; do
        [ -n "$error$stopped" ] || mv "$file.part" "$file" || error="cannot rename $file.part"
    done
    if [ -z "$error$stopped" ]; then
        echo "$name" >> "$state/done"
    elif [ -z "$stopped" ]; then
        # Even the message may not fit on a full disk. There all that follows would fail alike, so
        # the list goes, without which nothing new starts; the job that removes it says why.
        { echo "$error" > "$state/probe"; } 2> /dev/null || error="No space left on device"
        case $error in
            *"No space left"* | *quota*) rm "$state/todo" 2> /dev/null ;;
            *) [ -e "$state/todo" ] ;;
        esac && say "failed: $command: $error"
    fi
    for file in $files; do rm -f "$file".part*; done
    [ -n "$stopped" ] || progress
    rm -f "$record"
    [ -z "$error$stopped" ]
}

end_jobs() {  # end every job that is written down, with its command, and wait until they are gone
    while any "$state"/running/*; do
        for record in "$state"/running/*; do
            there=''
            for pid in "${record##*/}" $(sed 's/ .*//' "$record" 2> /dev/null); do
                ! alive "$pid" 'run\.sh --job|\.part' || { kill "$pid" 2> /dev/null; there=yes; }
            done
            [ -n "$there" ] || rm -f "$record"
        done
        sleep 0.1
    done
    rm -f out/*.part* out/*/*.part*
}

# One run.sh at a time works in out/: the one whose number is in out/.run/pid. The place of one that
# was killed is taken over: `after` lets one in at a time, which then reads the number once more.
lock() {
    tries=0
    until mkdir "$state" 2> /dev/null; do
        [ -d "$state" ] || die 1 "cannot write in out/"
        holder=$(cat "$state/pid" 2> /dev/null)
        ! alive "${holder:-none}" 'run\.sh' ||
            die 1 "another run.sh is at work in this folder: process $holder"
        # without a number it has just begun, or just ends, or was killed there
        if [ -n "$holder" ] || [ $tries -gt 10 ]; then
            if mkdir "$state/after" 2> /dev/null; then
                [ "$(cat "$state/pid" 2> /dev/null)" != "$holder" ] || break
                rmdir "$state/after" 2> /dev/null
            fi
        fi
        tries=$((tries + 1))
        [ $tries -lt 50 ] || die 1 "a killed run.sh left out/.run behind; remove it"
        sleep 0.1
    done
    { echo $$ > "$state/new" && mv "$state/new" "$state/pid"; } 2> /dev/null ||
        { rm -rf "$state"; no_space; }
    rm -rf "$state/after"
    mkdir -p "$state/running" || exit 1
    end_jobs
}

unlock() {
    [ "$(cat "$state/pid" 2> /dev/null)" = $$ ] || return 0
    end_jobs
    rm -rf "$state" 2> /dev/null
}

stop_all() {  # Ctrl-C: without the list nothing new starts
    trap '' INT TERM HUP
    rm -f "$state/todo"
    [ -z "$child" ] || kill "$child" 2> /dev/null
    unlock
    say "stopped; the same command continues"
    exit 130
}

# Program $1 without comments and white space. What the preprocessor would decide stays undecided:
# so any compiler on any machine says the same, and no branch is left out.
program() {
    sed 's/^[[:space:]]*#/@/' "$1" | $preprocess 2> /dev/null | tr -s '[:space:]' '\n' | grep .
}

# Results of two programs, tokenizers or models must not be mixed. out/made_by holds the sums of
# those that the results in out/ were made with; where they are not those of today, end.
check() {
    differs='' sums='' made_by=out/made_by
    for name in pref.c dev/measure.c dev/kl.c tinystories_tok.bin out/sft.bin; do
        was=$(sed -n "s|^$name ||p" $made_by 2> /dev/null)
        case $name in
            *.c) sum=$(program $name | cksum) ;;
            *) if [ -e $name ]; then sum=$(cksum < $name); else sum=$was; fi ;;
        esac
        sums="$sums$name $sum
"
        [ "$sum" != "$was" ] || continue
        case $name in  # what depends on it
            dev/measure.c) any out/lm/*.eval.* out/bandit/*.hist.* ;;
            dev/kl.c) any out/kl.* ;;
            out/sft.bin) any out/lm/* out/sweep/*_m* ;;
            *) any out/sft.csv out/bandit/* out/lm/* out/sweep/* ;;
        esac && differs="$differs and $name"
    done
    [ -e $made_by ] || differs=${differs:+ and program (there is no $made_by)}
    [ -z "$differs" ] || die 1 "out/ has results of another${differs# and}; put that back, or begin\
 anew: './run.sh --anew' (mv out out.old)"
    { printf %s "$sums" > "$state/new" && mv "$state/new" $made_by; } 2> /dev/null || no_space
}

failed=0
run_phase() {  # $1: the phase; $2: jobs at a time; $3: what to call it
    : > "$state/done"
    : > "$state/waiting"
    phase_lines "$1" | while read -r command; do
        split "$command"
        if all $files; then
            continue
        elif all $inputs; then
            printf '%s\n' "$command"
        else
            echo >> "$state/waiting"
        fi
    done > "$state/todo"
    todo=$(awk 'END { print NR }' "$state/todo")
    failed=$((failed + todo + $(awk 'END { print NR }' "$state/waiting")))
    [ "$todo" -gt 0 ] || return 0
    start=$(date +%s)
    export todo start
    say "$3: $todo to do"
    awk '{ print NR }' "$state/todo" | xargs -n 1 -P "$2" sh ./run.sh --job &
    child=$!
    wait "$child"
    child=''
    end_jobs
    failed=$((failed - $(awk 'END { print NR }' "$state/done")))
    [ -e "$state/todo" ] || exit 1
    [ ! -t 2 ] || printf '\r%-79s\r' '' >&2
}

words='' seeds='' list='' anew='' jobs=''
number() {  # $2, which option $1 must have, from 1 to 999
    case $2 in '' | 0* | *[!0-9]* | ????*) die 2 "$1: expected a number from 1 to 999" ;; esac
}
if [ "${1-}" = --job ]; then
    job "$2"
    exit
fi
while [ $# -gt 0 ]; do
    case $1 in
        bandit | kl | sweep) words="$words $1" ;;
        lm | sweep-lm) words="$words story $1" ;;
        full) words="$words story bandit kl lm" seeds=${seeds:-5} ;;
        list) list=yes ;;
        --anew) anew=yes ;;
        --seeds) number "$1" "${2-}"; seeds=$2; shift ;;
        -j) number "$1" "${2-}"; jobs=$2; shift ;;
        -h | --help | help) sed -n '2,/^$/s/^# \{0,1\}//p' run.sh; exit ;;
        *) die 2 "unknown word '$1'; there are bandit, kl, lm, full, sweep, sweep-lm, list" ;;
    esac
    shift
done
words=${words:-story core kl lm_core} seeds=${seeds:-1}

if [ -n "$list" ]; then
    echo "mkdir -p out/bandit out/lm out/sweep"
    for phase in story first second rest last; do
        lines=$(phase_lines $phase)
        [ -z "$lines" ] || printf '# wait\n%s\n' "$lines"
    done
    exit
fi

preprocess="${CC:-cc} -undef -E -P -x c -"
echo | $preprocess > /dev/null 2>&1 ||
    die 1 "no C compiler: '${CC:-cc}' does not work; CC=... names another"
command -v make > /dev/null || die 1 "make is missing"
[ -r tinystories_tok.bin ] || die 1 "tinystories_tok.bin is missing; 'make data' makes it"

export LC_ALL=C runner=$$ state=out/.run
child=''
trap unlock EXIT
trap stop_all INT TERM HUP
folders() { error=$(mkdir -p out/bandit out/lm out/sweep 2>&1) || die 1 "$error"; }
folders
lock
if [ -n "$anew" ] && any out/*.* out/made_by out/*/*; then
    aside=out.old-$(date +%Y-%m-%d-%H%M%S)
    mv out "$aside" && rm -rf "$aside/.run" || exit 1
    say "what was in out/ is in $aside/"
    folders
    lock
fi
check

make -j 2 all dev/report > "$state/make" 2>&1 &  # a signal does not have to wait for its end
child=$!
if ! wait "$child"; then
    cat "$state/make" >&2
    die 1 "make failed"
fi
child=''
# nproc obeys OMP_NUM_THREADS, which says nothing about how many programs may run
jobs=${jobs:-$(unset OMP_NUM_THREADS OMP_THREAD_LIMIT
    nproc 2> /dev/null || sysctl -n hw.ncpu 2> /dev/null || getconf _NPROCESSORS_ONLN || echo 1)}
export OMP_NUM_THREADS="$jobs"
run_phase story 1 "training the story model, about a minute"
[ "$todo" = 0 ] || check
run_phase first "$jobs" "the bandit's reference policies, kl, preference pairs"
run_phase second "$jobs" "reward models"
run_phase rest "$jobs" "runs"
run_phase last "$jobs" "evaluations"

status=0
for word in $words; do
    case $word in
        story) [ ! -e out/sft.bin ] ||
            ./pref sample -m out/sft.bin -p "Once upon a time" --temp 0.7 ;;
        kl) [ ! -e out/kl.txt ] || cat out/kl.txt ;;
        sweep*) dev/report --$word out ;;
    esac
done
case "$words " in *core\ * | *bandit\ * | *kl\ * | *\ lm\ *)
    report=$(dev/report out) || status=1
    printf '%s\n' "$report"
    case $seeds/$report in
        [1-4]/*"five seeds"*) ;;
        [1-4]/*) echo "seeds: $seeds. Verdicts are decided by five seeds: ./run.sh full" ;;
    esac ;;
esac
if [ $failed -gt 0 ]; then
    die 1 "failed, or lacks what failed: $failed of the commands; the same command tries them again"
fi
exit $status
