"""Groups of commands that have a file of their own; `cli` registers them."""
