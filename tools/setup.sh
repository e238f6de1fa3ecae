# What tools/demo and tools/check share: the packages and the build folder.
# Sourced, not run. Both steps do only what is missing.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${DS_BUILD_DIR:-$root/build}
packages=(llvm-22-dev llvm-22-tools libmlir-22-dev mlir-22-tools clang-22 lld-22
          libclang-rt-22-dev libfmt-dev nlohmann-json3-dev libpcre2-dev
          cmake ninja-build ccache python3 g++)

say() { printf '\n== %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Installs the packages that are not there. Needs Debian's apt and root or sudo;
# elsewhere it says what is missing and goes on if all tools are found anyway.
install_packages() {
  local missing=() package
  if command -v dpkg-query >/dev/null; then
    for package in "${packages[@]}"; do
      dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q ' installed' ||
        missing+=("$package")
    done
    if [ ${#missing[@]} -eq 0 ]; then
      say "All packages are installed"
      return
    fi
  else
    missing=("${packages[@]}")
  fi
  local as_root=""
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null && as_root="sudo"
  fi
  if ! command -v apt-get >/dev/null; then
    have_tools || die "this is not a Debian system: install LLVM and MLIR 22.1 with
development files, clang 22, lld 22, fmt, nlohmann-json, PCRE2, cmake, ninja, python3
(on Debian: ${packages[*]}) and run this again"
    return
  fi
  if [ "$(id -u)" -ne 0 ] && [ -z "$as_root" ]; then
    die "these packages are missing and there is neither root nor sudo to install them:
  ${missing[*]}
Ask an administrator to run: apt-get install ${missing[*]}"
  fi
  say "Installing ${missing[*]}"
  $as_root apt-get update -qq ||
    printf 'warning: the package lists could not be updated\n' >&2
  DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq \
    --no-install-recommends "${missing[@]}" >"${TMPDIR:-/tmp}/ds-install.log" 2>&1 || {
    tail -5 "${TMPDIR:-/tmp}/ds-install.log" >&2
    die "the packages could not be installed (LLVM 22 is in Debian 12's security
archive: is it enabled?); the whole log is ${TMPDIR:-/tmp}/ds-install.log"
  }
}

have_tools() {
  command -v clang++-22 >/dev/null && command -v cmake >/dev/null &&
    command -v ninja >/dev/null && [ -d /usr/lib/llvm-22/lib/cmake/mlir ]
}

# Configures and builds the named targets (all without one).
build_targets() {
  say "Building in $build (a few minutes the first time)"
  [ -f "$build/build.ninja" ] ||
    cmake -S "$root" -B "$build" -G Ninja -DCMAKE_CXX_COMPILER=clang++-22 \
      -DCMAKE_C_COMPILER=clang-22 -Wno-dev >"$build.log" 2>&1 || {
      tail -20 "$build.log" >&2
      die "the build could not be configured; the whole log is $build.log"
    }
  NINJA_STATUS='[%f/%t %es] ' ninja -C "$build" "$@" || die "the build failed"
}
