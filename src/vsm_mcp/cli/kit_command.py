"""``vsm-mcp kit …``: servers that belong together, in files that MAGG reads too."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from vsm_mcp.cli import output, taking_in
from vsm_mcp.cli.export_command import put, warn
from vsm_mcp.cli.session import OperationFailed, Session, common
from vsm_mcp.discovery.files.kits import FOLDER, Shelf, find_kits, kit_folders
from vsm_mcp.errors import BadArgument, HomeError, UnknownKit
from vsm_mcp.model.client_file import variables
from vsm_mcp.model.counted import counted
from vsm_mcp.model.kit import Kit, asked_by_kit, joined, kit_of, usable_stem
from vsm_mcp.model.ref import parse_ref

_YES = click.option("--yes", is_flag=True, help="Agree to what the policy asks about; do not ask for each server.")


@click.group("kit")
def command() -> None:
    """Servers that belong together, in one file: list, take in, write.

    Kits are looked for in kit.d of the home, then where MAGG looks: beside its configuration, in MAGG_PATH (./.magg and
    ~/.magg), and among those that it ships. A kit is known by the name of its file.
    """


@command.command("list")
@click.option("--magg", is_flag=True, help="Ask MAGG, too, which kits it knows and has loaded; that takes seconds.")
@common
def list_kits(session: Session, magg: bool) -> None:
    """Show the kits, and which of them are loaded."""
    shelf, there = _shelf(session), _there(session)
    rows = {stem: _row(kit, path, there) for stem, (kit, path) in shelf.kits.items()}
    if magg:
        _add_those_of_magg(session, rows)
    session.show({"kits": rows, "unusable": shelf.troubles}, _listed)


@command.command("show")
@click.argument("kit", metavar="KIT")
@common
def show(session: Session, kit: str) -> None:
    """Show a kit (its name, or a file), and what loading it would add."""
    found, path = _find(session, kit)
    head = {key: found.text(key) for key in ("name", "description", "author", "version")}
    document = {
        **_row(found, path, _there(session)),
        **head,
        "kit": found.stem,
        "keywords": list(found.keywords),
        "adds": taking_in.shown(taking_in.asked_of_kit(session, found)),
    }
    session.show(document, _shown)


@command.command("load")
@click.argument("kit", metavar="KIT")
@click.argument("titles", nargs=-1, metavar="[SERVER]...")
@_YES
@common
def load(session: Session, kit: str, titles: tuple[str, ...], yes: bool) -> None:
    """Add the servers of a kit (its name, or a file), or those of them that are named.

    Each goes the whole way of vsm-mcp add. One that is served already stays as it is.
    """
    found, path = _find(session, kit)
    output.note(f"{found.stem}: {path}")
    asked = taking_in.chosen(taking_in.asked_of_kit(session, found, titles), titles)
    sys.exit(taking_in.take_in(session, asked, yes=yes, kit=found.stem))


@command.command("unload")
@click.argument("kit", metavar="KIT")
@click.option("--yes", is_flag=True, help="Do not ask.")
@common
def unload(session: Session, kit: str, yes: bool) -> None:
    """Remove the servers that came with a kit.

    Those stay that were there before it, that were added by hand, or that another loaded kit has, too.
    """
    rows = session.run("list")["servers"]
    mine = [row["name"] for row in rows if row["kit"] == kit]
    if not mine and kit not in _shelf(session).kits:
        raise UnknownKit(f"there is no kit {kit!r}", "vsm-mcp kit list shows them")
    others = _others(session, kit, rows)
    go = [name for name in mine if name not in others]
    if (
        go
        and session.interactive
        and not yes
        and not click.confirm(f"remove {', '.join(go)}?", default=False, err=True)
    ):
        sys.exit(1)
    results = [_removed(session, name) for name in go]
    stay = [{"name": name, "kit": others[name]} for name in mine if name in others]
    session.show({"kit": kit, "removed": results, "kept": stay}, _unloaded)
    sys.exit(0 if all(result["ok"] for result in results) else 1)


@command.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", default="", help="What it is known by (default: the name of the file).")
@click.option("--force", is_flag=True, help="Take the place of a kit of this name.")
@common
def import_kit(session: Session, file: Path, name: str, force: bool) -> None:
    """Put a kit into kit.d of the home; nothing of it is added yet. What is unknown in it is kept."""
    stem = name or file.stem
    document = taking_in.read_file(file)
    try:
        kit = kit_of(document, stem)
    except ValueError as error:
        raise BadArgument(
            f"{file}: {error}", 'a kit is {"name": …, "servers": {NAME: {"source": …, "command": …}}}'
        ) from error
    target = session.config.home / FOLDER / f"{stem}.json"
    if target.exists() and not force:
        raise BadArgument(f"there is a kit {stem!r} already: {target}", "give another --name, or --force")
    _write(target, kit.document)
    wanted, unusable = asked_by_kit(kit, session.config.environ)
    result = {"kit": stem, "path": str(target), "servers": len(wanted), "unusable": [each.title for each in unusable]}
    session.show(
        result,
        lambda done: output.line(f"{done['kit']}: {counted(done['servers'], 'servers')}; vsm-mcp kit load {stem}"),
    )


@command.command("export")
@click.argument("kit", metavar="KIT")
@click.argument("names", nargs=-1, metavar="[SERVER]...")
@click.option("-o", "--output", "file", type=click.Path(path_type=Path), help="Write it to this file.")
@click.option("--description", default="", help="What it is for.")
@click.option("--author", default="", help="Who made it.")
@click.option("--version", default="", help="Its version.")
@common
def export(session: Session, kit: str, names: tuple[str, ...], file: Path | None, **head: str) -> None:
    """Write served servers as a kit: those named, or those that came with KIT, or else all.

    Packages are named with their version. No secret is written: ${NAME} stands in its place. What a kit of this name
    holds already (authors, keywords, links, other servers, keys that we do not know) is kept.
    """
    if not usable_stem(kit):
        raise BadArgument(f"{kit!r} cannot be the name of a kit", "use letters, digits, '.', '_' and '-'")
    known = _shelf(session).kits.get(kit)
    came = [row["name"] for row in session.run("list")["servers"] if row["kit"] == kit]
    entries = session.run("export", names=names or came)["servers"]
    warn(entries)
    given = {
        "name": (known[0].text("name") if known else "") or kit,
        **{key: value for key, value in head.items() if value},
    }
    if known is None:
        given.setdefault("description", "")
    put(session, joined(known[0] if known else None, given, entries), file)


def _shelf(session: Session) -> Shelf:
    config = session.config
    return find_kits(kit_folders(config.home, config.environ, config.discovery.files.kits))


def _find(session: Session, text: str) -> tuple[Kit, Path]:
    """Return a kit by name, or by file. Raises :class:`UnknownKit` and :class:`BadArgument`."""
    shelf = _shelf(session)
    if text in shelf.kits:
        return shelf.kits[text]
    path = Path(text).expanduser()
    if not text.endswith(".json") or not path.exists():
        trouble = "; ".join(shelf.troubles[:2])
        raise UnknownKit(f"there is no kit {text!r}{f' ({trouble})' if trouble else ''}", "vsm-mcp kit list shows them")
    try:
        return kit_of(taking_in.read_file(path), path.stem), path
    except ValueError as error:
        raise BadArgument(f"{path}: {error}", "mend the file") from error


def _there(session: Session) -> dict[str, str]:
    """Return the identity of every server of the catalogue by name."""
    return {row["name"]: parse_ref(row["ref"]).identity for row in session.run("list")["servers"]}


def _row(kit: Kit, path: Path, there: Mapping[str, str]) -> dict[str, Any]:
    return {
        "path": str(path),
        "loaded": _loaded(kit, there),
        "description": kit.text("description"),
        "servers": list(kit.servers),
    }


def _loaded(kit: Kit, there: Mapping[str, str]) -> bool:
    """Return whether all servers are served that a kit asks for; variables do not matter for which they are."""
    wanted = list(_identities(kit))
    return bool(wanted) and all(there.get(name) == identity for name, identity in wanted)


def _identities(kit: Kit) -> Iterator[tuple[str, str]]:
    blank = dict.fromkeys(variables(kit.document), "x")
    for wanted in asked_by_kit(kit, blank)[0]:
        yield wanted.name, parse_ref(wanted.ref).identity


def _others(session: Session, kit: str, rows: list[dict[str, Any]]) -> dict[str, str]:
    """Return the servers that other loaded kits have, each with one of these kits."""
    there = {row["name"]: parse_ref(row["ref"]).identity for row in rows}
    kits = {stem: found for stem, (found, _) in _shelf(session).kits.items() if stem != kit}
    return {name: stem for stem, found in kits.items() if _loaded(found, there) for name, _ in _identities(found)}


def _removed(session: Session, name: str) -> dict[str, Any]:
    try:
        session.run("remove", name=name)
    except OperationFailed as failure:
        return {"name": name, "ok": False, "detail": str(failure.document.get("message", ""))}
    return {"name": name, "ok": True, "detail": ""}


def _add_those_of_magg(session: Session, rows: dict[str, dict[str, Any]]) -> None:
    from vsm_mcp.discovery.files.magg import listed  # noqa: PLC0415 - starts programs, and needs the sandbox's parts

    for stem, found in asyncio.run(listed(session.config.environ)).items():
        row = {"path": found.path, "loaded": False, "description": found.description or "", "servers": found.servers}
        rows.setdefault(stem, row)["loaded_in_magg"] = found.loaded


def _write(path: Path, document: Any) -> None:
    """Write a file whole or not at all. Raises :class:`HomeError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fd, partial = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=2, ensure_ascii=False)
        Path(partial).replace(path)
    except (OSError, UnicodeEncodeError) as error:
        raise HomeError(f"{path} cannot be written: {getattr(error, 'strerror', error)}", "check its owner") from error


def _listed(document: dict[str, Any]) -> None:
    rows = document["kits"].items()
    output.table(
        ("KIT", "LOADED", "SERVERS", "DESCRIPTION", "FILE"),
        [
            (stem, _state(row), output.some(row["servers"]), row["description"], row["path"] or "-")
            for stem, row in rows
        ],
        wide=3,
    )
    for trouble in document["unusable"]:
        output.note(trouble, style="yellow")
    if not rows:
        output.note("there are no kits: vsm-mcp kit import FILE")


def _state(row: Mapping[str, Any]) -> str:
    return ("yes" if row["loaded"] else "no") + (", in MAGG" if row.get("loaded_in_magg") else "")


def _shown(document: dict[str, Any]) -> None:
    output.line(f"{document['kit']}: {document['description'] or document['name']}", style="bold")
    for key in ("author", "version", "path"):
        if document[key]:
            output.line(f"  {key}: {document[key]}")
    output.line(f"  loaded: {_state(document)}")
    taking_in.show_plan(document["adds"])


def _unloaded(document: dict[str, Any]) -> None:
    for row in document["removed"]:
        output.line(f"{row['name']}: {'removed' if row['ok'] else row['detail']}", style="" if row["ok"] else "red")
    for row in document["kept"]:
        output.line(f"{row['name']}: kept: the kit {row['kit']} has it, too")
    if not document["removed"] and not document["kept"]:
        output.note("no server came with it")
