"""Decoding of UDI labels: one file per issuing agency. `decode` and `decode_symbols` are the whole interface."""

from gateway.udi.dispatch import decode, decode_symbols

__all__ = ["decode", "decode_symbols"]
