"""The places in a program's command and variables that wait for what a person gave: ``${user_config.NAME}``. Pure.

They are written by the installation of a bundle and filled when the server is started, so that no value is kept with
them. ``${user_config.NAME[]}`` stands for several values, which are given with colons between, as in ``PATH``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

_HOLE: Final = re.compile(r"\$\{user_config\.([A-Za-z_][A-Za-z0-9_]*)(\[\])?\}")


def hole(name: str, *, several: bool = False) -> str:
    """Return the place for the value ``name``."""
    return f"${{user_config.{name}{'[]' if several else ''}}}"


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return a text with its places filled; with nothing where nothing was given."""
    return _HOLE.sub(lambda found: values.get(found[1], ""), text)


def filled_argv(argv: Iterable[str], values: Mapping[str, str]) -> tuple[str, ...]:
    """Return a command with its places filled; a place for several values becomes as many arguments, or none."""
    words: list[str] = []
    for word in argv:
        whole = _HOLE.fullmatch(word)
        if whole is not None and whole[2]:
            words += [each for each in values.get(whole[1], "").split(":") if each]
        else:
            words.append(filled(word, values))
    return tuple(words)


def filled_entry(
    argv: Iterable[str], own: Mapping[str, str], env: Mapping[str, str]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return a command and all its variables ``env`` with the places in the installation's ``own`` of them filled."""
    after = {name: filled(text, env) if own.get(name) == text else text for name, text in env.items()}
    return filled_argv(argv, env), after
