"""What the daemon says about itself, on stderr: one line an event, for people or as JSON."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Final

from vsm_mcp.config import Log
from vsm_mcp.events import (
    AccessInClear,
    AccessRefused,
    ConfigRejected,
    CpuLimitReached,
    Escalated,
    Event,
    GaveUp,
    PinChanged,
    RestartsHeld,
    ServerCrashed,
    StepFailed,
    UndoFailed,
)

_ALARMS: Final = (Escalated, GaveUp, UndoFailed, PinChanged)
_TROUBLES: Final = (
    AccessInClear,
    AccessRefused,
    ConfigRejected,
    CpuLimitReached,
    RestartsHeld,
    ServerCrashed,
    StepFailed,
)
_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class EventLog:
    """A subscriber that writes each event at its level."""

    def __init__(self, settings: Log) -> None:
        self._settings = settings
        logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
        self.configure(settings)

    def configure(self, settings: Log) -> None:
        """Write in another way from now on; sets the level of the ``logging`` module too."""
        self._settings = settings
        logging.getLogger().setLevel(max(_LEVELS[settings.level], logging.WARNING))

    def __call__(self, event: Event) -> None:
        """Write one event."""
        level = "error" if isinstance(event, _ALARMS) else "warning" if isinstance(event, _TROUBLES) else "info"
        if _LEVELS[level] < _LEVELS[self._settings.level]:
            return
        fields = event.to_dict()
        if self._settings.format == "json":
            text = json.dumps({"at": round(time.time(), 3), "level": level, **fields}, ensure_ascii=False)
        else:
            name = fields.pop("event")
            words = " ".join(f"{key}={_quoted(value)}" for key, value in fields.items() if value not in ("", ()))
            text = f"{time.strftime('%H:%M:%S')} {level:<7} {name} {words}"
        sys.stderr.write(text + "\n")


def _quoted(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if any(char in text for char in ' "\n\x1b') else text
