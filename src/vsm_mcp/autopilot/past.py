"""What was seen of the version that is served now, and of what has just been installed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from vsm_mcp.autopilot.parts import Parts
from vsm_mcp.install.installer import Resolved
from vsm_mcp.model.finding import CheckResult, CodeProfile
from vsm_mcp.model.ref import Ref
from vsm_mcp.store import Store
from vsm_mcp.vetting.check import Stage, Subject, run_checks
from vsm_mcp.vetting.drift import compare


async def earlier(store: Store, ref: Ref) -> CodeProfile | None:
    """Return the code profile of the server of the same package that is in the catalogue, from its evidence."""
    servers = [server for server in await store.servers.all() if server.ref.identity == ref.identity]
    for server in servers:
        if server.ref == ref:
            continue
        for record in await store.evidence.of(server.acquisition):
            if record["kind"] != "vetted":
                continue
            for result in msgspec.convert(record["body"], tuple[CheckResult, ...]):
                if result.profile is not None:
                    return result.profile
    return None


def compared(results: Sequence[CheckResult], before: CodeProfile | None) -> tuple[CheckResult, ...]:
    """Return the results, with the comparison of the code where there is something to compare with."""
    after = next((each.profile for each in results if each.profile is not None), None)
    if before is None or after is None:
        return tuple(results)
    return (*results, compare(before, after))


async def walked(parts: Parts, resolved: Resolved, into: Path, acquisition: str) -> tuple[CheckResult, ...]:
    """Look at all that was installed, dependencies and all, before any of it runs; it is kept as evidence."""
    subject = Subject(ref=resolved.ref, version=resolved.version, installed=into)
    results = await run_checks(parts.checks, subject, Stage.AFTER_BUILD)
    await parts.store.evidence.add(acquisition, "walked", results)
    return results
