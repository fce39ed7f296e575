"""Asking the person at a client for leave, in the very call that needs it, in both eras.

Specification 2025-11-25, "Elicitation" (a request to the client in the middle of the call), and 2026-07-28, "Multi
Round-Trip Requests" (a result that asks; the request comes back with the answers and a sealed state).

What comes back is the client's word. That it was a person's is not to be had over the protocol: whose word is taken is
said by :func:`may_say`, and what such a yes can allow by ``policy.beyond_clients``.
"""

from __future__ import annotations

import time
from typing import Any, Final

import msgspec
from msgspec import Raw

from vsm_mcp.errors import VsmError
from vsm_mcp.gateway import capabilities, rounds
from vsm_mcp.gateway.caller import Caller
from vsm_mcp.gateway.faults import Fault
from vsm_mcp.gateway.messages import Request, encode
from vsm_mcp.gateway.meta import definitions
from vsm_mcp.gateway.needs import Consent
from vsm_mcp.gateway.rounds import Ask
from vsm_mcp.gateway.seal import STATE, Seal, State, digest
from vsm_mcp.gateway.talk import Talk
from vsm_mcp.model.principal import LOCAL, Principal
from vsm_mcp.model.unreadable import UNREADABLE
from vsm_mcp.wire import era

SECONDS: Final = 600.0
"""How long a question may be answered."""

METHOD: Final = "elicitation/create"
_KEY: Final = "install"
_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {_KEY: {"type": "boolean", "title": "Install it", "description": "Whether it may be installed."}},
    "required": [_KEY],
}


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What came back about a reference: ``yes``, ``no``, or neither where the question was put away."""

    ref: str
    yes: bool = False
    no: bool = False


class _Reply(msgspec.Struct):
    action: str = ""
    content: dict[str, Any] | None = None


_decode: Final = msgspec.json.Decoder(_Reply).decode


def may_say(principal: Principal) -> bool:
    """Say whether a client's word counts: at this machine without a key, or where its key was made so."""
    return principal is LOCAL or principal.grant.consents


def read(reply: Raw | None, ref: str) -> Said:
    """Return what a client's answer to the question means; junk is no answer."""
    try:
        found = _decode(reply) if reply is not None else _Reply()
    except UNREADABLE:
        found = _Reply()
    ticked = (found.content or {}).get(_KEY)
    if found.action == "accept" and isinstance(ticked, bool):
        return Said(ref=ref, yes=ticked, no=not ticked)
    return Said(ref=ref, no=found.action == "decline")


class Consents:
    """Puts the question, and reads the answers. What a modern client carries back is sealed with ``key``."""

    def __init__(self) -> None:
        self._seal = Seal()

    def seal_with(self, key: bytes) -> None:
        """Seal with ``key`` (32 bytes) from now on."""
        self._seal = Seal(key)

    def can_ask(self, request: Request, caller: Caller) -> bool:
        """Say whether this client can be asked, and its answer counts."""
        if not may_say(caller.principal):
            return False
        return capabilities.missing(METHOD, Raw(b"{}"), caller.capabilities(request)) is None

    def question(self, consent: Consent, request: Request, caller: Caller) -> bytes:
        """Return the result that asks a modern client."""
        state = State(
            kind="consent",
            server=definitions.ACQUIRE,
            client=caller.owner,
            digest=digest(request),
            until=time.time() + SECONDS,
            inner=consent.ref,
        )
        return rounds.required({_KEY: _asking(consent)}, self._seal.close(state))

    def answer(self, request: Request, caller: Caller) -> Said | None:
        """Return what a modern client brings back; ``None`` where it brings nothing.

        Raises :class:`Fault` for a state that is not ours, not of this request, or too old, and for a client whose word
        does not count.
        """
        if not caller.modern or STATE not in request.params:
            return None
        state = self._seal.open(request, caller.owner, definitions.ACQUIRE, time.time())
        if state is None or state.kind != "consent" or not may_say(caller.principal):
            raise Fault(era.INVALID_PARAMS, "requestState is not what this gateway gave out for this request")
        return read(rounds.responses(request.params).get(_KEY), state.inner)

    async def ask(self, consent: Consent, request: Request, caller: Caller) -> Said | None:
        """Ask a client of the handshake versions, and wait; ``None`` where it does not answer or cannot be reached."""
        try:
            return read(await Talk(request, caller).put(_asking(consent)), consent.ref)
        except VsmError:
            return None


def _asking(consent: Consent) -> Ask:
    return Ask(METHOD, Raw(encode({"mode": "form", "message": consent.question, "requestedSchema": _SCHEMA})))
