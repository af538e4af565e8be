#!/usr/bin/env bash
# Makes .venv with the `rfablate` command. Safe to run twice, safe to interrupt. See --help.
#
# Where the distribution has DOLFINx 0.9 to 0.11 its packages are used. Debian 12 has only 0.5, so there DOLFINx 0.9.0
# is compiled from Debian 13's source tarball into one wheel, kept in a cache for every later checkout on this machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

DOLFINX=0.9.0
DOLFINX_SHA256=8caf7bc7beabe66d8f0e130fa3ef2e65b074952aef88d13314a548894e8f0b03
RECIPE=1 # raise it when the way the wheel is built changes
PYTHON=/usr/bin/python3
VENV=$PWD/.venv
STAMP=$VENV/.rfablate-installed
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/rfablate
LOG=$CACHE/install.log
STEPS=5

usage() {
  cat <<TEXT
usage: ./install.sh [--check | --clean-cache | --help]

Makes .venv with the rfablate command, DOLFINx and all they need.
  --check        say what would be done, change nothing
  --clean-cache  delete the compiled DOLFINx kept in $CACHE/wheels
  --help         this text
The first run on a Debian 12 machine takes about five minutes on two cores, another checkout
half a minute, a second run a second. The output of the tools goes to $LOG

Exit status: 0 done, 10 system not supported, 11 a tool is missing, 12 not root and no sudo,
13 too little disk, 14 no network, 15 a step failed, 16 the result does not work, 130 interrupted.
TEXT
}

# --- saying what happens ----------------------------------------------------------------------------------------------

die() { # die STATUS MESSAGE: one line, then out
  echo "install.sh: $2" >&2
  exit "$1"
}

step_number=0
step() { # step TEXT EXPECTED: announces the next numbered step
  step_number=$((step_number + 1))
  step_start=$SECONDS
  echo "[$step_number/$STEPS] $1 ($2)"
}
done_step() { echo "      ${1:-done}, $((SECONDS - step_start)) s"; }

# Runs in the background and waits, so that an interrupt is acted on at once and not when the command ends.
quietly() { # quietly COMMAND...: output to the log; when it fails, says why and stops
  local begin status=0
  begin=$(stat -c %s "$LOG")
  "$@" >>"$LOG" 2>&1 </dev/null &
  wait $! || status=$?
  [ $status = 0 ] || explain_failure "$begin" "$1"
}

explain_failure() { # explain_failure LOG_OFFSET COMMAND
  local tail
  tail=$(tail -c "+$(($1 + 1))" "$LOG")
  if grep -qiE 'could not resolve|temporary failure|could not connect|NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeout|network is unreachable|failed to fetch' <<<"$tail"; then
    die 14 "no network: the package server could not be reached; connect and run ./install.sh again (details: $LOG)"
  elif grep -qi 'no space left on device' <<<"$tail"; then
    die 13 "the disk is full; free some space and run ./install.sh again (details: $LOG)"
  fi
  tail -n 20 <<<"$tail" >&2
  die 15 "'$2' failed; its last lines are above, all of them in $LOG"
}

work= # a scratch folder inside the cache, gone at the end whatever happens
cleanup() {
  trap - EXIT INT TERM HUP
  local job
  for job in $(jobs -p); do kill -TERM -- "-$job" 2>/dev/null || true; done
  [ -z "$work" ] || rm -rf "$work"
}
trap cleanup EXIT
trap 'echo; echo "install.sh: interrupted; nothing half-made is kept, run it again to go on" >&2; exit 130' INT TERM HUP
set -m # every background job in its own process group, so that cleanup ends its children too

# --- what this machine is ---------------------------------------------------------------------------------------------

RUN_PACKAGES="python3-venv python3-dev gcc python3-mpi4py openmpi-bin
  libgl1 libegl1 libosmesa6 libglu1-mesa libxrender1 libxcursor1 libxinerama1 libxft2 libxfixes3"
DISTRO_PACKAGES="python3-dolfinx-real python3-dolfinx python3-petsc4py-real python3-petsc4py"
BUILD_PACKAGES="python3-petsc4py-real python3-petsc4py g++ cmake ninja-build pkg-config libopenmpi-dev libpetsc-real-dev libhdf5-openmpi-dev
  libptscotch-dev libboost-dev libboost-timer-dev libpugixml-dev libspdlog-dev"

