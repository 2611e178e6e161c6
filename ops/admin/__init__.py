"""The commands of an operator: migrations, tokens, checks."""
