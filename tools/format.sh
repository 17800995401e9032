#!/usr/bin/env bash
# Formats all sources; with --check only says whether they are formatted (C++; Maven checks Java).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. tools/common.sh
. tools/setup.sh

version=21.1.8
wheel=$structkd_cache/clang-format-$version
clang_format=$wheel/clang_format/data/bin/clang-format

setup
if [ ! -x "$clang_format" ]; then
  mkdir -p "$structkd_cache"
  work=$(mktemp -d "$structkd_cache/clang-format.XXXXXX")
  python3 -m pip install --quiet --root-user-action=ignore --target "$work" --only-binary=:all: "clang-format==$version" ||
    fail "clang-format $version could not be fetched: check the network"
  rm -rf "$wheel"
  mv "$work" "$wheel"
fi

mapfile -d '' sources < <(find src bench examples tools -name target -prune -o -type f \
  -regex '.*\.\(c\|h\|cpp\|cu\|cuh\)' -print0 2>/dev/null)
case ${1:-} in
  --check) "$clang_format" --dry-run --Werror "${sources[@]}" ||
    fail "the lines above are not formatted: run ./structkd format" ;;
  "")
    "$clang_format" -i "${sources[@]}"
    mvn -B -q --no-transfer-progress spotless:apply
    mvn -B -q --no-transfer-progress -f bench/pom.xml spotless:apply
    ;;
  *) fail "format: unknown option $1" ;;
esac
