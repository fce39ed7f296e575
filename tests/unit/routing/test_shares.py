"""A share is sticky, even, and only ever grows for the callers it has."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from vsm_mcp.routing.router import Router
from vsm_mcp.routing.shares import Share, place
from vsm_mcp.routing.table import Route

_CALLERS = [f"caller {number}" for number in range(4000)]


def _share(percent: float) -> Share:
    return Share(newcomer="files@2", percent=percent, salt="rollout", tools={"read"})


def test_a_share_is_about_as_large_as_it_says() -> None:
    taken = sum(_share(15).takes(caller) for caller in _CALLERS)
    assert 0.12 < taken / len(_CALLERS) < 0.18


@given(st.text(), st.text())
def test_a_place_is_stable_and_within_bounds(salt: str, caller: str) -> None:
    assert 0.0 <= place(salt, caller) < 1.0
    assert place(salt, caller) == place(salt, caller)


@given(st.text(), st.floats(0, 100), st.floats(0, 100))
def test_whoever_was_taken_stays_taken_when_the_share_grows(caller: str, one: float, other: float) -> None:
    less, more = sorted((one, other))
    assert not _share(less).takes(caller) or _share(more).takes(caller)


def test_a_session_stays_with_the_process_it_began_with() -> None:
    staying, coming = {"old": 1}, {"new": 1}
    share = msgspec.structs.replace(_share(50), staying=staying.keys(), coming=coming.keys())
    all_of_it, nothing = msgspec.structs.replace(share, percent=100), msgspec.structs.replace(share, percent=0)
    assert (all_of_it.takes("old"), nothing.takes("new")) == (False, True)
    staying.clear()
    coming.clear()
    assert (all_of_it.takes("old"), nothing.takes("new")) == (True, False)


def test_whoever_has_no_name_draws_anew_with_each_call_unless_the_server_keeps_state() -> None:
    loose = _share(25)
    assert 150 < sum(loose.takes("") for _ in range(1000)) < 350
    kept = msgspec.structs.replace(loose, loose=False)
    assert len({kept.takes("") for _ in range(1000)}) == 1


def test_nothing_and_everything() -> None:
    assert not any(_share(0).takes(caller) for caller in _CALLERS)
    assert all(_share(100).takes(caller) for caller in _CALLERS)


def test_the_router_leaves_what_the_newcomer_does_not_offer() -> None:
    router, read, write = Router(), Route("files", "read"), Route("files", "write")
    router.share("files", _share(100))
    assert router.directed(read, "me") == Route("files@2", "read", "files")
    assert router.directed(read, "me").asked == "files"
    assert router.directed(write, "me") is write
    router.share("files", None)
    assert router.directed(read, "me") is read
