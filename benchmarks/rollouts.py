"""How often rollouts are right, simulated: false alarms, and who is hurt before a bad newcomer is rolled back.

``python benchmarks/rollouts.py [RUNS]`` prints a table. Each run is a whole ladder over :mod:`vsm_mcp.routing.rollout`,
looked at every :data:`TICK` calls; tools differ in how slow they are and in how often they fail, and the newcomer is
asked for another mix of them than the incumbent.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Sequence
from typing import Final, NamedTuple

from vsm_mcp.model.rollout import Rollout, Side
from vsm_mcp.model.rollout_settings import RolloutSettings
from vsm_mcp.routing.rollout import advanced, counted, decide

TICK: Final = 20
MOST: Final = 60_000
SETTINGS: Final = RolloutSettings(stage_seconds=0)
STAGES: Final = SETTINGS.stages


class Tool(NamedTuple):
    """A tool: its usual time in seconds, the deviation of the logarithm of that, and how often it fails or says so."""

    name: str
    seconds: float
    deviation: float
    faults: float
    errors: float


TOOLS: Final = (
    Tool("quick", 0.003, 0.4, 0.002, 0.0),
    Tool("slow", 0.4, 0.8, 0.01, 0.02),
    Tool("picky", 0.03, 0.5, 0.0, 0.25),
)


class Worse(NamedTuple):
    """How much worse a newcomer is."""

    faults: float = 0.0
    times: float = 1.0
    errors: float = 0.0


class End(NamedTuple):
    """How a simulated rollout ended: the share it had reached, all calls meanwhile, those that the newcomer spoiled."""

    what: str
    percent: int
    calls: int
    hurt: int


def simulated(rng: random.Random, worse: Worse, tools: Sequence[Tool] = TOOLS, callers: int = 0) -> End:
    """Walk a ladder to its end. Without ``callers`` each call draws its side, else each caller keeps to its own."""
    rollout = Rollout(id="x", server="s", newcomer="s@2", stages=STAGES)
    places = [rng.random() for _ in range(callers)]
    calls = hurt = 0
    while calls < MOST:
        sides: tuple[dict[str, Side], dict[str, Side]] = ({}, {})
        for _ in range(TICK):
            place = rng.choice(places) if places else rng.random()
            new = place < rollout.percent / 100
            tool = rng.choices(tools, (1, 3, 2) if new else (3, 1, 2))[0] if len(tools) > 1 else tools[0]
            side, bad = _call(rng, tool, worse if new else Worse())
            sides[new][tool.name] = sides[new].get(tool.name, Side()).plus(side)
            hurt += new and bad
        calls += TICK
        rollout = counted(rollout, *sides)
        found = decide(rollout, SETTINGS, 0.0)
        if found.what == "promote":
            rollout = advanced(rollout, 0.0)
        elif found.what != "hold":
            return End(found.what, rollout.percent, calls, hurt)
    return End("hold", rollout.percent, calls, hurt)


def _call(rng: random.Random, tool: Tool, worse: Worse) -> tuple[Side, bool]:
    extra = rng.random() < worse.faults
    if extra or rng.random() < tool.faults:
        return Side(calls=1, faults=1), extra
    spoiled = rng.random() < worse.errors
    if spoiled or rng.random() < tool.errors:
        return Side(calls=1, errors=1), spoiled
    log = math.log(rng.lognormvariate(math.log(tool.seconds), tool.deviation) * worse.times + 0.001)
    return Side(calls=1, timed=1, logs=log, squares=log * log), False


def main(runs: int) -> None:
    """Print the table."""
    cases = {
        "as good": (Worse(), 0),
        "as good, 12 callers": (Worse(), 12),
        "as good, one caller": (Worse(), 1),
        "10 % slower": (Worse(times=1.1), 0),
        "fails 2 % more": (Worse(faults=0.02), 0),
        "fails 8 % more": (Worse(faults=0.08), 0),
        "fails 50 % more": (Worse(faults=0.5), 0),
        "fails 8 % more, one caller": (Worse(faults=0.08), 1),
        "10 % more isError": (Worse(errors=0.1), 0),
        "twice as slow": (Worse(times=2), 0),
        "twice as slow, one caller": (Worse(times=2), 1),
    }
    print(f"{'newcomer':28}  back   done   back < 30 %   calls until the end   hurt (mean, 99th percentile)")
    for title, (worse, callers) in cases.items():
        rng = random.Random(title)  # noqa: S311 - a simulation, no secret
        ends = [simulated(rng, worse, callers=callers) for _ in range(runs)]
        back = [end for end in ends if end.what == "roll_back"]
        early = [end for end in back if end.percent < 30]
        hurt = sorted(end.hurt / end.calls for end in ends)
        calls = sorted(end.calls for end in ends)[runs // 2]
        done = sum(end.what == "done" for end in ends)
        print(
            f"{title:28} {len(back) / runs:6.1%} {done / runs:6.1%} {len(early) / runs:8.1%} {calls:19} "
            f"{sum(hurt) / runs:14.2%} {hurt[int(runs * 0.99)]:8.2%}"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
