"""The last hundred looks at a server, in little memory: five bytes for each reading, eight for the time of a look."""

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


class History:
    """A ring of looks; each is a row with one reading for each of ``names``. ``last`` are the newest readings.

    Packed, for there may be ten thousand of them: three buffers each, however many checks there are.
    """

    __slots__ = ("_bases", "_codes", "_next", "_since", "_times", "_values", "last", "looks", "names")

    def __init__(self) -> None:
        self.looks = self._next = 0
        self.last: Mapping[str, Reading] = {}
        self._bases: list[str] = []
        self._since: list[int] = []
        self._begin(())

    def __len__(self) -> int:
        return len(self._times)

    def add(self, at: float, readings: Mapping[str, Reading]) -> None:
        """Take in one look; the hundredth before it is forgotten. Other checks than before begin another history."""
        if (names := tuple(readings)) != self.names:
            self._begin(names)
        self.looks += 1
        self.last = readings
        values, codes, bases, since = [], [], self._bases, self._since
        for place, reading in enumerate(readings.values()):
            basis, status, value = reading.basis, reading.status, reading.value
            if basis and basis != bases[place]:
                bases[place], since[place] = basis, self.looks - 1
            code = 0 if status is CheckStatus.PASS else 1 if status is CheckStatus.FAIL else 2
            codes.append(code)
            values.append(_NOTHING if value is None or code == 2 else value)
        row, width = self._next, len(names)
        if len(self._times) < LENGTH:
            self._times.append(at)
            self._values.extend(values)
            self._codes.extend(codes)
        else:
            self._times[row] = at
            self._values[row * width : (row + 1) * width] = array("f", values)
            self._codes[row * width : (row + 1) * width] = bytes(codes)
        self._next = row + 1 if row + 1 < LENGTH else 0

    def afresh(self) -> None:
        """Take note that another process runs now: what grew in the one before says nothing about it."""
        self._bases = [""] * len(self.names)

    def measured(self, name: str) -> list[tuple[float, float]]:
        """Return what a check measured on its present basis, oldest first: (at, value)."""
        place, width = self.names.index(name), len(self.names)
        values, times = self._values[place::width], self._times
        rows = self._rows()[-max(self.looks - self._since[place], 1) :]
        pairs = [(times[row], values[row]) for row in rows]
        return [pair for pair in pairs if pair[1] == pair[1]]

    def points(self, name: str) -> list[Point]:
        """Return all readings of a check, oldest first."""
        place, width = self.names.index(name), len(self.names)
        found = []
        for row in self._rows():
            value = self._values[row * width + place]
            known = None if value != value else round(value, 6)  # noqa: PLR0124 - as above
            found.append(Point(self._times[row], _WORDS[self._codes[row * width + place]], known))
        return found

    def shown(self, most: int = LENGTH) -> dict[str, list[dict[str, Any]]]:
        """Return the last readings of each check as JSON-ready values."""
        return {name: msgspec.to_builtins(self.points(name)[-most:]) for name in self.names}

    def _begin(self, names: tuple[str, ...]) -> None:
        self.names = names
        self._times = array("d")
        self._values = array("f")
        self._codes = bytearray()
        self._next = 0
        self._bases = [""] * len(names)
        self._since = [self.looks] * len(names)  # the look before the first of the present basis

    def _rows(self) -> list[int]:
        """Return where the looks are, from the oldest to the newest."""
        count, start = len(self._times), self._next
        return [*range(start, count), *range(start)] if count == LENGTH else list(range(count))
