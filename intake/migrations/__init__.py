"""The database's versions, one file each; a file is never changed once it has been released (Alembic)."""
