# The experiments: run.sh reads this file, and `commands` prints one line for every command that the
# words on run.sh's command line ask for. The claims (C1 to C8, L1 to L4) are those of the README.

# add PHASE TARGET NEEDS COMMAND prints one command of the list, with the file that it makes last
# and the files that it depends on. Those in out/.by stand for code: see stamps in run.sh.
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
# pairs SEED TASK...: preference pairs, and a reward model that is trained on them. With twice the
# default pairs and steps, the reward model of mode is right on 91% of held-out pairs, not on 88%.
pairs() {
    seed=$1 && shift
    for task; do
        pair=out/lm/${task}_s$seed rm=out/lm/rm_${task}_s$seed
        options="--task $task -n 4000" steps="--steps 600 "
        [ "$task" != noisy ] || { options="--task mode -n 80 --label-noise 0.3" steps=''; }
        add pairs "$pair.tsv" "out/.by/pref out/sft.csv" "$one ./pref pairs -m out/sft.bin \
$options --seed $seed -o $pair.tsv > $pair.txt"
        add reward_models "$rm.csv" "out/.by/pref out/sft.csv $pair.tsv" "$one ./pref rm \
-m out/sft.bin --pairs $pair.tsv $steps--seed $seed -o $rm.bin --log $rm.csv.part > $rm.txt \
&& mv $rm.csv.part $rm.csv"
    done
}

# tune SIDE METHOD TASK SEED [OPTION VALUE]...: one training run. SIDE is on (samples of the
# policy), off (one collection from the reference) or file (a file of preference pairs). The name of
# a run says all of this, so claims that need the same run print the same line, and it runs once.
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
        default/*_dpo_r?_s11 | default/*_bon_r1_s11 | default/*_dpo_min_s11 | \
        default/on_rwr_min_s11 | default/on_ppo_min_s11 | default/on_dpo_skew_s11 | \
        default/*_mode_s* | default/*_mode_kl0.1_s*)
            folder=$base save=out/$base/${name}_s$seed.bin ;;
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
    log=out/lm/${1}_s11 also=" --seed 11"
    case $2 in r?) log=out/bandit/${1}_s11 also='' ;; esac
    add evaluations "$log.hist.csv" "out/.by/measure ${4:-$log.csv}" "$one ./measure hist \
-m ${3:-$log.bin} --task $2$also > $log.hist.csv.part && mv $log.hist.csv.part $log.hist.csv"
    also=''
}
evaluate() {  # evaluate NAME SEED [MODEL MADE_WITH]: how many of its stories have a dog or a cat
    log=out/lm/${1}_s$2
    add evaluations "$log.eval.csv" "out/.by/measure out/sft.csv ${4:-$log.csv}" "$one ./measure \
eval -m ${3:-$log.bin} --ref out/sft.bin --task mode -n 2000 --count dog,cat --seed $2 \
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
    reused ppo min "$1" 1600 1 2 4 8  # L2, whose verdict is ppo's; the others are shown at one rate
    [ "$rate" != default ] || for method in rwr bon; do reused $method min "$1" 1600 1 2 4 8; done
}
lm_hists() {
    hist reference min out/sft.bin out/sft.csv
    for name in on_dpo_min off_dpo_min file_dpo_min on_ppo_min on_rwr_min on_dpo_mode \
            on_dpo_skew; do
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
