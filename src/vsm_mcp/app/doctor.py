"""What this machine gives: home, sandbox, tools and registries, each with the remedy where one is known."""

from __future__ import annotations

import shutil
from typing import Any

import msgspec

from vsm_mcp.app.lookout import Lookout
from vsm_mcp.app.wiring import Machine
from vsm_mcp.config import Config
from vsm_mcp.discovery.source import SourceState
from vsm_mcp.errors import VsmError
from vsm_mcp.events import ignore
from vsm_mcp.registries.addresses import shown
from vsm_mcp.registries.client import Registries
from vsm_mcp.sandbox import tracing
from vsm_mcp.sandbox.child import Sandbox
from vsm_mcp.sandbox.confinement import Command, Confinement
from vsm_mcp.sandbox.egress.rules import AllowList
from vsm_mcp.sandbox.engine import find_engine
from vsm_mcp.sandbox.machine import closed_to_others
from vsm_mcp.sandbox.probe import allow_list_failure
from vsm_mcp.sandbox.tier import Isolation, Property, Tier

_LOW_DISK = 1024**3
_ANY_NEED = "read files"
_DOCUMENT = "docs/reference/discovery.md"
_TRY_SECONDS = 20.0


async def examine(config: Config, machine: Machine, lookout: Lookout) -> dict[str, Any]:
    """Return ``{"healthy", "checks": [{"name", "state": ok|warn|fail, "detail", "remedy", "remedies"}], "sandbox"}``.

    ``remedies`` has the best one first, which ``remedy`` repeats; a check without a name belongs to the one above.
    """
    isolation, registries, runtimes = machine.isolation, await machine.registries(), await machine.runtimes()
    checks = [_home(config), *_sandbox(config, isolation), *await _allow_list(isolation), watched(isolation)]
    checks.append(await installing(config, isolation))
    checks += [*_tools(runtimes), await containers(config)]
    checks += [await _registry(registries, "npm"), await _registry(registries, "pypi"), *await _sources(lookout)]
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
            "lacks": [msgspec.to_builtins(lack) for lack in isolation.lacks],
        },
    }


def _check(name: str, state: str, detail: str, *remedies: str) -> dict[str, Any]:
    given = [remedy for remedy in remedies if remedy]
    return {"name": name, "state": state, "detail": detail, "remedy": (given or [""])[0], "remedies": given}


def _home(config: Config) -> dict[str, Any]:
    free = shutil.disk_usage(config.home).free
    state = "warn" if free < _LOW_DISK else "ok"
    return _check(
        "home", state, f"{config.home}, {free / 1024**3:.1f} GiB free", "free some space" if state == "warn" else ""
    )


def _sandbox(config: Config, isolation: Isolation) -> list[dict[str, Any]]:
    """The tier, why it is not a better one, and each property with why it does not hold and what would help."""
    least = config.sandbox.least_tier
    enough = isolation.tier.reaches(least)
    state = "fail" if not enough else "ok" if isolation.tier.reaches(Tier.FULL_SOFT) else "warn"
    asked = "" if enough else f"; servers are started in {least} at least"
    checks = [_check("sandbox", state, f"tier {isolation.tier} ({isolation.mechanism}){asked}")]
    checks += [_check("", state, lack.reason, *lack.remedies) for lack in isolation.lacks if not lack.properties]
    explained: dict[str, str] = {}
    for name, held in isolation.properties.items():
        lack = next((lack for lack in isolation.lacks if name in lack.properties), None)
        worse = "warn" if enough else "fail"
        if held == Property.ENFORCED or lack is None:
            checks.append(_check(name, "ok" if held == Property.ENFORCED else worse, held))
        elif first := explained.get(lack.reason):
            checks.append(_check(name, worse, f"{held}: as {first}"))
        else:
            explained[lack.reason] = name
            checks.append(_check(name, worse, f"{held}: {lack.reason}", *lack.remedies))
    return checks + _reach(config, isolation)


async def _allow_list(isolation: Isolation) -> list[dict[str, Any]]:
    if not isolation.tier.reaches(Tier.FULL_SOFT):
        return []
    failure = await allow_list_failure(isolation)
    if not failure:
        return [_check("hosts", "ok", "none, or a list of hosts and ports: tried, and only the allowed one answered")]
    remedy = "servers that are given --allow-host do not start; all others have no network, as ever"
    return [_check("hosts", "warn", f"a list of hosts does not hold here: {failure}", remedy)]


