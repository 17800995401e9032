#!/usr/bin/env bash
# What a native library may contain: checks those in target/classes after a build, and those for CUDA where
# they were built. Prints each finding.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. tools/common.sh

# What libtorch_cpu.so of the preset needs: whoever can load LibTorch can load us.
limits='GLIBC_2.35
GLIBCXX_3.4.30'
libraries=target/classes/org/structkd/linux-x86_64
findings=$(mktemp)
trap 'rm -f "$findings"' EXIT
finding() { echo "$*" | tee -a "$findings"; }

[ -e "$libraries/libstructkd.so" ] || fail "there are no libraries in $libraries: build first"
for library in "$libraries"/*.so target/{native,cuda,gpu-check}/lib/libstructkd{,_torch}_cuda.so; do
  [ -e "$library" ] || continue
  name=$(basename "$library")
  for path in "$PWD/" "$structkd_cache/" "${TMPDIR:-/tmp}/"; do
    if grep -aqF "$path" "$library"; then finding "$name contains the build path $path"; fi
  done
  readelf -d "$library" | sed -n 's/.*R.*PATH.*\[\(.*\)\]/\1/p' | while read -r rpath; do
    [[ $rpath =~ ^\$ORIGIN/?$ ]] || finding "$name has the rpath $rpath"
  done
  while read -r limit; do
    needs=$(readelf -V "$library" | { grep -oE "\b${limit%_*}_[0-9.]+" || true; } | sort -V | tail -1)
    [ -z "$needs" ] || at_least "${limit#*_}" "${needs#*_}" ||
      finding "$name needs $needs, the limit is $limit"
  done <<<"$limits"
done

# $1 a library, $2 what it may need beside the C and C++ runtimes.
only_needs() {
  [ -e "$1" ] || return 0
  while read -r needed; do
    [[ $needed =~ ^(libc|libm|libstdc\+\+|libgcc_s|ld-linux-x86-64|$2)\.so ]] ||
      finding "$1 needs $needed; expected are the C and C++ runtimes and $2"
  done < <(readelf -d "$1" | sed -n 's/.*NEEDED.*\[\(.*\)\]/\1/p')
}
kernels=$libraries/libstructkd.so
only_needs "$kernels" libgomp
for folder in target/{native,cuda,gpu-check}/lib; do
  only_needs "$folder/libstructkd_cuda.so" 'libstructkd|libdl|librt|libpthread'
  only_needs "$folder/libstructkd_torch_cuda.so" libc10_cuda
done

exported=$(nm -DC --defined-only "$kernels" | cut -d' ' -f3-)
while read -r symbol; do
  [[ $symbol =~ ^structkd_|^structkd::(register_backend|fail|remember|remember_unknown|set_plan)\( ]] || finding "libstructkd.so exports $symbol"
done <<<"$exported"
for symbol in $(grep -hoE '\bstructkd_[a-z_]+\(' src/main/cpp/include/structkd/*.h | tr -d '(' |
  sort -u); do
  grep -qx "$symbol" <<<"$exported" || finding "libstructkd.so does not export $symbol of its headers"
done

# A weak symbol is merged with its namesake of another instruction set level, and the linker may keep
# the one with AVX-512 code for all of them.
for object in target/native/CMakeFiles/structkd_cpu_*.dir/cpu/*/*.o; do
  [ -e "$object" ] || continue
  while read -r symbol; do
    finding "${object#target/native/CMakeFiles/} has the weak symbol $symbol"
  done < <(nm -C --defined-only "$object" | awk '$2 ~ /^[WwVvu]$/' | cut -d' ' -f3-)
done

[ ! -s "$findings" ]
