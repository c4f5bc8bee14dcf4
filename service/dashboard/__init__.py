"""The pages for people: rendered on the server, readable without a script, nothing loaded from elsewhere."""
