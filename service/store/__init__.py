"""Where runs and their records live: in a database, or in memory. The only importer of SQLAlchemy and Alembic."""
