"""The import of one file into a new generation, built aside and swapped in."""
