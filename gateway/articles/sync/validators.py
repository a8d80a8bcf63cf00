"""By what a server tells a file's versions apart (RFC 9110, 8.8)."""

from msgspec import Struct


class Validators(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a server said of a file."""

    url: str
    etag: str | None = None
    last_modified: str | None = None
    """An HTTP date, as it came."""

    @property
    def strong(self) -> str | None:
        """What If-Range may carry: a weak tag does not promise the same bytes."""
        if self.etag is not None:
            return None if self.etag.startswith("W/") else self.etag
        return self.last_modified
