#!/bin/sh
# Tests dev/tok.c: texts that are not what they seem, what the report says, and that the same text
# gives the same file however its lines end.
. "$(dirname "$0")/lib.sh"

${CC:-cc} -O1 -std=c11 -w dev/tok.c -o "$scratch/tok" -lm || exit 1
top=$PWD
cd "$scratch" || exit 1
end='<|endoftext|>'

# refuses WORDS: with in.txt as its text tok must fail, print WORDS in a single line, and leave no
# file behind.
refuses() {
    says 1 "$1" ./tok -V 257 in.txt out.bin
    same "lines of the message: $1" "$(wc -l < said | tr -d ' ')" 1
    same "files left after: $1" "$(echo out.bin*)" 'out.bin*'
}

# reports WORDS...: with in.txt as its text tok must succeed, with all WORDS in its report and
# nothing on standard error.
reports() {
    ./tok -V 257 in.txt in.bin > report 2> errors < /dev/null
    same "status of: $1" $? 0
    same "standard error of: $1" "$(cat errors)" ''
    for words in "$@"; do
        if grep -qF -e "$words" report; then pass; else fail "expected: $words" report; fi
    done
}

lacks() { if grep -qF -e "$1" report; then fail "not expected: $1" report; else pass; fi; }

# documents COUNT SENTENCE BYTES: so many documents of so many bytes, the first sentence of each of
# SENTENCE bytes.
documents() {
    awk -v count="$1" -v sentence="$2" -v bytes="$3" -v end="$end" 'BEGIN {
        for (s = "a"; length(s) < sentence - 1;) s = s "a"
        for (s = s ". "; length(s) < bytes - 1;) s = s "b"
        while (count-- > 0) print s "." end
    }'
}

# decode FILE: the text of which FILE has the tokens, document d of 0, 1, ... from the validation
# tokens if d mod 20 is 1.
decode() {
    V=$(od -An -td4 -j 8 -N 4 "$1" | tr -d ' ')
    size=$(od -An -v -tu1 -j 1024 -N $((V * 256)) "$1" | awk -v V="$V" '{
        for (i = 1; i <= NF; i++) {
            if (left) left--
            else if (n++ < V) left = $i
            else { print at; exit }
            at++
        }
    }')
    { od -An -v -tu1 -j 1024 -N "$size" "$1"
      echo tokens
      od -An -v -tu2 -j $((1024 + size)) "$1"; } | LC_ALL=C awk -v part=0 '
        $1 == "tokens" { tokens = 1; next }
        !tokens {
            for (i = 1; i <= NF; i++) {
                if (left) { token[V - 1] = token[V - 1] sprintf("%c", $i + 0); left-- }
                else { left = $i; token[V++] = "" }
            }
            next
        }
        {
            for (i = 1; i <= NF; i++) {
                if (at++ < 512) {  # a header; its numbers have two halves
                    if (at == 5) all = 512 + $i
                    if (at == 6) all += 65536 * $i
                    continue
                }
                text = text token[$i]
                if ($i == V - 1) { document[part, n[part]++] = text; text = "" }
                if (at == all) { part++; at = 0 }
            }
        }
        END {
            for (d = 0; d < n[0] + n[1]; d++) {
                if (d % 20 == 1) print document[1, v++]
                else print document[0, t++]
            }
        }'
}

# --- a text worked out by hand: at V = 257 each byte is a token -----------------------------------

# Tokens with end-of-text 8, 8, 15; the second document is for validation. Prompts have 3, 3 and 6
# tokens, the responses to train on 5 and 9.
printf 'Hi. Ho.%s\nOh! My.%s\nA cat. It ran.\n' "$end" "$end" > in.txt
reports 'documents: 3, the longest of 15 tokens; all fit in -T 128' \
    'tokens: 23 for training, 8 for validation (every 20th document)' \
    'vocabulary: 257; 1.00 bytes of text per token' \
    'prompts (first sentences): at most 6 tokens' \
    '5/25/50/75/95/100% have at most 5/5/5/9/9/9 tokens, mode 5 (smoothed over 9)' \
    'next: ./pref sft -T 128 --data in.bin (3 of 3 documents fit)'
lacks 'note:'
same 'lines of the report' "$(wc -l < report | tr -d ' ')" 6
# three headers, 256 tokens of a byte and one of 13 with their lengths, 31 tokens of two bytes
same 'bytes of the file' "$(wc -c < in.bin | tr -d ' ')" $((3 * 1024 + 256 * 2 + 14 + 31 * 2))
same 'validation tokens' "$(tail -c 16 in.bin | od -An -tu1 | tr -s ' \n' ' ')" \
    ' 79 0 104 0 33 0 32 0 77 0 121 0 46 0 0 1 '
