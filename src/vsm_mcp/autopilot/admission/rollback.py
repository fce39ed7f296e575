"""The way back: the previous version of a server takes its place again, with its settings, its pins and its secrets."""

from __future__ import annotations

from vsm_mcp.autopilot.admission.passage import Passage
from vsm_mcp.autopilot.outcome import Outcome, Request
from vsm_mcp.autopilot.parts import Parts
from vsm_mcp.autopilot.tidying import tidied
from vsm_mcp.errors import InstallFailed, NoEarlierVersion
from vsm_mcp.events import ServerRolledBack
from vsm_mcp.model.server import Server
from vsm_mcp.store.sagas import Plan


async def earlier(parts: Parts, name: str) -> Server:
    """Return the version to go back to. Raises :class:`NoEarlierVersion`, and :class:`InstallFailed` without files."""
    before = await parts.store.previous.of(name)
    if before is None:
        raise NoEarlierVersion(
            f"there is no earlier version of {name} to go back to", "one is kept from the first upgrade on"
        )
    if before.installation.version not in parts.installations.versions(name):
        raise InstallFailed(f"the files of {name} {before.version} are gone", f"vsm-mcp upgrade {name} --to VERSION")
    return before


async def drop(parts: Parts, name: str) -> None:
    """Forget the version that a rollback left behind: it did not come up, and nobody shall go forward to it.

    A crash in between leaves a version to go back to too many, and no more.
    """
    left = await parts.store.previous.of(name)
    if left is None:
        return
    await parts.store.previous.forget(name)
    await parts.installations.restore(name, parts.installations.current(name), "")
    plan = Plan(server=name, version=left.installation.version, superseded=(left.acquisition,))
    await tidied(parts.store, parts.installations, plan)
    await parts.collect(name)


async def roll_back(parts: Parts, name: str, actor: str, why: str = "") -> Outcome:
    """Put the previous version of a server into service; the present one is kept in its place.

    The outcome is ``served`` or ``failed``. Raises what :func:`earlier` raises.
    """
    now, before = await parts.store.servers.get(name), await earlier(parts, name)
    request = Request(ref=before.ref, name=name, actor=actor)
    passage = Passage(parts, request)
    passage.plan = Plan(
        server=name,
        version=before.installation.version,
        previous=parts.installations.current(name),
        earlier=parts.installations.previous(name),
        back_to=before.acquisition,
    )

    async def way() -> Outcome:
        given_up = {"from": now.version, "to": before.version, "given_up": now.acquisition}
        await passage.record("rollback", {**given_up, "by": actor, "why": why})
        async with passage.step("restore") as said:
            versions = before.installation.version, now.installation.version
            await parts.installations.restore(name, *versions)
            if not await parts.store.previous.swap(name, before.acquisition):
                raise NoEarlierVersion(f"{name} has no earlier version any more", "somebody else changed it meanwhile")
            said.append(f"{now.version} -> {before.version}")
        parts.emit(ServerRolledBack(server=name, before=now.version, after=before.version, reason=why))
        server = await parts.store.servers.get(name)
        return Outcome(
            outcome="served",
            ref=str(server.ref),
            evidence=passage.id,
            server=name,
            version=server.version,
            admitted=server,
        )

    return await passage.take(way)
