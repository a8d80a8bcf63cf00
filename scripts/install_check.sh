#!/bin/sh
# The package in a booted Debian 12, what of it takes some minutes only: from a bare root to the first delivered scan, a bad
# release that is taken back, and changed credentials. `make install-test` has the rest, and Debian 13.
#
# Where this machine cannot boot a guest (no root, no mounts, no packages to be had), it says so, and that is no failure.
set -u
cd "$(dirname "$0")/.."
suite=bookworm
seconds=${SECONDS_ALLOWED:-240}
log=build/install_check.log
tests=tests/install
mkdir -p build
until=$(($(date +%s) + seconds))

leave_out() {
    tail -n 3 "$log" >&2
    echo "scangate: the package is not tried in a booted Debian here: $*"
    exit 0
}
left() { echo $((until - $(date +%s))); }
try() { timeout --kill-after=10 "$(left)" "$@" >"$log" 2>&1; }

[ "$(id -u)" -eq 0 ] || leave_out "it needs root"
[ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] || leave_out "it is tried on amd64 only"
try scripts/environment.sh dev mosquitto mmdebstrap systemd-nspawn dpkg-deb x86_64-linux-gnu-gcc ||
    leave_out "what it needs cannot be installed"
PATH=$PATH:/usr/sbin:/sbin
export PATH
try .venv/bin/python -m tests.install.guest "$suite" || leave_out "a guest cannot be booted"
try .venv/bin/python deploy/debian/build.py --suite "$suite" --arch amd64 --out build/deb ||
    leave_out "the package's libraries cannot be had"
[ "$(left)" -gt 60 ] || leave_out "no time is left: this machine took too long so far"
# Interrupted, pytest still shuts its guests down.
SCANGATE_INSTALL=1 SCANGATE_INSTALL_SUITES=$suite timeout --signal=INT --kill-after=60 "$(left)" \
    .venv/bin/python -m pytest -q -p no:xdist "$tests/test_transcript.py" \
    "$tests/test_upgrade.py::test_a_bad_release_is_taken_back[$suite-raises at start]" \
    "$tests/test_worst_day.py::test_changed_credentials_are_taken_by_a_reload"
code=$?
case $code in
124 | 137) leave_out "it was not done within $seconds seconds" ;;
esac
exit "$code"
