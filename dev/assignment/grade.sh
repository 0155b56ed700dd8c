#!/bin/sh
# Grades pref.c and kl.c, part by part.
#
#   grade.sh HANDED SUBMISSION RESULTS.json [SOLVED]
#   grade.sh --expected HANDED SOLVED FOLDER SEED
#
# HANDED is a folder with what was handed out: pref.c and kl.c with stubs, `parts` (the names and
# points of the parts that are graded), and expected/ (the values of the solution for seed 1).
# SUBMISSION is a folder with a student's pref.c, there or in assignment/, and kl.c beside it or
# in dev/. PARTS in the environment names the parts to grade; the default is all. With SOLVED, a
# folder with the solution (for teachers), the seed is a fresh one, and the expected values are
# computed only when all programs of the student have ended, so there is nothing on disk for them
# to read. The second form writes the expected values.
#
# Every part is built and run apart: from the student's files, in which all other parts are stubs.
# The program prints values. judge, in which no code of the student runs, compares them. If root
# grades, the student's files are compiled and run by a user who owns nothing but their folder.
#
# Exit status: 0 if all points were reached, 1 if not, 2 if the grader could not do its work.
set -u
export LC_ALL=C
unset MAKEFLAGS MFLAGS MAKELEVEL
tools=$(cd "$(dirname "$0")" && pwd) || exit 2
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP
cc=${CC:-cc}
seconds=10 seed=1

die() { echo "grade: $1" >&2; exit 2; }
absolute() { (cd "$1" 2>/dev/null && pwd) || die "$1: no such folder"; }

# -O0, because a program is built for each part, and none runs long.
chmod 711 "$work"
flags='-std=c11 -O0 -Werror=return-type -DREAL=double'
$cc -std=c11 -O1 "$tools/judge.c" -o "$work/judge" -lm || die "judge.c does not compile"
judge() { "$work/judge" "$@"; }
unset STUDENT_UID
if [ "$(id -u)" = 0 ]; then
    export STUDENT_UID=$((60100 + $$ % 4800))  # another in each grading: they may run side by side
    if ! { : >"$work/owned" && chown "$STUDENT_UID" "$work/owned" && judge end; } 2>/dev/null; then
        unset STUDENT_UID
        echo "grade: this system lets root run nothing as another user; submissions have your rights" >&2
    fi
fi

# build FOLDER PROGRAM DEFINES: builds a driver from the files in a folder, or prints why it cannot.
build() {
    cp "$tools/driver.c" "$1/driver.c" || exit 2
    # The compiler, which the student's user runs, has its temporary files (TMPDIR) in this folder, too.
    [ -z "${STUDENT_UID-}" ] || chown -R "$STUDENT_UID" "$1" || exit 2
    (cd "$1" && TMPDIR=. judge run 60 100 build.out build.err $cc $flags $3 driver.c -o "$2" -lm) \
        >"$1/build.said" && return
    why=$(grep -m 1 -E 'error: |undefined' "$1/build.err") || why=$(cat "$1/build.said")
    echo "does not compile: $why" | cut -c 1-300
    return 1
}

# values FOLDER PROGRAM PART OUT [hints]: runs a driver. If that fails, prints how.
values() {
    (cd "$1" && judge run "$seconds" 1 "$4" run.err "./$2" "$3" "$seed" ${5-}) >"$1/run.said" &&
        return
    why=$(cat "$1/run.said")
    case $why in
    *' is not written yet') why=${why#ended with status 1: } ;;
    esac
    echo "$why"
    return 1
}

# part_values FOLDER PART OUT [hints]: the same for a part, which is two programs for on-policy.
part_values() {
    values "$1" off "$2" "$3" ${4-} || return
    [ "$2" != on-policy ] || { values "$1" on "$2" more ${4-} && cat "$1/more" >>"$1/$3"; }
}

# Builds the drivers of the solution (a folder), and leaves its values in a folder.
expect() {
    mkdir -p "$work/solved" "$2" && cp "$1/pref.c" "$1/kl.c" "$work/solved" || exit 2
    build "$work/solved" off -DPART_KL || exit 2
    build "$work/solved" on -DON_POLICY || exit 2
    for part in $parts; do
        part_values "$work/solved" "$part" "values" hints && [ -s "$work/solved/values" ] ||
            die "the driver has no values for the part $part"
        mv "$work/solved/values" "$2/$part" || exit 2
    done
}

