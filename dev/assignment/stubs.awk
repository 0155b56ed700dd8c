# Turns pref.c or dev/kl.c into a file of the assignment:
#
#   awk -f stubs.awk -v parts=" dpo ppo " -v keep=0 dev/assignment/parts.txt pref.c
#
# The functions that are marked with one of these parts stand between marker lines: as a stub, or
# (keep=1) as they are. All marks are taken out. Exit status 1 if a mark or a stub has no partner.

function fail(why) {
    print "stubs.awk: " FILENAME ": " why > "/dev/stderr"
    failed = 1
    exit 1
}

function not_written() {
    return "not_written(\"" name "\", \"" part "\");"
}

# A stub of the section under #ifdef ON_POLICY has two branches, each with a sentence of its own.
function print_section(    i, last) {
    print "#ifdef ON_POLICY\n    // " line_of[name, 1] "\n    " not_written()
    print "#else"
    last = lines_of[name]
    for (i = 2; i <= last; i++) { print "    // " line_of[name, i] }
    print "    " not_written() "\n#endif"
}

function print_body(from, to, section,    i, returns) {
    print "    // ---- part " part ": write " (section ? "this section of " : "") name " ----"
    if (keep) {
        for (i = from; i <= to; i++) { print body[i] }
    } else if (section) {
        print_section()
    } else {
        for (i = 1; i <= lines_of[name]; i++) { print "    // " line_of[name, i] }
        returns = head ~ /^static void/ ? "" : head ~ /^static int/ ? "return (int)" : "return "
        print "    " returns not_written()
    }
    print "    // ---- end of " name " ----"
}

# Prints the function that has been read. Its part, if it has a mark, is `part`.
function print_function(    i, end) {
    if (part != "" && !(name in lines_of)) { fail("parts.txt has no stub for " name) }
    if (part == "" || !index(parts, " " part " ")) {
        for (i = 1; i <= n; i++) { print body[i] }
    } else if (section) {
        for (i = 1; i < section; i++) { print body[i] }
        for (end = section; body[end] !~ /^#endif/; end++) { continue }
        print_body(section, end, 1)
        for (i = end + 1; i <= n; i++) { print body[i] }
    } else {
        print_body(1, n - 1, 0)
        print body[n]
    }
    inside = n = section = 0
    part = ""
}

# The first file: the comments of the stubs.
FNR == NR {
    if ($1 == "part") { known[$2] }
    if ($1 == "stub") { name = $2 }
    if ($1 == "/") { line_of[name, ++lines_of[name]] = substr($0, 3) }
    next
}

/^\/\/|^#|^$/ && !inside { head = "" }
/^static / && !inside { head = "" }
{
    mark = match($0, / *\/\/ part:.*$/) ? substr($0, RSTART) : ""
    if (mark != "") {
        $0 = substr($0, 1, RSTART - 1)
        sub(/.*: */, "", mark)
        if (!(mark in known)) { fail("line " FNR ": parts.txt has no part " mark) }
        part = mark
        marked++
        if (/^#ifdef/) { section = n + 1 }
    }
}

inside {
    body[++n] = $0
    if (/^}/) { print_function() }
    next
}

{
    head = head $0
    print
    if (head ~ /^static .*\{$/) {
        name = head
        sub(/\(.*/, "", name)
        sub(/.*[ *]/, "", name)
        inside = 1
    }
}

# Where everything that a stub needs is known: the function that every stub calls.
/^typedef REAL real;$/ || (FILENAME ~ /kl\.c$/ && /^#include <string\.h>$/) {
    print ""
    print "// A part of the assignment that is not written yet ends the program."
    print "#ifndef NOT_WRITTEN"
    print "#define NOT_WRITTEN"
    print "#include <stdlib.h>"
    print "#pragma GCC diagnostic ignored \"-Wunused-function\"  // that only missing parts call"
    print "#pragma GCC diagnostic ignored \"-Wunused-parameter\""
    print "static double not_written(const char *function, const char *part) {"
    print "    fprintf(stderr, \"pref: %s (part %s) is not written yet\\n\", function, part);"
    print "    exit(1);"
    print "}"
    print "#endif"
}

END {
    if (!failed && !marked) { fail("has no marks") }
}
