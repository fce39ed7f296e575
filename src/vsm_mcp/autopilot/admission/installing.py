"""resolve → fetch → vet → build: from a reference to the files of one version, nothing of it run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from vsm_mcp.autopilot import expected
from vsm_mcp.autopilot.admission.order import Order
from vsm_mcp.autopilot.admission.passage import Passage
from vsm_mcp.autopilot.launch import require
from vsm_mcp.autopilot.naming import server_name
from vsm_mcp.autopilot.verdicts import judged, summary
from vsm_mcp.autopilot.vetted import built_vetted, fetched_vetted, options_of
from vsm_mcp.errors import BadArgument, VettingRejected
from vsm_mcp.install.installer import Built, Fetched, Options, Resolved
from vsm_mcp.model.counted import counted
from vsm_mcp.model.finding import CheckResult, Judgement, VetReport
from vsm_mcp.model.server import Installation, Server
from vsm_mcp.store.sagas import Plan
from vsm_mcp.vetting import ruleset

_LICENCE_LENGTH: Final = 100


class Installed(msgspec.Struct, frozen=True, kw_only=True):
    """What was installed: the server as it would be, and what each step found."""

    server: Server
    resolved: Resolved
    fetched: Fetched
    built: Built
    checks: tuple[CheckResult, ...] = ()


def started_otherwise(made: Installed, order: Order) -> Installed:
    """Return what was installed, to be started as an order has it."""
    return msgspec.structs.replace(made, server=msgspec.structs.replace(made.server, **order.start))


class Made(NamedTuple):
    """What was fetched, and what was built of it."""

    fetched: Fetched
    built: Built


def _options(passage: Passage, order: Order, constraints: tuple[str, ...]) -> Options:
    options = options_of(passage.parts, order.settings, passage.facts, constraints)
    wanted = passage.request.locked
    return msgspec.structs.replace(
        options, locked=expected.lock_text(wanted, constraints), builders=expected.builders_text(wanted)
    )


async def resolved(passage: Passage, order: Order, constraints: tuple[str, ...] = (), version: str = "") -> Resolved:
    """Find out what exactly would be installed, of one version where that is known. Raises what installers raise."""
    installer, options = await passage.parts.installer(passage.request.ref), _options(passage, order, constraints)
    ref = passage.request.ref.at(version) if version else passage.request.ref
    async with passage.step("resolve") as said:
        found = await installer.resolve(ref, options)
        require(found.inputs, order.settings)
        said.append(f"{found.version} with {counted(len(found.packages), 'packages')}")
    seen = {"version": found.version, "packages": found.packages, "undated": found.undated}
    builders = [line.rstrip() for line in found.build_lock.splitlines() if line.strip()]
    seen |= {name: value for name, value in (("builders", builders), ("notes", found.notes)) if value}
    await passage.record("resolved", seen)
    return found


async def installed(passage: Passage, order: Order, found: Resolved) -> Installed:
    """Take the steps from there up to the build. Raises what installers raise, and :class:`VettingRejected`."""
    parts = passage.parts
    installer = await parts.installer(passage.request.ref)

    async def look(root: Path) -> None:
        await _walked(passage, found, root)

    options = msgspec.structs.replace(_options(passage, order, found.constraints), before_scripts=look)
    if not passage.plan.server:
        passage.plan = await planned(passage, found)
    name, label = passage.plan.server, passage.plan.version
    async with passage.step("fetch") as said:
        fetched = await installer.fetch(found, await parts.installations.stage(name, label))
        said.append(f"{counted(len(fetched.members), 'files')}, {fetched.archive_sha[:19]}")
    async with passage.step("vet") as said:
        checks = await _vetted(passage, found, fetched)
        said.append(summary(checks))
    async with passage.step("build"):
        into = await parts.installations.begin(name, label)
        built = await installer.build(found, fetched, into, options)
        expected.check_built(passage.request.locked, found, built)
        checks += await _walked(passage, found, into)
    record = {"entry": built.entry, "integrity": built.integrity, "scripts": built.scripts}
    await passage.record("built", {**record, "confined": built.confined, "unconfined": built.unconfined})
    server = _server(passage, order, found, Made(fetched, built))
    return Installed(server=server, resolved=found, fetched=fetched, built=built, checks=checks)


async def planned(passage: Passage, resolved: Resolved) -> Plan:
    """Return the plan: the server's name, and a label for the version that no directory has yet."""
    request, installations = passage.request, passage.parts.installations
    servers = await passage.parts.store.servers.all()
    same = [server for server in servers if server.ref.identity == request.ref.identity]
    if request.name:
        named = [server for server in servers if server.name == request.name]
        replaces = bool(named and named[0].origin and request.origin)  # the file asks for another one under its name
        if named and named[0].ref.identity != request.ref.identity and not replaces:
            raise BadArgument(f"another server is called {request.name}", "give another --name, or remove it")
        name = request.name
    else:
        taken = {server.name for server in servers} | passage.parts.turns.claimed(request.ref.identity)
        name = same[0].name if same else server_name(request.ref, taken)
    passage.parts.turns.claim(name, request.ref.identity)
    base = label = resolved.version or "current-address"
    used = set(installations.versions(name))
    number = 1
    while label in used:
        number += 1
        label = f"{base}_{number}"
    current, earlier = installations.current(name), installations.previous(name)
    return Plan(server=name, version=label, previous=current, earlier=earlier)


def rejected(passage: Passage, verdict: VetReport) -> None:
    """Raise :class:`VettingRejected` where the checks amount to that."""
    if verdict.judgement is Judgement.REJECT:
        hint = f"vsm-mcp evidence {passage.id} shows what each check saw"
        raise VettingRejected(f"vetting rejected it: {verdict.reasons[0]}", hint)


async def _vetted(passage: Passage, resolved: Resolved, fetched: Fetched) -> tuple[CheckResult, ...]:
    results = await fetched_vetted(passage.parts, passage.request, resolved, fetched)
    await passage.record("vetted", results)
    await passage.record("rules", {"digest": ruleset.digest()})
    rejected(passage, judged(results, passage.parts.config.policy.profile))
    return results


async def _walked(passage: Passage, resolved: Resolved, into: Path) -> tuple[CheckResult, ...]:
    results = await built_vetted(passage.parts, resolved, into)
    await passage.record("walked", results)
    if results:
        rejected(passage, judged(results, passage.parts.config.policy.profile))
    return results


def _licence(manifest: Mapping[str, Any]) -> str:
    """Return the licence that a package names, in its own words; empty where it names none."""
    said = manifest.get("license")
    if isinstance(said, Mapping):  # npm's old form: {"type": …, "url": …}
        said = said.get("type")
    return " ".join(said.split())[:_LICENCE_LENGTH] if isinstance(said, str) else ""


def _server(passage: Passage, order: Order, resolved: Resolved, made: Made) -> Server:
    built = made.built
    name, label = passage.plan.server, passage.plan.version
    known = passage.request.known
    installation = Installation(
        server=name,
        ref=resolved.ref,
        version=label,
        path=str(passage.parts.installations.path(name, label)),
        entry=built.entry,
        packages=built.packages or resolved.packages,
        integrity=built.integrity,
        constraints=resolved.constraints,
        licence=_licence(made.fetched.manifest),
    )
    return Server(
        name=name,
        ref=resolved.ref,
        version=resolved.version,
        installation=installation,
        tags=known.tags if known else (),
        description=known.description if known else "",
        acquisition=passage.id,
        added=time.time(),
        origin=passage.request.origin,
        **order.start,
    )
