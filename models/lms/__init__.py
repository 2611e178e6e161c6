"""What the LMS told the service: courses, quizzes, attempts; their tables and how they are found."""
