"""A large fleet over a long time, by the deciders alone: ``simulation.py [--servers 10000] [--hours 24] [--json]``.

Deterministic: chance is seeded, the clock is virtual, and nothing is started. What decides is the product's own code:
the file of each server (history, trends, diagnosis, ladder), the schedule of looks, the policy of restarts and the
limit of restarts that the fleet shares. What is made up is the world: servers that crash, hang, leak, creep, flicker,
lose their session, are damaged, or are beyond help, a thousand times an hour, and in one hour all within a second.
Every five minutes the autopilot plans for as many needs and servers (``simulated_needs.py``), like in any other tick.

Printed, and written with ``--out``: how long the decisions of one tick (a second) take, how many restarts there were in
any minute against the limit, how often a condition swung, and memory. *A swing* is a server that becomes failing again
after it was healthy, for one and the same failure; *a false remedy* is one for a server that nothing was wrong with.
"""

from __future__ import annotations

import argparse
import gc
import heapq
import json
import random
import resource
import sys
import time
import tracemalloc
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from simulated_needs import SHORT, Needs

from vsm_mcp.health.check import Condition, Reading
from vsm_mcp.health.file import File, weight
from vsm_mcp.health.ladder import ESCALATE, KNOCK, REPLACE, Case, Rest, Rung, Try
from vsm_mcp.health.remedy import Done
from vsm_mcp.health.schedule import Schedule, pause
from vsm_mcp.health.wiring import pace_of
from vsm_mcp.model.finding import CheckStatus
from vsm_mcp.model.health_settings import HealthSettings
from vsm_mcp.runtime.restart import Failure, GiveUp, Limits, Restart, decide, remember
from vsm_mcp.runtime.start_limit import StartLimit, rate_of

# what heals each kind of failure; "" heals by itself
CURES = {
    "crash": "supervision",
    "hang": "soft_restart",
    "wedged": "hard_restart",
    "lost": "reconnect",
    "damaged": "full_recovery",
    "hopeless": "time",
    "doomed": "person",
    "leak": "soft_restart",
    "creep": "soft_restart",
    "flicker": "",
}
LOCAL = {
    "crash": 45, "hang": 20, "wedged": 8, "damaged": 6, "hopeless": 4, "doomed": 1, "leak": 8, "creep": 5, "flicker": 3,
}  # fmt: skip
REMOTE = {"crash": 30, "lost": 60, "hopeless": 6, "doomed": 1, "flicker": 3}
NO_STARTS = ("reconnect", REPLACE, ESCALATE)
SECONDS = {
    "reconnect": 1,
    "soft_restart": 3,
    "hard_restart": 2,
    "full_recovery": 25,
    "replace": 1,
    KNOCK: 2,
    ESCALATE: 0,
}
LOCAL_RUNGS = (Rung("soft_restart"), Rung("hard_restart"), Rung("full_recovery"), Rung(REPLACE))
DOWN_RUNGS = (Rung("full_recovery"), Rung(REPLACE))
REMOTE_RUNGS = (Rung("reconnect", 6), Rung(REPLACE))
PERSON_SECONDS = 1800
WORLD_SECONDS = 3 * 3600
FLICKER_SECONDS = 600
PASSED = Reading(status=CheckStatus.PASS, looked_at=1, basis="question", severity=Condition.FAILING)
SILENT = Reading(status=CheckStatus.FAIL, looked_at=1, basis="question", severity=Condition.FAILING, detail="silent")
NOTHING = Reading(status=CheckStatus.UNAVAILABLE)
CLEAN = Reading(status=CheckStatus.PASS, value=0.0, looked_at=1)
SILENCE = {
    "connectivity": SILENT, "response_time": NOTHING, "error_rate": NOTHING, "protocol": CLEAN, "resources": NOTHING,
}  # fmt: skip


class Server:
    """The truth about one server; ``grows`` is by how much of its limit something grows in a second."""

    __slots__ = (
        "began",
        "fails",
        "fault",
        "fell",
        "grows",
        "history",
        "remote",
        "since",
        "state",
        "treated",
        "typical",
    )

    def __init__(self, remote: bool, typical: float) -> None:
        self.remote = remote
        self.typical = typical
        self.state = "ready"  # ready, down (its restart is on its way), given_up
        self.fault = ""
        self.since = self.began = 0.0
        self.grows = 0.0
        self.fell = 0
        self.fails = False
        self.treated = False
        self.history: tuple[Failure, ...] = ()