packaged_dolfinx() { # the version of DOLFINx that apt would install, if rfablate can use it
  local version
  version=$(apt-cache policy python3-dolfinx-real 2>/dev/null | awk '/Candidate:/ { print $2 }')
  [ -n "$version" ] && [ "$version" != "(none)" ] || return 1
  dpkg --compare-versions "$version" ge 1:0.9 && dpkg --compare-versions "$version" lt 1:0.12~ || return 1
  echo "$version"
}

missing_packages() { # those of the arguments that are not installed
  local package
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
  done
}

look_around() { # sets how (packages or source), packages, missing, wheel
  # shellcheck source=/dev/null
  . /etc/os-release 2>/dev/null || true
  if ! command -v apt-get >/dev/null; then
    die 10 "${PRETTY_NAME:-this system} has no apt; with conda: conda env create -f environment.yml"
  fi
  if packaged_dolfinx >/dev/null; then
    how=packages
    packages="$RUN_PACKAGES $DISTRO_PACKAGES"
  elif [ "${ID:-}" = debian ] && [ "${VERSION_ID:-}" = 12 ]; then
    how=source
    packages="$RUN_PACKAGES $BUILD_PACKAGES"
  else
    how=unknown
    packages=$RUN_PACKAGES
  fi
  # shellcheck disable=SC2086
  missing=$(missing_packages $packages | tr '\n' ' ')
}

need_space() { # need_space FOLDER MEGABYTES: the nearest existing parent must have that much room
  local folder=$1 free
  while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
  free=$(df -Pm "$folder" | awk 'NR == 2 { print $4 }')
  [ "$free" -ge "$2" ] || die 13 "too little disk: $folder has $free MB free, $2 MB are needed"
}

wheel_path() { # where the compiled DOLFINx for this very machine is, or will be, kept
  local key
  key=$({
    echo "$RECIPE $DOLFINX_SHA256"
    "$PYTHON" -V
    dpkg-query -W -f '${Package} ${Version}\n' g++ libopenmpi-dev libpetsc-real-dev libhdf5-openmpi-dev libptscotch-dev \
      libpugixml-dev libspdlog-dev python3-petsc4py-real python3-mpi4py
  } 2>/dev/null | sha256sum | cut -c 1-16)
  echo "$CACHE/wheels/$key"
}

fingerprint() { # of everything the virtual environment is made from
  { cat install.sh pyproject.toml && echo "$VENV" && "$PYTHON" -V; } 2>/dev/null | sha256sum | cut -c 1-16
}

# --- the steps --------------------------------------------------------------------------------------------------------

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

