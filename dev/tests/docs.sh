#!/bin/sh
# Runs every command of README.md, ASSIGNMENT.md, TEACHING.md and dev/EXERCISES.md in a fresh clone,
# in the order in which they stand. Commands are the lines of blocks that are marked sh, and those
# lines of blocks indented by four spaces that begin with the name of a program; lines that begin
# with (gdb) are typed into the gdb that the line before them starts. Blocks of python and gnuplot
# are run if these programs are there (PYTHON names the former). So that this takes minutes and not
# hours, the story model is tiny, trainings have few steps, those on the bandit share a reference
# and those of run.sh a run of each method: in the clone, scripts of the programs' names stand
# before the programs. `make test` is left out, since CI runs it anyway.
. "$(dirname "$0")/lib.sh"
clone=$scratch/clone python=${PYTHON-python3}
mkdir "$scratch/bin"
export OMP_NUM_THREADS=1  # other tests run beside this one
# Quick to compile, and not slow to run. Without the last flag gcc leaves out vzeroupper, and dev/kl
# takes six times as long.
export CFLAGS="-O1 -ftree-vectorize -fexpensive-optimizations"
git clone -q . "$clone" && cd "$clone" || exit 1
make -s -j 2 all dev/report > /dev/null || exit 1

mkdir real
./pref sft --task bandit -o real/ref.bin > /dev/null
./pref sft --task bandit --len 1 -o real/ref_len1.bin > /dev/null

# stand_in NAME: puts a script in the place of a program that runs the program with few steps
stand_in() {
    mv "$1" real && cat > "$1" << 'END' && chmod +x "$1"
#!/bin/sh
real=$(dirname "$0")/real
case "$1 $* " in
    *--help* | tune*' -m '*) ;;
    tune*'--len 1 '*) set -- "$@" -m "$real/ref_len1.bin" ;;
    tune*--len*) ;;
    tune*' r1 '* | tune*' r2 '*) set -- "$@" -m "$real/ref.bin" ;;
esac
case "$1 $*" in
    *--help*) ;;
    sft*bandit*)
        while [ "$1" != -o ]; do shift; done
        case $2 in *len1*) cp "$real/ref_len1.bin" "$2" ;; *) cp "$real/ref.bin" "$2" ;; esac
        exit ;;
    sft*) set -- "$@" --steps 60 --batch 8 -L 1 -H 1 -C 16 ;;
    pairs*) set -- "$@" -n 30 ;;
    rm*) set -- "$@" --steps 3 ;;
    tune*--log\ out/*.part*)  # one of run.sh's: a run of the same method and task, made once, is copied
        method=${*#*--method } task=${*#*--task } out='' log=''
        kept=$real/$(basename "$0")_${method%% *}_$(echo ${task%% *} | tr 12 __)
        [ -s "$kept.csv" ] || { "$real/$(basename "$0")" "$@" --steps 2 --eval-every 2 -o "$kept.$$.bin" \
            --log "$kept.$$.csv" && mv "$kept.$$.bin" "$kept.bin" && mv "$kept.$$.csv" "$kept.csv"; }
        while [ $# -gt 1 ]; do
            [ "$1" != -o ] || out=$2
            [ "$1" != --log ] || log=$2
            shift
        done
        [ -z "$out" ] || cp "$kept.bin" "$out"
        cp "$kept.csv" "$log"
        exit ;;
    tune*--queries*) set -- "$@" --queries 100 --reuse 2 ;;
    tune*) set -- "$@" --steps 2 --eval-every 2 ;;
    eval*) set -- "$@" -n 16 ;;
esac
exec "$real/$(basename "$0")" "$@"
END
}
# Only for those that make has built anew.
stand_ins() {
    for program in pref pref_onpolicy measure; do
        [ ! -f $program ] || [ "$(head -c 2 $program)" = '#!' ] || stand_in $program
    done
}
stand_ins
# On this machine "srun OPTIONS sh -c COMMAND" only runs the command.
printf '#!/bin/sh\nwhile [ "${1#-}" != "$1" ]; do shift; done\nexec "$@"\n' > "$scratch/bin/srun"
chmod +x "$scratch/bin/srun"
PATH=$scratch/bin:$PATH

# Prints the lines of a page to run, each with its kind before it: sh, gdb, or the language of a
# block, which then becomes one line with \n in it.
commands() {
    awk '
    /^```/ {
        if (kind == "python" || kind == "gnuplot") { print kind "\t" block }
        kind = kind == "" ? (substr($0, 4) == "" ? "text" : substr($0, 4)) : ""
        block = ""
        next
    }
    /^\(gdb\) / && kind == "sh" { print "gdb\t" substr($0, 7); next }
    kind == "" && !/^    (make|gdb|sh|awk|patch|git|grep|for|cp|mkdir|opt=|SEEDS=|export|unset|[.]\/)/ { next }
    kind == "sh" || kind == "" { sub(/^    /, ""); if (NF) { print "sh\t" $0 } }
    kind == "python" || kind == "gnuplot" { block = block $0 "\\n" }' "$1"
}
# run LINE [TYPED]: runs a line of shell in the folder to which the lines before it have led, with the
# lines of a file as its input
run() {
    (cd "$here" && eval "$1" && pwd > "$scratch/here") > "$scratch/said" 2>&1 < "${2:-/dev/null}"
}
# page FILE: runs all its commands
page() {
    here=$(pwd)
    commands "$1" > "$scratch/commands"
    same "$1 has commands" "$(awk 'END { print (NR > 3) }' "$scratch/commands")" 1
    lines=$(awk 'END { print NR }' "$scratch/commands") line=0
    while [ $line -lt "$lines" ]; do
        line=$((line + 1))
        kind=$(sed -n "${line}s/$(printf '\t').*//p" "$scratch/commands")
        text=$(sed -n "${line}s/^[a-z]*$(printf '\t')//p" "$scratch/commands")
        case $kind in
            gdb) continue ;;  # has been typed
            sh) case $text in
                    'opt='* | 'export '* | 'unset '*) eval "$text"; export SEEDS=11; continue ;;
                esac ;;
            python) command -v "$python" > /dev/null && "$python" -c 'import pandas, matplotlib' \
                2> /dev/null || { echo "docs: not run, pandas is missing"; continue; }
                printf "$text" > "$scratch/block.py"
                text="$python $scratch/block.py" ;;
            gnuplot) command -v gnuplot > /dev/null || { echo "docs: gnuplot is missing"; continue; }
                printf "set terminal dumb\n$text" > "$scratch/block.plot"
                text="gnuplot $scratch/block.plot" ;;
        esac
        case $text in 'make test') continue ;; esac
        awk -v after=$line 'NR > after { if (!sub(/^gdb\t/, "")) { exit } print }' \
            "$scratch/commands" > "$scratch/typed"
        if run "$text" "$scratch/typed"; then
            pass
        else
            fail "$1: $text" "$scratch/said"
        fi
        here=$(cat "$scratch/here")
        case $text in make*) (cd "$top" && stand_ins) ;; esac
        [ ! -s "$scratch/typed" ] || cp "$scratch/said" "$scratch/gdb"
    done
}

