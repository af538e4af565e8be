#!/usr/bin/env bash
# Makes .venv with the `rfablate` command. Safe to run twice, safe to interrupt. See --help.
#
# Where the distribution has DOLFINx 0.9 to 0.11 its packages are used. Debian 12 has only 0.5, so there DOLFINx 0.9.0
# is compiled from Debian 13's source tarball into one wheel, kept in a cache for every later checkout on this machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
unset OMP_NUM_THREADS OMP_THREAD_LIMIT # nproc obeys them, and the compiler should have every core

DOLFINX=0.9.0
DOLFINX_SHA256=8caf7bc7beabe66d8f0e130fa3ef2e65b074952aef88d13314a548894e8f0b03
RECIPE=2 # raise it when the way the wheel is built changes
PYTHON=/usr/bin/python3
VENV=$PWD/.venv
STAMP=$VENV/.rfablate-installed
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/rfablate
LOG=$CACHE/install.log
USE_CONDA="with conda: conda env create -f environment.yml"

# libegl1 and libgl1-mesa-dri draw without a screen; the X libraries are what the Gmsh wheel links to.
RUN_PACKAGES="python3-venv python3-dev gcc python3-mpi4py python3-petsc4py-real python3-petsc4py openmpi-bin
  libgl1 libegl1 libgl1-mesa-dri libglu1-mesa libxrender1 libxcursor1 libxinerama1 libxft2 libxfixes3"
DOLFINX_PACKAGES="python3-dolfinx-real python3-dolfinx"
BUILD_PACKAGES="g++ cmake ninja-build pkg-config libopenmpi-dev libpetsc-real-dev libhdf5-openmpi-dev
  libptscotch-dev libboost-dev libboost-timer-dev libpugixml-dev libspdlog-dev"
# What DOLFINx 0.9 wants from PyPI. Debian 12's petsc4py and mpi4py are built for NumPy 1.
DOLFINX_NEEDS=('fenics-basix==0.9.*' 'fenics-ffcx==0.9.*' 'fenics-ufl==2024.2.*' 'cffi<1.17' 'numpy>=1.26,<2')
PIP=(-m pip --disable-pip-version-check --retries 2)

usage() {
  cat <<TEXT
usage: ./install.sh [--check | --clean-cache | --help]

Makes .venv with the rfablate command, DOLFINx and all they need.
  --check        say what would be done, change nothing
  --clean-cache  delete the compiled DOLFINx kept in $CACHE/wheels
  --help         this text
The first run on a Debian 12 machine takes four to five minutes on two cores, another checkout
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
  echo "[$step_number/6] $1 ($2)"
}
done_step() { echo "      ${1:-done}, $((SECONDS - step_start)) s"; }

# The command runs in the background, so that an interrupt is acted on at once and not when the command ends.
quietly() { # quietly COMMAND...: output to the log; when it fails, says why and stops
  local begin status=0
  begin=$(stat -c %s "$LOG")
  "$@" >>"$LOG" 2>&1 </dev/null &
  wait $! || status=$?
  [ $status = 0 ] || explain_failure "$begin" "$1"
}

NO_NETWORK='could not resolve|temporary failure|could not connect|NewConnectionError|NameResolutionError'
NO_NETWORK+='|ConnectTimeout|ReadTimeout|network is unreachable|failed to fetch'
explain_failure() { # explain_failure LOG_OFFSET WHAT
  local output
  output=$(tail -c "+$(($1 + 1))" "$LOG")
  if grep -qiE "$NO_NETWORK" <<<"$output"; then
    die 14 "no network: the package server cannot be reached; connect and run ./install.sh again (details: $LOG)"
  elif grep -qi 'no space left on device' <<<"$output"; then
    die 13 "the disk is full; free some space and run ./install.sh again (details: $LOG)"
  fi
  tail -n 20 <<<"$output" >&2
  die 15 "$2 failed; its last lines are above, all of them in $LOG"
}

work= # a scratch folder inside the cache, gone at the end whatever happens
cleanup() {
  exec 2>/dev/null # bash would report each job it ends
  trap '' INT TERM HUP
  local job
  for job in $(jobs -p); do kill -TERM -- "-$job"; done
  wait
  [ -z "$work" ] || rm -rf "$work"
}
trap cleanup EXIT
trap 'echo "install.sh: interrupted; run it again to go on" >&2; exit 130' INT TERM HUP
set -m # every background job in its own process group, so that cleanup ends its children too

