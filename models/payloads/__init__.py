"""What the LMS sends, as types: hostile JSON in, checked values out."""
