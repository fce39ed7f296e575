"""Takes in the servers that a file asks for: shows them, asks, and admits each like ``add`` does."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import click
import msgspec

from vsm_mcp.cli import output
from vsm_mcp.cli.asking import admit
from vsm_mcp.cli.session import OperationFailed, Session
from vsm_mcp.discovery.files.reading import Unreadable, read_document
from vsm_mcp.errors import BadArgument, NothingFound
from vsm_mcp.install.choice import installable
from vsm_mcp.model.client_file import Unusable, Wanted, asked_by, nearest_name, variables
from vsm_mcp.model.client_shapes import entries_of, off
from vsm_mcp.model.kit import OWN, Kit, asked_by_kit, kit_of
from vsm_mcp.model.launch import Settings
from vsm_mcp.model.ref import RefKind, parse_ref
from vsm_mcp.model.secretive import masked


class Asked(NamedTuple):
    """What a file asks for, and what of it cannot be used; ``plain`` is the same with variables as they are written."""

    wanted: tuple[Wanted, ...]
    unusable: tuple[Unusable, ...]
    plain: Mapping[str, Wanted]


_WELL: Final = ("served", "present")
_HELD: Final = ("quarantined", "rejected")
_PLAIN: Final = msgspec.to_builtins(Settings())


def read_file(path: Path) -> Any:
    """Return what a file holds. Raises :class:`BadArgument` when it cannot be used."""
    try:
        document = read_document(path)
    except Unreadable as error:
        raise BadArgument(error.message, "mend the file") from error
    if document is None:
        raise BadArgument(f"{path} is not there", "name a file that is")
    return document


def asked(session: Session, document: Any, path: Path, titles: Sequence[str]) -> Asked:
    """Return what a file of any of the known forms asks for. Raises :class:`ConfigError` for another.

    A person is asked for the variables of the servers that are named by ``titles``, or of all.
    """
    servers = document.get("servers") if isinstance(document, Mapping) else None
    if isinstance(servers, Mapping) and any(isinstance(entry, Mapping) and OWN in entry for entry in servers.values()):
        return asked_of_kit(session, kit_of(document, "file"), titles)
    environ = _environ(session, entries_of(document), titles)
    return _asked(lambda known: asked_by(document, known, path.name), environ)


def asked_of_kit(session: Session, kit: Kit, titles: Sequence[str] = ()) -> Asked:
    """Return what a kit asks for; a person is asked as above."""
    return _asked(lambda known: asked_by_kit(kit, known), _environ(session, kit.servers, titles))


class _AsWritten(dict[str, str]):
    """An environment in which every variable stands for itself."""

    def get(self, name: str, _default: object = None) -> str:
        return f"${{{name}}}"


def _asked(
    read: Callable[[Mapping[str, str]], tuple[tuple[Wanted, ...], tuple[Unusable, ...]]], environ: Mapping[str, str]
) -> Asked:
    wanted, unusable = read(environ)
    return Asked(wanted, unusable, {each.name: each for each in read(_AsWritten())[0]})


def _environ(session: Session, entries: Any, titles: Sequence[str]) -> dict[str, str]:
    """Return our environment, and what a person gives, on a terminal, for the variables that are not in it."""
    environ = dict(session.config.environ)
    if session.interactive and isinstance(entries, Mapping):
        meant = {name: each for name, each in entries.items() if not titles or {name, nearest_name(name)} & {*titles}}
        needed = variables({name: each for name, each in meant.items() if not off(each)})
        for name in sorted(needed - environ.keys()):
            environ[name] = click.prompt(f"value of {output.clean(name)}", hide_input=True, err=True, default="")
    return environ


def chosen(found: Asked, titles: Sequence[str]) -> Asked:
    """Return those of what was asked for that are named; all where none is. Raises :class:`BadArgument`."""
    wanted, unusable, plain = found
    if titles:
        known = {name for each in wanted for name in (each.title, each.name)}
        known |= {name for each in unusable for name in (each.title, each.name)}
        if not known.issuperset(titles):
            missing = next(title for title in titles if title not in known)
            raise BadArgument(
                f"there is no server {missing!r} in it", f"there are {', '.join(sorted(filter(None, known)))}"
            )
        wanted = tuple(each for each in wanted if {each.title, each.name}.intersection(titles))
        unusable = tuple(each for each in unusable if {each.title, each.name}.intersection(titles))
    if not wanted and not unusable:
        raise NothingFound("it asks for no server", "servers that are switched off in it are left out")
    return Asked(wanted, unusable, plain)


def shown(found: Asked) -> dict[str, Any]:
    """Return the document of what would be added: no value of a variable, and nothing that looks like a secret."""
    addable = installable()
    return {
        "servers": [_plan(found.plain.get(each.name, each), addable) for each in found.wanted],
        "unusable": [{"title": each.title, "reason": each.reason} for each in found.unusable],
    }


def _plan(wanted: Wanted, addable: frozenset[str]) -> dict[str, Any]:
    settings = wanted.settings
    given = msgspec.to_builtins(settings)
    plain = {key: value for key, value in given.items() if key not in ("secrets", "env") and value != _PLAIN[key]}
    if settings.args:
        plain["args"] = masked(settings.args)
    variables = {"env": sorted(settings.env), "secrets": sorted(settings.secrets)}
    ref = parse_ref(wanted.ref)
    said = f"cmd:{shlex.join(masked(shlex.split(ref.name)))}" if ref.kind is RefKind.CMD else wanted.ref
    row = {"title": wanted.title, "name": wanted.name, "ref": said, "addable": ref.kind.value in addable}
    return {**row, **variables, "settings": plain}


def show_plan(document: dict[str, Any]) -> None:
    """Print what would be added."""
    for row in document["servers"]:
        output.line(f"{row['name']}: {row['ref']}{'' if row['addable'] else ' (cannot be added yet)'}", style="bold")
        for label in ("env", "secrets"):
            if row[label]:
                output.line(f"  {label}: {output.some(row[label])}")
        for key, value in row["settings"].items():
            output.line(f"  {key}: {_one_line(key, value)}")
    for row in document["unusable"]:
        output.line(f"{row['title']}: cannot be used: {row['reason']}", style="yellow")


def _one_line(key: str, value: Any) -> str:
    if key == "paths":
        return ", ".join(f"{path}{':rw' if writable else ''}" for path, writable in value)
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def take_in(session: Session, found: Asked, *, yes: bool, kit: str = "") -> int:
    """Admit what was asked for, one after the other; print what became of each; return the exit code."""
    there = {row["name"]: row["ref"] for row in session.run("list")["servers"]}
    if session.interactive and not yes:
        show_plan(shown(found))
        if not found.wanted or not click.confirm(f"add {_count(found.wanted)}?", default=True, err=True):
            return 1
    rows = [_one(session, each, there, yes=yes, kit=kit) for each in found.wanted]
    document = {**shown(found), "servers": rows, **({"kit": kit} if kit else {})}
    session.show(document, _outcomes)
    return _code(rows, found.unusable)


def _count(wanted: Sequence[Wanted]) -> str:
    return "this server" if len(wanted) == 1 else f"these {len(wanted)} servers"


def _one(session: Session, wanted: Wanted, there: Mapping[str, str], *, yes: bool, kit: str) -> dict[str, Any]:
    row = {"title": wanted.title, "name": wanted.name, "ref": wanted.ref}
    if wanted.name in there:
        same = parse_ref(there[wanted.name]).identity == parse_ref(wanted.ref).identity
        why = "" if same else f"another server has this name: {there[wanted.name]}"
        return {**row, "outcome": "present" if same else "failed", "reason": why, "evidence": ""}
    settings = msgspec.to_builtins(wanted.settings)
    params = {"ref": wanted.ref, "name": wanted.name, "yes": yes, "settings": settings, "kit": kit}
    try:
        done = admit(session, "add", params)
    except OperationFailed as failure:
        return {**row, "outcome": "failed", "reason": str(failure.document.get("message", "")), "evidence": ""}
    reason = (done.get("reason") or {}).get("message", "")
    return {**row, "ref": done["ref"], "outcome": done["outcome"], "reason": reason, "evidence": done["evidence"]}


def _outcomes(document: dict[str, Any]) -> None:
    for row in document["servers"]:
        style = "green" if row["outcome"] in _WELL else "red"
        reason = f" ({row['reason']})" if row["reason"] else ""
        output.line(f"{row['name']}: {row['outcome']}: {row['ref']}{reason}", style=style)
    for row in document["unusable"]:
        output.line(f"{row['title']}: cannot be used: {row['reason']}", style="yellow")


def _code(rows: Sequence[Mapping[str, Any]], unusable: Sequence[Unusable]) -> int:
    outcomes = {row["outcome"] for row in rows}
    if outcomes.intersection(_HELD):
        return 3
    return 0 if outcomes.issubset(_WELL) and not unusable else 1
