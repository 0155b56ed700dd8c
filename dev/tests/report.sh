#!/bin/sh
# Feeds dev/report with made-up logs whose figures and verdicts are known by hand.
. "$(dirname "$0")/lib.sh"

report=$scratch/report
${CC:-cc} -O1 -std=c11 -Wall -Wextra -Wshadow -Werror dev/report.c -o "$report" -lm || exit 1
export RATES="$scratch/rates.txt" REASONS="$scratch/reasons.txt"
work=$scratch/work

# logs DIR: writes the runs that standard input lists, one a line:
#     FOLDER/NAME REWARD,REWARD,... [seeds=N,N,...] [vary=X] [COLUMN=X,X,...]...
# A run has as many rows as rewards, evenly spaced from step 0 to 100, and 20,000 queries. With vary
# its seeds differ: X times -2, -1, 0, 1, 2 is added to all rewards but the first, so that the
# standard error over five seeds is 0.7071 X. A column of one value has it in all rows; one that is
# not named is 0. Names may hold alternatives as {a,b}.
logs() {
    awk -v dir="$1" '
    BEGIN {
        head = "step,queries,loss,gold_reward,proxy_reward,kl,entropy,distinct,response_len,"
        head = head "logp_chosen,logp_rejected,reward_margin,reward_accuracy,push_up,push_down,"
        head = head "grad_norm,clip_frac,seconds,train_logp_chosen,train_logp_rejected,"
        head = head "train_reward_margin,train_reward_accuracy,unfinished"
        n_columns = split(head, column, ",")
    }
    function write(name,    s, r, c, file, at, x, n, value) {
        for (s = 1; s <= n_seeds; s++) {
            file = dir "/" name "_s" seed[s] ".csv"
            print head > file
            for (r = 1; r <= rows; r++) {
                at = rows > 1 ? (r - 1) / (rows - 1) : 0
                for (c = 1; c <= n_columns; c++) {
                    x = c == 1 ? 100 * at : c == 2 ? 20000 * at : 0
                    if (column[c] in named) {
                        n = split(named[column[c]], value, ",")
                        x = value[n > 1 ? r : 1]
                    }
                    if (column[c] == "gold_reward") {
                        x = gold[r] + (r > 1 ? vary * (seed[s] - 13) : 0)
                    }
                    printf "%s%s", x, (c < n_columns ? "," : "\n") > file
                }
            }
            close(file)
        }
    }
    function expand(name,    a, b, n, i, part) {
        a = index(name, "{")
        if (!a) { write(name); return }
        b = index(name, "}")
        n = split(substr(name, a + 1, b - a - 1), part, ",")
        for (i = 1; i <= n; i++) { expand(substr(name, 1, a - 1) part[i] substr(name, b + 1)) }
    }
    NF {
        split("", named)
        vary = 0
        n_seeds = split("11,12,13,14,15", seed, ",")
        rows = split($2, gold, ",")
        for (i = 3; i <= NF; i++) {
            split($i, pair, "=")
            if (pair[1] == "vary") { vary = pair[2] }
            else if (pair[1] == "seeds") { n_seeds = split(pair[2], seed, ",") }
            else { named[pair[1]] = pair[2] }
        }
        expand($1)
    }'
}

# fresh BASE: empties $work and writes the runs of $BASE there.
fresh() {
    rm -rf "$work"
    mkdir -p "$work/bandit" "$work/bandit_x3" "$work/bandit_best" "$work/lm" "$work/lm_x3" \
        "$work/lm_best" "$work/sweep_bandit" "$work/sweep_lm"
    printf '%s\n' "$1" | logs "$work"
}

run() {
    said=$("$report" "$work" 2>&1)
    same "status of report" $? 0
}

# verdict CLAIM WORDS [SET]: the line of a claim on the page, from its first word on.
verdict() {
    got=$(awk -v id="## $1." -v set="${3-one rate}: " '
        /^## / { in_claim = index($0, id) == 1 }
        in_claim && (index($0, set) == 1 || index($0, "Verdict: ") == 1) {
            sub(/^[^:]*: /, ""); gsub(/\\/, ""); print; exit
        }' "$work/RESULTS.md")
    same "verdict of $1" "$got" "$2"
}

# with BASE CLAIM WORDS...: the verdict where the runs on standard input replace some of BASE's.
with() {
    fresh "$1"
    logs "$work"
    run
    claim=$2
    shift 2
    verdict "$claim" "$*"
}

contains() {  # contains WHAT TEXT PART
    case $2 in
        *"$3"*) pass ;;
        *)
            printf '%s\n' "$2" > "$scratch/said"
            fail "$1: $3" "$scratch/said" ;;
    esac
}
prints() { contains "not printed" "$said" "$1"; }
shows() { contains "not on the page" "$(sed 's/\\//g' "$work/RESULTS.md")" "$1"; }

# --- C1: every way in which a verdict can come about ----------------------------------------------

