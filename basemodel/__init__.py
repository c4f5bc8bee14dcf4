"""The candidate side of the migration: BaseModel and the models built on it."""
