"""Tables to bytes, a module for each format."""
