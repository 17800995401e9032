# Finds LibTorch: headers from any place that has the right version, libraries from the JavaCPP preset.
# Sourced after common.sh.

# The property of pom.xml whose name is $1, in which no other property is left.
pom_property() {
  local value
  value=$(sed -n "s:.*<$1>\(.*\)</$1>.*:\1:p" pom.xml)
  while [[ $value =~ \$\{([a-z.]+)\} ]]; do
    value=${value/"${BASH_REMATCH[0]}"/$(pom_property "${BASH_REMATCH[1]}")}
  done
  echo "$value"
}

preset_version=$(pom_property pytorch.version)
libtorch_version=${preset_version%%-*}
libtorch_needed=${libtorch_version%.*} # in Python, or a newer one

# The version that headers in folder $1 belong to; empty if there are none.
libtorch_version_of() {
  local header=$1/torch/headeronly/version.h
  [ -e "$header" ] || return 0
  grep -oE '"[0-9]+\.[0-9]+\.[0-9]+"' "$header" | tr -d '"' | head -1
}

# The folder of an installed Python package torch; empty if there is none.
installed_torch() {
  "${PYTHON:-python3}" - 2>/dev/null <<'PY' || true
import importlib.util
spec = importlib.util.find_spec("torch")  # does not import it: that takes seconds
if spec and spec.submodule_search_locations:
    print(spec.submodule_search_locations[0])
PY
}

# Prints the folder of a complete LibTorch, include/ and lib/, to load our operators into Python.
libtorch_of_python() {
  local home=${LIBTORCH_HOME:-$(installed_torch)} version
  [ -n "$home" ] ||
    fail "${PYTHON:-python3} has no package torch: install PyTorch $libtorch_needed or newer, or set LIBTORCH_HOME"
  version=$(libtorch_version_of "$home/include")
  [ -n "$version" ] && [ -e "$home/lib/libtorch_cpu.so" ] ||
    fail "$home is no LibTorch with include/torch and lib/libtorch_cpu.so"
  at_least "$version" "$libtorch_needed" ||
    fail "$home is LibTorch $version, needed is $libtorch_needed or newer"
  echo "$home"
}

# Which of libstdc++'s two ABIs the LibTorch in folder $1 was built for: 1, or 0 for the old one.
libtorch_abi_of() {
  grep -ohsE 'GLIBCXX_USE_CXX11_ABI=[01]' "$1/share/cmake/Torch/TorchConfig.cmake" | head -1 |
    grep -oE '[01]$' || echo 1
}

# Prints the folder with LibTorch's headers, downloading them if they are nowhere on this machine.
libtorch_include() {
  local found include cached=$structkd_cache/libtorch-$libtorch_version/include
  if [ -n "${LIBTORCH_HOME:-}" ]; then
    found=$(libtorch_version_of "$LIBTORCH_HOME/include")
    [ "$found" = "$libtorch_version" ] ||
      fail "LIBTORCH_HOME=$LIBTORCH_HOME has ${found:+LibTorch }${found:-no LibTorch headers in include/}," \
        "needed is exactly $libtorch_version"
    echo "$LIBTORCH_HOME/include"
    return
  fi
  include=$(installed_torch)/include
  if [ "$(libtorch_version_of "$include")" = "$libtorch_version" ]; then
    echo "$include"
    return
  fi
  [ "$(libtorch_version_of "$cached")" = "$libtorch_version" ] || libtorch_download "$cached"
  echo "$cached"
}

# The preset's jars carry no headers. Of all wheels that do, the one for ARM is the smallest (146 MB);
# headers are the same for every processor.
libtorch_download() {
  local target=$1 tool work
  for tool in python3 unzip; do
    command -v "$tool" >/dev/null || fail "$tool is missing: install it (./structkd setup)"
  done
  mkdir -p "$(dirname "$target")"
  work=$(mktemp -d "$(dirname "$target")/download.XXXXXX")
  echo "structkd: fetching the headers of LibTorch $libtorch_version (146 MB, once)" >&2
  if ! python3 -m pip download "torch==$libtorch_version" --no-deps --only-binary=:all: --quiet \
      --platform manylinux_2_28_aarch64 --python-version 3.12 --dest "$work" >"$work/log" 2>&1; then
    tail -3 "$work/log" >&2
    rm -rf "$work"
    fail "the headers of LibTorch $libtorch_version could not be downloaded: check the network, or" \
      "set LIBTORCH_HOME to a folder that has include/torch"
  fi
  unzip -q "$work"/torch-*.whl 'torch/include/*' -d "$work"
  [ "$(libtorch_version_of "$work/torch/include")" = "$libtorch_version" ] ||
    fail "the downloaded wheel does not contain LibTorch $libtorch_version"
  rm -rf "$target"
  mv "$work/torch/include" "$target" # complete or absent, never half
  rm -rf "$work"
}

# Prints the folder with libtorch_cpu.so and libc10.so for platform $1, from the preset's jar.
libtorch_lib() {
  local platform=$1 lib=$structkd_cache/libtorch-$libtorch_version/lib-$1 jar work
  if [ ! -e "$lib/libtorch_cpu.so" ]; then
    jar=${LIBTORCH_NATIVE_JAR:-$HOME/.m2/repository/org/bytedeco/pytorch/$preset_version/pytorch-$preset_version-$platform.jar}
    [ -e "$jar" ] ||
      fail "the jar with LibTorch's libraries is missing ($jar): run mvn process-classes, which" \
        "fetches it, or set LIBTORCH_NATIVE_JAR"
    command -v unzip >/dev/null || fail "unzip is missing: install it (./structkd setup)"
    mkdir -p "$(dirname "$lib")"
    work=$(mktemp -d "$(dirname "$lib")/unpack.XXXXXX")
    unzip -q -j "$jar" "*/$platform/libtorch_cpu.so" "*/$platform/libc10.so" -d "$work"
    rm -rf "$lib"
    mv "$work" "$lib"
  fi
  echo "$lib"
}
