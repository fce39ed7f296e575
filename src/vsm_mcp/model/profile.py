"""``[profiles.NAME]`` of the settings."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[profiles.NAME]``: a part of what is served, at ``/mcp/NAME``.

    NAME is ``[a-z0-9-]``, at most 32 characters; any number of profiles may be written. Patterns hold ``*`` and ``?``
    as file names do. ``[policy] deny_tools`` holds in every profile. A variable changes a field of a profile that the
    file names; a hyphen in its name is written ``_``.
    """

    description: Annotated[str, Meta(description="What it is for, in a line; clients are told.")] = ""
    servers: Annotated[tuple[str, ...], Meta(description="Patterns over the servers that are served here.")] = ("*",)
    tools: Annotated[tuple[str, ...], Meta(description="Patterns over the tools that exist here.")] = ("*",)
    deny_tools: Annotated[tuple[str, ...], Meta(description="Patterns over tools that do not exist here.")] = ()
    mode: Annotated[str | None, Meta(description="all, search or auto; not set: as in `[gateway]`.")] = None
    tool_limit: Annotated[int | None, Meta(description="As in `[gateway]`; not set: the same as there.")] = None
    plain_names: Annotated[
        bool, Meta(description="Whether tools and prompts keep their own names where only one server has the name.")
    ] = False
    acquire: Annotated[
        bool, Meta(description="Whether agents may ask for new capabilities here; `[gateway] acquire` has to allow it.")
    ] = False
