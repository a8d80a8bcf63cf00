"""What the box and its operating system give: clock, files, credentials, systemd, logging, control socket.

Imports only the standard library and msgspec, besides the version in `gateway`.
"""
