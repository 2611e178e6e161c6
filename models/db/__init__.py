"""PostgreSQL: the base of the tables, sessions, locks, bulk statements, the schema and its migrations."""
