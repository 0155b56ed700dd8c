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
#
# Runs go one to a core. What is there already is not run again, so a run.sh that was stopped
# continues where it was. For a cluster: `list` prints simple commands for this directory; a line
# that says `# wait` stands before those that read what the lines above it write.

set -u
cd "$(dirname "$0")" || exit 1

# --- the commands: each line is complete, and its --log (or -o) names what it produces ------------

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
    name=${build}_${method}_$task$(printf %s "$*" | sed 's/ *--/_/g; s/ //g')
    program=./pref dir=out/bandit every=50 hist= save= from="-m out/bandit/ref_s$seed.bin"
    [ "$build" != on ] || program=./pref_onpolicy
    case $task in min | mode | skew)
        dir=out/lm every=8 from="-m out/sft.bin --rm out/lm/rm_${judge:-$task}_s$seed.bin"
        [ "$build" != pairs ] || from="-m out/sft.bin --pairs out/lm/${task}_s$seed.jsonl" ;;
    esac
    case $name in
        *_lr*) dir=out/sweep every=1000 ;;                  # only the end counts
        *_mode | *_mode_kl*) save=" -o out/lm/${name}_s$seed.bin" ;;  # L6 looks at them once more
        *_steps*) every=$((${name##*_steps} / 20)) ;;
        *_dpo_r1 | *_dpo_r1_neg0) every=10 ;;               # C6 asks when a reward was reached
    esac
    name=$name${judge:+_$judge}
    case $name/$seed in                                     # where did the mass go?
        off_dpo_r?/1 | off_bon_r?/1 | on_dpo_r?/1) hist=" --hist $dir/${name}_s$seed.hist.csv" ;;
    esac
    echo "$one $program tune --method $method --task $task" \
        "$from --seed $seed${*:+ $*} --eval-every $every$save" \
        "--log $dir/${name}_s$seed.csv$hist > $dir/${name}_s$seed.txt"
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

# Stories: what comes before tuning. Pairs, then a reward model for each file of them.
pair_lines() {
    for task in $2; do
        file=out/lm/${task}_s$1
        echo "$one ./pref pairs -m out/sft.bin --task $task --seed $1 -o $file.jsonl > $file.txt"
    done
}

noisy_pair_lines() {  # L5: three sets of 80 pairs, their labels drawn
    for k in 1 2 3; do
        file=out/lm/noisy${k}_s$1
        echo "$one ./pref pairs -m out/sft.bin --task mode -n 80 --label-noise 0.3" \
            "--seed $((1000 * k + $1)) -o $file.jsonl > $file.txt"
    done
}

rm_lines() {
    for name in $2; do
        file=out/lm/rm_${name}_s$1
        echo "$one ./pref rm -m out/sft.bin --pairs out/lm/${name}_s$1.jsonl --seed $1" \
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
    echo "$one ./pref eval -m out/sft.bin --ref out/sft.bin --task mode -n 2000 --count dog,cat" \
        "--seed $1 --log $log.csv > $log.txt"
    lm_lines "$1" | sed -n 's/.* -o \(.*\)\.bin .*/\1/p' | while read -r name; do
        echo "$one ./pref eval -m $name.bin --ref out/sft.bin --task mode -n 2000" \
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
            first/kl) echo "$one ./pref kl --log out/kl.csv > out/kl.txt" ;;
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
            last/lm) each_seed count_lines 1 ;;
        esac
    done | awk '!seen[$0]++'
}

# --- running them --------------------------------------------------------------------------------

