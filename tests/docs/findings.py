"""docs/findings.md, written from the tables in the code. `python -m tests.docs.findings` writes it anew."""

from pathlib import Path
from typing import Final

from gateway.station.verdict import RULES
from gateway.udi.findings import FINDINGS

PAGE: Final = Path(__file__).parents[2] / "docs" / "findings.md"


def page() -> str:
    """The page as it must be."""
    lines = [
        "# Findings",
        "",
        "Whatever is noticed about a scan has a code. The codes are stable; the messages are for people and may",
        "change. An error refuses the scan, a warning accepts it with a remark, an info is only recorded. A site",
        'gives a finding another severity with `[station] severity = { CODE = "warning" }`.',
        "",
        "## Of the verdict",
        "",
        *_table({code: (str(severity), meaning) for code, (severity, meaning) in RULES.items()}),
        "",
        "## Of the label",
        "",
        *_table({code: (str(kind.severity), kind.meaning) for code, kind in FINDINGS.items()}),
        "",
    ]
    return "\n".join(lines)


def _table(rows: dict[str, tuple[str, str]]) -> list[str]:
    head = ["| code | severity | meaning |", "|---|---|---|"]
    return head + [f"| `{code}` | {severity} | {meaning} |" for code, (severity, meaning) in rows.items()]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
