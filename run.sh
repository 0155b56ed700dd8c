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
# run.sh prints the experiments as a makefile, and make runs it. A result is made again when the
# code that made it, its command or its inputs have changed, so a run.sh that was stopped continues
# where it was. `make -f` runs the makefile elsewhere, too: the README says how on a cluster.

set -u
cd "$(dirname "$0")" || exit 1
export LC_ALL=C
unset MAKEFLAGS MFLAGS MAKELEVEL  # run.sh may itself have been started by make
. dev/experiments.sh       # prints the commands

makefile() {
    cat << 'END'
# The experiments of pref.c, as run.sh prints them. Build the programs; then make -f runs this.
all: story references pairs reward_models runs evaluations
.PHONY: all story references pairs reward_models runs evaluations
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += -r
ifneq ($(origin problem), command line)
problem := $(shell sh run.sh --stamps $(firstword $(MAKEFILE_LIST)))
endif
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
    for built in pref pref_onpolicy measure:dev/measure.c measure dev/kl:dev/kl.c; do
        program=${built%:*} source=pref.c
        case $built in *:*) source=${built#*:} ;; esac
        [ -x "$program" ] && [ -z "$(find "$source" -newer "$program")" ] ||
            { echo "$program is missing or older than $source: run make first"; return; }
    done
    mkdir -p out/.by
    code=$(bare pref.c)
    [ -n "$code" ] ||
        { echo "no C compiler: '${CC:-cc}' does not work; CC=... names another"; return; }
    methods="sft pref-ft bon rwr reinforce ppo dpo ipo"
    for method in pref $methods; do stamp $method "$(without_losses_but "$method")"; done
    stamp measure "$(without_losses_but measure; bare dev/measure.c)"
    stamp kl "$(bare dev/kl.c)"
    stamp data "$(cksum < tinystories_tok.bin)"
    # The directories; and for each target its command. A target is also made again if another file
    # that its command writes has been lost.
    awk '/^\t/ { sub(/\/[^\/]*$/, "", target); print target; print "out/.by" substr(target, 4) }
        { target = $1 }' "$1" | sort -u | xargs mkdir -p
    awk 'function is_there(file,   line, got) {
            got = (getline line < file)
            close(file)
            return got >= 0
        }
        /^\t/ {
            stamp = "out/.by" substr(target, 4)
            old = ""
            getline old < stamp
            close(stamp)
            n = split($0, word, " ")
            for (i = 2; i <= n; i++) {
                if (word[i - 1] !~ /^(-o|>)$/ || word[i] ~ /[.]part$/) { continue }
                if (!is_there(word[i])) { old = "" }
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
rm_parts() {
    find out \( -name '*.part' -o -name '*.unfinished' -o -name '*.tmp' \) -exec rm -f {} +
}
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

# Prints "weight target phase" for each command that is to be run. A weight of 1 is the time of a
# reference with --len 1, about half a second on a fast core; the others were measured once.
plan() {
    make -r -s -n -k -f $lock/list.mk > $lock/commands 2> $lock/errors
    awk 'function value(option) {  # of an option of this command; without it 1
            return match($0, option " [0-9]+") ? substr($0, RSTART + length(option)) + 0 : 1
        }
        function weight(   passes) {
            if (/pref sft -o/) { return 115 }
            if (/pref sft/) { return /--len 1/ ? 1 : 4.4 }
            if (/pref pairs/) { return /-n 80/ ? 0.3 : 10 }
            if (/pref rm/) { return /noisy/ ? 8 : 36 }
            if (/measure eval/) { return 4.3 }
            if (/dev[/]kl/) { return 2 }
            if (!/ tune /) { return 0.3 }
            passes = /--queries/ ? value("--reuse") : 0
            if (/sft.bin/) { return passes ? 4 * passes : /--steps/ ? 32 : 16 }
            return /--len 1/ ? 0.6 : /--batch 5/ ? 1.6 : passes ? 0.5 + 0.25 * passes : 2.8
        }
        NR == FNR { todo["\t" $0]; next }
        $0 in todo { w = weight(); getline; print w, $2, substr($1, 1, length($1) - 1) }
        ' $lock/commands $lock/list.mk
}
# Prints what make and its commands have said since the last time.
messages() {
    lines=$(awk 'END { print NR }' $lock/log)
    [ "$lines" -gt $shown ] || return 0
    clear_line
    awk -v shown=$shown 'NR <= shown || /^note: / { next }
        sub(/.*[*][*][*] [[]/, "") { sub(/[]].*/, ""); sub(/.*: /, ""); print "failed: " $0; next }
        !/^g?make/' $lock/log >&2
    shown=$lines
}
# One line, drawn over itself: how many commands are done, how long is left, what runs now.
progress() {
    [ -t 2 ] || return 0
    find out \( -name '*.part' -o -newer $lock/plan \) -type f | awk -v cores="$cores" \
        -v unit="$unit" -v seconds=$(($(date +%s) - began)) '
        NR == FNR { weight[$2] = $1; n++; all += $1; next }
        /[.]part$/ { sub(/.*\//, ""); sub(/[.]csv[.]part$/, ""); now = now " " $0 }
        $0 in weight { done++; ended += weight[$0] }
        END {
            left = (all - ended) * unit / cores
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
        *) die 2 "unknown word '$1'; there are bandit lm kl beyond full sweep list x3 best" ;;
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

plan > $lock/plan
! grep '[*][*][*]' $lock/errors >&2 || die 1 "the makefile cannot be run"
# What is there of these is the result of other code, commands or inputs.
old=$(cut -d ' ' -f 2 $lock/plan | while read -r file; do [ ! -f "$file" ] || echo; done | wc -l)
[ "$old" -eq 0 ] || say "removes $((old)) results of other code, commands or inputs"
cut -d ' ' -f 2 $lock/plan | xargs rm -f
case "$words/$rates" in
    *lm*/*best*) grep -q '^lm ' dev/rates.txt 2> /dev/null || say "note: dev/rates.txt has no rates \
of stories, so their own best rate is the default one; './run.sh sweep' finds them" ;;
esac
calibrate() { OMP_NUM_THREADS=1 ./pref sft --task bandit --len 1 -o $lock/ref.bin; }
unit=$( (calibrate > /dev/null 2>&1; times) |
    awk 'NR == 2 { split($1, t, "m"); print t[1] * 60 + t[2] }')
say "$(awk -v cores="$cores" -v unit="$unit" '
    { all += $1; phase[$3]++; if ($3 == "story") { story = $1 } }
    END {
        time = all / cores
        chain = story / (cores < 4 ? cores : 4) + 60  # no number of cores makes this shorter
        if (story && time < chain) { time = chain }
        time *= unit
        time = time < 90 ? sprintf("%d s", time + 1) : sprintf("%d min", time / 60 + 0.5)
        n = split("story references pairs reward_models runs evaluations", name, " ")
        for (i = 1; i <= n; i++) {
            if (name[i] in phase) { list = list (list ? ", " : "") name[i] " " phase[name[i]] }
        }
        sub("_", " ", list)
        if (NR == 0) { print "all results are there" }
        else { printf "%d commands on %d cores (%s), about %s\n", NR, cores, list, time }
    }' $lock/plan)"
: > $lock/log
began=$(date +%s)
# `problem=` keeps make from running --stamps once more: what changes from here on has to wait.
# (The makefile asks for the origin of the variable, because make runs $(shell) even in an assignment
# that the command line overrides.)
start make -r -s -k -j "$cores" -f $lock/list.mk problem= > $lock/log 2>&1
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
cpu=$({ sed -n 's/^model name[^:]*: //p' /proc/cpuinfo || sysctl -n machdep.cpu.brand_string; } \
    2> /dev/null | head -n 1)
export MACHINE="${MACHINE-$(uname -sm), ${cpu:-unknown processor}, $cores cores}"
page=''
[ -z "$full" ] || [ "$seeds" -lt 5 ] || page=dev
case $words in *sweep*) dev/report --sweep out || status=1 ;; esac
case $words in ' sweep') ;; *) dev/report out $page || status=1 ;; esac
failed=$(grep -c '[*][*][*] \[' $lock/log)
left=$(make -r -s -n -k -f $lock/list.mk problem= 2> /dev/null | awk 'END { print NR }')
[ "$left" = 0 ] || die 1 "failed: $failed; not run without their results: $((left - failed)). \
The same command continues"
exit $status
