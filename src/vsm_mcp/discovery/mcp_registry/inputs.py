"""What a server is told at its start, from the arguments and variables that a registry lists. Pure.

Source: ``server.json``, "Input": a ``value`` is fixed, a ``default`` may be changed, and ``{name}`` in either stands
for one of its ``variables``. Nothing here ever becomes part of a line for a shell.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from vsm_mcp.discovery.loose import first, rows, table, text
from vsm_mcp.model.launch import Input, InputKind, LaunchFacts

_MOST: Final = 40
_VARIABLE: Final = re.compile(r"\{([A-Za-z0-9_.-]{1,64})\}")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*\Z")


def launch_of(package: Mapping[str, Any]) -> LaunchFacts | None:
    """Return what is known of a package's start, or ``None`` where it says nothing.

    Arguments for the program that starts it (``runtimeArguments``: of npx, of docker) are not for us: it is started
    without it.
    """
    args: list[str] = []
    env: dict[str, str] = {}
    inputs: list[Input] = []
    for given in map(table, rows(first(package, "packageArguments", "package_arguments"))[:_MOST]):
        _argument(given, args, inputs)
    for given in map(table, rows(first(package, "environmentVariables", "environment_variables"))[:_MOST]):
        _variable(given, env, inputs)
    return LaunchFacts(args=tuple(args), env=env, inputs=tuple(inputs)) if args or env or inputs else None


def fill(template: str, variables: Mapping[str, Any]) -> str:
    """Return a text with its ``{variables}`` replaced where they have a value or a default; others stay."""

    def value(match: re.Match[str]) -> str:
        given = table(variables.get(match[1]))
        return text(given.get("value")) or text(given.get("default")) or match[0]

    return _VARIABLE.sub(value, template)


def _argument(given: Mapping[str, Any], args: list[str], inputs: list[Input]) -> None:
    flag = text(given.get("name")) if given.get("type") == "named" else ""
    fixed = fill(text(given.get("value")), table(given.get("variables")))
    if fixed and not _VARIABLE.search(fixed):
        args.extend([flag, fixed] if flag else [fixed])
    elif flag and not _asks(given):
        args.append(flag)
    else:
        name = flag or text(first(given, "valueHint", "value_hint")) or "value"
        inputs.append(_input(InputKind.ARG, name, given, positional=not flag))


def _variable(given: Mapping[str, Any], env: dict[str, str], inputs: list[Input]) -> None:
    name = text(given.get("name"))
    fixed = fill(text(given.get("value")), table(given.get("variables")))
    if not _NAME.match(name):
        return
    secret = first(given, "isSecret", "is_secret") is True or any(
        first(table(each), "isSecret", "is_secret") is True for each in table(given.get("variables")).values()
    )
    if fixed and not secret and not _VARIABLE.search(fixed):
        env[name] = fixed
    else:
        inputs.append(_input(InputKind.SECRET if secret else InputKind.ENV, name, given))


def _asks(given: Mapping[str, Any]) -> bool:
    """Whether a flag takes a value that somebody has to give: one with nothing but its name is a switch."""
    asking = ("value", "valueHint", "value_hint", "default", "format", "isRequired", "is_required", "choices")
    return any(given.get(name) for name in asking)


def _input(kind: InputKind, name: str, given: Mapping[str, Any], *, positional: bool = False) -> Input:
    return Input(
        kind=kind,
        name=name,
        purpose=text(given.get("description")),
        required=first(given, "isRequired", "is_required") is True,
        default="" if kind is InputKind.SECRET else text(given.get("default")),
        positional=positional,
    )
