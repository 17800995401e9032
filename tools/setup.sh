# Finds or installs what the build needs. Sourced after common.sh.

# Prints JAVA_HOME of a JDK 17 or newer: the one the user chose, else a 17 (the formatter's latest), else
# any newer one. The machine's default java may be a JRE or of another version.
find_jdk() {
  local home onpath version newer=
  onpath=$(command -v javac || true)
  [ -z "$onpath" ] || onpath=$(dirname "$(dirname "$(readlink -f "$onpath")")")
  for home in "${JAVA_HOME:-}" /usr/lib/jvm/*17* "$onpath" /usr/lib/jvm/*; do
    [ -n "$home" ] && [ -x "$home/bin/javac" ] && [ -e "$home/release" ] || continue
    version=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$home/release")
    [ "${version:-0}" -ge 17 ] || continue
    if [ "$home" = "${JAVA_HOME:-}" ] || [ "$version" = 17 ]; then
      echo "$home"
      return
    fi
    newer=${newer:-$home}
  done
  [ -n "$newer" ] && echo "$newer"
}

# The version a tool reports first; nothing if it is not installed.
version_of() {
  command -v "$1" >/dev/null || return 0
  "$@" 2>/dev/null | grep -oE '[0-9]+(\.[0-9]+)+' | head -1 || true
}

# Prints the Debian packages that are missing, for building or ($1 = tests) also for testing.
missing_packages() {
  local version
  find_jdk >/dev/null || echo openjdk-17-jdk-headless
  version=$(JAVA_HOME=$(find_jdk || true) version_of mvn --version)
  at_least "${version:-0}" 3.6.3 || echo maven
  if [ -z "${CXX:-}" ]; then # a compiler that the user chose is checked by cppbuild.sh
    version=$(version_of g++ -dumpfullversion)
    at_least "${version:-0}" 11 || echo g++
  fi
  version=$(version_of cmake --version)
  at_least "${version:-0}" 3.22 || echo cmake
  command -v ninja >/dev/null || echo ninja-build
  command -v unzip >/dev/null || echo unzip
  python3 -m pip --version >/dev/null 2>&1 || echo python3-pip
  if [ "${1:-}" = tests ]; then
    command -v ccache >/dev/null || echo ccache
    [ -e /usr/include/gtest/gtest.h ] || [ -n "${GTest_ROOT:-}" ] || echo libgtest-dev
  fi
}

# Runs a command as root: directly, or by sudo where that asks no password. Fails if neither.
as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  else
    sudo -n true 2>/dev/null && sudo "$@"
  fi
}

apt_install() {
  as_root apt-get update -qq &&
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
      -o Dpkg::Use-Pty=0 --no-install-recommends "$@" \
      >/dev/null
}

# Makes the machine ready and exports JAVA_HOME. $1 = tests: for testing, too.
setup() {
  local missing
  missing=$(missing_packages "${1:-}" | tr '\n' ' ')
  if [ -n "$missing" ]; then
    local by_hand="sudo apt-get install --no-install-recommends $missing"
    command -v apt-get >/dev/null ||
      fail "missing on this machine: $missing(names of Debian packages)"
    echo "structkd: installing $missing" >&2
    # shellcheck disable=SC2086  # a list
    apt_install $missing || fail "could not install what is missing; please run: $by_hand"
    missing=$(missing_packages "${1:-}" | tr '\n' ' ')
    [ -z "$missing" ] || fail "apt has no version of these that is new enough: $missing"
  fi
  JAVA_HOME=$(find_jdk)
  export JAVA_HOME
}
