#!/usr/bin/env bash
# What no tracked file may say: paths of one machine, hosts of package registries, work left for later.
set -euo pipefail
cd "$(dirname "$0")/.."

status=0

# refuse FILES PATTERN REASON: no tracked text file of that glob matches the extended regular expression.
refuse() {
    local files=$1 pattern=$2 reason=$3 hits
    if hits=$(git grep -nIE -e "$pattern" -- "$files" ':!scripts/check-words.sh'); then
        printf 'check-words: %s:\n%s\n' "$reason" "${hits:0:4000}" >&2
        status=1
    fi
}

refuse '*' '(^|[^[:alnum:]_.$}])/(work|root)/[[:alnum:]_.]' 'paths of one machine belong to that machine'
refuse '*' '/(home|Users)/[[:alnum:]]+/' 'paths of one machine belong to that machine'
refuse '*' '(registry\.npmjs|files\.pythonhosted|\bpypi)\.(org|io)|(static|index)\.crates\.io' \
    'package registries are named by the tools, not here'
refuse '*package-lock.json' '"resolved": *"https?:' \
    'lock files carry no addresses: npm config set omit-lockfile-registry-resolved true'
for files in '*.rs' '*.ts' '*.mjs' '*.html' '*.sh' '*.toml' '*.md' Makefile; do
    refuse "$files" '\b(TODO|FIXME|XXX)\b' 'work left for later belongs into an issue'
done
refuse '*.rs' '#!?\[ignore|\b(todo|unimplemented)!\(' 'a test runs or is not there; code is whole or is not there'
refuse '*' '^(<<<<<<<|>>>>>>>) ' 'an unresolved merge'
exit "$status"
