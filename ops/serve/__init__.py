"""One process each, for production."""
