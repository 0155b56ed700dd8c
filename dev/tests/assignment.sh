#!/bin/sh
# Tests the assignment and its grader: stubs have no points and the solution all; planted mistakes
# lose the points of their own part, with a message that names them; and no trick gains a point.
. "$(dirname "$0")/lib.sh"
here=dev/assignment
all=$(awk '$1 == "part" { printf "%s ", $2 }' $here/parts.txt)

# points PART: its points in the last grading. message PART: what was wrong.
points() { sed -n "s/^$1: \([0-9]*\) of [0-9]*\$/\1/p" "$scratch/graded"; }
message() { sed -n "s/^$1: //p" "$scratch/graded" | sed 1d; }
# grade FOLDER: grades what is in a folder of the assignment.
grade() {
    make -s -C "$1" grade >"$scratch/graded" 2>"$scratch/errors" </dev/null
    same "the status of make grade" "$?" 0
}
total() { same "$1" "$(tail -n 1 "$scratch/graded")" "total: $2 of $3"; }
# loses PART WORDS: it has no points, and its message has these words.
loses() {
    same "the points of $1" "$(points "$1")" 0
    case $(message "$1") in
    *"$2"*) pass ;;
    *) fail "$1: expected the words: $2; got: $(message "$1")" ;;
    esac
}
# The files with the solutions between the marker lines.
solve() {  # solve FOLDER [PARTS]
    awk -f $here/stubs.awk -v parts=" ${2:-$all} " -v keep=1 $here/parts.txt pref.c >"$1/pref.c"
    awk -f $here/stubs.awk -v parts=" ${2:-$all} " -v keep=1 $here/parts.txt dev/kl.c >"$1/dev/kl.c"
}
# plant FOLDER FUNCTION SED: changes a function of the solved files, in pref.c or kl.c.
plant() {
    file=$1/pref.c
    [ "$2" != kl_gradient ] || file=$1/dev/kl.c
    sed "/^static [a-z]* $2(/,/^}/ { $3
        }" "$file" >"$scratch/planted.c"
    if cmp -s "$file" "$scratch/planted.c"; then fail "nothing was planted in $2: $3"; fi
    cp "$scratch/planted.c" "$file"
}

# --- writing the folder
holds 'make assignment' sh $here/make.sh "$scratch/a"
says 2 "$scratch/a/ exists" sh $here/make.sh "$scratch/a"
says 2 'there is no part dpq; the parts are: logp attention draw' \
    sh $here/make.sh "$scratch/b" dpo dpq
holds 'two parts alone' sh $here/make.sh "$scratch/two" ppo dpo
same 'two parts, and their points' "$(echo $(cat "$scratch/two/grade/handed/parts"))" \
    'ppo 10 dpo 10'
same 'the stubs of two parts' "$(grep -c '^    return not_written' "$scratch/two/pref.c")" 2
holds 'two more' sh $here/make.sh "$scratch/bt" bon on-policy
holds 'what a test needs of what is left to write' \
    grep -q '"collections"`, once these are written, too: bon\.$' "$scratch/bt/ASSIGNMENT.md"
holds 'what to hand in' grep -q '^- Hand in `pref.c`\.$' "$scratch/two/ASSIGNMENT.md"
holds 'the handout has both parts' grep -q '^### ppo (10 points)' "$scratch/two/ASSIGNMENT.md"
same 'no mark of a solution is left' \
    "$(cat "$scratch/a/pref.c" "$scratch/a/dev/kl.c" | grep -c '// part:')" 0
cc=${CC:-cc}
for folder in a two; do
    for source in pref.c test_pref.c dev/kl.c dev/measure.c dev/jsonl.c grade/driver.c; do
        holds "$folder/$source compiles without warnings" $cc -std=c11 -O0 -Wall -Wextra -Wshadow \
            -Werror -Wno-unknown-pragmas -I"$scratch/$folder" -I"$scratch/$folder/dev" \
            -c "$scratch/$folder/$source" -o "$scratch/object"
    done
done

# --- stubs, and the solution
grade "$scratch/a"
total 'stubs' 0 120
for part in $all; do loses "$part" 'is not written yet'; done
cp -R "$scratch/a" "$scratch/solved"
solve "$scratch/solved"
grade "$scratch/solved"
total 'the solution' 120 120
same 'nothing is printed on standard error in a pipe' "$(cat "$scratch/errors")" ''

