"""The bill of materials of a release, and what is known of vulnerabilities in it: CycloneDX 1.5, both reproducible.

Read off requirements/run.txt, the versions and hashes that the packages bring. vulnerabilities.json beside this
file holds an entry for each published vulnerability of one of them: its id, its analysis (`state`: not_affected,
exploitable, in_triage ...), the justification, and what it affects (CycloneDX, `vulnerabilities`).
"""

import json
import os
import re
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parents[1]
REQUIREMENT: Final = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ \\;]+)(?P<rest>(?:.*\\\n)*.*)", re.MULTILINE
)
HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def main() -> int:
    """Write both files into a folder; return the exit code."""
    folder = Path(sys.argv[1])
    found = re.search(r'^VERSION: Final = "([^"]+)"', (ROOT / "gateway/__init__.py").read_text(), re.MULTILINE)
    if found is None:
        raise SystemExit("gateway/__init__.py has no VERSION")
    write(folder / "scangate.cdx.json", bill(found[1]))
    write(folder / "scangate.vex.cdx.json", exchange(found[1]))
    return 0


def bill(version: str) -> dict[str, Any]:
    """Return the bill of materials."""
    components = [
        {
            "type": "library",
            "bom-ref": f"pkg:pypi/{one['name'].lower()}@{one['version']}",
            "name": one["name"],
            "version": one["version"],
            "purl": f"pkg:pypi/{one['name'].lower()}@{one['version']}",
            "properties": [
                {"name": "scangate:accepted-sha256", "value": value} for value in HASH.findall(one["rest"])
            ],
        }
        for one in REQUIREMENT.finditer((ROOT / "requirements/run.txt").read_text())
    ]
    return {**head(version, "bill"), "components": components}


def exchange(version: str) -> dict[str, Any]:
    """Return what is known of vulnerabilities (VEX)."""
    return {**head(version, "vex"), "vulnerabilities": json.loads((HERE / "vulnerabilities.json").read_text())}


def head(version: str, kind: str) -> dict[str, Any]:
    """Return what both begin with."""
    moment = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), UTC)
    ref = f"pkg:deb/scangate@{version}"
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{ref}#{kind}#{moment.isoformat()}')}",
        "version": 1,
        "metadata": {
            "timestamp": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "component": {"type": "application", "bom-ref": ref, "name": "scangate", "version": version},
        },
    }


def write(path: Path, value: dict[str, Any]) -> None:
    """Write JSON with its keys in order."""
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    sys.exit(main())
