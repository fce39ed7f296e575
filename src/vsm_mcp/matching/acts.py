"""What is done to a thing: it is made, shown, altered or taken away. "Delete an event" is not "list events".

The verb of a need stands near its beginning, that of a tool in its name, or first in its description. Where either is
not known nothing is concluded.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Final

from vsm_mcp.matching.tokens import words

OTHERWISE: Final = 0.8
"""What is left of the score of a thing that does something else, and not that as well."""

MAKE, SHOW, ALTER, DROP = "make", "show", "alter", "drop"
Acts = frozenset[str]

_VERBS: Final = {
    (MAKE,): "make create generate write draw build produce compose post send upload publish register schedule book "
    "plot paint new",
    (MAKE, ALTER): "add insert put save store set render convert turn translate",
    (SHOW,): "read get list show find search fetch view scan decode parse extract download receive look lookup check "
    "retrieve query describe tell see count",
    (ALTER,): "update edit change modify rename move replace resize patch adjust",
    (DROP,): "delete remove erase clear drop cancel unsubscribe uninstall",
}
_ASKS: Final = "what which who when where how"
_EARLY: Final = 3  # words of a need among which its verb stands
_FIRST: Final = 2  # words of a description that may be its verb ("Quickly reads")
_NONE: Final[Acts] = frozenset()


def _forms(verb: str) -> Iterator[str]:
    yield from (verb, f"{verb}s", f"{verb.removesuffix('e')}ing", f"{verb.removesuffix('e')}er")


_ACTS: Final = {
    form: frozenset(acts) for acts, verbs in _VERBS.items() for verb in verbs.split() for form in _forms(verb)
} | dict.fromkeys(_ASKS.split(), frozenset({SHOW}))


def wanted(need: str) -> Acts:
    """Return what a need wants done, any of it; empty where its beginning does not say."""
    return _first(words(need)[:_EARLY])


def done(name: str, description: str) -> Acts:
    """Return what a tool does: what its name says, else its description; empty where neither does."""
    return _first([*words(name), *words(description)[:_FIRST]])


def only_done(text: str) -> Acts:
    """Return the one act that a text says is done; empty where it says several, because then there may be more."""
    said = _NONE.union(*(_ACTS[word] for word in words(text) if word in _ACTS))
    return said if len(said) == 1 else _NONE


def kept(acts: AbstractSet[str], known: AbstractSet[str]) -> float:
    """Return what a thing that is ``known`` to do some acts keeps of its score for a need that wants one of others."""
    return OTHERWISE if acts and known and not acts & known else 1.0


def _first(said: list[str]) -> Acts:
    return next((_ACTS[word] for word in said if word in _ACTS), _NONE)