./tok -V 257 in.txt tinystories_tok.bin > report
if grep -q '^next: ./pref sft -T 128 (' report; then pass; else fail 'the default data' report; fi

# --- line ends and byte-order marks ---------------------------------------------------------------

decode "$top/tinystories_tok.bin" > stories.txt
sed 400q stories.txt > lf.txt
printf 'caf\303\251 \360\237\230\200\n\n%s\nlast line\n' "$end" >> lf.txt
awk '{ printf "%s\r\n", $0 }' lf.txt > crlf.txt
awk '{ printf "%s\r", $0 }' lf.txt > cr.txt
{ printf '\357\273\277'; cat lf.txt; } > bom.txt
{ printf '\357\273\277'; cat crlf.txt; } > both.txt
./tok -V 300 lf.txt lf.bin > report
for text in crlf cr bom both; do
    holds "tok reads $text.txt" ./tok -V 300 $text.txt $text.bin
    holds "$text.txt gives the tokens of lf.txt" cmp $text.bin lf.bin
done
holds 'the text of the shipped file' ./tok -V 1536 stories.txt shipped.bin
holds 'the shipped file again, byte for byte' cmp shipped.bin "$top/tinystories_tok.bin"

# --- bytes that are no text -----------------------------------------------------------------------

advice='convert it, for instance with iconv -f LATIN1 -t UTF-8'
printf 'one%s\ncaf\351 is\n%s\n' "$end" "$end" > in.txt
refuses "in.txt:2: not UTF-8 (byte 0xe9 at offset 20); $advice"
printf '\357\273\277one%s\r\n\351\r\n' "$end" > in.txt
refuses "in.txt:2: not UTF-8 (byte 0xe9 at offset 21); $advice"
for bytes in '\377' '\200' '\300\257' '\340\200\257' '\355\240\200' '\364\220\200\200' \
    '\370\210\200\200\200' '\342\202x' '\303\303\251'; do
    printf "a\n${bytes} $end b" > in.txt
    first=$(printf "$bytes" | od -An -tx1 | cut -c 2-3)
    refuses "in.txt:2: not UTF-8 (byte 0x$first at offset 2); $advice"
done
printf 'a%s b\342\202' "$end" > in.txt
refuses 'in.txt:1: not UTF-8 (byte 0xe2 at offset 16); the file ends inside this character'
printf '\302\200\337\277\340\240\200\355\237\277\357\277\277\360\220\200\200\364\217\277\277%sb' \
    "$end" > in.txt
reports 'documents: 2, the longest of 22 tokens'
printf 'some words in a first line, then\na\000b%s' "$end" > in.txt
refuses 'in.txt:2: a NUL byte at offset 34, so this is not plain text; if it is UTF-16'

printf '\377\376h\000i\000' > in.txt
refuses 'in.txt: UTF-16, not UTF-8; convert it first: iconv -f UTF-16 '
printf '\376\377\000h\000i' > in.txt
refuses 'in.txt: UTF-16, not UTF-8; convert it first: iconv -f UTF-16 '
printf 'h\000i\000.\000' > in.txt
refuses 'in.txt: UTF-16, not UTF-8; convert it first: iconv -f UTF-16LE '
printf '\000h\000i\000.' > in.txt
refuses 'in.txt: UTF-16, not UTF-8; convert it first: iconv -f UTF-16BE '
printf '\377\376\000\000h\000\000\000' > in.txt
refuses 'in.txt: UTF-32, not UTF-8; convert it first: iconv'

while read -r name magic; do
    printf "$magic some more" > in.txt
    refuses "in.txt: a $name file, not text; unpack it to plain text first"
done << 'END'
gzip \037\213\010
zip PK\003\004
xz \3757zXZ\000
bzip2 BZh91AY&SY
zstd \050\265\057\375
7z 7z\274\257\047\034
Parquet PAR1\025
PDF %%PDF-1.4
END
printf 'BZh is no word.%sPK is none.' "$end" > in.txt
reports 'documents: 2,'

# --- documents that are missing -------------------------------------------------------------------

needed="at least two are needed, one to train on and one to validate on, and each must end in $end"
printf '' > in.txt
refuses "in.txt: 0 documents found; $needed"
printf ' \n\t\r\n%s\n \n%s' "$end" "$end" > in.txt
refuses "in.txt: 0 documents found; $needed"
printf 'One. Two.\n' > in.txt
refuses "in.txt: 1 document found; $needed"
printf 'One. Two.%s\n\n' "$end" > in.txt
refuses "in.txt: 1 document found; $needed"
for marker in '<|EndOfText|>' '<| endoftext |>' '<|end_of_text|>' '<endoftext>' \
    '< |endoftext| >'; do
    printf 'a\nb\n%s\nc\n%s\n' "$marker" "$marker" > in.txt
    refuses "in.txt: 1 document found; $needed; line 3 has $marker, which ends no document"
