"""Who answers which operation of the control interface, beside what :class:`~vsm_mcp.app.application.App` answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from vsm_mcp.app import kits
from vsm_mcp.app.records import Records
from vsm_mcp.app.running import RUNNING
from vsm_mcp.app.trying import Trying
from vsm_mcp.autopilot.examine import Examining
from vsm_mcp.autopilot.parts import Parts

if TYPE_CHECKING:
    from vsm_mcp.app.application import App


def answering(app: App, parts: Callable[[], Parts]) -> dict[str, object]:
    """Return, by operation, the part with a method of that name; ``parts`` makes what an admission works with."""
    return {
        "login": app.logins,
        "set": app.altering,
        "reload": app.rereading,
        "export": kits.Exporter(app.fleet, app.store.secrets),
        "vet": Examining(parts, app.finder.known),
        "trial": Trying(parts, app.fleet, app.finder, app.actor),
        **dict.fromkeys(("lock", "lock_verify", "lock_install"), app.locker),
        **dict.fromkeys(RUNNING, app.running),
        **dict.fromkeys(("approve", "deny"), app.approvals),
        **dict.fromkeys(("upgrade", "rollback"), app.upgrading),
        **dict.fromkeys(("evidence", "journal"), Records(app.store)),
        **dict.fromkeys(("key_create", "key_list", "key_revoke"), app.keys),
    }
