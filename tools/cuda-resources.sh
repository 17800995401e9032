#!/usr/bin/env bash
# Compares the kernels of a build with the committed tables of registers, occupancy and inner loops.
#
#   tools/cuda-resources.sh check LIBRARY      those architectures that LIBRARY (libstructkd_cuda.so) holds
#   tools/cuda-resources.sh update             builds all architectures and writes docs/cuda-*.csv
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. tools/common.sh
. tools/nvcc.sh

nvcc=$(find_nvcc)
CUDA_BIN=$(dirname "$(find_cuda_tool cuobjdump "$nvcc")")
CUDA_INCLUDE=$(dirname "$nvcc")/../include
export CUDA_BIN CUDA_INCLUDE
case ${1:-} in
  check) exec python3 tools/cuda_resources.py check "${2:?a library}" ;;
  update)
    ./cppbuild.sh --cuda target/cuda
    exec python3 tools/cuda_resources.py update target/cuda/lib/libstructkd_cuda.so
    ;;
  *) fail "cuda-resources: expected check LIBRARY or update" ;;
esac
