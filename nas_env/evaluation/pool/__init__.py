"""Worker processes that train children."""
