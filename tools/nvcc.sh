# Finds nvcc of CUDA 13, or installs it from pinned wheels. Sourced after common.sh.

nvcc_needed=13.0
nvcc_wheels=$structkd_cache/nvcc-$(sed -n 's/^nvidia-cuda-nvcc==\([0-9.]*\).*/\1/p' \
  tools/requirements-nvcc.txt)

# The version of nvcc at $1; nothing if there is none.
nvcc_version() {
  [ -x "$1" ] || return 0
  "$1" --version | sed -n 's/.*release \([0-9.]*\),.*/\1/p'
}

# Prints the path of nvcc: that of CUDA_HOME, of PATH, of /usr/local/cuda, of the wheels.
find_nvcc() {
  local nvcc version
  if [ -n "${CUDA_HOME:-}" ]; then
    version=$(nvcc_version "$CUDA_HOME/bin/nvcc")
    at_least "${version:-0}" $nvcc_needed ||
      fail "CUDA_HOME=$CUDA_HOME has ${version:+nvcc }${version:-no bin/nvcc}, needed is $nvcc_needed" \
        "or newer"
    echo "$CUDA_HOME/bin/nvcc"
    return
  fi
  for nvcc in "$(command -v nvcc || true)" /usr/local/cuda/bin/nvcc; do
    version=$(nvcc_version "$nvcc")
    if at_least "${version:-0}" $nvcc_needed; then
      echo "$nvcc"
      return
    fi
  done
  [ -x "$nvcc_wheels/nvidia/cu13/bin/nvcc" ] || nvcc_install
  echo "$nvcc_wheels/nvidia/cu13/bin/nvcc"
}

nvcc_install() {
  local work
  python3 -m pip --version >/dev/null 2>&1 ||
    fail "there is no nvcc $nvcc_needed on this machine, and no pip to fetch it: install CUDA 13, or" \
      "python3-pip (./structkd setup)"
  mkdir -p "$structkd_cache"
  work=$(mktemp -d "$structkd_cache/nvcc.XXXXXX")
  echo "structkd: fetching nvcc and its headers (111 MB, once)" >&2
  # --no-deps: pip would mix versions that do not fit together.
  if ! python3 -m pip install --quiet --root-user-action=ignore --no-deps --only-binary=:all: \
      --require-hashes -r tools/requirements-nvcc.txt --target "$work" >"$work/log" 2>&1; then
    tail -3 "$work/log" >&2
    rm -rf "$work"
    fail "nvcc could not be fetched: check the network, or set CUDA_HOME to an installed CUDA 13"
  fi
  ln -s lib "$work/nvidia/cu13/lib64" # CMake looks for libcudart_static.a there
  rm -rf "$nvcc_wheels"
  rm "$work/log"
  mv -T "$work" "$nvcc_wheels" # complete or absent, never half
}

# Prints the path of a disassembler ($1: cuobjdump, nvdisasm): beside nvcc $2, or of the wheels.
find_cuda_tool() {
  local beside
  beside=$(dirname "$2")/$1
  if [ -x "$beside" ]; then
    echo "$beside"
    return
  fi
  [ -x "$nvcc_wheels/nvidia/cu13/bin/$1" ] || nvcc_install
  echo "$nvcc_wheels/nvidia/cu13/bin/$1"
}

# True where a GPU answers.
has_gpu() { nvidia-smi -L 2>/dev/null | grep -q '^GPU '; }
