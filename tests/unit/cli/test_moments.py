from __future__ import annotations

from datetime import UTC, datetime

import pytest

from vsm_mcp.cli.moments import since
from vsm_mcp.errors import BadArgument

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("text", "ago"), [("30s", 30), ("5m", 300), ("2h", 7200), (" 7d ", 7 * 86_400), ("1w", 604_800), ("0m", 0)]
)
def test_so_long_ago(text: str, ago: float) -> None:
    assert since(text, NOW) == NOW - ago


def test_dates() -> None:
    assert since("2026-11-29T12:00:00+00:00", NOW) == datetime(2026, 11, 29, 12, tzinfo=UTC).timestamp()
    assert since("2026-11-29", NOW) == datetime(2026, 11, 29).astimezone().timestamp()


@pytest.mark.parametrize("text", ["", "yesterday", "-2h", "2026-13-01", "9999999d", "1.5h"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(BadArgument):
        since(text, NOW)
