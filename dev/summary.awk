# Prints what the logs of `pref tune` say, as means over runs that differ in their seeds alone:
#
#   awk -f dev/summary.awk out/ex/dpo_*.csv
#
# A log's name ends in _sSEED.csv; logs with the same name but for that are one line. AUC is the mean
# of the true reward over the evaluations, step 0 left out; the other columns are those of the log's
# last row: the true reward, the reward model's, KL, log pi of the chosen and the rejected responses
# of the probe, and their margin. After +- stands one standard error over seeds. A column that a log
# does not have is left out.
FNR == 1 {
    delete at
    n = split($0, name, ",")
    for (i = 1; i <= n; i++) { at[name[i]] = i }
}
BEGIN {
    FS = ","
    n_shown = split("gold_reward proxy_reward kl logp_chosen logp_rejected reward_margin", shown, " ")
    title = "AUC end proxy KL chosen rejected margin"
}
FNR > 1 {
    key = FILENAME
    sub(/^.*\//, "", key)
    sub(/_s[0-9]+\.csv$/, "", key)
    if (!(key in runs)) { order[++n_keys] = key }
    if (!((key, FILENAME) in seen)) { file[key, ++runs[key]] = FILENAME }
    seen[key, FILENAME] = 1
    if ($1 > 0) {
        total[FILENAME] += $at["gold_reward"]
        rows[FILENAME]++
    }
    for (i = 1; i <= n_shown; i++) { value[FILENAME, i + 1] = $at[shown[i]] }
}
END {
    split(title, word, " ")
    printf "%-22s %5s", "run", "seeds"
    for (i = 1; i <= n_shown + 1; i++) { printf "  %16s", word[i] }
    print ""
    for (k = 1; k <= n_keys; k++) {
        key = order[k]
        printf "%-22s %5d", key, runs[key]
        for (i = 1; i <= n_shown + 1; i++) { printf "  %16s", column(key, i) }
        print ""
    }
}
function column(key, i,    r, n, x, sum, squares, error) {
    n = runs[key]
    sum = squares = 0
    for (r = 1; r <= n; r++) {
        x = i == 1 ? total[file[key, r]] / rows[file[key, r]] : value[file[key, r], i]
        if (x == "") { return "-" }
        sum += x
        squares += x * x
    }
    if (n == 1) { return sprintf("%.3f", sum) }
    error = (squares - sum * sum / n) / (n - 1) / n
    return sprintf("%.3f +- %.3f", sum / n, error > 0 ? sqrt(error) : 0)
}
