# Prints what is too large in our C files, and exits with 1 if anything is:
#
#   awk -f dev/limits.awk pref.c dev/measure.c dev/kl.c dev/jsonl.c
#
# pref.c may have 3,270 lines (the goal is 2,700), the other files 350, and no line more than 100
# columns. A function of pref.c may have 45 lines, from its signature to its closing brace, and
# control blocks (those of if, else, for, while, do and switch) that are nested three deep.

function offends(what) {
    print file ":" what
    offences++
}

function end_file() {
    most = file ~ /(^|\/)pref\.c$/ ? 3270 : 350
    if (file != "" && lines > most) { offends(lines ": " lines " lines; at most " most) }
}

# Returns a line without strings, character constants and comments.
function code(line,    before, rest) {
    gsub(/\\\\/, "", line)
    gsub(/\\["']/, "", line)
    gsub(/'[^']*'/, "0", line)
    gsub(/"[^"]*"/, "0", line)
    sub(/\/\/.*/, "", line)
    if (in_comment && !sub(/^.*\*\//, "", line)) { return "" }
    in_comment = 0
    while (match(line, /\/\*/)) {
        before = substr(line, 1, RSTART - 1)
        rest = substr(line, RSTART + 2)
        in_comment = !sub(/^.*\*\//, "", rest)
        line = in_comment ? before : before rest
    }
    return line
}

# Takes the next character of a function. `kind` has the kind of each open brace: 1 for that of a
# control block. `waits` is the number of parentheses that are open where a control block is
# expected: it starts with a brace when its condition, if it has one, has ended.
function take(character, word) {
    if (word ~ /^(if|for|while|switch)$/) {
        waits = parentheses
        condition = 1
    } else if (word ~ /^(else|do)$/) {
        waits = parentheses
        condition = 0
    } else if (word != "") {
        waits = -1
    }
    if (character == "(") {
        parentheses++
    } else if (character == ")") {
        parentheses--
        if (parentheses == waits) { condition = 0 }
    } else if (character == "{") {
        kind[++braces] = parentheses == waits && !condition
        depth += kind[braces]
        deepest = depth > deepest ? depth : deepest
        waits = -1
    } else if (character == "}") {
        depth -= kind[braces--]
    } else if (character == ";" && parentheses == 0) {
        waits = -1
    }
}

# Takes the characters of a line, one after the other, with the word that stands before each.
function take_line(line,    i, c, word) {
    for (i = 1; i <= length(line); i++) {
        c = substr(line, i, 1)
        if (c ~ /[A-Za-z0-9_]/) {
            word = word c
        } else {
            take_word(word)
            take(c, "")
            word = ""
        }
    }
    take_word(word)
}

# A word within a condition changes nothing.
function take_word(word) {
    if (word != "" && !(condition && parentheses > waits)) { take("", word) }
}

FNR == 1 {
    end_file()
    file = FILENAME
    start = braces = parentheses = depth = in_comment = continued = condition = 0
    waits = -1
}

{
    lines = FNR
    if (length($0) > 100) { offends(FNR ": " length($0) " columns; at most 100") }
    directive = continued || $0 ~ /^ *#/
    continued = directive && $0 ~ /\\$/
    line = directive ? "" : code($0)
    if (line ~ /^[ \t]*$/) { next }
    if (!start) {
        start = FNR
        signature = ""
        deepest = 0
    }
    if (!braces) { signature = signature line }
    take_line(line)
    if (braces || line !~ /[;}][ \t]*$/) { next }
    # a definition has ended: a function's has its parameters before the brace
    if (file ~ /(^|\/)pref\.c$/ && signature ~ /^[^={]*\)[ \t]*\{/) {
        name = signature
        gsub(/__attribute__\(\([a-z]*\)\)/, "", name)
        sub(/\(.*/, "", name)
        sub(/.*[ *]/, "", name)
        size = FNR - start + 1
        if (size > 45) { offends(start ": " name " has " size " lines; at most 45") }
        if (deepest > 3) { offends(start ": " name " nests " deepest " blocks; at most 3") }
    }
    start = 0
}

END {
    end_file()
    exit offences > 0
}
