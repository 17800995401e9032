#!/usr/bin/env bash
# Is this machine's GPU computing the right losses, and how fast? From a source tree alone: needs CUDA 13,
# CMake, ninja and g++, but no network, no JDK, no LibTorch.
#
#   ./cppbuild.sh --gpu-check [bench options]     default: --quick --limit-s 60
#   ./cppbuild.sh --gpu-check --list              builds, tests, and lists what could be measured
#
# Without a GPU it builds only. Reads
#   CUDA_HOME       a CUDA 13 with bin/nvcc, instead of looking for one
#   GTEST_SOURCE    a folder with GoogleTest's sources, as in Debian's libgtest-dev
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. tools/common.sh
. tools/nvcc.sh

case ${1:-} in
  -h | --help) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit ;;
esac

# Prints the folder of GoogleTest's sources that was given, lies in the checkout, or that Debian installs;
# nothing if there is none.
googletest_source() {
  local folder
  for folder in "${GTEST_SOURCE:-}" third-party/googletest /usr/src/googletest; do
    for folder in "$folder" "$folder/googletest"; do
      if [ -e "$folder/src/gtest-all.cc" ]; then
        (cd "$folder" && pwd)
        return
      fi
    done
  done
}

build=target/gpu-check
options=(-DSTRUCTKD_BUILD_BENCH=ON)
gpu=true
if has_gpu; then
  options+=(-DSTRUCTKD_CUDA_ARCHITECTURES=native)
else
  gpu=false
  options+=("-DSTRUCTKD_CUDA_ARCHITECTURES=80;90")
fi
googletest=$(googletest_source)
have_tests=true
if [ -n "$googletest" ]; then
  options+=(-DSTRUCTKD_BUILD_TESTS=ON -DSTRUCTKD_GTEST_SOURCE="$googletest")
elif [ -e /usr/include/gtest/gtest.h ] || [ -n "${GTest_ROOT:-}" ]; then
  options+=(-DSTRUCTKD_BUILD_TESTS=ON)
else
  have_tests=false
fi

SECONDS=0
./cppbuild.sh --cuda "$build" "${options[@]}"
echo "structkd: built in $SECONDS s"

status=0

if ! $have_tests; then
  echo "structkd: C++ tests skipped: there is no GoogleTest on this machine; set GTEST_SOURCE"
elif $gpu; then
  ctest --test-dir "$build" --output-on-failure --no-tests=error -L gpu || status=1
fi
if ! $gpu; then
  echo "structkd: there is no GPU on this machine: tests and bench are built but not run"
  exit 0
fi
[ $# -gt 0 ] || set -- --quick --limit-s 60
"$build/lib/structkd_cuda_bench" "$@" || status=1
exit "$status"
