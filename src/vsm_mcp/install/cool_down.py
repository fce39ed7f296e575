"""The cool-down: nothing is installed that was published only just now, but from whom is trusted. Pure but for clocks.

Most packages that were taken over are found out within days; who waits does not get them.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from typing import Final

from vsm_mcp.errors import InstallFailed
from vsm_mcp.install.installer import Options
from vsm_mcp.model.counted import counted
from vsm_mcp.model.ref import Ref, RefKind, normalise_pypi
from vsm_mcp.policy.patterns import matches

_WILD: Final = frozenset("*?[")


class TooYoung(InstallFailed):
    """A version was published within the cool-down, and its publisher is none of the trusted ones."""

    code = "too_young"
    remedy = "wait, or name its publisher in [install] trusted_publishers"


def cutoff(options: Options, now: datetime.datetime | None = None) -> datetime.datetime | None:
    """Return the moment after which nothing may have been published (UTC, whole seconds); ``None``: any time will do.

    ``now`` is a clock to be used in place of the machine's.
    """
    if not options.min_release_age_days:
        return options.not_after
    now = (now or datetime.datetime.now(datetime.UTC)).replace(microsecond=0)
    old_enough = now - datetime.timedelta(days=options.min_release_age_days)
    return min(old_enough, options.not_after or old_enough)


def trusts(ref: Ref, options: Options) -> bool:
    """Whether a reference is one of a trusted publisher."""
    return bool(matches(ref.identity, options.trusted_publishers))


def exempt(kind: RefKind, options: Options, ref: Ref | None = None) -> tuple[str, ...]:
    """Return the names of packages of a kind that need not wait: the trusted ones, ``ref`` if it is one.

    For npm they are globs; for Python whole names only, for uv knows no others.
    """
    names = [ref.name] if ref is not None and trusts(ref, options) else []
    return tuple(dict.fromkeys(_spelt(kind, name) for name in (*names, *_named(kind, options))))


def _named(kind: RefKind, options: Options) -> Iterator[str]:
    for pattern in options.trusted_publishers:
        prefix, _, name = pattern.strip().partition(":")
        if prefix == kind.value and name and not (kind is RefKind.PYPI and _WILD & set(name)):
            yield name


def _spelt(kind: RefKind, name: str) -> str:
    return normalise_pypi(name) if kind is RefKind.PYPI else name


def too_young(package: str, options: Options, published: Iterable[str] = ()) -> TooYoung:
    """Return the error for a ``package`` (``name@version``) within the cool-down; ``published`` are ISO 8601 times."""
    when = min((text for text in published if text), default="")
    since = f", and was published {when[:16].replace('T', ' ')}" if when else ""
    kind, days = ("pypi" if "==" in package else "npm"), counted(options.min_release_age_days, "days")
    name = package.partition("==")[0] if kind == "pypi" else package.rpartition("@")[0] or package
    return TooYoung(
        f"{package} is younger than the cool-down of {days}{since}",
        f'wait, take an older version, or trust its publisher: [install] trusted_publishers = ["{kind}:{name}"]'
        f" (is the clock of this machine right? it says {datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC)",
    )
