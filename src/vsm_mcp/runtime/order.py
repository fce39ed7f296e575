"""In what order servers are started that say whom they come after. Pure.

``after`` maps a server to those it is started after. The order counts among servers that are started together; they are
stopped the other way round.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from vsm_mcp.errors import BadArgument

After = Mapping[str, Iterable[str]]


def waits(chosen: Iterable[str], after: After, *, reverse: bool = False) -> dict[str, frozenset[str]]:
    """Return for each of the ``chosen`` servers which others of them go before it, also through some that are not.

    ``reverse`` is the order for stopping. Raises :class:`BadArgument`, naming the servers, when some go round in a
    circle, be they chosen or not.
    """
    ring = circle(after)
    if ring:
        raise BadArgument(
            f"after: {' comes after '.join(ring)}: none of them can be the first",
            "leave one of these out: vsm-mcp add … --after",
        )
    names = tuple(dict.fromkeys(chosen))
    before = {name: _reached(name, after) & frozenset(names) for name in names}
    if not reverse:
        return before
    return {name: frozenset(other for other in names if name in before[other]) for name in names}


def circle(after: After) -> tuple[str, ...]:
    """Return servers that come after one another in a circle, the first once more at the end; empty if none do."""
    done: set[str] = set()
    for start in after:
        path: list[str] = []
        ways = [iter((start,))]
        while ways:
            name = next(ways[-1], None)
            if name is None:
                ways.pop()
                if path:
                    done.add(path.pop())
            elif name in path:
                return (*path[path.index(name) :], name)
            elif name not in done:
                path.append(name)
                ways.append(iter(tuple(after.get(name, ()))))
    return ()


def _reached(name: str, after: After) -> frozenset[str]:
    found: set[str] = set()
    left = list(after.get(name, ()))
    while left:
        other = left.pop()
        if other not in found:
            found.add(other)
            left += after.get(other, ())
    return frozenset(found)
