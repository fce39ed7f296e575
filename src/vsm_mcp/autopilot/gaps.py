"""Demand against what is served: which needs are met, which are not, and the ratio of the two. Pure.

Variety, in W. R. Ashby's sense (*An Introduction to Cybernetics*, 1956, ch. 11): only variety absorbs variety. What is
demanded here are the distinct needs of a window; one is met when a tool of a healthy server matches it at least as well
as :data:`~vsm_mcp.matching.relevance.MET`, or when a healthy server was taken into service for that very need.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from vsm_mcp.matching.relevance import MET
from vsm_mcp.matching.tokens import need_stems, weight_of
from vsm_mcp.model.need import Best, Past, Seen

ALIKE: Final = 0.75
"""Two needs are one when the stems that they share weigh so much of all their stems (Jaccard); stems of actions and
fillers (``read``, ``file``) weigh 0.3, for "read a pdf" and "read pdf files" are one need, and "make a pdf" is not."""

_WORDINGS: Final = 5


class Demanded(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One need, however it was worded: how often it was seen, since when, by source; ``key`` is its normal form."""

    key: str
    need: str
    count: int
    first: float
    last: float
    sources: dict[str, int]
    wordings: tuple[str, ...] = ()


class Fit(NamedTuple):
    """The best match for a need among the tools of healthy servers; an empty ``tool`` is none at all."""

    tool: str = ""
    score: float = 0.0


class Gap(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A need with what meets it (``by``: a tool, or the server that came for it; empty: nothing), and its past.

    ``kept_under`` is the key of its past where that is of a need in other words.
    """

    demanded: Demanded
    kept_under: str = ""
    by: str = ""
    score: float = 0.0
    past: Past = Past()

    @property
    def key(self) -> str:
        """Under which key its past is remembered."""
        return self.kept_under or self.demanded.key

    @property
    def met(self) -> bool:
        """Whether something that is served meets it."""
        return bool(self.by)


class Variety(msgspec.Struct, frozen=True, kw_only=True):
    """All needs of a window, the unmet ones first, of those the most wanted; ``ratio`` is met / demanded."""

    needs: tuple[Gap, ...]
    demanded: int
    met: int
    ratio: float


def stems_of(need: str) -> frozenset[str]:
    """Return the stems by which needs are compared."""
    return frozenset(need_stems(need)) or frozenset(need.lower().split())


def key_of(stems: Iterable[str]) -> str:
    """Return the normal form of a need: its stems in order."""
    return " ".join(sorted(stems))


def alike(one: frozenset[str], other: frozenset[str]) -> float:
    """Return how much two needs are one, 0…1; see :data:`ALIKE`."""
    both = _weight(one | other)
    return _weight(one & other) / both if both else 0.0


def _weight(stems: Iterable[str]) -> float:
    return sum(map(weight_of, stems))


class Keys:
    """Normal forms, to be found by whatever is alike; the nearest wins, and of equally near ones the first."""

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._stems: list[tuple[str, frozenset[str]]] = []
        self._holding: dict[str, list[int]] = defaultdict(list)
        for key in keys:
            self.add(key)

    def add(self, key: str) -> None:
        """Take in one more."""
        stems = frozenset(key.split())
        for stem in stems:
            self._holding[stem].append(len(self._stems))
        self._stems.append((key, stems))

    def find(self, stems: frozenset[str]) -> str:
        """Return the key that these stems belong to; empty for none."""
        telling = sorted(stems, key=lambda stem: len(self._holding.get(stem, ())))
        places: set[int] = set()
        missing = _weight(stems)
        for stem in telling:  # who shares none of the rarer stems cannot share enough of the rest
            if missing < ALIKE * _weight(stems):
                break
            places.update(self._holding.get(stem, ()))
            missing -= _weight((stem,))
        best, found = ALIKE, ""
        for place in sorted(places):
            key, theirs = self._stems[place]
            near = alike(stems, theirs)
            if near > best or (near == best and not found):
                best, found = near, key
        return found


def clustered(seen: Iterable[Seen]) -> tuple[Demanded, ...]:
    """Return needs, each once, from what was seen (what was seen first goes first, and names the need)."""
    keys = Keys()
    groups: dict[str, list[Seen]] = {}
    known: dict[str, str] = {}
    for one in seen:
        key = known.get(one.need)
        if key is None:
            stems = stems_of(one.need)
            key = known[one.need] = keys.find(stems) or key_of(stems)
        if key not in groups:
            groups[key] = []
            keys.add(key)
        groups[key].append(one)
    return tuple(_demanded(key, group) for key, group in groups.items())


def _demanded(key: str, group: list[Seen]) -> Demanded:
    sources: dict[str, int] = {}
    for one in group:
        sources[one.source] = sources.get(one.source, 0) + one.count
    wordings = dict.fromkeys(one.need for one in sorted(group, key=lambda one: -one.count))
    return Demanded(
        key=key,
        need=group[0].need,
        count=sum(one.count for one in group),
        first=min(one.first for one in group),
        last=max(one.last for one in group),
        sources=sources,
        wordings=tuple(wordings)[:_WORDINGS],
    )


def variety(
    needs: Iterable[Demanded], fits: Mapping[str, Fit], past: Mapping[str, Past], healthy: frozenset[str]
) -> Variety:
    """Return how far what is served meets what is needed. ``fits`` and ``past`` go by the needs' keys."""
    pasts = Keys(past)
    rows = []
    for each in needs:
        key = each.key if each.key in past else pasts.find(frozenset(each.key.split()))
        before = past.get(key, Past())
        fit = fits.get(each.key, Fit())
        by = fit.tool if fit.score >= MET else before.server if before.server in healthy else ""
        rows.append(Gap(demanded=each, kept_under=key, by=by, score=fit.score, past=before))
    rows.sort(key=lambda gap: (gap.met, -gap.demanded.count, gap.demanded.first, gap.demanded.key))
    met = sum(gap.met for gap in rows)
    return Variety(needs=tuple(rows), demanded=len(rows), met=met, ratio=met / len(rows) if rows else 1.0)


def closing(gap: Gap, waiting: str = "") -> str:
    """Return what would close a gap: what waits for a person, or the command that a person would give."""
    best: Best | None = gap.past.best
    if waiting:
        return f"vsm-mcp approve {waiting}"
    if gap.past.denied_by:
        return f'vsm-mcp gaps --allow "{_quoted(gap.demanded.need)}"'
    if best is not None and not best.ref:
        return f"nothing was found for it: {best.reason}"
    if best is not None:
        return f"vsm-mcp add {best.ref}"
    return f'vsm-mcp acquire "{_quoted(gap.demanded.need)}"'


def _quoted(text: str) -> str:
    """Return a need between double quotes of a shell: what would do something there is left out."""
    return "".join(" " if char in '"$`\\!\n' else char for char in text)