# A part that is solved alone is graded as it is among solutions, and all others are as stubs: the
# files that the grader builds are the same. So only one part is really graded.
join() {  # join PART FILE [NAME]
    awk -f $here/join.awk -v part="$1" -v name=x "$scratch/a/grade/handed/${3:-pref.c}" "$2" |
        grep -v '^#line'
}
mkdir -p "$scratch/one/dev"
for part in $all; do
    case $part in kl) file=dev/kl.c ;; *) file=pref.c ;; esac
    join "$part" "$scratch/solved/$file" "$(basename $file)" >"$scratch/one/$file"
    for other in $all; do
        [ "$other" != "$part" ] || continue
        join "$other" "$scratch/one/$file" "$(basename $file)" >"$scratch/one/joined"
        cmp -s "$scratch/one/joined" "$scratch/a/$file" ||
            fail "$part solved alone: $other is not a stub"
    done
    if cmp -s "$scratch/one/$file" "$scratch/a/$file"; then fail "$part has no solution"; else pass; fi
done
join dpo "$scratch/solved/pref.c" >"$scratch/two/pref.c"
grade "$scratch/two"
total 'one part of two is solved, from the file of another assignment' 10 20
holds 'the test that the handout names for dpo' \
    sh -c "cd '$scratch/two' && make -s test_double && ./test_double 'loss of dpo'"
loses ppo 'is not written yet'

# --- planted mistakes, those of many parts at a time; the other parts keep all of their points
cp -R "$scratch/solved" "$scratch/m1"
plant "$scratch/m1" loss_dpo 's/push(b, y.lost, g)/push(b, y.lost, -g)/'
plant "$scratch/m1" loss_ipo 's/2 \* weight \* gap/weight * gap/'
plant "$scratch/m1" loss_bon 's/b->reward\[i\] > b->reward\[best\]/b->reward[i] < b->reward[best]/
    s/b->reward\[i\] < b->reward\[worst\]/b->reward[i] > b->reward[worst]/'
plant "$scratch/m1" set_advantages 's/(A - m.mean) \* n \/ (n - 1)/A - m.mean/'
plant "$scratch/m1" set_advantages_gae 's/lambda \* A/A/'
plant "$scratch/m1" kl_gradient 's/ - kl//'
plant "$scratch/m1" loss_ppo 's/bounded \* A < rho/bounded * A > rho/'
plant "$scratch/m1" logp_backward 's/l\[token\[i\]\] += d/l[token[i]] -= d/; s/-d/d/'
grade "$scratch/m1"
total 'mistakes in eight parts' 55 120
loses dpo "dlogp of the rejected response's tokens (pair 1) has the wrong sign: token 1 got -"
loses ipo "dlogp of the chosen response's tokens (pair 1) is 0.5 times what it should be, which is 1 / 2"
loses bon 'the values are those of a loss that imitates the worst response'
loses advantages 'which is (n - 1) / n'
loses gae 'with a lambda of 1: is A_{t+1} multiplied by lambda?'
loses kl 'd of the reverse KL: the values are those without the term - KL(p || t)'
loses ppo 'the values are those of a clip that does not ask which of the two terms is smaller'
loses logp 'dlogits at token 1 of 11 has the wrong sign'
cp "$scratch/graded" "$scratch/graded_m1"
if command -v python3 >/dev/null 2>&1; then
    python3 -c '
import json, sys
r = json.load(open(sys.argv[1]))
tests = r["tests"]
print(int(r["score"]), sum(t["score"] for t in tests), sum(t["max_score"] for t in tests), len(tests),
      all(t["output"] for t in tests if t["score"] == 0))' "$scratch/m1/grade/results.json" >"$scratch/said" 2>&1
    same 'results.json' "$(cat "$scratch/said")" '55 55 120 15 True'
fi

