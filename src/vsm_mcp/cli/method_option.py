"""``--method``: how a server is to be installed; and paths in references, as they are seen from where the person is."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from vsm_mcp.discovery.catalogue import known
from vsm_mcp.install.choice import referred

F = TypeVar("F", bound=Callable[..., Any])

METHODS: Final = ("npm", "pypi", "git", "dir", "mcpb", "oci", "remote", "command")
_PATHS: Final = ("dir", "mcpb")


def method_option(function: F) -> F:
    """Add ``--method`` to a command."""
    text = "How to install it, where there is more than one way (default: chosen by what there is and what is here)."
    return click.option("--method", type=click.Choice(METHODS), default=None, help=text)(function)


def kind_of(method: str | None) -> str:
    """Return the kind of reference that a method stands for; empty for none."""
    return "cmd" if method == "command" else method or ""


def meant_from_here(ref: str, method: str | None) -> str:
    """Return the reference that a person means, which is where the person is.

    Raises :class:`BadReference`, and :class:`BadArgument` for a method that it does not offer.
    """
    written = from_here(ref, method)
    return str(referred(written, kind_of(method), known)) if method else written


def from_here(ref: str, method: str | None) -> str:
    """Return a reference with the path in it made absolute: a daemon works somewhere else."""
    kind, colon, path = ref.partition(":")
    if kind in _PATHS and colon:
        return f"{kind}:{_absolute(path)}"
    return _absolute(ref) if method in _PATHS and not colon else ref


def _absolute(path: str) -> str:
    if not path or "://" in path:
        return path
    return os.path.normpath(Path(path).expanduser().absolute())
