#!/bin/sh
# Takes a configuration from the boot partition (FAT, readable by whoever has the card) and leaves no secret there.
#
#   /boot/firmware/scangate.toml           the box's own file; checked before it is taken
#   /boot/firmware/scangate-site.toml      the site's, if there is one
#   /boot/firmware/scangate-credentials/   files for /etc/scangate/credentials, if there are any
set -eu
from=${1:-/boot/firmware}
etc=/etc/scangate
app=$(dirname "$(readlink -f "$0")")
group=scangate
umask 077

taking=$(mktemp -d)
trap 'rm -rf "$taking"' EXIT
cp "$from/scangate.toml" "$taking/scangate.toml"
[ ! -f "$from/scangate-site.toml" ] || cp "$from/scangate-site.toml" "$taking/site.toml"
"$app/current/bin/scangate" config check -c "$taking/scangate.toml" || {
    echo "<3>scangate: $from/scangate.toml is not taken: the lines above say what is wrong" >&2
    exit 2
}
install -d -m 0750 -g "$group" "$etc"
install -d -m 0700 "$etc/credentials"
if [ -d "$from/scangate-credentials" ]; then
    find "$from/scangate-credentials" -maxdepth 1 -type f -exec install -m 0600 -t "$etc/credentials" {} +
fi
[ ! -f "$taking/site.toml" ] || install -m 0640 -g "$group" "$taking/site.toml" "$etc/site.toml"
# The box's own file last: without it, everything is taken again at the next boot.
install -m 0640 -g "$group" "$taking/scangate.toml" "$etc/scangate.toml"
sync
rm -rf "$from/scangate-credentials"
mv "$from/scangate.toml" "$from/scangate.toml.taken"
[ ! -f "$from/scangate-site.toml" ] || mv "$from/scangate-site.toml" "$from/scangate-site.toml.taken"
echo "scangate: $from/scangate.toml is this box's configuration now"
# Whoever wrote the card wants it to work; nobody is there to say so.
systemctl enable --quiet scangate.service
systemctl start --no-block scangate.service
