"""``docker run …``: which image it means, and what it gives it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

_PROGRAMS: Final = ("docker", "podman")
_VALUED: Final = (
    *("-e", "--env", "--env-file", "-v", "--volume", "--mount", "--name", "-p", "--publish", "--network", "--net"),
    *("-w", "--workdir", "-u", "--user", "--entrypoint", "--platform", "-l", "--label", "-m", "--memory", "--cpus"),
    *("--add-host", "--pull", "--log-driver"),
)
"""Options of ``docker run`` that take a value."""


class ContainerRun(msgspec.Struct, frozen=True):
    """What is run: ``image`` is empty where none is named; a variable is ``None`` that is taken from the surroundings.

    ``mounts`` says that it is given folders of this machine.
    """

    image: str
    args: tuple[str, ...]
    env: dict[str, str | None]
    mounts: bool


def container_run(argv: Sequence[str]) -> ContainerRun | None:
    """Return what a command line runs in a container; ``None`` if it is no such command."""
    if argv[0].rpartition("/")[2] not in _PROGRAMS or list(argv[1:2]) != ["run"]:
        return None
    words, env, mounts = list(argv[2:]), dict[str, str | None](), False
    while words and words[0].startswith("-"):
        option, joined, value = words.pop(0).partition("=")
        if option in _VALUED and not joined and words:
            value = words.pop(0)
        if option in ("-e", "--env"):
            name, equals, text = value.partition("=")
            env[name] = text if equals else None
        mounts = mounts or option in ("-v", "--volume", "--mount")
    return ContainerRun(words[0] if words else "", tuple(words[1:]), env, mounts)