cp -R "$scratch/solved" "$scratch/m2"
plant "$scratch/m2" loss_dpo 's/weight \* o->beta \* exp/weight * exp/'
plant "$scratch/m2" loss_ipo 's/push(b, y.won, 2/push(b, y.won, -2/; s/push(b, y.lost, -2/push(b, y.lost, 2/'
plant "$scratch/m2" set_advantages 's/m.std + 1e-8/m.std * sqrt((n - 1.0) \/ n) + 1e-8/'
plant "$scratch/m2" set_advantages_gae 's/reward -= kl/reward += kl/'
plant "$scratch/m2" attention_backward 's/ \* scale;/;/'
plant "$scratch/m2" draw 's/greedy ? 1 : 1 \/ (real)how->temperature/1/'
plant "$scratch/m2" loss_pref_ft 's|weight / b->n_pairs|weight / b->n_pairs / response_length(b, b->pair[p].won)|'
plant "$scratch/m2" loss_rwr 's/ \/ o->beta/ * o->beta/'
plant "$scratch/m2" loss_reinforce 's/b->dlogp\[i\] = /b->dlogp[i - 1] = /; s/b->dlogp\[i\] \*/b->dlogp[i - 1] */'
plant "$scratch/m2" loss_bradley_terry 's/dvalue\[won\] -=/dvalue[won] +=/'
plant "$scratch/m2" tune '/^#ifdef/,/^#else/ s/&run->policy/\&run->ref/'
grade "$scratch/m2"
total 'mistakes in eleven parts' 35 120
loses dpo "dlogp of the chosen response's tokens (pair 1) is 3.33 times what it should be, which is 1 / beta"
loses ipo 'has the wrong sign'
loses advantages 'which is sqrt(n / (n - 1)): divide by n - 1 in the standard deviation'
loses gae 'with the sign of the KL penalty wrong'
loses attention 'is 2 times what it should be'
loses draw 'tokens drawn (temperature 0.6, top_k 0): the values are those at a temperature of 1'
loses pref-ft 'which is 1 / the number of tokens in the response'
loses rwr 'the values are those with A * beta for A / beta'
loses reinforce 'the right values stand one token early'
loses bradley-terry "dvalue of the chosen response's last token (pair 1) has the wrong sign"
loses on-policy 'who samples: 0 nobody, 1 the policy, 2 the reference (pref_onpolicy'

# --- what goes wrong in one part costs that part alone
cp -R "$scratch/solved" "$scratch/m3"
plant "$scratch/m3" loss_dpo 's/return loss;/exit(0);/'
plant "$scratch/m3" loss_ipo 's/return loss;/return loss * NAN;/'
plant "$scratch/m3" loss_bon 's/double loss = 0/*(volatile int *)0 = 1; double loss = 0/'
plant "$scratch/m3" loss_rwr 's/return loss;/for (;;) { loss++; } return loss;/'
plant "$scratch/m3" loss_ppo 's/double loss = 0/double los = 0/'
plant "$scratch/m3" loss_pref_ft 's/return loss;/{ return loss;/'
plant "$scratch/m3" loss_reinforce 's/return loss;/printf("the loss\\t0\\t0.5\\n"); return loss;/'
plant "$scratch/m3" loss_bradley_terry 's/return loss;/return loss; \/*/'
plant "$scratch/m3" set_advantages 's/---- end of set_advantages ----//'
plant "$scratch/m3" set_advantages_gae 's/double total = 0/while (puts("no end")) { } double total = 0/'
grade "$scratch/m3"
total 'ten parts that do not run' 55 120
loses dpo "the program ended before it had printed: dlogp of the chosen"
loses ipo 'the loss: is not a number'
loses bon 'crashed: segmentation fault'
loses rwr 'did not end within 10 seconds'
loses ppo 'does not compile: pref.c:'
line=$(grep -n 'double los = 0' "$scratch/m3/pref.c" | cut -d : -f 1)
number=$(message ppo | sed 's/.*pref.c:\([0-9]*\):.*/\1/')
same "the line of the error is the student's" "$((number > line && number < line + 16))" 1
loses pref-ft 'does not compile: '
loses reinforce "an unexpected line in the output: 'the loss"
loses bradley-terry 'does not compile: '
loses advantages 'the marker lines around set_advantages in pref.c are not as they were handed out'
loses gae 'printed more than 1 MB'

# --- more mistakes, in assignments of one part, which are quick to grade
for part in dpo ipo ppo reinforce advantages; do
    holds "$part alone" sh $here/make.sh "$scratch/$part" $part
    solve "$scratch/$part" $part
    cp "$scratch/$part/pref.c" "$scratch/$part.c"
done
slip() {  # slip PART SED WORDS: a change of its function, and what is said about it
    cp "$scratch/$1.c" "$scratch/$1/pref.c"
    function=loss_$1
    [ "$1" != advantages ] || function=set_advantages
    plant "$scratch/$1" "$function" "$2"
    make -s -C "$scratch/$1" grade >"$scratch/graded" 2>&1 </dev/null
    loses "$1" "$3"
}
slip dpo 's/p < b->n_pairs/p <= b->n_pairs/' "dlogp of the chosen response's tokens (pair 1)"
slip dpo 's/log_sigmoid(o->beta \* h)/-log(1 + exp(-o->beta * h))/' \
    'the loss (beta h is as large as 10,000): is not a number'
