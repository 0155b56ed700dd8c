#!/bin/sh
# Tests dev/jsonl.c: what valid files become, byte for byte, in both directions; the position and
# the words of each error; notes; speed.
. "$(dirname "$0")/lib.sh"

${CC:-cc} ${CFLAGS:--O2} -std=c11 -Wall -Wextra -Wshadow dev/jsonl.c -o "$scratch/jsonl" -lm ||
    exit 1
cd "$scratch" || exit 1
header=$(printf 'prompt\tchosen\trejected')
scores=$(printf 'score_chosen\tscore_rejected')

# becomes WHAT [OPTION]: `in` must become the bytes of `expected`, without a word on standard error.
becomes() {
    rm -f out
    ./jsonl ${2-} in out > said 2>&1 < /dev/null
    same "status: $1" $? 0
    same "messages: $1" "$(cat said)" ''
    if cmp -s out expected; then pass; else fail "$1" out; fi
}

# pairs WHAT LINE...: the file `in` must become pairs without scores, with these lines below the
# header.
pairs() {
    what=$1
    shift
    { echo "$header"; printf '%s\n' "$@"; } | sed 's/|/	/g' > expected
    becomes "$what"
}

# scored WHAT LINE...: the same with scores.
scored() {
    what=$1
    shift
    { echo "$header	$scores"; printf '%s\n' "$@"; } | sed 's/|/	/g' > expected
    becomes "$what"
}

# refuses POSITION WORDS [OPTION]: `in` must be refused with a single line, which begins with this
# line and column and these words; no file may be left.
refuses() {
    rm -f out
    says 1 "jsonl: in:$1: $2" ./jsonl ${3-} in out
    same "lines of the message: $2" "$(wc -l < said | tr -d ' ')" 1
    same "files left after: $2" "$(echo out*)" 'out*'
}

json() { printf '%s\n' "$@" > in; }  # the lines of the file `in`
tsv() { printf '%s\n' "$@" | sed 's/|/	/g' > in; }

# --- strings -------------------------------------------------------------------------------------

pair='{"prompt": "P.", "chosen": " a", "rejected": " b"}'
json "$pair"
pairs 'a pair' 'P.| a| b'
json '{"rejected":" b","chosen":" a","prompt":"P."}' "$pair"
pairs 'keys in another order' 'P.| a| b' 'P.| a| b'
json ' 	{ "prompt" :	"P." , "chosen" : " a" , "rejected" : " b" } 	'
pairs 'white space' 'P.| a| b'
printf '\357\273\277%s\r\n\r\n \t\n%s' "$pair" "$pair" > in
pairs 'a byte-order mark, CRLF, blank lines, no last line end' 'P.| a| b' 'P.| a| b'
json '{"prompt": "", "chosen": "", "rejected": "b"}'
pairs 'empty texts' '||b'
json '{"\u0070rompt": "P.", "chosen": " a", "rejected": " b"}'
pairs 'an escape in a key' 'P.| a| b'
json '{"prompt": "\"\\\/\b\f\n\r\t.", "chosen": " \u0041\u00e9\u20AC\uD83D\ude00\uFFFF", '\
'"rejected": " \u005c\u000a\u0009\u000d\u0001\u010a\u007f"}'
printf '%s\n"\\\\/\b\f\\n\\r\\t.\t A\303\251\342\202\254\360\237\230\200'\
'\357\277\277\t \\\\\\n\\t\\r\001\304\212\177\n' \
    "$header" > expected
becomes 'all escapes'
json '{"prompt": "é日😀.", "chosen": " a\\n", "rejected": " b\\\\"}'
pairs 'characters as they are, backslashes' 'é日😀.| a\\n| b\\\\'
json '{"x": [1, -0, 0.5, 1e5, -1.25E-3, 2E+1, true, false, null, "a\n", [], {}, [[]], '\
'{"a": {"b": []}}], "": {"prompt": 1, "chosen": [{"content": 1}], "content": 2, "content": 3}, '\
'"prompt": "P.", "chosen": " a", "rejected": " b", "content": 5, "content": 6}'
pairs 'other keys' 'P.| a| b'
deep() { awk -v n="$1" 'BEGIN { while (i++ < n) printf "["; while (n-- > 0) printf "]" }'; }
json "{\"x\": $(deep 63), \"prompt\": \"P.\", \"chosen\": \" a\", \"rejected\": \" b\"}"
pairs '64 brackets' 'P.| a| b'
json "{\"x\": $(deep 64), \"prompt\": \"P.\"}"
refuses 1:70 'more than 64 brackets are open'
json "{\"x\": $(deep 100000)}"
refuses 1:70 'more than 64 brackets are open'

