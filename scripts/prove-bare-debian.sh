#!/usr/bin/env bash
# Proves the README's promise: on a bare Debian 12 that has nothing but a Rust toolchain (and `make`, which the
# README asks for), the given make targets work from a clean clone of the last commit.
#
#   scripts/prove-bare-debian.sh [install|demo|test]…      default: demo test
#
#   install   only the installers, twice: the second time must change nothing
#   demo      `make demo` until /health/ready answers
#   test      `make test`
#
# Runs as root (debootstrap, chroot); needs Debian's `debootstrap`.
#   PROOF_ROOT      where the root is made (default: a folder under /var/tmp)
#   KEEP=1          leaves the root there at the end, for looking inside
#   DEBIAN_MIRROR   default: the mirror this machine is configured with
#   LEND=1          saves time by lending this machine's downloaded crates and Cargo tools; without it they are
#                   downloaded and built as on a newcomer's machine
#   LEND=compiled   lends the compiled dependencies too: paths must then be those of this machine, so the newcomer is
#                   root, at home and in a clone where root is at home here. Our own crates are compiled in any case.
set -euo pipefail
cd "$(dirname "$0")/.."

SUITE=bookworm
USER_NAME=newcomer
home=/home/$USER_NAME
checkout=$home/shapan
if [[ ${LEND:-} == compiled ]]; then
    USER_NAME=root home=$HOME checkout=$PWD
fi
PORT=8080

say() {
    printf 'prove: %s\n' "$*" >&2
}

die() {
    say "$*"
    exit 1
}

[[ $(id -u) -eq 0 ]] || die "run as root: debootstrap and chroot need it"
command -v debootstrap >/dev/null || die "needs debootstrap: apt-get install debootstrap"

