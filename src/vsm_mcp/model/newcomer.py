"""The name under which a version runs and is counted beside its server, ``NAME@VERSION``. Pure."""

from __future__ import annotations


def newcomer_of(server: str, version: str) -> str:
    """Return the name under which a version runs beside its server."""
    return f"{server}@{version}"


def server_of(name: str) -> str:
    """Return the server that a name stands for: its own, or that of its newcomer."""
    return name.partition("@")[0]


def version_of(name: str) -> str:
    """Return the version that a newcomer's name says; empty for a server's own name."""
    return name.partition("@")[2]
