from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from vsm_mcp.gateway.refusals import Refusal
from vsm_mcp.gateway.visitors import Visitors
from vsm_mcp.model.principal import Grant, Principal


def who(name: str = "key:a", **grant: float) -> Principal:
    return Principal(name=name, grant=Grant(**grant))  # type: ignore[arg-type]


@contextmanager
def visit(visitors: Visitors, principal: Principal) -> Iterator[None]:
    entered = visitors.enter(principal)
    try:
        yield
    finally:
        entered.leave()


def test_so_many_in_a_minute() -> None:
    visitors = Visitors()
    for _ in range(60):
        with visit(visitors, who(rate=60)):
            pass
    with pytest.raises(Refusal) as caught, visit(visitors, who(rate=60)):
        pass
    assert caught.value.status == 429
    assert (b"retry-after", b"1") in caught.value.headers
    data = json.loads(caught.value.data or b"")
    assert (data["class"], data["retryable"], data["seconds"]) == ("quota", True, 1)
    with visit(visitors, who("key:b", rate=60)):
        pass


def test_so_many_at_once() -> None:
    visitors = Visitors()
    for _ in range(2):
        with visit(visitors, who(rate=1, burst=2)):
            pass
    for _ in range(3):  # who is refused is not counted once more
        with pytest.raises(Refusal, match="requests a minute: wait 60 s"), visit(visitors, who(rate=1, burst=2)):
            pass


def test_so_many_at_a_time_and_as_many_streams_besides() -> None:
    visitors, principal = Visitors(), who(concurrency=2)
    streams = [visitors.enter(principal) for _ in range(2)]
    for stream in streams:
        stream.stay()
    requests = [visitors.enter(principal) for _ in range(2)]
    with pytest.raises(Refusal, match="2 requests"):
        visitors.enter(principal)
    with pytest.raises(Refusal, match="2 streams"):
        requests[0].stay()
    requests[0].leave()
    visitors.enter(principal).leave()
    streams[0].leave()
    streams[0].leave()
    requests[1].stay()
    visitors.enter(principal)


def test_who_is_refused_for_being_here_too_often_is_not_charged() -> None:
    visitors, principal = Visitors(), who(rate=2, concurrency=1)
    first = visitors.enter(principal)
    for _ in range(5):
        with pytest.raises(Refusal, match="1 requests"):
            visitors.enter(principal)
    first.leave()
    visitors.enter(principal).leave()


def test_who_is_expelled_loses_its_requests_and_streams_and_nobody_else_does() -> None:
    visitors = Visitors()
    cut: list[str] = []
    for name in ("key:a", "key:b"):
        request, stream = visitors.enter(who(name)), visitors.enter(who(name))
        stream.stay()
        request.cut = lambda name=name: cut.append(f"{name} request")  # type: ignore[misc]
        stream.cut = lambda name=name: cut.append(f"{name} stream")  # type: ignore[misc]
    visitors.enter(who("key:a"))  # nobody has begun to answer it
    visitors.expel("key:a")
    visitors.expel("key:nobody")
    assert sorted(cut) == ["key:a request", "key:a stream"]


def test_the_table_is_bounded_and_the_busy_stay() -> None:
    visitors = Visitors(remembered=2)
    busy = visitors.enter(who("busy", rate=60, burst=1))
    for number in range(50):
        visitors.enter(who(f"guest {number}")).leave()
    with pytest.raises(Refusal, match="requests a minute"):
        visitors.enter(who("busy", rate=60, burst=1))
    another = visitors.enter(who("another"))
    with pytest.raises(Refusal) as caught:
        visitors.enter(who("third"))
    assert caught.value.status == 503
    busy.leave()
    another.leave()
    visitors.enter(who("third"))
