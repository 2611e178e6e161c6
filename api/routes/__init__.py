"""One module for each resource; a route opens its transaction, calls one use case and responds."""