# --- what this machine is ---------------------------------------------------------------------------------------------

packaged_dolfinx() { # the version of DOLFINx that apt would install, if rfablate can use it
  local version
  version=$(apt-cache policy python3-dolfinx-real 2>/dev/null | awk '/Candidate:/ { print $2 }')
  dpkg --compare-versions "${version:-0}" ge 1:0.9 && dpkg --compare-versions "$version" lt 1:0.12~ || return 1
  echo "${version#*:}"
}

missing_packages() { # those of the arguments that are not installed
  local package
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
  done
}

look_around() { # sets how (packages, source or unknown) and missing, the system packages to install
  # shellcheck source=/dev/null
  . /etc/os-release 2>/dev/null || true
  system=${PRETTY_NAME:-$(uname -sr)}
  command -v apt-get >/dev/null || die 10 "$system has no apt; $USE_CONDA"
  local packages=$RUN_PACKAGES
  if packaged_dolfinx >/dev/null; then
    how=packages packages+=" $DOLFINX_PACKAGES"
  elif [ "${ID:-}" = debian ] && [ "${VERSION_ID:-}" = 12 ]; then
    how=source packages+=" $BUILD_PACKAGES"
  else
    how=unknown
  fi
  # shellcheck disable=SC2086
  missing=$(missing_packages $packages | xargs)
}

check_tools() {
  local tool
  for tool in awk df flock nproc sed sha256sum stat tar xargs; do
    command -v $tool >/dev/null || die 11 "the tool $tool is missing; install it and run ./install.sh again"
  done
}

