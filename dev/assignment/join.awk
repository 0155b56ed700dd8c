# Prints a student's file with only one part of the student's; all other parts are stubs again:
#
#   awk -f join.awk -v part=dpo -v name=pref.c STUBS.c STUDENT.c
#
# What stands outside the parts stays as it is, so a student's helper functions still work. A stub
# is followed by a #line directive, so compilers give the student's line numbers. Exit status 3, and
# one line: the marker lines of this part are not as they were.

# The function whose part begins or ends on a marker line.
function marked(line) {
    sub(/ ----[ \t]*$/, "", line)
    sub(/.* /, "", line)
    return line
}

{ sub(/\r$/, "") }
/^[ \t]*\/\/ ---- part [a-z-]+: write .* ----[ \t]*$/ { is_begin = 1 }
/^[ \t]*\/\/ ---- end of [a-z_]+ ----[ \t]*$/ { is_end = 1 }

# The file with stubs: what stands in each part, from its first marker line to its last.
FNR == NR {
    if (is_begin) {
        function_now = marked($0)
        function_of[++n_parts] = function_now
        owner[function_now] = $4
        sub(/:$/, "", owner[function_now])
    }
    if (function_now != "") { stub[function_now] = stub[function_now] $0 "\n" }
    if (is_end) { function_now = "" }
    is_begin = is_end = 0
    next
}

{
    line[++n] = $0
    if (is_begin || is_end) {
        function_now = marked($0)
        marker[n] = function_now
        if (is_begin) { begins[function_now] = begins[function_now] ? -1 : n }
        if (is_end) { ends[function_now] = ends[function_now] ? -1 : n }
    }
    is_begin = is_end = 0
}

# Whether a part has both of its marker lines, in order, once, and no others between them.
function intact(f,    i) {
    if (begins[f] < 1 || ends[f] <= begins[f]) { return 0 }
    for (i = begins[f] + 1; i < ends[f]; i++) { if (i in marker) { return 0 } }
    return 1
}

END {
    for (i = 1; i <= n_parts; i++) {
        f = function_of[i]
        whole[f] = intact(f)
        if (owner[f] == part && !whole[f]) {
            print "the marker lines around " f " in " name " are not as they were handed out"
            exit 3
        }
    }
    for (i = 1; i <= n; i++) {
        f = marker[i]
        if (!(i in marker) || !whole[f] || owner[f] == part) {
            print line[i]
            continue
        }
        i = ends[f]
        printf "%s#line %d \"%s\"\n", stub[f], i + 1, name
    }
}