# --- scores --------------------------------------------------------------------------------------

json '{"prompt": "P.", "chosen": " a", "rejected": " b", "score_chosen": 0.10, '\
'"score_rejected": -1.5E+3}'
scored 'scores' 'P.| a| b|0.10|-1.5E+3'
json "$pair" \
    '{"score_rejected":12345678901234567890.123456789,"prompt":"","chosen":" a","rejected":" b"}' \
    '{"score_chosen": 0, "score_rejected": null, "prompt": "", "chosen": "a", '\
'"rejected": " b"}' "$pair"
printf '%s\n' "$header	$scores" 'P.| a| b||' '| a| b||12345678901234567890.123456789' '|a| b|0|' \
    'P.| a| b||' | sed 's/|/	/g' > expected
becomes 'scores on some lines'
json '{"score_chosen": null, "score_rejected": null, "prompt": "P.", "chosen": " a", '\
'"rejected": " b"}'
pairs 'scores that are all null' 'P.| a| b'
json '{"score_chosen": "1"}'
refuses 1:18 'expected a number or null'
json '{"score_chosen": NaN}'
refuses 1:18 'expected a number or null'
json '{"score_chosen": true}'
refuses 1:18 'expected a number or null'
json '{"score_chosen": 1e999}'
refuses 1:18 'expected true, false, null or a finite JSON number'
json '{"score_chosen": 1, "score_chosen": 1}'
refuses 1:37 'a second value for the key score_chosen'

# --- conversations -------------------------------------------------------------------------------

json '{"prompt": [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}], '\
'"chosen": [{"role": "assistant", "content": "A\nB"}], "rejected": [{"content": "R", '\
'"role": "assistant", "more": {"content": "x"}}, {"role": "user", "content": ""}]}'
pairs 'a conversation' 'S\nU|\nA\nB|\nR\n'
json '{"prompt": [{"role": "user", "content": "U"}], "chosen": [{"role": "user", '\
'"content": "U"}, {"role": "assistant", "content": "A"}], "rejected": [{"role": "user", '\
'"content": "UX"}, {"role": "assistant", "content": "A"}]}'
pairs 'a prompt that one response repeats' 'U|\nA|\nUX\nA'
u='{"role": "user", "content": "U."}'
json "{\"chosen\": [$u, {\"role\": \"assistant\", \"content\": \"Yes. A\"}], \"rejected\": [$u, "\
"{\"role\": \"assistant\", \"content\": \"Yes. B\"}]}" \
    "{\"chosen\": [$u, $u, {\"content\": \"A\"}], \"rejected\": [$u, $u]}" \
    "{\"chosen\": [$u, {\"content\": \"a\\\\\"}, {\"content\": \"A\"}], \"rejected\": [$u, "\
"{\"content\": \"a\\\\\"}, {\"content\": \"B\"}]}"
pairs 'a prompt in common' 'U.|\nYes. A|\nYes. B' 'U.\nU.|\nA|' 'U.\na\\|\nA|\nB'
json "{\"chosen\": [{\"content\": \"U. A\"}], \"rejected\": [{\"content\": \"U. B\"}]}"
refuses 1:1 'there is no prompt, and chosen and rejected do not both begin with the same turn'
json '{"prompt": "U", "chosen": [{"content": "A"}], "rejected": [{"content": "B"}]}'
refuses 1:1 'the texts must be all strings or all lists of turns'
json '{"prompt": [{"content": "A"}], "chosen": "A", "rejected": "B"}'
refuses 1:1 'the texts must be all strings or all lists of turns'
json '{"chosen": [{"content": "A"}], "rejected": "A"}'
refuses 1:1 'the texts must be all strings or all lists of turns'
json '{"chosen": []}'
refuses 1:12 'the list has no turns'
json '{"chosen": ["A"]}'
refuses 1:13 'expected a turn, which is an object with content'
json '{"chosen": [{"role": "user"}]}'
refuses 1:13 'the turn has no content'
json '{"chosen": [{"content": [{"type": "text"}]}]}'
refuses 1:25 'expected a string'
json '{"chosen": [{"content": null}]}'
refuses 1:25 'expected a string'
json '{"chosen": [{"content": "a", "content": "a"}]}'
refuses 1:41 'a second value for the key content'
json '{"prompt": [{"content": "U"}], "chosen": [{"content": "a\nb"}], '\
'"rejected": [{"content": "a"}, {"content": "b"}]}'
refuses 1:77 'rejected is the same as chosen'

# --- sentences in common -------------------------------------------------------------------------

