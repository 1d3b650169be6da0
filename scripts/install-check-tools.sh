#!/usr/bin/env bash
# What `make check` needs besides the build tools.
source "$(dirname "${BASH_SOURCE[0]}")/install.sh"

for component in rustfmt clippy; do
    command=${component/clippy/clippy-driver}
    has_command "$command" || {
        has_command rustup || die "the Rust toolchain has no $component, which \`make check\` runs: add it"
        say "the toolchain's $component: format and lints"
        rustup component add "$component"
    }
done
apt_install "shell scripts are linted" shellcheck
cargo_install cargo-deny 0.20.2 "the dependency policy of deny.toml"
