"""Needs and use over a simulated day: the world that the autopilot's plan looks at in ``simulation.py``.

What decides is :func:`vsm_mcp.autopilot.plan.plan`. What is made up: needs come and go, are met by a server or not,
acquisitions fail three times in ten, people deny one in ten of what is acquired, servers fall out of use. Times are
shortened so that a day holds what else takes weeks (:data:`SHORT`); rules are the product's own.

*Back and forth* is a need whose server was retired and that was acquired again within the rest, with fewer new
sightings than a new gap takes. *Against a no* is an acquisition of a need that a person had denied.
"""

from __future__ import annotations

import random
import time
from collections import Counter, deque

import msgspec

from vsm_mcp.autopilot.gaps import Demanded, Gap
from vsm_mcp.autopilot.plan import DAY, Proposed, Situation, Standing, plan
from vsm_mcp.model.autopilot_settings import AutopilotSettings
from vsm_mcp.model.need import Past, Tenure

SHORT = AutopilotSettings(
    installs_per_day=400,
    disk_bytes_per_day=1 << 50,
    memory_bytes_per_day=1 << 50,
    cooldown_seconds=600.0,
    unused_days=0.15,
    notice_days=0.02,
    rest_days=0.25,
)
_EXPECTED = {"disk": 50e6, "memory": 512e6}
_SEEN_A_LOOK = 6000
_FADE = 0.02
_FAILS, _DENIED = 0.3, 0.1


class Needs:
    """``count`` needs and as many servers; ``look`` is what the autopilot's loop does every five minutes."""

    def __init__(self, count: int, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - it is a simulation
        self.demanded = [
            Demanded(key=f"n{n}", need=f"need {n}", count=0, first=0.0, last=0.0, sources={"agent": 1})
            for n in range(count)
        ]
        self.pasts = [Past()] * count
        self.used = {f"s{n}": 0.0 for n in range(count)}
        self.needed = {f"s{n}": n for n in range(count // 2)}  # the other half of the needs has nobody
        self.met = {n: name for name, n in self.needed.items()}
        self.tenures: dict[str, Tenure] = {}
        self.began: deque[float] = deque()
        self.counts: Counter[str] = Counter()
        self.most_a_day = 0
        self.made = 0
        self.wanted = [self.chance.random() ** 3 for _ in range(count)]

    def look(self, now: float, failing: dict[int, float]) -> float:
        """Let what was needed since the last look be needed, plan, and carry it out; return the plan's CPU seconds.

        ``failing`` says since when servers keep failing, by number.
        """
        self._live(now, failing)
        while self.began and self.began[0] <= now - DAY:
            self.began.popleft()
        situation = Situation(
            now=now,
            gaps=[
                Gap(demanded=each, by=self.met.get(n, ""), past=self.pasts[n])
                for n, each in enumerate(self.demanded)
                if each.count
            ],
            servers=[self._standing(name, used, failing) for name, used in self.used.items()],
            tenures=self.tenures,
            waiting=frozenset(),
            spent={"installs": float(len(self.began))},
            expected=_EXPECTED,
            settings=SHORT,
            policy="p",
        )
        began = time.thread_time()
        found = plan(situation)
        took = time.thread_time() - began
        for each in found:
            self.counts[each.kind] += 1
            getattr(self, f"_{each.kind}")(each, now)
        self.most_a_day = max(self.most_a_day, len(self.began))
        return took

    def _live(self, now: float, failing: dict[int, float]) -> None:
        count = len(self.demanded)
        for _ in range(_SEEN_A_LOOK):
            n = self.chance.randrange(count)
            if self.chance.random() > self.wanted[n]:
                continue
            one = self.demanded[n]
            first = one.first or now
            self.demanded[n] = msgspec.structs.replace(one, count=one.count + 1, first=first, last=now)
            if n in self.met and n not in failing:
                self.used[self.met[n]] = now
        for n in self.chance.sample(range(count), int(count * _FADE)):  # what is wanted changes in the course of a day
            self.wanted[n] = self.chance.random() ** 3

    def _standing(self, name: str, used: float, failing: dict[int, float]) -> Standing:
        n = self.needed.get(name, -1)
        need = self.demanded[n].need if n >= 0 else ""
        return Standing(name=name, used_at=used, failing_at=failing.get(n, 0.0), need=need)

    # --- what is carried out ------------------------------------------------------------------------------------------

    def _acquire(self, each: Proposed, now: float) -> None:
        n, past = int(each.key[1:]), self.pasts[int(each.key[1:])]
        self.counts["against a no"] += bool(past.denied_by)
        fresh = self.demanded[n].count - past.seen_then
        rested = now - past.retired_at >= SHORT.rest_days * DAY
        self.counts["back and forth"] += bool(past.retired_at) and not rested and fresh < SHORT.least_count
        if self.chance.random() < _FAILS:
            self.pasts[n] = msgspec.structs.replace(past, failures=past.failures + 1, failed_at=now)
        elif self.chance.random() < _DENIED:
            self.pasts[n] = msgspec.structs.replace(past, denied_by="person", denied_at=now)
        else:
            self._serve(n, now)

    def _serve(self, n: int, now: float) -> None:
        self.began.append(now)
        self.made += 1
        name = f"m{self.made}"
        self.used[name], self.needed[name], self.met[n] = now, n, name
        self.pasts[n] = Past(server=name, served_at=now)

    def _notice(self, each: Proposed, now: float) -> None:
        self.tenures[each.server] = msgspec.structs.replace(self.tenures.get(each.server, Tenure()), noticed_at=now)

    def _withdraw(self, each: Proposed, _now: float) -> None:
        self.tenures[each.server] = msgspec.structs.replace(self.tenures[each.server], noticed_at=0.0)

    def _retire(self, each: Proposed, now: float) -> None:
        self.used.pop(each.server)
        self.tenures.pop(each.server, None)
        n = self.needed.pop(each.server, None)
        if n is not None and self.met.get(n) == each.server:
            del self.met[n]
            seen = self.demanded[n].count
            self.pasts[n] = msgspec.structs.replace(self.pasts[n], server="", retired_at=now, seen_then=seen)

    def _replace(self, each: Proposed, now: float) -> None:
        before = self.tenures.get(each.server, Tenure())
        tried = msgspec.structs.replace(before, replacing_at=now, replacements=before.replacements + 1)
        self.tenures[each.server] = tried
        n = self.needed.get(each.server)
        if n is not None and self.chance.random() >= _FAILS:
            self._retire(each, now)
            self._serve(n, now)