top=$clone
page README.md
# What the text around the gdb session promises
session() { grep -c -e "$1" "$scratch/gdb"; }
same "gdb stops in loss_dpo twice" "$(session 'Breakpoint 1, loss_dpo')" 2
same "pairs of a step" "$(session '\$1 = 450')" 1
same "the first margin" "$(session '^h = 0$')" 1
same "dlogp of the winner and the loser" \
    "$(session '^(gdb) \$[23] = {-\{0,1\}0.00011111.*, -\{0,1\}0.00011111')" 2

# The handout's commands, in a folder in which the parts have been written.
parts=$(awk '$1 == "part" { printf "%s ", $2 }' dev/assignment/parts.txt)
mv assignment "$scratch/folder"
for file in pref.c dev/kl.c; do
    awk -f dev/assignment/stubs.awk -v parts=" $parts" -v keep=1 dev/assignment/parts.txt $file \
        > "$scratch/folder/$file"
done
mkdir "$scratch/folder/real"
cp real/*.bin "$scratch/folder/real"  # what the students write is right
cd "$scratch/folder" && top=$scratch/folder && page ASSIGNMENT.md
cd "$clone" && top=$clone && page dev/assignment/TEACHING.md

export SEEDS=11  # one is enough here
page dev/EXERCISES.md

# What takes more than a moment shows a line on a terminal, and nothing in a pipe.
shows() {  # shows WORDS COMMAND
    words=$1
    shift
    holds "in a pipe: $*" sh -c "$* 2> '$scratch/errors' && ! grep -v '^note: ' '$scratch/errors'"
    script -qec "$*" /dev/null > "$scratch/said" 2>&1 < /dev/null
    if grep -q "$words" "$scratch/said"; then pass; else fail "$*: $words" "$scratch/said"; fi
}
if script -qec true /dev/null > /dev/null 2>&1 < /dev/null; then
    shows "the reference, step 200 of 300" real/pref tune --task r1 --len 1 --method bon --steps 1
    shows "making the data of the first steps" real/pref tune --task r1 --method bon -m ref.bin --steps 1
    shows "bon, step 2 of 2" real/pref tune --task r1 --method bon -m ref.bin --steps 2
    shows "sft, step 2 of 2" real/pref sft --steps 2 --batch 2 -o two.bin
    shows "20 of 20 pairs" real/pref pairs -m sft.bin --task min -n 20 -o few.tsv
    shows "rm, step 2 of 2" real/pref rm -m sft.bin --pairs few.tsv --steps 2 -o few.bin
    shows "measuring the responses to 8 prompts" \
        real/measure eval -m sft.bin --ref sft.bin --task min -n 8
    shows "sampling 8 responses" real/measure hist -m sft.bin --task min -n 8
    shows "measuring the speed" real/measure bench -L 1 -H 1 -C 8 -V 8 -B 1 -T 8
    shows "learning token" make data
else
    echo "docs: nothing is tried on a terminal; that needs script(1)"
fi
finish docs
