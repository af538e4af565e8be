#!/usr/bin/env bash
# Creates .venv with the `rfablate` command. Can be repeated and interrupted. See --help.
#
# Uses the distribution's DOLFINx packages if their version is 0.9 to 0.11. Debian 12 has only 0.5; there DOLFINx 0.9.0
# is compiled from Debian 13's source tarball into one wheel, cached for later checkouts on the same machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
unset OMP_NUM_THREADS OMP_THREAD_LIMIT # nproc respects them, but the compiler should use all cores

DOLFINX=0.9.0
DOLFINX_SHA256=8caf7bc7beabe66d8f0e130fa3ef2e65b074952aef88d13314a548894e8f0b03
RECIPE=2 # increase when the build of the wheel changes
PYTHON=/usr/bin/python3
VENV=$PWD/.venv
STAMP=$VENV/.rfablate-installed
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/rfablate
LOG=$CACHE/install.log
USE_CONDA="with conda: conda env create -f environment.yml"

# libegl1 and libgl1-mesa-dri render without a display; the Gmsh wheel links to the X libraries; Pango and a font are for
# the PDF of a report.
RUN_PACKAGES="python3-venv python3-dev gcc python3-mpi4py python3-petsc4py-real python3-petsc4py openmpi-bin
  libgl1 libegl1 libgl1-mesa-dri libglu1-mesa libxrender1 libxcursor1 libxinerama1 libxft2 libxfixes3
  libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-dejavu-core"
DOLFINX_PACKAGES="python3-dolfinx-real python3-dolfinx"
BUILD_PACKAGES="g++ cmake ninja-build pkg-config libopenmpi-dev libpetsc-real-dev libhdf5-openmpi-dev
  libptscotch-dev libboost-dev libboost-timer-dev libpugixml-dev libspdlog-dev"
# Requirements of DOLFINx 0.9 from PyPI. Debian 12's petsc4py and mpi4py are built for NumPy 1.
DOLFINX_NEEDS=('fenics-basix==0.9.*' 'fenics-ffcx==0.9.*' 'fenics-ufl==2024.2.*' 'cffi<1.17' 'numpy>=1.26,<2')
PIP=(-m pip --disable-pip-version-check --retries 2)

usage() {
  cat <<TEXT
usage: ./install.sh [--check | --clean-cache | --help]

Creates .venv with the rfablate command, DOLFINx and their requirements.
  --check        print the planned steps, change nothing
  --clean-cache  delete the compiled DOLFINx cached in $CACHE/wheels
  --help         print this text
The first run on a Debian 12 machine takes four to five minutes on two cores, a further checkout
half a minute, a repeated run one second. The output of the tools is written to $LOG

Exit status: 0 done, 10 system not supported, 11 a tool is missing, 12 not root and no sudo,
13 not enough disk space, 14 no network, 15 a step failed, 16 the installation does not work,
130 interrupted.
TEXT
}

# --- messages --------------------------------------------------------------------------------------------------------

die() { # die STATUS MESSAGE: print the message and exit
  echo "install.sh: $2" >&2
  exit "$1"
}

step_number=0
step() { # step TEXT EXPECTED: print the next numbered step and its expected duration
  step_number=$((step_number + 1))
  step_start=$SECONDS
  echo "[$step_number/6] $1 ($2)"
}
done_step() { echo "      ${1:-done}, $((SECONDS - step_start)) s"; }

# The command runs in the background, so that an interrupt takes effect immediately.
quietly() { # quietly COMMAND...: output to the log; if it fails, print the cause and exit
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
    die 14 "no network: the package server cannot be reached; check the connection and run ./install.sh again (details: $LOG)"
  elif grep -qi 'no space left on device' <<<"$output"; then
    die 13 "the disk is full; free disk space and run ./install.sh again (details: $LOG)"
  fi
  tail -n 20 <<<"$output" >&2
  die 15 "$2 failed; the last lines of its output are above, the complete output is in $LOG"
}

