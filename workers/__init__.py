"""The workers: they turn a report's id into a stored file."""
