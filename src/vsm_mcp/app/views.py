"""The JSON documents that other programs rely on: more fields may be added, none taken away. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from vsm_mcp.app.kits import kit_of
from vsm_mcp.autopilot.outcome import Outcome
from vsm_mcp.config import Config
from vsm_mcp.errors import VsmError
from vsm_mcp.gateway.lookup import Card
from vsm_mcp.gateway.view import View
from vsm_mcp.model.definition import ItemKind, Offer
from vsm_mcp.model.server import Server
from vsm_mcp.routing.names import exposed
from vsm_mcp.runtime.sandbox_plan import REMOTE, plan_of_server
from vsm_mcp.runtime.status import Status
from vsm_mcp.runtime.tenure import Tenure
from vsm_mcp.sandbox.child import Sandbox
from vsm_mcp.sandbox.tier import Isolation, Tier

_SECRETIVE = ("key", "token", "secret", "password", "passwd", "credential", "auth", "url", "dsn", "uri")


def outcome(result: Outcome) -> dict[str, Any]:
    """Return the document of ``acquire`` and ``add``."""
    document: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(result, admitted=None, asked=None))
    del document["admitted"], document["asked"]
    return document


def exposed_tools(name: str, offer: Offer | None) -> list[str]:
    """Return the exposed names of a server's tools."""
    return [exposed(name, item.name) for item in offer.of(ItemKind.TOOL)] if offer else []


def tools(found: Iterable[tuple[Card, float]]) -> dict[str, Any]:
    """Return the document of ``tools``."""
    return {
        "tools": [
            {"name": card.name, "server": card.server, "description": card.description, "score": round(score, 4)}
            for card, score in found
        ]
    }


def profile(view: View, address: str) -> dict[str, Any]:
    """Return what ``status`` says of one profile; its name is empty for the view of everything."""
    display, catalogue = view.display, view.catalogue
    return {
        "name": display.profile,
        "url": f"{address}/{display.profile}".rstrip("/") if address else "",
        "description": display.description,
        "mode": display.mode,
        "listed": "search" if catalogue.searching else "all",
        "servers": len(catalogue.shelves),
        "tools": len(catalogue.tools),
    }


def server(found: Server, offer: Offer | None, sandbox: Sandbox, log: str, plan: dict[str, Any]) -> dict[str, Any]:
    """Return what ``inspect`` shows: no secret, and no value of a variable that may hold one."""
    settings, installation = found.settings, found.installation
    isolation = sandbox.isolation
    local = plan.get("tier", REMOTE) != REMOTE
    tier, held = (plan["tier"], plan["properties"]) if local else (str(isolation.tier), dict(isolation.properties))
    confined = not (settings.allow_unsandboxed and tier == Tier.NONE)
    return {
        "name": found.name,
        "ref": str(found.ref),
        "version": found.version,
        "description": found.description,
        "quarantined": found.quarantined,
        "installation": installation.path,
        "integrity": installation.integrity,
        "packages": len(installation.packages),
        "constraints": list(installation.constraints),
        "program": list(installation.entry.argv),
        "args": list(found.args),
        "env": {name: _shown(name, value) for name, value in found.env.items()},
        "permissions": settings.permissions,
        "project": settings.project,
        "cwd": settings.cwd,
        "listens": settings.listens,
        "health": settings.health,
        "after": list(settings.after),
        "paths": [f"{path}{':rw' if writable else ''}" for path, writable in settings.paths],
        "hosts": list(settings.hosts),
        "contacts": [msgspec.to_builtins(contact) for contact in sandbox.contacts(found.name)],
        "sandbox": {"tier": tier, "properties": held, "applies": confined},
        "tags": list(found.tags),
        "protocol": offer.protocol if offer else "",
        "tools": exposed_tools(found.name, offer),
        "evidence": found.acquisition,
        "log": log,
        "plan": plan,
    }


def plan(found: Server, secrets: Iterable[str], config: Config, isolation: Isolation) -> dict[str, Any]:
    """Return what ``inspect`` shows of what a server may see and reach; ``error`` where its profile cannot be had."""
    try:
        shown: dict[str, Any] = msgspec.to_builtins(plan_of_server(found, secrets, config, isolation))
    except VsmError as error:
        return {"error": error.message, "hint": error.hint}
    return shown


def tenure(found: Tenure) -> dict[str, Any]:
    """Return what ``inspect`` shows of how a server's processes are shared and kept; times in seconds, 0 is never."""
    return {
        "stateful": found.stateful,
        "stateful_by": found.because,
        "lazy": found.lazy,
        "idle_stop": found.idle_seconds,
        "session_idle": found.session_idle_seconds,
        "restart": found.restart.value,
        "pool_size": found.sizes.size,
        "max_overflow": found.sizes.overflow,
        "calls_at_once": found.sizes.calls_at_once,
    }


def masked_changes(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return changed settings of a server without values of variables that may hold a secret."""
    return [
        {
            key: {name: _shown(name, text) for name, text in side.items()} if isinstance(side, dict) else side
            for key, side in change.items()
        }
        for change in found
    ]


def _shown(name: str, value: str) -> str:
    return "***" if any(word in name.lower() for word in _SECRETIVE) else value


def row(server: Server, state: Mapping[str, Any], offer: Offer | None) -> dict[str, Any]:
    """Return one row of ``list``; ``state`` is how the server is."""
    told = {name: state[name] for name in ("state", "tier", "pid", "instances", "reason", "crash", "pool")}
    return {
        "name": server.name,
        "ref": str(server.ref),
        "version": server.version,
        **told,
        "tools": exposed_tools(server.name, offer),
        "added": server.added,
        "kit": kit_of(server),
        "evidence": server.acquisition,
    }


def quarantined(name: str) -> dict[str, Any]:
    """Return the state of a server that waits for a person."""
    held = {"name": name, "state": "quarantined", "tier": "", "pid": None, "era": "", "reason": ""}
    return {**held, "instances": [], "crash": None, "pool": None}


def state(status: Status) -> dict[str, Any]:
    """Return the state of a server, without its last words."""
    shown: dict[str, Any] = msgspec.to_builtins(status)
    shown.pop("stderr_tail")
    return shown
