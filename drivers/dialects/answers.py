r"""How makers' scanners answer commands, where an answer stands among codes: in forms that no label has. Pure.

Every dialect that frames by a terminator keeps such answers apart, so that asking a scanner for its settings
disturbs nobody who scans, whatever `dialect` its configuration names.
"""

import re
from collections.abc import Mapping
from typing import Final

MAX_ANSWER_BYTES: Final = 1024
"""Longest answer to one message; the longest, of several lines of text, stay well below. Longer text is a code."""

DONE: Final = b"$>"
FAILED: Final = b"$@"
"""How an answer in Datalogic's service mode begins. No text of a device label begins so: GS1 element strings begin
with a digit, HIBC with `+`, ISBT 128 with `=` or `&`, IFA with `9N` or `[`."""

MARKED: Final[Mapping[bytes, bytes]] = {DONE: b"\r", FAILED: b"\r", b"\x02\x010000": b"\x03", b"||0:": b"\r\n"}
"""How an answer begins, and how it ends, whatever the configured terminator is: Datalogic (service mode
description), Newland (NLS-HR42 User Guide, Use of Programming Command), Cognex (DataMan Control Commands
Overview)."""

ECHO_END: Final = re.compile(rb"[\x05\x06\x15][.,;!]")
"""ENQ, ACK or NAK and punctuation end Honeywell's echo of a setting. They stand in no text of a device label, so no
label is ever taken for an answer."""
ECHO: Final = re.compile(rb"[A-Z0-9]{3}[ -~]*" + ECHO_END.pattern)
"""Honeywell: tag, subtag and data, then the answer."""


def end_of_marked(data: bytes) -> bytes | None:
    r"""Return what ends the answer that the data begins with, or may begin with; None where there is none.

    >>> end_of_marked(b"$>GD4430"), end_of_marked(b"|"), end_of_marked(b"]d201")
    (b'\r', b'\r\n', None)
    """
    return next((end for begin, end in MARKED.items() if data.startswith(begin) or begin.startswith(data)), None)


def is_marked(data: bytes) -> bool:
    """Return whether the data begins as an answer does."""
    return data.startswith(tuple(MARKED))
