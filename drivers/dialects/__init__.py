"""One vendor protocol per file."""
