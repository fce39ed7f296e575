"""The last hundred looks at a server, in as little memory as it takes: 13 bytes for each reading."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from vsm_mcp.health.check import Reading
from vsm_mcp.model.finding import CheckStatus

LENGTH: Final = 100
_CODES: Final = {CheckStatus.PASS: 0, CheckStatus.FAIL: 1, CheckStatus.UNAVAILABLE: 2}
_WORDS: Final = tuple(str(status) for status in _CODES)


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
        if reading.basis and reading.basis != self.basis:
            self.basis, self._since = reading.basis, 0
        code = _CODES[reading.status]
        value = reading.value if reading.value is not None and code != 2 else float("nan")
        self._since = min(self._since + 1, LENGTH)
        if len(self._codes) < LENGTH:
            self._times.append(at)
            self._values.append(value)
            self._codes.append(code)
            return
        place = self._next
        self._times[place], self._values[place], self._codes[place] = at, value, code
        self._next = (place + 1) % LENGTH

    def measured(self) -> list[tuple[float, float]]:
        """Return what was measured on the present basis, oldest first: (at, value)."""
        count, start = len(self._codes), self._next
        places = ((start + number) % count for number in range(count - self._since, count))
        pairs = [(self._times[place], self._values[place]) for place in places]
        return [pair for pair in pairs if pair[1] == pair[1]]

    def points(self) -> list[Point]:
        """Return all readings, oldest first."""
        count = len(self._codes)
        places = ((self._next + number) % count for number in range(count))
        return [self._point(place) for place in places]

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
