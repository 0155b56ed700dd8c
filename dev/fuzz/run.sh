#!/bin/sh
# Fuzzes all that pref, measure and dev/jsonl read: builds fuzz.c and jsonl.c with clang's libFuzzer
# and sanitizers, and runs them.
#
#   dev/fuzz/run.sh [SECONDS] [TARGET...]      60 seconds in all, on all cores, for all targets
#
# CORES=n takes no more; CORPUS=DIR keeps the inputs that turned out to matter, and starts there;
# CFLAGS=-DON_POLICY fuzzes the other program. Exits 1, and says where the input lies, on a crash, a
# sanitizer's finding, a broken promise, a time-out (10 s for one input) or over 1 GB of memory.
# Needs clang and its compiler-rt.
set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 1
begin=$(date +%s)
targets="checkpoint stories pairs text options ids info json back"
case ${1-} in
-* | 0*) echo "usage: dev/fuzz/run.sh [SECONDS] [TARGET...]" >&2; exit 2 ;;
[1-9]*) seconds=$1; shift ;;
*) seconds=60 ;;
esac
[ $# -gt 0 ] || set -- $targets
for target; do
    case " $targets " in
    *" $target "*) ;;
    *) echo "run.sh: no target $target; there are: $targets" >&2; exit 2 ;;
    esac
done
cores=${CORES:-$(getconf _NPROCESSORS_ONLN)}
dir=$(mktemp -d) || exit 1
mkdir -p "${CORPUS:=$dir/corpus}" && corpus=$(cd "$CORPUS" && pwd) || exit 1
workers=
trap 'kill $workers 2>/dev/null; wait; rm -rf "$dir"; exit 1' INT TERM HUP

# --- build ---------------------------------------------------------------------------------------

# Tracing comparisons as well would take half of the time and, from valid inputs, find nothing more.
for program in fuzz jsonl; do
    if ! clang -std=c11 -O1 -g -Wno-unused-function -fno-sanitize-coverage=trace-cmp \
        -fsanitize=fuzzer,address,undefined,float-cast-overflow -fno-sanitize-recover=all \
        ${CFLAGS-} "$here/$program.c" -o "$dir/$program" -lm; then
        echo "run.sh: the fuzzer $program.c could not be built" >&2
        rm -rf "$dir"
        exit 1
    fi
done
fuzzer() { case $1 in json | back) echo ./jsonl ;; *) echo ./fuzz ;; esac; }  # of a target

# --- inputs to start from, and words that mutations should know -----------------------------------

mkdir -p "$dir/found" && cd "$dir" || exit 1
for target in $targets; do
    mkdir -p "seeds/$target" "$corpus/$target" || exit 1
done

ints() {  # little-endian numbers of 32 bits
    for i; do
        printf "$(printf '\\%03o' $((i & 255)) $((i >> 8 & 255)) $((i >> 16 & 255)) $((i >> 24)))"
    done
}
shorts() { for s; do printf "$(printf '\\%03o\\000' "$s")"; done; }
weights() { yes 'abc=' | tr -d '\n' | head -c $((4 * $1)); }  # of 0.055
checkpoint() { ints 20240326 3 "$1" "$2" "$3" "$4" "$5" "$6" 0 16384; weights "$7"; }
tokenizer() { ints 20240328 2 9 0 0 0 0 0 0 0; printf '\0\1a\1b\1.\1"\1 \2 a\2ab\2."'; }
tokens() { ints 20240520 1 $# 0 0 0 0 0 0 0; shorts "$@"; }

# T, V, layers, heads, C, rows of the embedding; then all of its numbers, with a head 3 more
checkpoint 2 3 1 1 2 3 88 >seeds/checkpoint/plain
checkpoint 2 3 1 2 2 3 91 >seeds/checkpoint/head
checkpoint 6 3 2 1 2 5 174 >seeds/checkpoint/deep
{ tokenizer; tokens 7 3 6 4 0 1 0; tokens 8 5 2 0; } >seeds/stories/two
{ tokenizer; tokens 1 3 0; } >seeds/info/training
cp seeds/checkpoint/head seeds/stories/two seeds/info
one='"prompt": "a", "chosen": " b.", "rejected": "c"'
two='"prompt":"\u00e9\ud83d\ude00","chosen":"\n\"\\\u0001","rejected":"he"'
printf '{%s}\n' "$one" >seeds/json/one
printf '{"x":[1,{"y":"}"}],"score_chosen":-1.5e2,"score_rejected":1,%s}\n\n{%s}' "$two" "$one" \
    >seeds/json/two
printf '%s\n' '{"chosen": [{"role": "user", "content": "Hi"}, {"content": "a"}],
    "rejected": [{"role": "user", "content": "Hi"}, {"content": "b"}]}' | tr -d '\n' >seeds/json/turns
printf '{"chosen": "It is. So.", "rejected": "It is. No.", "score_chosen": null}' >seeds/json/common
{
    printf '\357\273\277prompt\tchosen\trejected\nHe\t han.\t an \\\\n\\t\\r\\n\r\n'
    printf '\303\251\t\360\237\230\200\t'
} >seeds/pairs/three
printf 'prompt\tchosen\trejected\tscore_chosen\tscore_rejected\na\tb\tc\t-1.5e2\t\n\t\td\t\t0\n' \
    >seeds/pairs/five
