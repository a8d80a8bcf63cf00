"""The gateway: from a scanner's bytes to a stored, delivered event."""
