#!/usr/bin/env bash
# A file over 600 lines wants a seam: fails and names it. Over 300 it is only mentioned.
set -euo pipefail
cd "$(dirname "$0")/.."
status=0
while read -r lines file; do
  if [ "$lines" -gt 600 ]; then
    echo "$file: $lines lines; split it (the limit is 600)" >&2
    status=1
  fi
done < <(git ls-files '*.swift' '*.cpp' '*.h' '*.js' '*.css' | grep -v Fixtures | xargs wc -l |
  awk '$2 != "total" { print $1, $2 }')
exit $status
