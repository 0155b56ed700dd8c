#!/bin/sh
# Counts what is wrong with stories read from standard input: words that our grammar does not have,
# and names from nowhere. A name is known if it is the story's first or follows the word "friend".
#
#   ./pref sample -m out/sft.bin -n 2000 --temp 0.7 | dev/proofread.sh
#   sed G dev/stories.txt | dev/proofread.sh       the grammar's own, an empty line after each
#
# Stories are separated by empty lines. Reads dev/stories.txt, which `make data` leaves there.

text=$(dirname "$0")/stories.txt
[ -r "$text" ] || { echo "proofread.sh: $text is missing; 'make data' writes it" >&2; exit 1; }
exec awk '
    { n = split($0, w, /[^A-Za-z]+/) }
    FNR == NR {  # the grammar: every word, and every name
        for (i = 1; i <= n; i++) {
            word[w[i]] = 1
            if (w[i - 1] == "named") name[w[i]] = 1
        }
        next
    }
    {
        stories++
        broken = wrong = mentions = 0
        split("", known)
        for (i = 1; i <= n; i++) {
            if (!(w[i] in word)) broken = 1
            if (!(w[i] in name)) continue
            mentions++
            if (mentions == 1 || w[i - 1] == "friend") known[w[i]] = 1
            if (!(w[i] in known)) wrong = 1
        }
        with_broken += broken
        with_names += mentions > 1
        with_wrong += wrong
    }
    END {
        if (!stories) { print "proofread.sh: no stories" > "/dev/stderr"; exit 1 }
        printf "%d stories: %.1f%% have a broken word\n", stories, 100 * with_broken / stories
        if (!with_names) exit
        printf "%d with two names or one name twice: %.1f%% have a name from nowhere\n", with_names,
            100 * with_wrong / with_names
    }' "$text" RS= -
