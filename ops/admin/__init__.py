"""What an operator does: migrations, tokens, checks."""