work= # a temporary folder inside the cache, always deleted at the end
cleanup() {
  exec 2>/dev/null # suppress bash's messages about ended jobs
  trap '' INT TERM HUP
  local job
  for job in $(jobs -p); do kill -TERM -- "-$job"; done
  wait
  [ -z "$work" ] || rm -rf "$work"
}
trap cleanup EXIT
trap 'echo "install.sh: interrupted; run it again to continue" >&2; exit 130' INT TERM HUP
set -m # each background job in its own process group, so that cleanup also ends its children

# --- this machine ----------------------------------------------------------------------------------------------------

packaged_dolfinx() { # print the version of DOLFINx from apt if rfablate supports it
  local version
  version=$(apt-cache policy python3-dolfinx-real 2>/dev/null | awk '/Candidate:/ { print $2 }')
  dpkg --compare-versions "${version:-0}" ge 1:0.9 && dpkg --compare-versions "$version" lt 1:0.12~ || return 1
  echo "${version#*:}"
}

missing_packages() { # print the arguments that are not installed
  local package
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
  done
}

look_around() { # set `how` (packages, source or unknown) and `missing`, the system packages to install
  # shellcheck source=/dev/null
  . /etc/os-release 2>/dev/null || true
  system=${PRETTY_NAME:-$(uname -sr)}
  command -v apt-get >/dev/null || die 10 "$system does not use apt; install $USE_CONDA"
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

# Measured sizes: system packages 0.6 GB, virtual environment 1.5 GB, pip's downloads 0.3 GB, build folder 0.2 GB.
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
            { print "not enough disk space at " disk ": " free[disk] " MB free, " need[disk] " MB needed"; exit } }'
}

wheel_folder() { # print the cache folder of the DOLFINx compiled for this machine
  local key
  key=$({
    echo "$RECIPE $DOLFINX_SHA256 $(uname -m)"
    # shellcheck disable=SC2086
    dpkg-query -W -f '${Package} ${Version}\n' python3 python3-mpi4py python3-petsc4py-real $BUILD_PACKAGES
  } 2>/dev/null | sha256sum | cut -c 1-16)
  echo "$CACHE/wheels/$key"
}
wheel_ready() { compgen -G "$(wheel_folder)/*.whl" >/dev/null; }

fingerprint() { # print a hash of the inputs of the virtual environment
  { cat install.sh pyproject.toml && echo "$VENV" && "$PYTHON" -V; } 2>/dev/null | sha256sum | cut -c 1-16
}
up_to_date() {
  [ "$(cat "$STAMP" 2>/dev/null)" = "$(fingerprint)" ] && "$VENV/bin/python" -c 'import rfablate' 2>/dev/null
}

# --- system packages --------------------------------------------------------------------------------------------------

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

apt_get() { as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 "$@"; }

become_root() { # ask for the password now, in the foreground
  [ "$(id -u)" != 0 ] || return 0
  local wanted="apt-get install --no-install-recommends $missing"
  command -v sudo >/dev/null || die 12 "not root and no sudo; have an administrator run: $wanted"
  sudo -v || die 12 "sudo failed; have an administrator run: $wanted"
}

install_packages() {
  if [ $how = unknown ] || [ -n "$missing" ]; then
    become_root
    quietly apt_get update
    look_around
  fi
  [ $how != unknown ] || die 10 "$system has no package of DOLFINx 0.9 to 0.11; install $USE_CONDA"
  [ -n "$missing" ] || return 0
  quietly as_root dpkg --configure -a # an earlier run may have been interrupted at this point
  # shellcheck disable=SC2086
  quietly apt_get install --yes --no-install-recommends $missing
}

# --- DOLFINx from source ----------------------------------------------------------------------------------------------

