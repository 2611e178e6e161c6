"""Quiz reports: their tables, their variants, what clients ask of them and what workers do."""
