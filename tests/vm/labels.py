"""The labels that the bench scans: GS1 DataMatrix, each with its own serial number."""

AIM = "]d2"


def text(number: int) -> str:
    """Return a label's text as the event carries it: GTIN, lot, GS, serial number."""
    return f"010952000100010210L1\x1d21S{number:06d}"


def label(number: int) -> bytes:
    """Return what a serial scanner sends for it."""
    return f"{AIM}{text(number)}\r".encode()
