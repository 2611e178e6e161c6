"""The tests: unit (no server), reference (published figures), integration and end to end (real servers)."""