slip dpo 's/o->beta \*//; s/-o->beta \* h/-h/' 'the values are those without beta'
slip dpo 's/-o->beta \* h/-h/' 'the values are those without beta inside the sigmoid'
slip dpo 's/(-o->beta/(o->beta/' 'the values are those with sigmoid(beta h) for sigmoid(-beta h)'
slip dpo 's/exp(log_sigmoid(-o->beta \* h))/log_sigmoid(-o->beta * h)/' 'exp is missing'
slip dpo 's/o->beta/o->tau/g' 'the values are those with tau in the place of beta'
slip dpo 's/margin(b, y)/response_sum(b, b->logp, y.won) - response_sum(b, b->logp, y.lost)/' \
    'the values are those without the reference'
slip dpo 's/y.weight \/ b->n_pairs/y.weight \/ b->n_rows/' 'divided by the number of responses, not of pairs'
slip dpo 's/push(b, y.\(.*\), \(.*g\));/for (int i = b->start[y.\1]; i < b->row[y.\1 + 1]; i++) { b->dlogp[i] = \2; }/' \
    "the values are those of each response's last pair: is something added to dlogp, or set?"
slip dpo 's/loss -= /loss = -/' 'the loss: the values are those of the last pair alone'
slip ppo 's/loss -= /loss = -/' 'the loss: the values are those of the last token alone'
slip reinforce 's/loss += /loss = /' 'the loss: the values are those of the last token alone'
slip dpo 's/y.weight \/ b->n_pairs/1 \/ b->n_pairs/' 'all values are 0'
slip dpo 's/loss -= weight/loss -= y.weight/' 'which is the number of pairs'
slip ppo 's/b->logp\[i\] - b->old_logp\[i\]/b->old_logp[i] - b->logp[i]/' 'with the ratio upside down'
slip ppo 's/o->clip/0.2/g' 'with a clip of 0.2'
slip ppo 's/i = b->start\[r\]/i = b->row[r]/' "dlogp of the prompts' tokens"
slip ppo 's/n_clipped \/ n/(int)n_clipped \/ (int)n/' 'clip_frac: the values are those of a quotient of integers'
slip advantages 's/i < b->row\[r + 1\]/i <= b->row[r + 1]/' "advantage of the prompts' tokens, which stays"
slip advantages 's/-= kl/+= kl/' 'with the sign of the KL penalty wrong'
slip advantages 's/b->old_logp/b->logp/' 'with logp in the place of old_logp'
slip advantages 's/kl > 0/0/' 'without the KL penalty'
slip advantages 's/n \/ (n - 1)/(n - 1) \/ n/' 'with (n - 1) / n for n / (n - 1)'
slip dpo 's/return loss;//' 'does not compile: pref.c:'
slip ipo 's/o->tau/o->beta/' 'the values are those with beta in the place of tau'
slip ppo 's/bounded \* A < rho \* A/0/' 'the values are those without a clip'
slip ppo 's/-rho \* A/-A/' 'the values are those without rho'
slip ppo 's/old_logp/ref_logp/' 'the values are those with ref_logp in the place of old_logp'
slip reinforce 's/r < b->n_rows/r <= b->n_rows/' "dlogp of the prompts' tokens"

# --- tricks
expected=$scratch/dpo/grade/handed/expected/dpo
trick() {  # trick NAME POINTS LINE: with a line before all others
    { echo "$3"; cat "$scratch/dpo/grade/handed/pref.c"; } >"$scratch/dpo/pref.c"
    make -s -C "$scratch/dpo" grade >"$scratch/graded" 2>&1 </dev/null
    same "$1" "$(points dpo)" "$2"
}
trick 'fabs is 0' 0 '#define fabs(x) 0'
trick 'printf does nothing' 0 '#define printf(...)'
trick 'main is another' 0 '#define main(...) main(void) { return 0; } int other(__VA_ARGS__)'
trick 'a constructor that ends the program' 0 \
    '__attribute__((constructor)) static void f(void) { extern void _exit(int); _exit(0); }'
solve "$scratch/dpo" dpo
awk '/^static double loss_dpo/ { print "static double twice(double x) { return 2 * x; }" } { print }' \
    "$scratch/dpo/pref.c" | sed 's/push(b, y.won, -g)/push(b, y.won, -twice(g) \/ 2)/' >"$scratch/helped.c"
cp "$scratch/helped.c" "$scratch/dpo/pref.c"
grade "$scratch/dpo"
total 'a helper outside the part' 10 10
awk '{ printf "%s\r\n", $0 }' "$scratch/helped.c" >"$scratch/dpo/pref.c"
grade "$scratch/dpo"
total 'lines that end in CR LF' 10 10

