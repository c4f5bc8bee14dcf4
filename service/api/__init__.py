"""Lockstep over REST, under /api/v1. `create_app` builds it; routes are plain functions around one store call each."""
