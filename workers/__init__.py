"""The queue door: a report id to a stored file."""
