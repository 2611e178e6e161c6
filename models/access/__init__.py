"""Access: tokens, and what a user may see of a course."""
