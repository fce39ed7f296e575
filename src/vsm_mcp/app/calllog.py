"""One line of the log for each call of a server, where ``[log] calls`` asks for it: names, never arguments."""

from __future__ import annotations

from vsm_mcp.app import log
from vsm_mcp.config import Log
from vsm_mcp.model.ending import Ending


class CallLog:
    """Writes the lines of calls: of ``all``, or of those that ``failed``."""

    def __init__(self, settings: Log) -> None:
        self._settings = settings
        self._all = settings.calls == "all"

    def ended(self, names: dict[str, str], ending: Ending, seconds: float) -> None:
        """Write down one call; ``names`` say whose it was and of what."""
        failed = ending is not Ending.ANSWERED
        level = "warning" if failed else "info"
        if (failed or self._all) and log.enabled(self._settings, level):
            fields = {**names, "ending": ending.name.lower(), "ms": round(1000 * seconds, 3)}
            log.write(self._settings, level, "Call", fields)
