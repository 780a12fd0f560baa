#!/usr/bin/env bash
# Builds a telescope that carries the Swift runtime and puts it on the PATH.
#
# PREFIX/libexec/telescope/telescope is the program. PREFIX/bin/telescope finds libtorch and the
# default model for it: TELESCOPE_LIBTORCH and TELESCOPE_MODEL, then this checkout's .deps, then
# ~/.cache/telescope.
set -euo pipefail
cd "$(dirname "$0")/.."
prefix=${1:?usage: install.sh PREFIX}
static=()
[ "$(uname -s)" = Linux ] && static=(--static-swift-stdlib)
swift build -c release "${static[@]}" --scratch-path .build/install --product telescope
mkdir -p "$prefix/libexec/telescope" "$prefix/bin"
program=$prefix/libexec/telescope/telescope
cp .build/install/release/telescope "$program.part"
strip "$program.part"
mv -f "$program.part" "$program"
wrapper=$prefix/bin/telescope
cat >"$wrapper.part" <<END
#!/bin/sh
# Finds libtorch and the default model, then runs telescope.
case "\$(uname -s)" in
  Darwin) cache=\$HOME/Library/Caches/telescope paths=DYLD_LIBRARY_PATH suffix=dylib ;;
  *) cache=\${XDG_CACHE_HOME:-\$HOME/.cache}/telescope paths=LD_LIBRARY_PATH suffix=so ;;
esac
for torch in "\${TELESCOPE_LIBTORCH:-}" "$PWD/.deps/torch" "\$cache/torch"; do
  [ -n "\$torch" ] && [ -e "\$torch/lib/libtorch_cpu.\$suffix" ] && break
  torch=
done
if [ -z "\$torch" ]; then
  echo "telescope: libtorch is in none of \\\$TELESCOPE_LIBTORCH, $PWD/.deps/torch and \$cache/torch; run make setup in the checkout, or set TELESCOPE_LIBTORCH." >&2
  exit 66
fi
if [ -z "\${TELESCOPE_MODEL:-}" ]; then
  for folder in "$PWD/.deps" "\$cache"; do
    model=\$folder/models/SmolLM2-135M-Instruct.Q4_1.gguf
    if [ -e "\$model" ]; then export TELESCOPE_MODEL="\$model"; break; fi
  done
fi
eval "old=\\\${\$paths:-}"
export "\$paths=\$torch/lib\${old:+:\$old}"
exec "$(cd "$prefix" && pwd)/libexec/telescope/telescope" "\$@"
END
chmod +x "$wrapper.part"
mv -f "$wrapper.part" "$wrapper"
echo "installed $wrapper" >&2
