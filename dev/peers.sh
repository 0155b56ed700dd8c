#!/bin/sh
# Our speed beside that of PyTorch and llm.c, measured in one run on this machine.
#
#   PYTHON=/path/to/python dev/peers.sh [LLMC_DIR]
#
# PYTHON (default python3) is an interpreter with torch, LLMC_DIR a work tree of karpathy/llm.c; the
# column of a missing one stays empty. PREF (default ./measure) is the program measured. Takes minutes,
# during which the machine must be idle. Each peer is measured between two runs of ours, so that a
# machine that changes its pace shows; the ratios are those of our better run.
set -u
[ $# -le 1 ] || { echo "usage: dev/peers.sh [LLMC_DIR]" >&2; exit 2; }
dir=${1:+$(cd "$1" && pwd)}
cd "$(dirname "$0")/.." || exit 1
PREF=${PREF:-./measure} PYTHON=${PYTHON:-python3}
[ -x "$PREF" ] || { echo "peers.sh: no program $PREF: run make first" >&2; exit 1; }
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' INT TERM HUP

torch=yes
if ! "$PYTHON" -c 'import torch' 2>"$tmp/why"; then
    torch=
    echo "peers.sh: no PyTorch column: $PYTHON: $(tail -n 1 "$tmp/why")." \
         "Name an interpreter that has torch by PYTHON=..." >&2
fi
llmc=
if [ $# = 0 ]; then
    echo "peers.sh: no llm.c column: name the directory of https://github.com/karpathy/llm.c" >&2
elif [ ! -f "$dir/train_gpt2.c" ]; then
    echo "peers.sh: no llm.c column: $1 holds no train_gpt2.c" >&2
elif ! gcc -Ofast -march=native -fopenmp -DLLMC="\"$dir/train_gpt2.c\"" \
           dev/llmc.c -lm -o "$tmp/llmc" 2>"$tmp/why"; then
    echo "peers.sh: no llm.c column: $(grep -m 1 error "$tmp/why")" >&2
else
    llmc=yes
fi

# ours PROGRAM MODEL train|sample -> tokens a second; model A trains on 32 rows and samples 64
ours() {
    case $2$3 in
    Atrain)  set -- "$1" "$3" -L 4 -H 4 -C 128 -V 512 -B 32 -T 128 ;;
    Asample) set -- "$1" "$3" -L 4 -H 4 -C 128 -V 512 -B 64 -T 128 ;;
    *)       set -- "$1" "$3" -L 3 -H 3 -C 48 -V 100 -B 100 -T 10 ;;
    esac
    program=$1 what=$2
    shift 2
    "$program" bench "$@" | sed -n "s|^$what: *\([0-9][0-9]*\).*|\1|p"
}
peer() { sed -n 's|^.* \([0-9][0-9]*\) tok/s.*|\1|p'; }
ratio() {
    awk -v a="${1:-0}" -v b="${2:-0}" 'BEGIN { if (a * b) printf "%.2fx", a / b; else print "-" }'
}
larger() { if [ "${1:-0}" -gt "${2:-0}" ]; then echo "$1"; else echo "$2"; fi; }

# versus TITLE X Y RUN: RUN x|y MODEL train|sample measures; X, Y, X again, for each model and task
versus() {
    printf '\n%-10s %10s %10s %10s %8s\n' "$1" "$2" "$3" "$2 again" "$3/$2"
    for row in 'A train' 'A sample' 'B train' 'B sample'; do
        x=$($4 x $row) y=$($4 y $row) again=$($4 x $row)
        printf '%-10s %10s %10s %10s %8s\n' "$row" "${x:--}" "${y:--}" "${again:--}" \
               "$(ratio "$y" "$(larger "$x" "$again")")"
    done
}

printf '%-10s %10s %10s %10s %10s %11s %11s   tokens a second\n' \
       '' ours torch llm.c 'ours again' ours/torch ours/llm.c
for row in 'A train' 'A sample' 'B train' 'B sample'; do
    set -- $row
    t= l=
    first=$(ours "$PREF" $row)
    [ -z "$torch" ] || t=$("$PYTHON" dev/peers.py $row 2>>"$tmp/variants" | peer)
    [ -z "$llmc" ] || [ "$2" = sample ] || l=$("$tmp/llmc" "$1" | peer)   # it has no KV cache
    again=$(ours "$PREF" $row)
    best=$(larger "$first" "$again")
    printf '%-10s %10s %10s %10s %10s %11s %11s\n' "$row" "${first:--}" "${t:--}" "${l:--}" \
           "${again:--}" "$(ratio "$best" "$t")" "$(ratio "$best" "$l")"
done
[ -z "$torch" ] || { echo; cat "$tmp/variants"; }

threads() { case $1 in x) n=1 ;; y) n=2 ;; esac; shift; OMP_NUM_THREADS=$n ours "$PREF" "$@"; }
versus threads 1 2 threads

for cc in gcc clang; do
    if ! $cc -O3 -march=native -fopenmp dev/measure.c -lm -o "$tmp/pref_$cc" 2>"$tmp/why"; then
        echo "peers.sh: compilers not compared: $(grep -m 1 -e error -e found "$tmp/why")" >&2
        exit
    fi
done
compilers() { case $1 in x) cc=gcc ;; y) cc=clang ;; esac; shift; ours "$tmp/pref_$cc" "$@"; }
versus compilers gcc clang compilers
