"""Moments as registries write them: ISO 8601. Pure."""

from __future__ import annotations

import datetime


def moment(text: object) -> datetime.datetime | None:
    """Return the moment that a text names, in UTC where it has no offset; ``None`` for what names none."""
    try:
        read = datetime.datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return read.replace(tzinfo=datetime.UTC) if read is not None and read.tzinfo is None else read


def stamp(at: datetime.datetime) -> str:
    """Return a moment as registries and their tools write it, in UTC and whole seconds."""
    return at.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
