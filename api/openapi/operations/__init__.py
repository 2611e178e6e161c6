"""What each route reads and returns, with its examples: a module for each module of `api.routes`."""
