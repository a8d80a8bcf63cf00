#!/bin/sh
# Makes a folder from which scangate installs without a network: wheels, SBOM (CycloneDX), checksums, install.sh.
# The wheels fit this machine's architecture and Python version.
#
#   scripts/wheelhouse.sh FOLDER
set -eu
cd "$(dirname "$0")/.."
out=$1
PYTHON=${PYTHON:-python3}
# An environment of its own: the checkout's may be of another Python than the gateway's.
VENV=build/release scripts/environment.sh release
pip="$PWD/build/release/bin/python -m pip --disable-pip-version-check"

rm -rf "$out" build/bill
mkdir -p "$out"
echo "scangate: building wheels into $out"
$pip wheel --quiet --quiet --require-hashes --no-build-isolation -r requirements/run.txt --wheel-dir "$out"
$pip wheel --quiet --quiet --no-deps --no-build-isolation . --wheel-dir "$out"

# The bill of materials is read off a real installation, which also proves that the folder is complete.
"$PYTHON" -m venv --without-pip build/bill
$pip --python build/bill/bin/python install --quiet --quiet --no-index --find-links "$out" "scangate[gpio]"
build/release/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
    --output-file "$out/scangate.cdx.json" build/bill/bin/python
cp scripts/install.sh "$out/"
# What install.sh compares before it touches anything, and the only wheels that it takes.
"$PYTHON" -c 'import platform, sys; print(f"{sys.version_info[0]}.{sys.version_info[1]} {platform.machine()}")' >"$out/target"
build/release/bin/python - "$out" >"$out/requirements.txt" <<'END'
import hashlib, pathlib, sys
for wheel in sorted(pathlib.Path(sys.argv[1]).glob("*.whl")):
    name, version = wheel.name.split("-")[:2]
    print(f"{name}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}")
END
(cd "$out" && sha256sum -- *.whl scangate.cdx.json install.sh target requirements.txt >SHA256SUMS)
# SIGN_WITH names a key of gpg: a gateway that has its public part in /etc/scangate/release.gpg takes nothing else.
[ -z "${SIGN_WITH:-}" ] ||
    gpg --batch --yes --local-user "$SIGN_WITH" --detach-sign --output "$out/SHA256SUMS.gpg" "$out/SHA256SUMS"
echo "scangate: $out is ready; on the gateway, as root:  sh install.sh"
