from __future__ import annotations

from typing import Any

import pytest

from vsm_mcp.errors import (
    HttpRefused,
    Overloaded,
    ProtocolError,
    RequestTimeout,
    RpcError,
    ServerDown,
    Throttled,
    TransportError,
    VsmError,
)
from vsm_mcp.model.routing_settings import RoutingSettings
from vsm_mcp.model.trial import Cause
from vsm_mcp.routing.breaker import BreakerOpen
from vsm_mcp.routing.failover import (
    Failed,
    denied,
    matches,
    may_go_elsewhere,
    may_repeat,
    may_stand_in,
    pause,
)
from vsm_mcp.routing.traits import NOTHING_SAID, Traits

READS = Traits(read_only=True)
SETTINGS = RoutingSettings()
SAME = RoutingSettings(failover="same-effects")


def unsent(error: VsmError) -> VsmError:
    error.unsent = True
    return error


def failed(error: VsmError, traits: Traits = NOTHING_SAID, **more: Any) -> Failed:
    return Failed(error=error, traits=traits, **{"fresh": True, "again": 0, "left": 10.0, **more})


BROKE = TransportError("broke")
KILLED = ServerDown("it did not start", cause=Cause(code="crashed", message="", hint=""))
ILL = ServerDown("it did not start", cause=Cause(code="missing_value", message="", hint=""))


@pytest.mark.parametrize(
    ("case", "again"),
    [
        (failed(BROKE), False),
        (failed(BROKE, READS), True),
        (failed(BROKE, Traits(idempotent=True)), True),
        (failed(BROKE, Traits(destructive=False)), False),
        (failed(unsent(TransportError("closed"))), True),
        (failed(BROKE, READS, again=2), False),
        (failed(BROKE, READS, left=0.01), False),
        (failed(BROKE, READS, fresh=False), False),
        (failed(unsent(TransportError("closed")), sent=True), False),
        (failed(unsent(KILLED)), True),
        (failed(unsent(ILL)), False),
        (failed(unsent(ServerDown("it was given up"))), False),
        (failed(RequestTimeout("slow"), READS), False),
        (failed(RpcError(-32602, "no"), READS), False),
        (failed(ProtocolError("junk"), READS), False),
        (failed(BreakerOpen("", "", 1.0)), False),
        (failed(HttpRefused(401, "who"), READS), False),
    ],
)
def test_what_is_asked_of_the_same_server_again(case: Failed, again: bool) -> None:
    assert may_repeat(case, SETTINGS) is again
    assert not may_repeat(case, RoutingSettings(retries=0))


@pytest.mark.parametrize(
    ("error", "elsewhere"),
    [
        (HttpRefused(401, "who"), True),
        (HttpRefused(403, "no"), True),
        (HttpRefused(404, "what"), False),
        (Throttled("slowly"), True),
        (Overloaded("full"), True),
        (BreakerOpen("", "", 1.0), True),
        (BROKE, False),
        (RequestTimeout("slow"), False),
        (RpcError(-32603, "no"), False),
        (ProtocolError("junk"), False),
    ],
)
def test_what_writes_goes_elsewhere_only_where_nothing_was_done(error: VsmError, elsewhere: bool) -> None:
    assert may_go_elsewhere(failed(error)) is elsewhere


def test_what_reads_goes_elsewhere_whatever_became_of_it() -> None:
    assert may_go_elsewhere(failed(BROKE, READS))
    assert may_go_elsewhere(failed(ProtocolError("junk"), READS))
    assert not may_go_elsewhere(failed(RpcError(-32603, "no"), READS))


def test_who_may_stand_in() -> None:
    assert may_stand_in(failed(BROKE, READS), READS, SETTINGS)
    assert not may_stand_in(failed(BROKE, READS), NOTHING_SAID, SAME)
    assert not may_stand_in(failed(BROKE, READS), READS, RoutingSettings(failover="off"))
    closed = failed(unsent(TransportError("closed")))
    assert not may_stand_in(closed, NOTHING_SAID, SETTINGS), "writing elsewhere has to be asked for"
    assert may_stand_in(closed, NOTHING_SAID, SAME)
    idempotent = Traits(idempotent=True)
    assert not may_stand_in(failed(BROKE, idempotent), idempotent, SAME), "it would be done in two places"
    assert not may_stand_in(failed(BROKE, Traits(read_only=True, open_world=False)), READS, SAME)


def test_what_the_settings_keep_out() -> None:
    settings = RoutingSettings(failover_deny=("bank__*", "files__read"))
    assert denied(settings, [("files", "write"), ("bank", "pay")])
    assert denied(settings, [("files", "read"), ("other", "read")])
    assert not denied(settings, [("files", "write"), ("other", "read")])
    assert not matches((), "files", "read")


def test_a_pause_grows_and_leaves_time() -> None:
    assert pause(0, 0.0, 10.0) < pause(0, 1.0, 10.0) < pause(1, 1.0, 10.0) < pause(4, 1.0, 10.0)
    assert pause(9, 1.0, 0.4) == 0.1
