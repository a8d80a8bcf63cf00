"""A flashed card that nobody types on: by the boot partition, and by the cloud-init example of docs/install.md."""

import re
import shutil
from typing import Any

import yaml  # type: ignore[import-untyped]  # its stubs are one more package, for one call

from tests.install.conftest import CONFIGURATION
from tests.install.guest import DEBS, ROOT, Guest
from tests.install.packages import package_of

SITE = """
[outbox]
min_free_bytes = 0
"""
OWN = CONFIGURATION.replace("[outbox]\nmin_free_bytes = 0\n", "")


def works(box: Guest) -> bool:
    return box.try_run("scangate status --json").returncode in {0, 1}


def test_what_lies_on_the_boot_partition_is_taken_once(bare: Guest) -> None:
    bare.run(f"dpkg -i {bare.hand_over(package_of(bare.suite, DEBS))}", seconds=300)
    bare.power_off()  # the card is written
    bare.put("/srv/scans.ndjson", "")
    bare.put("/boot/firmware/scangate.toml", f"{OWN}[brokr]\n")
    bare.boot()
    assert not works(bare)
    said = bare.journal("scangate-firstboot")
    assert "scangate.toml is not taken" in said
    assert "brokr" in said, "with what is wrong"
    assert not (bare.root / "etc/scangate/scangate.toml").exists()
    bare.power_off()
    bare.put("/boot/firmware/scangate.toml", OWN)
    bare.put("/boot/firmware/scangate-site.toml", SITE)
    bare.put("/boot/firmware/scangate-credentials/mqtt-password", "secret\n")
    bare.boot()
    bare.wait(lambda: works(bare), "the box works")
    assert bare.run("systemctl is-enabled scangate") == "enabled"
    modes = bare.run("cd /etc/scangate && stat -c '%n %U:%G %a' scangate.toml site.toml credentials/*")
    assert modes.splitlines() == [
        "scangate.toml root:scangate 640",
        "site.toml root:scangate 640",
        "credentials/mqtt-password root:root 600",
    ]
    assert sorted(path.name for path in (bare.root / "boot/firmware").iterdir()) == [
        "scangate-site.toml.taken",
        "scangate.toml.taken",
    ], "no secret stays on a partition that anybody can read"
    # What is put there later is not taken: the box has its own.
    bare.power_off()
    bare.put("/boot/firmware/scangate.toml", OWN.replace("gw01", "gw99"))
    bare.boot()
    bare.wait(lambda: works(bare), "the box works again")
    assert 'id = "gw01"' in bare.run("cat /etc/scangate/scangate.toml")


def test_the_cloud_init_example_makes_a_box(bare: Guest) -> None:
    """What cloud-init does with it: write_files, then runcmd by sh (cloud-init, modules)."""
    found = re.search(r"(?m)^    #cloud-config\n(?:    .*\n|\n)+", (ROOT / "docs/install.md").read_text())
    assert found is not None
    data: dict[str, Any] = yaml.safe_load(re.sub(r"(?m)^    ", "", found[0]))
    assert set(data) == {"hostname", "write_files", "runcmd"}
    (bare.root / "boot/firmware").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(package_of(bare.suite, DEBS), bare.root / "boot/firmware/scangate.deb")
    for file in data["write_files"]:
        bare.put(file["path"], file["content"])
    for command in data["runcmd"]:
        bare.run(command, seconds=300)
    bare.wait(lambda: works(bare), "the box works")
    assert f'"gateway": "urn:scangate:vgr:su:{data["hostname"]}"' in bare.run("scangate status --json || true")
