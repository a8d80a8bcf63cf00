"""The envelope of a signed message from the central system: `{"payload": BASE64, "signature": BASE64}` (Ed25519).

What is signed is exactly the payload's bytes (RFC 8032). Where a public key is configured, a message without its
signature is refused; where none is, it is read as it is. Pure; the check itself comes in as a function.
"""

import binascii
from base64 import b64decode
from collections.abc import Callable

import msgspec
from msgspec import Struct

Verify = Callable[[bytes, bytes], bool]
"""(message, signature) -> whether the signature is right."""
Unseal = Callable[[bytes], bytes]
"""Returns the message itself. Raises SignatureRefusedError."""


class SignatureRefusedError(ValueError):
    """A message is not signed as it must be. The text is the reason."""


class _Envelope(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    payload: str
    signature: str


_envelopes = msgspec.json.Decoder(_Envelope)


def unsealed(body: bytes, verify: Verify | None) -> bytes:
    """Return the message itself, out of its envelope if it has one. Raises SignatureRefusedError."""
    try:
        envelope = _envelopes.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if verify is None:
            return body
        raise SignatureRefusedError('it is not signed: expected {"payload": ..., "signature": ...}') from error
    try:
        message = b64decode(envelope.payload, validate=True)
        signature = b64decode(envelope.signature, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SignatureRefusedError("payload or signature is no base64") from error
    if verify is not None and not verify(message, signature):
        raise SignatureRefusedError("its signature is wrong")
    return message