# --- the teacher's way: a fresh seed, and no expected values on disk
says 2 'make grade needs a folder' make grade
mkdir "$scratch/empty" "$scratch/handed_in"
echo old >"$scratch/r.json"
make -s grade SUBMISSION="$scratch/empty" PARTS="dpo ppo" RESULTS="$scratch/r.json" >"$scratch/graded"
total 'no pref.c' 0 20
loses dpo 'the submission has no pref.c'
holds 'results without a pref.c' grep -q '"score": 0$' "$scratch/r.json"
says 2 'there is no part dpq' make -s grade SUBMISSION="$scratch/empty" PARTS=dpq RESULTS="$scratch/r.json"
same 'an old file of results' "$(ls "$scratch/r.json" 2>/dev/null)" ''
cp -R "$scratch/dpo" "$scratch/handed_in/assignment"
make -s grade SUBMISSION="$scratch/handed_in" PARTS=dpo RESULTS="$scratch/r.json" >"$scratch/graded"
total 'a folder assignment/' 10 10
mkdir "$scratch/flat"
cp "$scratch/m1/pref.c" "$scratch/m1/dev/kl.c" "$scratch/flat"
make -s grade SUBMISSION="$scratch/flat" RESULTS="$scratch/r.json" \
    >"$scratch/graded" 2>"$scratch/errors"
total 'the same mistakes' 55 120
same 'the same points' "$(grep '^[a-z-]*: [0-9]* of' "$scratch/graded")" \
    "$(grep '^[a-z-]*: [0-9]* of' "$scratch/graded_m1")"
holds 'the results are there' grep -q '"score": 55' "$scratch/r.json"
# It prints the values that the assignment's folder holds, and ends.
cheat='    FILE *f = fopen("'$expected'", "r"); int c;
    while ((c = getc(f)) != EOF) { putchar(c); } exit(0);'
CHEAT=$cheat awk '/^    return not_written/ { print ENVIRON["CHEAT"] } { print }' \
    "$scratch/dpo/grade/handed/pref.c" >"$scratch/flat/pref.c"
holds 'the cheat is there' grep -q fopen.*expected/dpo "$scratch/flat/pref.c"
make -s grade SUBMISSION="$scratch/flat" PARTS=dpo RESULTS="$scratch/r.json" \
    >"$scratch/graded" 2>"$scratch/errors"
total 'stored values gain nothing' 0 10

# Root grades as another user, who cannot replace the grader.
if [ "$(id -u)" = 0 ] && ! grep -q 'as another user' "$scratch/errors"; then
    CHEAT='    system("echo exit 0 >../judge; echo >../expected/dpo; sleep 60 & touch mine");' awk '
        /^    return not_written/ { print ENVIRON["CHEAT"] } { print }' \
        "$scratch/dpo/grade/handed/pref.c" >"$scratch/flat/pref.c"
    make -s grade SUBMISSION="$scratch/flat" PARTS=dpo RESULTS="$scratch/r.json" \
        >"$scratch/graded" 2>"$scratch/errors"
    total 'another judge gains nothing' 0 10
    same 'nothing of the student is left running' \
        "$(ps -A -o uid=,stat=,args= | awk '$1 >= 60100 && $1 < 64900 && $2 !~ /^Z/ && /sleep 60/')" ''
else
    echo "assignment: not tested, because nothing runs as another user: a submission that replaces the grader"
fi

# --- a part that somebody adds
mkdir -p "$scratch/repo/dev"
cp -R $here "$scratch/repo/dev/assignment"
cp pref.c test_pref.c tinystories_tok.bin LICENSE "$scratch/repo"
cp dev/kl.c dev/measure.c dev/jsonl.c dev/oracle.h "$scratch/repo/dev"
there=$scratch/repo/dev/assignment
sed 's/^static double loss_value(.*{$/& \/\/ part: value2/' pref.c >"$scratch/repo/pref.c"
says 2 'parts.txt has no part value2' sh "$there/make.sh" "$scratch/v" dpo
printf 'part value2 7\ntest -\nstub loss_value\n/ Write this.\n> Write it.\n' >>"$there/parts.txt"
says 2 'the driver has no part value2' sh "$there/make.sh" "$scratch/v" value2
sed 's/^part value2 7/part value2 7.5/' "$there/parts.txt" >"$scratch/parts.txt"
cp "$scratch/parts.txt" "$there/parts.txt"
says 2 'points are whole numbers; see the part value2' sh "$there/make.sh" "$scratch/v" dpo

finish assignment
