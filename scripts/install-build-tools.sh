#!/usr/bin/env bash
# What compiling Shapan needs besides a Rust toolchain, and what the README's commands use.
source "$(dirname "${BASH_SOURCE[0]}")/install.sh"

has_command cargo || die "no Rust toolchain: install Rust $(sed -n 's/^rust-version = "\(.*\)"/\1/p' \
    "$REPOSITORY/Cargo.toml") or newer first, with rustup or in a way of your own"

apt_install "C code in dependencies (SQLite, zstd)" gcc g++ libc6-dev
apt_install "the privacy noise is drawn with the system's OpenSSL" pkg-config libssl-dev
apt_install "packages are fetched over TLS" ca-certificates
apt_install "the README's commands" curl jq
