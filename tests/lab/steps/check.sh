# Counts what is checked, for scripts that end with `$passed passed, $failed failed`.

# shellcheck disable=SC2034  # read by the script that includes this one
passed=0 failed=0

pass() { passed=$((passed + 1)); printf 'ok    %s\n' "$1"; }
fail() { failed=$((failed + 1)); printf 'FAIL  %s\n      %s\n' "$1" "$2"; }

# check WHAT WANTED COMMAND...: the command's output, both streams, matches the pattern.
check() {
    local what=$1 wanted=$2 got; shift 2
    got=$("$@" 2>&1 </dev/null)
    if [[ $got =~ $wanted ]]; then pass "$what"; else fail "$what" "wanted: $wanted"$'\n'"      got: ${got:0:600}"; fi
}
