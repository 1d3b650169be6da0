#!/usr/bin/env bash
# Bundles the pages' TypeScript (web/ui) into what the binary embeds; skipped when nothing has changed.
source "$(dirname "${BASH_SOURCE[0]}")/install.sh"

ui=$REPOSITORY/web/ui
if [[ ! -f $ui/package.json ]]; then
    exit 0
fi
"$REPOSITORY/scripts/install-node.sh"
npm_install "$ui" "bundles and type-checks the pages' scripts"

newest_source=$(find "$ui" -path "$ui/node_modules" -prune -o -path "$ui/dist" -prune -o -type f -newer \
    "$ui/dist/.built" -print -quit 2>/dev/null || printf missing)
if [[ -f $ui/dist/.built && -z $newest_source ]]; then
    exit 0
fi
(cd "$ui" && npm run --silent build)
mkdir -p "$ui/dist"
touch "$ui/dist/.built"
