"""The scanners' own settings. May import `drivers`, never `gateway`."""
