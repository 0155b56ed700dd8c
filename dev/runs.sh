#!/bin/sh
# Runs one command of the bandit for several seeds, for dev/EXERCISES.md:
#
#   sh dev/runs.sh ./pref off_dpo --method dpo --task r1
#
# is, for each seed of $SEEDS (11 12 13 if it is not set),
#
#   ./pref tune -m out/ex/refSEED.bin --seed SEED --log out/ex/off_dpo_sSEED.csv --method dpo --task r1
#
# on one core. The reference of a seed is trained when it is first needed; all runs on that seed share
# it. What the runs print is left in out/ex/off_dpo_sSEED.txt.
set -u
[ $# -ge 3 ] || { echo 'expected: sh dev/runs.sh PROGRAM NAME OPTIONS...' >&2; exit 2; }
cd "$(dirname "$0")/.." && mkdir -p out/ex || exit 1
export OMP_NUM_THREADS=1
program=$1 name=$2
shift 2
for seed in ${SEEDS:-11 12 13}; do
    ref=out/ex/ref$seed.bin log=out/ex/${name}_s$seed
    [ -f "$ref" ] || ./pref sft --task bandit --seed "$seed" -o "$ref" > "$ref.txt" || exit 1
    "$program" tune -m "$ref" --seed "$seed" --log "$log.csv" "$@" > "$log.txt" || exit 1
done
