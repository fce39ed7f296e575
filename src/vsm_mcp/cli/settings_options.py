"""The options that say how a server is launched and what it may reach: of ``add``, ``acquire`` and ``sandbox``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from vsm_mcp.cli import process_options
from vsm_mcp.errors import BadArgument
from vsm_mcp.sandbox.egress.rules import EVERYTHING, parse

F = TypeVar("F", bound=Callable[..., Any])

_HOST_HELP = "A host the server may reach, at 80 and 443 if no port is given; '*' opens the whole network."


PROGRAM: Final = click.option(
    "--program", default="", metavar="NAME", help="The program that is the server, of a package that has several."
)


def reach_options(function: F) -> F:
    """Add the options that say what a program may see and reach."""
    options = (
        click.option("--env", "env", multiple=True, metavar="K=V", help="A variable for the server."),
        click.option(
            "--secret",
            "secrets",
            multiple=True,
            metavar="K",
            help="A secret variable: taken from this environment, or asked for.",
        ),
        click.option("--allow-host", "hosts", multiple=True, metavar="H[:PORT]", help=_HOST_HELP),
        click.option(
            "--allow-path", "paths", multiple=True, metavar="P[:rw]", help="A path the server may read, or write."
        ),
        click.option(
            "--permissions",
            default="",
            metavar="NAME",
            help="A permission profile, which the options add to: none, read-only, project, browser, or your own.",
        ),
        click.option(
            "--project", default="", metavar="DIR", help="The project directory of the profile (default: this one)."
        ),
        click.option("--allow-unsandboxed", is_flag=True, help="Start it even where no sandbox can be had."),
        click.option("--cwd", default="", help="The working directory; the server may write there."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def settings_options(function: F) -> F:
    """Add the launch options of the design to a command."""
    options = (
        click.option("--name", default="", help="The name in the catalogue (default: derived)."),
        click.option(
            "--arg", "args", multiple=True, metavar="A", help="An argument for the server; --arg=--flag for flags."
        ),
        PROGRAM,
        reach_options,
        click.option("--allow-scripts", is_flag=True, help="Let install scripts and builds run, inside the sandbox."),
        *process_options.OPTIONS,
        click.option(
            "--yes", is_flag=True, help="Agree to what the policy asks about, and to findings that want a look."
        ),
    )
    for option in reversed(options):
        function = option(function)
    return function


def settings_from(given: dict[str, Any], *, interactive: bool) -> dict[str, Any]:
    """Return the ``settings`` of an operation from the options. Raises :class:`BadArgument` naming the option."""
    return {
        **reach_from(given, interactive=interactive),
        "args": list(given["args"]),
        "allow_scripts": given["allow_scripts"],
        "program": given["program"],
        **process_options.process_settings(given),
    }


def reach_from(given: dict[str, Any], *, interactive: bool) -> dict[str, Any]:
    """Return the part of the settings that :func:`reach_options` give. Raises :class:`BadArgument`."""
    if given["project"] and not given["permissions"]:
        raise BadArgument("--project goes with --permissions", "--allow-path DIR grants a directory by itself")
    return {
        "env": dict(_pair(item) for item in given["env"]),
        "secrets": {name: _secret(name, interactive=interactive) for name in given["secrets"]},
        "paths": [_path(item) for item in given["paths"]],
        "hosts": [_host(item) for item in given["hosts"]],
        "allow_unsandboxed": given["allow_unsandboxed"],
        "cwd": str(_existing(given["cwd"], "--cwd")) if given["cwd"] else "",
        "permissions": given["permissions"],
        "project": str(_existing(given["project"] or ".", "--project")) if given["permissions"] else "",
    }


def _pair(item: str) -> tuple[str, str]:
    name, equals, value = item.partition("=")
    if not equals or not name.replace("_", "a").isalnum() or name[0].isdigit():
        raise BadArgument(f"--env {name!r} is not NAME=VALUE", "write --env NAME=VALUE; for a secret: --secret NAME")
    return name, value


def _secret(name: str, *, interactive: bool) -> str:
    if "=" in name:
        raise BadArgument(
            "--secret takes a name, not a value",
            "export the variable, then give --secret NAME: a value in the command line is visible to others",
        )
    if name in os.environ:
        return os.environ[name]
    if interactive:
        value: str = click.prompt(f"value of {name}", hide_input=True, err=True)
        return value
    raise BadArgument(f"--secret {name}: there is no variable {name} in the environment", f"export {name}=… first")


def _path(item: str) -> tuple[str, bool]:
    writable = item.endswith(":rw")
    return str(_existing(item.removesuffix(":rw").removesuffix(":ro"), "--allow-path")), writable


def _existing(path: str, option: str) -> Path:
    absolute = Path(path).expanduser().absolute()
    if not absolute.exists():
        raise BadArgument(f"{option} {path}: there is no such path", "make it first, or mend the path")
    return absolute.resolve()


def _host(item: str) -> str:
    if item != EVERYTHING:
        parse(item)
    return item


def terminal() -> bool:
    """Say whether a person can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()
