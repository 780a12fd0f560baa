#!/usr/bin/env bash
# Builds the documentation of every library target into Documentation/Telescope.doccarchive with
# the toolchain's own tools. A warning of DocC fails the build.
#
# To read it: docs.sh --preview, then http://localhost:8080/documentation
set -euo pipefail
cd "$(dirname "$0")/.."

targets=(
  Tensors StrictJSON Checkpoints Tokenization Results Reports LanguageModels Attribution Lenses Flow
  Circuits Telescope
)
output=Documentation

fail() { printf 'docs: %s\n' "$*" >&2; exit 69; }

# A tool of the toolchain: on the PATH, in Xcode, or beside swift.
tool() {
  local beside
  beside="$(dirname "$(readlink -f "$(command -v swift)")")/$1"
  if command -v "$1" 2>/dev/null; then return; fi
  if command -v xcrun >/dev/null && xcrun --find "$1" 2>/dev/null; then return; fi
  [ -x "$beside" ] || fail "$1 is not part of the Swift toolchain; install one from swift.org."
  printf '%s\n' "$beside"
}

case "${1:-}" in
  "") ;;
  --preview)
    [ -d "$output/Telescope.doccarchive" ] || fail "there is nothing to read yet; run make docs first."
    exec python3 -m http.server 8080 --bind 127.0.0.1 --directory "$output/Telescope.doccarchive"
    ;;
  *) echo "usage: docs.sh [--preview]" >&2; exit 64 ;;
esac

docc=$(tool docc)
extract=$(tool swift-symbolgraph-extract)
swift build -c release
built=$(swift build -c release --show-bin-path)
triple=$(swiftc -print-target-info | sed -n 's/.*"triple": "\(.*\)".*/\1/p' | head -n 1)
options=(
  -target "$triple" -I "$built/Modules" -minimum-access-level public -skip-synthesized-members
  -I Sources/CTorch/include -Xcc "-fmodule-map-file=$built/CTorch.build/module.modulemap"
  -I Sources/CCurl/include -Xcc "-fmodule-map-file=$built/CCurl.build/module.modulemap"
)
[ "$(uname -s)" = Darwin ] && options+=(-sdk "$(xcrun --show-sdk-path)")

rm -rf "$output"
mkdir -p "$output/symbols" "$output/parts"
archives=()
for target in "${targets[@]}"; do
  mkdir "$output/symbols/$target"
  "$extract" -module-name "$target" "${options[@]}" -output-dir "$output/symbols/$target"
  "$docc" convert "Sources/$target/$target.docc" --warnings-as-errors \
    --additional-symbol-graph-dir "$output/symbols/$target" \
    --fallback-display-name "$target" --fallback-bundle-identifier "telescope.$target" \
    --fallback-default-module-kind Library --output-path "$output/parts/$target.doccarchive"
  archives+=("$output/parts/$target.doccarchive")
done
"$docc" merge "${archives[@]}" --synthesized-landing-page-name Telescope \
  --output-path "$output/Telescope.doccarchive"
rm -rf "$output/symbols" "$output/parts"
printf 'docs: %s/Telescope.doccarchive\n' "$output" >&2
