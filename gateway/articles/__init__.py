"""The article master: a cache of what other systems own."""
