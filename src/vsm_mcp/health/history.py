"""The last hundred looks at a server, in as little memory as it takes: 13 bytes for each reading."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from vsm_mcp.health.check import Reading
from vsm_mcp.model.finding import CheckStatus

LENGTH: Final = 100
_WORDS: Final = (str(CheckStatus.PASS), str(CheckStatus.FAIL), str(CheckStatus.UNAVAILABLE))
_NOTHING: Final = float("nan")


class Point(msgspec.Struct, frozen=True):
    """One reading of the past: when (seconds since the epoch), how it ended, and what was measured, if anything was."""

    at: float
    status: str
    value: float | None = None


class Series:
    """The last readings of one check: a ring."""

    __slots__ = ("_codes", "_next", "_since", "_times", "_values", "basis")

    def __init__(self) -> None:
        self.basis = ""
        self._times = array("d")
        self._values = array("f")
        self._codes = bytearray()
        self._next = 0
        self._since = 0  # how many of the newest are of the present basis

    def __len__(self) -> int:
        return len(self._codes)

    def add(self, at: float, reading: Reading) -> None:
        """Take in one more reading; the hundredth before it is forgotten."""
        basis, status, value = reading.basis, reading.status, reading.value
        if basis and basis != self.basis:
            self.basis, self._since = basis, 0
        code = 0 if status is CheckStatus.PASS else 1 if status is CheckStatus.FAIL else 2
        if value is None or code == 2:
            value = _NOTHING
        if self._since < LENGTH:
            self._since += 1
        place = self._next
        if place == len(self._codes):
            self._times.append(at)
            self._values.append(value)
            self._codes.append(code)
        else:
            self._times[place] = at
            self._values[place] = value
            self._codes[place] = code
        self._next = place + 1 if place + 1 < LENGTH else 0

    def measured(self) -> list[tuple[float, float]]:
        """Return what was measured on the present basis, oldest first: (at, value)."""
        pairs = [(self._times[place], self._values[place]) for place in self._places()[-self._since :]]
        return [pair for pair in pairs if pair[1] == pair[1]]

    def points(self) -> list[Point]:
        """Return all readings, oldest first."""
        return [self._point(place) for place in self._places()]

    def _places(self) -> list[int]:
        """Return where the readings are, from the oldest to the newest."""
        count, start = len(self._codes), self._next
        return [*range(start, count), *range(start)] if count == LENGTH else list(range(count))

    def _point(self, place: int) -> Point:
        value = self._values[place]
        known = None if value != value else round(value, 6)  # noqa: PLR0124 - as above
        return Point(self._times[place], _WORDS[self._codes[place]], known)


class History:
    """The series of one server, by check."""

    __slots__ = ("last", "looks", "series")

    def __init__(self) -> None:
        self.series: dict[str, Series] = {}
        self.last: Mapping[str, Reading] = {}
        self.looks = 0

    def add(self, at: float, readings: Mapping[str, Reading]) -> None:
        """Take in one look."""
        self.looks += 1
        self.last = readings
        for name, reading in readings.items():
            series = self.series.get(name)
            if series is None:
                series = self.series[name] = Series()
            series.add(at, reading)

    def afresh(self) -> None:
        """Take note that another process runs now: what grew in the one before says nothing about it."""
        for series in self.series.values():
            series.basis = ""

    def shown(self, most: int = LENGTH) -> dict[str, list[dict[str, Any]]]:
        """Return the last readings of each check as JSON-ready values."""
        return {name: msgspec.to_builtins(series.points()[-most:]) for name, series in self.series.items()}
