"""Many dual runs with one summary."""