c1='bandit/on_{bon,rwr,dpo,ppo}_r1 .2,.9,.9
bandit/off_{bon,rwr,dpo,ppo}_r1 .2,.5,.5'
with "$c1" C1 'holds for bon 0.400, rwr 0.400, dpo 0.400.' < /dev/null
prints 'C1   Fresh samples beat a fixed set (R1)           holds           not run         not run'
shows '| one rate | bon | 0.400 ± 0.000 | 0.500 | ≥ 0.05 and 2 s.e. | yes | 5 |'
shows 'on_bon_r1` | 0.900 ± 0.000 | 0.87 ± 0.00 | 0.900 ± 0.000 | 50 ± 0 | never | 10000'
case $said in *'no verdicts'*) fail 'five seeds, and it says "no verdicts"' ;; *) pass ;; esac
with "$c1" C1 'holds for bon 0.400, rwr 0.400; not for dpo 0.020.' << 'END'
bandit/on_dpo_r1 .2,.52,.52
END
with "$c1" C1 'does not hold; met: bon 0.400; not met: rwr 0.020, dpo 0.0499.' << 'END'
bandit/on_rwr_r1 .2,.52,.52
bandit/on_dpo_r1 .2,.5499,.5499
END
with "$c1" C1 'holds for bon 0.050, rwr 0.400; not for dpo -0.040.' << 'END'
bandit/on_bon_r1 .2,.55,.55
bandit/off_dpo_r1 .2,.94,.94
END
with "$c1" C1 'does not hold; met: bon 0.400, rwr 0.400; not met: dpo -0.060.' << 'END'
bandit/off_dpo_r1 .2,.96,.96
END
with "$c1" C1 'holds for bon 0.150, dpo 0.400; not for rwr 0.100, but 2 s.e. are 0.141.' << 'END'
bandit/on_bon_r1 .2,.65,.65 vary=.1
bandit/on_rwr_r1 .2,.6,.6 vary=.1
END
shows '0.100 ± 0.071'
# AUC leaves step 0 out, and is a mean of the others
with "$c1" C1 'holds for bon 0.100, rwr 0.400, dpo 0.400.' << 'END'
bandit/on_bon_r1 .2,.3,.9
bandit/off_bon_r1 .2,.5,.5
END
shows 'on_bon_r1` | 0.600 ± 0.000 | 0.50 ± 0.00 | 0.900 ± 0.000 | 100 ± 0'

# fewer than five seeds
few() {  # few SEEDS WORDS: C1 and the screen with these seeds
    fresh ''
    printf '%s\n' "$c1" | sed "s/\$/ seeds=$1/" | logs "$work"
    run
    verdict C1 '5 seeds decide: bon 0.400, rwr 0.400, dpo 0.400.'
    prints "$2: no verdicts; dev/RESULTS.md has those of five"
    shows '| one rate | bon | 0.400'
}
few 11 'one seed'
few 11,12,13,14 'four seeds'
few 12,13,14,15 'four seeds'
fresh "$c1"
rm "$work"/bandit/off_dpo_r1_s12.csv
run
verdict C1 '5 seeds decide: bon 0.400, rwr 0.400, dpo 0.400.'
prints 'have the figures and tables'
with "$c1" C1 'holds for bon 0.333, rwr 0.333, dpo 0.333.' << 'END'
bandit/{on,off}_{bon,rwr,dpo}_r1 .2,.7,.7 seeds=20
END
shows '| one rate | bon | 0.333 ± 0.067 |'

# runs that are missing
fresh "$c1"
rm "$work"/bandit/off_dpo_r1_s*.csv
run
verdict C1 'not run: needs off_dpo_r1.'
fresh ''
run
verdict C1 'not run: needs on_bon_r1, off_bon_r1, on_rwr_r1 and 3 more.'
prints 'no seeds: no verdicts'
shows 'A figure is left out here (bandit-on-off): it needs on_ and off_ bon, rwr, dpo, ppo'
shows 'The table of dogs and cats is left out: it needs lm/reference_s11.eval.csv.'
shows 'A table is left out here: it needs lm/rm_min_s11.txt and the like.'
shows 'Stories are left out: they need lm/on_dpo_min_s11.txt and the like.'

# the three sets of rates; a verdict that depends on the rate
fresh "$c1"
printf '%s\n' "$c1" | sed 's/^bandit/&_x3/; s/_r1 .2,.5,.5/_r1 .2,.9,.9/' |
    logs "$work"
run
verdict C1 'does not hold; not met: bon 0.000, rwr 0.000, dpo 0.000.' '3 x the rate'
verdict C1 'not run: needs on_bon_r1, off_bon_r1, on_rwr_r1 and 3 more.' 'own best rate'
prints 'C1   Fresh samples beat a fixed set (R1)           holds           does not hold   not run'
shows 'The verdict depends on the learning rate: the sets differ.'

# --- logs that are broken -------------------------------------------------------------------------

log=bandit/on_dpo_r1_s13.csv
broken() {  # broken WHY: $work/$log has this fault
    run
    verdict C1 "not known: on_dpo_r1_s13.csv: $1."
    prints "not counted: $log: $1"
    shows "Not counted: \`$log\`: $1."
    shows '| one rate | dpo | 0.400 ± 0.000 | 0.500 | ≥ 0.05 and 2 s.e. | 5 seeds decide | 4 |'
}
change() {  # change SED-COMMAND: rewrites the log
    fresh "$c1"
    sed "$1" "$work/$log" > "$scratch/log"
    cp "$scratch/log" "$work/$log"
}
for text in nan -nan inf abc 0.9x '0 9'; do
    change "3s/^\(50,10000,0\),[^,]*/\1,$text/"
    broken "gold_reward in row 2 is not a number: $text"
