"""The intake's page at `/` and metrics at `/metrics`: read-only, made on the server, without a script."""
