#!/usr/bin/env bash
# What `make test` needs besides the build tools.
source "$(dirname "${BASH_SOURCE[0]}")/install.sh"

cargo_install cargo-nextest 0.9.143 "runs the tests side by side, each in its own process"

apt_install "the browser tests, on pages in Chinese and English" chromium fonts-noto-cjk fonts-liberation

# The database suite runs on throw-away clusters that it makes itself (initdb, a free loopback port), so the
# package must not make and start a cluster of its own. The setting is in force during the installation only.
if ! has_package postgresql; then
    apt_install "the database suite runs on SQLite and PostgreSQL" postgresql-common
    no_cluster=/etc/postgresql-common/createcluster.d/shapan-install.conf
    as_root mkdir -p "${no_cluster%/*}"
    printf 'create_main_cluster = false\n' | as_root tee "$no_cluster" >/dev/null
    trap 'as_root rm -f "$no_cluster"' EXIT
    apt_install "the database suite runs on SQLite and PostgreSQL" postgresql
fi

npm_install "$REPOSITORY/tests/browser" "drives Chromium in the browser tests"
