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
optional='scangate-articles.service scangate-articles.timer scangate-articles.path scangate-display.service'
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
        systemctl disable --now scangate-articles.timer scangate-articles.path scangate-display.service || true
        systemctl disable --now scangate.service || true
    fi
    rm -rf "$DESTDIR$app"
    for unit in scangate.service $optional; do rm -f "$units/$unit"; done
    rm -f "$rules" "$users" "$folders" "$command"
    if is_live; then
        systemctl daemon-reload
        udevadm control --reload
    fi
    say "removed; /etc/scangate, /var/lib/scangate and the user scangate are kept"
    exit 0
fi

wheelhouse=$(cd "${1:-$(dirname "$0")}" && pwd -P)
[ -f "$wheelhouse/SHA256SUMS" ] || die "$wheelhouse is not a wheelhouse: it has no SHA256SUMS (make one: make wheelhouse)"
(cd "$wheelhouse" && sha256sum --check --quiet SHA256SUMS) || die "$wheelhouse is damaged: copy it again"
case $("$PYTHON" -c 'import sys; print(sys.base_prefix)') in
/home/* | /root/*) die "the service cannot see $PYTHON in a home directory; name another:  PYTHON=/usr/bin/python3" ;;
esac
"$PYTHON" -c 'import ensurepip' 2>/dev/null || die "$PYTHON cannot make environments; as root, type:  apt-get install python3-venv"

# The new version is made aside: until the last moment the old one stays whole.
new=$DESTDIR$app.new
old=$DESTDIR$app.old
rm -rf "$new" "$old"
say "installing into $DESTDIR$app"
mkdir -p "$(dirname "$new")"
(
    umask 022
    "$PYTHON" -m venv "$new"
    "$new/bin/python" -m pip --disable-pip-version-check install --quiet --no-index --no-compile --find-links "$wheelhouse" "scangate[gpio]"
    # The daemon installs nothing: it needs no installer beside it.
    "$new/bin/python" -m pip --disable-pip-version-check uninstall --quiet --yes pip setuptools 2>/dev/null
    grep -rlIF -- "$new" "$new/bin" "$new/pyvenv.cfg" | xargs -r sed -i "s|$new|$app|g"
    # The daemon may not write here, so the byte code is made now: the command's, and the service's without docstrings.
    "$new/bin/python" -m compileall -q -o 0 -o 2 -s "$new" -p "$app" "$new/lib"
)
if [ -e "$DESTDIR$app" ]; then mv "$DESTDIR$app" "$old"; fi
mv "$new" "$DESTDIR$app"
rm -rf "$old"

share=$DESTDIR$app/share/scangate/systemd
for unit in scangate.service $optional; do install -D -m 0644 "$share/$unit" "$units/$unit"; done
install -D -m 0644 "$share/60-scangate.rules" "$rules"
install -D -m 0644 "$share/sysusers.d/scangate.conf" "$users"
install -D -m 0644 "$share/tmpfiles.d/scangate.conf" "$folders"
mkdir -p "$(dirname "$command")"
ln -sfn "$app/bin/scangate" "$command"

if is_live; then
    systemd-sysusers "$users"
    systemd-tmpfiles --create "$folders"
    udevadm control --reload
    udevadm trigger --subsystem-match=usb --subsystem-match=tty --subsystem-match=input --subsystem-match=hidraw
    systemctl daemon-reload
    systemctl try-restart scangate.service scangate-display.service
fi
[ -e "$DESTDIR/etc/scangate/scangate.toml" ] || say "next:  scangate init  and then  systemctl enable --now scangate"
[ -e "$DESTDIR/etc/systemd/system/timers.target.wants/scangate-articles.timer" ] ||
    say "article sources that are fetched:  systemctl enable --now scangate-articles.timer scangate-articles.path"
