"""What the daemon says about itself, on stderr: one line an event, for people or as JSON."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Final

from vsm_mcp.config import Config
from vsm_mcp.events import (
    AccessInClear,
    AccessRefused,
    Emit,
    Event,
    GaveUp,
    PinChanged,
    ServerCrashed,
    StepFailed,
    UndoFailed,
)

_ALARMS: Final = (GaveUp, UndoFailed, PinChanged)
_TROUBLES: Final = (AccessInClear, AccessRefused, ServerCrashed, StepFailed)
_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def log_events(config: Config) -> Emit:
    """Return a subscriber that writes each event at its level; sets the level of the ``logging`` module too."""
    least = _LEVELS[config.log.level]
    logging.basicConfig(
        stream=sys.stderr, level=max(least, logging.WARNING), format="%(levelname)s %(name)s %(message)s"
    )

    def write(event: Event) -> None:
        level = "error" if isinstance(event, _ALARMS) else "warning" if isinstance(event, _TROUBLES) else "info"
        if _LEVELS[level] < least:
            return
        fields = event.to_dict()
        if config.log.format == "json":
            text = json.dumps({"at": round(time.time(), 3), "level": level, **fields}, ensure_ascii=False)
        else:
            name = fields.pop("event")
            words = " ".join(f"{key}={_quoted(value)}" for key, value in fields.items() if value != "")
            text = f"{time.strftime('%H:%M:%S')} {level:<7} {name} {words}"
        sys.stderr.write(text + "\n")

    return write


def _quoted(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if any(char in text for char in ' "\n\x1b') else text