done
change '3s/^\(50,10000,0\),[^,]*/\1,/'
broken 'it has no gold_reward in row 2'
change '3s/^\(50,10000,0\),[^,]*/\1,1.5/'
broken 'gold_reward in row 2 is 1.5'
change 1s/gold_reward/gold/
broken 'it has no column gold_reward'
change 1s/,queries,/,questions,/
broken 'it has no column queries'
change '3s/,0$//'
broken 'row 2 has 22 fields, not 23'
change '3s/$/,1/'
broken 'row 2 has 24 fields, not 23'
change 2,4d
broken 'it has no rows'
change '3,4d'
broken 'it has one row only'
change 4d
broken 'it ends at step 50, others at 100'
change 3d
broken 'it has 2 rows, another seed has 3'
change 's/^50,/40,/'
broken 'its evaluations are not evenly spaced in row 3'
change 's/^50,/0,/'
broken 'its steps do not rise in row 2'
change 2d
broken 'it does not begin at step 0'
fresh "$c1"
: > "$work/$log"
broken 'it has no rows'
printf 'step' > "$work/$log"
broken 'its last line is cut off'
fresh "$c1"
printf '150,' >> "$work/$log"
broken 'its last line is cut off'
fresh "$c1"
awk 'BEGIN {
    for (i = 0; i < 30000; i++) { printf "x," }
    for (i = 0; i < 9; i++) { printf "%c\n", 200 }
}' > "$work/$log"
broken 'row 1 has 1 fields, not 30001'

# --- the other claims of the bandit ---------------------------------------------------------------

c2='bandit/on_{bon,rwr,dpo}_r1 .2,.9,.9
bandit/on_{bon,rwr,dpo}_r1_collect200 .2,.7,.7
bandit/on_{bon,rwr,dpo}_r2 .4,.9,.9
bandit/on_{bon,rwr,dpo}_r2_collect200 .4,.8,.8'
with "$c2" C2 'holds for bon 0.100, rwr 0.100, dpo 0.100, the mean 0.100.' < /dev/null
with "$c2" C2 'holds for bon 0.100, rwr 0.100, the mean 0.033; not for dpo -0.100.' << 'END'
bandit/on_dpo_r1_collect200 .2,.9,.9
END
with "$c2" C2 \
    'does not hold; met: bon 0.100; not met: rwr -0.010, dpo -0.010, the mean 0.027.' << 'END'
bandit/on_{rwr,dpo}_r1_collect200 .2,.81,.81
END
with "$c2" C2 'does not hold; not met: bon 0.100, but 2 s.e. are 0.283,' \
    'rwr 0.100, but 2 s.e. are 0.283, dpo 0.100, but 2 s.e. are 0.283, the mean 0.100, but 2 s.e. are 0.283.' << 'END'
bandit/on_{bon,rwr,dpo}_r1_collect200 .2,.5,.5 vary=.2
bandit/on_{bon,rwr,dpo}_r1 .2,.7,.7
END

c3='bandit/on_{bon,rwr,dpo}_r1 .2,.9,.9
bandit/on_{bon,rwr,dpo}_r1_collect20 .2,.9,.9
bandit/on_{bon,rwr,dpo}_r1_collect50 .2,.8,.8
bandit/on_{bon,rwr,dpo}_r1_collect200 .2,.7,.7
bandit/off_{bon,rwr,dpo}_r1 .2,.5,.5'
steps3='B/M from 5 to 20 -0.100, B/M from 20 to all -0.200'
with "$c3" C3 \
    "holds for B/M = 1 over all 0.400, B/M from 1 to 2 0.000, B/M from 2 to 5 -0.100, $steps3." \
    < /dev/null
with "$c3" C3 \
    "holds for B/M = 1 over all 0.400, B/M from 1 to 2 0.020, B/M from 2 to 5 -0.120," \
    "$steps3." << 'END'
bandit/on_{bon,rwr,dpo}_r1_collect20 .2,.92,.92
END
with "$c3" C3 \
    "does not hold; met: B/M = 1 over all 0.400, B/M from 2 to 5 -0.130, $steps3;" \
    "not met: B/M from 1 to 2 0.030." << 'END'
bandit/on_{bon,rwr,dpo}_r1_collect20 .2,.93,.93
END
with "$c3" C3 'does not hold; met: B/M from 1 to 2 0.000, B/M from 2 to 5 0.000,' \
    'B/M from 5 to 20 0.000, B/M from 20 to all 0.000; not met: B/M = 1 over all 0.000.' << 'END'
bandit/{on,off}_{bon,rwr,dpo}_r1 .2,.5,.5
bandit/on_{bon,rwr,dpo}_r1_{collect20,collect50,collect200} .2,.5,.5
END
shows '. Reward against gradient steps by B/M'

c4='bandit/on_{bon,ppo,dpo}_r1_queries2000 .2,.1,.4
bandit/on_{bon,ppo,dpo}_r1_queries2000_reuse2 .2,.1,.5
bandit/on_{bon,ppo,dpo}_r1_queries2000_reuse{5,10,20} .2,.1,.6
bandit/on_bon_r1_queries2000_reuse50 .2,.1,.3
bandit/on_{ppo,dpo}_r1_queries2000_reuse50 .2,.1,.45'
shown4='(a) dpo, T=2 over T=1 0.100, (b) dpo, T=5 over T=50 0.150'
with "$c4" C4 \
    "holds for (a) bon, T=2 over T=1 0.100, (b) bon, T=5 over T=50 0.300, (a) ppo," \
    "T=2 over T=1 0.100, (b) ppo, T=5 over T=50 0.150, $shown4." < /dev/null
