"""From the database to DataFrames, in one snapshot."""
