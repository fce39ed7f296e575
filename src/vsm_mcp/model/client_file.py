"""The ``mcpServers`` form, in which clients name their servers: what it asks for, in words of ours. Pure.

Other shapes are brought into this form by :mod:`~vsm_mcp.model.client_shapes`. Unknown keys are left alone; comments
are taken.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from vsm_mcp.errors import BadReference, ConfigError
from vsm_mcp.model import loose_json
from vsm_mcp.model.client_shapes import entries_of, off
from vsm_mcp.model.containers import container_run
from vsm_mcp.model.launch import Settings, names_secret
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.model.runners import package_of

_NAME_LENGTH: Final = 32
_TEXT_LENGTH: Final = 32_768
_EXPANDED: Final = re.compile(r"\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_OTHER: Final = re.compile(r"\$\{[^}]*\}")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """One entry: ``name`` is one that a server of ours can have, ``title`` what the file calls it."""

    name: str
    title: str
    ref: str
    settings: Settings = Settings()


class Unusable(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that asks for something that cannot be had, and why; ``name`` is whose server it would be."""

    title: str
    reason: str
    name: str = ""


class Unfit(Exception):
    """Why an entry cannot be used."""


def read(text: str, environ: Mapping[str, str], file: str) -> tuple[tuple[Wanted, ...], tuple[Unusable, ...]]:
    """Return what a file asks for, and what of it cannot be used. Disabled entries are left out.

    ``${NAME}`` and ``${NAME:-DEFAULT}`` are expanded from ``environ``. Raises :class:`ConfigError`, with the line, for
    what is no such file.
    """
    try:
        whole = loose_json.loads(text)
    except ValueError as error:
        raise ConfigError(f"{file}: {error}", "mend the file; until then everything stays as it is") from error
    return asked_by(whole, environ, file)


def asked_by(document: Any, environ: Mapping[str, str], file: str) -> tuple[tuple[Wanted, ...], tuple[Unusable, ...]]:
    """Return the same of a file that was read already. Raises :class:`ConfigError` where it holds no servers."""
    if not isinstance(document, Mapping):
        raise ConfigError(f"{file}: it holds no object", 'write {"mcpServers": {…}}')
    entries = entries_of(document)
    if not isinstance(entries, Mapping):
        raise ConfigError(f"{file}: mcpServers is no object", 'write {"mcpServers": {"NAME": {"command": …}}}')
    return each_asked(entries, lambda title, entry: wanted_of(title, entry, environ))


def each_asked(
    entries: Mapping[str, Any], asked: Callable[[str, Any], Wanted]
) -> tuple[tuple[Wanted, ...], tuple[Unusable, ...]]:
    """Return what entries ask for, read by ``asked``, and those that cannot be used; without those that are off."""
    wanted: dict[str, Wanted] = {}
    unusable = []
    for title, entry in entries.items():
        if off(entry):
            continue
        try:
            found = asked(title, entry)
            if found.name in wanted:
                raise Unfit(f"{wanted[found.name].title!r} would have the same name here: {found.name}")
            wanted[found.name] = found
        except (Unfit, BadReference) as error:
            reason = f"{error.message}; {error.hint}" if isinstance(error, BadReference) else str(error)
            unusable.append(Unusable(title=title, reason=reason, name=nearest_name(title)))
    return tuple(wanted.values()), tuple(unusable)


def variables(value: Any) -> frozenset[str]:
    """Return the names of the variables that must be there for a file to be used: those without a default."""
    if isinstance(value, str):
        found = _EXPANDED.finditer(value) if len(value) <= _TEXT_LENGTH else ()
        return frozenset(match[1] for match in found if match[2] is None)
    items = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return frozenset().union(*map(variables, items))


