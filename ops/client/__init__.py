"""What somebody uses who talks to a running service."""
