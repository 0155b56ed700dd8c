#!/bin/sh
# Reproduces the experiments into out/. It needs nothing but a C compiler and make.
#
#   ./run.sh                the story model and the core of the claims, on seed 11
#   ./run.sh bandit         the claims on the bandit, C1 to C7
#   ./run.sh lm             the claims on stories, L1 to L4
#   ./run.sh kl             the study of mode-seeking, C8
#   ./run.sh beyond         what the paper does not measure: noisy rewards, drift
#   ./run.sh full           all of these on five seeds and at all rates; it writes dev/RESULTS.md
#   ./run.sh sweep          every method at five learning rates, on seeds that no claim uses
#   ./run.sh list [WORD]... print the makefile of these experiments and run nothing
#   ... x3, best, --rates   bandit and lm also at three times the rate, at the best rates, or both
#   ... --seeds N           seeds 11 to 10+N; for sweep, 101 to 100+N
#   ... -j N                run N commands at a time; the default is the number of cores
#
# run.sh prints the experiments as a makefile, and make runs it. A result is made again when the code
# that made it, its command or its inputs have changed, so a run.sh that was stopped continues where
# it was. `make -f` runs the makefile elsewhere, too: the README says how on a cluster.

set -u
cd "$(dirname "$0")" || exit 1
export LC_ALL=C
unset MAKEFLAGS MFLAGS MAKELEVEL  # run.sh may itself have been started by make

# --- The experiments -----------------------------------------------------------------------------

