#!/bin/sh
# Tests that pref.c is as easy to extend as its comments say: adds a method (one function and one
# row of METHODS) and a task (one function and one row of TASKS) to a copy, and uses both.
. "$(dirname "$0")/lib.sh"

# The hinge loss of SLiC (Zhao et al. 2023) on the margin h: mean over pairs of max(0, 1 - h).
cat >"$scratch/loss.c" <<'END'
static double loss_slic(Batch *b, const Options *o) {
    double loss = 0;
    for (int p = 0; p < b->n_pairs; p++) {
        double gap = 1 - margin(b, b->pair[p]);
        loss += fmax(gap, 0) / b->n_pairs;
        push(b, b->pair[p].won, gap > 0 ? -1.0 / b->n_pairs : 0);
        push(b, b->pair[p].lost, gap > 0 ? 1.0 / b->n_pairs : 0);
    }
    return loss;
}

END
cat >"$scratch/reward.c" <<'END'
static double reward_even(const World *w, const int *y, int n) {
    double even = 0;
    for (int i = 0; i < n; i++) { even += y[i] % 2 == 0; }
    return even / n;
}

END
method='    {.name = "slic", .help = "hinge loss", .on_policy = "either", .reuse = "yes", .negative = "yes",
     .loss = loss_slic, .needs_pairs = 1, .needs_ref = 1, .reads = "--neg"},'
task='    {.name = "even", .help = "bandit: the share of even tokens", .reward = reward_even, .is_bandit = 1},'
# add TABLE FILE ROW: puts a file before a table of pref.c, and a row at the table's beginning.
add() {
    awk -v table="^static const [A-Z][a-z]* $1\\\\[\\\\]" -v file="$2" -v row="$3" '
        $0 ~ table { while ((getline line < file) > 0) { print line } }
        { print }
        $0 ~ table { print row; found = 1 }
        END { exit !found }' "$scratch/pref.c" >"$scratch/added.c" && mv "$scratch/added.c" "$scratch/pref.c"
}

cp pref.c "$scratch/pref.c"
holds 'a row is added to METHODS' add METHODS "$scratch/loss.c" "$method"
holds 'a row is added to TASKS' add TASKS "$scratch/reward.c" "$task"
cp Makefile "$scratch"
cd "$scratch" || exit 1
holds 'pref.c with both compiles without warnings' make pref CFLAGS="-O3 -Werror"
holds 'a reference for both' ./pref sft --task bandit --len 2 --seed 3 -o ref.bin
says 0 'slic       hinge loss' ./pref help tune
says 0 'even       bandit: the share of even tokens' ./pref help tune
says 2 '--tau: for ipo; this run is slic on bandit with samples by pref and baseline group' ./pref tune --method SLiC --task even --tau 1
says 0 'step     1' ./pref tune --method slic --task even --neg 0.5 --len 2 -m ref.bin --steps 1 -n 4
says 0 '' ./pref tune --method slic --task even --len 2 -m ref.bin --steps 30 --eval-every 1 --log log.csv
# column NAME LINE: the field of a line of the log, of which the first is the header
column() {
    awk -F, -v name="$1" -v line="$2" 'NR == 1 { for (i = 1; i <= NF; i++) { if ($i == name) { at = i } } }
        NR == line { print $at }' log.csv
}
# Before the first step the policy is the reference: all margins are 0 and the loss is max(0, 1 - 0).
same 'the loss of the first step' "$(column loss 3)" 1
same 'as much is pushed down as up' "$(column push_down 3)" "$(column push_up 3)"
expect() { same "$1" "$(awk "BEGIN { print ($2) }")" 1; }
up=$(column push_up 3)
expect "both tokens of a response are pushed by at most 1: $up" "$up > 0.5 && $up <= 2"
start=$(column gold_reward 2)
expect "about half of the reference's tokens are even: $start" "$start > 0.4 && $start < 0.65"
end=$(column gold_reward 32) margin=$(column reward_margin 32)
expect "the reward rises from $start to $end" "$end > $start + 0.03"
expect "the margin rises to $margin" "$margin > 0.2"

finish extend
