"""One file a version, in order; Alembic reads them."""
