"""What ``status`` and ``inspect`` say of resources, limits and counts. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from vsm_mcp.config import Config
from vsm_mcp.model.permissions import Permissions
from vsm_mcp.runtime.permissions import limited
from vsm_mcp.runtime.resources import Usage
from vsm_mcp.runtime.status import Status
from vsm_mcp.sandbox.tier import Isolation, Property, Tier


def resources(usage: Usage | None, status: Status, log_bytes: int) -> dict[str, Any]:
    """Return what a server uses: ``null`` where it has no process here, or nobody has looked yet."""
    seen: dict[str, Any] = dict.fromkeys(Usage.__struct_fields__) if usage is None else msgspec.to_builtins(usage)
    shared, queued = status.in_flight, 0
    if status.pool is not None:
        shared, queued = status.pool.calls, status.pool.waiting
    return {
        **seen,
        "calls_in_flight": shared + sum(each.in_flight for each in status.instances),
        "calls_waiting": queued + status.waiting + sum(each.waiting for each in status.instances),
        "log_bytes": log_bytes,
    }


def limits(config: Config, isolation: Isolation, profile: Permissions, *, remote: bool) -> dict[str, Any]:
    """Return each limit of a server with how far it holds here: ``enforced``, ``soft`` or ``off``.

    ``profile`` is its permission profile. Nothing on this machine limits a server that runs elsewhere. Scratch is
    limited where it lies in a file system of its own, which is what bubblewrap makes, and looked after in the reduced
    tier.
    """
    if remote:
        return {}
    enforced, off = Property.ENFORCED.value, Property.OFF.value
    scratch = enforced if isolation.bwrap else Property.SOFT.value if isolation.tier is Tier.REDUCED else off
    given, properties, log_bytes = limited(config.sandbox, profile), isolation.properties, config.runtime.log_bytes
    return {
        "memory_bytes": {"limit": given.memory_bytes, "how": properties["memory"]},
        "cpus": {"limit": given.cpus, "how": properties["cpu"] if given.cpus else off},
        "processes": {"limit": given.processes, "how": properties["pids"]},
        "open_files": {"limit": given.open_files, "how": enforced},
        "scratch_bytes": {"limit": given.scratch_bytes, "how": scratch},
        "log_bytes": {"limit": log_bytes, "how": enforced if log_bytes else off},
    }
