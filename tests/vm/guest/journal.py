"""Runs in the guest: prints every event in the outbox, in order, as a JSON list of texts."""

import json
import sqlite3
import sys


def main(path: str) -> None:
    """Print the list."""
    outbox = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    events = outbox.execute("SELECT body FROM event ORDER BY sequence")
    json.dump([bytes(body).decode() for (body,) in events], sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