# apt downloads the tarball from the archive that this machine already uses, with separate package lists: apt verifies
# the signatures, and the state of the system's apt does not change.
fetch_source() { # fetch_source FOLDER
  local apt=$1/apt site
  # shellcheck disable=SC2016
  site=$(apt-get indextargets --format '$(CODENAME) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
    awk '$1 == "bookworm" && $2 == "main" { print $3; exit }')
  [ -n "$site" ] || { echo "apt has no archive of bookworm main: run apt-get update as root" && return 1; }
  mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
  echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $site trixie main" >"$apt/sources.list"
  local options=(-q -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt/cache" -o APT::Sandbox::User="$(id -un)"
    -o Acquire::Languages=none -o Acquire::Retries=3)
  apt-get "${options[@]}" update
  (cd "$1" && apt-get "${options[@]}" source --tar-only --download-only fenics-dolfinx)
  echo "$DOLFINX_SHA256  $1/fenics-dolfinx_$DOLFINX.orig.tar.gz" | sha256sum -c
}

# PETSc is libpetsc_real.so on Debian. The C++ library is built together with the bindings, which uses all cores until
# the end, and in few large units (half the time). One relocatable wheel contains both.
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

build_wheel() { # build_wheel FOLDER: create FOLDER/wheel/*.whl
  set -e
  local src=$1/fenics-dolfinx-$DOLFINX python=$1/env/bin/python launcher=()
  fetch_source "$1"
  tar -xf "$1/fenics-dolfinx_$DOLFINX.orig.tar.gz" -C "$1"
  edit_source "$src"
  "$PYTHON" -m venv --system-site-packages "$1/env"
  "$python" "${PIP[@]}" install 'pip>=24' nanobind==2.5.0 scikit-build-core "${DOLFINX_NEEDS[@]}"
  if command -v ccache >/dev/null; then launcher=(-C cmake.define.CMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
  # -O2 needs three quarters of the compile time of -O3; the element kernels are compiled at run time
  CC=mpicc CXX=mpicxx CMAKE_GENERATOR=Ninja CMAKE_BUILD_PARALLEL_LEVEL=$(nproc) PATH=$1/env/bin:$PATH \
    "$python" "${PIP[@]}" wheel -v --no-build-isolation --no-deps -w "$1/wheel" "$src/python" \
    -C build-dir="$1/build" -C cmake.define.CMAKE_CXX_FLAGS_RELEASE="-O2 -DNDEBUG" "${launcher[@]}" \
    -C install.components=Unspecified -C install.components=RuntimeLibraries \
    -C cmake.define.CMAKE_INSTALL_LIBDIR=dolfinx/lib -C cmake.define.DOLFINX_SKIP_BUILD_TESTS=ON \
    -C cmake.define.DOLFINX_ENABLE_ADIOS2=OFF -C cmake.define.DOLFINX_ENABLE_KAHIP=OFF \
    -C cmake.define.DOLFINX_ENABLE_PARMETIS=OFF -C cmake.define.DOLFINX_ENABLE_SLEPC=OFF
  grep -q 'Found petsc4py' "$LOG" # the build would silently omit it
}

# --- the steps in order -----------------------------------------------------------------------------------------------

start_python_packages() { # in the background: downloads overlap with the compilation
  local fresh=--clear wanted=(-e '.[mesh,labels,report,dev,docs]')
  [ ! -e "$STAMP" ] || fresh= # without a stamp the environment may be incomplete
  rm -f "$STAMP"
  # shellcheck disable=SC2086
  quietly "$PYTHON" -m venv --system-site-packages $fresh "$VENV"
  [ $how = packages ] || wanted+=("${DOLFINX_NEEDS[@]}")
  pip_log=$CACHE/pip.log
  # Byte code is made here, on all cores: where PYTHONDONTWRITEBYTECODE is set, every command would compile anew.
  { "$VENV/bin/python" "${PIP[@]}" install --no-compile "${wanted[@]}" &&
    { "$VENV/bin/python" -m compileall -q -j 0 -x '/tests?/' "$VENV"/lib/python*/site-packages rfablate || true; }
  } >"$pip_log" 2>&1 </dev/null &
  pip_job=$!
}

finish_python_packages() {
  local begin status=0
  begin=$(stat -c %s "$LOG")
  wait "$pip_job" || status=$?
  cat "$pip_log" >>"$LOG"
  [ $status = 0 ] || explain_failure "$begin" "pip install"
  [ $how = source ] || return 0
  local built=$VENV/.dolfinx-build # the version number does not distinguish builds
  [ "$(cat "$built" 2>/dev/null)" != "$(wheel_folder)" ] || return 0
  quietly "$VENV/bin/python" "${PIP[@]}" install --no-deps --no-index --force-reinstall "$(wheel_folder)"/*.whl
  wheel_folder >"$built"
}

provide_dolfinx() {
  if [ $how = packages ]; then
    step "DOLFINx $(packaged_dolfinx): system package" "nothing to compile"
  elif wheel_ready; then
    step "DOLFINx $DOLFINX: use the cached build" "nothing to compile"
  else
    step "DOLFINx $DOLFINX: compile on $(nproc) cores, once per machine" "about $((360 / $(nproc) + 20)) s"
    local folder
    folder=$(wheel_folder)
    work=$(mktemp -d "$CACHE/build.XXXXXX")
    quietly build_wheel "$work"
    mkdir -p "$CACHE/wheels"
    rm -rf "$folder"
    mv -T "$work/wheel" "$folder" # atomic, so that an incomplete wheel is never visible
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
  [ -n "$answer" ] || die 16 "the installation does not work: see the end of $LOG and run .venv/bin/rfablate doctor"
  done_step "$answer"
}

say_plan() {
  look_around
  echo "system packages to install: ${missing:-none}"
  case $how in
    packages) echo "DOLFINx: system package, $(packaged_dolfinx)" ;;
    source) echo "DOLFINx: $DOLFINX, $(if wheel_ready; then echo "already compiled"; else echo "to be compiled"; fi)" ;;
    *) echo "DOLFINx: apt has no supported version; its lists would be updated first" ;;
  esac
  if up_to_date; then echo ".venv: up to date"; else echo ".venv: to be created or updated"; fi
}

install_all() {
  step "Check this machine" "one second"
  look_around
  local too_little
  too_little=$(check_disk)
  [ -z "$too_little" ] || die 13 "$too_little"
  done_step "$system"

  local expected="about 40 s"
  [ -n "$missing" ] || expected="nothing to do"
  step "System packages: ${missing:-all installed}" "$expected"
  install_packages
  done_step

  step "Create .venv, start the downloads" "5 s"
  start_python_packages
  done_step
  provide_dolfinx

  step "Install Python packages into .venv" "up to half a minute"
  finish_python_packages
  done_step

  step "Test: import all modules, compile and integrate one form" "5 s"
  check_result
  fingerprint >"$STAMP"
  echo "done in $SECONDS s. Next: .venv/bin/rfablate doctor, or: make run"
}

case ${1:-} in
  "") ;;
  --help | -h) usage && exit ;;
  --check) say_plan && exit ;;
  --clean-cache) rm -rf "$CACHE/wheels" && exit ;;
  *) die 2 "unknown option $1; see ./install.sh --help" ;;
esac
if up_to_date; then echo "rfablate is installed and up to date in .venv" && exit; fi
command -v apt-get >/dev/null || look_around # prints the alternative
check_tools
mkdir -p "$CACHE" 2>/dev/null || true
[ -w "$CACHE" ] || die 15 "cannot write to $CACHE; set XDG_CACHE_HOME to another folder"
exec 9>"$CACHE/lock"
flock -n 9 || { echo "another install.sh is running on this machine; waiting for it to end" && flock 9; }
: >"$LOG"
install_all
