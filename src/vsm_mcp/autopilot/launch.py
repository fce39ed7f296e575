"""What a server will be started with: known facts and what a person gave, merged; and what is still missing. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Final

import msgspec

from vsm_mcp.errors import MissingInput, MissingValue
from vsm_mcp.install.roots import own_words
from vsm_mcp.model.launch import Input, InputKind, LaunchFacts, Settings
from vsm_mcp.model.ref import Ref, RefKind
from vsm_mcp.sandbox.confinement import HOME

# A path inside a value: the whole value, after "=", or after "://" as in sqlite:///x and file:///x.
_SEVERAL: Final = re.compile(r":(?=/)")  # of a value that begins with a path, as PATH does
_HOME: Final = re.compile(r"(?<![\w.])~(?=/|\Z)")  # in a default: the server's own home
_PATH: Final = re.compile(r"(?:\A|=|://)(/[^\s?*\"'<>|]+)")


class LaunchPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The arguments and variables of a start (no secrets), and the paths that they name."""

    args: tuple[str, ...]
    env: dict[str, str]
    named_paths: tuple[str, ...]


def plan_launch(facts: LaunchFacts | None, settings: Settings, ref: Ref | None = None) -> LaunchPlan:
    """Merge what is known about a server with what a person gave.

    Always-given arguments of the facts are dropped where the person gave the same flag. The words of a command
    (``ref``) that are not its own files name paths as arguments do. Raises
    :class:`MissingValue` naming every required value that nobody gave, with what it is for.
    """
    facts = facts or LaunchFacts()
    defaults = [item for item in facts.inputs if item.required and item.default and not _given(item, settings)]
    require(facts.inputs, settings)
    args = [*_without_repeats(facts.args, settings.args)]
    env = dict(facts.env)
    for item in defaults:
        value = _HOME.sub(HOME, item.default)
        if item.kind is InputKind.ARG:
            args += [value] if item.positional else [item.name, value]
        else:
            env[item.name] = value
    args += settings.args
    env |= settings.env
    return LaunchPlan(args=tuple(args), env=env, named_paths=tuple(_paths_in([*_arguments(ref), *args, *env.values()])))


def require(inputs: Iterable[Input], settings: Settings) -> None:
    """Raise :class:`MissingValue` naming every required value that nobody gave."""
    missing = missing_inputs(inputs, settings)
    if missing:
        raise missing_values(missing)


def missing_inputs(inputs: Iterable[Input], settings: Settings) -> list[Input]:
    """Return the required values that nobody gave."""
    return [item for item in inputs if item.required and not item.default and not _given(item, settings)]


def options_for(inputs: Iterable[Input]) -> str:
    """Return the options that give values."""
    return " ".join(map(_option, inputs))


def _arguments(ref: Ref | None) -> tuple[str, ...]:
    if ref is None or ref.kind is not RefKind.CMD:
        return ()
    words = shlex.split(ref.name)
    own = own_words(words)
    return tuple(word for word in words if word not in own)


def missing_values(inputs: Sequence[Input]) -> MissingValue:
    """Return the error that names values nobody gave, with the options that give them."""
    wanted = inputs_of(inputs)
    named = "; ".join(f"{item.name} ({item.purpose})" if item.purpose else item.name for item in wanted)
    return MissingValue(f"the server needs: {named}", f"give it with {options_for(inputs)}", wanted)


def inputs_of(inputs: Iterable[Input]) -> tuple[MissingInput, ...]:
    """Return the values as an error names them."""
    return tuple(MissingInput(item.kind.value, item.name, item.purpose) for item in inputs)


def _option(item: Input) -> str:
    if item.kind is InputKind.SECRET:
        return f"--secret {item.name}"
    if item.kind is InputKind.ENV:
        return f"--env {item.name}=VALUE"
    return f"--arg={item.name} --arg VALUE" if item.name.startswith("-") else f"--arg {item.name.upper()}"


def _given(item: Input, settings: Settings) -> bool:
    if item.kind is not InputKind.ARG:
        return item.name in settings.env or item.name in settings.secrets
    if item.positional:
        return any(not arg.startswith("-") for arg in settings.args)
    return any(arg == item.name or arg.startswith(f"{item.name}=") for arg in settings.args)


def _without_repeats(known: Sequence[str], given: Sequence[str]) -> list[str]:
    """Return the known arguments less the groups (a flag and its values) that a person gave too."""
    flags = {arg.split("=", 1)[0] for arg in given}
    kept: list[str] = []
    dropping = False
    for arg in known:
        if arg.startswith("-"):
            dropping = arg.split("=", 1)[0] in flags
        elif not kept or not kept[-1].startswith("-"):
            dropping = dropping or arg in given
        if not dropping:
            kept.append(arg)
    return kept


def _pieces(text: str) -> list[str]:
    return _SEVERAL.split(text) if text.startswith("/") else [text]


def _paths_in(values: Iterable[str]) -> list[str]:
    found: list[str] = []
    for value in (piece for text in values for piece in _pieces(text)):
        for match in _PATH.finditer(value):
            path = match.group(1).rstrip("/") or "/"
            private = path == HOME or path.startswith(f"{HOME}/")
            if path not in found and not private and ".." not in PurePosixPath(path).parts:
                found.append(path)
    return found
