"""The read side: what the generation in force says of a scan, with the overlay laid over it."""
