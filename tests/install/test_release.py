"""What is published: signed, the same bytes twice, and installed by apt from a folder (apt-secure(8))."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.install.guest import ROOT, Guest


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release of one package for each Debian, signed by a key of this run; made twice, and the same."""
    home = tmp_path_factory.mktemp("gnupg")
    home.chmod(0o700)
    environment = {
        **os.environ,
        "GNUPGHOME": str(home),
        "SIGN_WITH": "releases@example.org",
        "SUITE": os.environ.get("SCANGATE_INSTALL_SUITES", "bookworm trixie"),
        "ARCH": "amd64",
    }
    key = [
        "gpg",
        "--batch",
        "--quiet",
        "--passphrase",
        "",
        "--quick-gen-key",
        "releases@example.org",
        "ed25519",
        "sign",
    ]
    subprocess.run(key, env=environment, check=True)
    made = [tmp_path_factory.mktemp("release") / name for name in ("one", "two")]
    for folder in made:
        subprocess.run([ROOT / "scripts/release.sh", folder], env=environment, check=True, capture_output=True)
    difference = subprocess.run(["diff", "-r", *made], capture_output=True, text=True, check=False)
    assert difference.stdout == "", "the same sources give the same bytes"
    return made[0]


def test_the_bill_of_materials_names_every_locked_library(release: Path) -> None:
    bill = json.loads((release / "scangate.cdx.json").read_text())
    named = {(one["name"], one["version"]) for one in bill["components"]}
    assert ("paho-mqtt", next(version for name, version in named if name == "paho-mqtt")) in named
    assert all(one["properties"] for one in bill["components"]), "each with its hashes"
    assert json.loads((release / "scangate.vex.cdx.json").read_text())["vulnerabilities"] == []


def test_apt_installs_from_the_folder_and_refuses_a_changed_one(bare: Guest, release: Path) -> None:
    subprocess.run(["cp", "-r", str(release), str(bare.root / "srv/release")], check=True)
    bare.put(
        "/etc/apt/sources.list",
        f"deb [signed-by=/srv/release/release.gpg] file:/srv/release/apt {bare.suite} main\n",
    )
    bare.run("rm -f /etc/apt/sources.list.d/*")
    bare.run("apt-get update && apt-get install -y --no-install-recommends scangate", seconds=300)
    assert bare.run("scangate --version").startswith("scangate ")
    # And by scangate itself, which knows the key.
    bare.run("cp /srv/release/release.gpg /etc/scangate/release.gpg")
    package = next(path.name for path in (release / "deb").glob(f"scangate_*~{bare.suite}_amd64.deb"))
    done = bare.run(f"scangate upgrade --no-wait /srv/release/deb/{package} 2>&1", seconds=300)
    assert "not signed" not in done
    # Whoever changes the repository is not who signs it.
    listed = bare.root / f"srv/release/apt/dists/{bare.suite}/InRelease"
    listed.write_text(listed.read_text().replace("Origin: scangate", "Origin: another"))
    assert (
        bare.try_run("rm -rf /var/lib/apt/lists/*; apt-get update -o APT::Update::Error-Mode=any").returncode != 0
    )


def test_what_lintian_says(release: Path) -> None:
    packages = sorted((release / "deb").glob("*.deb"))
    done = subprocess.run(["lintian", "--fail-on", "error", *packages], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
