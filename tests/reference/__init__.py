"""Tests against real data that is kept beside the project, not in it."""