product() {  # the file that shows that command $1 has been run: it appears when it is complete
    file=${1##* --log }
    [ "$file" != "$1" ] || file=${1##* -o }
    echo "${file%% *}"
}

progress() {  # one line, drawn over itself; in a pipe nothing
    [ -t 2 ] || return 0
    n=$(awk 'END { print NR }' "$state/done")
    line="$n of $todo done"
    if [ "$n" -gt 0 ]; then
        left=$((($(date +%s) - start) * (todo - n) / n))
        line="$line, about $((left / 60)) min $((left % 60)) s left"
    fi
    printf '\r%-79.79s' "$line; $(ls "$state/running" | tr '\n' ' ')" >&2
}

# Run line $1 of the list. xargs starts `run.sh --job LINE`, a process of its own, for each.
job() {
    command=$(sed -n "$1p" "$state/todo")
    name=$(basename "$(product "$command")")
    name=${name%.*}
    eval "exec $command" 2> "$state/$name.err" &
    # Written down for stop_all; when it has been and gone, there is no such directory any more.
    echo $$ $! 2> /dev/null > "$state/running/$name" || { kill $!; exit; }
    progress
    wait $!
    status=$?
    if [ $status -ne 0 ]; then
        error=$(tail -n 1 "$state/$name.err")
        printf 'failed: %s\n    %s\n' "$command" "${error:-status $status}" >> "$state/failed"
    fi
    rm "$state/running/$name"
    echo "$name" >> "$state/done"
    progress
}

stop_all() {  # Ctrl-C: end xargs, so that nothing new starts, and what runs now
    trap '' INT TERM HUP
    kill "$xargs" $(cat "$state"/running/* 2> /dev/null) 2> /dev/null
    printf '\nstopped; the same command continues\n' >&2
    exit 130
}

run_phase() {  # $1: the phase; $2: jobs at a time; $3: what to call it
    phase_lines "$1" | while read -r command; do
        [ -e "$(product "$command")" ] || printf '%s\n' "$command"
    done > "$state/todo"
    : > "$state/done"
    todo=$(awk 'END { print NR }' "$state/todo")
    [ "$todo" -gt 0 ] || return 0
    start=$(date +%s)
    export todo start
    echo "$3: $todo to do" >&2
    awk '{ print NR }' "$state/todo" | xargs -n 1 -P "$2" sh ./run.sh --job &
    xargs=$!
    wait $xargs
    [ ! -t 2 ] || printf '\r%-79s\r' '' >&2
}

if [ "${1-}" = --job ]; then
    job "$2"
    exit
fi

usage_error() {
    echo "run.sh: $1" >&2
    exit 2
}

words='' seeds='' list=''
while [ $# -gt 0 ]; do
    case $1 in
        bandit | kl | sweep) words="$words $1" ;;
        lm | sweep-lm) words="$words story $1" ;;
        full) words="$words story bandit kl lm" seeds=${seeds:-5} ;;
        list) list=yes ;;
        --seeds)
            case ${2-} in '' | 0* | *[!0-9]*) usage_error "--seeds: expected a number" ;; esac
            seeds=$2
            shift ;;
        -h | --help | help) sed -n '2,/^$/s/^# \{0,1\}//p' run.sh; exit ;;
        *) usage_error "unknown word '$1'; there are bandit, kl, lm, full, sweep, sweep-lm, list" ;;
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

export state="out/.run$$"
mkdir -p out/bandit out/lm out/sweep "$state/running" || exit 1
trap 'rm -rf "$state"' EXIT
xargs=''
trap stop_all INT TERM HUP
cores=$(nproc 2> /dev/null || sysctl -n hw.ncpu 2> /dev/null || getconf _NPROCESSORS_ONLN || echo 1)

# make's own rule for a program of one C file does for dev/report
if ! make -j 2 > "$state/make" 2>&1 || ! make dev/report LDLIBS=-lm >> "$state/make" 2>&1; then
    cat "$state/make" >&2
    exit 1
fi
run_phase story 1 "training the story model, about a minute"
run_phase first "$cores" "the bandit's reference policies, kl, preference pairs"
run_phase second "$cores" "reward models"
run_phase rest "$cores" "runs"
run_phase last "$cores" "evaluations"

for word in $words; do
    case $word in
        story) ./pref sample -m out/sft.bin -p "Once upon a time" --temp 0.7 ;;
        kl) cat out/kl.txt ;;
        sweep*) dev/report --$word out ;;
    esac
done
status=0
case "$words " in *core\ * | *bandit\ * | *kl\ * | *\ lm\ *) dev/report out || status=1 ;; esac
if [ -e "$state/failed" ]; then
    cat "$state/failed" >&2
    status=1
fi
exit $status
