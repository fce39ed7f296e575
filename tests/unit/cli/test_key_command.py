from __future__ import annotations

import pytest

from vsm_mcp.cli.key_command import _duration, _rate
from vsm_mcp.errors import BadArgument


@pytest.mark.parametrize(
    ("text", "per_minute"), [("60/min", 60), ("60", 60), ("5/s", 300), ("90/h", 1.5), ("0.5/m", 0.5), ("1.5/s", 90)]
)
def test_rates(text: str, per_minute: float) -> None:
    assert _rate(text) == pytest.approx(per_minute)


@pytest.mark.parametrize("text", ["x", "0", "-1/min", "60/day", "60 /min", "1e9", "/min", "\u0663/min", "60/min\n"])
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(BadArgument, match="no rate") as caught:
        _rate(text)
    assert "60/min" in caught.value.hint


@pytest.mark.parametrize(("text", "seconds"), [("90m", 5400), ("12h", 43200), ("30d", 2592000), ("8w", 4838400)])
def test_durations(text: str, seconds: float) -> None:
    assert _duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0d", "30", "d", "-1d", "1y", "1.5d", "9999999d", "30d "])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(BadArgument, match="no duration"):
        _duration(text)
