"""A rollout as ``rollout``, ``status`` and ``inspect`` show it. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from vsm_mcp.model.rollout import OVER, Rollout
from vsm_mcp.routing.rollout import Numbers


def shown(rollout: Rollout, numbers: Numbers) -> dict[str, Any]:
    """Return the document of one rollout: more fields may be added, none taken away."""
    return {
        "id": rollout.id,
        "server": rollout.server,
        "newcomer": rollout.newcomer,
        "before": rollout.before,
        "after": rollout.after,
        "rival": rollout.rival,
        "phase": rollout.phase.value,
        "stage": rollout.stage,
        "stages": list(rollout.stages),
        "percent": rollout.percent,
        "held": rollout.held,
        "over": rollout.phase in OVER,
        "reason": rollout.reason,
        "began": rollout.began,
        "since": rollout.since,
        "tools": list(rollout.tools),
        "numbers": msgspec.to_builtins(numbers),
        "by_tool": {tool: _calls(tally) for tool, tally in sorted(rollout.tallies.items())},
        "mirrored": msgspec.to_builtins(rollout.mirrored),
    }


def _calls(tally: Any) -> dict[str, Any]:
    sides = {
        "incumbent": tally.incumbent.plus(tally.incumbent_before),
        "newcomer": tally.newcomer.plus(tally.newcomer_before),
    }
    return {side: {"calls": each.calls, "faults": each.faults, "errors": each.errors} for side, each in sides.items()}
