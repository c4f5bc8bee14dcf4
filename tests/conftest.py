"""What holds for every test."""

from __future__ import annotations

import signal

# A shell that starts pytest in the background has it ignore SIGINT, and every process that a test starts would too.
signal.signal(signal.SIGINT, signal.default_int_handler)