targets=("$@")
[[ $# -gt 0 ]] || targets=(demo test)
for target in "${targets[@]}"; do
    [[ $target =~ ^(install|demo|test)$ ]] || die "unknown target $target: install, demo or test"
done

configured_mirror() {
    sed -nE 's/^URIs: *([^ ]+).*/\1/p; s/^deb (\[[^]]*\] )?([^ ]+) bookworm .*/\2/p' \
        /etc/apt/sources.list.d/*.sources /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
        grep -E '/debian/?$' | head -n 1
}

mirror=${DEBIAN_MIRROR:-$(configured_mirror || true)}
root=${PROOF_ROOT:-/var/tmp/shapan-bare-debian}
mounts=()

tear_down() {
    local status=$? mount
    for mount in "${mounts[@]}"; do
        umount --lazy "$mount" || true
    done
    if [[ ${KEEP:-} != 1 && -e $root/.shapan-proof ]] && ! findmnt --raw --noheadings --output TARGET | grep -q "^$root/"; then
        rm -rf --one-file-system "$root"
    fi
    exit "$status"
}
trap tear_down EXIT

bind() {
    mkdir -p "$root$2"
    mount --bind "$1" "$root$2"
    mounts=("$root$2" "${mounts[@]}")
}

# A root that was used before is no longer bare.
[[ ! -e $root || -e $root/.shapan-proof ]] || die "$root exists and was not made by this script"
rm -rf --one-file-system "$root"
say "bare $SUITE in $root"
mkdir -p "$root"
touch "$root/.shapan-proof"
# Without a mirror argument debootstrap takes Debian's own.
debootstrap --variant=minbase "$SUITE" "$root" ${mirror:+"$mirror"} >"$root.log" 2>&1 ||
    die "debootstrap failed: see $root.log"
for pseudo in /proc /sys /dev /dev/pts; do
    bind "$pseudo" "$pseudo"
done
mkdir -p "$root/dev/shm"
cp /etc/resolv.conf "$root/etc/resolv.conf"
cp /etc/hosts "$root/etc/hosts"
# A machine behind a proxy or a mirror of its own stays usable: its settings are lent, never committed.
for setting in /etc/apt/apt.conf.d/*proxy*; do
    [[ -e $setting ]] || continue
    mkdir -p "$root${setting%/*}"
    cp -L "$setting" "$root$setting"
done
# So do the certificates that it trusts beyond Debian's.
certificates=/usr/local/share/lent-certificates.pem
cp -L /etc/ssl/certs/ca-certificates.crt "$root$certificates"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod +x "$root/usr/sbin/policy-rc.d"

# inside USER HOME COMMAND: runs the command in the root with nothing of this machine's environment.
inside() {
    chroot --userspec="$1:$1" "$root" /usr/bin/env -i HOME="$2" USER="$1" LOGNAME="$1" LANG=C.UTF-8 TERM=dumb \
        PATH=/opt/rust/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        SSL_CERT_FILE="$certificates" PIP_CERT="$certificates" NODE_EXTRA_CA_CERTS="$certificates" \
        bash -c "$3"
}

as_root() {
    inside root /root "$1"
}

as_newcomer() {
    inside "$USER_NAME" "$home" "cd $checkout && $1"
}

say "the README's line: make and sudo"
as_root 'apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
    --no-install-recommends make sudo >/tmp/apt.log 2>&1' || die "apt-get failed: see $root/tmp/apt.log"
[[ $USER_NAME == root ]] || as_root "id -u $USER_NAME >/dev/null 2>&1 || useradd --create-home --shell /bin/bash $USER_NAME"
printf '%s ALL=(ALL) NOPASSWD: ALL\n' "$USER_NAME" >"$root/etc/sudoers.d/$USER_NAME"

say "the Rust toolchain of this machine, read-only"
bind "$(rustc --print sysroot)" /opt/rust
mount -o remount,ro,bind "$root/opt/rust"

if [[ -n ${LEND:-} && ! -d $root$home/.cargo/registry ]]; then
    say "this machine's downloaded crates and Cargo tools"
    mkdir -p "$root$home/.cargo/registry" "$root$home/.cache/shapan/bin"
    cache=${SHAPAN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/shapan}
    for tool in cargo-nextest cargo-deny; do
        found=$(PATH=$cache/bin:$PATH command -v "$tool") || continue
        cp "$found" "$root$home/.cache/shapan/bin/"
    done
    cp -a "${CARGO_HOME:-$HOME/.cargo}/registry/cache" "${CARGO_HOME:-$HOME/.cargo}/registry/index" \
        "$root$home/.cargo/registry/"
    if [[ $LEND == compiled ]]; then
        say "this machine's compiled dependencies"
        cp -a "${CARGO_HOME:-$HOME/.cargo}/registry/src" "$root$home/.cargo/registry/"
        cp -a --reflink=auto "$cache/target" "$root$home/.cache/shapan/"
    fi
fi

say "a clean clone of $(git rev-parse --short HEAD)"
rm -rf "${root:?}$checkout"
mkdir -p "$root${checkout%/*}"
git clone --quiet --no-hardlinks --depth 1 "file://$PWD" "$root$checkout"
chroot "$root" chown -R "$USER_NAME:" "$home"

prove_install() {
    local again
    as_newcomer 'make build-tools test-tools check-tools bench-tools' </dev/null
    say "once more: nothing may be left to install"
    again=$(as_newcomer 'make build-tools test-tools check-tools bench-tools 2>&1' </dev/null)
    [[ -z $again ]] || die "the installers are not idempotent: $again"
}

prove_demo() {
    local deadline=$((SECONDS + 3600)) demo
    if curl --silent --output /dev/null "http://127.0.0.1:$PORT/"; then
        die "port $PORT of this machine is taken: the demo needs it"
    fi
    as_newcomer 'exec make demo' </dev/null &
    demo=$!
    until as_newcomer "curl --silent --fail --output /dev/null \
        http://127.0.0.1:$PORT/health/ready" 2>/dev/null; do
        kill -0 "$demo" 2>/dev/null || die "make demo ended before it was ready"
        [[ $SECONDS -lt $deadline ]] || die "make demo was not ready within an hour"
        sleep 2
    done
    say "make demo was ready after $SECONDS s"
    as_newcomer "curl --silent --fail http://127.0.0.1:$PORT/datasets >/dev/null &&
        test -s demo-data/demo-accounts.json"
    # The server is the one process of that name in the root: ask it to stop as an operator would.
    as_root "for process in /proc/[0-9]*; do
        [[ \$(readlink \$process/exe) == */shapan && \$(readlink \$process/root) == / ]] || continue
        kill -TERM \${process#/proc/}
    done" 2>/dev/null
    wait "$demo" || true
}

for target in "${targets[@]}"; do
    started=$SECONDS
    case $target in
        install) prove_install ;;
        demo) prove_demo ;;
        test) as_newcomer 'make test' </dev/null ;;
    esac
    say "$target: proven in $((SECONDS - started)) s"
done