# common PROMPT CHOSEN REJECTED: of the strings PROMPT CHOSEN and PROMPT REJECTED, PROMPT is in
# common. The strings have no escapes but those of pairs.
common() {
    json "{\"chosen\": \"$1$2\", \"rejected\": \"$1$3\"}"
    pairs "common: $1" "$1|$2|$3"
}
common 'One. Two!' ' A. C' ' B. C'
common 'One?' '' ' B'
common 'One.' ' 2' '\n2'
common '“One.”' ' A' ' B'
common '「好。」' '甲' '乙'
common '好。' '甲' '乙'
common '好！' '' '乙'
common '走？' '甲' '乙'
common 'One.' ' It costs 3.1' ' It costs 3.2'
common 'One.' ' Wait.. A' ' Wait. B'
common 'One.' ' “Two.” A' ' “Two. B'
common '一。' '「二。」甲' '「二。乙'
common 'One.\n\nTwo.' '\tA' ' B'
json '{"chosen": "One. \\Two.\\A", "rejected": "One. \\Two.\\B"}'
pairs 'a backslash is no white space' 'One.| \\Two.\\A| \\Two.\\B'
json '{"chosen": "One. \"Two.\" A", "rejected": "One. \"Two.\" B"}'
pairs 'straight quotes' 'One. "Two."| A| B'
json '{"chosen": "Onward A. B", "rejected": "Onward C. B"}'
refuses 1:1 'there is no prompt, and chosen and rejected do not both begin with the same sentence'
json '{"chosen": "One. Two.", "rejected": "One. Two."}'
refuses 1:37 'rejected is the same as chosen'
awk 'BEGIN {
    for (n = 0; n < 300000; n++) q = q "\\\""
    print "{\"chosen\": \"A." q " a\", \"rejected\": \"A." q " b\"}"
}' > in
holds 'many quotes' ./jsonl in out

# --- broken JSON ---------------------------------------------------------------------------------

# broken COLUMN WORDS LINE: the line is refused, also as the third of a file.
broken() {
    json "$3"
    refuses "1:$1" "$2"
    json "$pair" '' "$3"
    refuses "3:$1" "$2"
}
broken 1 'expected an object' 'prompt'
broken 1 'expected an object' '"prompt"'
broken 1 'a JSON array; JSON Lines has one object a line' "[$pair]"
broken 3 'a JSON array; JSON Lines has one object a line' '  ['
broken 2 'expected a key in double quotes' '{'
broken 2 'expected a key in double quotes' "{'prompt': 1}"
broken 2 'expected a key in double quotes' '{, "x": 1}'
broken 10 'expected a key in double quotes' '{"x": 1, }'
broken 11 'expected a value' '{"x": [1, ]}'
broken 6 'expected a colon after the key' '{"x" 1}'
broken 5 'expected a colon after the key' '{"x"}'
broken 7 'expected a value' '{"x": }'
broken 7 'expected a value' '{"x": NaN}'
broken 7 'expected a value' '{"x": +1}'
broken 7 'expected a value' '{"x": .5}'
broken 9 'expected a comma or }' '{"x": 1 "y": 2}'
broken 8 'expected a comma or }' '{"x": 1]'
broken 8 'expected a comma or }' '{"x": 1'
broken 10 'expected a comma or ]' '{"x": [1 2]}'
broken 9 'expected a comma or ]' '{"x": [1'
broken 11 'expected a comma or }' '{"x": true1}'
broken 11 'expected a comma or }' '{"x": nullx}'
broken 8 'expected a comma or }' '{"x": 1e}'
broken 8 'expected a comma or }' '{"x": 1x}'
for word in 01 -01 1. 1.e5 - -x 0x10 -0x1 tru falze nul nan 1e999 -1e999; do
    broken 7 'expected true, false, null or a finite JSON number' "{\"x\": $word}"
done
broken 9 'expected the end of the line after the object' '{"x": 1}{}'
broken 7 'the string that begins here is not closed' '{"x": "abc'
broken 7 'the string that begins here is not closed' '{"x": "abc\"'
broken 8 'JSON has no such escape; a backslash is written \\' '{"x": "\'
broken 9 'JSON has no such escape; a backslash is written \\' '{"x": "a\x41"}'
broken 8 'a control character; in a string it must be escaped' '{"x": "	"}'
broken 8 'expected four hexadecimal digits after \u' '{"x": "\u12g4"}'
broken 8 'expected four hexadecimal digits after \u' '{"x": "\u123"}'
broken 9 '\u0000 is a NUL' '{"x": "a\u0000"}'
for half in '\ud83d' '\ude00' '\ud83d\ud83d' '\ude00\ud83d' '\ud83dx' '\ud83d\u0041' '\udfff' \
    '\ud83d\ue000' '\ud83d\n'; do
    broken 7 'the string holds half of a surrogate pair' "{\"x\": \"a$half\"}"
