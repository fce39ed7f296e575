"""How a view displays what the servers offer: which of it, under which names, and how much of it in the list."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from typing import Final

import msgspec

from vsm_mcp import config
from vsm_mcp.gateway.meta import definitions
from vsm_mcp.gateway.shelf import Entry
from vsm_mcp.model.definition import Offer
from vsm_mcp.model.profile import Profile
from vsm_mcp.routing.names import exposed
from vsm_mcp.routing.plain import PlainNames
from vsm_mcp.routing.table import Choice, Naming

ALL: Final = "all"
SEARCH: Final = "search"


class Display(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one view, all of them decided.

    ``mode`` is ``all`` (every tool is listed), ``search`` (the tools that find tools are) or ``auto`` (every tool up to
    ``tool_limit`` of them). ``acquires`` says that an agent may ask for what is lacking.
    """

    profile: str = ""
    description: str = ""
    servers: tuple[str, ...] = ("*",)
    tools: tuple[str, ...] = ("*",)
    deny_tools: tuple[str, ...] = ()
    mode: str = ALL
    tool_limit: int = 60
    plain_names: bool = False
    acquires: bool = False

    def serves(self, server: str) -> bool:
        """Say whether a server is part of the view."""
        return any(fnmatchcase(server, pattern) for pattern in self.servers)

    def choice(self, denied: Collection[str]) -> Choice:
        """Return which tools are shown, ``denied`` being the policy's patterns."""
        return Choice(denied=tuple(denied), shown=self.tools, hidden=self.deny_tools)

    def naming(self, offers: Mapping[str, Offer], usual: Naming = exposed) -> Naming:
        """Return the names under which the items of ``offers`` are served."""
        return PlainNames(offers, definitions.NAMES) if self.plain_names else usual

    def searches(self, tools: int) -> bool:
        """Say whether a list of so many tools gives way to the tools that find them."""
        return self.mode == SEARCH or (self.mode != ALL and tools > self.tool_limit)

    def own(self, *, searching: bool, denied: Collection[str]) -> tuple[Entry, ...]:
        """Return the gateway's own tools that are listed.

        A pattern that denies tools may name these as well; what a profile shows of its servers does not matter here.
        """
        offered = (*(definitions.FINDING if searching else ()), *(definitions.ACQUIRING if self.acquires else ()))
        barred = (*denied, *self.deny_tools)
        return tuple(entry for entry in offered if not any(fnmatchcase(entry.key, pattern) for pattern in barred))


def of_gateway(settings: config.Gateway, *, acquires: bool) -> Display:
    """Return the display of everything, at ``/mcp``; ``acquires`` says whether the policy leaves agents room."""
    return Display(mode=settings.mode, tool_limit=settings.tool_limit, acquires=acquires and settings.acquire)


def of_profile(name: str, profile: Profile, settings: config.Gateway, *, acquires: bool) -> Display:
    """Return the display of a profile, at ``/mcp/NAME``; what it leaves open is as in ``settings``."""
    return Display(
        profile=name,
        description=profile.description,
        servers=profile.servers,
        tools=profile.tools,
        deny_tools=profile.deny_tools,
        mode=settings.mode if profile.mode is None else profile.mode,
        tool_limit=settings.tool_limit if profile.tool_limit is None else profile.tool_limit,
        plain_names=profile.plain_names,
        acquires=acquires and settings.acquire and profile.acquire,
    )


def all_of(settings: config.Gateway, profiles: Mapping[str, Profile], *, acquires: bool) -> list[Display]:
    """Return the display of everything, then that of each profile by name."""
    named = [of_profile(name, profiles[name], settings, acquires=acquires) for name in sorted(profiles)]
    return [of_gateway(settings, acquires=acquires), *named]