# add PHASE TARGET NEEDS COMMAND prints one command of the list, with the file that it makes last and
# the files that it depends on. Those in out/.by stand for code: see "What has changed" below.
add() { printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4"; }
one="OMP_NUM_THREADS=1"  # most runs are small: one to a core is faster than all cores on one

story() {  # On all cores. Its threads must not spin while they wait: other commands need the cores.
    add story out/sft.csv "out/.by/pref out/.by/data" "GOMP_SPINCOUNT=1000 ./pref sft \
-o out/sft.bin --log out/sft.csv.part > out/sft.txt && mv out/sft.csv.part out/sft.csv"
}
references() {  # The policies that the bandit's runs on seed $1 start from.
    for len in '' 1; do
        ref=out/bandit/ref${len:+_len$len}_s$1
        add references $ref.bin out/.by/pref "$one ./pref sft --task bandit\
${len:+ --len $len} --seed $1 -o $ref.bin > $ref.txt"
    done
}
pairs() {  # pairs SEED TASK...: preference pairs, and a reward model that is trained on them
    seed=$1 && shift
    for task; do
        pair=out/lm/${task}_s$seed rm=out/lm/rm_${task}_s$seed options="--task $task"
        [ "$task" != noisy ] || options="--task mode -n 80 --label-noise 0.3"
        add pairs "$pair.tsv" "out/.by/pref out/sft.csv" "$one ./pref pairs -m out/sft.bin \
$options --seed $seed -o $pair.tsv > $pair.txt"
        add reward_models "$rm.csv" "out/.by/pref out/sft.csv $pair.tsv" "$one ./pref rm \
-m out/sft.bin --pairs $pair.tsv --seed $seed -o $rm.bin --log $rm.csv.part > $rm.txt \
&& mv $rm.csv.part $rm.csv"
    done
}

# tune SIDE METHOD TASK SEED [OPTION VALUE]...: one training run. SIDE is on (samples of the policy),
# off (one collection from the reference) or file (a file of preference pairs). The name of a run
# says all of this, so claims that need the same run print the same line, and it runs once.
rate=default  # default, x3 (three times that), best (dev/rates.txt), or a rate of the sweep
also=''       # options that are not part of the name
judge=''      # noisy: the reward model that was trained on noisy pairs
tune() {
    side=$1 method=$2 task=$3 seed=$4 program=./pref len='' save='' lr=''
    [ "$side" != on ] || program=./pref_onpolicy
    shift 4
    case "$*" in *"--len 1"*) len=_len1 ;; esac
    case $side/$task in
        */r?) base=bandit x3=3e-3 needs=out/bandit/ref${len}_s$seed.bin from="-m $needs" ;;
        file/*) base=lm x3=3e-4 needs="out/sft.csv out/lm/${task}_s$seed.tsv"
            from="-m out/sft.bin --pairs out/lm/${task}_s$seed.tsv" ;;
        *) base=lm x3=3e-4 rm=out/lm/rm_${judge:-$task}_s$seed needs="out/sft.csv $rm.csv"
            from="-m out/sft.bin --rm $rm.bin" ;;
    esac
    name=${side}_${method}_$task${judge:+_$judge} folder=${base}_$rate
    key=${base}_$name$len
    for word; do
        case $word in --*) name=${name}_${word#--} ;; *) name=$name$word ;; esac
    done
    case $rate/${name}_s$seed in
        # hist and evaluate look at these models once more
        default/*_dpo_r?_s11 | default/o*_bon_r1_s11 | default/*_mode_s* | default/*_mode_kl0.1_s* | \
        default/*_dpo_min_s11 | default/on_rwr_min_s11 | default/on_ppo_min_s11 | \
        default/on_dpo_skew_s11) folder=$base save=out/$base/${name}_s$seed.bin ;;
        default/*) folder=$base ;;
        x3/*) lr=$x3 ;;
        best/*) case $best in *" $key="*) lr=${best#*" $key="} lr=${lr%% *} ;; esac ;;
        *) folder=sweep_$base name=${name}_lr$rate lr=$rate ;;
    esac
    log=out/$folder/${name}_s$seed
    add runs "$log.csv" "out/.by/$method $needs" "$one $program tune --method $method \
--task $task $from --seed $seed${*:+ $*}${also:+ $also}${lr:+ --lr $lr}${save:+ -o $save} \
--log $log.csv.part > $log.txt && mv $log.csv.part $log.csv"
}
reused() {  # reused METHOD TASK SEED QUERIES T...: the same number of queries, passed over T times
    method=$1 task=$2 seed=$3 queries=$4
    shift 4
    for reuse; do
        also="--eval-every $reuse"
        if [ "$reuse" = 1 ]; then reuse=; fi
        tune on $method $task "$seed" --queries "$queries" ${reuse:+--reuse $reuse}
    done
    also=''
}
hist() {  # hist NAME TASK [MODEL MADE_WITH]: the share of each token, or of each length; seed 11
    case $2 in r?) log=out/bandit/${1}_s11 also='' ;; *) log=out/lm/${1}_s11 also=" --seed 11" ;; esac
    add evaluations "$log.hist.csv" "out/.by/measure ${4:-$log.csv}" "$one ./measure hist \
-m ${3:-$log.bin} --task $2$also > $log.hist.csv.part && mv $log.hist.csv.part $log.hist.csv"
    also=''
}
evaluate() {  # evaluate NAME SEED [MODEL MADE_WITH]: how many of its stories have a dog or a cat
    log=out/lm/${1}_s$2
    add evaluations "$log.eval.csv" "out/.by/measure out/sft.csv ${4:-$log.csv}" "$one ./measure eval \
-m ${3:-$log.bin} --ref out/sft.bin --task mode -n 2000 --count dog,cat --seed $2 \
--log $log.eval.csv.part > $log.eval.txt && mv $log.eval.csv.part $log.eval.csv"
}

# Each of these prints runs on seed $1.
bandit_methods() {  # all methods on both sides; C1, C2, C5, C5b
    for task in r1 r2; do
        for method in bon rwr dpo ppo; do tune on $method $task "$1"; done
        for method in bon rwr dpo ppo ipo pref-ft; do tune off $method $task "$1"; done
        for method in bon rwr dpo ipo pref-ft; do tune off $method $task "$1" --len 1; done
    done
}
bandit_core() {
    bandit_methods "$1"
    for task in r1 r2; do  # C2
        for method in bon rwr dpo; do tune on $method $task "$1" --collect 200; done
    done
    push_worst "$1"        # C5c
    for side in on off; do  # C6
        tune $side dpo r1 "$1" --neg 0
        tune $side dpo r1 "$1" --reuse 10
        tune $side dpo r1 "$1" --neg 0 --reuse 10
    done
    for short in '' '--len 1'; do  # C7: 5, 20, 100 and 500 prompts
        for reuse in 200 50 10 2; do
            for method in dpo ipo pref-ft; do
                tune off $method r1 "$1" $short --batch 5 --reuse $reuse
            done
        done
    done
}
push_worst() { for weight in 0.1 1; do tune off bon r1 "$1" --push-worst $weight; done; }
bandit_claims() {
    bandit_core "$1"
    for collect in 20 50; do  # C3
        for method in bon rwr dpo; do tune on $method r1 "$1" --collect $collect; done
    done
    for method in bon ppo dpo; do reused $method r1 "$1" 2000 1 2 5 10 20 50; done  # C4
}
bandit_hists() {
    hist ref r1 out/bandit/ref_s11.bin out/bandit/ref_s11.bin
    for name in off_dpo_r1 off_bon_r1 on_dpo_r1 on_bon_r1 off_dpo_r2 on_dpo_r2; do
        hist $name ${name##*_}
    done
}
lm_core() {  # lm_core SEED TASK...: L1, and of L4 DPO on a file of pairs
    seed=$1 && shift
    for task; do
        for method in rwr bon ppo dpo; do
            for side in on off; do tune $side $method "$task" "$seed"; done
        done
        tune file dpo "$task" "$seed"
    done
}
lm_files() {  # lm_files SEED TASK...: L3; its DPO is in lm_core
    seed=$1 && shift
    for task; do for method in ipo pref-ft rwr; do tune file $method "$task" "$seed"; done; done
}
lm_methods() { lm_core "$1" min skew mode; lm_files "$1" min mode; }
lm_claims() {
    lm_methods "$1"
    for method in ppo rwr bon; do reused $method min "$1" 1600 1 2 4 8; done  # L2
}
lm_hists() {
    hist reference min out/sft.bin out/sft.csv
    for name in on_dpo_min off_dpo_min file_dpo_min on_ppo_min on_rwr_min on_dpo_mode on_dpo_skew; do
        hist $name ${name##*_}
    done
}
beyond() {  # 80 noisy pairs; a penalty on the KL; dogs and cats in the stories of all runs on mode
    pairs "$1" noisy mode
    judge=noisy also="--steps 200 --lr 3e-4"
    for method in ppo dpo; do tune on $method mode "$1"; done
    judge='' also=''
    lm_core "$1" mode
    lm_files "$1" mode
    evaluate reference "$1" out/sft.bin out/sft.csv
    for method in rwr bon ppo dpo; do
        tune on $method mode "$1" --kl 0.1
        for name in on_${method}_mode on_${method}_mode_kl0.1 off_${method}_mode; do
            evaluate $name "$1"
        done
    done
    for method in dpo ipo pref-ft rwr; do evaluate file_${method}_mode "$1"; done
}

each_seed() {  # each_seed FIRST COUNT FUNCTION [ARGUMENT]...: calls the function with each seed
    next=$1 end=$(($1 + $2)) what=$3
    shift 3
    while [ "$next" -lt "$end" ]; do
        $what "$next" "$@"
        next=$((next + 1))
    done
}
commands() {  # prints the commands of all words
    best=" $(sed 's/#.*//' dev/rates.txt 2> /dev/null |
        awk 'NF == 5 { printf "%s_%s_%s_%s=%s ", $1, $2, $3, $4, $5 }')"
    for part in $words; do
        case $part in core | lm | beyond | sweep) story ;; esac
        case $part in core | bandit) each_seed 11 "$seeds" references ;; esac
        case $part in
            core) each_seed 11 "$seeds" pairs min mode
                each_seed 11 "$seeds" lm_core min mode
                each_seed 11 "$seeds" bandit_core
                bandit_hists ;;
            bandit)
                for rate in default $rates; do each_seed 11 "$seeds" bandit_claims; done
                rate=default
                bandit_hists ;;
            lm) each_seed 11 "$seeds" pairs min skew mode
                for rate in default $rates; do each_seed 11 "$seeds" lm_claims; done
                rate=default
                lm_hists ;;
            kl) add runs out/kl.csv out/.by/kl \
                "dev/kl --log out/kl.csv.part > out/kl.txt && mv out/kl.csv.part out/kl.csv" ;;
            beyond) each_seed 11 "$seeds" beyond ;;
            push_worst) each_seed 101 3 references  # which weight is better: decided on other seeds
                each_seed 101 3 push_worst ;;
            sweep) each_seed 101 "${given:-3}" references
                each_seed 101 "${given:-3}" pairs min skew mode
                for rate in 1e-4 3e-4 1e-3 3e-3 1e-2; do
                    each_seed 101 "${given:-3}" bandit_methods
                    each_seed 101 "${given:-3}" lm_methods
                done
                rate=default ;;
        esac
    done
}
makefile() {
    cat << 'END'
# The experiments of pref.c, as run.sh prints them. Build the programs first; then make -f runs this.
all: story references pairs reward_models runs evaluations
.PHONY: all story references pairs reward_models runs evaluations
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += -r
problem := $(shell sh run.sh --stamps $(firstword $(MAKEFILE_LIST)))
$(if $(problem),$(error $(problem)))

END
    commands | awk -F '\t' '!seen[$2]++ {
        stamp = $2
        sub(/^out/, "out/.by", stamp)
        printf "%s: %s %s\n\t%s\n%s: %s\n", $2, $3, stamp, $4, $1, $2
    }'
}

