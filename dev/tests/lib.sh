# Shared by the shell tests in this folder; each of them begins with:  . "$(dirname "$0")/lib.sh"
# It stands in the top folder of the repository, makes a scratch folder $scratch that is removed at
# the end, and counts checks. A test file ends with `finish NAME`, which prints
# "NAME: N passed, N failed" and exits with 1 if a check failed.
set -u
cd "$(dirname "$0")/../.." || exit 1
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM HUP
passed=0 failed=0

pass() { passed=$((passed + 1)); }
fail() {  # fail WHAT [FILE]: one failure, with what was printed
    failed=$((failed + 1))
    echo "FAILED: $1"
    [ -z "${2-}" ] || sed 's/^/    /' "$2" | head -n 20
}

# says STATUS WORDS COMMAND...: the command must exit with STATUS, and WORDS (a fixed string) must be
# in what it prints on standard output and error, which are left in $scratch/said.
says() {
    wanted=$1 words=$2
    shift 2
    "$@" > "$scratch/said" 2>&1 < /dev/null
    status=$?
    if [ "$status" = "$wanted" ] && grep -qF -e "$words" "$scratch/said"; then
        pass
    else
        fail "$* : status $status (expected $wanted), expected the words: $words" "$scratch/said"
    fi
}

# holds WHAT COMMAND...: the command must succeed.
holds() {
    what=$1
    shift
    if "$@" > "$scratch/said" 2>&1 < /dev/null; then pass; else fail "$what" "$scratch/said"; fi
}

# same WHAT GOT EXPECTED: two texts must be equal.
same() {
    if [ "$2" = "$3" ]; then pass; else fail "$1: got '$2', expected '$3'"; fi
}

finish() {
    echo "$1: $passed passed, $failed failed"
    [ "$failed" = 0 ]
    exit
}
