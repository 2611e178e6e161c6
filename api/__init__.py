"""The web entry point: HTTP requests to use cases, rows to Canvas's JSON."""
