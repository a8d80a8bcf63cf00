"""What may go wrong: operation, object, cause and the next step, and whether trying again helps."""


class FirmwareError(Exception):
    """A scanner's settings could not be read or written."""

    def __init__(self, operation: str, subject: str, cause: str, hint: str, *, recoverable: bool) -> None:
        super().__init__(f"cannot {operation} {subject}: {cause}; {hint}")
        self.operation = operation
        self.subject = subject
        self.cause = cause
        self.hint = hint
        self.recoverable = recoverable


class PortGoneError(FirmwareError, ConnectionError):
    """The scanner is not at its port any more."""


class NoAnswerError(FirmwareError, TimeoutError):
    """The scanner said nothing, or nothing that can be understood."""


class RefusedError(FirmwareError):
    """The scanner refused a command or a value."""


class NotKeptError(FirmwareError):
    """The scanner said that it took a value, and has another."""


class OtherScannerError(FirmwareError):
    """Another scanner answers than the one that was asked first."""


class NotConfigurableError(FirmwareError, NotImplementedError):
    """Nothing confirmed is known of how this vendor's scanners are read or written."""


class ProfileError(FirmwareError, ValueError):
    """There is no such profile, or its file is wrong."""


class JournalError(FirmwareError, OSError):
    """The journal cannot be read or written."""
