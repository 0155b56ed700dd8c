# Prints the handout: the template, with the parts of parts.txt in place of its lines @TABLE@ and
# @PARTS@, their points in place of @TOTAL@, what to hand in for @HAND_IN@, and a part to begin with
# (dpo, if it is there), its function, its file and its test in place of @FIRST@, @FUNCTION@, @FILE@
# and @TEST@.
#
#   awk -f handout.awk -v parts=" dpo ppo " parts.txt ASSIGNMENT.md

# Appends a line to the text of a part. Formulas, which are indented, go into fences: in the handout
# only commands are indented.
function add(line,    formula) {
    formula = line ~ /^    /
    if (formula != fenced) {
        text[n] = text[n] "```" (formula ? "text" : "") "\n"
        fenced = formula
    }
    sub(/^    /, "", line)
    text[n] = text[n] line "\n"
}

FNR == NR {
    if ($1 == "part") {
        chosen = index(parts, " " $2 " ")
        if (chosen) {
            name[++n] = $2
            points[n] = $3
            total += $3
            if (!first || $2 == "dpo") { first = n }
        }
    }
    if (!chosen) { next }
    value = $0
    sub(/^[^ ]+ ?/, "", value)
    if ($1 == "source") { source[n] = value }
    if ($1 == "test") { test[n] = value }
    if ($1 == "needs") {  # those of them that are to be written
        for (i = 2; i <= NF; i++) {
            sub(/,$/, "", $i)
            if (index(parts, " " $i " ")) { needs[n] = needs[n] (needs[n] ? ", " : "") $i }
        }
    }
    if ($1 == "stub") {
        function_of[n] = value
        if (value == "tune") { value = "a section of tune" }
        written[n] = written[n] (written[n] == "" ? "" : ", ") "`" value "`"
    }
    if ($1 == ">") { add(value) }
    next
}

/^@TABLE@$/ {
    print "| part | points | what to write | source |\n|---|---|---|---|"
    for (i = 1; i <= n; i++) {
        printf "| %s | %d | %s | %s |\n", name[i], points[i], written[i], source[i]
    }
    next
}

/^@PARTS@$/ {
    for (i = 1; i <= n; i++) {
        printf "%s### %s (%d points)\n\n%s\n", (i > 1 ? "\n" : ""), name[i], points[i], text[i]
        print "Source: " source[i] "."
        if (test[i] == "-") { continue }
        print "A test: `make test_double && ./test_double \"" test[i] "\"`" (needs[i] ? \
              ", once these are written, too: " needs[i] "." : ".")
    }
    next
}

{
    gsub(/@TOTAL@/, total)
    gsub(/@FIRST@/, name[first])
    gsub(/@TEST@/, test[first])
    gsub(/@HAND_IN@/, name[n] != "kl" ? "`pref.c`" : n > 1 ? "`pref.c` and `dev/kl.c`" : "`dev/kl.c`")
    gsub(/@FILE@/, name[first] == "kl" ? "dev/kl.c" : "pref.c")
    gsub(/@FUNCTION@/, function_of[first])
    print
}