done
printf 'a < b > endoftext> <|endoftex|> <|xendoftext|>' > in.txt
refuses "in.txt: 1 document found; $needed"
if grep -q 'line 1' said; then fail 'no near miss of the marker' said; else pass; fi
printf 'a\n<|EndOfText|>\nb%sc' "$end" > in.txt
reports 'documents: 2,' \
    "note: line 2 has <|EndOfText|>, which ends no document; only $end does"

awk 'BEGIN { for (i = 0; i < 110000; i++) print "ten bytes" }' > long.txt
{ printf 'a%s\nb%s\n' "$end" "$end"; cat long.txt; } > in.txt
words='2 documents found before; each must end in one, and at least two are needed'
refuses "in.txt:104860: no $end in the last 1048576 bytes; $words"

# --- documents that do not fit --------------------------------------------------------------------

{ documents 18 3 199; documents 2 3 299; } > in.txt
reports '20 of 20 do not fit in -T 128; 90% fit in -T 201, all in -T 301' \
    'note: none of the 20 documents fits in -T 128; with it ./pref sft trains on their beginnings' \
    'next: ./pref sft -T 256 --data in.bin (18 of 20 documents fit)'
{ documents 2 3 50; documents 1 3 127; } > in.txt
reports 'documents: 3, the longest of 128 tokens; 1 of 3 does not fit in -T 128; 90% fit in -T 129,'
lacks 'note:'
# a response of 103 tokens can earn a reward in a context of 128, one of 104 cannot
documents 3 24 126 > in.txt
reports 'all fit in -T 128' 'next: ./pref sft -T 128 '
documents 3 23 126 > in.txt
reports 'all fit in -T 128' 'next: ./pref sft -T 256 '
documents 3 3 1023 > in.txt
reports 'all in -T 1025' 'next: ./pref sft -T 1024 --data in.bin (only 0 of 3'
documents 3 3 149 > in.txt
says 0 'all fit in -T 151' ./tok -T 151 -V 257 in.txt in.bin
says 0 '3 of 3 do not fit in -T 150; 90% fit in -T 151, all in' ./tok -T 150 -V 257 in.txt in.bin

documents 3 24 60 > in.txt
reports 'prompts (first sentences): at most 24 tokens'
lacks 'note:'
documents 3 25 60 > in.txt
reports 'note: 0 of 3 first sentences fit in 24 tokens; ./pref pairs and ./pref'
{ documents 2 24 60; documents 2 25 60; } > in.txt
reports 'prompts'
lacks 'note:'
{ documents 2 24 60; documents 3 25 60; } > in.txt
reports 'note: 2 of 5 first sentences fit in 24 tokens'

# --- sentences ------------------------------------------------------------------------------------

printf 'a%sb.%sc' "$end" "$end" > in.txt
reports 'note: in 3 of 3 documents no first sentence ends'
printf 'a%sb. c%sd. e' "$end" "$end" > in.txt
reports 'prompts'
lacks 'note:'
printf '你好。我们走！%s好吗？好。%s走！好。' "$end" "$end" > in.txt
reports 'prompts (first sentences): at most 9 tokens'
lacks 'note:'

# --- files and options ----------------------------------------------------------------------------

cp lf.txt a
ln -s a link
ln -s . folder
for out in a ./a link folder/a; do
    says 2 "a and $out are the same file" ./tok -V 257 a $out
done
holds 'the text is still there' cmp a lf.txt
mkfifo pipe
says 1 'pipe: not a regular file' ./tok pipe out.bin
says 1 '.: not a regular file' ./tok . out.bin
says 1 'missing: cannot open it' ./tok missing out.bin
says 1 'missing/out.bin: cannot write it' ./tok a missing/out.bin
says 1 'a: too little text for -V 60000: no pair of tokens is left that occurs twice; -V ' \
    ./tok -V 60000 a out.bin
most=$(sed 's/.*-V \([0-9]*\) is the most.*/\1/' said)
holds "-V $most" ./tok -V "$most" a most.bin
says 1 "-V $most is the most" ./tok -V $((most + 1)) a out.bin
says 2 '-V 256: expected a number from 257 to 65536' ./tok -V 256 a out.bin
says 2 '-T 1e3: expected a number' ./tok -T 1e3 a out.bin
for wrong in '' a 'a b c' '-x a b' 'a b -V'; do
    says 2 'usage: tok [-V 1536] [-T 128] TEXT OUT.bin' ./tok $wrong
done
if [ -c /dev/full ]; then
    says 1 '/dev/full: cannot write it' ./tok -V 257 a /dev/full
fi
same 'files left over' "$(echo ./*.tmp out.bin*)" './*.tmp out.bin*'

finish tok
