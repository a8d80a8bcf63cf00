#!/bin/sh
# Makes the virtual environment ready; returns at once when it already is.
#
#   scripts/environment.sh SET [PROGRAM...]
#
# SET is a lock file of requirements/ without its ending: build, demo, intake, dev or release. PROGRAMs are looked for on the
# machine. What the machine lacks is installed with apt-get when that is allowed (root or sudo); if not, the one
# command to type is printed and the exit code is 1.
#
# PYTHON names the interpreter (python3), VENV the environment (.venv).
set -eu
cd "$(dirname "$0")/.."
set_name=$1
shift
programs=$*
PYTHON=${PYTHON:-python3}
VENV=${VENV:-.venv}
log=build/environment.log

say() { echo "scangate: $*"; }
die() {
    echo "scangate: $*" >&2
    exit 1
}

check_python() {
    command -v "$PYTHON" >/dev/null || die "$PYTHON is not on this machine; install Python 3.11 to 3.14"
    "$PYTHON" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' ||
        die "Python 3.11 to 3.14 is needed, $PYTHON is $("$PYTHON" --version); name another: make PYTHON=python3.12 ..."
}

# An environment holds absolute paths: it goes stale when the checkout moves or the interpreter changes.
identity() { "$1" -c 'import sys; print(sys.base_prefix, sys.version)' 2>/dev/null; }

fingerprint() {
    { pwd -P && identity "$PYTHON" && cat requirements/build.txt "requirements/$1.txt" pyproject.toml; } | sha256sum
}

is_ready() {
    [ -f "$VENV/ready-$1" ] && [ "$(cat "$VENV/ready-$1")" = "$(fingerprint "$1")" ] && "$VENV/bin/python" -c 'import pip' 2>/dev/null
}

# Debian keeps the programs of each PostgreSQL version in a folder of their own.
postgresql_path=$(echo /usr/lib/postgresql/*/bin | tr ' ' ':')
unpacked=build/prometheus
has_program() { [ -n "$(PATH="$PATH:/usr/sbin:/sbin:$postgresql_path:$unpacked/usr/bin" command -v "$1")" ]; }

# The Debian packages this machine lacks, with what each was looked for. The demo alone needs no compiler.
missing_packages() {
    for program in $programs; do
        has_program "$program" && continue
        case $program in
        promtool) ;; # unpacked below
        systemd-analyze) echo systemd ;;
        systemd-nspawn) echo systemd-container ;;
        dpkg-deb) echo dpkg ;;
        aarch64-linux-gnu-gcc) echo gcc-aarch64-linux-gnu libc6-dev-arm64-cross ;;
        x86_64-linux-gnu-gcc) echo gcc libc6-dev ;;
        gpg) echo gnupg ;;
        qemu-aarch64-static) echo qemu-user-static ;;
        ssh-keygen) echo openssh-client ;;
        qemu-system-x86_64) echo qemu-system-x86 ;;
        qemu-img) echo qemu-utils ;;
        mke2fs) echo e2fsprogs ;;
        depmod) echo kmod ;;
        xz) echo xz-utils ;;
        initdb) echo postgresql ;;
        sshd) echo openssh-server ;;
        nginx) echo nginx-light ;;
        chromium-headless-shell) echo chromium-headless-shell fonts-dejavu-core ;;
        *) echo "$program" ;;
        esac
    done
    [ "$1" = programs ] && return
    case $PYTHON in
    python3.1[1234]) prefix=$PYTHON ;;
    *) prefix=python3 ;;
    esac
    "$PYTHON" -c 'import ensurepip' 2>/dev/null || echo "$prefix-venv"
    case $set_name in dev | release) ;; *) return 0 ;; esac # evdev comes as source
    command -v cc >/dev/null || echo gcc
    [ -f "$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" ] || echo "$prefix-dev"
    [ -f /usr/include/linux/input.h ] || echo linux-libc-dev
    [ -f /usr/include/stdio.h ] || echo libc6-dev
}

install_missing() {
    packages=$(missing_packages "$1" | tr '\n' ' ')
    [ -n "$packages" ] || return 0
    command -v apt-get >/dev/null || die "this machine lacks what these Debian packages hold: $packages"
    apt="apt-get install -y --no-install-recommends $packages"
    if [ "$(id -u)" -eq 0 ]; then
        sudo=
    elif command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
        sudo=sudo
    else
        die "this machine lacks some packages; as root, type:  apt-get update && $apt"
    fi
    say "installing from Debian (about a minute): $packages"
    # An old or empty list of packages shows itself here, and only then is a new one fetched.
    # shellcheck disable=SC2086  # both are lists of words
    $sudo env DEBIAN_FRONTEND=noninteractive $apt >"$log" 2>&1 </dev/null || {
        $sudo apt-get update >>"$log" 2>&1 </dev/null &&
            $sudo env DEBIAN_FRONTEND=noninteractive $apt >>"$log" 2>&1 </dev/null
    } || {
        tail -n 20 "$log" >&2
        die "apt-get could not install $packages(all of its output: $log)"
    }
    # The tests start their own; nobody asked for one that strangers can reach.
    for service in ssh:openssh-server nginx:nginx-light; do
        case " $packages" in *" ${service#*:} "*) $sudo systemctl disable --now "${service%:*}" >>"$log" 2>&1 || true ;; esac
    done
    packages=$(missing_packages "$1" | tr '\n' ' ')
    [ -z "$packages" ] || die "still not found after installing: $packages(is $PYTHON Debian's own? name it: PYTHON=/usr/bin/python3)"
}

# promtool is taken out of Debian's package: installed, it would bring a server that listens on this machine.
unpack_promtool() {
    case " $programs " in *" promtool "*) ;; *) return 0 ;; esac
    has_program promtool && return
    say "unpacking promtool from Debian's package prometheus into $unpacked"
    rm -rf "$unpacked"
    mkdir -p "$unpacked"
    if (cd "$unpacked" && apt-get download prometheus &&
        dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool && rm prometheus_*.deb) >>"$log" 2>&1; then
        return
    fi
    say "no promtool (see $log): the tests of the alert rules are skipped"
}

# Quiet twice: pip's errors only. Its warnings, of a folder of wheels that is not there say, fill a screen and help nobody.
pip() {
    "$VENV/bin/python" -m pip --disable-pip-version-check install --quiet --quiet "$@" ||
        die "pip could not install: the lines above say why (without a network, try again when it is there)"
}

check_python
mkdir -p build
if is_ready "$set_name"; then
    install_missing programs
    unpack_promtool
    exit 0
fi
install_missing all
unpack_promtool

if [ "$(identity "$VENV/bin/python")" != "$(identity "$PYTHON")" ] || ! "$VENV/bin/python" -c 'import pip' 2>/dev/null; then
    rm -rf "$VENV"
    "$PYTHON" -m venv "$VENV"
fi
say "installing the Python packages of requirements/$set_name.txt into $VENV (half a minute, longer on a Raspberry Pi)"
# The build tools are locked too, so nothing unlocked is ever fetched to build a package.
pip --require-hashes -r requirements/build.txt
case $set_name in
build) contains=build ;;
release) contains='build release' ;;
demo) contains='build demo' ;;
intake) contains='build intake' ;;
dev) contains='build demo intake dev' ;;
*) die "no such set: $set_name" ;;
esac
[ "$set_name" = build ] || pip --require-hashes --no-build-isolation -r "requirements/$set_name.txt"
case $set_name in
demo | intake | dev) pip --no-deps --no-build-isolation --editable . ;;
esac
for each in $contains; do
    fingerprint "$each" >"$VENV/ready-$each"
done