shows 'their best T is the same, and beyond it ppo loses less'
with "$c4" C4 \
    "does not hold; met: (a) bon, T=2 over T=1 0.100, (b) bon, T=5 over T=50 0.300," \
    "(b) ppo, T=10 over T=50 0.250, $shown4; not met: (a) ppo, T=2 over T=1 0.020." << 'END'
bandit/on_ppo_r1_queries2000_reuse2 .2,.1,.42
bandit/on_ppo_r1_queries2000_reuse10 .2,.1,.7
END
shows 'The best T is 10 for ppo and 5 for bon; from the best T to T = 50 ppo loses 0.250 and'
shows 'and bon 0.300: ppo bears more reuse.'
with "$c4" C4 \
    "does not hold; met: (a) bon, T=2 over T=1 0.100, (a) ppo, T=2 over T=1 0.100," \
    "(b) ppo, T=5 over T=50 0.150, $shown4; not met: (b) bon, T=50 over T=50 0.000." << 'END'
bandit/on_bon_r1_queries2000_reuse50 .2,.1,.9
END
# dpo is shown, and does not decide
with "$c4" C4 \
    'holds for (a) bon, T=2 over T=1 0.100, (b) bon, T=5 over T=50 0.300,' \
    '(a) ppo, T=2 over T=1 0.100, (b) ppo, T=5 over T=50 0.150, (b) dpo, T=5 over T=50 0.150;' \
    'not for (a) dpo, T=2 over T=1 -0.100.' << 'END'
bandit/on_dpo_r1_queries2000_reuse2 .2,.1,.3
END
with "$c4" C4 \
    'not known: on_bon_r1_queries2000_reuse5_s11.csv: it ends at step 50, others at 100.' << 'END'
bandit/on_bon_r1_queries2000_reuse5 .2,.1,.6 seeds=11 step=0,25,50
END

c5='bandit/off_{bon,rwr,pref-ft}_r1 .2,.3,.3
bandit/off_dpo_r1 .2,.6,.6
bandit/off_ipo_r1 .2,.7,.7
bandit/off_{bon,rwr,pref-ft}_r2 .4,.6,.6
bandit/off_dpo_r2 .4,.7,.7
bandit/off_ipo_r2 .4,.85,.85'
with "$c5" C5 'holds for (a) the lead on r1 0.400, (b) its excess over r2 0.150.' < /dev/null
shows 'The better of dpo and ipo is ipo (AUC 0.600 and 0.700 on the claim'
shows 'As shares of H the leads are 0.500 on r1 and 0.417 on r2.'
with "$c5" C5 'holds for (a) the lead on r1 0.300, (b) its excess over r2 0.200.' << 'END'
sweep_bandit/off_dpo_r1_lr1e-3 .2,.6,.6 seeds=101,102,103
sweep_bandit/off_ipo_r1_lr1e-3 .2,.5,.5 seeds=101,102,103
END
shows "The better of dpo and ipo is dpo (AUC 0.600 and 0.500 on the sweep's seeds 101 to 103)."
with "$c5" C5 \
    'does not hold; not met: (a) the lead on r1 0.020, (b) its excess over r2 -0.230.' << 'END'
bandit/off_rwr_r1 .2,.68,.68
END
shows 'The best imitator on r1 is rwr. The best imitator on r2 is bon.'
with "$c5" C5 \
    'does not hold; met: (a) the lead on r1 0.400; not met: (b) its excess over r2 0.040.' << 'END'
bandit/off_ipo_r2 .4,.96,.96
END
# an imitator that lacks seeds is not passed over: the verdict waits for it
with "$(printf '%s\n' "$c5" | sed 's/{bon,rwr,pref-ft}_r2/{bon,rwr}_r2/')
bandit/off_pref-ft_r2 .4,.5,.5 seeds=11,12,13" C5 '5 seeds decide: (a) the lead on r1 0.400, (b) its excess over r2 0.150.' < /dev/null
# in the set of own best rates the sweep is asked at those rates
printf '# a comment\nbandit off dpo r1 3e-3\nbandit off ipo r1 1e-2 # another\n' > "$RATES"
fresh "$(printf '%s\n' "$c5" | sed 's/^bandit/&_best/')"
logs "$work" << 'END'
sweep_bandit/off_dpo_r1_lr3e-3 .2,.9,.9 seeds=101,102,103
sweep_bandit/off_ipo_r1_lr1e-2 .2,.8,.8 seeds=101,102,103
END
run
verdict C5 'holds for (a) the lead on r1 0.300, (b) its excess over r2 0.200.' 'own best rate'
shows "The better of dpo and ipo is dpo (AUC 0.900 and 0.800 on the sweep's seeds 101 to 103)."
rm "$RATES"

c5b='bandit/off_{bon,rwr}_r1_len1 .2,.3,.3
bandit/off_pref-ft_r1_len1 .2,.4,.4
bandit/off_{dpo,ipo}_r1_len1 .2,.6,.6
bandit/off_{bon,rwr,pref-ft}_r2_len1 .4,.9,.9
bandit/off_{dpo,ipo}_r2_len1 .4,.9,.9'
kept='imitation, share of H on R2 0.833'
with "$c5b" C5b "holds for $kept, imitation, share of H on R1 0.250, dpo on R1 0.200." < /dev/null
with "$c5b" C5b 'does not hold; met: imitation, share of H on R1 0.250, dpo on R1 0.200;'\
' not met: imitation, share of H on R2 0.783.' << 'END'
bandit/off_{bon,rwr,pref-ft}_r2_len1 .4,.87,.87
END
with "$c5b" C5b \
    "does not hold; met: $kept; not met: imitation, share of H on R1 0.412," \
    "dpo on R1 0.070, but 2 s.e. are 0.071." << 'END'
