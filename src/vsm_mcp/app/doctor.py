"""What this machine gives: home, sandbox, tools and registries, each with the remedy where one is known."""

from __future__ import annotations

import shutil
from typing import Any

from vsm_mcp.config import Config
from vsm_mcp.errors import VsmError
from vsm_mcp.registries.addresses import shown
from vsm_mcp.registries.client import Registries
from vsm_mcp.sandbox.probe import allow_list_failure
from vsm_mcp.sandbox.tier import Isolation, Tier

_LOW_DISK = 1024**3


async def examine(
    config: Config, isolation: Isolation, registries: Registries, runtimes: dict[str, str]
) -> dict[str, Any]:
    """Return ``{"healthy", "checks": [{"name", "state": ok|warn|fail, "detail", "remedy"}], "sandbox"}``."""
    checks = [_home(config), *_sandbox(isolation), *await _allow_list(isolation), *_tools(runtimes)]
    checks += [await _registry(registries, "npm"), await _registry(registries, "pypi")]
    return {
        "healthy": not any(check["state"] == "fail" for check in checks),
        "home": str(config.home),
        "checks": checks,
        "sandbox": {
            "tier": str(isolation.tier),
            "mechanism": isolation.mechanism,
            "properties": dict(isolation.properties),
            "reasons": list(isolation.reasons),
            "remedies": list(isolation.remedies),
        },
    }


def _check(name: str, state: str, detail: str, remedy: str = "") -> dict[str, str]:
    return {"name": name, "state": state, "detail": detail, "remedy": remedy}


def _home(config: Config) -> dict[str, str]:
    free = shutil.disk_usage(config.home).free
    state = "warn" if free < _LOW_DISK else "ok"
    return _check(
        "home", state, f"{config.home}, {free / 1024**3:.1f} GiB free", "free some space" if state == "warn" else ""
    )


def _sandbox(isolation: Isolation) -> list[dict[str, str]]:
    held = ", ".join(f"{name} {state}" for name, state in isolation.properties.items())
    state = {Tier.FULL: "ok", Tier.FULL_SOFT: "ok"}.get(isolation.tier, "fail")
    checks = [_check("sandbox", state, f"tier {isolation.tier} ({isolation.mechanism}): {held}")]
    remedies = isolation.remedies or ("",) * len(isolation.reasons)
    for number, reason in enumerate(isolation.reasons):
        remedy = remedies[number] if number < len(remedies) else ""
        checks.append(_check("", "warn" if state == "ok" else "fail", reason, remedy))
    return checks


async def _allow_list(isolation: Isolation) -> list[dict[str, str]]:
    if isolation.tier is Tier.NONE:
        return []
    failure = await allow_list_failure(isolation)
    if not failure:
        return [_check("network", "ok", "off, or a list of hosts and ports: tried, and only the allowed one answered")]
    remedy = "servers that are given --allow-host do not start; all others have no network, as ever"
    return [_check("network", "warn", f"a list of hosts does not hold here: {failure}", remedy)]


def _tools(runtimes: dict[str, str]) -> list[dict[str, str]]:
    wanted = {"node": "install node 20 or newer", "npm": "install npm", "uv": "reinstall vsm-mcp", "python": ""}
    return [
        _check(name, "ok", runtimes[name]) if runtimes.get(name) else _check(name, "warn", "not found", remedy)
        for name, remedy in wanted.items()
    ]


async def _registry(registries: Registries, kind: str) -> dict[str, str]:
    """Ask a registry about a package that every one has."""
    address = registries.addresses.npm if kind == "npm" else registries.addresses.pypi_index
    try:
        if kind == "npm":
            await registries.npm_package("npm")
        else:
            await registries.pypi_project("pip")
    except VsmError as error:
        return _check(kind, "warn", f"{shown(address)}: {error.message}", error.hint)
    return _check(kind, "ok", f"{shown(address)} answers")