# --- What has changed ----------------------------------------------------------------------------

# Files in out/.by hold what results depend on: checksums of code, and for each result its command.
# `run.sh --stamps MAKEFILE`, which make runs when it reads the makefile, rewrites those that are no
# longer true, and make then makes again what depends on them. It prints a problem, if there is one.
stamps() {
    for built in pref:pref.c pref_onpolicy:pref.c measure:pref.c measure:dev/measure.c dev/kl:dev/kl.c
    do
        program=${built%:*} source=${built#*:}
        [ -x "$program" ] && [ -z "$(find "$source" -newer "$program")" ] ||
            { echo "$program is missing or older than $source: run make first"; return; }
    done
    mkdir -p out/.by
    code=$(bare pref.c)
    [ -n "$code" ] || { echo "no C compiler: '${CC:-cc}' does not work; CC=... names another"; return; }
    methods="sft pref-ft bon rwr reinforce ppo dpo ipo"
    for method in pref $methods; do stamp $method "$(without_losses_but "$method")"; done
    stamp measure "$(without_losses_but measure; bare dev/measure.c)"
    stamp kl "$(bare dev/kl.c)"
    stamp data "$(cksum < tinystories_tok.bin)"
    # The directories; and for each target its command. A target is also made again if another file
    # that its command writes has been lost.
    awk '/^\t/ { sub(/\/[^\/]*$/, "", target); print target; print "out/.by" substr(target, 4) }
        { target = $1 }' "$1" | sort -u | xargs mkdir -p
    awk 'function is_there(file,   line, got) { got = getline line < file; close(file); return got >= 0 }
        /^\t/ {
            stamp = "out/.by" substr(target, 4)
            old = ""
            getline old < stamp
            close(stamp)
            n = split($0, word, " ")
            for (i = 2; i <= n; i++) {
                if (word[i - 1] ~ /^(-o|>)$/ && word[i] !~ /\.part$/ && !is_there(word[i])) { old = "" }
            }
            if (old != $0) { print > stamp; close(stamp) }
        }
        { target = $1; sub(/:$/, "", target) }' "$1"
}
stamp() {  # stamp NAME TEXT: writes the checksum of the text, if that is another than before
    sum=$(printf '%s\n' "$2" | tr -s '[:space:]' '\n' | cksum)
    [ "$(cat "out/.by/$1" 2> /dev/null)" = "$sum" ] || echo "$sum" > "out/.by/$1"
}
# Prints a C program without comments. What the preprocessor would decide stays undecided (@ stands
# for #), so that every compiler prints the same words, and no branch is left out.
bare() { sed 's/^[[:space:]]*#/@/' "$1" | ${CC:-cc} -undef -E -P -x c - 2> /dev/null; }
# Prints $code without the losses of all methods but $1. A loss that calls another method's loss
# would need to be told here; a function that is not named after a method is always kept.
without_losses_but() {
    printf '%s\n' "$code" | awk -v methods="$methods" -v kept="$1" '
        BEGIN {
            gsub("-", "_", methods); gsub("-", "_", kept)
            n = split(methods, m, " ")
            for (i = 1; i <= n; i++) { if (m[i] != kept) { other["loss_" m[i]] } }
        }
        /^static double loss_/ { name = $3; sub(/[(].*/, "", name); skip = name in other }
        !skip
        /^}/ || /^static.*}$/ { skip = 0 }'
}

