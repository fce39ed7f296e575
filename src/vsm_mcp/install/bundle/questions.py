"""What a bundle asks a person for, and where the answers go. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from vsm_mcp.errors import BadArgument, InstallFailed
from vsm_mcp.install.bundle.manifest import Command, Manifest, Question
from vsm_mcp.model.launch import Input, InputKind, names_secret
from vsm_mcp.runtime.placeholders import hole

_ASKED: Final = re.compile(r"\$\{user_config\.([^}]{1,100})\}")


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """The ``inputs`` of a bundle, its command with places for them, and ``defaults`` by the inputs' names."""

    inputs: tuple[Input, ...]
    args: tuple[str, ...]
    env: dict[str, str]
    defaults: dict[str, str]


def asking(manifest: Manifest, command: Command) -> Asking:
    """Return what is asked for: each question that the command has a use for.

    An answer that is all of a variable bears its name, others that of the question. Raises :class:`InstallFailed` for
    a secret among the arguments, which every user of this machine could read.
    """
    names = {key: _name(key, command.env) for key in manifest.user_config}
    used = [key for key in names if any(key in _asked(text) for text in (*(command.args or ()), *command.env.values()))]
    for key in used:
        if _is_secret(manifest.user_config[key], names[key]) and any(key in _asked(arg) for arg in command.args or ()):
            raise InstallFailed(
                f"the bundle {manifest.name} passes the secret {key} as an argument, which others here can read",
                "ask its publisher to pass it in a variable",
            )
    inputs = tuple(_input(names[key], manifest.user_config[key]) for key in used)
    whole = {names[key] for key in used if command.env.get(names[key]) == f"${{user_config.{key}}}"}
    return Asking(
        inputs=inputs,
        args=tuple(_with_holes(arg, manifest, names) for arg in command.args or ()),
        env={name: _with_holes(text, manifest, names) for name, text in command.env.items() if name not in whole},
        defaults={item.name: item.default for item in inputs if item.default},
    )


def check_given(manifest: Manifest, inputs: Iterable[Input], given: Mapping[str, str], command: Command) -> None:
    """Refuse answers of the wrong type. Raises :class:`BadArgument`."""
    names = {_name(key, command.env): question for key, question in manifest.user_config.items()}
    for item in inputs:
        question, value = names[item.name], given.get(item.name, "")
        if not value or item.kind is InputKind.SECRET:
            continue
        if question.type == "boolean" and value not in {"true", "false"}:
            raise BadArgument(f"{item.name} is {value[:40]!r}", "give true or false")
        if question.type == "number" and not _in_range(value, question):
            low, high = ("any" if each is None else f"{each:g}" for each in (question.min, question.max))
            raise BadArgument(f"{item.name} is {value[:40]!r}", f"give a number (least: {low}, most: {high})")


def _in_range(value: str, question: Question) -> bool:
    try:
        number = float(value)
    except ValueError:
        return False
    least, most = question.min, question.max
    return (least is None or number >= least) and (most is None or number <= most)


def _asked(text: str) -> list[str]:
    return _ASKED.findall(text)


def _name(key: str, env: Mapping[str, str]) -> str:
    """Return what an answer is called when it is given: ``--env NAME=VALUE`` or ``--secret NAME``."""
    whole = [name for name, text in env.items() if text == f"${{user_config.{key}}}"]
    plain = re.sub(r"[^A-Za-z0-9_]", "_", key)
    return whole[0] if whole else f"_{plain}" if plain[:1].isdigit() else plain


def _is_secret(question: Question, name: str) -> bool:
    return question.sensitive or names_secret(name)


def _input(name: str, question: Question) -> Input:
    secret = _is_secret(question, name)
    default = "" if secret or question.is_path else _text(question.default)
    purpose = " ".join((question.description or question.title).split())
    if question.is_path:
        several = ", several with colons between" if question.multiple else ""
        purpose = f"{purpose} (the path of a {question.type}{several})".strip()
    return Input(
        kind=InputKind.SECRET if secret else InputKind.ENV,
        name=name,
        purpose=purpose[:300],
        required=question.required and not default,
        default=default,
    )


def _text(value: str | float | bool | list[str] | None) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ":".join(value)
    if isinstance(value, float):
        return f"{value:.15g}"
    return value or ""


def _with_holes(text: str, manifest: Manifest, names: Mapping[str, str]) -> str:
    def place(found: re.Match[str]) -> str:
        key = found[1]
        if key not in names:
            return ""
        return hole(names[key], several=manifest.user_config[key].multiple)

    return _ASKED.sub(place, text)
