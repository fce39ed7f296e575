"""What a server may see and reach, read off what it would be started with: pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

import msgspec

from vsm_mcp.config import Config
from vsm_mcp.model.launch import Settings
from vsm_mcp.model.permissions import LIMITS
from vsm_mcp.model.sandbox_plan import SandboxPlan
from vsm_mcp.model.server import Server
from vsm_mcp.runtime.homes import home_of, keeps_home
from vsm_mcp.runtime.permissions import permitted, profile_of
from vsm_mcp.runtime.spec import CONTAINER, confinement_of
from vsm_mcp.sandbox.tier import Isolation, Property, Tier, properties_of

REMOTE: Final = "remote"


def plan_of(
    settings: Settings,
    config: Config,
    isolation: Isolation,
    *,
    roots: Iterable[str] = (),
    variables: Iterable[str] = (),
    container: bool = False,
) -> SandboxPlan:
    """Return the plan of a program that runs here; ``variables`` are the names of those that it gets.

    ``container`` says that it is an image. It is read off the very confinement that the program is started in.
    Raises :class:`UnknownPermissions` and :class:`BadArgument`.
    """
    confinement = confinement_of(settings, roots, config)
    granted = permitted(settings, profile_of(settings, config))
    tier = isolation.holding(sockets=confinement.sockets, unsandboxed=settings.allow_unsandboxed)
    tier = Tier.CONTAINER if container else tier
    held = isolation.properties if tier is isolation.tier else properties_of(tier)
    opened = {"network": Property.OFF.value} if granted.whole_network else {}
    secret = set(settings.secrets)
    return SandboxPlan(
        permissions=settings.permissions,
        tier=str(tier),
        properties={**held, **opened},
        own=confinement.read_only,
        reads=confinement.granted_read_only,
        writes=confinement.granted_writable,
        network="machine" if granted.whole_network else "hosts" if granted.hosts else "off",
        hosts=granted.hosts,
        variables=tuple(sorted({*variables, *settings.env} - secret)),
        secrets=tuple(sorted(secret)),
        limits={name: getattr(confinement, name) for name in LIMITS},
        allow_scripts=settings.allow_scripts,
    )


def plan_of_server(server: Server, secrets: Iterable[str], config: Config, isolation: Isolation) -> SandboxPlan:
    """Return the plan of a server of the catalogue; ``secrets`` are the names of those kept for it.

    Raises what :func:`plan_of` raises.
    """
    entry, settings = server.installation.entry, server.settings
    kept = {*settings.secrets, *secrets}
    if entry.runtime == REMOTE:
        url = entry.argv[0] if entry.argv else server.ref.name
        return remote_plan(url, {*server.env, *settings.env}, kept)
    settings = msgspec.structs.replace(settings, secrets=dict.fromkeys(kept, ""))
    names, image = {*entry.env, *server.env}, entry.runtime == CONTAINER
    plan = plan_of(settings, config, isolation, roots=entry.roots, variables=names, container=image)
    return msgspec.structs.replace(plan, home=str(home_of(server, config)) if keeps_home(server) else "")


def remote_plan(url: str, variables: Iterable[str], secrets: Iterable[str]) -> SandboxPlan:
    """Return the plan of a server that runs elsewhere: it sees what it is sent, and these headers."""
    kept = set(secrets)
    return SandboxPlan(
        permissions="",
        tier=REMOTE,
        network=REMOTE,
        hosts=(urlsplit(url).netloc.rpartition("@")[2],),
        variables=tuple(sorted(set(variables) - kept)),
        secrets=tuple(sorted(kept)),
    )
