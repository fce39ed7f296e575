"""Which side of a rollout answers: rounds go back where they began, rivals get what they have a place for."""

from __future__ import annotations

import json

from msgspec import Raw

from vsm_mcp.gateway.messages import Request
from vsm_mcp.gateway.seal import Seal, State, digest
from vsm_mcp.gateway.sides import Sides
from vsm_mcp.model.stand_in import StandIn
from vsm_mcp.routing.rewrite import SERVED_BY
from vsm_mcp.routing.router import Router
from vsm_mcp.routing.shares import Share
from vsm_mcp.routing.table import Route

READ = Route("files", "read")
NEW = Route("files@2", "read", "files")


def call(arguments: bytes = b"{}", method: str = "tools/call", **params: bytes) -> Request:
    given = {"name": Raw(b'"read"'), "arguments": Raw(arguments)} | {name: Raw(raw) for name, raw in params.items()}
    return Request(b"1", method, given, None)


def routed(share: Share | None, request: Request, holder: str = "") -> Route:
    return settled(share, request, holder)[0]


def settled(share: Share | None, request: Request, holder: str = "") -> tuple[Route, Request]:
    router = Router()
    router.share("files", share)
    return Sides(router).settled(READ, router.directed(READ, "me"), request, holder)


def share(percent: float) -> Share:
    return Share(newcomer="files@2", percent=percent, salt="x", tools={"read"})


def test_a_round_goes_back_to_its_side_whoever_takes_new_calls() -> None:
    assert routed(share(100), call()) == NEW
    assert routed(share(100), call(), holder="files") == READ
    assert routed(share(0), call(), holder="files@2") == NEW
    assert routed(None, call(), holder="files@2") == READ, "the newcomer has taken its place"


def test_nothing_but_calls_of_tools_goes_to_a_newcomer() -> None:
    assert routed(share(100), call(method="prompts/get")) == READ


def test_a_rival_is_asked_in_its_own_words_or_not_at_all() -> None:
    stand_in = StandIn(server="notes", tool="get", arguments={"path": "file"})
    rival = Share(newcomer="notes", percent=100, salt="x", tools={"read"}, stand_ins={"read": stand_in})
    request = call(b'{"path":"/a"}')
    route, other = settled(rival, request)
    assert route == Route("notes", "get", "files")
    assert json.loads(bytes(other.params["arguments"])) == {"file": "/a"}
    assert json.loads(bytes(other.params["name"])) == "get"
    assert request.params == call(b'{"path":"/a"}').params, "it may have to go back to the incumbent"
    assert routed(rival, call(b'{"path":"/a","line":2}')) == READ


def test_only_what_is_to_be_labelled_or_copied_leaves_the_plain_way() -> None:
    copies: list[tuple[str, bytes]] = []
    router = Router()
    sides = Sides(router)
    assert not sides.looks_on(READ)
    router.share("files", share(50))
    assert not sides.looks_on(NEW)
    shadow = Share(
        newcomer="files@2",
        percent=0,
        salt="x",
        tools={"read", "write"},
        copied={"read"},
        copy=lambda tool, _params, served: copies.append((tool, bytes(served))),
    )
    router.share("files", shadow)
    assert sides.looks_on(READ)
    request = call()
    assert sides.answered(READ, sides.params(READ, request), b"{}") == b"{}"
    assert sides.params(Route("files", "write"), request) is None
    assert copies == [("read", b"{}")]
    stand_in = StandIn(server="notes", tool="get")
    router.share("files", Share(newcomer="notes", percent=50, salt="x", stand_ins={"read": stand_in}))
    labelled = json.loads(bytes(sides.answered(Route("notes", "get", "files"), None, b"{}")))
    assert labelled == {"_meta": {SERVED_BY: {"server": "notes", "tool": "get"}}}
    assert sides.answered(READ, None, b"{}") == b"{}"


def test_what_a_newcomer_sealed_is_good_for_the_server_whose_place_it_has_taken() -> None:
    seal, request = Seal(b"k" * 32), call()
    state = State(kind="inner", server="files@2", client="me", digest=digest(request), until=10.0, inner="i")
    back = call(requestState=json.dumps(seal.close(state)).encode())
    assert seal.holder(back) == "files@2"
    assert seal.open(back, "me", "files", 1.0) == state
    assert seal.open(back, "me", "files@2", 1.0) == state
    assert seal.holder(call(requestState=b'"junk"')) == ""