bandit/off_rwr_r1_len1 .2,.53,.53
bandit/off_{dpo,ipo}_r1_len1 .2,.6,.6 vary=.05
bandit/off_rwr_r1_len1 .2,.53,.53
END

c5c='bandit/off_bon_r1 .2,.3,.3
bandit/off_bon_r1_push-worst0.1 .2,.32,.32
bandit/off_bon_r1_push-worst1 .2,.4,.4
bandit/off_dpo_r1 .2,.6,.6
bandit/off_dpo_r1_neg0 .2,.3,.3'
with "$c5c" C5c 'holds for bon 0.100, dpo 0.300.' < /dev/null
with "$c5c" C5c 'does not hold; met: dpo 0.300; not met: bon 0.020.' << 'END'
bandit/off_bon_r1_push-worst0.1 .2,.9,.9 seeds=101,102,103
bandit/off_bon_r1_push-worst1 .2,.8,.8 seeds=101,102,103
END
shows "The better of a push of 0.1 and a push of 1 is a push of 0.1 (AUC 0.900 and 0.800 on the seeds 101 to 103, at one rate)."
with "$c5c" C5c 'does not hold; met: bon 0.100; not met: dpo 0.000.' << 'END'
bandit/off_dpo_r1_neg0 .2,.6,.6
END

# 90% of H is a reward of 0.92; queries 20000 at the end, 10000 in the middle
c6='bandit/off_dpo_r1_neg0{,_reuse10} .2,.3,.3
bandit/off_dpo_r1{,_reuse10} .2,.5,.5
bandit/on_dpo_r1_neg0{,_reuse10} .2,.4,.93
bandit/on_dpo_r1{,_reuse10} .2,.93,.93'
t1='negative gradient, T=1 0.200, fresh samples, T=1 0.365,'
t1="$t1 queries of both - 0.9 x fresh alone, T=1 -8000"
t10='negative gradient, T=10 0.200, fresh samples, T=10 0.365'
with "$c6" C6 "holds for $t1, $t10, queries of both - 0.9 x fresh alone, T=10 -8000." < /dev/null
shows 'T=10: both need 10000 queries to 90% of H, fresh samples alone 20000.'
with "$c6" C6 "holds for $t1, $t10, queries of both - 0.9 x fresh alone, T=10 0.000." << 'END'
bandit/on_dpo_r1_reuse10 .2,.93,.93 queries=0,18000,20000
END
with "$c6" C6 \
    "does not hold; met: $t1, $t10; not met: queries of both - 0.9 x fresh alone, T=10 100." << 'END'
bandit/on_dpo_r1_reuse10 .2,.93,.93 queries=0,18100,20000
END
# what never gets there counts with all it had
with "$c6" C6 \
    "does not hold; met: $t1, $t10; not met: queries of both - 0.9 x fresh alone," \
    "T=10 2000." << 'END'
bandit/on_dpo_r1_reuse10 .2,.9,.9
END
with "$c6" C6 \
    "does not hold; met: $t1, fresh samples, T=10 0.365," \
    "queries of both - 0.9 x fresh alone, T=10 -8000; not met: negative gradient," \
    "T=10 0.000." << 'END'
bandit/off_dpo_r1_reuse10 .2,.3,.3
END
with "$c6" C6 \
    "does not hold; met: $t1, negative gradient, T=10 0.200," \
    "queries of both - 0.9 x fresh alone, T=10 -8000; not met: fresh samples," \
    "T=10 -0.035." << 'END'
bandit/off_dpo_r1_neg0_reuse10 .2,.7,.7
bandit/off_dpo_r1_reuse10 .2,.9,.9
END

