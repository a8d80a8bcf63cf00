"""The article master: looked up for every scan, built from files, changed by deltas."""
