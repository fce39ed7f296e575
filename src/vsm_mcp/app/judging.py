"""The fleet judged as a whole, and again: what servers can do together, and what newer rules or advisories say."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from vsm_mcp.app.fleet import Fleet
from vsm_mcp.app.wiring import Machine
from vsm_mcp.autopilot.admission.upgrading import UNVERSIONED
from vsm_mcp.autopilot.subjects import granted_to, packages_of
from vsm_mcp.config import Config
from vsm_mcp.errors import VsmError
from vsm_mcp.gateway.view import View
from vsm_mcp.model.counted import counted
from vsm_mcp.model.finding import CheckResult, CheckStatus, Severity
from vsm_mcp.model.granted import Granted
from vsm_mcp.model.ref import RefKind
from vsm_mcp.model.server import Server
from vsm_mcp.registries.client import Registries
from vsm_mcp.store import Store
from vsm_mcp.vetting.check import Check, Stage, Subject, run_checks
from vsm_mcp.vetting.flows import Flows, flows_of, in_words, together
from vsm_mcp.vetting.ruleset import digest

_AGAIN: Final = ("identity", "advisories", "tool_text", "flows")
"""Checks that need no files: they can look again at what is served."""
_OF_FACTS: Final = frozenset({"identity.brand"})
"""Rules that spare what many people use, which is known only while it is looked for."""
_SHOWN: Final = 3


class Judging:
    """Looks at the servers of a home as they are served now."""

    def __init__(self, settings: Callable[[], Config], machine: Machine, fleet: Fleet, store: Store) -> None:
        self._config = settings
        self._machine = machine
        self._fleet = fleet
        self._store = store

    def flows(self, views: Iterable[View]) -> list[dict[str, Any]]:
        """Return, for each endpoint behind which all three come together, ``{"profile", "private", …, "text"}``."""
        flows = {name: self._flows_of(server) for name, server in self._fleet.servers.items()}
        found = []
        for view in views:
            behind = {name: flows[name] for name in view.catalogue.shelves if name in flows}
            if whole := together(behind):
                found.append({"profile": view.display.profile, **whole, "text": in_words(behind)})
        return found

    async def rows(self, views: Iterable[View]) -> list[dict[str, Any]]:
        """Return the rows of ``doctor``."""
        rows = [
            _row(
                "flows",
                "warn",
                f"behind {'/mcp/' + each['profile'] if each['profile'] else '/mcp'} come together: {each['text']}",
                "an instruction in a text of strangers could have private data sent out: serve them in different"
                " [profiles.NAME], or take the way out from one (vsm-mcp set NAME, vsm-mcp remove NAME)",
            )
            for each in self.flows(views)
        ]
        return [*rows, *await self._again()]

    async def _again(self) -> list[dict[str, Any]]:
        """Judge every served server by the rules and advisories of now; say what its evidence does not have."""
        served = [server for server in self._fleet.servers.values() if not server.quarantined]
        checks = [check for check in self._machine.checks if check.name in _AGAIN]
        asked = any(packages_of(server) for server in served)
        registries = await self._machine.registries() if asked else None
        rows, silent, older = [], set(), 0
        for server in served:
            known, rules = await self._known(server)
            older += rules != digest()
            results = await self._look(server, checks, registries)
            silent |= {each.check for each in results if each.status is CheckStatus.UNAVAILABLE}
            rows += _new(server, results, known)
        if not served or rows:
            return rows
        said = f"{counted(len(served), 'servers')} judged again, nothing new"
        said += f"; {older} were admitted under other rules" if older else ""
        said += f"; could not look: {', '.join(sorted(silent))}" if silent else ""
        return [_row("vetting", "ok", said)]

    async def _look(
        self, server: Server, checks: list[Check], registries: Registries | None
    ) -> tuple[CheckResult, ...]:
        subject = Subject(
            ref=server.ref,
            version=server.version,
            offer=self._fleet.seen(server.name),
            fleet={name: tools for name, tools in self._fleet.tool_names().items() if name != server.name},
            tree=packages_of(server),
            granted=self._granted(server),
            registries=registries,
        )
        before = await run_checks(checks, subject, Stage.BEFORE_INSTALL)
        return (*before, *await run_checks(checks, subject, Stage.AFTER_TRIAL))

    async def _known(self, server: Server) -> tuple[set[tuple[str, str]], str]:
        """Return ``(rule, where)`` of every finding in a server's evidence, and the rules that it was judged by."""
        found: set[tuple[str, str]] = set()
        rules = ""
        for record in await self._store.evidence.of(server.acquisition):
            body = record["body"]
            if record["kind"] == "rules":
                rules = str(body.get("digest", ""))
            if record["kind"] == "judged":
                found |= {(one["rule"], one["where"]) for check in body["checks"] for one in check["findings"]}
        return found, rules

    def _flows_of(self, server: Server) -> Flows:
        offer = self._fleet.seen(server.name)
        return flows_of(offer, self._granted(server)) if offer is not None else Flows()

    def _granted(self, server: Server) -> Granted:
        secrets = self._store.secrets.of(server.acquisition)
        try:
            granted = granted_to(server.settings, self._config(), remote=server.ref.kind is RefKind.REMOTE)
        except VsmError:  # its permission profile cannot be had, so it is not started
            granted = Granted()
        return Granted(way_out=granted.way_out, files=granted.files, secrets=granted.secrets or bool(secrets))


def _new(server: Server, results: Iterable[CheckResult], known: set[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return a row for each server of which something is known now that was not when it was admitted."""
    findings = [
        finding
        for each in results
        for finding in each.findings
        if finding.severity is not Severity.NOTE
        and finding.rule not in _OF_FACTS
        and (finding.rule, finding.where) not in known
    ]
    if not findings:
        return []
    findings.sort(key=lambda finding: finding.severity is not Severity.BLOCK)
    said = "; ".join(f"{each.rule} ({each.severity.value}) {each.where}: {each.text}" for each in findings[:_SHOWN])
    more = f"; {len(findings) - _SHOWN} more" if len(findings) > _SHOWN else ""
    return [_row("vetting", "warn", f"{server.name} has findings that are new: {said}{more}", remedy_for(server))]


def remedy_for(server: Server) -> str:
    """Return what helps against new findings: what has no version here cannot be upgraded."""
    name, stop = server.name, f"vsm-mcp stop {server.name} until then"
    if server.ref.kind is RefKind.CMD:
        return f"update the program by the way it came to this machine, then vsm-mcp restart {name}; {stop}"
    if server.ref.kind in UNVERSIONED:
        return f"who runs it has to mend it; {stop}, or vsm-mcp remove {name}"
    return f"vsm-mcp upgrade {name} looks for a newer version; {stop}"


def _row(name: str, state: str, detail: str, remedy: str = "") -> dict[str, Any]:
    remedies = [remedy] if remedy else []
    return {"name": name, "state": state, "detail": detail, "remedy": remedy, "remedies": remedies}
