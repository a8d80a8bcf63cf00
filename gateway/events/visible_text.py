"""What may reach a terminal: characters that show as themselves, line ends, and the colours that rich sets.

What is printed comes from labels, article files, brokers and other boxes. A control character in it would drive the
terminal of whoever looks (CWE-150: escape sequences), and a character that turns the writing round would show another
number than the one that is there (CVE-2021-42574). So whatever a command prints passes here.
"""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import Any, Final, TextIO
from unicodedata import category

COLOURS: Final = r"\x1b\[(?:(?:[0-4]|[39][0-7]|[34]9)(?:;|m))+"
"""SGR sequences of ECMA-48, 8.3.117, for bold, dim, italic, underlined and eight colours. None that conceals."""
_SUSPECT: Final = re.compile(r"[^ -~]")
_SUSPECT_BUT_LINES: Final = re.compile(r"\r\n|[^ -~\n\t]")
_SUSPECT_BUT_COLOURS: Final = re.compile(rf"{COLOURS}|\r\n|[^ -~\n\t]")


def shows(character: str) -> bool:
    """Return whether a character shows as itself: no control, no format character, half of a pair or unassigned."""
    return character.isprintable() or category(character) == "Zs"


def visible(text: str) -> str:
    r"""Return a text with what does not show in hexadecimal.

    >>> visible("10A\x1d21\u202e")
    '10A<1D>21<202E>'
    """
    return _SUSPECT.sub(_marked, text)


def visible_json(text: str) -> str:
    r"""Return JSON with what does not show as JSON's own escapes: it means the same.

    >>> visible_json('{"lot":"A\u202e"}')
    '{"lot":"A\\u202e"}'
    """
    return _SUSPECT_BUT_LINES.sub(_escaped, text)


def _marked(found: re.Match[str]) -> str:
    text = found.group()
    return text if len(text) > 1 or shows(text) else f"<{ord(text):02X}>"


def _escaped(found: re.Match[str]) -> str:
    text = found.group()
    if len(text) > 1 or shows(text):
        return text
    units = text.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


class _Guarded:
    """A text stream that writes only what may reach a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._suspect = _SUSPECT_BUT_COLOURS if stream.isatty() else _SUSPECT_BUT_LINES

    def write(self, text: str) -> int:
        self._stream.write(self._suspect.sub(_marked, text))
        return len(text)

    def writelines(self, lines: Iterator[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the stream has
        return getattr(self._stream, name)


@contextmanager
def guarded(stdout: TextIO, stderr: TextIO) -> Iterator[None]:
    """Let only what may reach a terminal pass, whoever prints. Bytes that are written to the buffers pass whole."""
    with ExitStack() as stack:
        stack.enter_context(redirect_stdout(_Guarded(stdout)))
        stack.enter_context(redirect_stderr(_Guarded(stderr)))
        yield
