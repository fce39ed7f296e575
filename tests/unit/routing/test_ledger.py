"""Every call is counted once, by how it ended."""

from __future__ import annotations

import gc

import pytest

from vsm_mcp.errors import HttpRefused, Overloaded, ProtocolError, RequestTimeout, ServerDown, Throttled, VsmError
from vsm_mcp.model.ending import Ending, ending_of
from vsm_mcp.routing.ledger import BOUNDS, Account, Ledger, Reader


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


def test_each_reader_reads_what_is_new_once() -> None:
    ledger = Ledger()
    one, other = Reader(ledger), Reader(ledger)
    ledger.of("a", "x").note(Ending.ANSWERED, 0.25)
    ledger.of("a", "y")  # was never called: nothing is new
    (read,) = one.news()
    assert (read[0], read[1].calls, read[1].seconds) == (("a", "x"), 1, 0.25)
    assert list(one.news()) == []
    ledger.of("a", "x").note(Ending.TIMEOUT, 0.0)
    (more,) = (more for _, more in one.news())
    assert (more.calls, more.faults, sum(more.buckets), more.seconds, more.logs) == (1, 1, 0, 0.0, 0.0)
    (both,) = (more for _, more in other.news())
    assert (both.calls, both.answered, both.faults) == (2, 1, 1)


def test_what_was_only_looked_at_is_read_later() -> None:
    ledger = Ledger()
    reader = Reader(ledger)
    assert reader.unread(("a", "x")) is None
    ledger.of("a", "x").note(Ending.ANSWERED, 0.1)
    unread = reader.unread(("a", "x"))
    assert unread is not None and unread.calls == 1
    read = reader.read(("a", "x"))
    assert read is not None and read.calls == 1
    assert reader.unread(("a", "x")) is None


def test_an_account_that_was_opened_anew_is_read_whole_however_much_the_one_before_held() -> None:
    ledger = Ledger()
    reader = Reader(ledger)
    ledger.of("a", "x").note(Ending.ANSWERED, 0.1)
    assert len(list(reader.news())) == 1
    ledger.forget("a")
    assert list(reader.news()) == []
    for _ in range(3):
        ledger.of("a", "x").note(Ending.TRANSPORT, 0.0)
    ((_, more),) = reader.news()
    assert (more.calls, more.answered, more.faults) == (3, 0, 3)
    ledger.forget("a")
    ledger.of("a", "x").note(Ending.REFUSED, 0.1)
    ((_, more),) = reader.news()
    assert (more.calls, more.faults) == (1, 0)


def test_the_news_of_one_server_hold_its_newcomers_and_leave_others_unread() -> None:
    ledger = Ledger()
    reader = Reader(ledger)
    for name in ("a", "a@2.0.0", "ab", "b"):
        ledger.of(name, "x").note(Ending.ANSWERED, 0.1)
    assert [key[0] for key, _ in reader.news("a")] == ["a", "a@2.0.0"]
    assert [key[0] for key, _ in reader.news()] == ["ab", "b"]


def test_a_reader_keeps_nothing_of_accounts_that_are_closed() -> None:
    before = _accounts_in_memory()
    ledger = Ledger()
    reader = Reader(ledger)
    for number in range(50):
        ledger.of(f"server{number}", "x").note(Ending.ANSWERED, 0.1)
        assert len(list(reader.news())) == 1
        ledger.forget(f"server{number}")
    assert list(reader.news()) == []
    assert _accounts_in_memory() == before


def _accounts_in_memory() -> int:
    gc.collect()
    return sum(isinstance(each, Account) for each in gc.get_objects())


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
