"""What one supervised process is for, how it is treated, and who hears what it says."""

from __future__ import annotations

import random
from collections.abc import Callable

import msgspec
from msgspec import Raw

from vsm_mcp.config import Runtime
from vsm_mcp.model.definition import Offer
from vsm_mcp.model.launch import RestartPolicy
from vsm_mcp.runtime.restart import Limits


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """How servers are treated: the intensity limit, the deadline of a listing, and where chance comes from.

    ``relist_seconds`` is how often a server that is called is asked what it offers, though it says of no change (0:
    never). ``turn`` takes one of the starts that the whole fleet has, and says for how many seconds to wait for it.
    """

    limits: Limits
    list_timeout: float
    jitter: Callable[[], float]
    relist_seconds: float = 0.0
    turn: Callable[[], float] = float


def _nobody() -> None:
    """Tell nobody."""


def rules_of(settings: Runtime, turn: Callable[[], float] = float) -> Rules:
    """Return how servers are treated under some settings."""
    return Rules(
        limits=Limits(count=settings.restart_limit, period=settings.restart_period_seconds),
        list_timeout=settings.request_timeout_seconds,
        jitter=random.random,
        relist_seconds=settings.relist_seconds,
        turn=turn,
    )


def _ignored(_offer: Offer) -> None:
    """Drop an offer."""


def _permanent() -> RestartPolicy:
    return RestartPolicy.PERMANENT


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """Whose process it is: everybody's, or that of one ``session``; ``lists`` says whether its listing is the server's.

    What every other process lists is only compared with that: what a session adds is that session's.
    ``restart`` gives the policy that holds when it ends by itself.
    """

    name: str
    session: str = ""
    lists: bool = True
    restart: Callable[[], RestartPolicy] = _permanent


class Listeners(msgspec.Struct, frozen=True, kw_only=True):
    """Who hears what one server says, through whichever of its processes.

    ``offered`` gets what it offers, ``compared`` what one more process of it offers, ``updated`` the URI of a resource
    that changed, of those that are ``watched``; ``asking`` is called when it asks a client over a pipe that clients
    share, ``said`` with the session that a process is for (empty: shared), the method and the params of what it says
    outside of any call, ``freed`` when a process came up or went.
    """

    offered: Callable[[Offer], None]
    updated: Callable[[str], None]
    asking: Callable[[], None]
    said: Callable[[str, str, Raw], None]
    watched: set[str]
    freed: Callable[[], None] = _nobody
    compared: Callable[[Offer], None] = _ignored
