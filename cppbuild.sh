#!/usr/bin/env bash
# Builds the native libraries for one platform, the way JavaCPP presets do.
#
#   ./cppbuild.sh [BUILD_DIR [CMake options]]          BUILD_DIR defaults to target/native
#   ./cppbuild.sh --cuda [BUILD_DIR [CMake options]]   kernels without LibTorch, those for GPUs too;
#                                                      BUILD_DIR defaults to target/cuda
#   ./cppbuild.sh --python [BUILD_DIR [CMake options]] against an installed PyTorch, 2.10 or newer, for
#                                                      torch.ops.load_library; BUILD_DIR defaults to
#                                                      target/python
#   ./cppbuild.sh --gpu-check [bench options]          tests and measures the GPU of this machine
#
# Leaves libstructkd.so and libstructkd_torch.so in BUILD_DIR/lib and links to the LibTorch it used in
# BUILD_DIR/libtorch/{include,lib}; with --cuda libstructkd.so and libstructkd_cuda.so. Reads
#   PLATFORM, EXTENSION    what to build for: linux-x86_64
#   CXX                    the compiler: g++ 11 or newer; by ccache where that is installed
#   CUDA_HOME              a CUDA 13 with bin/nvcc, instead of looking for one
#   LIBTORCH_HOME          a folder with include/torch of pom.xml's LibTorch, instead of looking for one; with
#                          --python include/ and lib/ of any LibTorch from 2.10 on
#   PYTHON                 with --python the interpreter whose torch is meant: python3
#   LIBTORCH_NATIVE_JAR    the preset's jar with libtorch_cpu.so (Maven sets it)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. tools/common.sh
. tools/libtorch.sh
. tools/nvcc.sh

platform=${PLATFORM:-linux-x86_64}${EXTENSION:-}
[ "$platform" = linux-x86_64 ] ||
  fail "there is no native build for $platform yet, only for linux-x86_64"
[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] ||
  fail "linux-x86_64 is built on Linux x86_64, this machine is $(uname -s) $(uname -m)"

cxx=${CXX:-g++}
command -v "$cxx" >/dev/null ||
  fail "no C++ compiler $cxx: install g++ 11 or newer (./structkd setup), or set CXX"
at_least "$("$cxx" -dumpfullversion -dumpversion)" 11 ||
  fail "$cxx is version $("$cxx" -dumpversion), needed is g++ 11 or newer; set CXX to a newer one"
command -v ninja >/dev/null || fail "ninja is missing: install it (./structkd setup)"
command -v cmake >/dev/null || fail "cmake is missing: install 3.22 or newer (./structkd setup)"
at_least "$(cmake --version | sed -n '1s/[^0-9]*//p')" 3.22 ||
  fail "$(cmake --version | head -1) is too old, needed is 3.22 or newer"

mode=native
case ${1:-} in
  --gpu-check) shift; exec tools/gpu-check.sh "$@" ;;
  --cuda | --python) mode=${1#--}; shift ;;
esac
build=${1:-target/$mode}
shift || true
mkdir -p "$build"
build=$(cd "$build" && pwd)
case $mode in
  cuda) specific=(-DSTRUCTKD_CUDA=ON) ;;
  python)
    libtorch=$(libtorch_of_python)
    specific=(-DSTRUCTKD_LIBTORCH="$libtorch"
      -DSTRUCTKD_LIBTORCH_CXX11_ABI="$(libtorch_abi_of "$libtorch")")
    ;;
  native)
    include=$(libtorch_include)
    lib=$(libtorch_lib "$platform")
    mkdir -p "$build/libtorch"
    ln -sfn "$include" "$build/libtorch/include"
    ln -sfn "$lib" "$build/libtorch/lib"
    specific=(-DSTRUCTKD_LIBTORCH="$build/libtorch")
    ;;
esac
case " ${specific[*]} $* " in
  *" -DSTRUCTKD_CUDA=ON "*)
    nvcc=$(find_nvcc)
    specific+=(-DCMAKE_CUDA_COMPILER="$nvcc" -DCMAKE_CUDA_HOST_COMPILER="$cxx")
    ;;
esac

# Several builds and checkouts compile the same files: ccache, where it is installed, does it once, whatever
# folder the checkout lies in.
if command -v ccache >/dev/null; then
  export CCACHE_BASEDIR=${CCACHE_BASEDIR:-$PWD} CCACHE_NOHASHDIR=1
  specific+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache -DCMAKE_C_COMPILER_LAUNCHER=ccache)
fi

# CMake repeats a whole configure when a compiler is named again, so it hears of it only once.
if [ ! -e "$build/build.ninja" ]; then
  set -- -DCMAKE_CXX_COMPILER="$cxx" "${specific[@]}" "$@"
fi
cmake -S src/main/cpp -B "$build" -G Ninja "$@" >"$build/configure.log" 2>&1 ||
  { cat "$build/configure.log" >&2; fail "CMake could not configure the native build"; }
cmake --build "$build"
