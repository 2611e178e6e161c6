"""The use cases of ingestion: payloads are applied to the database, all of a request or nothing.

Each is an upsert that may be repeated: the same payload again changes nothing and raises no revision.
"""
