#!/bin/sh
# Runs a few real commands of run.sh's makefile in three ways, which must give the same results: by
# make, by make through a stand-in for srun, and by GNU parallel phase by phase if it is installed.
. "$(dirname "$0")/lib.sh"
unset OMP_NUM_THREADS MAKEFLAGS

models=out/bandit/ref_len1_s11.bin
runs="out/bandit/off_bon_r1_len1_s11.csv out/bandit/off_ipo_r2_len1_s11.csv"

mkdir -p "$scratch/bin"
cat > "$scratch/bin/srun" << 'END'
#!/bin/sh
[ "$1" = -n1 ] || { echo "srun: expected -n1" >&2; exit 1; }
shift
echo "$*" >> srun_ran
exec "$@"
END
chmod +x "$scratch/bin/srun"
PATH="$scratch/bin:$PATH"

folder() {  # folder NAME: a copy of what the commands need; -p, since programs must not look old
    mkdir -p "$scratch/$1/dev"
    cp -p run.sh pref.c pref pref_onpolicy measure tinystories_tok.bin "$scratch/$1"
    cp -p dev/experiments.sh dev/measure.c dev/kl.c dev/kl "$scratch/$1/dev"
    cd "$scratch/$1" && sh run.sh list bandit > list.mk
}
results() {  # all that was made, without the seconds that it took
    for run in $runs; do cut -d , -f 1-17,19- "$run"; cat "${run%.csv}.txt"; done | cksum
    cksum < $models
}
by_make() { (folder make && make -s -j 2 -f list.mk $runs && results > ../make.sums); }
by_srun() {
    (folder srun && make -s -j 2 -f list.mk SHELL=srun .SHELLFLAGS="-n1 sh -c" $runs &&
        [ "$(grep -c 'sh -c OMP_NUM_THREADS=1 ./pref' srun_ran)" = 3 ] && results > ../srun.sums)
}
by_parallel() {
    folder parallel && for phase in "$models" "$runs"; do
        make -s -n -f list.mk $phase | parallel -j 2 || return 1
    done && [ -z "$(make -s -n -f list.mk $runs)" ] && results > ../parallel.sums
}
in_parallel() { (by_parallel); }

holds "by make" by_make
if make --version | grep -q 'GNU Make 3.81'; then
    echo "cluster: GNU make 3.81 has no .SHELLFLAGS"
else
    holds "by srun" by_srun
    same "results by srun" "$(cat "$scratch/srun.sums")" "$(cat "$scratch/make.sums")"
fi
if parallel --version 2> /dev/null | grep -q GNU; then
    holds "by GNU parallel" in_parallel
    same "results by GNU parallel" "$(cat "$scratch/parallel.sums")" "$(cat "$scratch/make.sums")"
else
    echo "cluster: GNU parallel is not installed"
fi
finish cluster
