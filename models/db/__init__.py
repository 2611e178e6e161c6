"""PostgreSQL: the base of the tables, sessions, bulk statements, the schema and its migrations."""
