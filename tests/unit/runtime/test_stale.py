from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.runtime import stale

OLD, NOW = 1000.0, 1000.0 + stale.LOG_SECONDS


@pytest.mark.parametrize(
    ("name", "written", "removed"),
    [
        ("gone.log", OLD, True),
        ("gone.log.1", OLD, True),
        ("gone.log", OLD + 1, False),  # perhaps on trial
        ("here.log", OLD, False),
        ("daemon.log", OLD, False),  # no server was ever called that
        ("gone.txt", OLD, False),
        ("gone.log.bak", OLD, False),
        ("notes", OLD, False),
    ],
)
def test_logs(name: str, written: float, *, removed: bool) -> None:
    assert stale.logs({name: written}, {"here"}, {"here", "gone"}, NOW) == ((name,) if removed else ())


@given(st.dictionaries(st.text(max_size=12), st.floats(0, 1e9)), st.frozensets(st.text(max_size=6)))
def test_no_log_goes_that_is_not_known_to_be_ours(files: dict[str, float], known: frozenset[str]) -> None:
    assert all(name.partition(".log")[0] in known for name in stale.logs(files, (), known, 1e12))


def test_sockets() -> None:
    names = ["control.sock", "mcp.sock", "mcp-old.sock", "mcp-new.sock", "lock", "other.sock", "mcp-x.sock.bak"]
    assert stale.sockets(names, {"mcp.sock", "mcp-new.sock"}) == ("mcp-old.sock",)


def test_the_dead_get_time_to_be_waited_for() -> None:
    assert stale.dead(frozenset({(1, 10), (2, 20), (3, 31)}), frozenset({(1, 10), (3, 30)})) == (1,)
