"""One package of a resolved tree, as its lock file holds it."""

from __future__ import annotations

import msgspec


class Locked(msgspec.Struct, frozen=True, kw_only=True):
    """A package at an exact version.

    ``ecosystem`` is ``npm`` or ``PyPI`` (OSV's names). ``path`` tells copies of one package apart. ``source`` is where
    the lock says that its file is (``https://HOST``, or another scheme without what follows); empty where the lock does
    not say. ``hashed`` says whether the lock has its hash, ``bundled`` that it is part of another one's archive,
    ``scripted`` that it has an install script, and ``native`` that it is made for some platforms only.
    """

    ecosystem: str
    name: str
    version: str
    path: str = ""
    source: str = ""
    hashed: bool = True
    bundled: bool = False
    scripted: bool = False
    native: bool = False
    direct: bool = False
