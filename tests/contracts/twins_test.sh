#!/usr/bin/env bash
# Every rule of contracts/rules.tsv is proved: by a folder tests/rules/<rule> or <rule>-* with a bad.c that expects it and its twin
# good.c, or, for what one driver in one run can't show, by the test named here.
set -u
elsewhere='
lock.wrong-order    tests/races/lock-order/bad.c
machine.destroyed   tests/escape/stub_exit.c
race.data           tests/races/missing-lock/bad.c
'
missing=0

# expects FILE RULE: the file's head comment names the rule, whose dot may be escaped
expects() {
    sed '/\*\//q' "$1" | tr -d '\\' | grep -Eq "(^|[^a-z.-])${2//./\\.}([^a-z-]|\$)"
}

# twins RULE: one of its folders has both
twins() {
    local folder
    for folder in "tests/rules/$1" "tests/rules/$1"-*; do
        [ -e "$folder/bad.c" ] && [ -e "$folder/good.c" ] && expects "$folder/bad.c" "$1" && return 0
    done
    return 1
}

while read -r rule _; do
    case $rule in '#'*) continue ;; esac
    proof=$(awk -v rule="$rule" '$1 == rule { print $2 }' <<<"$elsewhere")
    if [ -n "$proof" ]; then
        [ -e "$proof" ] && expects "$proof" "$rule" && continue
        echo "$rule: $proof does not prove it"
    else
        twins "$rule" && continue
        echo "$rule: no tests/rules/$rule/bad.c that expects it, with its twin good.c"
    fi
    missing=$((missing + 1))
done <contracts/rules.tsv
while read -r rule _; do
    [ -z "$rule" ] || grep -q "^${rule//./\\.}	" contracts/rules.tsv && continue
    echo "$rule: no such rule"
    missing=$((missing + 1))
done <<<"$elsewhere"
[ "$missing" -eq 0 ]
