"""The versions of the database, the oldest first; none is changed once it was released."""
