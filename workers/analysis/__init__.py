"""Pure analysis: frames in, tables out; it knows nothing of the service."""
