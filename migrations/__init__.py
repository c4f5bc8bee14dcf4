"""The database's history: one file a revision, each carried out in one transaction."""
