#!/bin/sh
# Makes everything that is published of a version, signed, and the same bytes whenever it is made from these sources.
#
#   SIGN_WITH=KEY scripts/release.sh FOLDER
#
#   FOLDER/deb/          the packages, SHA256SUMS and its signature SHA256SUMS.gpg: what `scangate upgrade` checks
#   FOLDER/apt/          a Debian repository for any web server: deb [signed-by=KEY] http://host/apt SUITE main
#   FOLDER/release.gpg   the public key: /etc/scangate/release.gpg of a box that takes nothing else
#   FOLDER/*.cdx.json    the bill of materials, and what is known of vulnerabilities in it (CycloneDX)
#
# SUITE and ARCH limit what is built. SIGN_WITH names a secret key of gpg, best an Ed25519 one: its signatures depend
# on nothing but what is signed. Times are those of the last commit (SOURCE_DATE_EPOCH).
set -eu
umask 022
cd "$(dirname "$0")/.."
out=$1
: "${SIGN_WITH:?names the key to sign with: gpg --list-secret-keys}"
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
suites=${SUITE:-bookworm trixie}
archs=${ARCH:-amd64 arm64}
python=${RELEASE_PYTHON:-.venv/bin/python}

# The signing key's clock must not lie before the key itself was made.
made=$(gpg --batch --with-colons --list-secret-keys "$SIGN_WITH" | awk -F: '$1 == "sec" { print $6; exit }')
moment=$SOURCE_DATE_EPOCH
[ "$moment" -ge "$made" ] || moment=$made
sign() { gpg --batch --yes --quiet --faked-system-time "$moment!" --local-user "$SIGN_WITH" "$@"; }

rm -rf "$out"
mkdir -p "$out/deb" "$out/apt/pool"
for suite in $suites; do
    for arch in $archs; do
        for package in scangate scangate-intake; do
            "$python" deploy/debian/build.py --package "$package" --suite "$suite" --arch "$arch" --out "$out/deb"
        done
    done
done
(cd "$out/deb" && sha256sum -- *.deb >SHA256SUMS)
sign --detach-sign --output "$out/deb/SHA256SUMS.gpg" "$out/deb/SHA256SUMS"
gpg --batch --export "$SIGN_WITH" >"$out/release.gpg"

cp "$out"/deb/*.deb "$out/apt/pool/"
date=$(LC_ALL=C date --utc --date="@$SOURCE_DATE_EPOCH" '+%a, %d %b %Y %H:%M:%S UTC')
for suite in $suites; do
    dist=$out/apt/dists/$suite
    for arch in $archs; do
        mkdir -p "$dist/main/binary-$arch"
        # What dpkg-deb says of each package, with the fields that apt wants beside it.
        for deb in "$out/apt/pool/"*"~${suite}_$arch.deb"; do
            dpkg-deb --field "$deb"
            printf 'Filename: pool/%s\nSize: %s\nSHA256: %s\n\n' "$(basename "$deb")" "$(stat -c %s "$deb")" \
                "$(sha256sum "$deb" | cut -d ' ' -f 1)"
        done >"$dist/main/binary-$arch/Packages"
        gzip -9nk "$dist/main/binary-$arch/Packages"
    done
    {
        printf 'Origin: scangate\nLabel: scangate\nSuite: %s\nCodename: %s\nDate: %s\n' "$suite" "$suite" "$date"
        printf 'Architectures: %s\nComponents: main\nSHA256:\n' "$archs"
        (cd "$dist" && find main -type f | LC_ALL=C sort | while read -r file; do
            printf ' %s %s %s\n' "$(sha256sum "$file" | cut -d ' ' -f 1)" "$(stat -c %s "$file")" "$file"
        done)
    } >"$dist/Release"
    sign --clearsign --output "$dist/InRelease" "$dist/Release"
    sign --armor --detach-sign --output "$dist/Release.gpg" "$dist/Release"
done

"$python" deploy/release/bill.py "$out"
echo "scangate: $out is ready; publish $out/apt, and give boxes $out/release.gpg"
