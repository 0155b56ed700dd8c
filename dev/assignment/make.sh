#!/bin/sh
# Writes the folder of the assignment, or grades a submission with a fresh seed:
#
#   make.sh FOLDER [PART ...]             make assignment: all parts, or these
#   make.sh --grade FOLDER RESULTS.json [PART ...]   make grade SUBMISSION=FOLDER
#
# A part is what a student writes: a function of pref.c or dev/kl.c. Its solution is marked by a
# comment "// part: NAME" at the end of one of the function's first lines, or of an #ifdef, which
# stands for what lies between this line and its #endif. parts.txt tells the rest of each part.
set -u
here=$(dirname "$0")
cd "$here/../.." || exit 2
here=dev/assignment

die() { echo "assignment: $1" >&2; exit 2; }

all=$(awk '$1 == "part" { print $2 }' $here/parts.txt)
odd=$(awk '$1 == "part" && $3 !~ /^[1-9][0-9]*$/ { print $2 }' $here/parts.txt)
[ -z "$odd" ] || die "parts.txt: points are whole numbers; see the part $odd"
choose() {  # choose PART...: the parts, in the order of parts.txt
    for part in "$@"; do
        case " $(echo $all) " in
        *" $part "*) ;;
        *) die "there is no part $part; the parts are: $(echo $all)" ;;
        esac
    done
    parts=''
    for part in $all; do
        case " ${*:-$all} " in *[[:space:]]"$part"[[:space:]]*) parts="$parts $part" ;; esac
    done
}

# hand_out FOLDER KEEP: pref.c and kl.c with stubs, or (KEEP is 1) with the solutions.
hand_out() {
    for file in pref.c dev/kl.c; do
        awk -f $here/stubs.awk -v parts=" $parts " -v keep="$2" $here/parts.txt $file \
            >"$1/$(basename $file)" || die "$file: see above"
    done
    awk -v parts=" $parts " '$1 == "part" && index(parts, " " $2 " ") { print $2, $3 }' \
        $here/parts.txt >"$1/parts"
}

if [ "${1-}" = --grade ]; then
    submission=$2 results=$3
    shift 3
    rm -f "$results"
    choose "$@"
    scratch=$(mktemp -d) || exit 2
    trap 'rm -rf "$scratch"' EXIT
    trap 'exit 130' INT TERM HUP
    mkdir "$scratch/handed" "$scratch/solved"
    hand_out "$scratch/handed" 0
    hand_out "$scratch/solved" 1
    sh $here/grade.sh "$scratch/handed" "$submission" "$results" "$scratch/solved"
    exit
fi

folder=$1
shift
choose "$@"
[ ! -e "$folder" ] ||
    die "$folder/ exists, and its pref.c may hold somebody's work: remove it first"
new=$folder.tmp
rm -rf "$new"
trap 'rm -rf "$new"' EXIT
trap 'exit 130' INT TERM HUP
mkdir -p "$new/dev" "$new/grade/handed" "$new/solved" || exit 2
hand_out "$new/grade/handed" 0
hand_out "$new/solved" 1
handed=$new/grade/handed
sh $here/grade.sh --expected "$handed" "$new/solved" "$handed/expected" 1 || exit 2
rm -rf "$new/solved"
cp "$new/grade/handed/pref.c" "$new/pref.c"
cp "$new/grade/handed/kl.c" dev/measure.c dev/jsonl.c dev/oracle.h "$new/dev"
cp test_pref.c tinystories_tok.bin LICENSE "$new"
cp $here/student.mk "$new/Makefile"
cp $here/grade.sh $here/join.awk $here/judge.c $here/driver.c "$new/grade"
awk -f $here/handout.awk -v parts=" $parts " $here/parts.txt $here/ASSIGNMENT.md \
    >"$new/ASSIGNMENT.md" || exit 2
mv "$new" "$folder" || exit 2
awk -v folder="$folder" '{ n++; points += $2 }
    END { printf "%s/: %d parts, %d points; begin with ASSIGNMENT.md\n", folder, n, points }' \
    "$folder/grade/handed/parts"
