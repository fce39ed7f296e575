"""What is measured in which order: every block of every subject in every round, shuffled. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import msgspec

from vsm_mcp.bench.figures import Block


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How long, how often and what: ``seconds`` a block, ``sizes`` in bytes (none: arguments as given)."""

    seconds: float
    rounds: int
    sizes: tuple[int, ...]
    clients: tuple[int, ...]

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Each size with one client, then the smallest size with each number of clients; none twice."""
        sizes = self.sizes or (0,)
        alone = [Block(size, 1) for size in sizes]
        together = [Block(min(sizes), clients) for clients in self.clients]
        return tuple(dict.fromkeys((*alone, *together)))


def order(plan: Plan, subjects: Sequence[str], chance: random.Random) -> Iterator[tuple[int, Block, str]]:
    """Yield round, block and subject: the subjects of one block follow each other in an order drawn anew each time.

    What disturbs a machine for a while then disturbs all of them alike, and none always comes first.
    """
    for number in range(plan.rounds):
        for block in plan.blocks:
            for subject in chance.sample(list(subjects), len(subjects)):
                yield number, block, subject
