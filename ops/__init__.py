"""The command line, and all that deploys, runs and measures the service."""
