"""Check ``identity``: whether it is allowed at all, and what its name makes people think it is."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final

import msgspec
from rapidfuzz.distance import OSA

from vsm_mcp.config import Config
from vsm_mcp.model.finding import CheckResult, Finding, Severity
from vsm_mcp.model.ref import Ref, RefKind, normalise_pypi
from vsm_mcp.policy.patterns import matches
from vsm_mcp.vetting.check import Rule, Stage, Subject, result
from vsm_mcp.vetting.folding import hidden_characters, skeleton
from vsm_mcp.vetting.publishers import Publishers, publishers_of

DENIED: Final = Rule("identity.denied", Severity.BLOCK, "the policy's deny list names it")
NOT_ALLOWED: Final = Rule("identity.not_allowed", Severity.BLOCK, "the policy has an allow list, and it is not on it")
HOMOGLYPH: Final = Rule(
    "identity.homoglyph", Severity.BLOCK, "its name looks the same as a popular one, in other characters"
)
LOOK_ALIKE: Final = Rule("identity.look_alike", Severity.REVIEW, "its name is a typing mistake away from a popular one")
DROPPED_SCOPE: Final = Rule(
    "identity.dropped_scope", Severity.REVIEW, "it bears a popular package's name without, or with another, scope"
)
BRAND: Final = Rule("identity.brand", Severity.REVIEW, "its name claims a brand whose owner does not publish it")
BRAND_IN_SCOPE: Final = Rule(
    "identity.brand_in_scope", Severity.NOTE, "its name says a brand, and its scope that somebody else publishes it"
)
DEPRECATED: Final = Rule("identity.deprecated", Severity.NOTE, "its registry says that it is deprecated")
OTHER_NAME: Final = Rule(
    "identity.other_name", Severity.BLOCK, "what was fetched calls itself by another name or version than was asked for"
)
PUBLISHER: Final = Rule(
    "identity.publisher_unknown",
    Severity.REVIEW,
    "the settings name publishers, and its registry does not say who it is",
)
RULES: Final = (
    DENIED,
    NOT_ALLOWED,
    PUBLISHER,
    HOMOGLYPH,
    LOOK_ALIKE,
    DROPPED_SCOPE,
    BRAND,
    BRAND_IN_SCOPE,
    DEPRECATED,
    OTHER_NAME,
)
_NAME: Final = "identity"
_SHORT: Final = 6
_LONG: Final = 14
_TELLING: Final = 9
_WELL_USED: Final = 5000  # downloads a month
# Words that half of all packages consist of: sharing them says nothing.
_GENERIC: Final = frozenset({
    "mcp", "server", "mcps", "servers", "sdk", "cli", "core", "client", "proxy", "tools", "tool", "api", "utils",
    "adapter", "adapters", "agent", "ai", "the", "a", "js", "ts", "py", "node", "http", "stdio", "inspector", "ui",
    "auth", "web", "app", "apps", "data", "docs", "memory", "test", "types",
})  # fmt: skip


class Brand(msgspec.Struct, frozen=True):
    """A brand and who publishes under it: npm scopes (``@scope``) or exact names (``npm:NAME``, ``pypi:NAME``)."""

    name: str
    owners: tuple[str, ...]


class IdentityCheck:
    """Compares a reference with the policy's lists, popular names and brands; needs no network."""

    name = _NAME
    stage = Stage.BEFORE_INSTALL

    def __init__(
        self,
        allow: Iterable[str] = (),
        deny: Iterable[str] = (),
        popular: Iterable[str] | None = None,
        brands: Iterable[Brand] | None = None,
        publishers: Publishers | None = None,
    ) -> None:
        """``allow`` and ``deny`` are patterns over references (``npm:@scope/*``); ``popular`` are references."""
        self._publishers = publishers or Publishers()
        self._allow = tuple(allow)
        self._deny = tuple(deny)
        names = popular_names() if popular is None else popular
        self._popular = tuple((_flat(name), name) for name in names)
        self._known = {name for _, name in self._popular}
        self._brands = known_brands() if brands is None else tuple(brands)

    async def check(self, subject: Subject) -> CheckResult:
        """Look at the name (and at what the fetched files call themselves)."""
        identity = subject.ref.identity
        exact = (
            str(subject.ref.at(subject.version)) if subject.version and _versioned(subject.ref) else str(subject.ref)
        )
        findings = self._listed(identity, exact) or await self._published(subject)
        findings += _self_named(subject)
        if subject.facts.deprecated:
            findings.append(DEPRECATED.found(identity, "choose what its registry page recommends"))
        trusted = bool(matches(exact, self._allow))
        if subject.ref.kind in {RefKind.NPM, RefKind.PYPI} and identity not in self._known and not trusted:
            findings += self._imitates(subject.ref) or self._brand(subject)
        return result(_NAME, len(self._popular) + len(self._brands), "names compared", findings)

    def _listed(self, identity: str, exact: str) -> list[Finding]:
        if pattern := matches(exact, self._deny):
            return [DENIED.found(identity, f"[policy] deny has {pattern!r}")]
        if self._allow and not matches(exact, self._allow):
            return [NOT_ALLOWED.found(identity, "[policy] allow has no pattern that matches")]
        return []

    async def _published(self, subject: Subject) -> list[Finding]:
        """Compare who published it with the settings; nobody is asked where these name nobody."""
        lists, where = self._publishers, subject.ref.identity
        if not (lists.allow or lists.deny) or not _versioned(subject.ref):
            return []
        names = await publishers_of(subject)
        if pattern := next(filter(None, (matches(name, lists.deny) for name in names)), ""):
            return [DENIED.found(where, f"[vetting] deny_publishers has {pattern!r}")]
        if not names:
            return [PUBLISHER.found(where, "compare its page at the registry with [vetting] publishers")]
        if lists.allow and not any(matches(name, lists.allow) for name in names):
            return [NOT_ALLOWED.found(where, f"[vetting] publishers does not have {names[0][:80]!a}")]
        return []

    def _imitates(self, ref: Ref) -> list[Finding]:
        """Return at most one finding: the popular name that ``ref`` comes closest to."""
        flat, looks = _flat(ref.identity), skeleton(ref.name)
        near: list[Finding] = []
        for other, name in self._popular:
            if looks == _skeleton_of(name) and flat != other:
                return [HOMOGLYPH.found(ref.identity, f"it looks the same as {name}")]
            if _scope_apart(ref, name):
                return [DROPPED_SCOPE.found(ref.identity, f"{name} is the popular package of that name")]
            if _telling_apart(ref, name):
                near.append(
                    LOOK_ALIKE.found(ref.identity, f"what it is called for is one typing mistake away from {name}")
                )
            elif _close(flat, other, edits=1 if _same_scope(ref.name, name) else 2):
                near.append(LOOK_ALIKE.found(ref.identity, f"it is one typing mistake away from {name}"))
        return near[:1]

    def _brand(self, subject: Subject) -> list[Finding]:
        """Return the brand that the name claims; a package that many people use has been looked at by many."""
        ref = subject.ref
        if (subject.facts.downloads or 0) >= _WELL_USED or ref.identity in _names_in("well_used.txt"):
            return []
        words = set(_words(ref.name))
        if not words & {"mcp", "modelcontextprotocol"} and "server" not in words:
            return []
        for brand in self._brands:
            if brand.name in words and not _owned(ref, brand):
                said = f"{brand.name} publishes under {', '.join(brand.owners[:3])}"
                rule = BRAND_IN_SCOPE if self._says_whose(ref, brand) else BRAND
                return [rule.found(ref.identity, f"{said}; this one is somebody else's")]
        return []

    def _says_whose(self, ref: Ref, brand: Brand) -> bool:
        """Whether a scope, which one publisher owns, is no brand's, and the name below it no popular package's."""
        scope, _, last = ref.name.partition("/")
        taken = any(name.rpartition("/")[2] == last for name in self._known if name.startswith("npm:@"))
        return scope.startswith("@") and brand.name not in scope.lower() and not taken


