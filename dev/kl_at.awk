# Prints at which KL the logs of `pref tune` first reach a true reward, on a line between two rows:
#
#   awk -v at=0.5 -f dev/kl_at.awk out/ex/on_dpo_s*.csv
BEGIN { FS = "," }
FNR == 1 {
    for (i = 1; i <= NF; i++) { column[$i] = i }
    reached = 0
    next
}
{
    reward = $column["gold_reward"]
    kl = $column["kl"]
    if (FNR > 2 && reward >= at && !reached) {
        reached = 1
        share = (at - before) / (reward - before)
        printf "%s: KL %.1f at a reward of %g\n", FILENAME, kl_before + share * (kl - kl_before), at
    }
    before = reward
    kl_before = kl
}