done
broken 19 'expected a value' '{"日本é": "😀", "x": }'
printf '\357\273\277{"x" 1}' > in
refuses 1:6 'expected a colon after the key'
printf '%s\n{"x": "a\000b"}' "$pair" > in
refuses 2:9 'a NUL byte; text in UTF-8 has none'
for bytes in '\377' '\200' '\300\257' '\340\200\257' '\355\240\200' '\364\220\200\200' \
    '\342\202'; do
    printf "%s\n{\"x\": \"a$bytes\"}" "$pair" > in
    refuses 2:1 'the line is not UTF-8; convert with iconv'
done
broken 1 'the object has no key chosen' '{}'
broken 1 'the object has no key chosen' '{"prompt": "P.", "rejected": " b"}'
broken 1 'the object has no key rejected' '{"prompt": "P.", "chosen": " b"}'
broken 12 'expected a string or a list of turns' '{"prompt": null}'
broken 12 'expected a string or a list of turns' '{"chosen": 1}'
broken 14 'expected a string or a list of turns' '{"rejected": {}}'
broken 33 'a second value for the key prompt' '{"prompt": "P.", "\u0070rompt": "P."}'
broken 45 'rejected is the same as chosen' '{"prompt": "P.", "chosen": "a", "rejected": "a"}'
printf '' > in
says 1 'in: holds no pairs' ./jsonl in out
says 1 'in: holds no pairs' ./jsonl --back in out
printf '\357\273\277\n \n' > in
says 1 'in: holds no pairs' ./jsonl in out
echo "$header" > in
says 1 'in: holds no pairs' ./jsonl --back in out

# --- notes ---------------------------------------------------------------------------------------

# notes NOTE...: `in` must be converted with exactly these notes.
notes() {
    ./jsonl in out > said 2>&1 < /dev/null
    same "status with the notes $*" $? 0
    same 'notes' "$(cat said)" "$(for one in "$@"; do echo "note: in:$one"; done)"
}
glued='a response begins without white space after a prompt that ends without it'
repeats='a response repeats its prompt'
json "$pair" '{"prompt": "P", "chosen": "a", "rejected": "b"}' \
    '{"prompt": "P\n", "chosen": "a", "rejected": "b"}' \
    '{"prompt": "P\\n", "chosen": "\na", "rejected": "b"}' \
    '{"prompt": "", "chosen": "a", "rejected": "b"}'
notes "2: $glued (2 of 5 pairs)"
json '{"prompt": "P ", "chosen": "P x", "rejected": "x"}' "$pair" \
    '{"prompt": "P ", "chosen": "x", "rejected": "P y"}' \
    '{"prompt": "P", "chosen": " ", "rejected": "\\"}'
notes "4: $glued (1 of 4 pairs)" "1: $repeats (2 of 4 pairs)"
json '{"prompt": "P", "chosen": "", "rejected": "\tx"}'
notes
json '{"chosen": "好。a", "rejected": "好。b"}' '{"prompt": [{"content": "P"}], '\
'"chosen": [{"content": "P"}, {"content": "a"}], "rejected": [{"content": "Px"}]}'
notes

# --- pairs to JSON Lines -------------------------------------------------------------------------

tsv "$header" 'P "q".| a\n\t\r\\n| /b'
printf '%s\n' '{"prompt": "P \"q\".", "chosen": " a\n\t\r\\n", "rejected": " /b"}' > expected
becomes 'a pair' --back
printf '\357\273\277%s\r\n\001\037\177é😀\t\ta' "$header" > in
printf '{"prompt": "\\u0001\\u001f\177é😀", "chosen": "", "rejected": "a"}\n' > expected
becomes 'other characters' --back
tsv "$header|score_chosen|score_rejected" 'P| a| b|0.50|-1e-3' 'P| a| b||7' 'P| a| b||'
printf '%s\n' '{"prompt": "P", "chosen": " a", "rejected": " b", "score_chosen": 0.50, '\
'"score_rejected": -1e-3}' \
    '{"prompt": "P", "chosen": " a", "rejected": " b", "score_rejected": 7}' \
    '{"prompt": "P", "chosen": " a", "rejected": " b"}' > expected
