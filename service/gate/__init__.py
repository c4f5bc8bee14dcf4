"""The gate: many plans carried out one after another, one exit code, and the files that CI systems read."""
