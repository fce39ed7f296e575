"""``[policy]`` of the settings: what is allowed, and who is asked."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

Autonomy = Literal["manual", "ask", "guarded", "auto"]
AUTONOMY: Final[tuple[Autonomy, ...]] = ("manual", "ask", "guarded", "auto")
"""What may happen without a person, the most restrictive first."""


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[policy]``: what is allowed, and who is asked.

    ``allow`` and ``deny`` hold patterns over references (``npm:@scope/*``, ``pypi:*``); deny wins; an empty
    ``allow`` admits everything that is not denied. ``autonomy`` is manual, ask, guarded or auto; ``autonomy_for`` sets
    it for what its patterns name: references (``npm:@scope/*``), the sources that know a server
    (``source:catalogue``), what it can do (``tag:docs.pdf``, ``tag:files``). Where several match, the most restrictive
    counts. The ``allow_…`` switches say what a person may grant to a server with the option of the same name.
    """

    autonomy: Annotated[str, Meta(description="What may happen without a person: manual, ask, guarded or auto.")] = (
        "ask"
    )
    autonomy_for: Annotated[
        dict[str, Autonomy],
        Meta(description="Another autonomy for what a pattern names: a reference, source: or tag:."),
    ] = {}
    guarded_risk: Annotated[
        float, Meta(ge=0, le=1, description="With guarded autonomy: what is below this risk needs no person.")
    ] = 0.3
    guarded_sources: Annotated[
        tuple[str, ...], Meta(description="With guarded autonomy: the sources, one of which has to know the server.")
    ] = ("catalogue",)
    ask_through_clients: Annotated[
        bool, Meta(description="Whether a person may be asked through the MCP client whose call needs the answer.")
    ] = True
    allow: Annotated[
        tuple[str, ...], Meta(description="Patterns over references; when given, nothing else is admitted.")
    ] = ()
    deny: Annotated[
        tuple[str, ...], Meta(description="Patterns over references that are never admitted nor started.")
    ] = ()
    deny_tools: Annotated[
        tuple[str, ...], Meta(description="Patterns over exposed tool names that are neither listed nor called.")
    ] = ()
    changed_items: Annotated[str, Meta(description="Items changed after approval: ask, deny or allow.")] = "ask"
    new_items: Annotated[str, Meta(description="Items that appear only later: ask, deny or allow.")] = "ask"
    changed_resources: Annotated[str, Meta(description="The same for resources that change.")] = "ask"
    new_resources: Annotated[str, Meta(description="The same for resources that are new.")] = "allow"
    profile: Annotated[str, Meta(description="How strictly checks are judged: strict, standard or lax.")] = "standard"
    allow_unsandboxed: Annotated[bool, Meta(description="Whether --allow-unsandboxed may be used.")] = True
    allow_network: Annotated[bool, Meta(description="Whether --allow-host may be used.")] = True
    allow_scripts: Annotated[bool, Meta(description="Whether --allow-scripts may be used.")] = True
    permissions_unasked: Annotated[
        tuple[str, ...],
        Meta(description="Permission profiles (patterns) that need no person's leave; any other does, always."),
    ] = ("none", "read-only")
