"""What a server may see and reach, in lines for a person. Pure; the plan is the document of ``model.sandbox_plan``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from vsm_mcp.cli.output import some
from vsm_mcp.model.counted import counted

_MOST: Final = 8
_IN_MEMORY: Final = "; a private home, /tmp and /dev/shm, gone when it ends"
_PRIVATE: Final = {
    "reduced": "; a private home on disk with a directory for what is temporary, gone when it ends",
    "container": "; a private /tmp and /dev/shm, gone when it ends",
    "none": "; and all that you may write: nothing holds it",
}
_UNITS: Final = ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB"))


def plan_lines(plan: Mapping[str, Any]) -> list[str]:
    """Return one line for each kind of thing, the same kinds every time: what is missing is said, not left out."""
    if "error" in plan:
        return [f"it cannot be started: {plan['error']}"]
    if plan["network"] == "remote":
        return [
            f"it runs elsewhere, at {_names(plan['hosts'])}: no sandbox of ours holds it",
            f"headers   {_names([*plan['variables'], *(f'{name} (secret)' for name in plan['secrets'])])}",
        ]
    lines = [
        f"reads     {_names([*plan['reads'], *(['its own program'] if plan['own'] else [])])}",
        f"writes    {_names(plan['writes'])}{_private(plan)}",
        f"network   {_network(plan)}",
        f"variables {_names(plan['variables'])}",
        f"secrets   {_names(plan['secrets'])}",
        f"limits    {_limits(plan['limits'])}",
        f"held by   {_held(plan)}",
    ]
    if plan["permissions"]:
        lines.insert(0, f"profile   {plan['permissions']}")
    if plan["allow_scripts"]:
        lines.append("           its install scripts run, in the sandbox")
    return lines


def _names(names: Sequence[str]) -> str:
    return some(list(names), _MOST) if names else "none"


def _private(plan: Mapping[str, Any]) -> str:
    if not plan["home"] or plan["tier"] == "none":
        return _PRIVATE.get(plan["tier"], _IN_MEMORY)
    most = _size(plan["limits"]["home_bytes"])
    return f"; a home that is kept ({plan['home']}, at most {most}); what is temporary is gone when it ends"


def _network(plan: Mapping[str, Any]) -> str:
    whole = {"off": "off", "machine": "all that this machine reaches, its loopback included"}
    return whole.get(plan["network"]) or _names(plan["hosts"])


def _limits(limits: Mapping[str, float]) -> str:
    cpus = f"{limits['cpus']:g} CPU" if limits["cpus"] else "all CPUs"
    return (
        f"{_size(limits['memory_bytes'])} memory, {cpus}, {counted(limits['processes'], 'processes')}, "
        f"{counted(limits['open_files'], 'open files')}, {_size(limits['scratch_bytes'])} for the home and for /tmp, "
        f"{_size(limits['shared_memory_bytes'])} /dev/shm"
    )


def _size(number: float) -> str:
    for unit, name in _UNITS:
        if number >= unit:
            return f"{number / unit:g} {name}"
    return f"{number:g} bytes"


def _held(plan: Mapping[str, Any]) -> str:
    by_state: dict[str, list[str]] = {}
    for name, state in plan["properties"].items():
        by_state.setdefault(state, []).append(name)
    return f"tier {plan['tier']}: " + "; ".join(f"{', '.join(names)} {state}" for state, names in by_state.items())
