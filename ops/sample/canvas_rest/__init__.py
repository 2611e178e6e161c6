"""A course as Canvas's REST API returns it, and how it becomes a push."""