cp seeds/pairs/* seeds/back
printf '\3\2he\3 an\2!"Then he said: "And 12 hens!"  \303\251\343\200\202' >seeds/text/one
printf '0 1 2\n\n3 4 5 6 7 8 9 10\n 11\t0\r\n' >seeds/ids/one
words() { printf '%s\0' "$@" >"seeds/options/$1-$#"; }
words tune --method ppo --task r1 --queries 100 --batch 2
words tune --method dpo --task min -m x --pairs x --lr 0.1
words tune --method ppo --task r1 -n 1
words sft -L 1 -H 1 -C 8 --log x -o y
words eval -m x --ref x --task skew --count a,b
words help tune
words pairs -m "$(printf '%05000d' 1)/x" --task min -o y
words tune --method reinforce --task r2 --baseline loo --neg 0.5
words tune --method ppo --task R1 --baseline value --gae 1
words hist -m x --task r1 --len 3
words score -m x --text a --seed 1
for target in checkpoint stories pairs text ids info json back; do
    if ! TARGET=$target VALID=1 $(fuzzer $target) "seeds/$target"/* >log 2>&1; then
        grep 'promise\|^Running' log | tail -n 2
        echo "run.sh: that input, in $dir, should be valid" >&2
        exit 1
    fi
done
# the names in all tables
{
    cat "$here/../../pref.c" "$here/../measure.c" |
        sed -n 's/^ *{\(\.name = \)\{0,1\}"\([a-z-][A-Za-z0-9-]*\)", .*/"\2\\x00"/p'
    printf '"%s\\x00"\n' none loo value 1e9 0.5 -1
} >options.dict
cat >json.dict <<'END'
"\"prompt\":\""
"\"chosen\":\""
"\"rejected\":\""
"\"score_chosen\":"
"\"score_rejected\":"
"\"chosen\":[{\"content\":\""
"\"rejected\":[{\"content\":\""
"\"},{\"content\":\""
"\"}]"
"\",\""
"\\ud83d\\ude00"
"\\u00e9"
"\"}\x0a{\""
"[{"
"}]"
"null"
"1e999"
END
cat >pairs.dict <<'END'
"prompt\x09chosen\x09rejected"
"\x09score_chosen\x09score_rejected"
"\x0aa\x09b\x09c"
"\\t"
"\\n"
"\\r"
"\\\\"
"\x0d\x0a"
"\xef\xbb\xbf"
"<|e>"
"1e999"
END
cp pairs.dict back.dict
printf '"%s"\n' '<|e>' '\xe3\x80\x82' '\xe2\x80\x9d' '\xe3\x80\x8d' >text.dict
printf '"%s"\n' '\x00\x00\x80\x7f' '\x00\x00\xc0\xff' >checkpoint.dict  # inf, NaN

# --- run: each core takes its share of the targets, one after the other ---------------------------

copies=$((cores > $# ? cores / $# : 1))  # of each target
jobs=$((copies * $#))
turns=$(((jobs + cores - 1) / cores))
each=$(((seconds - ($(date +%s) - begin)) / turns))
[ "$each" -ge 1 ] || each=1

fuzz() {  # TARGET NAME: for `each` seconds
    longest=1024
    [ "$1" != options ] || longest=6000  # for a path that is too long
    limits="-timeout=10 -rss_limit_mb=1024 -malloc_limit_mb=64 -max_len=$longest"
    [ ! -f "$1.dict" ] || limits="$limits -dict=$1.dict"
    TARGET=$1 $(fuzzer $1) $limits -max_total_time=$each -print_final_stats=1 \
        -artifact_prefix="$dir/found/$1-" "$corpus/$1" "seeds/$1" >"$2.log" 2>&1 &
    wait $! || : >"$2.failed"
}
worker() {  # NUMBER TARGET...: the jobs of one core
    turn=$1
    shift
    trap 'kill $!; exit 1' TERM
    for copy in $(seq "$copies"); do
        for target; do
            [ "$turn" != 0 ] || fuzz "$target" "$target.$copy"
            turn=$(((turn + cores - 1) % cores))
        done
    done
}
for number in $(seq 0 $((cores - 1))); do
    worker "$number" "$@" &
    workers="$workers $!"
done
wait

# --- report --------------------------------------------------------------------------------------

all=0 failed=0
for name in $(for target; do seq -f "$target.%g" "$copies"; done); do
    log=$name.log
    set -- $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") 0
    runs=$1
    set -- $(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1) 0
    printf '%-14s %9d executions %7d a second, %5d edges\n' "$name" "$runs" $((runs / each)) "$1"
    all=$((all + runs))
    if [ -f "$name.failed" ] || [ "$runs" = 0 ]; then
        failed=$((failed + 1))
        sed -n '/ERROR:\|runtime error\|broken promise/,$p' "$log" | grep -v '^stat::' | head -n 40
        echo "FAILED: TARGET=${name%.*} $dir/$(fuzzer "${name%.*}") $(sed -n 's/.*written to //p' "$log")"
    fi
done
if [ "$failed" != 0 ]; then
    echo "$all executions, $failed failed"
    exit 1
fi
cd / && rm -rf "$dir"
echo "$all executions, no failure"
