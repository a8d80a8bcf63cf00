"""Scanners: transports, framing and vendor protocols. Nothing here imports `gateway`."""