def _reach(config: Config, isolation: Isolation) -> list[dict[str, Any]]:
    """Without namespaces a server of a root daemon has to come by itself to what is installed, as another user."""
    closed = closed_to_others(config.home) if isolation.tier is Tier.REDUCED else ""
    if not closed:
        return []
    detail = f"servers run as users of their own, and may not enter {closed}"
    remedies = ("VSM_MCP_HOME=/var/lib/vsm-mcp", f"chmod o+x {closed}")
    return [_check("", "fail", detail, *remedies)]


def watched(isolation: Isolation, strace: str | None = None) -> dict[str, Any]:
    """Whether a trial can be watched; without, whoever asks for ``strict`` vetting can admit nothing."""
    found = tracing.find() if strace is None else strace
    without = "trials are not watched: what a server does in its first run is not seen"
    if not found:
        return _check("strace", "warn", f"not found; {without}", "apt-get install strace")
    if not isolation.tier.reaches(Tier.FULL_SOFT):
        return _check("strace", "warn", f"{found}, of no use at tier {isolation.tier}; {without}")
    return _check("strace", "ok", f"{found}: trials are watched")


async def installing(config: Config, isolation: Isolation) -> dict[str, Any]:
    """Whether npm and uv are confined while they install: tried, with the home to write and a list of hosts."""
    if not config.install.confined:
        return _outside("[install] confined is off", "[install] confined = true")
    confinement = Confinement(writable=(str(config.home),), network=AllowList())
    async with Sandbox(isolation, guarded=False) as sandbox:
        try:
            await sandbox.run(Command(argv=("/usr/bin/true",)), confinement, name="doctor", timeout=_TRY_SECONDS)
        except VsmError as error:
            return _outside(error.message, *(isolation.remedies or (error.hint,)))
    return _check("install", "ok", "npm and uv run in the sandbox while they install")


def _outside(why: str, *remedies: str) -> dict[str, Any]:
    return _check("install", "warn", f"npm and uv run outside of the sandbox while they install: {why}", *remedies)


def _tools(runtimes: dict[str, str]) -> list[dict[str, Any]]:
    wanted = {"node": "install node 20 or newer", "npm": "install npm", "uv": "reinstall vsm-mcp", "python": ""}
    return [
        _check(name, "ok", runtimes[name]) if runtimes.get(name) else _check(name, "warn", "not found", remedy)
        for name, remedy in wanted.items()
    ]


async def containers(config: Config) -> dict[str, Any]:
    """Whether images (``oci:``) can be run here: tried, where it is podman."""
    try:
        engine = await find_engine(config.environ, config.install.container_engine)
    except VsmError as error:
        return _check("containers", "warn", f"unavailable: {error.message}", error.hint)
    runtime = f" with {engine.runtime}" if engine.runtime else ""
    who = "an ordinary user's" if engine.rootless else "root's, whose root is this machine's, without capabilities"
    return _check("containers", "ok", f"{engine.name} {engine.version}{runtime}: {who}")


async def _registry(registries: Registries, kind: str) -> dict[str, Any]:
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


async def _sources(lookout: Lookout) -> list[dict[str, Any]]:
    """Ask every source for a need that says nothing of anybody, and say how each stands; then those that are off."""
    try:
        await lookout.discover(_ANY_NEED, ignore)
    except VsmError as error:
        return [_check("sources", "fail", error.message, error.hint)]
    rows = lookout.report()
    off = [row["source"] for row in rows if not row["on"]]
    checks = [_source(row) for row in rows if row["on"]]
    remedy = f"[discovery] sources of vsm-mcp.toml may name them; what each sends out: {_DOCUMENT}"
    return [*checks, *([_check("source", "ok", f"off: {', '.join(off)}", remedy)] if off else [])]


def _source(row: dict[str, Any]) -> dict[str, Any]:
    state, detail = row["state"], f"{row['source']}: {row['state']} {row['detail']}".rstrip()
    return _check("source", "ok" if state in (SourceState.OK, SourceState.OFF) else "warn", detail)
