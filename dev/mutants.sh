#!/bin/sh
# Plants the faults of dev/mutants.txt, one at a time, and tells which of them `make test` finds.
#
#   dev/mutants.sh [-j N] [-t SECONDS] [NAME ...]
#                                   all faults, or those named; 'kl-*' (in quotes) names several
#   dev/mutants.sh -c [NAME ...]    runs no test, but checks that each fault can be planted
#
# Every fault gets a copy of the sources of its own, in a scratch folder; the work tree is only
# read. N copies are tested at a time, each with one thread (default: one for every core). The tests
# stop at the first one that fails, as FAIL_FAST=1 tells them. A fault is found if the copy fails
# its tests, does not compile, or takes more than SECONDS (300) and more than three times as long as
# the sources without a fault, which are tested first. CFLAGS in the environment replaces the flags
# that the copies are compiled with.
#
# Exit status: 0 if at least 95% were found, 1 if fewer were, 2 if the tool could not do its work.

cd "$(dirname "$0")/.." || exit 2
list=dev/mutants.txt
flags=${CFLAGS:--O1 -ftree-vectorize}  # quick to compile, and not too slow to run
jobs=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)
least=300
only_check=0
unset CFLAGS MAKEFLAGS MFLAGS MAKELEVEL
export LC_ALL=C

usage() {
    sed -n '4,6s/^# \{0,1\}//p' dev/mutants.sh >&2
    exit 2
}
while getopts j:t:c option; do
    case $option in
    j) jobs=$OPTARG ;;
    t) least=$OPTARG ;;
    c) only_check=1 ;;
    *) usage ;;
    esac
done
shift $((OPTIND - 1))
for number in "$jobs" "$least"; do
    case $number in
    '' | *[!0-9]* | 0*) usage ;;
    esac
done

# What the list holds; its first lines say how it is written.
#   faults names              the name of every fault, one a line
#   faults KEY NAME           of one fault: its file, what it is, or why it survives
#   faults text NAME FOLDER   its file, as it is in the folder, with the fault in it; status 3: the
#                             old text does not stand there exactly once
faults() {
    awk -v want="$1" -v name="${2-}" -v folder="${3-}" '
        function broken(why) {
            printf "%s:%d: %s\n", FILENAME, FNR, why > "/dev/stderr"
            failed = 2
            exit
        }
        /^#/ || /^[ \t]*$/ { next }
        /^[A-Za-z0-9][A-Za-z0-9_-]* [^ ]+$/ {
            if ($1 in file) broken("there is another fault with the name " $1)
            name_of[++n] = now = $1
            file[now] = $2
            part = "what"
            next
        }
        !now { broken("expected a name and a file") }
        /^  survives: / {
            part = "survives"
            sub(/^  survives: /, "  ")
        }
        /^  / {
            sub(/^  /, "")
            said[part, now] = said[part, now] (said[part, now] == "" ? "" : " ") $0
            next
        }
        /^-/ {
            old[now] = old[now] (lines["-", now]++ ? "\n" : "") substr($0, 3)
            next
        }
        /^\+/ {
            new[now] = new[now] (lines["+", now]++ ? "\n" : "") substr($0, 3)
            next
        }
        { broken("expected a line that begins with two spaces, - or +") }
        END {
            if (failed) exit failed
            if (want == "names") {
                for (i = 1; i <= n; i++) print name_of[i]
            } else if (want == "file") {
                print file[name]
            } else if (want != "text") {
                print said[want, name]
            } else {
                path = folder "/" file[name]
                while ((getline line < path) > 0) text = text line "\n"
                at = index(text, old[name])
                if (old[name] == "" || !at || index(substr(text, at + 1), old[name])) exit 3
                printf "%s%s%s", substr(text, 1, at - 1), new[name],
                    substr(text, at + length(old[name]))
            }
        }' "$list"
}

all=$(faults names) || exit 2
names=
for wanted in "${@:-*}"; do
    before=$names
    for name in $all; do
        case $name in
        $wanted) case " $names " in *" $name "*) ;; *) names="$names $name" ;; esac ;;
        esac
    done
    if [ "$names" = "$before" ]; then
        echo "mutants.sh: no (other) fault in $list is named $wanted" >&2
        exit 2
    fi
done

scratch=$(mktemp -d "${TMPDIR:-/tmp}/mutants.XXXXXX") || exit 2

# Kill what is left of a session: every process that its leader (whose id is the session's) started.
end_session() {
    for signal in TERM KILL; do
        left=$(ps -e -o pid= -o sess= | awk -v id="$1" '$2 == id { print $1 }')
        [ "$left" ] || return 0
        kill -s "$signal" $left 2>/dev/null
        sleep 1
    done
}

