# Shared functions, to be sourced from the project's folder: skip a part with a reason, and create a
# Python environment.

# Android Studio, started from a desktop, has a PATH without cargo.
export PATH=$PATH:${HOME:-}/.cargo/bin
target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target"
target=$(cd "$target" && pwd)

# skip PART REASON: `make test` counts these lines.
skip() { echo "skipped: $1: $2"; }

# end_skipped PART REASON: ends a script that can do nothing; a failure if nothing may be skipped.
end_skipped() {
  skip "$1" "$2"
  [ "${NUMBER_VERIFY_NO_SKIP:-}" != 1 ]
  exit
}

# project_version: that of Cargo.toml, the first one in it.
project_version() { sed -n '/^version = /{s/.*"\(.*\)"/\1/p;q;}' Cargo.toml; }

# has_python MINOR: whether `python3` is Python 3.MINOR or later.
has_python() { python3 -c "import sys; sys.exit(sys.version_info < (3, $1))" 2>/dev/null; }

# python_environment PART MINOR PIP-ARGUMENT…: sets $environment to a virtual environment with these
# requirements. Requires Python 3.MINOR; otherwise the part is skipped. $PYTHON is a `python3` that
# is not on the PATH.
python_environment() {
  local part=$1 minor=$2 python=${PYTHON:-python3}
  shift 2
  command -v "$python" >/dev/null || { skip "$part" "$python is not on the PATH"; return 1; }
  "$python" -c "import sys; sys.exit(sys.version_info < (3, $minor))" || { skip "$part" "it needs Python 3.$minor, and $python is older"; return 1; }
  "$python" -c 'import ensurepip, venv' 2>/dev/null || { skip "$part" "$python has no pip for a virtual environment (Debian: apt-get install python3-venv)"; return 1; }
  environment=$target/python/$part
  mkdir -p "$target/python"
  export PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1
  "$environment/bin/python" -c '' 2>/dev/null || "$python" -m venv --clear "$environment"
  "$environment/bin/pip" install --quiet --require-hashes --no-deps "$@" ||
    { skip "$part" "its Python packages could not be installed: pip install --require-hashes $*"; return 1; }
}

# start_simulator FLAG…: starts the simulator program; its line of JSON is in $simulator_line, its
# process in $simulator. It ends with the script that has called this function, at the latest.
start_simulator() {
  local output
  exec {output}< <(exec "$target/debug/number-verify-simulator" --json "$@")
  simulator=$! simulators+=($!)
  trap 'kill "${simulators[@]}" 2>/dev/null || true' EXIT
  read -r simulator_line <&"$output" || { echo "the simulator did not start" >&2; exit 1; }
}
simulators=()

# How cargo builds what is shipped; the crate type follows. Only one type, because another one may
# disable LTO. Panic messages contain source paths: remapping them makes builds on different
# machines identical.
remapped="'--remap-path-prefix=${CARGO_HOME:-${HOME:-}/.cargo}/registry/src/=', '--remap-path-prefix=$PWD/='"
as_shipped=(rustc --config "target.'cfg(all())'.rustflags=[$remapped]" --locked --release --lib --crate-type)
# The last arguments of that command for Android: uniffi's metadata, used only by the bindings
# generator, is excluded (37 KB). lld warns about each symbol that rustc exports and this script
# makes local.
for_android=(-- -C "link-arg=-Wl,--version-script=$PWD/bindings/kotlin/metadata-symbols" -C "link-arg=-Wl,--no-warnings")
