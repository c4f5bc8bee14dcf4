"""What every command shares: its exit codes, and how wide a table is that nobody looks at on a terminal."""

from __future__ import annotations

EXIT_USAGE, EXIT_BROKEN, EXIT_INTERRUPTED = 2, 4, 130
EXIT_CODES = {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 3, "BROKEN": EXIT_BROKEN}

TABLE_WIDTH = 170
"""Columns of a table where it goes into a file or a pipe."""
