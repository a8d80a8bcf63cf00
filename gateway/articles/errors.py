"""What can go wrong with the article master. A row that is no good is not among them: it is a `Rejection`."""

import re
from typing import Final

_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""What could begin another line or drive a terminal: a cause may quote a server's answer, or a file."""


class ArticlesError(Exception):
    """Operation, object, cause and next step, and whether trying the same again can help."""

    def __init__(self, operation: str, subject: object, cause: str, hint: str, *, recoverable: bool) -> None:
        super().__init__(_CONTROL.sub("?", f"cannot {operation} {subject}: {cause}; {hint}"))
        self.operation = operation
        self.subject = subject
        self.cause = cause
        self.hint = hint
        self.recoverable = recoverable


class MasterError(ArticlesError):
    """There is an article master and it cannot be used: work as without one, and raise the alarm."""


class MasterDamagedError(MasterError, ValueError):
    """The file is no article master, was cut short, or holds what no import writes."""


class MasterNewerError(MasterError, ValueError):
    """The file was written by a newer scangate. It is left as it is."""


class MasterOlderError(MasterError, ValueError):
    """The file was written by an earlier scangate in a format that is not read any more."""


class MasterUnreadableError(MasterError):
    """The operating system does not let the file be read."""


class NoPreviousError(ArticlesError):
    """There is no earlier generation to go back to."""


class ImportFailedError(ArticlesError):
    """An import could not be done. The master in force is untouched."""


class ImportBusyError(ImportFailedError):
    """Another import is running."""


class SourceFileError(ImportFailedError, ValueError):
    """The file to import cannot be read, or is not the table its source settings describe."""


class MasterWriteError(ImportFailedError):
    """The new generation could not be written: disk full, no permission, a failing disk."""
