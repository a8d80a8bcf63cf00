#!/bin/sh
# Installs scangate on a gateway from a wheelhouse, without a network; a newer version replaces an older one.
#
#   install.sh [FOLDER]       FOLDER is the wheelhouse (the folder of this file); as root
#   install.sh --uninstall    removes the program; configuration and scans stay
#
# DESTDIR puts everything below another root and leaves the running system alone. PYTHON names the interpreter.
set -eu
DESTDIR=${DESTDIR:-}
if [ -n "$DESTDIR" ]; then
    mkdir -p "$DESTDIR"
    DESTDIR=$(cd "$DESTDIR" && pwd -P)
fi
PYTHON=${PYTHON:-/usr/bin/python3}
app=/opt/scangate
lib=$DESTDIR/usr/local/lib
units=$lib/systemd/system
optional='scangate-articles.service scangate-articles.timer scangate-articles.path scangate-display.service
    scangate-trial.service scangate-trial.timer scangate-firstboot.service'
rules=$lib/udev/rules.d/60-scangate.rules
users=$lib/sysusers.d/scangate.conf
folders=$lib/tmpfiles.d/scangate.conf
command=$DESTDIR/usr/local/bin/scangate

say() { echo "scangate: $*"; }
die() {
    echo "scangate: $*" >&2
    exit 1
}
is_live() { [ -z "$DESTDIR" ] && [ -d /run/systemd/system ]; }

[ -n "$DESTDIR" ] || [ "$(id -u)" -eq 0 ] || die "this writes to /opt and /usr/local: run it as root"

if [ "${1:-}" = --uninstall ]; then
    if is_live; then
        systemctl disable --now scangate-articles.timer scangate-articles.path scangate-display.service \
            scangate-trial.timer scangate-firstboot.service || true
        systemctl disable --now scangate.service || true
    fi
    rm -rf "$DESTDIR$app"
    for unit in scangate.service $optional; do rm -f "$units/$unit"; done
    rm -f "$rules" "$users" "$folders" "$command"
    rm -rf "$DESTDIR/var/lib/scangate-upgrade"
    if is_live; then
        systemctl daemon-reload
        udevadm control --reload || true
    fi
    say "removed; /etc/scangate, /var/lib/scangate and the user scangate are kept"
    exit 0
fi

wheelhouse=$(cd "${1:-$(dirname "$0")}" && pwd -P)
key=$DESTDIR/etc/scangate/release.gpg

# Everything that can be wrong is looked at before anything is touched.
[ -f "$wheelhouse/SHA256SUMS" ] || die "$wheelhouse is not a wheelhouse: it has no SHA256SUMS (make one: make wheelhouse)"
if [ -f "$key" ]; then
    [ -f "$wheelhouse/SHA256SUMS.gpg" ] || die "$wheelhouse is not signed: there is no SHA256SUMS.gpg, and $key wants one"
    if command -v gpgv >/dev/null; then
        gpgv --quiet --keyring "$key" "$wheelhouse/SHA256SUMS.gpg" "$wheelhouse/SHA256SUMS" 2>/dev/null
    elif command -v sqv >/dev/null; then
        sqv --keyring "$key" "$wheelhouse/SHA256SUMS.gpg" "$wheelhouse/SHA256SUMS" >/dev/null 2>&1
    else
        die "no program to check the signature of $wheelhouse; as root, type:  apt-get install gpgv"
    fi || die "$wheelhouse is not signed by $key: whoever changed it is not who makes the releases"