workers=
end_early() {
    trap '' INT TERM HUP
    [ "$workers" ] && kill $workers 2>/dev/null
    for file in "$scratch"/*.session; do
        [ -f "$file" ] && end_session "$(cat "$file")"
    done
    exit 130
}
trap 'rm -rf "$scratch"' EXIT
trap end_early INT TERM HUP

# A snapshot of the work tree, without what .gitignore names: all copies are made of it, so that
# nobody needs to keep still while the faults are tested.
mkdir "$scratch/sources" || exit 2
git ls-files -co --exclude-standard | while IFS= read -r file; do
    [ -f "$file" ] || continue
    mkdir -p "$scratch/sources/$(dirname "$file")" && cp -p "$file" "$scratch/sources/$file"
done

# All faults are planted once before any is tested. Whoever changes a source hears of it at once.
compiles() {  # compiles FILE: both programs that pref.c makes
    for define in -DOFF_POLICY -DON_POLICY; do
        ${CC:-cc} -std=c11 -O0 -fsyntax-only $define "$1" > "$scratch/said" 2>&1 || return 1
    done
}
bad=0
for name in $names; do
    file=$(faults file "$name")
    copy=$scratch/sources/$(dirname "$file")/.mutant.c
    if ! faults text "$name" "$scratch/sources" > "$copy"; then
        echo "stale: $name"
        bad=1
    elif cmp -s "$copy" "$scratch/sources/$file"; then
        echo "changes nothing: $name"
        bad=1
    elif [ $only_check = 1 ] && ! compiles "$copy"; then
        echo "does not compile: $name"
        sed 's/^/    /' "$scratch/said" | head -n 5
        bad=1
    fi
    rm -f "$copy"
done
[ $bad = 0 ] || exit 2
if [ $only_check = 1 ]; then
    echo "all $(echo $names | wc -w) faults can be planted"
    exit 0
fi

# make_test NAME: make test in the copy of that name, in a session of its own, of which nothing is
# left afterwards. Returns make's status, or 124 if it took more than $limit seconds. What was
# printed is left in NAME.log. No file can grow past 2 GB, should a fault write without end.
#
# Most faults are found by test_float alone, which is built and run first; the whole of make test
# follows only if that finds nothing.
quickest_first='make CFLAGS="$1" pref pref_onpolicy test_float && ./test_float &&
    exec make CFLAGS="$1" test'
make_test() {
    mkdir "$scratch/$1/tmp"
    (
        cd "$scratch/$1" || exit 2
        ulimit -c 0
        ulimit -f 4194304
        exec env FAIL_FAST=1 TEST_JOBS=1 OMP_NUM_THREADS=1 TMPDIR="$scratch/$1/tmp" setsid sh -c '
            echo $$ > "$0"
            exec timeout -k 5 "$1" sh -c "$3" make_test "$2"' \
            "$scratch/$1.session" "$limit" "$flags" "$quickest_first"
    ) > "$scratch/$1.log" 2>&1 < /dev/null &
    wait $!
    result=$?
    end_session "$(cat "$scratch/$1.session")"
    rm -rf "$scratch/$1.session" "${scratch:?}/$1"
    return $result
}

limit=3600
begin=$(date +%s)
echo "testing the sources without a fault"
cp -Rp "$scratch/sources" "$scratch/none"
if ! make_test none; then
    tail -n 20 "$scratch/none.log"
    echo "mutants.sh: the tests fail without any fault" >&2
    exit 2
fi
whole=$(($(date +%s) - begin))
limit=$((3 * whole > least ? 3 * whole : least))
echo "all tests pass, in $whole s; a fault has $limit s"

# Test one fault, and add a line to the results: how it went, seconds, name, and what failed first.
test_fault() {
    start=$(date +%s)
    cp -Rp "$scratch/sources" "$scratch/$1"
    file=$(faults file "$1")
    faults text "$1" "$scratch/sources" > "$scratch/$1/$file"
    make_test "$1"
    status=$?
    log=$scratch/$1.log
    how=found
    case $status in
    0) how=SURVIVED why= ;;
    124 | 137) why="time-out after $limit s" ;;
    *)
        if grep -q '^[^ ]*:[0-9]*:[0-9]*: error: ' "$log"; then
            why="does not compile: $(grep -m 1 ': error: ' "$log")"
        else
            why=$(grep -m 1 FAILED "$log" || tail -n 1 "$log")
        fi ;;
    esac
    printf '%-8s %4d s  %-24s %s\n' $how $(($(date +%s) - start)) "$1" "$why" \
        | cut -c 1-160 | tee -a "$scratch/results"
    rm -f "$log"
}

# Each worker takes the next fault that no other has taken.
: > "$scratch/results"
mkdir "$scratch/taken"
i=0
while [ $i -lt "$jobs" ]; do
    (
        for name in $names; do
            mkdir "$scratch/taken/$name" 2>/dev/null && test_fault "$name"
        done
    ) &
    workers="$workers $!"
    i=$((i + 1))
done
wait

total=$(wc -l < "$scratch/results")
found=$(grep -c '^found' "$scratch/results")
echo
echo "$found of $total faults found, in $((($(date +%s) - begin) / 60)) minutes"
for name in $names; do
    survived=$(grep -c "^SURVIVED .* s  $name *$" "$scratch/results")
    why=$(faults survives "$name")
    if [ "$survived" = 1 ]; then
        [ "$why" ] || why="not known"
        printf 'survived: %s\n    %s\n    why: %s\n' "$name" "$(faults what "$name")" "$why"
    elif [ "$why" ]; then
        echo "found, although $list says that it survives: $name"
    fi
done
if [ "$total" != "$(echo $names | wc -w)" ]; then
    echo "mutants.sh: some faults were not tested" >&2
    exit 2
fi
[ $((100 * found)) -ge $((95 * total)) ]
