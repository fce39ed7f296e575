"""What the daemon says about itself, on stderr: one line an event, for people or as JSON.

As JSON every line is one object with ``time`` (RFC 3339, UTC), ``at`` (seconds since the epoch), ``level``, ``event``
and the event's own fields; what libraries say through ``logging`` is an event ``Log``. A call (see
:mod:`vsm_mcp.app.calllog`) that belongs to a trace names it in ``trace``.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Mapping
from typing import Any, Final

from vsm_mcp.config import Log
from vsm_mcp.events import (
    AccessInClear,
    AccessRefused,
    ConfigRejected,
    CpuLimitReached,
    Escalated,
    Event,
    ExportFailed,
    GaveUp,
    PinChanged,
    RestartsHeld,
    ServerCrashed,
    StepFailed,
    UndoFailed,
)

_ALARMS: Final = (Escalated, GaveUp, UndoFailed, PinChanged)
_TROUBLES: Final = (
    AccessInClear, AccessRefused, ConfigRejected, CpuLimitReached, ExportFailed, RestartsHeld, ServerCrashed,
    StepFailed,
)  # fmt: skip
_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_TEXT: Final = "%(levelname)s %(name)s %(message)s"


class EventLog:
    """A subscriber that writes each event at its level."""

    def __init__(self, settings: Log) -> None:
        self._settings = settings
        logging.basicConfig(stream=sys.stderr, format=_TEXT)
        self.configure(settings)

    def configure(self, settings: Log) -> None:
        """Write in another way from now on; sets level and form of the ``logging`` module too."""
        self._settings = settings
        root = logging.getLogger()
        root.setLevel(max(_LEVELS[settings.level], logging.WARNING))
        for each in root.handlers:
            if isinstance(each, logging.StreamHandler) and each.stream is sys.stderr:
                each.setFormatter(JsonLines() if settings.format == "json" else logging.Formatter(_TEXT))

    def __call__(self, event: Event) -> None:
        """Write one event."""
        level = "error" if isinstance(event, _ALARMS) else "warning" if isinstance(event, _TROUBLES) else "info"
        if enabled(self._settings, level):
            fields = event.to_dict()
            write(self._settings, level, str(fields.pop("event")), fields)


class JsonLines(logging.Formatter):
    """Writes what libraries say as a line of the same form as an event."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one record as JSON, on one line."""
        fields: dict[str, Any] = {"logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return as_json(record.levelname.lower(), "Log", fields, record.created)


def enabled(settings: Log, level: str) -> bool:
    """Whether lines of a level are written."""
    return _LEVELS[level] >= _LEVELS[settings.level]


def write(settings: Log, level: str, name: str, fields: Mapping[str, Any]) -> None:
    """Write one line in the form that the settings ask for."""
    now = time.time()
    line = as_json(level, name, fields, now) if settings.format == "json" else as_text(level, name, fields, now)
    sys.stderr.write(line + "\n")


def as_json(level: str, name: str, fields: Mapping[str, Any], at: float) -> str:
    """Return a line for machines."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03d}Z"
    return json.dumps({"time": moment, "at": round(at, 3), "level": level, "event": name, **fields}, ensure_ascii=False)


def as_text(level: str, name: str, fields: Mapping[str, Any], at: float) -> str:
    """Return a line for people; what is empty is left out."""
    words = " ".join(f"{key}={_quoted(value)}" for key, value in fields.items() if value not in ("", ()))
    return f"{time.strftime('%H:%M:%S', time.localtime(at))} {level:<7} {name} {words}"


def _quoted(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if any(char in text for char in ' "\n\x1b') else text
