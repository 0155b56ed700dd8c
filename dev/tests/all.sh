#!/bin/sh
# What `make test` runs once everything is built. All tests run, whatever fails first; four of the
# shell tests run beside those of test_pref.c. The fifth, run.sh, tests Ctrl-C, which a process that
# runs beside a shell script ignores. FAIL_FAST=1 stops at the first failure.
cd "$(dirname "$0")/../.." || exit 1
said=$(mktemp) || exit 1
beside=''
trap 'rm -f "$said"' EXIT
trap '[ -z "$beside" ] || kill "$beside"; exit 130' INT TERM HUP
failed=''
shell_tests() {
    trap 'exit 130' INT TERM HUP
    for test in tok jsonl report extend; do sh "dev/tests/$test.sh" || failed=yes; done
    [ -z "$failed" ]
}
[ -n "${FAIL_FAST-}" ] || { shell_tests > "$said" 2>&1 & beside=$!; }
for test in ./test_double ./test_float; do
    $test || failed=yes
    [ -z "$failed" ] || [ -z "${FAIL_FAST-}" ] || exit 1
done
if [ -n "$beside" ]; then
    wait "$beside" || failed=yes
    beside=''
    cat "$said"
else
    shell_tests || failed=yes
fi
sh dev/tests/run.sh || failed=yes
[ -z "$failed" ]