# --- Running it ----------------------------------------------------------------------------------

lock=out/.lock child='' shown=0
say() { clear_line; printf 'run.sh: %s\n' "$1" >&2; }
die() { say "$2"; exit "$1"; }
clear_line() { [ ! -t 2 ] || printf '\r%79s\r' '' >&2; }

# Prints "process parent" for every process that has not ended.
processes() {
    { ps -A -o pid= -o ppid= -o stat= 2> /dev/null ||
        sed 's/ (.*) \([^ ]*\) \([^ ]*\).*/ \2 \1/' /proc/[0-9]*/stat 2> /dev/null; } |
        awk '$3 !~ /^Z/ { print $1, $2 }'
}
# Ends process $1 and all that it has started. It is halted first, so that it starts nothing more.
end_tree() {
    kill -STOP "$1" 2> /dev/null || return 0
    tree=$(processes | awk -v root="$1" '
        { parent[$1] = $2 }
        END {
            tree[root]
            do {
                more = 0
                for (p in parent) {
                    if (!(p in tree) && parent[p] in tree) { tree[p]; more = 1 }
                }
            } while (more)
            for (p in tree) { printf "%s ", p }
        }')
    kill $tree 2> /dev/null
    kill -CONT "$1" 2> /dev/null
    for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
        left=$(processes | awk -v tree=" $tree" 'index(tree, " " $1 " ") { print $1 }')
        [ -n "$left" ] || return 0
        sleep 0.1
    done
    kill -9 $left 2> /dev/null
}
is_mine() {  # Is process $1 alive, and is $2 in its command? Numbers of dead ones are used again.
    { tr '\0' ' ' < "/proc/$1/cmdline" || ps -ww -o args= -p "$1"; } 2> /dev/null | grep -q "$2"
}

# One run.sh at a time works in out/. The lock of one that was killed is taken over, and what that
# one had started is ended.
take_lock() {
    mkdir -p out 2> /dev/null || die 1 "cannot write in out/"
    until mkdir $lock 2> /dev/null; do
        [ -d $lock ] || die 1 "cannot write in out/"
        [ -s $lock/pid ] || sleep 1  # it has just begun
        holder=$(cat $lock/pid 2> /dev/null) orphan=$(cat $lock/child 2> /dev/null)
        ! is_mine "${holder:-none}" 'run\.sh' ||
            die 1 "another run.sh is at work in this folder: process $holder"
        ! is_mine "${orphan:-none}" 'out/\.lock' || end_tree "$orphan"
        rm -rf $lock
    done
    echo $$ > $lock/pid || die 1 "cannot write in out/; is the disk full?"
    trap clean EXIT
    trap stopped INT TERM HUP
    rm_parts
}
rm_parts() { find out \( -name '*.part' -o -name '*.unfinished' -o -name '*.tmp' \) -exec rm -f {} +; }
clean() { rm_parts; rm -rf $lock; }
stopped() {
    trap '' INT TERM HUP
    [ -z "$child" ] || end_tree "$child"
    clear_line
    die 130 "stopped; the same command continues"
}
# Runs a command in the background, where a signal does not have to wait for its end.
start() { "$@" & child=$!; }
finish() { wait "$child"; status=$?; child=''; return $status; }

# Prints "seconds target" for each command of the makefile that is to be run. The unit is the time of
# a reference with --len 1, about half a second; the figures were measured once.
plan() {
    make -r -s -n -k -f $lock/list.mk > $lock/commands 2> $lock/errors
    awk -v unit="$1" '
        function weight(c,   steps, k, n, w) {
            if (c ~ /sft --task bandit/) { return c ~ /--len 1/ ? 1 : 4.4 }
            if (c ~ /pref sft/) { return 115 }
            if (c ~ /pref pairs/) { return c ~ /-n 80/ ? 0.3 : 5 }
            if (c ~ /pref rm/) { return c ~ /noisy/ ? 10 : 24 }
            if (c ~ /measure eval/) { return 4.3 }
            if (c !~ / tune /) { return 0.3 }
            n = split(c, w, " ")
            steps = 1
            for (k = 2; k <= n; k++) {
                if (w[k - 1] == "--steps") { steps = w[k] / 100 }
                if (w[k - 1] == "--queries") { steps *= w[k] / (c ~ /--rm/ ? 6400 : 20000) }
                if (w[k - 1] == "--reuse" && c ~ /--queries/) { steps *= w[k] }
            }
            if (c ~ /sft.bin/) { return steps * (c ~ /_onpolicy/ ? 21 : 25) }
            return c ~ /--len 1/ ? 0.6 : c ~ /--batch 5/ ? 1.6 : 2.8 * (0.2 + 0.8 * steps)
        }
        NR == FNR { todo["\t" $0]; next }
        $0 in todo { print weight($0) * unit, target }
        { target = $1; sub(/:$/, "", target) }' $lock/commands $lock/list.mk
}
# Prints what make and its commands have said since the last time.
messages() {
    lines=$(awk 'END { print NR }' $lock/log)
    [ "$lines" -gt $shown ] || return 0
    clear_line
    awk -v shown=$shown 'NR <= shown || /^note: / { next }
        /[*][*][*] [[]/ { sub(/.*[*][*][*] [[]/, ""); sub(/[]].*/, ""); sub(/.*: /, ""); print "failed: " $0; next }
        !/^g?make/' $lock/log >&2
    shown=$lines
}
# One line, drawn over itself: how many commands are done, how long is left, what runs now.
progress() {
    [ -t 2 ] || return 0
    find out \( -name '*.part' -o -newer $lock/plan \) -type f | awk -v cores="$cores" \
        -v seconds=$(($(date +%s) - began)) '
        FILENAME != "-" { weight[$2] = $1; n++; all += $1; next }
        /[.]part$/ { sub(/.*\//, ""); sub(/[.]csv[.]part$/, ""); now = now " " $0 }
        $0 in weight { done++; ended += weight[$0] }
        END {
            left = (all - ended) / cores
            if (ended > all / 20) { left = seconds * (all - ended) / ended }
            time = left < 90 ? sprintf("%d s", left + 1) : sprintf("%d min", left / 60 + 0.5)
            printf "\r%-79.79s", sprintf("%d of %d done, about %s left; now%s", done, n, time, now)
        }' $lock/plan - >&2
}

number() {  # What option $1 got must be a number from 1 to $3.
    case $2 in '' | 0* | *[!0-9]* | ????*) false ;; *) [ "$2" -le "$3" ] ;; esac ||
        die 2 "$1: expected a number from 1 to $3"
}
words='' rates='' given='' cores='' list='' full=''
if [ "${1-}" = --stamps ]; then
    stamps "$2" 2>&1
    exit
fi
while [ $# -gt 0 ]; do
    case $1 in
        bandit | lm | kl | beyond | sweep) words="$words $1" ;;
        full) words="$words bandit lm kl beyond push_worst" rates="x3 best" full=yes ;;
        x3 | best) rates="$rates $1" ;;
        --rates) rates="x3 best" ;;
        list) list=yes ;;
        --seeds) number "$1" "${2-}" 90; given=$2; shift ;;
        -j) number "$1" "${2-}" 999; cores=$2; shift ;;
        -h | --help | help) sed -n '2,/^$/s/^# \{0,1\}//p' run.sh; exit ;;
        *) die 2 "unknown word '$1'; there are bandit, lm, kl, beyond, full, sweep, list, x3, best" ;;
    esac
    shift
