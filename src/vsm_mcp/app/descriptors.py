"""How many files the daemon may have open: a server takes five, and the usual limit would end at two hundred."""

from __future__ import annotations

import contextlib
import resource


def allow_many() -> None:
    """Raise the limit as far as may be; what the daemon starts gets limits of its own."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # macOS says "unlimited" and then refuses it
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
