"""Other settings for a server that is there: what it would be then, and what that lets it do more than before. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from vsm_mcp.autopilot.launch import LaunchPlan, plan_launch
from vsm_mcp.config import Config, Sandbox
from vsm_mcp.errors import BadArgument, VsmError
from vsm_mcp.model.launch import LaunchFacts, Settings
from vsm_mcp.model.permissions import LIMITS
from vsm_mcp.model.server import Server
from vsm_mcp.runtime.permissions import UNSAID, limited, permitted, profile_of

FIELDS: Final = tuple(each for each in Settings.__struct_fields__ if each != "program")
_ADDED: Final = ("env", "secrets")  # what is given is added to what is there; of all others it takes the place


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants changed: the ``fields`` of ``settings`` that were given, those in ``clear`` emptied first.

    An emptied field is as if it had never been given.
    """

    settings: Settings = Settings()
    fields: tuple[str, ...] = ()
    clear: tuple[str, ...] = ()


class Altered(msgspec.Struct, frozen=True, kw_only=True):
    """A server as it would be; ``launch`` is the plan of its start, for the paths that it names, if that changed."""

    server: Server
    secrets: dict[str, str]
    launch: LaunchPlan | None = None


def alter(server: Server, secrets: Mapping[str, str], wish: Wish, facts: LaunchFacts | None) -> Altered:
    """Return the server with what is wished for. Raises :class:`BadArgument` and :class:`MissingValue`."""
    if "program" in {*wish.fields, *wish.clear}:
        raise BadArgument("a server keeps its program", "remove it, and add it again with another --program")
    for field in (*wish.fields, *wish.clear):
        if field not in FIELDS:
            raise BadArgument(f"a server has no setting {field!r}", f"settings are {', '.join(FIELDS)}")
    settings = server.settings_with(secrets)
    settings = _replaced(settings, {field: getattr(Settings(), field) for field in wish.clear})
    settings = _replaced(settings, {field: _given(settings, wish.settings, field) for field in wish.fields})
    way = msgspec.structs.replace(server.way, arguments=()) if "args" in wish.clear else server.way
    if "listens" in {*wish.fields, *wish.clear}:
        way = msgspec.structs.replace(way, listens="")
    first = len(way.arguments)
    own = settings.args[first:] if settings.args[:first] == way.arguments else settings.args
    launch = None
    changed = (*way.arguments, *own) != server.args
    if changed or settings.env != server.env or settings.cwd != server.settings.cwd:
        launch = plan_launch(facts, msgspec.structs.replace(settings, args=own), server.ref)
    after = msgspec.structs.replace(
        server,
        settings=msgspec.structs.replace(settings, args=(), env={}, secrets={}),
        args=(*way.arguments, *launch.args) if launch else server.args,
        env=launch.env if launch else server.env,
        way=way,
    )
    return Altered(server=after, secrets=settings.secrets, launch=launch)


def widened(before: Server, secrets: Mapping[str, str], after: Altered, config: Config) -> dict[str, str | bool]:
    """Return the facts for the policy: what the change lets a server do that it could not do before.

    Permission profiles count for what they grant; one that is gone grants nothing. ``permissions`` is the profile that
    the server did not have before. Raises :class:`UnknownPermissions` and :class:`BadArgument` for the new one.
    """
    named = after.server.settings.permissions
    chosen = profile_of(after.server.settings, config)
    try:
        profile = profile_of(before.settings, config)
        old = permitted(before.settings, profile)
    except VsmError:
        profile, old = UNSAID, before.settings
    new = permitted(after.server.settings, chosen)
    paths = dict(old.paths)
    more = {
        "network": bool(set(new.hosts) - set(old.hosts)) or (new.network and not old.network),
        "whole_network": new.whole_network and not old.whole_network,
        "unsandboxed": new.allow_unsandboxed and not old.allow_unsandboxed,
        "scripts": new.allow_scripts and not old.allow_scripts,
        "secrets": bool(after.secrets.keys() - secrets.keys()),
        "paths": any(writable > paths.get(path, -1) for path, writable in new.paths),
        "limits": _more(limited(config.sandbox, profile), limited(config.sandbox, chosen)),
    }
    return {**more, "permissions": named if named != before.settings.permissions else "", "widens": any(more.values())}


def _more(old: Sandbox, new: Sandbox) -> bool:
    """Whether some limit is higher; of CPU, 0 is none at all."""
    cpus = (new.cpus or math.inf) > (old.cpus or math.inf)
    return cpus or any(getattr(new, name) > getattr(old, name) for name in LIMITS if name != "cpus")


def differences(before: Server, secrets: Mapping[str, str], after: Altered) -> list[dict[str, Any]]:
    """Return what changes, for a person: of secrets only the names."""
    old = _shown(before, secrets)
    new = _shown(after.server, after.secrets)
    found = [{"item": name, "before": old[name], "after": new[name]} for name in old if old[name] != new[name]]
    if not any(item["item"] == "secrets" for item in found) and dict(secrets) != after.secrets:
        found.append({"item": "secrets", "before": old["secrets"], "after": new["secrets"]})
    return found


def _shown(server: Server, secrets: Mapping[str, str]) -> dict[str, Any]:
    settings = {name: msgspec.to_builtins(getattr(server.settings, name)) for name in FIELDS}
    return settings | {"args": list(server.args), "env": dict(server.env), "secrets": sorted(secrets)}


def _given(settings: Settings, given: Settings, field: str) -> Any:
    value = getattr(given, field)
    return {**getattr(settings, field), **value} if field in _ADDED else value


def _replaced(settings: Settings, values: Mapping[str, Any]) -> Settings:
    return msgspec.structs.replace(settings, **values) if values else settings
