#!/bin/sh
# Experiments that ask why a claim of dev/RESULTS.md does not hold; dev/reasons.txt says what they
# show. Usage, in the top folder:
#
#     dev/reasons.sh [WORD]...     reuse, length, push, ipo or stories; the default is all of them
#
# Those on the bandit have five seeds of their own, 21 to 25. Those on stories have seeds 11 to 13 and
# the reward models that ./run.sh lm --seeds 3 has left in out/lm. Logs are kept in out/reasons; one
# that is there is not made again. Figures are the mean AUC over the seeds and its standard error, for
# ipo the margin of the training pairs at the end, and for reuse the reward and the KL at the end.
set -u
cd "$(dirname "$0")/.." || exit 1
export LC_ALL=C OMP_NUM_THREADS=1
place=out/reasons
mkdir -p $place
make -s pref pref_onpolicy || exit 1

# auc NAME SEED...: the mean of the true reward after step 0, over evaluations and then over seeds
auc() {
    name=$1
    shift
    awk -f dev/summary.awk $(printf "$place/${name}_s%s.csv " "$@") | awk 'NR == 2 { print $3, $4, $5 }'
}
# run NAME PROGRAM LEN OPTION...: one run of the bandit for each seed, and its figure
run() {
    name=$1 program=$2 len=$3
    shift 3
    for seed in 21 22 23 24 25; do
        ref=$place/ref_len${len}_s$seed.bin log=$place/${name}_s$seed.csv
        [ -f "$ref" ] || ./pref sft --task bandit --len "$len" --seed $seed -o "$ref" || exit 1
        [ -f "$log" ] || { ./$program tune -m "$ref" --len "$len" --seed $seed "$@" \
            --log "$log.part" > /dev/null 2>&1 && mv "$log.part" "$log"; } || exit 1
    done
    printf '%-34s %s\n' "$name" "$(auc "$name" 21 22 23 24 25)"
}
# story METHOD NAME OPTION...: one on-policy run on min for each seed, and its figure
story() {
    method=$1 name=min_$1_$2
    shift 2
    for seed in 11 12 13; do
        log=$place/${name}_s$seed.csv
        [ -f "$log" ] || { ./pref_onpolicy tune --method $method --task min -m out/sft.bin \
            --rm out/lm/rm_min_s$seed.bin --seed $seed "$@" --log "$log.part" > /dev/null &&
            mv "$log.part" "$log"; } || exit 1
    done
    printf '%-34s %s\n' "$name" "$(auc "$name" 11 12 13)"
}

# end NAME COLUMN: the last value of a column of a run on the bandit, and its standard error
end() {
    for seed in 21 22 23 24 25; do
        awk -F , -v column="$2" '
            NR == 1 { for (i = 1; i <= NF; i++) { if ($i == column) { at = i } } }
            { last = $at }
            END { if (at) { print last } }' "$place/${1}_s$seed.csv"
    done | awk '{ s += $1; q += $1 * $1; n++ }
        END {
            m = s / n
            variance = q / n - m * m  # rounding can make it less than 0
            printf "%.3f +- %.3f\n", m, (variance > 0 ? sqrt(variance / (n - 1)) : 0)
        }'
}

for word in ${*:-reuse length push ipo stories}; do
    echo "$word"
    case $word in
        reuse)  # C4 at three times the rate: ppo's reuse with its clip and with one that rarely acts
            for clip in 0.2 10; do
                for t in 1 5 20 50; do
                    name=reuse${t}_clip$clip
                    run $name pref_onpolicy 9 --method ppo --task r1 --queries 2000 --reuse $t \
                        --eval-every $t --lr 3e-3 --clip $clip > /dev/null
                    printf '%-34s %s KL %s\n' $name "$(end $name gold_reward)" "$(end $name kl)"
                done
            done ;;
        length)  # C5: the lead of dpo over bon by the length of responses (1 and 9: see C5b and C5)
            for len in 2 3 5; do
                for task in r1 r2; do
                    for method in bon dpo; do
                        run len${len}_${method}_$task pref $len --method $method --task $task
                    done
                done
            done ;;
        push)  # C5c: from best-of-n with a push to dpo, with two responses to a prompt and with ten
            for push in 0 0.03 0.1 0.3 1; do
                run bon_n2_push$push pref 9 --method bon --task r1 -n 2 --batch 50 --push-worst $push
                run bon_n10_push$push pref 9 --method bon --task r1 --push-worst $push
            done
            for neg in 0 1; do
                run dpo_n2_neg$neg pref 9 --method dpo --task r1 -n 2 --batch 50 --neg $neg
                run reinforce_neg$neg pref 9 --method reinforce --task r1 --neg $neg
                run ppo_neg$neg pref 9 --method ppo --task r1 --neg $neg
            done
            for beta in 0.0001 0.01 1; do  # with a small one, every pair keeps the same weight
                run dpo_n2_beta$beta pref 9 --method dpo --task r1 -n 2 --batch 50 --beta $beta
            done ;;
        ipo)  # C7 (a): the margin that ipo reaches with 5 prompts, by tau, and that of pref-ft
            five="--task r1 --batch 5 --reuse 200"
            for tau in 0.05 0.02 0.01 0.001; do
                run ipo_tau$tau pref 9 --method ipo $five --tau $tau > /dev/null
                printf '%-34s %s\n' ipo_tau$tau "$(end ipo_tau$tau train_reward_margin)"
            done
            run ft_5 pref 9 --method pref-ft $five > /dev/null
            printf '%-34s %s\n' pref-ft "$(end ft_5 train_reward_margin)" ;;
        stories)  # L4: what puts dpo, ppo and rwr in order
            for method in dpo ppo rwr; do
                story $method 1e-4
                story $method 3e-4 --lr 3e-4
            done
            story dpo beta0.5 --beta 0.5
            story dpo pair1 -n 2 --batch 32  # one pair a prompt, as in the paper
            for beta in 0.3 3; do story rwr beta$beta --beta $beta; done ;;
        *) echo "reasons.sh: unknown word '$word'" >&2; exit 2 ;;
    esac
done
