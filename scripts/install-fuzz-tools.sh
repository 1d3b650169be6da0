#!/usr/bin/env bash
# What `make fuzz` needs besides the build tools.
source "$(dirname "${BASH_SOURCE[0]}")/install.sh"

apt_install "libFuzzer is compiled from C++" g++
cargo_install cargo-fuzz 0.13.2 "coverage-guided fuzzing of the SQL front"
