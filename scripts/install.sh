# shellcheck shell=bash
# Sourced by the install-*.sh scripts: how a tool comes onto the machine.
#
# Every installer may be run any number of times: what is there stays as it is, what is missing is named
# with the reason it is needed before anything is fetched. System packages come from Debian; everything else
# goes into one folder of the user's cache, which can be deleted at any time.

set -euo pipefail

REPOSITORY=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
SHAPAN_CACHE=${SHAPAN_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/shapan}
export SHAPAN_CACHE
export PATH="$SHAPAN_CACHE/bin:$PATH"
mkdir -p "$SHAPAN_CACHE/bin"

say() {
    printf 'install: %s\n' "$*" >&2
}

die() {
    printf 'install: %s\n' "$*" >&2
    exit 1
}

has_command() {
    command -v "$1" >/dev/null 2>&1
}

has_package() {
    [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null || true) == installed ]]
}

as_root() {
    if [[ $(id -u) -eq 0 ]]; then
        "$@"
    elif has_command sudo; then
        sudo -- "$@"
    else
        die "this needs root and there is no sudo; as root, run: $*"
    fi
}

# apt_install REASON PACKAGE…: installs those of the packages that are missing.
apt_install() {
    local reason=$1 package
    shift
    local missing=()
    for package in "$@"; do
        has_package "$package" || missing+=("$package")
    done
    if [[ ${#missing[@]} -eq 0 ]]; then
        return 0
    fi
    has_command apt-get || die "${missing[*]} missing ($reason), and this is no Debian: install them by hand"
    say "Debian packages ${missing[*]}: $reason"
    # The package lists are refreshed at most once an hour, and again when they turn out to be stale.
    local refreshed=$SHAPAN_CACHE/apt-refreshed
    if [[ -n $(find "$refreshed" -mmin -60 2>/dev/null) ]] && apt_get install "${missing[@]}"; then
        return 0
    fi
    apt_get update && touch "$refreshed" && apt_get install "${missing[@]}" && return 0
    tail -n 20 "$SHAPAN_CACHE/apt.log" >&2
    die "apt-get could not install ${missing[*]}; the whole output is in $SHAPAN_CACHE/apt.log"
}

apt_get() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -y -qq --no-install-recommends \
        -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@" >"$SHAPAN_CACHE/apt.log" 2>&1
}

# cargo_install CRATE VERSION REASON: builds a Cargo subcommand into the cache, unless one is on the PATH.
cargo_install() {
    local crate=$1 version=$2 reason=$3
    if has_command "$crate"; then
        return 0
    fi
    say "$crate $version: $reason (built from source once, some minutes)"
    # A folder of its own, kept until the build succeeds: an interrupted build resumes, and the tool's
    # dependencies stay out of the project's target directory. The tool runs for seconds and is built for
    # minutes, so its own release profile (link-time optimisation, one codegen unit) would be time lost.
    CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
        cargo install --quiet --locked --root "$SHAPAN_CACHE" \
        --target-dir "$SHAPAN_CACHE/build-$crate" --version "$version" "$crate"
    rm -rf "$SHAPAN_CACHE/build-$crate"
}

# npm_install FOLDER REASON: the packages of FOLDER's package-lock.json, exactly.
npm_install() {
    local folder=$1 reason=$2
    if cmp -s "$folder/package-lock.json" "$folder/node_modules/.installed-lock.json"; then
        return 0
    fi
    say "npm packages of ${folder#"$REPOSITORY/"}: $reason"
    (cd "$folder" && npm ci --silent --no-audit --no-fund --ignore-scripts)
    cp "$folder/package-lock.json" "$folder/node_modules/.installed-lock.json"
}

# python_venv NAME REASON REQUIREMENT…: a virtual environment in the cache with exactly these packages.
python_venv() {
    local name=$1 reason=$2
    shift 2
    local folder=$SHAPAN_CACHE/venv-$name
    if [[ -f $folder/installed && $(<"$folder/installed") == "$*" ]]; then
        return 0
    fi
    apt_install "virtual environments for tools from PyPI" python3 python3-venv ca-certificates
    say "$* from PyPI: $reason"
    rm -rf "$folder"
    /usr/bin/python3 -m venv "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: "$@"
    printf '%s' "$*" >"$folder/installed"
}
