"""Which autonomy counts for what an action is about. Pure."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Final

from vsm_mcp.model.action import Action
from vsm_mcp.model.policy_settings import AUTONOMY, Autonomy, Policy
from vsm_mcp.policy.patterns import matches

_SOURCE: Final = "source:"
_TAG: Final = "tag:"


def autonomy_of(action: Action, policy: Policy) -> tuple[Autonomy, str]:
    """Return the autonomy for an action, and the pattern of ``autonomy_for`` that gave it (empty: the default).

    Of several patterns that match, the most restrictive counts; where none does, ``autonomy``. Facts that are read:
    ``ref``; ``sources`` and ``tags``, words with blanks between.
    """
    found = [pattern for pattern in policy.autonomy_for if names(pattern, action)]
    if not found:
        return _known(policy.autonomy), ""
    strictest = min(found, key=lambda pattern: AUTONOMY.index(policy.autonomy_for[pattern]))
    return policy.autonomy_for[strictest], strictest


def least_of(policy: Policy) -> Autonomy:
    """Return the least restrictive autonomy that anything can have."""
    return max((_known(policy.autonomy), *policy.autonomy_for.values()), key=AUTONOMY.index)


def names(pattern: str, action: Action) -> bool:
    """Say whether a pattern is about an action.

    A pattern over tags also matches a part of one: ``docs`` and ``pdf`` are about ``docs.pdf``.
    """
    plain = pattern.strip().lower()
    if plain.startswith(_SOURCE):
        return _any(plain.removeprefix(_SOURCE), _words(action, "sources"))
    if plain.startswith(_TAG):
        tags = _words(action, "tags")
        return _any(plain.removeprefix(_TAG), [*tags, *(part for tag in tags for part in tag.split("."))])
    return bool(matches(str(action.facts.get("ref", "")), (pattern,)))


def _words(action: Action, fact: str) -> list[str]:
    return str(action.facts.get(fact, "")).lower().split()


def _any(pattern: str, words: list[str]) -> bool:
    return any(fnmatchcase(word, pattern) for word in words)


def _known(word: str) -> Autonomy:
    """Return a setting as one of the known words; what is none of them is the most restrictive."""
    return next((known for known in AUTONOMY if known == word), "manual")
