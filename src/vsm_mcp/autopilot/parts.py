"""What the autopilot works with; the composition root puts it together."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from vsm_mcp.autopilot.perform import Performer
from vsm_mcp.config import Config
from vsm_mcp.events import Emit
from vsm_mcp.install.installer import Installer
from vsm_mcp.install.quota import Quota
from vsm_mcp.install.transaction import Installations
from vsm_mcp.install.turns import Turns
from vsm_mcp.model.definition import Offer
from vsm_mcp.model.ref import Ref
from vsm_mcp.registries.client import Registries
from vsm_mcp.runtime.spec import ServerSpec
from vsm_mcp.sandbox.child import Sandbox
from vsm_mcp.store import Store
from vsm_mcp.vetting.check import Check
from vsm_mcp.wire.authorizer import Authorizer


@dataclass(frozen=True)
class Parts:
    """The parts of a home that an admission touches.

    ``installer`` returns the installer for a reference and raises ``InstallFailed`` for a kind it has not;
    ``fleet`` maps every other server to the names of its tools;
    ``authorizer_of`` gives who authorizes the requests to a server that runs elsewhere; ``turns`` says when an
    admission may begin, ``quota`` how much may be installed; ``collect`` removes the old versions of a server that was
    activated; ``suits`` says how well what a server offers matches a need (0…1, by need, server and offer).
    """

    config: Config
    store: Store
    emit: Emit
    performer: Performer
    installations: Installations
    installer: Callable[[Ref], Awaitable[Installer]]
    checks: Sequence[Check]
    registries: Callable[[], Awaitable[Registries]]
    sandbox: Sandbox
    fleet: Callable[[], Mapping[str, tuple[str, ...]]]
    authorizer_of: Callable[[ServerSpec], Authorizer | None]
    turns: Turns
    quota: Quota
    collect: Callable[[str], Awaitable[None]]
    suits: Callable[[str, str, Offer], Awaitable[float]]