def wanted_of(title: str, entry: Any, environ: Mapping[str, str]) -> Wanted:
    """Return what one entry in the ``mcpServers`` form asks for. Raises :class:`Unfit` and :class:`BadReference`."""
    if not isinstance(entry, dict):
        raise Unfit("it is no object")
    if entry.get("url"):
        ref = _text(entry["url"], "url", environ)
        headers = pairs(entry.get("headers", {}), "headers", environ)
        return Wanted(name=name_of(title), title=title, ref=_checked(ref), settings=Settings(secrets=headers))
    argv = _argv(entry, environ)
    if argv[0].rpartition("/")[2] == "vsm-mcp":
        raise Unfit("it is this gateway itself")
    env = pairs(entry.get("env", {}), "env", environ)
    ref, args, more = _program(argv, env)
    settings = Settings(
        args=args,
        env={name: value for name, value in more.items() if not names_secret(name)},
        secrets={name: value for name, value in more.items() if names_secret(name)},
        cwd=_text(entry.get("cwd", ""), "cwd", environ),
    )
    return Wanted(name=name_of(title), title=title, ref=_checked(ref), settings=settings)


def _argv(entry: Mapping[str, Any], environ: Mapping[str, str]) -> list[str]:
    command, args = entry.get("command"), entry.get("args")
    args = [] if args is None else args
    if not isinstance(args, list):
        raise Unfit("its args are no list")
    if isinstance(command, list) and command:
        command, args = command[0], [*command[1:], *args]
    if not isinstance(command, str) or not command.strip():
        raise Unfit("it has neither a command nor a url")
    return [_text(word, "args", environ) for word in (command, *args)]


def _program(argv: list[str], env: dict[str, str]) -> tuple[str, tuple[str, ...], dict[str, str]]:
    """Return the reference, what is passed on to the program, and its variables."""
    package = package_of(argv)
    if package is not None:
        if not package.name:
            raise Unfit(f"{argv[0]} does not say which package it fetches")
        return package.ref, package.args, env
    run = container_run(argv)
    if run is not None:
        if run.mounts:
            raise Unfit("it mounts folders of this machine: add it by hand, with --allow-path")
        if not run.image:
            raise Unfit("it names no image")
        given = {name: env.get(name, "") if text is None else text for name, text in run.env.items()}
        return f"oci:{run.image}", run.args, env | given
    return f"cmd:{shlex.join(argv)}", (), env


def pairs(value: Any, what: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return an object of texts with what they refer to put in. Raises :class:`Unfit`."""
    if not isinstance(value, dict):
        raise Unfit(f"its {what} is no object")
    return {str(name): _text(text, what, environ) for name, text in value.items()}


def _text(value: Any, what: str, environ: Mapping[str, str]) -> str:
    """Return a text with what it refers to put in."""
    if isinstance(value, bool) or (value is not None and isinstance(value, (int, float))):
        value = json.dumps(value)
    if not isinstance(value, str):
        raise Unfit(f"its {what} holds something that is no text")
    if len(value) > _TEXT_LENGTH:
        raise Unfit(f"its {what} holds a text of more than {_TEXT_LENGTH} characters")
    expanded = _EXPANDED.sub(lambda match: _variable(match[1], match[2], environ), value)
    other = _OTHER.search(_EXPANDED.sub("", value))
    if other:
        raise Unfit(f"its {what} holds {other[0]}, which only the client knows")
    return expanded


def _variable(name: str, default: str | None, environ: Mapping[str, str]) -> str:
    value = environ.get(name) or default
    if value is None:
        raise Unfit(f"there is no variable {name} in the environment of the daemon")
    return value


def name_of(title: str) -> str:
    """Return the nearest name that a server of ours can have. Raises :class:`Unfit`."""
    words = nearest_name(title)
    if not words:
        raise Unfit("its name has no letter and no digit")
    return words


def nearest_name(title: str) -> str:
    """Return the same; empty where there is none."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:_NAME_LENGTH].rstrip("-")


def _checked(ref: str) -> str:
    return str(parse_ref(ref))
