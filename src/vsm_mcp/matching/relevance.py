"""How well a thing fits a need, in 0…1: the same yardstick for candidates of every source.

Each stem of the need weighs by its rarity; a thing covers it by holding it, a near spelling of it, or a capability
tag that stands for it. So a need half of whose meaning nobody offers stays visibly half covered, and a threshold
can tell "nothing found": a sum of term scores has no such zero. How near the meanings are stands beside it, and that
a thing is of the kind which the need calls for raises what says it less plainly.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from vsm_mcp.matching import acts
from vsm_mcp.matching.conversion import Turn, kept, turns
from vsm_mcp.matching.need import Need, Reader
from vsm_mcp.matching.tokens import LIGHT, glued, name_stems, stem_of, stems
from vsm_mcp.matching.wording import described

if TYPE_CHECKING:
    from vsm_mcp.matching.meaning import Floats, Meaning

THRESHOLD: Final = 0.3
"""Below it a thing does not meet the need. Calibrated on needs of our own: ``tests/unit/discovery/needs.toml``."""

MET: Final = 0.25
"""A tool whose match is below it does not plainly do what is needed.

Lower than the threshold for candidates: a tool says less about itself than a package does. Chosen on everyday needs and
the tools of 57 servers (``docs/benchmarks.md``, "How sure").
"""

_IN_NAME: Final = 1.0
_IN_TERMS: Final = 0.95
_IN_TEXT: Final = 0.75
_IN_TOOL: Final = 0.8
_BY_TAG: Final = 0.9
_BY_INFERRED_TAG: Final = 0.75
_TELLING: Final = 0.25
_UNLIKELY: Final = 0.2
_GIVEN: Final = 0.9
_SURE: Final = 0.6
_PLAIN: Final = 0.85
_OTHER_KIND: Final = 0.8
_ACTION: Final = 0.8
_BEGINNING: Final = 300
_SHORT, _BEGINS = 3, 4
_MOST_KEPT: Final = 32
_MOST_THINGS: Final = 2_000
_BY_WORDS: Final = 0.4
_RAISED: Final = 0.5


class Thing(NamedTuple):
    """What a need is compared with; ``text`` is the longest and least reliable part.

    ``key`` is under what its vector may be known already, where the words at hand are not all that was said of it.
    ``tools`` are the names of what it offers to do, ``does`` what they say of themselves, where that is known;
    ``aside`` is what says nothing of its kind (how to call it).
    """

    name: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    terms: str = ""
    text: str = ""
    key: str = ""
    tools: tuple[str, ...] = ()
    aside: str = ""
    does: tuple[str, ...] = ()


class Told(NamedTuple):
    """What a thing says of itself, read: its stems by how much each counts, those of its own words.

    ``given`` are the tags of the taxonomy that a source gave it, in whatever words, ``inferred`` those that its own
    words hold, where none is given. ``pairs`` are neighbours written as one word, not yet cut, with what they count, by
    how they begin; ``tools`` are the names of its tools in small letters, a line each; ``capabilities`` are tags of the
    taxonomy, given or seen, and how sure each is; ``turns`` are what it turns into what, ``acts`` what it does alone.
    """

    held: Mapping[str, float]
    own: frozenset[str]
    given: frozenset[str]
    inferred: frozenset[str]
    pairs: Mapping[str, Sequence[tuple[str, float]]]
    tools: str
    capabilities: Mapping[str, float]
    turns: frozenset[Turn]
    acts: frozenset[str]


class Match(NamedTuple):
    """How well a thing meets a need.

    ``score`` (0…1) is the verdict, made of ``words`` (how much of the need its words and tags cover, 0…1) and ``near``
    (the cosine of their meanings); ``covered`` and ``missing`` are stems of the need, ``tags`` those that helped, and
    ``kind`` says how surely the need calls for one of them. What does the reverse of what is wanted has ``kept``
    only a part of its score, and so has everything where no program is likely to meet the need.
    """

    score: float
    covered: tuple[str, ...]
    missing: tuple[str, ...]
    tags: tuple[str, ...]
    words: float = 0.0
    near: float = 0.0
    capabilities: Mapping[str, float] = {}
    kept: float = 1.0
    kind: float = 0.0


class Matcher:
    """Compares things with needs, as ``reader`` reads them. ``known`` gives the vector of a thing by its key.

    ``quick`` reads what tools say, which may be much: a meaning in the same space that does not take seconds for it.
    """

    def __init__(
        self,
        reader: Reader,
        known: Callable[[str], Floats | None] = lambda _key: None,
        quick: Meaning | None = None,
    ) -> None:
        self._reader = reader
        self.taxonomy = reader.taxonomy
        self.meaning = reader.meaning
        self._quick = quick
        self._known = known
        self._read: dict[str, Need] = {}
        self._things: dict[Thing, Told] = {}
        self._vectors: dict[tuple[str, str], Floats] = {}

    def need(self, text: str) -> Need:
        """Read a need: any text; one without a single word gives a need that nothing meets.

        The last ones read are kept: every source of a discovery reads the same need.
        """
        need = self._read.get(text)
        if need is None:
            need = self._reader.read(text)
            if len(self._read) >= _MOST_KEPT:
                self._read.clear()
            self._read[text] = need
        return need

    def _told(self, thing: Thing) -> Told:
        """Return what a thing says of itself; kept, because the same things are found again and again."""
        told = self._things.get(thing)
        if told is None:
            if len(self._things) >= _MOST_THINGS:
                self._things.clear()
            told = self._things[thing] = self._read_thing(thing)
        return told

    def _read_thing(self, thing: Thing) -> Told:
        name, body = name_stems(thing.name), stems(f"{thing.description}\n{thing.terms}")
        held: dict[str, float] = dict.fromkeys(stems(thing.text), _IN_TEXT)
        held.update(dict.fromkeys(body, _IN_TERMS))
        held.update(dict.fromkeys(name, _IN_NAME))
        seen = self.taxonomy.of_thing(held)
        held = {**dict.fromkeys(stems(thing.aside), _IN_TEXT), **held}
        named = dict(filter(None, map(self.taxonomy.normal, thing.tags)))
        given = frozenset(tag for tag, sure in named.items() if sure >= _GIVEN)
        inferred = frozenset() if given else frozenset({*seen, *named})
        pairs: dict[str, list[tuple[str, float]]] = {}
        for parts, worth in ((body, _IN_TERMS), (name, _IN_NAME)):
            for pair in glued(parts):
                pairs.setdefault(pair[:_BEGINS], []).append((pair, worth))
        tools = "\n".join([called.lower().replace("\n", " ") for called in thing.tools])
        said = thing.description or thing.text[:_BEGINNING]
        turned, done = turns(thing.name) | turns(said), acts.only_done(f"{thing.name}\n{said}")
        return Told(held, frozenset([*body, *name]), given, inferred, pairs, tools, {**seen, **named}, turned, done)

    def rate(self, need: Need, things: Sequence[Thing]) -> list[Match]:
        """Compare things with a need, by words and by meaning; where none is known, nothing is near."""
        matches = [self.match(need, thing) for thing in things]
        if need.vector is None or self.meaning is None:
            return [_seen(match, 0.0, 0.0) for match in matches]
        scale = self.meaning.scale
        near = self._near(need.vector, self.meaning, self._quick or self.meaning, things)
        return [_seen(match, cosine, nearness(cosine, *scale)) for match, cosine in zip(matches, near, strict=True)]

    def _near(self, vector: Floats, meaning: Meaning, quick: Meaning, things: Sequence[Thing]) -> list[float]:
        """Return the cosine of each thing with a need: of its known vector, what it says or a tool does."""
        known = [self._known(thing.key) if thing.key else None for thing in things]
        near = [-1.0 if own is None else float(own @ vector) for own in known]
        said = [
            (place, described(thing.name, text))
            for place, thing in enumerate(things)
            if (text := thing.description or thing.text) or known[place] is None
        ]
        does = [(place, text) for place, thing in enumerate(things) for text in thing.does]
        for reads, texts in ((meaning, said), (quick, does)):
            for (place, _), own in zip(texts, self._embedded(reads, [text for _, text in texts]), strict=True):
                near[place] = max(near[place], float(own @ vector))
        return near

    def _embedded(self, meaning: Meaning, texts: Sequence[str]) -> list[Floats]:
        """Return the vectors of texts; kept, because the same are found again and again. Threads may share this."""
        name = meaning.name
        known = {text: vector for text in texts if (vector := self._vectors.get((name, text))) is not None}
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if new:
            known.update(zip(new, meaning.embed(new), strict=True))
            if len(self._vectors) + len(new) > _MOST_THINGS:
                self._vectors.clear()
            self._vectors.update(((name, text), known[text]) for text in new)
        return [known[text] for text in texts]

    def match(self, need: Need, thing: Thing) -> Match:
        """Compare a thing with a need by words alone."""
        told = self._told(thing)
        held, own, given, inferred = {**told.held, **_pairs_of(told, need)}, told.own, told.given, told.inferred
        in_words = {
            term: max((held.get(variant, 0.0) * near for variant, near in need.variants[term].items()), default=0.0)
            for term in need.weights
        }
        in_tool = _in_tool(need, in_words, thing.tools, told.tools)
        cover, helping = _tag_cover(need, given, inferred)
        trusted = {name: _trust(name, given, inferred) for name in need.called}
        called = sum(trust * need.called[name] for name, trust in trusted.items())
        meant = (name for name, trust in trusted.items() if trust and need.called[name] >= _TELLING)
        shares = {
            term: max(
                0.0 if term in self.taxonomy.products else cover.get(term, 0.0),
                in_words[term],
                in_tool.get(term, 0.0),
            )
            for term in need.weights
        }
        total = sum(need.weights.values())
        covered = sum(weight * shares[term] for term, weight in need.weights.items()) / total if total else 0.0
        about = _focus(need, own) if covered else 0.0
        words = round(covered * (0.88 + 0.12 * about) * _of_kind(need, given), 6)
        turned = told.turns.union(*map(turns, thing.tools)) if need.turns else told.turns
        left = kept(need.turns, turned) * acts.kept(need.acts, told.acts) * _within_scope(need)
        return Match(
            round(left * words, 6),
            tuple(term for term, share in shares.items() if share > 0.0),
            tuple(term for term, share in shares.items() if share == 0.0),
            tuple(sorted({*helping, *meant})),
            words,
            capabilities=told.capabilities,
            kept=left,
            kind=max(called, *(tag.confidence for tag in need.tags if tag.name in helping), 0.0),
        )


def nearness(cosine: float, far: float, close: float) -> float:
    """Return how near meanings are, 0…1, by the scale of the model that says so (``Meaning.scale``)."""
    return max(0.0, min(1.0, (cosine - far) / (close - far)))


def blended(words: float, near: float, kind: float) -> float:
    """Return one relevance of what words cover, how near the meanings are, how surely it is of the kind; all 0…1.

    Words and meanings say it plainly. Where a thing is more surely of the kind that is called for than it plainly fits,
    that raises it half of the way: a need may be put in words that no server says of itself.
    """
    plain = _BY_WORDS * words + (1.0 - _BY_WORDS) * near
    return round(plain + _RAISED * max(0.0, kind - plain), 6)


def _seen(match: Match, cosine: float, near: float) -> Match:
    """Return a match by words with what the meanings say besides."""
    return match._replace(near=cosine, score=round(match.kept * blended(match.words, near, match.kind), 6))


def _tag_cover(need: Need, given: frozenset[str], inferred: frozenset[str]) -> tuple[dict[str, float], tuple[str, ...]]:
    cover: dict[str, float] = {}
    helping: list[str] = []
    for tag in need.tags:
        trust = _trust(tag.name, given, inferred)
        if trust:
            helping.append(tag.name)
        for term, share in tag.covers.items() if trust else ():
            cover[term] = max(cover.get(term, 0.0), trust * share)
        if trust and tag.confidence >= _SURE:
            # What is plainly of the kind that is wanted also does the reading, drawing or controlling of it.
            cover.update({term: max(cover.get(term, 0.0), trust * _ACTION) for term in need.weights if term in LIGHT})
    return cover, tuple(helping)


def _trust(tag: str, given: Collection[str], inferred: Collection[str]) -> float:
    """Return how far it counts that a thing bears a tag."""
    return _BY_TAG if tag in given else _BY_INFERRED_TAG if tag in inferred else 0.0


def _within_scope(need: Need) -> float:
    """Return what a score keeps of it: less than 1 where it is not unlikely that no program can do it."""
    return min(1.0, (1.0 - need.out_of_scope) / (1.0 - _UNLIKELY))


def _pairs_of(told: Told, need: Need) -> dict[str, float]:
    """Return the stems of the pairs that begin as a word of the need does."""
    begins = {term[:_BEGINS] for term in need.weights} if told.pairs else ()
    return {stem_of(pair): worth for begin in begins for pair, worth in told.pairs.get(begin, ())}


def _in_tool(need: Need, in_words: Mapping[str, float], tools: Sequence[str], said: str) -> Mapping[str, float]:
    """Return how well the one tool that adds most covers what a thing itself does not say; ``said`` are their names.

    One tool: half of what is needed in the name of one and half in that of another are no whole.
    """
    lacking: dict[str, tuple[str, float]] = {}
    parts: list[str] = []
    for term, share in in_words.items() if said else ():
        for variant, near in need.variants[term].items() if share < _IN_TOOL else ():
            part = variant[:-1] if len(variant) > _SHORT else variant
            if part in said:
                lacking[variant] = (term, _IN_TOOL * near)
                parts.append(part)
    best: dict[str, float] = {}
    most = 0.0
    for name, lower in zip(tools, said.split("\n"), strict=True) if parts else ():
        if any(part in lower for part in parts):
            found = dict(lacking[stem] for stem in lacking.keys() & name_stems(name))
            gain = sum([need.weights[term] * share for term, share in found.items()])
            if gain > most:
                most, best = gain, found
    return best


def _of_kind(need: Need, given: frozenset[str]) -> float:
    """Return 1, or less for a thing whose given tags hold none of those that the need plainly calls for.

    "Amazon Web Services" holds the words of "search the web"; its tags say that it does something else.
    """
    plain = {tag.name for tag in need.tags if tag.confidence >= _PLAIN}
    return _OTHER_KIND if given and plain and not plain & given else 1.0


def _focus(need: Need, held: Collection[str]) -> float:
    """Return how much of a thing's own words the need is about: 1 for a specialist, near 0 for a catch-all."""
    wanted = {variant for term in need.weights for variant in need.variants[term]}
    wanted.update(term for tag in need.tags for term in tag.covers)
    hits = len(wanted.intersection(held))
    return min(1.0, 3.0 * hits / len(held)) if held else 0.0