# Puts together, builds and runs what is needed for one part. Leaves in its folder the values, or
# in `wrong` what is wrong.
run_part() {
    folder=$work/$1
    mkdir "$folder" || exit 2
    {
        [ -f "$pref" ] || { echo "the submission has no pref.c"; return; }
        awk -f "$tools/join.awk" -v part="$1" -v name=pref.c "$handed/pref.c" "$pref" \
            >"$folder/pref.c" || { tail -n 1 "$folder/pref.c"; return; }
        case $1 in
        kl)
            [ -f "$kl" ] || { echo "kl.c is missing"; return; }
            awk -f "$tools/join.awk" -v part=kl -v name=kl.c "$handed/kl.c" "$kl" \
                >"$folder/kl.c" || { tail -n 1 "$folder/kl.c"; return; }
            build "$folder" off -DPART_KL ;;
        on-policy) build "$folder" off '' && build "$folder" on -DON_POLICY ;;
        *) build "$folder" off '' ;;
        esac && part_values "$folder" "$1" values
    } >"$folder/wrong"
}

if [ "${1-}" = --expected ]; then
    [ $# = 5 ] || die "usage: see grade.sh"
    parts=$(awk '{ print $1 }' "$2/parts")
    seed=$5
    expect "$3" "$4"
    exit 0
fi
[ $# = 3 ] || [ $# = 4 ] || die "usage: see grade.sh"
handed=$(absolute "$1") || exit 2
submission=$(absolute "$2") || exit 2
results=$3
rm -f "$results"  # so that what is there afterwards is of this submission
all=$(echo $(awk '{ print $1 }' "$handed/parts"))
chosen=$(echo ${PARTS-})
for part in $chosen; do
    case " $all " in *" $part "*) ;; *) die "there is no part $part; the parts are: $all" ;; esac
done
awk -v parts=" ${chosen:-$all} " 'index(parts, " " $1 " ")' "$handed/parts" >"$work/parts"
parts=$(awk '{ print $1 }' "$work/parts")
[ -f "$submission/pref.c" ] || [ ! -f "$submission/assignment/pref.c" ] ||
    submission=$submission/assignment
pref=$submission/pref.c kl=$submission/kl.c
[ -f "$kl" ] || kl=$submission/dev/kl.c
if [ $# = 4 ]; then
    solved=$(absolute "$4") || exit 2
    seed=$(($(od -A n -N 4 -t u4 /dev/urandom) % 1000000000 + 2))
fi

# Two parts at a time. On a terminal, one line shows which.
number=0 total=$(($(echo $parts | wc -w)))
for part in $parts; do
    number=$((number + 1))
    [ ! -t 2 ] || printf '\r\033[Kgrading %s, %d of %d' "$part" "$number" "$total" >&2
    run_part "$part" &
    [ $((number % 2)) = 1 ] || wait
done
wait
[ ! -t 2 ] || printf '\r\033[K' >&2

judge end  # whatever the student's programs have left running
expected=$handed/expected
if [ $# = 4 ]; then
    expected=$work/expected
    expect "$solved" "$expected"
fi
while read -r part most; do
    wrong=$(head -n 1 "$work/$part/wrong")
    [ "$wrong" ] || wrong=$(judge compare "$expected/$part" "$work/$part/values") ||
        [ "$wrong" ] || wrong='the comparison failed'
    points=$most
    [ -z "$wrong" ] || points=0
    echo "$part: $points of $most"
    [ -z "$wrong" ] || echo "$part: $wrong"
    printf '%s\t%d\t%d\t%s\n' "$part" "$points" "$most" "$wrong" >>"$work/lines"
done <"$work/parts"
judge json <"$work/lines" >"$work/results" && cp "$work/results" "$results" ||
    die "$results: cannot write it"
awk -F '\t' '{ got += $2; all += $3 }
    END { printf "total: %d of %d\n", got, all; exit got < all }' "$work/lines"
