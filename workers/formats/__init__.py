"""DataFrames to bytes, a module a format."""