apt_get() { quietly as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@"; }

become_root() {
  [ "$(id -u)" = 0 ] && return
  local wanted="$missing"
  command -v sudo >/dev/null || die 12 "these packages need root, and there is no sudo: apt-get install $wanted"
  sudo -v || die 12 "these packages need root: apt-get install $wanted"
}

install_packages() {
  if [ $how = unknown ] || [ -n "$missing" ]; then
    become_root
    apt_get update
    look_around
  fi
  [ $how != unknown ] ||
    die 10 "${PRETTY_NAME:-this system} has no DOLFINx 0.9 to 0.11 package; with conda: conda env create -f environment.yml"
  [ -z "$missing" ] && return
  # shellcheck disable=SC2086
  apt_get install --yes --no-install-recommends $missing
}

# The tarball comes from the archive this machine's apt already uses, whichever that is, through apt itself, with
# private lists: signatures are checked and the system's own apt state is not touched.
fetch_source() { # fetch_source FOLDER
  local site lists=$1/apt
  site=$(apt-get indextargets --format '$(CODENAME) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
    awk '$1 == "bookworm" && $2 == "main" { print $3; exit }')
  [ -n "$site" ] || { echo "apt lists no site for bookworm main; run apt-get update" && return 1; }
  mkdir -p "$lists/lists/partial" "$lists/cache/archives/partial"
  echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $site trixie main" >"$lists/sources.list"
  local options=(-q -o Dir::Etc::SourceList="$lists/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o Dir::State::lists="$lists/lists" -o Dir::Cache="$lists/cache" -o APT::Sandbox::User=root
    -o Acquire::Languages=none -o Acquire::Retries=3)
  apt-get "${options[@]}" update
  (cd "$1" && apt-get "${options[@]}" source --tar-only --download-only fenics-dolfinx)
  echo "$DOLFINX_SHA256  $1/fenics-dolfinx_$DOLFINX.orig.tar.gz" | sha256sum -c
}

# Three edits. PETSc is libpetsc_real.so on Debian. The C++ library is built in the same run as the bindings, which
# keeps every core busy to the end. And it is found next to them, so that one relocatable wheel holds it all.
edit_source() { # edit_source FOLDER
  sed -i 's/"libpetsc\.so"/"libpetsc_real.so"/' "$1/python/dolfinx/utils.py"
  sed -i -e 's|^find_package(DOLFINX REQUIRED CONFIG)|add_subdirectory(../cpp libdolfinx)|' "$1/python/CMakeLists.txt"
  cat >>"$1/python/CMakeLists.txt" <<'CMAKE'
set_target_properties(cpp dolfinx PROPERTIES
  INSTALL_RPATH "$ORIGIN/lib;$ORIGIN/../basix/lib;$ORIGIN/../../basix/lib;$ORIGIN/../fenics_basix.libs;$ORIGIN/../../fenics_basix.libs"
  INSTALL_RPATH_USE_LINK_PATH FALSE)
CMAKE
  grep -q libpetsc_real "$1/python/dolfinx/utils.py"
  grep -q 'add_subdirectory(../cpp' "$1/python/CMakeLists.txt"
}

build_wheel() { # build_wheel FOLDER: leaves FOLDER/wheel/*.whl
  set -e
  local src=$1/fenics-dolfinx-$DOLFINX
  fetch_source "$1"
  tar -xf "$1/fenics-dolfinx_$DOLFINX.orig.tar.gz" -C "$1"
  edit_source "$src"
  "$PYTHON" -m venv --system-site-packages "$1/env"
  "$1/env/bin/pip" install -q --disable-pip-version-check --retries 2 'pip>=24' 'fenics-basix==0.9.*' \
    'fenics-ffcx==0.9.*' 'fenics-ufl==2024.2.*' nanobind==2.5.0 scikit-build-core 'numpy>=1.26,<2'
  local launcher=()
  if command -v ccache >/dev/null; then launcher=(-C cmake.define.CMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
  CC=mpicc CXX=mpicxx CMAKE_GENERATOR=Ninja CMAKE_BUILD_PARALLEL_LEVEL=$(nproc) PATH=$1/env/bin:$PATH \
    "$1/env/bin/pip" wheel --disable-pip-version-check --no-build-isolation --no-deps -w "$1/wheel" -v "$src/python" \
    -C build-dir="$1/build" -C cmake.build-type=Release "${launcher[@]}" \
    -C install.components=Unspecified -C install.components=RuntimeLibraries \
    -C cmake.define.CMAKE_INSTALL_LIBDIR=dolfinx/lib -C cmake.define.CMAKE_UNITY_BUILD=OFF \
    -C cmake.define.DOLFINX_SKIP_BUILD_TESTS=ON -C cmake.define.DOLFINX_ENABLE_ADIOS2=OFF \
    -C cmake.define.DOLFINX_ENABLE_KAHIP=OFF -C cmake.define.DOLFINX_ENABLE_PARMETIS=OFF \
    -C cmake.define.DOLFINX_ENABLE_SLEPC=OFF
}

provide_dolfinx() {
  if [ $how = packages ]; then
    step "DOLFINx: the distribution's package" "nothing to compile"
    done_step "version $(packaged_dolfinx)"
    return
  fi
  local wheel
  wheel=$(wheel_path)
  if compgen -G "$wheel/*.whl" >/dev/null; then
    step "DOLFINx $DOLFINX: compiled earlier on this machine" "nothing to compile"
  else
    step "DOLFINx $DOLFINX: compiling on $(nproc) cores, once per machine" "about $((500 / $(nproc) + 15)) s"
    work=$(mktemp -d "$CACHE/build.XXXXXX")
    quietly build_wheel "$work"
    mkdir -p "$CACHE/wheels"
    rm -rf "$wheel"
    mv -T "$work/wheel" "$wheel"
  fi
  quietly "$VENV/bin/pip" install --disable-pip-version-check --retries 2 --no-deps --force-reinstall "$wheel"/*.whl
  done_step
}

start_python_packages() { # in the background: it waits for downloads while the compiler uses the cores
  step "Python packages into .venv" "half a minute, beside the next step"
  local fresh=--clear # without a stamp the environment may be half made
  [ ! -e "$STAMP" ] || fresh=
  rm -f "$STAMP"
  # shellcheck disable=SC2086
  quietly "$PYTHON" -m venv --system-site-packages $fresh "$VENV"
  local wanted=(-e '.[mesh,dev]')
  # Debian 12's petsc4py and mpi4py are built for NumPy 1
  [ $how = packages ] || wanted+=('fenics-ffcx==0.9.*' 'fenics-basix==0.9.*' 'fenics-ufl==2024.2.*' 'cffi<1.17' 'numpy>=1.26,<2')
  pip_log=$CACHE/pip.log
  "$VENV/bin/pip" install --disable-pip-version-check --retries 2 "${wanted[@]}" >"$pip_log" 2>&1 </dev/null &
  pip_job=$!
}

finish_python_packages() {
  local begin status=0
  begin=$(stat -c %s "$LOG")
  wait "$pip_job" || status=$?
  cat "$pip_log" >>"$LOG"
  rm -f "$pip_log"
  [ $status = 0 ] || explain_failure "$begin" "pip install"
}

SMOKE='
import sys, gmsh, h5py, pyvista, rfablate, ufl, dolfinx, dolfinx.fem.petsc
from mpi4py import MPI
mesh = dolfinx.mesh.create_unit_square(MPI.COMM_SELF, 2, 2)
area = dolfinx.fem.assemble_scalar(dolfinx.fem.form(1.0 * ufl.dx(mesh)))
assert abs(area - 1) < 1e-12, area
print("DOLFINx", dolfinx.__version__, "on Python", sys.version.split()[0])
'

check_result() {
  step "Check: import everything, compile and integrate one form" "10 s"
  local answer
  answer=$("$VENV/bin/python" -c "$SMOKE" 2>>"$LOG" | tail -n 1) && [ -n "$answer" ] ||
    die 16 "installed, but it does not work; see the end of $LOG and run .venv/bin/rfablate doctor"
  done_step "$answer"
}

# --- main -------------------------------------------------------------------------------------------------------------

say_plan() {
  look_around
  echo "system packages to install: ${missing:-none}"
  case $how in
    packages) echo "DOLFINx: the distribution's, $(packaged_dolfinx)" ;;
    source) echo "DOLFINx: $DOLFINX from source, $(compgen -G "$(wheel_path)/*.whl" >/dev/null && echo "compiled already" || echo "to be compiled")" ;;
    *) echo "DOLFINx: apt knows no usable version yet; it would be asked to update its lists first" ;;
  esac
  if up_to_date; then echo ".venv: up to date"; else echo ".venv: to be made or brought up to date"; fi
}

up_to_date() { [ "$(cat "$STAMP" 2>/dev/null)" = "$(fingerprint)" ] && "$VENV/bin/python" -c 'import rfablate' 2>/dev/null; }

main() {
  case ${1:-} in
    "") ;;
    --help | -h) usage && exit 0 ;;
    --check) say_plan && exit 0 ;;
    --clean-cache) rm -rf "$CACHE/wheels" && exit 0 ;;
    *) die 2 "unknown option $1; see ./install.sh --help" ;;
  esac
  if up_to_date; then echo "rfablate is installed and up to date in .venv" && exit 0; fi
  mkdir -p "$CACHE" || die 13 "cannot write to $CACHE"
  exec 9>"$CACHE/lock"
  flock -n 9 || { echo "another install.sh is at work on this machine; waiting for it" && flock 9; }
  : >"$LOG"

  step "Look at this machine" "a second"
  look_around
  [ -x "$PYTHON" ] || [ -n "$missing" ] || die 11 "$PYTHON is missing; install python3"
  [ -z "$missing" ] || need_space / 1200
  need_space "$PWD" 1500
  [ $how = packages ] || need_space "$CACHE" 600
  done_step "${PRETTY_NAME:-}"

  step "System packages: ${missing:-all there}" "a minute"
  install_packages
  done_step

  start_python_packages
  provide_dolfinx
  finish_python_packages
  check_result
  fingerprint >"$STAMP"
  echo "done in $SECONDS s. Try: .venv/bin/rfablate doctor, or: make run"
}

main "$@"
