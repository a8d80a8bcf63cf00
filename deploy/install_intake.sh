#!/bin/sh
# Installs the central side from a checkout, as root; a newer version replaces an older one, which stays beside it.
#
#   deploy/install_intake.sh
#
# Every package comes in the version of requirements/intake.txt, by its hash. DESTDIR puts everything below another
# root and leaves the running system alone. PYTHON names the interpreter.
set -eu
cd "$(dirname "$0")/.."
DESTDIR=${DESTDIR:-}
PYTHON=${PYTHON:-/usr/bin/python3}
app=/opt/scangate-intake
units=$DESTDIR/usr/local/lib/systemd/system

say() { echo "scangate-intake: $*"; }
die() {
    echo "scangate-intake: $*" >&2
    exit 1
}

[ -n "$DESTDIR" ] || [ "$(id -u)" -eq 0 ] || die "this writes to /opt and /usr/local: run it as root"
"$PYTHON" -c 'import ensurepip' 2>/dev/null || die "$PYTHON cannot make environments; as root, type:  apt-get install python3-venv"

name=$(sed -n 's/^VERSION: Final = "\(.*\)"/\1/p' gateway/__init__.py)-$(find requirements gateway intake -name "*.txt" -o -name "*.py" | sort | xargs cat | sha256sum | cut -c 1-8)
[ "$(readlink "$DESTDIR$app/current" || true)" != "$name" ] || name=$name.again
new=$DESTDIR$app/$name
rm -rf "$new"
say "installing into $new"
trap 'rm -rf "$new"' EXIT
mkdir -p "$DESTDIR$app"
(
    umask 022
    "$PYTHON" -m venv "$new"
    pip="$new/bin/python -m pip --disable-pip-version-check install --quiet --quiet"
    $pip --require-hashes --only-binary :all: -r requirements/intake.txt
    $pip --require-hashes -r requirements/build.txt
    $pip --no-deps --no-build-isolation .
    [ -z "$DESTDIR" ] || grep -rlIF -- "$new" "$new/bin" "$new/pyvenv.cfg" | xargs -r sed -i "s|$new|$app/$name|g"
)
trap - EXIT
ln -sfn "$name" "$DESTDIR$app/next"
mv -T "$DESTDIR$app/next" "$DESTDIR$app/current"
ln -sfn current/bin "$DESTDIR$app/bin"
mkdir -p "$DESTDIR/usr/local/bin" "$DESTDIR/etc/scangate-intake/credentials"
chmod 0700 "$DESTDIR/etc/scangate-intake/credentials"
ln -sfn "$app/bin/scangate-intake" "$DESTDIR/usr/local/bin/scangate-intake"
[ -e "$DESTDIR/etc/scangate-intake/intake.toml" ] || install -m 0644 deploy/intake.toml "$DESTDIR/etc/scangate-intake/intake.toml"
for unit in scangate-intake.service scangate-intake-forward@.service; do
    install -D -m 0644 "deploy/systemd/$unit" "$units/$unit"
done
if [ -z "$DESTDIR" ] && [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    systemctl try-restart scangate-intake.service 'scangate-intake-forward@*.service'
fi
say "next: /etc/scangate-intake/intake.toml, keys in /etc/scangate-intake/credentials, then  systemctl enable --now scangate-intake"
say "the former version stays in $app: to go back, point $app/current at it and restart"
