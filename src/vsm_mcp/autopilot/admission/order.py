"""What is to be admitted, before anything of it is here: how it would be started, and whether that is allowed."""

from __future__ import annotations

import shlex
from typing import Any, Final

import msgspec

from vsm_mcp.autopilot.admission.passage import Passage
from vsm_mcp.autopilot.asked import asked
from vsm_mcp.autopilot.grants import check_project, with_named_paths
from vsm_mcp.autopilot.launch import LaunchPlan, plan_launch
from vsm_mcp.autopilot.naming import check_name
from vsm_mcp.autopilot.verdicts import masked
from vsm_mcp.model.launch import Settings
from vsm_mcp.model.ref import RefKind
from vsm_mcp.model.retry import Retry
from vsm_mcp.model.sandbox_plan import SandboxPlan
from vsm_mcp.model.server import Server
from vsm_mcp.runtime.permissions import permitted, profile_of
from vsm_mcp.runtime.sandbox_plan import plan_of, remote_plan
from vsm_mcp.runtime.spec import network_of

_NOTE_NETWORK: Final = "its work may need the network, which is off: allow hosts with --allow-host"
_NOTE_OPEN: Final = "all that this machine reaches is open to it, its loopback included: its network is not confined"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """How the server will be started, and with which settings (the paths that its arguments name are in them).

    ``way`` is what it was found to take besides.
    """

    launch: LaunchPlan
    settings: Settings
    way: Retry = Retry()

    @property
    def args(self) -> tuple[str, ...]:
        """The arguments of a start."""
        return (*self.way.arguments, *self.launch.args)

    @property
    def started(self) -> Settings:
        """The settings of a start."""
        return msgspec.structs.replace(self.settings, listens=self.way.listens or self.settings.listens)

    @property
    def start(self) -> dict[str, Any]:
        """The fields of a server that say how it is started: arguments and variables are kept beside its settings."""
        settings = msgspec.structs.replace(self.started, args=(), env={})
        return {"settings": settings, "args": self.args, "env": self.launch.env, "way": self.way}


def ordered(passage: Passage) -> Order:
    """Return what a request amounts to.

    Raises :class:`BadArgument`, :class:`MissingValue` and :class:`UnknownPermissions`.
    """
    request, config = passage.request, passage.parts.config
    if request.name:
        check_name(request.name)
    settings = request.settings
    profile = profile_of(settings, config)
    network_of(permitted(settings, profile))
    launch = plan_launch(passage.facts, settings, request.ref)
    home, private = config.environ.get("HOME", "/root"), (str(config.home),)
    if profile.wants_project:
        check_project(settings, home, private)
    return Order(launch=launch, settings=with_named_paths(settings, launch, home, private, profile.named_paths))


def ordered_again(server: Server, settings: Settings) -> Order:
    """Return the order of a server that is there, with its settings as they are (secrets among them)."""
    way, count = server.way, len(server.way.arguments)
    if server.args[:count] != way.arguments:
        way, count = msgspec.structs.replace(way, arguments=()), 0
    own = "" if settings.listens == way.listens else settings.listens
    if own or not settings.listens:  # a person said otherwise since
        way = msgspec.structs.replace(way, listens="")
    launch = LaunchPlan(args=server.args[count:], env=server.env, named_paths=())
    return Order(launch=launch, settings=msgspec.structs.replace(settings, listens=own), way=way)


def carried(server: Server, way: Retry) -> dict[str, Any]:
    """Return how another version of a server is started: with what it has by now, in the way that its trial found."""
    return msgspec.structs.replace(ordered_again(server, server.settings), way=way).start


def otherwise(order: Order, now: Order) -> tuple[str, ...]:
    """Return what a person should know of how it is started, where that is not as it was ordered."""
    if now.way == order.way:
        return ()
    words = [f"started with {shlex.join(now.way.arguments)} before its other arguments"] if now.way.arguments else []
    words += [f"reached at {now.way.listens}"] if now.way.listens else []
    return (f"it is {' and '.join(words)}: its trial did not pass otherwise",)


def expected(passage: Passage, order: Order) -> SandboxPlan:
    """Return what it would get, as far as that is known before anything of it is here."""
    ref, parts = passage.request.ref, passage.parts
    if ref.kind is RefKind.REMOTE:
        return remote_plan(ref.name, order.launch.env, order.settings.secrets)
    image, isolation = ref.kind is RefKind.OCI, parts.sandbox.isolation
    return plan_of(order.started, parts.config, isolation, variables=order.launch.env, container=image)


async def cleared(passage: Passage, order: Order) -> None:
    """Ask the policy. Raises :class:`PolicyDenied` and :class:`ApprovalNeeded`."""
    request = passage.request
    passage.asked = action = asked(request, order.settings, passage.parts.config)
    await passage.parts.performer.clear(action, request.need, passage.id)
    await recorded(passage, order)


async def recorded(passage: Passage, order: Order) -> None:
    """Keep what was asked for as evidence, without any secret."""
    request, settings = passage.request, masked(order.settings)
    await passage.record("request", {"ref": str(request.ref), "need": request.need, "settings": settings})


def warnings(passage: Passage, settings: Settings) -> tuple[str, ...]:
    """Return what a person should know of what the server may reach."""
    granted = permitted(settings, profile_of(settings, passage.parts.config))
    if granted.whole_network:
        return (_NOTE_OPEN,)
    return (_NOTE_NETWORK,) if passage.facts.network and not granted.hosts else ()
