"""Pages for people, and what programs read about the API."""
