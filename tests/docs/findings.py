"""docs/findings.md, written from the tables in the code. `python -m tests.docs.findings` writes it anew."""

from pathlib import Path
from typing import Final

from gateway.station.rules import OF_USE, PROFILES, RULES, STOPS
from gateway.udi.findings import FINDINGS

PAGE: Final = Path(__file__).parents[2] / "docs" / "findings.md"
Row = tuple[str, ...]


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
        "How much a finding matters depends on the station's profile: in an operating room the article may be in",
        "the patient by the time it is scanned, so that the record counts most. A dash: it is not made there.",
        "",
        f"{', '.join(f'`{code}`' for code in sorted(OF_USE))} matter to the use of an article alone: what is",
        "discarded, returned or taken out gets them as an info, what is received, counted, ordered or moved as a",
        "warning at most. In an operating room `[station] moment` decides beside: `before` refuses",
        f"{', '.join(f'`{code}`' for code in sorted(STOPS))}, `after` records them with a warning.",
        "",
        *_table(("code", *PROFILES, "meaning", "source"), [rule_row(code) for code in RULES]),
        "",
        "## Of the label",
        "",
        *_table(
            ("code", "severity", "meaning"),
            [(f"`{code}`", str(kind.severity), kind.meaning) for code, kind in FINDINGS.items()],
        ),
        "",
    ]
    return "\n".join(lines)


def rule_row(code: str) -> Row:
    """Code, severity in each profile, meaning, source."""
    rule = RULES[code]
    return (f"`{code}`", *(str(rule.severity(one) or "-") for one in PROFILES), rule.meaning, rule.source)


def _table(head: Row, rows: list[Row]) -> list[str]:
    rule = "|" + "---|" * len(head)
    return [f"| {' | '.join(head)} |", rule, *(f"| {' | '.join(row)} |" for row in rows)]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