def build(config: Config) -> IdentityCheck:
    """Make the check with the policy's lists: the entry point."""
    publishers = Publishers(config.vetting.publishers, config.vetting.deny_publishers)
    return IdentityCheck(config.policy.allow, config.policy.deny, publishers=publishers)


def _versioned(ref: Ref) -> bool:
    return ref.kind in {RefKind.NPM, RefKind.PYPI}


@cache
def popular_names() -> tuple[str, ...]:
    """Return the popular references that ship with the package, as identities."""
    return _names_in("popular.txt")


@cache
def _names_in(file: str) -> tuple[str, ...]:
    text = files("vsm_mcp.vetting").joinpath(f"data/{file}").read_text("utf-8")
    names = (line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return tuple(_identity(name) for name in names)


@cache
def known_brands() -> tuple[Brand, ...]:
    """Return the brands that ship with the package."""
    table: Mapping[str, Any] = tomllib.loads(files("vsm_mcp.vetting").joinpath("data/brands.toml").read_text("utf-8"))
    return tuple(msgspec.convert(row, Brand) for row in table["brand"])


def _identity(name: str) -> str:
    kind, _, rest = name.partition(":")
    return f"pypi:{normalise_pypi(rest)}" if kind == "pypi" else name


def _flat(identity: str) -> str:
    """Return a name without its kind, scope sign and separators: ``@a/b-c`` and ``a-b_c`` are one."""
    return re.sub(r"[^a-z0-9]", "", identity.partition(":")[2].lower())


@cache
def _skeleton_of(identity: str) -> str:
    return skeleton(identity.partition(":")[2])


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]


