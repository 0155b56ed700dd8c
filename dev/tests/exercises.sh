#!/bin/sh
# Tests of the exercises' solutions and of their checker: each patch is short, applies, compiles
# without warnings, is right and trains; and faults that are planted in it are found, with words.
. "$(dirname "$0")/lib.sh"
cc="${CC:-cc} -O0 -std=c11 -Wall -Wextra -Wshadow -Wno-unknown-pragmas"
names='slic kto simpo cdpo dr-grpo ipo-mean'
clone=$scratch/clone

mkdir -p "$clone/dev"
cp pref.c Makefile "$clone"
cp -r dev/solutions "$clone/dev"
exercises=$(sed -n 's/^## \([0-9]*\)\. .*/\1/p' dev/EXERCISES.md | tr '\n' ' ')
same 'the exercises' "$exercises" '1 2 3 4 5 6 7 8 9 10 11 12 '
long=$(awk 'length > 100 { print FILENAME ":" FNR }' dev/EXERCISES.md dev/solutions/*.txt dev/solutions/*.c)
same 'lines of more than 100 columns' "$long" ''
for file in $(sed -n 's/^    patch -p1 < //p' dev/EXERCISES.md); do holds "$file is there" test -f "$file"; done

# The policy that all runs start from; a pref that is optimised trains it in a few seconds.
[ -x pref ] || make pref > "$scratch/said" 2>&1
holds 'a reference is trained' ./pref sft --task bandit --len 1 -o "$clone/ref.bin"

cd "$clone" || exit 1
exercise() { make --no-print-directory CFLAGS=-O0 PORTABLE=1 OMP=0 exercise NAME="$1"; }
check() { ./dev/solutions/check "$@"; }
# make exits with 2 whenever a command fails; the checker itself exits with 1.
says 2 'slic: METHODS of pref.c has no such method yet' exercise slic
says 2 'make exercise NAME=slic' exercise ''
says 2 'there is no checker for even; there is one for: cdpo' exercise even
for name in $names; do says 1 "$name: METHODS of pref.c has no such method yet" check $name; done
says 2 "is there an exercise 'grpo'?" check grpo
says 2 'expected the name of an exercise' check

patched() {  # with its context as it stands in the patch, at whatever line
    patch -p1 < "dev/solutions/$1.patch" > patch.said && ! grep -iE 'fuzz|fail' patch.said
}
for name in $names even; do
    cp pref.c before.c
    lines=$(wc -l < "dev/solutions/$name.patch")
    holds "$name.patch has at most 25 lines, not $lines" test "$lines" -le 25
    holds "$name.patch applies" patched $name
    same "columns of what $name.patch adds" "$(grep '^+' "dev/solutions/$name.patch" | awk 'length > 101')" ''
    holds "$name: pref compiles without warnings" $cc -Werror pref.c -o pref -lm
    holds "$name: pref_onpolicy, too" $cc -Werror -DON_POLICY pref.c -o pref_onpolicy -lm
    what="--method $name --task r1"
    [ $name != even ] || what='--method dpo --task even'
    for program in ./pref ./pref_onpolicy; do
        says 0 'step     3' $program tune $what -m ref.bin --len 1 --steps 3 --eval-every 3 -n 4 --neg 0.5
    done
    [ $name = even ] || says 0 "$name: right" exercise $name
    mv before.c pref.c
done

# The patches do not stand in each other's way, in whatever order.
for name in ipo-mean even dr-grpo cdpo simpo kto slic; do holds "$name.patch applies, too" patched $name; done
cp pref.c all.c

# planted: compiles a checker with what the function wrong() plants; wrong NAME FROM TO replaces a
# text in the loss of a method, and it must be there.
wrong() {
    function=loss_$(echo "$1" | tr - _)
    sed "/^static double $function(/,/^}/s|$2|$3|" pref.c > wrong.c
    holds "$1: '$2' is there to be replaced" sh -c '! cmp -s pref.c wrong.c'
    mv wrong.c pref.c
}
row() {  # the same in the row of a method
    sed "/^    {\"$1\"/,/},\$/s|$2|$3|" pref.c > wrong.c
    holds "$1: '$2' is in its row" sh -c '! cmp -s pref.c wrong.c'
    mv wrong.c pref.c
}
planted() {
    holds 'the checker compiles' ${CC:-cc} -O0 -w -std=c11 dev/solutions/check.c -o dev/solutions/check -lm
    cp all.c pref.c
}

# wrong signs
wrong slic 'push(b, lost, g)' 'push(b, lost, -g)'
wrong kto 'push(b, row, -s' 'push(b, row, s'
wrong simpo 'd - 1' 'd + 1'
wrong cdpo 'push(b, y.won, -g)' 'push(b, y.won, g)'
wrong dr-grpo 'reward\[r\] -' 'reward[r] +'
wrong ipo-mean '- 1 / (2' '+ 1 / (2'
planted
says 1 'slic: dlogp of token 3 of response 2 is -0.25, expected 0.25' check slic
says 1 'slic: dlogp of token 1 of response 2 is -0.25, but the loss grows by 0.25 for' check slic
says 1 'kto: every dlogp is -1 times what is expected' check kto
says 1 'simpo: the loss is 0.221767, expected 0.630765' check simpo
says 1 'cdpo: dlogp of token 1 of response 1 is 0.127172, expected -0.127172' check cdpo
says 1 'dr-grpo: the loss is ' check dr-grpo
says 1 'ipo-mean: the loss is ' check ipo-mean

# missing factors, lengths, bounds
wrong slic '0.1 \* weight' 'weight'
wrong kto 'fmax(mean, 0)' 'mean'
wrong simpo ' / m);' ');'
wrong cdpo 'weight \* o->beta \*' 'weight *'
wrong dr-grpo '(real)A' 'b->advantage[i]'
wrong ipo-mean 'gap / m' 'gap'
planted
says 1 'slic: dlogp of token 1 of response 1 is -0.5, expected -0.275' check slic
says 1 '(with logp and ref_logp exchanged), but the loss grows by' check kto
says 1 'simpo: dlogp of token 1 of response 2 is 0.4558, expected 0.151933' check simpo
says 1 'cdpo: every dlogp is 0.5 times what is expected' check cdpo
says 1 'dr-grpo: dlogp of token 2 of response 1 is -0.195368, expected -0.138146' check dr-grpo
says 1 'ipo-mean: dlogp of token 1 of response 2 is 4.90833, expected 1.63611' check ipo-mean

# rows that keep from the training loop what the loss reads; prompts; NaN
row slic '.needs_pairs = 1, ' ''
row kto '.needs_ref = 1, ' ''
row simpo '"--beta --neg"' '"--neg"'
row cdpo '"--beta --neg"' '"--beta"'
row dr-grpo '.needs_old = 1, ' ''
wrong ipo-mean 'return loss;' 'b->dlogp[0] = 1; return loss / 0;'
planted
says 1 'its row of METHODS needs .needs_pairs = 1' check slic
says 1 'kto: its loss reads ref_logp; if the equation does so, its row of METHODS needs .needs_ref = 1' check kto
says 1 'simpo: its loss reads --beta, which its row of METHODS does not list in .reads' check simpo
says 1 'cdpo: its loss has a negative gradient, but its row of METHODS does not list --neg' check cdpo
says 1 'dr-grpo: its loss reads old_logp; if the equation does so, its row of METHODS needs .needs_old = 1' check dr-grpo
says 1 'ipo-mean: dlogp of the prompt before response 1 is 1, expected 0' check ipo-mean
says 1 'ipo-mean: the loss is inf' check ipo-mean

finish exercises
