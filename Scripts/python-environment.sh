#!/usr/bin/env bash
# Makes `.venv` with the pinned Python packages that remake the test fixtures
# (Scripts/make-model-fixtures.py) and run the benchmark twin (Benchmarks/Reference).
# Building, testing and running Telescope need none of it.
set -euo pipefail

checkout="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
requirements="$checkout/Scripts/requirements-reference.txt"
environment="$checkout/.venv"
stamp="$environment/.requirements"

if [[ -f "$stamp" ]] && cmp -s "$requirements" "$stamp"; then
  exit 0
fi
python="${PYTHON:-python3}"
if ! command -v "$python" >/dev/null; then
  echo "python-environment: '$python' is not on the PATH; install Python 3.11 or set PYTHON." >&2
  exit 66
fi
"$python" -m venv "$environment"
"$environment/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements"
cp "$requirements" "$stamp"