def _close(flat: str, other: str, *, edits: int) -> bool:
    """One edit (``edits`` in long names that begin alike), transpositions counted once; short names never."""
    if flat == other or min(len(flat), len(other)) <= _SHORT or abs(len(flat) - len(other)) > edits:
        return False
    allowed = edits if min(len(flat), len(other)) >= _LONG and flat[:3] == other[:3] else 1
    return OSA.distance(flat, other, score_cutoff=allowed) <= allowed and not _counted_apart(flat, other)


def _telling_apart(ref: Ref, popular: str) -> bool:
    """Whether the words that tell a name from others are one edit apart: ``mcp-server-filesytem``."""
    one, other = _stem(ref.name), _stem(popular.partition(":")[2])
    if one == other or min(len(one), len(other)) < _TELLING or one[:2] != other[:2]:
        return False
    return OSA.distance(one, other, score_cutoff=1) <= 1 and not _counted_apart(one, other)


@lru_cache(maxsize=4096)
def _stem(name: str) -> str:
    return "".join(word for word in _words(name.rpartition("/")[2]) if word not in _GENERIC)


def _same_scope(name: str, popular: str) -> bool:
    """Whether both bear the same npm scope, which one publisher owns: siblings are often alike."""
    scope = name.partition("/")[0]
    return scope.startswith("@") and popular.partition(":")[2].startswith(f"{scope}/")


def _counted_apart(flat: str, other: str) -> bool:
    """Whether two names differ in a number or a plural only: ``server2``, ``tools``: families, not mistakes."""
    return re.sub(r"\d+|s$", "", flat) == re.sub(r"\d+|s$", "", other)


def _scope_apart(ref: Ref, popular: str) -> bool:
    """Whether the last parts are the same and telling, and a popular package is scoped otherwise."""
    kind, _, name = popular.partition(":")
    if not name.startswith("@") or ref.kind is not RefKind.NPM or kind != "npm":
        return False
    scope, _, last = name[1:].partition("/")
    own_scope, _, own_last = ref.name[1:].partition("/") if ref.name.startswith("@") else ("", "", ref.name)
    telling = [word for word in _words(last) if word not in _GENERIC]
    if own_scope == scope:
        return False
    if own_last == last and len(telling) >= 2:
        return True
    return not own_scope and _words(own_last) == [*_words(scope), *_words(last)]


def _owned(ref: Ref, brand: Brand) -> bool:
    scope = ref.name.partition("/")[0] if ref.name.startswith("@") else ""
    if scope and scope in brand.owners:
        return True
    return ref.identity in {_identity(owner) for owner in brand.owners if ":" in owner}


def _self_named(subject: Subject) -> list[Finding]:
    """Compare what the fetched metadata says with what was asked for."""
    findings: list[Finding] = []
    name, version = subject.manifest.get("name"), subject.manifest.get("version")
    ref = subject.ref
    if isinstance(name, str) and ref.kind in {RefKind.NPM, RefKind.PYPI}:
        same = name == ref.name if ref.kind is RefKind.NPM else normalise_pypi(name) == normalise_pypi(ref.name)
        if not same:
            findings.append(OTHER_NAME.found(ref.identity, f"its files say {name[:80]!a}"))
    if isinstance(version, str) and ref.kind is RefKind.NPM and subject.version and version != subject.version:
        findings.append(OTHER_NAME.found(ref.identity, f"its files say version {version[:40]!a}"))
    if hidden_characters(ref.name):
        findings.append(HOMOGLYPH.found(ref.identity, "its name holds characters that cannot be seen"))
    return findings
