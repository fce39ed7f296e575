"""``vsm-mcp lock``: what is served, exactly, in one file; compared with what is there; installed elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from vsm_mcp.cli import output
from vsm_mcp.cli.session import OperationFailed, Session, common
from vsm_mcp.cli.taking_in import asked_of_kit
from vsm_mcp.errors import BadArgument, VsmError
from vsm_mcp.install import lockfile
from vsm_mcp.install.lockfile import Lock, LockedServer
from vsm_mcp.model.client_file import variables
from vsm_mcp.model.counted import counted
from vsm_mcp.model.kit import OWN, Kit

_WELL: Final = ("served", "present")
_HELD: Final = ("quarantined", "rejected")
_OURS: Final = "-"


@click.command("lock")
@click.option("--verify", is_flag=False, flag_value=_OURS, metavar="[FILE]", help="Compare what is there with a lock.")
@click.option("--install", is_flag=False, flag_value=_OURS, metavar="[FILE]", help="Have served what a lock holds.")
@click.option(
    "--sbom",
    is_flag=False,
    flag_value="cyclonedx",
    type=click.Choice(["cyclonedx"]),
    help="Print what is served as a software bill of materials (CycloneDX 1.6, JSON).",
)
@click.option("--yes", is_flag=True, help="Agree to what the policy asks about, and to findings that want a look.")
@common
def command(session: Session, verify: str | None, install: str | None, sbom: str | None, yes: bool) -> None:
    """Write vsm-mcp.lock: exact versions, hashes, pins and settings of everything served, no secrets.

    It is also written by itself after each change. FILE is by default the lock of this home. Secrets that a lock names
    are taken from the environment, or asked for. Exit code of --verify: 0 nothing differs, 1 something does; of
    --install: 0 all are served, 3 some were refused, 1 some failed.
    """
    if sum(option is not None for option in (verify, install, sbom)) > 1:
        raise BadArgument("--verify, --install and --sbom are three different things", "give one of them")
    if verify is not None:
        document = session.run("lock_verify", document=_read(session, verify).decode("utf-8", "surrogateescape"))
        session.show(document, _differences)
        sys.exit(0 if document["ok"] else 1)
    if install is not None:
        sys.exit(_install(session, lockfile.loads(_read(session, install)), yes=yes))
    if sbom is not None:
        from vsm_mcp.install.sbom import cyclonedx  # noqa: PLC0415 - only where it is asked for

        lock = msgspec.convert(session.run("lock")["lock"], Lock)
        click.echo(output.json_text(cyclonedx(lock), indent=2))
        return
    session.show(session.run("lock"), _written)


def _read(session: Session, name: str) -> bytes:
    path = session.config.home / lockfile.NAME if name == _OURS else Path(name)
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadArgument(f"{path} cannot be read: {error.strerror}", "name a lock that is there") from error


def _written(document: dict[str, Any]) -> None:
    servers = document["lock"]["servers"]
    if not servers and not document["written"]:
        output.one_line("nothing is served: the lock names nothing")
        return
    word = "written" if document["written"] else "up to date"
    output.one_line(f"{document['path']}: {word} ({counted(len(servers), 'servers')})", style="green")
    for name, locked in servers.items():
        output.one_line(f"  {name}: {locked['ref']} {locked['version']}")


def _differences(document: dict[str, Any]) -> None:
    for row in document["differences"]:
        output.one_line(f"{row['server']}: {row['item']}: locked {row['locked']}, found {row['found']}", style="red")
    for name in document["files_unavailable"]:
        output.one_line(f"{name}: its files were locked on another platform, and are not compared", style="yellow")
    if document["ok"]:
        output.one_line(f"as locked: {output.some(document['servers']) or 'nothing'}", style="green")


def _install(session: Session, lock: Lock, *, yes: bool) -> int:
    rows = [_one(session, name, locked, yes=yes) for name, locked in _ordered(lock.servers)]
    session.show({"servers": rows}, _outcomes)
    outcomes = {row["outcome"] for row in rows}
    if outcomes.issubset(_WELL):
        return 0
    return 3 if outcomes.intersection(_HELD) else 1


def _ordered(servers: Mapping[str, LockedServer]) -> list[tuple[str, LockedServer]]:
    """Return the servers so that each comes after those it waits for, as far as they do not wait for each other."""
    left, done = dict(sorted(servers.items())), []
    while left:
        ready = [name for name, locked in left.items() if not set(_after(locked)) & (left.keys() - {name})]
        done += [(name, left.pop(name)) for name in ready or list(left)]
    return done


def _after(locked: LockedServer) -> list[str]:
    own = locked.entry.get(OWN)
    after = (own.get("settings") or {}).get("after", []) if isinstance(own, dict) else []
    return [str(name) for name in after] if isinstance(after, list) else []


def _one(session: Session, name: str, locked: LockedServer, *, yes: bool) -> dict[str, Any]:
    """Install one server; whatever goes wrong is its row, and stops no other."""
    row = {"name": name, "ref": locked.ref, "evidence": "", "missing": []}
    try:
        settings, missing = _settings(session, name, locked)
        if missing:
            return {**row, "outcome": "failed", "missing": missing, "reason": f"it needs {', '.join(missing)}"}
        params = {"name": name, "locked": msgspec.to_builtins(locked), "settings": settings, "yes": yes}
        done = session.run("lock_install", **params)
    except OperationFailed as failure:
        return {**row, "outcome": "failed", "reason": str(failure.document.get("message", ""))}
    except VsmError as error:
        return {**row, "outcome": "failed", "reason": error.message}
    reason = done["reason"] or {}
    missing = [each["name"] for each in reason.get("inputs", ())]
    return {**row, **done, "reason": reason.get("message", ""), "missing": missing}


def _settings(session: Session, name: str, locked: LockedServer) -> tuple[dict[str, Any], list[str]]:
    """Return the settings that an entry stands for, and the variables that nobody gave a value."""
    entry = lockfile.expanded(locked.entry, session.config.environ.get("HOME", ""))
    own = entry.get(OWN)
    if not isinstance(own, dict) or lockfile.MASK in str(own.get("ref")) + locked.ref:
        raise BadArgument("its reference held a secret, so the lock does not have it", f"vsm-mcp add … --name {name}")
    if lockfile.MASK in (own.get("settings") or {}).get("args", []):
        raise BadArgument("an argument held a secret, so the lock does not have it", f"vsm-mcp add … --name {name}")
    found = asked_of_kit(session, Kit("lock", {"servers": {name: {**entry, "enabled": True}}}))
    if not found.wanted:
        missing = [each for each in _variables(entry) if not session.config.environ.get(each)]
        if missing:
            return {}, missing
        raise BadArgument(found.unusable[0].reason if found.unusable else "its entry cannot be read", "mend the lock")
    settings: dict[str, Any] = msgspec.to_builtins(found.wanted[0].settings)
    return {**settings, "allow_scripts": locked.scripts, "network": locked.network}, []


def _variables(entry: dict[str, Any]) -> list[str]:
    return sorted(variables({"it": entry}))


def _outcomes(document: dict[str, Any]) -> None:
    for row in document["servers"]:
        reason = f" ({row['reason']})" if row["reason"] else ""
        style = "green" if row["outcome"] in _WELL else "red"
        output.one_line(f"{row['name']}: {row['outcome']}: {row['ref']}{reason}", style=style)
