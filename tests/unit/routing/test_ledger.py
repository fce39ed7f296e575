"""Every call is counted once, by how it ended."""

from __future__ import annotations

import pytest

from vsm_mcp.errors import HttpRefused, Overloaded, ProtocolError, RequestTimeout, ServerDown, Throttled, VsmError
from vsm_mcp.model.ending import Ending, ending_of
from vsm_mcp.routing.ledger import BOUNDS, Account, Ledger


def test_an_account_counts_endings_and_durations_of_answers() -> None:
    account = Account()
    account.note(Ending.ANSWERED, 0.002)
    account.note(Ending.TOOL_ERROR, 0.02)
    account.note(Ending.TIMEOUT, 60.0)
    account.note(Ending.GIVEN_UP, 1.0)
    assert (account.calls, account.answered, account.faults) == (4, 2, 1)
    assert account.seconds == pytest.approx(0.022)
    assert sum(account.buckets) == 2
    assert account.buckets[BOUNDS.index(0.0025)] == 1


def test_what_is_longer_than_the_last_bound_has_a_place_of_its_own() -> None:
    account = Account()
    account.note(Ending.REFUSED, BOUNDS[-1] + 1)
    assert account.buckets[-1] == 1


def test_a_ledger_keeps_servers_apart_and_forgets_one_that_is_gone() -> None:
    ledger = Ledger()
    ledger.of("a", "x").note(Ending.ANSWERED, 0.1)
    ledger.of("b", "x").note(Ending.TRANSPORT, 0.0)
    assert ledger.of("a", "x").answered == 1
    ledger.forget("a")
    assert dict(ledger.of_server("a")) == {}
    assert [tool for tool, _ in ledger.of_server("b")] == ["x"]


def test_a_ledger_does_not_grow_without_end() -> None:
    ledger = Ledger()
    for number in range(20_100):
        ledger.of("a", f"tool{number}")
    assert len(ledger.accounts()) == 20_001
    assert ledger.of("a", "one more") is ledger.of("a", "another")


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (RequestTimeout("late"), Ending.TIMEOUT),
        (ServerDown("gone"), Ending.TRANSPORT),
        (Throttled("slower"), Ending.QUOTA),
        (Overloaded("full"), Ending.OVERLOAD),
        (ProtocolError("junk"), Ending.PROTOCOL),
        (HttpRefused(401, "no"), Ending.AUTH),
        (VsmError("who knows"), Ending.OTHER),
        (KeyboardInterrupt(), Ending.GIVEN_UP),
    ],
)
def test_errors_are_told_by_class(error: BaseException, ending: Ending) -> None:
    assert ending_of(error) is ending
