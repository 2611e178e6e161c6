"""The web door: HTTP requests to use cases, rows to Canvas JSON."""