class Fleet:
    """All servers, the clock, and what was counted."""

    def __init__(self, count: int, per_hour: int, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - it is a simulation
        self.now = 0.0
        self.settings = HealthSettings()
        self.pace, self.limits = pace_of(self.settings), Limits()
        self.starts = StartLimit(rate_of(self.settings), lambda: self.now)
        self.servers = [Server(n % 10 == 0, 0.02 + 0.3 * self.chance.random()) for n in range(count)]
        self.files = [File() for _ in self.servers]
        self.weights = [1.0] * count
        self.schedule = Schedule()
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.sequence = 0
        self.per_hour = per_hour
        self.counts: Counter[str] = Counter()
        self.window: deque[float] = deque()
        self.most_restarts = 0
        self.healed: dict[str, list[float]] = {kind: [] for kind in CURES}
        self.warned: dict[str, list[float]] = {"leak": [], "creep": []}
        self.deciding = 0.0
        self.needs = Needs(count, seed)
        self.plans: list[float] = []
        for number in range(count):
            self.schedule.put(str(number), self.settings.every_seconds * self.chance.random())

    def at(self, seconds: float, act: Callable[[], None]) -> None:
        """Have something happen after so many seconds."""
        self.sequence += 1
        heapq.heappush(self.events, (self.now + seconds, self.sequence, act))

    # --- the world ----------------------------------------------------------------------------------------------------

    def hour(self, number: int, at_once: bool) -> None:
        """Lay out the failures of one hour: at any moment of it, or all in its first second."""
        for _ in range(self.per_hour):
            self.at(self.chance.random() if at_once else self.chance.random() * 3600, self.fail)
        self.counts["hours"] = number + 1

    def fail(self) -> None:
        """Have a healthy server fail in one way or another."""
        number = self.chance.randrange(len(self.servers))
        while self.servers[number].fault or self.servers[number].treated or self.servers[number].state != "ready":
            number = self.chance.randrange(len(self.servers))
        server = self.servers[number]
        kinds = REMOTE if server.remote else LOCAL
        server.fault = self.chance.choices(list(kinds), weights=list(kinds.values()))[0]
        server.since, server.fell = self.now, 0
        self.counts["failures"] += 1
        self.counts[f"fault {server.fault}"] += 1
        if server.fault in ("crash", "damaged"):
            self.ended(number, ready=True)
        elif server.fault in ("leak", "creep"):
            server.began = self.now
            server.grows = 1 / (3600 * (1 + 2 * self.chance.random()))
            self.at(1 / server.grows, lambda: self.grown(number, server.since))
        elif server.fault == "hopeless":
            self.at(WORLD_SECONDS * (0.3 + self.chance.random()), lambda: self.mend(number, "time"))
        elif server.fault == "flicker":
            self.at(FLICKER_SECONDS, lambda: self.mend(number, ""))

    def grown(self, number: int, since: float) -> None:
        """What grew has reached its limit, unless it was seen before: it crashes."""
        server = self.servers[number]
        if server.grows and server.since == since and server.state == "ready":
            self.counts["reached its limit"] += 1
            server.grows, server.fault = 0.0, "crash"
            self.ended(number, ready=True)

    def ended(self, number: int, *, ready: bool) -> None:
        """A process ended by itself: the supervision decides."""
        server = self.servers[number]
        server.state = "down"
        failure = Failure(self.now, ready, self.now - server.began if ready else 0.0)
        began = time.thread_time()
        server.history = remember(server.history, failure, self.limits)
        verdict = decide(server.history, self.now, self.limits, self.chance.random())
        self.deciding += time.thread_time() - began
        if isinstance(verdict, Restart):
            self.at(verdict.delay, lambda: self.restart(number))
        elif isinstance(verdict, GiveUp):
            server.state = "given_up"
            self.counts["given up"] += 1
            self.schedule.put(str(number), self.now)

    def restart(self, number: int) -> None:
        """Wait for a turn of the fleet, and start."""
        began = time.thread_time()
        wait = self.starts.turn()
        self.deciding += time.thread_time() - began
        self.at(wait, lambda: self.start(number))

    def start(self, number: int) -> None:
        """Start a process by itself; it is ready after a second, or never comes up."""
        self.started()
        server = self.servers[number]
        if server.state != "down":
            return
        if server.fault == "damaged":
            self.at(1, lambda: self.ended(number, ready=False) if server.state == "down" else None)
            return
        self.at(1, lambda: self.up(number))

    def up(self, number: int) -> None:
        """A process that was started is ready."""
        server = self.servers[number]
        if server.state != "down":
            return
        server.state, server.began = "ready", self.now
        self.files[number].restarted()
        if server.fault in ("crash", ""):
            self.mend(number, "supervision")

    def started(self) -> None:
        """Count a start that nobody asked for."""
        self.counts["restarts"] += 1
        self.window.append(self.now)
        while self.window[0] <= self.now - 60:
            self.window.popleft()
        self.most_restarts = max(self.most_restarts, len(self.window))

    def mend(self, number: int, by: str) -> None:
        """The failure is over, if this cures it."""
        server = self.servers[number]
        if not server.fault or CURES[server.fault] != by:
            return
        self.healed[server.fault].append(self.now - server.since)
        server.fault, server.grows = "", 0.0

    # --- what is seen -------------------------------------------------------------------------------------------------

    def readings(self, number: int) -> dict[str, Reading]:
        """Return what the checks would see of a server."""
        server, gauss = self.servers[number], self.chance.gauss
        silent = server.fault in ("hang", "wedged", "lost", "hopeless", "doomed")
        if server.fault == "flicker":
            server.fails = silent = not server.fails
        if silent:
            return SILENCE
        grown = min((self.now - server.began) * server.grows, 1.0)
        seconds = server.typical * (1 + 0.2 * abs(gauss(0, 1))) + (10 * grown if server.fault == "creep" else 0)
        found = {
            "connectivity": PASSED,
            "response_time": self.measured(seconds, 10.0, "s", "question"),
            "error_rate": NOTHING,
            "protocol": CLEAN,
        }
        if server.remote:
            found["resources"] = NOTHING
        else:
            share = 0.2 + server.typical + 0.01 * gauss(0, 1) + (grown * 0.8 if server.fault == "leak" else 0)
            found["resources"] = self.measured(share, 0.9, "share", "memory")
        return found

    @staticmethod
    def measured(value: float, limit: float, unit: str, basis: str) -> Reading:
        """Return what a check says of a measure that should stay below its limit."""
        status = CheckStatus.FAIL if value > limit else CheckStatus.PASS
        return Reading(status=status, value=value, unit=unit, limit=limit, looked_at=1, basis=basis, ageing=True)

    def decided(self, number: int, readings: dict[str, Reading]) -> tuple[int, Condition, str] | None:
        """Decide about one server after a look: how it was before, and what is to be done now; all of it is timed."""
        server, file = self.servers[number], self.files[number]
        before = file.chart.condition
        usual = pause(self.settings.every_seconds, self.chance.random())
        if server.state == "given_up":
            file.given_up("it failed too often", self.now)
        elif server.state == "ready":
            file.look(readings, self.now, self.settings)
        else:  # the supervision owns it
            self.schedule.put(str(number), self.now + usual)
            return None
        if file.closely:
            usual = self.settings.doubt_seconds
        step = file.step(self.case(server, file.chart.condition), self.now, self.pace, self.chance.random())
        remedy = step.remedy if isinstance(step, Try) else ""
        if remedy and remedy not in NO_STARTS and not self.starts.free():
            remedy = ""
        if isinstance(step, Rest):
            if step.forget:
                file.forget()
        elif not isinstance(step, Try):
            usual = min(usual, max(step.seconds, 1.0))
        self.weights[number] = weight(file.chart, file.climb, self.settings.degraded_weight)
        self.schedule.put(str(number), self.now + usual)
        return number, before, remedy

    @staticmethod
    def case(server: Server, condition: Condition) -> Case:
        """Return the remedies that apply to a server."""
        if server.remote:
            return Case(condition=condition, rungs=REMOTE_RUNGS, knock="reconnect")
        if server.state == "ready":
            return Case(condition=condition, rungs=LOCAL_RUNGS, gentle="soft_restart", knock="hard_restart")
        return Case(condition=condition, rungs=DOWN_RUNGS, knock="hard_restart")

    def changed(self, number: int, before: Condition, after: Condition) -> None:
        """Count what became of a condition."""
        server = self.servers[number]
        if before is after:
            return
        self.counts[f"{before} to {after}"] += 1
        if after is Condition.FAILING:
            server.fell += 1
            self.counts["swings"] += server.fell > 1
        if after is Condition.DEGRADED and server.fault in self.warned and before is Condition.HEALTHY:
            left = server.began + 1 / server.grows - self.now
            self.warned[server.fault].append(left)
        if after is not Condition.HEALTHY and not server.fault:
            self.counts["false alarms"] += 1

    def treat(self, number: int, remedy: str) -> None:
        """Apply a remedy; it takes its time."""
        server, file = self.servers[number], self.files[number]
        server.treated = True
        file.try_(remedy, self.now)
        self.counts[f"remedy {remedy}"] += 1
        self.counts["false remedies"] += not server.fault
        if remedy not in NO_STARTS:
            self.started()
        self.at(SECONDS[remedy], lambda: self.treated(number, remedy))

    def treated(self, number: int, remedy: str) -> None:
        """A remedy was applied: to the one it helps, to the other it does not."""
        server, file = self.servers[number], self.files[number]
        server.treated = False
        stands_in = ("another",) if remedy == REPLACE and server.fault != "doomed" else ()
        if remedy == ESCALATE:
            self.at(PERSON_SECONDS, lambda: self.person(number))
        if remedy == ESCALATE or stands_in:
            file.done(Done("", renews=False, stands_in=stands_in), self.now)
        elif remedy == REPLACE or (remedy == "soft_restart" and server.fault == "wedged"):
            file.failed("it could not be", self.now)
        else:
            self.renewed(number, remedy)
        self.schedule.put(str(number), self.now + self.settings.backoff_seconds)

    def renewed(self, number: int, remedy: str) -> None:
        """Another process runs; it is well if this remedy, or a gentler one, cures what is wrong."""
        server, file = self.servers[number], self.files[number]
        harsher = ("soft_restart", "hard_restart", "full_recovery")
        cure = CURES.get(server.fault, "")
        if cure in harsher and remedy in harsher and harsher.index(remedy) >= harsher.index(cure):
            remedy = cure
        self.mend(number, remedy)
        if server.fault == "damaged":
            file.failed("it does not come up", self.now)
            return
        server.state, server.began, server.history = "ready", self.now, ()
        file.done(Done("it was done"), self.now)

    def person(self, number: int) -> None:
        """A person mends what nothing else did, and starts it."""
        server = self.servers[number]
        if server.fault:
            self.mend(number, CURES[server.fault])
        server.state, server.began, server.history = "ready", self.now, ()
        self.files[number].afresh()
        self.schedule.put(str(number), self.now + self.settings.backoff_seconds)

    # --- time ---------------------------------------------------------------------------------------------------------

    def tick(self) -> float:
        """Let one second pass; return the CPU seconds that its decisions took."""
        self.now += 1.0
        self.deciding = 0.0
        while self.events and self.events[0][0] <= self.now:
            heapq.heappop(self.events)[2]()
        began = time.thread_time()
        due = [int(name) for name in self.schedule.pop(self.now)]
        self.deciding += time.thread_time() - began
        seen = [
            (number, self.readings(number) if self.servers[number].state == "ready" else {})
            for number in due
            if not self.servers[number].treated
        ]
        self.counts["looks"] += len(seen)
        began = time.thread_time()
        decided = [self.decided(number, readings) for number, readings in seen]
        self.deciding += time.thread_time() - began
        for each in decided:
            if each is not None:
                self.changed(each[0], each[1], self.files[each[0]].chart.condition)
                if each[2]:
                    self.treat(each[0], each[2])
        if self.now % SHORT.every_seconds == 0:
            self.plans.append(self.needs.look(self.now, self.failing()))
            self.deciding += self.plans[-1]
        return self.deciding

    def failing(self) -> dict[int, float]:
        """Return since when servers fail, of those that do."""
        return {
            number: server.since
            for number, server in enumerate(self.servers)
            if server.fault and self.files[number].chart.condition is Condition.FAILING
        }


def run(given: argparse.Namespace, hours: float) -> tuple[Fleet, list[float], list[int]]:
    """Simulate; return the fleet, the seconds of each tick, and the memory in bytes after each hour."""
    fleet = Fleet(given.servers, given.failures, given.seed)
    ticks, memory = [], []
    gc.freeze()
    for second in range(int(hours * 3600)):
        if second % 3600 == 0:
            fleet.hour(second // 3600, at_once=second // 3600 == given.together)
        ticks.append(fleet.tick())
        if second % 3600 == 3599:
            traced = tracemalloc.is_tracing()
            memory.append(tracemalloc.get_traced_memory()[1] if traced else resident())
            print(f"hour {second // 3600 + 1}: {memory[-1] / 1024**2:.0f} MiB", file=sys.stderr)
            if given.out and not traced:
                given.out.write_text(json.dumps(figures(fleet, ticks, memory), indent=2) + "\n")
    return fleet, ticks, memory


def resident() -> int:
    """Return the bytes that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def figures(fleet: Fleet, ticks: list[float], memory: list[int]) -> dict[str, Any]:
    """Return what is claimed, and what it rests on."""
    ordered, counts = sorted(ticks), fleet.counts
    settings = fleet.settings
    middle = {kind: median(seconds) for kind, seconds in fleet.healed.items() if seconds}
    return {
        "servers": len(fleet.servers),
        "hours": counts["hours"],
        "failures": counts["failures"],
        "looks": counts["looks"],
        "tick_ms": {
            "median": round(median(ordered) * 1e3, 2),
            "p99": round(ordered[int(len(ordered) * 0.99)] * 1e3, 2),
            "max": round(ordered[-1] * 1e3, 2),
        },
        "plan_ms": {
            "median": round(median(fleet.plans) * 1e3, 2),
            "max": round(max(fleet.plans, default=0.0) * 1e3, 2),
        },
        "planned": dict(sorted(fleet.needs.counts.items())),
        "installs_in_a_day": fleet.needs.most_a_day,
        "installs_allowed_a_day": SHORT.installs_per_day,
        "restarts": counts["restarts"],
        "most_restarts_a_minute": fleet.most_restarts,
        "restarts_allowed_a_minute": round(settings.restarts_per_minute + settings.restarts_at_once),
        "restarts_held": fleet.starts.state().waited,
        "swings": counts["swings"],
        "false_alarms": counts["false alarms"],
        "false_remedies": counts["false remedies"],
        "still_failing": sum(bool(server.fault) for server in fleet.servers),
        "reached_its_limit": counts["reached its limit"],
        "seconds_to_heal": {kind: round(seconds, 1) for kind, seconds in middle.items()},
        "minutes_of_warning": {kind: round(median(left) / 60, 1) for kind, left in fleet.warned.items() if left},
        "counts": dict(sorted(counts.items())),
        "memory_mib": [round(each / 1024**2, 1) for each in memory],
    }


def median(values: list[float]) -> float:
    """Return the middle one."""
    return sorted(values)[len(values) // 2] if values else 0.0


def main() -> int:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--servers", type=int, default=10_000)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--failures", type=int, default=1_000, help="failures an hour")
    parser.add_argument("--together", type=int, default=12, help="the hour whose failures come all in one second")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--traced-hours", type=float, default=2.0, help="hours to run once more, memory traced")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    found = figures(*run(given, given.hours))
    if given.traced_hours:
        gc.unfreeze()
        gc.collect()
        tracemalloc.start()
        _, _, traced = run(given, given.traced_hours)
        found["traced_peak_mib"] = [round(each / 1024**2, 1) for each in traced]
    text = json.dumps(found, indent=2)
    print(text)
    if given.out:
        given.out.write_text(text + "\n")
    good = found["swings"] == 0 and found["false_remedies"] == 0 and found["tick_ms"]["max"] <= 50
    return 0 if good and found["most_restarts_a_minute"] <= found["restarts_allowed_a_minute"] else 1


if __name__ == "__main__":
    sys.exit(main())
