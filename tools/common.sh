# What the scripts share. Sourced.

# Downloads that several checkouts can use: LibTorch's headers, clang-format.
structkd_cache=${XDG_CACHE_HOME:-$HOME/.cache}/structkd

fail() { echo "structkd: $*" >&2; exit 1; }

# True if version $1 is at least $2.
at_least() { [ "$(printf '%s\n' "$1" "$2" | sort -V | head -1)" = "$2" ]; }

# One hash over the names and contents of all files under the given paths.
hash_files() {
  find "$@" -type d -name target -prune -o -type f -print0 | LC_ALL=C sort -z |
    xargs -0 sha256sum | sha256sum | cut -d' ' -f1
}
