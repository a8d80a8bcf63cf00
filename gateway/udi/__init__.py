"""Decoding of UDI labels: one file per issuing agency."""
