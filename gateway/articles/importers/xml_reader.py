"""XML read block by block with the standard library's expat, with bounds for what it may hold.

A document type declaration is refused, and with it every entity of the document's own: no exchange format of articles
has one, and it is how a small document becomes an endless one.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO, Final
from xml.parsers import expat

READ_BYTES: Final = 64 * 1024
MAX_TOKEN_BYTES: Final = 1024 * 1024
"""Of one tag, comment or the like, which expat holds whole."""
MAX_TEXT_CHARACTERS: Final = 65_536
"""Of one element whose text is wanted; descriptions have 5000 at most."""
MAX_DEPTH: Final = 96
"""Elements inside each other; UBL has some ten, a GDSN hierarchy of five levels some sixty."""


class XmlError(ValueError):
    """The document is refused; the message says why."""


DAMAGE: Final = (XmlError, expat.ExpatError, LookupError, ValueError)
"""What reading can raise; the last two: an encoding nobody has heard of."""

Started = Callable[[list[str], dict[str, str]], bool]
"""An element has begun: its place, the names from the root on, and its attributes. Return whether its text counts."""
Ended = Callable[[list[str], str | None], None]
"""It has ended: its place, and its text, without white space around; None where it does not count."""


class XmlReader:
    """Reads one document."""

    def __init__(self, root: str, prefixes: Mapping[str, str], started: Started, ended: Ended) -> None:
        """`root`: namespace, a space, and name. `prefixes`: namespace -> what stands before names of it in places."""
        self._root = root
        self._prefixes = prefixes
        self._started = started
        self._ended = ended
        self._place: list[str] = []
        self._text: list[str] | None = None
        self._length = 0
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters
        self._parser.StartDoctypeDeclHandler = self._refuse

    @property
    def line(self) -> int:
        """The line that is being read."""
        return self._parser.CurrentLineNumber

    def blocks(self, stream: BinaryIO) -> Iterator[None]:
        """Read to the end; yield after each block. Raises what DAMAGE lists."""
        fed = 0
        while data := stream.read(READ_BYTES):
            self._parser.Parse(data, False)
            fed += len(data)
            if fed - max(self._parser.CurrentByteIndex, 0) > MAX_TOKEN_BYTES:
                raise XmlError(f"a tag is longer than {MAX_TOKEN_BYTES} bytes")
            yield
        self._parser.Parse(b"", True)
        yield

    def _refuse(self, *_: object) -> None:
        raise XmlError("it has a document type declaration, which may hide anything")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        namespace, _, local = name.rpartition(" ")
        if not self._place and name != self._root:
            raise XmlError(f"expected a {self._root.rpartition(' ')[2]}, got {local[:40]!r}")
        if len(self._place) >= MAX_DEPTH:
            raise XmlError(f"more than {MAX_DEPTH} elements inside each other")
        self._place.append(self._prefixes.get(namespace, "") + local)
        self._text = [] if self._started(self._place, attributes) else None
        self._length = 0

    def _characters(self, text: str) -> None:
        if self._text is None:
            return
        self._length += len(text)
        if self._length > MAX_TEXT_CHARACTERS:
            raise XmlError(f"line {self.line}: a text is longer than {MAX_TEXT_CHARACTERS} characters")
        self._text.append(text)

    def _end(self, _: str) -> None:
        self._ended(self._place, None if self._text is None else "".join(self._text).strip())
        self._text = None
        self._place.pop()