done
[ -z "$rates" ] || words=${words:-bandit lm}
words=${words:-core kl} seeds=${given:-${full:+5}} seeds=${seeds:-1}
if [ -n "$list" ]; then
    makefile
    exit
fi

command -v make > /dev/null || die 1 "make is missing"
[ -r tinystories_tok.bin ] || die 1 "tinystories_tok.bin is missing; 'make data' makes it"
# nproc obeys OMP_NUM_THREADS, which says nothing about how many programs may run
cores=${cores:-$(unset OMP_NUM_THREADS OMP_THREAD_LIMIT
    nproc 2> /dev/null || sysctl -n hw.ncpu 2> /dev/null || getconf _NPROCESSORS_ONLN || echo 1)}
export OMP_NUM_THREADS="$cores"  # for the story model; all others have their own
take_lock
start make -j 2 all dev/report > $lock/log 2>&1
finish || { cat $lock/log >&2; die 1 "make failed"; }
makefile > $lock/list.mk

unit=$( (OMP_NUM_THREADS=1 ./pref sft --task bandit --len 1 -o $lock/ref.bin > /dev/null 2>&1; times) |
    awk 'NR == 2 { split($1, t, "m"); print t[1] * 60 + t[2] }')
plan "$unit" > $lock/plan
! grep '\*\*\*' $lock/errors >&2 || die 1 "the makefile cannot be run"
cut -d ' ' -f 2 $lock/plan | xargs rm -f  # results of other code or other commands
say "$(awk -v cores="$cores" '
    { all += $1; if ($1 > longest) { longest = $1 } }
    END {
        time = all / cores
        if (time < 1.5 * longest / (cores < 4 ? cores : 4)) { time = 1.5 * longest / 4 }
        time = time < 100 ? sprintf("%d s", time + 1) : sprintf("%d min", time / 60 + 0.5)
        printf "%d commands to run on %d cores; that takes about %s\n", NR, cores, time
    }' $lock/plan)"
: > $lock/log
began=$(date +%s)
start make -r -s -k -j "$cores" -f $lock/list.mk > $lock/log 2>&1
echo "$child" > $lock/child
while kill -0 "$child" 2> /dev/null; do
    messages
    progress
    sleep 0.3
done
finish
status=$?
messages
clear_line

export COMMIT="${COMMIT-$(git rev-parse --short HEAD 2> /dev/null)}"
export MACHINE="${MACHINE-$(uname -sm), $cores cores}"
case " $words" in
    *" sweep"*) dev/report --sweep out || status=1 ;;
esac
case $words in
    " sweep") ;;
    *) dev/report out ${full:+dev} || status=1 ;;
esac
failed=$(grep -c '\*\*\* \[' $lock/log)
[ "$failed" = 0 ] || die 1 "$failed commands failed, and $(make -r -s -n -k -f $lock/list.mk \
    2> /dev/null | awk "END { print NR - $failed }") lack what those make; the same command continues"
exit $status
