#!/usr/bin/env bash
# Every shell script parses, is executable where it is run by name, and stops at its first failure.
set -euo pipefail
cd "$(dirname "$0")/.."

status=0
complain() {
    printf 'check-scripts: %s\n' "$*" >&2
    status=1
}

while IFS= read -r -d '' script; do
    bash -n "$script" || complain "$script does not parse"
    case $script in
        scripts/install.sh) continue ;; # sourced, never run
    esac
    [[ -x $script ]] || complain "$script is not executable: chmod +x it"
    grep -qE '^set -euo pipefail$|^source .*install\.sh"$' "$script" ||
        complain "$script goes on after a failure: begin with 'set -euo pipefail'"
done < <(git ls-files -z -- 'scripts/*.sh' .ci/run)

git ls-files -z -- 'scripts/*.sh' .ci/run |
    xargs -0 shellcheck --external-sources --source-path=SCRIPTDIR --severity=style ||
    complain "shellcheck objects"
exit "$status"
