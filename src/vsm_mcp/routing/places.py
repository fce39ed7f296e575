"""The place of a capability in the model, by a list of rules of which the first that fits decides."""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from vsm_mcp.errors import ConfigError
from vsm_mcp.matching.tokens import words
from vsm_mcp.model.capability import Effects, System


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule: it fits where everything that it names does; see ``data/places.toml``."""

    system: System
    why: str
    tags: tuple[str, ...] = ()
    words: frozenset[str] = frozenset()
    read_only: bool | None = None
    open_world: bool | None = None

    def fits(self, tag: str, named: Collection[str], effects: Effects) -> bool:
        """Return whether the rule is for an item of ``tag``, with ``named`` words in its name."""
        if self.tags and not any(fnmatchcase(tag, pattern) for pattern in self.tags):
            return False
        if self.words and not self.words.intersection(named):
            return False
        return all(
            wanted in (None, effect.value)
            for wanted, effect in ((self.read_only, effects.read_only), (self.open_world, effects.open_world))
        )


class Places(msgspec.Struct, frozen=True):
    """All rules, the last of which fits always, and what each place is for."""

    rules: tuple[Rule, ...]
    meaning: dict[System, str]

    def of(self, tag: str, name: str, effects: Effects) -> tuple[System, str]:
        """Return the place of a capability, and why it is that."""
        named = frozenset(words(name))
        rule = next(rule for rule in self.rules if rule.fits(tag, named, effects))
        return rule.system, rule.why


def parse(text: str) -> Places:
    """Read ``places.toml``. Raises :class:`ConfigError` when it is wrong, or leaves something without a place."""
    try:
        table: dict[str, Any] = tomllib.loads(text)
        rules = msgspec.convert(table["rule"], type=tuple[Rule, ...])
        meaning = msgspec.convert(table["system"], type=dict[System, str])
    except (tomllib.TOMLDecodeError, KeyError, msgspec.ValidationError) as error:
        raise ConfigError(f"the places in the model cannot be read: {error!r}", "reinstall vsm-mcp") from error
    last = rules[-1] if rules else None
    if last is None or last.tags or last.words or (last.read_only, last.open_world) != (None, None):
        raise ConfigError("the last rule of the places in the model does not fit everything", "reinstall vsm-mcp")
    if set(meaning) != set(System):
        raise ConfigError("a place in the model has no definition", "reinstall vsm-mcp")
    return Places(rules, meaning)
