from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.discovery.network.backoff import asked_to_wait, pause
from vsm_mcp.discovery.network.limits import Limits

NOW = 1_900_000_000.0
IN_AN_HOUR = format_datetime(datetime.fromtimestamp(NOW + 3600, UTC), usegmt=True)


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (200, {}, 0),
        (200, {"retry-after": "60"}, 0),
        (200, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 30)}, 30),
        (200, {"x-ratelimit-remaining": "1", "x-ratelimit-reset": str(int(NOW) + 30)}, 0),
        (429, {}, 0),
        (429, {"retry-after": "60"}, 60),
        (503, {"retry-after": IN_AN_HOUR}, 3600),
        (403, {"retry-after": "60", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}, 60),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 900)}, 900),
        (403, {"x-ratelimit-remaining": "0"}, 60),
        (403, {"x-ratelimit-remaining": "5", "x-ratelimit-reset": str(int(NOW) + 900)}, 0),
        (429, {"x-ratelimit-limit": "30", "x-ratelimit-remaining": "12"}, 60),
        (403, {}, 0),
        (500, {"retry-after": "60"}, 0),
        (429, {"retry-after": "99999999"}, 24 * 3600),
        (429, {"retry-after": "9" * 400}, 0),
        (429, {"retry-after": "-5"}, 0),
        (429, {"retry-after": "soon"}, 0),
        (429, {"retry-after": "Mon, 01 Jan 1990 00:00:00 GMT"}, 0),
    ],
)
def test_what_a_host_asks_for(status: int, headers: dict[str, str], seconds: float) -> None:
    assert asked_to_wait(status, headers, NOW) == seconds


ODD = st.text("0123456789-+.eE :,GMTinfa", max_size=24)


@given(st.integers(100, 599), st.dictionaries(st.sampled_from(["retry-after", "x-ratelimit-reset"]), ODD))
def test_no_host_switches_a_source_off_for_good(status: int, headers: dict[str, str]) -> None:
    assert 0 <= asked_to_wait(status, headers, NOW) <= 24 * 3600


@given(st.integers(1, 40), st.floats(0, 1))
def test_pauses_are_bounded_and_end(failures: int, chance: float) -> None:
    limits = Limits(tries=6, first_pause=0.1, longest_pause=1.0)
    after = pause(failures, limits, chance)
    if failures >= 6:
        assert after is None
    else:
        assert after is not None
        assert min(1.0, 0.1 * 2 ** (failures - 1)) / 2 <= after <= 1.0
