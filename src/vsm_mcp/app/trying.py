"""Answers ``trial``: a reference, or a server that is there, tried in full and nothing of it kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec

from vsm_mcp.app.finding import Finder
from vsm_mcp.app.fleet import Fleet
from vsm_mcp.autopilot.parts import Parts
from vsm_mcp.autopilot.rehearse import Rehearsal
from vsm_mcp.errors import BadReference, UnknownServer
from vsm_mcp.model.action import Action, ActionKind
from vsm_mcp.model.definition import ItemKind
from vsm_mcp.model.launch import Settings
from vsm_mcp.model.ref import Ref, parse_ref
from vsm_mcp.model.server import Server
from vsm_mcp.model.trial import Examination
from vsm_mcp.runtime.permissions import permitted, profile_of


class Trying:
    """Tries in the name of ``actor``; ``parts`` gives the parts of the home as they are now."""

    def __init__(self, parts: Callable[[], Parts], fleet: Fleet, finder: Finder, actor: str) -> None:
        self._parts = parts
        self._fleet = fleet
        self._finder = finder
        self._actor = actor

    async def trial(self, ref: str, settings: Settings | None = None) -> dict[str, Any]:
        """Return the document of a trial; ``settings`` are for a reference, a server has its own.

        Raises :class:`BadReference`, what the policy refuses, and what installers raise.
        """
        began = time.monotonic()
        parts, given = self._parts(), settings or Settings()
        server = self._fleet.servers.get(ref)
        wanted = server.ref if server is not None else _parsed(ref)
        await self._cleared(parts, wanted, server.settings if server is not None else given)
        known = self._finder.known(wanted)
        rehearsal = Rehearsal(parts, given, known)
        if isinstance(server, Server):
            found = await rehearsal.of_server(server)
        else:
            found = await rehearsal.of(wanted)
        return {**document(found), "stand_ins": sorted(rehearsal.stand_ins), "seconds": time.monotonic() - began}

    async def _cleared(self, parts: Parts, ref: Ref, settings: Settings) -> None:
        granted = permitted(settings, profile_of(settings, parts.config))
        facts: dict[str, str | bool | float] = {
            "ref": str(ref),
            "scripts": settings.allow_scripts,
            "unsandboxed": settings.allow_unsandboxed,
            "network": bool(granted.hosts) or granted.network,
        }
        await parts.performer.clear(Action(kind=ActionKind.TRY, subject=str(ref), actor=self._actor, facts=facts))


def _parsed(text: str) -> Ref:
    try:
        return parse_ref(text)
    except BadReference as error:
        if ":" in text:
            raise
        raise UnknownServer(f"no server is called {text!r}", "name a served server, or write a reference") from error


def document(found: Examination) -> dict[str, Any]:
    """Return the JSON form of an examination: of what the server offers, only the names."""
    offer = found.trial.offer if found.trial else None
    shown: dict[str, Any] = msgspec.to_builtins(_bare(found))
    if shown["trial"] is not None and offer is not None:
        kinds = {kind.value: [item.name for item in offer.of(kind)] for kind in ItemKind}
        shown["trial"]["offer"] = {kind: names for kind, names in kinds.items() if names}
    return shown


def _bare(found: Examination) -> Examination:
    """Leave out the definitions as they came, which are bytes."""
    if found.trial is None:
        return found
    offer = msgspec.structs.replace(found.trial.offer, items=(), capabilities=b"")
    return msgspec.structs.replace(found, trial=msgspec.structs.replace(found.trial, offer=offer))