# Sizes seen: system packages 0.6 GB, virtual environment 1.5 GB, pip's downloads 0.3 GB, build folder 0.2 GB.
check_disk() {
  local folder needs=("$PWD" 1600 "$CACHE" 400)
  [ -z "$missing" ] || needs+=(/ 700)
  [ $how != source ] || wheel_ready || needs+=("$CACHE" 300)
  set -- "${needs[@]}"
  while [ $# -gt 0 ]; do
    folder=$1
    while [ ! -d "$folder" ]; do folder=$(dirname "$folder"); done
    df -Pm "$folder" | awk -v need="$2" 'NR == 2 { print $6, $4, need }'
    shift 2
  done | awk '{ free[$1] = $2; need[$1] += $3 }
    END { for (disk in need) if (free[disk] < need[disk])
            { print "the disk at " disk " has " free[disk] " MB free, " need[disk] " MB are needed"; exit } }'
}

wheel_folder() { # where the compiled DOLFINx for this very machine is, or will be, kept
  local key
  key=$({
    echo "$RECIPE $DOLFINX_SHA256 $(uname -m)"
    # shellcheck disable=SC2086
    dpkg-query -W -f '${Package} ${Version}\n' python3 python3-mpi4py python3-petsc4py-real $BUILD_PACKAGES
  } 2>/dev/null | sha256sum | cut -c 1-16)
  echo "$CACHE/wheels/$key"
}
wheel_ready() { compgen -G "$(wheel_folder)/*.whl" >/dev/null; }

fingerprint() { # of everything the virtual environment is made from
  { cat install.sh pyproject.toml && echo "$VENV" && "$PYTHON" -V; } 2>/dev/null | sha256sum | cut -c 1-16
}
up_to_date() {
  [ "$(cat "$STAMP" 2>/dev/null)" = "$(fingerprint)" ] && "$VENV/bin/python" -c 'import rfablate' 2>/dev/null
}

# --- system packages --------------------------------------------------------------------------------------------------

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

apt_get() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@"; }

become_root() { # asks for the password now, in the foreground
  [ "$(id -u)" != 0 ] || return 0
  local wanted="as root: apt-get install --no-install-recommends $missing"
  command -v sudo >/dev/null || die 12 "not root and no sudo; ask for this $wanted"
  sudo -v || die 12 "sudo refused; ask for this $wanted"
}

install_packages() {
  if [ $how = unknown ] || [ -n "$missing" ]; then
    become_root
    quietly apt_get update
    look_around
  fi
  [ $how != unknown ] || die 10 "$system has no package of DOLFINx 0.9 to 0.11; $USE_CONDA"
  [ -n "$missing" ] || return 0
  quietly as_root dpkg --configure -a # in case an earlier run was interrupted in the middle of this
  # shellcheck disable=SC2086
  quietly apt_get install --yes --no-install-recommends $missing
}

# --- DOLFINx from source ----------------------------------------------------------------------------------------------

# The tarball comes from the archive this machine's apt already uses, whichever that is, through apt itself, with
# private lists: signatures are checked and the system's own apt state is not touched.
fetch_source() { # fetch_source FOLDER
  local apt=$1/apt site
  # shellcheck disable=SC2016
  site=$(apt-get indextargets --format '$(CODENAME) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
    awk '$1 == "bookworm" && $2 == "main" { print $3; exit }')
  [ -n "$site" ] || { echo "apt knows no archive of bookworm main: run apt-get update as root" && return 1; }
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
  echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $site trixie main" >"$apt/sources.list"
  local options=(-q -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt/cache" -o APT::Sandbox::User="$(id -un)"
    -o Acquire::Languages=none -o Acquire::Retries=3)
  apt-get "${options[@]}" update
  (cd "$1" && apt-get "${options[@]}" source --tar-only --download-only fenics-dolfinx)
  echo "$DOLFINX_SHA256  $1/fenics-dolfinx_$DOLFINX.orig.tar.gz" | sha256sum -c
}

# PETSc is libpetsc_real.so on Debian. The C++ library is built in the same run as the bindings, so that every core is
# busy to the end, and in few large units (half the time); it is found beside them, so one relocatable wheel has it all.
edit_source() { # edit_source FOLDER
  sed -i 's/"libpetsc\.so"/"libpetsc_real.so"/' "$1/python/dolfinx/utils.py"
  sed -i 's|^find_package(DOLFINX REQUIRED CONFIG)|add_subdirectory(../cpp libdolfinx)|' "$1/python/CMakeLists.txt"
  cat >>"$1/python/CMakeLists.txt" <<'CMAKE'
set_target_properties(dolfinx PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 6)
set_target_properties(cpp dolfinx PROPERTIES
  INSTALL_RPATH "$ORIGIN/lib;$ORIGIN/../basix/lib;$ORIGIN/../../basix/lib"
  INSTALL_RPATH_USE_LINK_PATH FALSE)
CMAKE
  grep -q libpetsc_real "$1/python/dolfinx/utils.py"
  grep -q 'add_subdirectory(../cpp' "$1/python/CMakeLists.txt"
}

build_wheel() { # build_wheel FOLDER: leaves FOLDER/wheel/*.whl
  set -e
  local src=$1/fenics-dolfinx-$DOLFINX python=$1/env/bin/python launcher=()
  fetch_source "$1"
  tar -xf "$1/fenics-dolfinx_$DOLFINX.orig.tar.gz" -C "$1"
  edit_source "$src"
  "$PYTHON" -m venv --system-site-packages "$1/env"
  "$python" "${PIP[@]}" install 'pip>=24' nanobind==2.5.0 scikit-build-core "${DOLFINX_NEEDS[@]}"
  if command -v ccache >/dev/null; then launcher=(-C cmake.define.CMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
  # -O2 compiles in three quarters of the time of -O3; the element kernels are compiled elsewhere, at run time
  CC=mpicc CXX=mpicxx CMAKE_GENERATOR=Ninja CMAKE_BUILD_PARALLEL_LEVEL=$(nproc) PATH=$1/env/bin:$PATH \
    "$python" "${PIP[@]}" wheel -v --no-build-isolation --no-deps -w "$1/wheel" "$src/python" \
    -C build-dir="$1/build" -C cmake.define.CMAKE_CXX_FLAGS_RELEASE="-O2 -DNDEBUG" "${launcher[@]}" \
    -C install.components=Unspecified -C install.components=RuntimeLibraries \
    -C cmake.define.CMAKE_INSTALL_LIBDIR=dolfinx/lib -C cmake.define.DOLFINX_SKIP_BUILD_TESTS=ON \
    -C cmake.define.DOLFINX_ENABLE_ADIOS2=OFF -C cmake.define.DOLFINX_ENABLE_KAHIP=OFF \
    -C cmake.define.DOLFINX_ENABLE_PARMETIS=OFF -C cmake.define.DOLFINX_ENABLE_SLEPC=OFF
  grep -q 'Found petsc4py' "$LOG" # it would build without, silently
}

# --- the steps in order -----------------------------------------------------------------------------------------------

start_python_packages() { # in the background: it waits for downloads while the compiler uses the cores
  local fresh=--clear wanted=(-e '.[mesh,labels,dev]')
  [ ! -e "$STAMP" ] || fresh= # without a stamp the environment may be half made
  rm -f "$STAMP"
  # shellcheck disable=SC2086
  quietly "$PYTHON" -m venv --system-site-packages $fresh "$VENV"
  [ $how = packages ] || wanted+=("${DOLFINX_NEEDS[@]}")
  pip_log=$CACHE/pip.log
  "$VENV/bin/python" "${PIP[@]}" install --no-compile "${wanted[@]}" >"$pip_log" 2>&1 </dev/null &
  pip_job=$!
}

finish_python_packages() {
  local begin status=0
  begin=$(stat -c %s "$LOG")
  wait "$pip_job" || status=$?
  cat "$pip_log" >>"$LOG"
  [ $status = 0 ] || explain_failure "$begin" "pip install"
  [ $how = source ] || return 0
  local built=$VENV/.dolfinx-build # no version number tells one build from the next
  [ "$(cat "$built" 2>/dev/null)" != "$(wheel_folder)" ] || return 0
  quietly "$VENV/bin/python" "${PIP[@]}" install --no-deps --no-index --force-reinstall "$(wheel_folder)"/*.whl
  wheel_folder >"$built"
}

provide_dolfinx() {
  if [ $how = packages ]; then
    step "DOLFINx $(packaged_dolfinx): a system package" "nothing to compile"
  elif wheel_ready; then
    step "DOLFINx $DOLFINX: compiled earlier on this machine" "nothing to compile"
  else
    step "DOLFINx $DOLFINX: compile it on $(nproc) cores, once per machine" "about $((360 / $(nproc) + 20)) s"
    local folder
    folder=$(wheel_folder)
    work=$(mktemp -d "$CACHE/build.XXXXXX")
    quietly build_wheel "$work"
    mkdir -p "$CACHE/wheels"
    rm -rf "$folder"
    mv -T "$work/wheel" "$folder" # in one move, so there is never half a wheel
  fi
  done_step
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
  local answer
  answer=$("$VENV/bin/python" -c "$SMOKE" 2>>"$LOG" | tail -n 1) || answer=
  [ -n "$answer" ] || die 16 "installed, but it does not work: see the end of $LOG and .venv/bin/rfablate doctor"
  done_step "$answer"
}

say_plan() {
  look_around
  echo "system packages to install: ${missing:-none}"
  case $how in
    packages) echo "DOLFINx: the system's package, $(packaged_dolfinx)" ;;
    source) echo "DOLFINx: $DOLFINX, $(if wheel_ready; then echo "compiled already"; else echo "to be compiled"; fi)" ;;
    *) echo "DOLFINx: apt knows no version that fits; it would update its lists first" ;;
  esac
  if up_to_date; then echo ".venv: up to date"; else echo ".venv: to be made or brought up to date"; fi
}

install_all() {
  step "Look at this machine" "a second"
  look_around
  local too_little
  too_little=$(check_disk)
  [ -z "$too_little" ] || die 13 "$too_little"
  done_step "$system"

  local expected="about 40 s"
  [ -n "$missing" ] || expected="nothing to do"
  step "System packages: ${missing:-all there}" "$expected"
  install_packages
  done_step

  step "Virtual environment .venv, downloads begin" "5 s"
  start_python_packages
  done_step
  provide_dolfinx

  step "Python packages into .venv" "up to half a minute"
  finish_python_packages
  done_step

  step "Check: import everything, compile and integrate one form" "5 s"
  check_result
  fingerprint >"$STAMP"
  echo "done in $SECONDS s. Try: .venv/bin/rfablate doctor, or: make run"
}

case ${1:-} in
  "") ;;
  --help | -h) usage && exit ;;
  --check) say_plan && exit ;;
  --clean-cache) rm -rf "$CACHE/wheels" && exit ;;
  *) die 2 "unknown option $1; see ./install.sh --help" ;;
esac
if up_to_date; then echo "rfablate is installed and up to date in .venv" && exit; fi
command -v apt-get >/dev/null || look_around # says what to do instead
check_tools
mkdir -p "$CACHE" 2>/dev/null || true
[ -w "$CACHE" ] || die 15 "cannot write to $CACHE; XDG_CACHE_HOME moves it"
exec 9>"$CACHE/lock"
flock -n 9 || { echo "another install.sh is at work on this machine; waiting for it" && flock 9; }
: >"$LOG"
install_all
