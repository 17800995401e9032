#!/usr/bin/env bash
# Compares the kernels of a build with the committed tables of launches, registers, occupancy and inner loops.
#
#   tools/cuda-resources.sh check LIBRARY      those architectures that LIBRARY (libstructkd_cuda.so) holds
#   tools/cuda-resources.sh check-launches     what each case of the GPU bench launches, by the emulator
#   tools/cuda-resources.sh check-model BENCH  docs/cuda-model.md, as it follows from the tables; BENCH is
#                                              structkd_cuda_bench
#   tools/cuda-resources.sh update             builds everything and writes docs/cuda-*
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. tools/common.sh
. tools/nvcc.sh

# Prints docs/cuda-launches.csv: what the cases launch on an H100, whose f64 is fast, on an L4, whose f64 is
# slow, and on a T4, which also has less shared memory.
list_launches() {
  local build=target/emulated device
  mkdir -p target
  cmake -S src/main/cpp -B $build -G Ninja -DSTRUCTKD_CUDA_EMULATED=ON >$build.log &&
    cmake --build $build --target structkd_launch_list >>$build.log || { cat $build.log >&2; return 1; }
  echo "device;loss;case;kernel;grid;threads;dynamic_shared"
  for device in 90 89 75; do
    STRUCTKD_SIMT_DEVICE=$device $build/lib/structkd_launch_list | sed "s/^/sm_$device;/; s/structkd::{anonymous}:://g"
  done
}

# Where tools/cuda_resources.py finds cuobjdump, nvdisasm and cuda_occupancy.h.
export_cuda_tools() {
  local nvcc
  nvcc=$(find_nvcc)
  CUDA_BIN=$(dirname "$(find_cuda_tool cuobjdump "$nvcc")")
  CUDA_INCLUDE=$(dirname "$nvcc")/../include
  export CUDA_BIN CUDA_INCLUDE
}

case ${1:-} in
  check)
    export_cuda_tools
    exec python3 tools/cuda_resources.py check "${2:?a library}"
    ;;
  check-launches)
    list_launches | diff docs/cuda-launches.csv - ||
      fail "docs/cuda-launches.csv is out of date; tools/cuda-resources.sh update writes it"
    ;;
  check-model) exec python3 tools/cuda_model.py check "${2:?the bench}" ;;
  update)
    export_cuda_tools
    list_launches >docs/cuda-launches.csv
    ./cppbuild.sh --cuda target/cuda -DSTRUCTKD_BUILD_BENCH=ON
    python3 tools/cuda_resources.py update target/cuda/lib/libstructkd_cuda.so
    python3 tools/cuda_model.py update target/cuda/lib/structkd_cuda_bench
    ;;
  *) fail "cuda-resources: expected check LIBRARY, check-launches, check-model BENCH or update" ;;
esac
