"""What requests say about themselves is read once, and never taken for what another one says."""

from __future__ import annotations

import json
from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from vsm_mcp.errors import TransportError
from vsm_mcp.gateway import hop, messages, said
from vsm_mcp.gateway.asking import Asking
from vsm_mcp.gateway.caller import Caller
from vsm_mcp.gateway.leases import Leases
from vsm_mcp.gateway.messages import Request
from vsm_mcp.gateway.tasks.passing import Tasks
from vsm_mcp.gateway.view import View
from vsm_mcp.routing.ledger import Ledger
from vsm_mcp.routing.table import Route
from vsm_mcp.wire import era

VERSION, CAPABILITIES = era.META_PROTOCOL, era.META_CLIENT_CAPABILITIES


def raw(value: object) -> Raw:
    return Raw(json.dumps(value).encode())


@given(st.lists(st.dictionaries(st.sampled_from([VERSION, CAPABILITIES, "progressToken", "x"]), st.integers())))
def test_who_says_the_same_is_read_once_and_nobody_is_taken_for_another(metas: list[dict[str, int]]) -> None:
    for meta in metas + metas:
        assert {name: int(bytes(value)) for name, value in said.read(raw(meta)).members.items()} == meta
        assert said.read(raw(meta)) is said.read(raw(meta))


def test_what_is_long_is_not_kept() -> None:
    long = raw({"x": "y" * 2000})
    assert said.read(long) is not said.read(long)
    assert said.read(long).members == said.read(long).members


@pytest.mark.parametrize("junk", [b"[]", b"7", b"{", b"\xff"])
def test_junk_is_no_envelope(junk: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        said.read(Raw(junk))


@pytest.mark.parametrize(
    ("meta", "whole"),
    [
        ({VERSION: era.MODERN, CAPABILITIES: {}}, True),
        ({VERSION: era.MODERN}, False),
        ({CAPABILITIES: {}}, False),
        ({VERSION: "2025-11-25", CAPABILITIES: {}}, False),
        ({VERSION: 7, CAPABILITIES: {}}, False),
    ],
)
def test_a_modern_envelope_is_whole_or_not(meta: dict[str, object], whole: bool) -> None:
    assert said.read(raw(meta)).whole is whole


def test_what_is_meant_for_the_server_goes_on_and_nothing_else() -> None:
    meta = {VERSION: era.MODERN, CAPABILITIES: {"sampling": {}}, "progressToken": 7, "x": 1}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "t", "_meta": meta}}
    request = messages.plain(json.dumps(body).encode())
    assert request is not None
    assert request.said is not None
    assert request.said.capabilities == {"sampling": {}}
    assert hop.params(request) == {"name": Raw(b'"t"'), "_meta": {"x": Raw(b"1")}}


def test_a_name_is_read_anew_once_it_was_changed() -> None:
    request = Request(b"1", "tools/call", {"name": Raw(b'"a__t"')}, None)
    assert request.name == "a__t"
    request.name = "t"
    assert (request.name, request.text("name"), request.params["name"]) == ("t", "t", Raw(b'"t"'))
    assert Request(b"1", "tools/call", {"name": Raw(b"7")}, None).name is None


class Broken:
    """A server's connection that has just broken."""

    era = "legacy"
    capabilities: Mapping[str, object] = {}

    def begin(self, *_: object, **__: object) -> object:
        raise TransportError("it broke")


class Upstream:
    """One stateful server."""

    def stateful(self, _server: str) -> bool:
        return True

    def ready(self, _server: str, _session: str = "") -> Broken:
        return Broken()


def test_a_place_is_free_again_when_nothing_could_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    leases = Leases()
    monkeypatch.setattr("vsm_mcp.gateway.asking.Leases", lambda: leases)
    upstream, ledger = Upstream(), Ledger()
    asking = Asking(upstream, 1.0, 1.0, Tasks(upstream, 1.0, 1.0), ledger)  # type: ignore[arg-type]
    request = Request(b"1", "tools/call", {"name": Raw(b'"t"')}, None)
    with pytest.raises(TransportError):
        asking.begin(Route("s", "t"), request, Caller(View(8, 100), modern=True))
    assert leases.take("s", "").place == 0
    assert not ledger.accounts()  # whoever asks in the other way counts it
