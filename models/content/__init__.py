"""What a question and a response say, as text; pure."""
