"""Keys of access: making them, listing them, revoking them. Every change takes effect at once."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from vsm_mcp.autopilot.perform import Performer
from vsm_mcp.errors import BadArgument, UnknownKey
from vsm_mcp.gateway.keyring import Keyring
from vsm_mcp.model.action import Action, ActionKind
from vsm_mcp.model.key import ENTROPY, Key, digest_of, id_of, mint
from vsm_mcp.model.principal import Grant
from vsm_mcp.store.keys import Keys

MAX_KEYS: Final = 1000
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MAX_PATTERNS: Final = 100
_MAX_PATTERN: Final = 200


class KeyCabinet:
    """The keys of a home, kept in ``store`` and known to ``ring``; ``expel`` cuts off a principal by its name."""

    def __init__(self, store: Keys, performer: Performer, expel: Callable[[str], None], actor: str) -> None:
        self._store = store
        self._performer = performer
        self._expel = expel
        self._actor = actor
        self.ring = Keyring()

    async def load(self) -> None:
        """Read what is kept."""
        self.ring.replace(await self._store.all())

    async def create(self, name: str, grant: Grant) -> dict[str, Any]:
        """Make a key and return its document, the only place that ever holds its text.

        Raises :class:`BadArgument` for what no key can be made of, a name that is taken included.
        """
        _check(name, grant)
        if any(key.name == name for key in self.ring.keys.values()):
            raise BadArgument(f"there is a key named {name!r} already", "give another name, or revoke it first")
        if len(self.ring.keys) >= MAX_KEYS:
            raise BadArgument(f"there are {MAX_KEYS} keys already", "revoke some: vsm-mcp key revoke NAME")
        text = mint(secrets.token_bytes(ENTROPY))
        key = Key(id=id_of(text), name=name, digest=digest_of(text), grant=grant, created=time.time())
        action = Action(kind=ActionKind.CREATE_KEY, subject=name, actor=self._actor)
        await self._performer.perform(action, lambda: self._store.add(key), _detail(key))
        await self.load()
        return {**_document(key), "key": text}

    async def list(self) -> dict[str, Any]:
        """Return the keys without their text, which nobody keeps."""
        return {"keys": [_document(key) for key in await self._store.all()]}

    async def revoke(self, name: str) -> dict[str, Any]:
        """Forget a key and cut off whoever uses it. Raises :class:`UnknownKey`."""
        key = next((key for key in await self._store.all() if key.name == name), None)
        if key is None:
            raise UnknownKey(f"there is no key named {name!r}")
        action = Action(kind=ActionKind.REVOKE_KEY, subject=name, actor=self._actor)
        await self._performer.perform(action, lambda: self._store.remove(name), _detail(key))
        await self.load()
        self._expel(key.principal.name)
        return {"name": name, "revoked": True}


def _document(key: Key) -> dict[str, Any]:
    granted: dict[str, Any] = msgspec.to_builtins(key.grant)
    expired = bool(key.grant.expires) and key.grant.expires <= time.time()
    return {"name": key.name, "id": key.id, "created": key.created, **granted, "expired": expired}


def _detail(key: Key) -> str:
    return msgspec.json.encode({"id": key.id, **msgspec.to_builtins(key.grant)}).decode()


def _check(name: str, grant: Grant) -> None:
    if not _NAME.fullmatch(name):
        raise BadArgument(f"{name[:100]!r} cannot name a key", "use up to 64 of the characters A-Z a-z 0-9 . _ -")
    for patterns in (grant.profiles, grant.allow_tools, grant.deny_tools):
        if len(patterns) > _MAX_PATTERNS or any(len(pattern) > _MAX_PATTERN for pattern in patterns):
            raise BadArgument("these are too many patterns, or too long ones", f"give at most {_MAX_PATTERNS}")
    for member in ("rate", "burst", "concurrency", "max_body_bytes", "expires"):
        if not 0 <= getattr(grant, member) < float("inf"):
            raise BadArgument(f"{member} cannot be {getattr(grant, member)}", "leave it out for no limit")
    if grant.expires and grant.expires <= time.time():
        raise BadArgument("the key would have expired already", "give a longer --expires")