fi
(cd "$wheelhouse" && sha256sum --check --quiet SHA256SUMS) || die "$wheelhouse is damaged: copy it again"
for file in "$wheelhouse"/*.whl; do
    grep -qF "  $(basename "$file")" "$wheelhouse/SHA256SUMS" ||
        die "$file is not listed in SHA256SUMS: somebody put it there; copy the wheelhouse again"
done
"$PYTHON" -c 'import sys' 2>/dev/null || die "$PYTHON is not on this machine; name another:  PYTHON=/usr/bin/python3"
case $("$PYTHON" -c 'import sys; print(sys.base_prefix)') in
/home/* | /root/*) die "the service cannot see $PYTHON in a home directory; name another:  PYTHON=/usr/bin/python3" ;;
esac
here=$("$PYTHON" -c 'import platform, sys; print(f"{sys.version_info[0]}.{sys.version_info[1]} {platform.machine()}")')
there=$(cat "$wheelhouse/target")
[ "$here" = "$there" ] ||
    die "this wheelhouse is for Python $there, $PYTHON is Python $here: make one on such a machine (make wheelhouse)"
"$PYTHON" -c 'import ensurepip' 2>/dev/null || die "$PYTHON cannot make environments; as root, type:  apt-get install python3-venv"

# The new version is made in a folder of its own: until the switch the old one stays whole.
name=$(sed -n 's/^scangate==\([^ ]*\) .*/\1/p' "$wheelhouse/requirements.txt")-$(sha256sum "$wheelhouse/SHA256SUMS" | cut -c 1-8)
former=$(readlink "$DESTDIR$app/current" || true)
[ "$former" != "$name" ] || name=$name.again
new=$DESTDIR$app/$name
rm -rf "$new"
say "installing into $new"
trap 'rm -rf "$new"' EXIT
mkdir -p "$DESTDIR$app"
(
    umask 022
    "$PYTHON" -m venv "$new"
    "$new/bin/python" -m pip --disable-pip-version-check install --quiet --no-index --no-compile --no-deps \
        --require-hashes --find-links "$wheelhouse" -r "$wheelhouse/requirements.txt"
    # The daemon installs nothing: it needs no installer beside it.
    "$new/bin/python" -m pip --disable-pip-version-check uninstall --quiet --yes pip setuptools 2>/dev/null
    grep -rlIF -- "$new" "$new/bin" "$new/pyvenv.cfg" | xargs -r sed -i "s|$new|$app/$name|g"
    # The daemon may not write here, so the byte code is made now: the command's, and the service's without docstrings.
    "$new/bin/python" -m compileall -q -o 0 -o 2 -s "$new" -p "$app/$name" "$new/lib"
)
trap - EXIT

share=$new/share/scangate/systemd
for script in trial.sh firstboot.sh; do install -m 0755 "$share/$script" "$DESTDIR$app/$script"; done
for link in bin lib share; do ln -sfn "current/$link" "$DESTDIR$app/$link"; done
trial="$DESTDIR$app/trial.sh"
if [ -z "$former" ] || ! is_live; then
    "$trial" switch "$name"
elif why=$(timeout 300 "$app/$name/bin/scangate" upgrade --rehearse /var/lib/scangate-upgrade/outbox.db 2>&1); then
    mkdir -p /var/lib/scangate-upgrade
    timeout 20 "$command" status --json >/var/lib/scangate-upgrade/before.json 2>/dev/null || true
    "$trial" begin "$former" "$name"
else
    "$trial" refuse "$name" "$(printf '%s' "$why" | tail -n 1)"
    die "$name is not taken, $former goes on: $why"
fi
# Of former versions, the one before this is kept: scangate rollback.
find "$DESTDIR$app" -mindepth 1 -maxdepth 1 -type d ! -name "$name" ! -name "${former:-none}" -exec rm -rf {} +

for unit in scangate.service $optional; do install -D -m 0644 "$share/$unit" "$units/$unit"; done
install -D -m 0644 "$share/60-scangate.rules" "$rules"
install -D -m 0644 "$share/sysusers.d/scangate.conf" "$users"
install -D -m 0644 "$share/tmpfiles.d/scangate.conf" "$folders"
mkdir -p "$(dirname "$command")"
ln -sfn "$app/bin/scangate" "$command"

if is_live; then
    systemd-sysusers "$users"
    systemd-tmpfiles --create "$folders"
    udevadm control --reload || say "udevadm control --reload failed: scanners may be refused until the next boot"
    udevadm trigger --subsystem-match=usb --subsystem-match=tty --subsystem-match=input --subsystem-match=hidraw || true
    systemctl daemon-reload
    systemctl enable --quiet scangate-trial.timer scangate-firstboot.service
    [ ! -f /var/lib/scangate-upgrade/trial ] || systemctl start --no-block scangate-trial.timer
    systemctl try-restart scangate.service scangate-display.service
fi
[ -e "$DESTDIR/etc/scangate/scangate.toml" ] || say "next:  scangate init  and then  systemctl enable --now scangate"
[ -e "$DESTDIR/etc/systemd/system/timers.target.wants/scangate-articles.timer" ] ||
    say "article sources that are fetched:  systemctl enable --now scangate-articles.timer scangate-articles.path"
