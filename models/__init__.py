"""The ground floor: tables, state rules and use cases; it knows neither web, nor queue, nor pandas."""
