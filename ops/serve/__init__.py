"""The processes of production, a module each."""
