#!/usr/bin/env bash
# What compiling Shapan needs besides a Rust toolchain, and what the README's commands use.
source "$(dirname "${BASH_SOURCE[0]}")/install.sh"

RUST_VERSION=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$REPOSITORY/Cargo.toml")
has_command cargo || die "no Rust toolchain: install Rust $RUST_VERSION or newer first (rustup or your own way)"

apt_install "C code in dependencies (SQLite, zstd)" gcc g++ libc6-dev
apt_install "the privacy noise is drawn with the system's OpenSSL" pkg-config libssl-dev
apt_install "packages are fetched over TLS" ca-certificates
apt_install "the README's commands" curl jq
