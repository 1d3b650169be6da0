#!/usr/bin/env bash
# The peers that `make bench` measures Shapan against.
source "$(dirname "${BASH_SOURCE[0]}")/install.sh"

# Installing nginx must not start it on port 80 of the machine: the bench starts its own on a free port.
if ! has_package nginx-light && ! has_package nginx; then
    policy=/usr/sbin/policy-rc.d
    if [[ ! -e $policy ]]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod +x "$policy"
        trap 'as_root rm -f "$policy"' EXIT
    fi
    apt_install "peer of download/…" nginx-light
fi

apt_install "the HTTP load of download/… and search/…" wrk

python_venv bench "DuckDB, peer of ingest/… and open-sql/…, and OpenDP, peer of accuracy/…" \
    'duckdb==2.0.0' 'opendp==0.16.0'
# It wants an older OpenDP than ours, so it has an environment of its own; one of its dependencies comes as source only.
python_venv smartnoise "SmartNoise SQL, peer of accuracy/…" \
    --no-binary=antlr4-python3-runtime 'smartnoise-sql==1.0.10'
