"""What became of the calls that clients made of one server."""

from __future__ import annotations

from math import log
from typing import Final

_LEAST_SECONDS: Final = 1e-6


class Tally:
    """Counts through whichever connections of a server: one is handed from each to the next.

    ``calls`` were made; ``answered`` of them got an answer, whatever it says (an error is one, too); ``lost`` ones got
    none in time, or the connection broke. The others were given up by who made them, refused over HTTP, or wait.
    ``log_seconds`` is the sum of the natural logarithms of how long the answers took.
    """

    __slots__ = ("answered", "calls", "log_seconds", "lost")

    def __init__(self) -> None:
        self.calls = 0
        self.answered = 0
        self.lost = 0
        self.log_seconds = 0.0

    def took(self, seconds: float) -> None:
        """Count an answer."""
        self.answered += 1
        self.log_seconds += log(seconds) if seconds > _LEAST_SECONDS else log(_LEAST_SECONDS)