becomes 'scores' --back
tsv "$header|score_chosen|score_rejected" 'P\t\\t| "a"\r| \\b\n|0.50|-1e-3' '|| |1|'
cp in first
holds 'back' ./jsonl --back first middle
holds 'there' ./jsonl middle out
holds 'there and back, byte for byte' cmp first out

tsv 'prompt|chosen' 'P|a'
refuses 1:1 'expected the header of a pairs file: prompt	chosen	rejected' --back
tsv "$header|score_chosen" 'P|a|b|1'
refuses 1:1 'expected the header of a pairs file' --back
json "$pair"
refuses 1:1 'expected the header of a pairs file' --back

# bad COLUMN WORDS LINE [COLUMNS]: the line of a pairs file is refused.
bad() {
    tsv "$header${4-}" "P| a| b${4:+||}" "$3"
    refuses "3:$1" "$2" --back
}
field='expected a field for each column of the header'
bad 4 "$field" 'P|a'
bad 1 "$field" ''
bad 6 "$field" 'P|a|b|'
bad 6 "$field" 'P|a|b' "|$scores"
bad 10 "$field" 'P|a|b|1|2|' "|$scores"
bad 4 'expected one of the escapes \t \n \r \\' 'é|a\x|b'
bad 6 'expected one of the escapes \t \n \r \\' 'P|a|b\'
bad 4 'expected one of the escapes \t \n \r \\' 'P|a\|b'
bad 5 'rejected is the same as chosen' 'P|a|a'
bad 5 'rejected is the same as chosen' 'P|a|a|1|2' "|$scores"
for word in x 1x null 01 1. +1 .5 1e999 nan inf ' 1' '1 '; do
    bad 7 'expected a finite JSON number, or nothing' "P|a|b|$word|" "|$scores"
    bad 8 'expected a finite JSON number, or nothing' "P|a|b||$word" "|$scores"
done
printf '%s\nP\ta\rb\tc\n' "$header" > in
refuses 2:4 'expected one of the escapes' --back
printf '%s\nP\ta\377\tc\n' "$header" > in
refuses 2:1 'the line is not UTF-8' --back
printf '%s\nP\ta\000\tc\n' "$header" > in
refuses 2:4 'a NUL byte' --back

# --- files, options, speed -----------------------------------------------------------------------

json "$pair"
cp in a
ln -s a link
for out in a ./a link; do
    says 2 "a and $out are the same file" ./jsonl a $out
    says 2 "a and $out are the same file" ./jsonl --back a $out
done
holds 'the file is still there' cmp in a
says 1 'missing: cannot open it' ./jsonl missing out
says 1 '.: not a regular file' ./jsonl . out
says 1 'missing/out: cannot write it' ./jsonl a missing/out
echo old > kept
echo '{' > broken
says 1 'broken:1:2:' ./jsonl broken kept
same 'an older file is kept after an error' "$(cat kept)" old
holds 'a file for the second time' ./jsonl a kept
same 'an older file is replaced' "$(sed 1d kept)" 'P.	 a	 b'
if [ -c /dev/full ]; then says 1 '/dev/full: cannot write it' ./jsonl a /dev/full; fi
for wrong in a 'a b c' '--back' '--back a' '--back a b c' '-x a'; do
    says 2 'expected two files, perhaps after --back; see jsonl --help' ./jsonl $wrong
done
for help in '' -h --help; do
    says 0 'usage: jsonl IN.jsonl OUT.tsv' ./jsonl $help
done
same 'files left over' "$(echo ./*.tmp out.*)" './*.tmp out.*'

awk 'BEGIN {
    for (s = "A cat ran \\\"far\\\" away.\\nIt came home. "; length(s) < 200;) s = s s
    for (i = 0; i < 100000; i++) {
        printf "{\"prompt\": \"Story %d.\", \"chosen\": \" %s\", \"rejected\": \" b%s\", ", i, s, s
        printf "\"score_chosen\": %d.5, \"score_rejected\": 0}\n", i
    }
}' > big
# quick [OPTION] IN OUT: the conversion must take less than LIMIT seconds of processor time.
quick() {
    sh -c './jsonl "$@" && times' jsonl "$@" > said 2>&1 < /dev/null
    spent=$(sed -n '$s/[ms]/ /gp' said | awk '{ print $1 * 60 + $2 + $3 * 60 + $4 }')
    if awk "BEGIN { exit !(0 < $spent + 0 && $spent + 0 < ${LIMIT:-2}) }"; then
        pass
    else
        fail "jsonl $*: $spent seconds" said
    fi
}
quick big big.tsv
quick --back big.tsv big.jsonl
holds '100,000 pairs, there and back' cmp big big.jsonl

finish jsonl
