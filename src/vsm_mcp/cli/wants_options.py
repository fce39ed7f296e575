"""The options that say what is wanted of candidates besides the need: of ``search`` and ``acquire``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from vsm_mcp.model.wants import Priority

F = TypeVar("F", bound=Callable[..., Any])

_NAMES = ("priority", "no_key", "no_network", "offline", "licences", "runtime")


def wants_options(function: F) -> F:
    """Add them to a command."""
    options = (
        click.option(
            "--priority",
            type=click.Choice([each.value for each in Priority]),
            default=None,
            help="What counts more (default: [appraisal] priority).",
        ),
        click.option("--no-key", is_flag=True, help="Only servers that need no key and no account."),
        click.option("--no-network", is_flag=True, help="Only servers that work without the network once installed."),
        click.option(
            "--offline", is_flag=True, help="Only servers that are here already and work without the network."
        ),
        click.option(
            "--licence",
            "licences",
            multiple=True,
            metavar="SPDX",
            help="Only servers under one of these licences, such as MIT or 'BSD-*'.",
        ),
        click.option("--runtime", is_flag=True, help="Only servers that a runtime of this machine can run."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def wants_from(given: dict[str, Any]) -> dict[str, Any]:
    """Take the options out of ``given`` and return the ``wants`` of an operation."""
    return {name: given.pop(name) for name in _NAMES}