c7=''
for run in 200,5 50,3 10,1 2,-2; do
    end=_r1{,_len1}_batch5_reuse${run%,*} chosen=train_logp_chosen=-38,$((${run#*,} - 38))
    lost=train_logp_rejected=-36,-46
    c7="${c7}bandit/off_{dpo,ipo}$end .2,.3 $chosen $lost train_reward_margin=0,9
bandit/off_pref-ft$end .2,.3 train_logp_chosen=-38,-30 train_reward_margin=0,2
"
done
seven() {  # the verdict of C7, its beginning or the part that fails
    fresh "$c7"
    logs "$work"
    run
    got=$(sed -n 's/\\//g; /^## C7/,/^3 x/s/^one rate: //p' "$work/RESULTS.md")
    contains "C7 is otherwise" "$got" "$*"
}
seven 'holds for (a) dpo, 9 tokens, 5 prompts, margin over pref-ft 7.000, (a)' < /dev/null
shows ', (b) dpo, 9 tokens, chosen with prompts -1.000, '
shows '| dpo | 9 | 5 | 5.00 ± 0.00 | -10.00 ± 0.00 | 9.00 ± 0.00 | 0.00 ± 0.00 |'
seven '; not met: (a) ipo, 1 token, 20 prompts, margin over pref-ft 0.900.' << 'END'
bandit/off_ipo_r1_len1_batch5_reuse50 .2,.3 train_logp_chosen=-38,-35 train_reward_margin=0,2.9
END
# ranks 1 2 0 3 have a correlation of 0.4 with 0 1 2 3; ranks 2 3 1 0 have -0.8, which will do
seven '; not met: (b) dpo, 9 tokens, chosen with prompts 0.400.' << 'END'
bandit/off_dpo_r1_batch5_reuse200 .2,.3 train_logp_chosen=-38,-37 train_reward_margin=0,9
bandit/off_dpo_r1_batch5_reuse50 .2,.3 train_logp_chosen=-38,-36 train_reward_margin=0,9
bandit/off_dpo_r1_batch5_reuse10 .2,.3 train_logp_chosen=-38,-39 train_reward_margin=0,9
bandit/off_dpo_r1_batch5_reuse2 .2,.3 train_logp_chosen=-38,-35 train_reward_margin=0,9
END
seven 'holds for (a) dpo' << 'END'
bandit/off_dpo_r1_batch5_reuse200 .2,.3 train_logp_chosen=-38,-36 train_reward_margin=0,9
bandit/off_dpo_r1_batch5_reuse50 .2,.3 train_logp_chosen=-38,-35 train_reward_margin=0,9
END
seven 'not known: off_dpo_r1_batch5_reuse2_s11.csv:' \
    'train_reward_margin in row 2 is not a number: nan.' << 'END'
bandit/off_dpo_r1_batch5_reuse2 .2,.3 seeds=11 train_reward_margin=0,nan
END

# kl DIRECTION RATE STEPS [CASE]: a descent that arrives after so many steps
kl() {
    awk -v way="$1" -v rate="$2" -v steps="$3" -v name="${4-the paper toy}" 'BEGIN {
        for (s = 0; s < steps + 20; s++) {
            print name "," way "," rate "," s "," (s < steps ? .5 : .05) ",0,0,.3,.3,.1,.3"
        }
    }' >> "$work/kl.csv"
}
toy() {  # toy WORDS: the verdict of C8
    fresh ''
    echo 'case,direction,lr,step,tv,forward_kl,reverse_kl,p0,p1,p2,p3' > "$work/kl.csv"
    kl forward 0.1 90
    kl reverse 0.1 "$1"
    kl forward 1 9
    kl reverse 1 8
    kl forward 2 9 'far'
    kl reverse 2 70 'far'
    run
    shift
    verdict C8 "$*"
}
toy 80 'holds for rate 0.1, steps saved by reverse 10.000, rate 1, steps saved by reverse 1.000.'
shows '| far | reverse | 2 | 70 |'
toy 90 'does not hold; met: rate 1, steps saved by reverse 1.000;' \
    'not met: rate 0.1, steps saved by reverse 0.000.'
sed 's/paper//' "$work/kl.csv" > "$scratch/log"
cp "$scratch/log" "$work/kl.csv"
run
verdict C8 'not run: needs the-toy-in-kl.csv.'
echo 'far,reverse,2,nan,1,0,0,0,0,0,0' >> "$work/kl.csv"
run
verdict C8 'not known: kl.csv: step in row 397 is not a number: nan.'

# --- stories --------------------------------------------------------------------------------------

l1='lm/on_{rwr,bon,ppo,dpo}_{min,skew} .4,.9,.9
lm/off_{rwr,bon,ppo,dpo}_{min,skew} .4,.7,.7
lm/{on,off}_{rwr,bon,ppo,dpo}_mode .8,.9,.9'
each() { echo "rwr on $1 $2, bon on $1 $2, ppo on $1 $2, dpo on $1 $2, mean on $1 $2"; }
with "$l1" L1 \
    "holds for $(each min 0.200), $(each skew 0.200), mean on min less that on mode 0.200." \
    < /dev/null
with "$l1" L1 \
    "does not hold; met: $(each min 0.200), mean on min less that on mode 0.200;" \
    "not met: $(each skew 0.040)." << 'END'
lm/off_{rwr,bon,ppo,dpo}_skew .4,.86,.86
END
with "$l1" L1 \
    "does not hold; met: $(each min 0.200), $(each skew 0.200);" \
    "not met: mean on min less that on mode 0.040." << 'END'
lm/off_{rwr,bon,ppo,dpo}_mode .8,.74,.74
END

l2='lm/on_{ppo,rwr,bon}_min_queries1600 .4,.9,.9
lm/on_{ppo,rwr,bon}_min_queries1600_reuse{2,4,8} .4,.86,.86'
with "$l2" L2 \
    'holds for ppo, T=8 less T=1 -0.040, rwr, T=8 less T=1 -0.040, bon, T=8 less T=1 -0.040.' \
    < /dev/null
with "$l2" L2 \
    'does not hold; met: rwr, T=8 less T=1 -0.040, bon, T=8 less T=1 -0.040; not met: ppo,' \
    'T=8 less T=1 -0.055.' << 'END'
lm/on_ppo_min_queries1600_reuse8 .4,.845,.845
END

l3='lm/file_{dpo,ipo}_min .4,.9,.9
lm/file_{pref-ft,rwr}_min .4,.7,.7
lm/file_{dpo,ipo,pref-ft,rwr}_mode .8,.85,.85'
printf '# L3: no\nL3: the first reason.\nL30: no\nL3: the second.\nbeyond: it.\n' > "$REASONS"
reasons() { sed -n 's/^Why: //p' "$work/RESULTS.md"; }
with "$l3" L3 'holds for (a) the lead on min 0.200, (b) its excess over mode 0.200.' < /dev/null
same "a claim that holds needs no reasons" "$(reasons)" ""
with "$l3" L3 \
    'does not hold; not met: (a) the lead on min 0.000, (b) its excess over mode 0.000.' << 'END'
lm/file_rwr_min .4,.9,.9
END
same "the reasons of one that does not" "$(reasons)" "the first reason.
the second."
same "nothing of what is beyond the paper without its runs" "$(grep -c 'What it' "$work/RESULTS.md")" 0
with "$l3" L3 \
    'does not hold; met: (a) the lead on min 0.200;' \
    'not met: (b) its excess over mode 0.040.' << 'END'
lm/file_{dpo,ipo}_mode .4,.95,.95
lm/file_{pref-ft,rwr}_mode .4,.79,.79
END

l4='lm/on_dpo_{min,skew} .4,.9,.9 response_len=52,20,3.5
lm/{file_dpo,on_ppo,on_rwr}_{min,skew} .4,.8,.8 response_len=52,40,10
lm/{on_dpo,file_dpo,on_ppo,on_rwr}_mode .8,.85,.85 response_len=52,50,50'
rest='min against on_ppo 0.100, min against on_rwr 0.100, skew against file_dpo 0.100,'
rest="$rest skew against on_ppo 0.100, skew against on_rwr 0.100"
with "$l4" L4 \
    "holds for min against file_dpo 0.100, $rest, the spread of ends on mode 0.000." < /dev/null
with "$l4" L4 \
    "does not hold; met: $rest, the spread of ends on mode 0.100;" \
    "not met: min against file_dpo -0.050." << 'END'
lm/file_dpo_min .4,.95,.95
lm/on_rwr_mode .8,.85,.75
END
with "$l4" L4 \
    "does not hold; met: min against file_dpo 0.100, $rest;" \
    "not met: the spread of ends on mode 0.110." << 'END'
lm/on_rwr_mode .8,.85,.74
END

# a broken log that is only drawn is named, and leaves the verdict
fresh "$c1"
sed 3d "$work/bandit/on_ppo_r1_s12.csv" > "$scratch/log"
cp "$scratch/log" "$work/bandit/on_ppo_r1_s12.csv"
run
verdict C1 'holds for bon 0.400, rwr 0.400, dpo 0.400.'
prints 'not counted: bandit/on_ppo_r1_s12.csv: it has 2 rows, another seed has 3'

# --- figures: their values, and that they are XML -------------------------------------------------

fresh "$l1
$l4
$c4
$c7
$c6"
logs "$work" << 'END'
lm/on_{dpo,ppo}_mode_noisy .8,.85,.5 kl=0,9,30 proxy_reward=0,1,2
lm/on_dpo_mode_kl0.1 .8,.85,.9 entropy=60,50,40 distinct=1,1,.9
END
for name in ref on_dpo_r1; do
    printf 'bin,share\n1,0.25\n2,0.75\n' > "$work/bandit/${name}_s11.hist.csv"
done
printf 'step,loss,val_loss\n0,,6\n10,4,5\n20,2,3\n' > "$work/sft.csv"
printf 'x\n\nbefore:\nA <b> *story*.\n\nAnother.\n\nafter:\nThe end.\n' \
    > "$work/lm/on_dpo_min_s11.txt"
for task in min skew mode; do
    printf 'x\naccuracy on the held-out pairs 0.9490\n' > "$work/lm/rm_${task}_s11.txt"
done
for run in reference,.6,1000 on_dpo_mode,.7,200 on_bon_mode,.9,199; do
    name=${run%%,*} animals=${run##*,}
    share=${run#*,}
    share=${share%,*}
    printf 'quantity,mean,standard_error,n\npolicy: dog,%s,0,%s\nreference: dog,.6,0,1000\n' \
        "$share" "$animals" > "$work/lm/${name}_s11.eval.csv"
done
echo 'beyond: what was seen.' >> "$REASONS"
COMMIT=0123abc MACHINE='two <slow> cores' "$report" "$work" "$scratch/made" > /dev/null
same "status with a folder" $? 0
cp "$scratch/made/RESULTS.md" "$work/RESULTS.md"
shows 'Commit: 0123abc. Machine: two &lt;slow&gt; cores.'
shows '| min | 11 | 94.9% | at least 95% | no |'
shows '| mode | 11 | 94.9% | at least 90% | yes |'
shows 'A &lt;b&gt; *story*.'
shows '| dpo | on-policy | 0.700 | 0.100 | 200 |'
shows '| bon | on-policy | fewer than 200 animals left | - | 199 |'
shows '| the peak of the true reward | 0.850 ± 0.000 | 1.000 ± 0.000 | 9.000 ± 0.000 |'
shows '| dpo | --kl 0.1 | 60.00 ± 0.00 | 40.00 ± 0.00 | 0.900 ± 0.000 | 0.900 ± 0.000 |'
shows 'What it shows: what was seen.'
mkdir -p "$scratch/four/lm"
logs "$scratch/four" << 'END'
lm/on_dpo_mode .8,.85,.9 entropy=60,50,40 distinct=1,1,.9
lm/on_dpo_mode_noisy .8,.85,.5 kl=0,9,30 seeds=11,12,13,14
END
"$report" "$scratch/four" > /dev/null
same "four seeds show nothing" "$(grep -c 'What it' "$scratch/four/RESULTS.md")" 0
same "axes of variety that begin at 0" \
    "$(grep -o '>0</text>' "$scratch/four/figures/variety.svg" | wc -l)" 4

# xml FILE: whether every element is closed, in order, every & begins an entity, and no number is
# not one
xml() {
    awk '
    { text = text $0 "\n" }
    END {
        if (text ~ /[^a-z](nan|inf)[^a-z]/ || text ~ /&[^a-z#]/) { exit 1 }
        while (match(text, /<[^>]*>/)) {
            tag = substr(text, RSTART + 1, RLENGTH - 2)
            text = substr(text, RSTART + RLENGTH)
            name = tag
            sub(/^\//, "", name)
            sub(/[ \/].*/, "", name)
            if (tag ~ /^\//) { if (depth == 0 || open[depth--] != name) { exit 1 } }
            else if (tag !~ /\/$/) { open[++depth] = name }
            if (tag !~ /^\// && gsub(/"/, "\"", tag) % 2) { exit 1 }
        }
        exit depth != 0
    }' "$1"
}
n=0
for file in "$scratch"/made/figures/*.svg; do
    if xml "$file"; then pass; else fail "not well-formed: $file"; fi
    n=$((n + 1))
    grep -q "(figures/${file##*/})" "$work/RESULTS.md" || fail "not shown: $file"
done
same "figures" "$n" 17
same "figures in HTML" "$(grep -c '<svg' "$work/report.html")" "$n"
# the lengths 52, 20 and 3.5 of on-policy dpo, at steps 0, 50, 100; the axis runs from 0 to 54.08
point=$(awk 'BEGIN {
    s = 200 / 54.08
    printf "M66.0 %.1fL218.0 %.1fL370.0 %.1f\"", 234 - 52 * s, 234 - 20 * s, 234 - 3.5 * s
}')
contains "a point of the figure" "$(cat "$scratch/made/figures/lengths.svg")" "$point"
says 0 '>response length, tokens</text>' cat "$scratch/made/figures/lengths.svg"

# The page in Markdown and in HTML has the same tables.
md_cells() { sed -n 's/^| //p' "$1" | sed 's/ |$//; s/ | /\
/g; s/\\//g'; }
html_cells() { sed -n 's/^<tr>//p' "$1" | sed 's/^<t[dh]>//; s/<\/t[dh]><\/tr>$//
s/<\/t[dh]><t[dh]>/\
/g; s/<\/*code>/`/g'; }
md_cells "$work/RESULTS.md" | sed 's/ *$//' > "$scratch/md"
html_cells "$work/report.html" | sed 's/ *$//' > "$scratch/html"
same "lines of tables" "$(awk 'END { print (NR > 500) }' "$scratch/md")" 1
if cmp -s "$scratch/md" "$scratch/html"; then pass; else
    diff "$scratch/md" "$scratch/html" > "$scratch/said"
    fail "tables differ" "$scratch/said"
fi

# --- the sweep ------------------------------------------------------------------------------------

fresh 'sweep_bandit/on_dpo_r1_lr1e-4 .2,.7,.7 seeds=101,102
sweep_bandit/on_dpo_r1_lr1e-4 .2,.6,.6 seeds=103
sweep_bandit/on_dpo_r1_lr1e-3 .2,.9,.9 seeds=101,102
sweep_bandit/on_dpo_r1_lr1e-3 .2,.5,.5 seeds=103
sweep_bandit/on_dpo_r1_lr3e-3 .2,.95,.95 seeds=101,102
sweep_bandit/on_dpo_r1_lr1e-2 .2,.99,.99 seeds=11,12,13
sweep_bandit/off_ipo_r2_len1_lr3e-4 .2,.4,.4 seeds=101
sweep_lm/file_dpo_skew_lr3e-4 .2,.4,.4 seeds=101 unfinished=0.9,0.06,0.05
sweep_lm/file_dpo_skew_lr1e-3 .2,.8,.8 seeds=101 unfinished=0,0,0.051'
said=$("$report" --sweep "$work")
same "status of the sweep" $? 0
prints 'on_dpo_r1                  0.600 0.667*     -     -  0.500 0.767  0.950 0.950  '
prints '
bandit on dpo r1 1e-4
bandit off ipo r2_len1 3e-4
lm file dpo skew 3e-4'
"$report" --sweep "$work" --rates "$scratch/rates.new" > "$scratch/said"
contains "the file of rates" "$(cat "$scratch/rates.new")" 'bandit on dpo r1 1e-4'
case $(cat "$scratch/said") in *'bandit on dpo'*) fail 'rates printed, too' ;; *) pass ;; esac
log=$work/sweep_bandit/on_dpo_r1_lr1e-4_s103.csv
sed '3s/^\(50,10000,0\),[^,]*/\1,nan/' "$log" > "$scratch/log"
cp "$scratch/log" "$log"
said=$("$report" --sweep "$work")
prints 'bandit on dpo r1 1e-3'
prints 'not counted: on_dpo_r1_lr1e-4_s103.csv: gold_reward in row 2 is not a number: nan'

# --- wrong use ------------------------------------------------------------------------------------

says 2 'usage: report' "$report"
says 2 'usage: report' "$report" --swept "$work"
says 2 'usage: report' "$report" a b c
says 2 'usage: report' "$report" --sweep "$work" --rates
says 1 'there is no such folder' "$report" "$scratch/nowhere"
says 1 'there is no such folder' "$report" --sweep "$scratch/nowhere"
rm -rf "$work"/sweep*
says 1 'has no runs of a sweep' "$report" --sweep "$work"
: > "$scratch/file"
says 1 'Not a directory' "$report" "$work" "$scratch/file"

finish report
