"""A sample article master and sample scans for the demo, for trying things out, and for tests.

Hospital, manufacturers, articles and recalls are invented. The identifiers come from what their issuers set
aside for examples, so that no real product can be mistaken for one of these:

- GTIN: GS1 prefix 952, "demonstrations and examples of the GS1 system" (GS1 company prefix list);
- HIBC: labeler A999, and ISBT 128: facility A9999, the ones in the standards' own examples;
- IFA: PPN 111234567842, made of PZN 12345678, the example in IFA's UDI specification.

Expiry dates of the good labels lie between 2043 and 2050. A two-digit year means one at most 50 years ahead
or 49 behind (GS1 General Specifications 7.12), so they read the same, and are not expired, until 2043. The
expired label is from May 2024. `note` in each scan says what to expect.
"""

from pathlib import Path

_HERE = Path(__file__).parent


def articles_csv() -> Path:
    """Return the sample article master: UTF-8, semicolons, columns named as the master's fields."""
    return _HERE / "articles.csv"


def scans() -> Path:
    """Return the sample scans: one JSON object a line, in the form the replay driver reads."""
    return _HERE / "scans.ndjson"
