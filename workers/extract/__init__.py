"""The database to DataFrames, in one snapshot."""
