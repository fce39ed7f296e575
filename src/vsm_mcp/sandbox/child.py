"""Starting third-party code in its sandbox, and ending all of it."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import resource
import signal
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final, Self

import msgspec

from vsm_mcp.errors import SandboxUnavailable
from vsm_mcp.events import ContactRefused, Emit, ignore
from vsm_mcp.model.contact import Contact
from vsm_mcp.sandbox import cgroup, confined, container, guard, leftovers, reduced, seatbelt, tree, unconfined
from vsm_mcp.sandbox.bubblewrap import Variant
from vsm_mcp.sandbox.confinement import MEBIBYTE, Command, Completed, Confinement, Exit, exit_of
from vsm_mcp.sandbox.egress import resolve as resolving
from vsm_mcp.sandbox.egress.contacts import Contacts
from vsm_mcp.sandbox.egress.gate import Gate, Slots
from vsm_mcp.sandbox.egress.relay import Way
from vsm_mcp.sandbox.egress.resolve import Resolve
from vsm_mcp.sandbox.egress.rules import AllowList
from vsm_mcp.sandbox.running import Outputs, Running
from vsm_mcp.sandbox.scope import Scope
from vsm_mcp.sandbox.tier import Isolation, Tier
from vsm_mcp.sandbox.uids import Uids

_LAST_WORDS_SECONDS: Final = 2.0
_DESCRIPTORS_FOR_RELAYS: Final = 4  # half of all we may open: each connection costs two


class Child:
    """A running program and everything it started.

    ``stdin_fd``, ``stdout_fd`` and ``stderr_fd`` are non-blocking pipe ends that the caller owns and closes; so is
    ``trace_fd`` where its command has a tracer, else it is -1. ``tier`` is what holds it, ``contacts`` what it reached
    for where an allow-list says what it may.
    """

    def __init__(
        self, running: Running, scope: Scope, tier: Tier, contacts: Contacts | None = None, cpus: float = 0.0
    ) -> None:
        """``cpus`` is its share of the CPU, from :meth:`throttle` on; 0: no limit."""
        self.tier = tier
        self.contacts = contacts or Contacts()
        self.stdin_fd = running.pipes.stdin
        self.stdout_fd = running.pipes.stdout
        self.stderr_fd = running.pipes.stderr
        self.trace_fd = running.trace_fd
        self._running = running
        self._scope = scope
        self._cpus = cpus
        self._throttled = False
        self._exit: asyncio.Task[Exit] = asyncio.get_running_loop().create_task(self._ended())

    @property
    def pid(self) -> int:
        """The program's own process id on this machine."""
        return self._scope.pid

    @property
    def ended(self) -> bool:
        """Whether it is over and nothing of it is left."""
        return self._exit.done()

    def processes(self) -> list[int]:
        """Return the ids (on this machine) of all processes that belong to the program."""
        return self._scope.processes()

    def peak_memory(self) -> int | None:
        """Return the most bytes it held at once, as far as anybody counted."""
        return self._scope.peak_memory()

    def adapt(self, confinement: Confinement) -> bool:
        """Take on other limits while it runs; false where it has to be started anew for them."""
        if self._exit.done():
            return True
        self._cpus = confinement.cpus
        try:
            if self._throttled:
                self._scope.limit_cpu(self._cpus)
        except OSError:
            return False
        return self._scope.adapt(confinement)

    async def throttle(self) -> None:
        """Hold it to its share of the CPU from now on: its start-up, which may take what there is, is over.

        Raises :class:`SandboxUnavailable` when that cannot be done.
        """
        self._throttled = True
        try:
            await asyncio.to_thread(self._scope.limit_cpu, self._cpus)
        except OSError as error:
            if not self._exit.done() and not await self.over(_LAST_WORDS_SECONDS):
                raise SandboxUnavailable(f"its CPU cannot be limited: {error.strerror or error}") from error

    async def wait(self) -> Exit:
        """Return how it ended; nothing of it is left then."""
        return await asyncio.shield(self._exit)

    async def over(self, timeout: float) -> bool:
        """Wait up to ``timeout`` seconds; return whether it is over."""
        await asyncio.wait([self._exit], timeout=timeout)
        return self._exit.done()

    async def ask(self, grace: float) -> bool:
        """Ask all of it to end (SIGTERM) and do no more; return whether it did within ``grace`` seconds."""
        if not self._exit.done():
            tree.send(self._scope.processes(), signal.SIGTERM)
        return await self.over(grace)

    async def stop(self, grace: float) -> Exit:
        """Ask all of it to end (SIGTERM), and kill it after ``grace`` seconds; close its stdin before."""
        await self.ask(grace)
        return await self.kill()

    async def kill(self) -> Exit:
        """End it and all it started, at once."""
        if not self._exit.done():
            self._scope.end()
        return await asyncio.shield(self._exit)

    def on_end(self, call: Callable[[Child], None]) -> None:
        """Have ``call`` called once it is over."""
        self._exit.add_done_callback(lambda _task: call(self))

    async def _ended(self) -> Exit:
        code = await self._running.exited
        await self._scope.settle()
        ended = exit_of(code, passed_on=self.tier.passes_signals_on, oom=self._scope.out_of_memory())
        return msgspec.structs.replace(ended, limit=self._scope.exceeded())


class Sandbox:
    """Starts programs as isolated as this machine allows. An async context manager: leaving it ends them all."""

    def __init__(
        self,
        isolation: Isolation,
        *,
        least: str = Tier.REDUCED,
        guarded: bool = True,
        emit: Emit = ignore,
        resolve: Resolve = resolving.system,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """``least`` is the tier below which nothing starts without permission.

        ``guarded`` has a process wait for this daemon's death, from the first start on. ``emit`` hears of contacts
        that were refused; ``resolve`` finds the addresses of allowed names. ``environ`` is this machine's, for what
        runs containers.
        """
        self.isolation = isolation
        self._least = least
        self._emit = emit
        self._resolve = resolve
        self._environ = environ or {}
        self._contacts: dict[str, Contacts] = {}
        self._slots = Slots(resource.getrlimit(resource.RLIMIT_NOFILE)[0] // _DESCRIPTORS_FOR_RELAYS)
        self._guarded = guarded
        self._guard: guard.Guard | None = None
        self._uids = Uids()
        self._numbers = itertools.count(1)
        self._live: dict[Child, tuple[str, ...]] = {}
        self._groups: set[str] = set()

    async def __aenter__(self) -> Self:
        if self.isolation.cgroup is not None:
            await asyncio.to_thread(cgroup.sweep, self.isolation.cgroup)
        if not self.isolation.tier.reaches(Tier.FULL_SOFT):
            await asyncio.to_thread(leftovers.sweep)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def spawn(self, command: Command, confinement: Confinement, *, name: str, unsandboxed: bool = False) -> Child:
        """Start a program; call it on the event loop's thread.

        ``unsandboxed`` permits to do with less than the least tier, and without a sandbox where none can be had that
        gives what ``confinement`` asks for; where one can, it is used all the same.
        Raises :class:`SandboxUnavailable` (no sandbox and not permitted without, or it cannot be set up),
        :class:`BadArgument` (a path that cannot be granted).
        """
        if confinement.engine:
            return self._contained(command, confinement, name, unsandboxed=unsandboxed)
        tier = self.isolation.holding(sockets=confinement.sockets, unsandboxed=unsandboxed)
        if not unsandboxed:
            self._refuse(confinement, name)
        if tier is Tier.NONE:
            running, scope = unconfined.start(command, confinement, self._token())
            return self._keep(Child(running, scope, tier), confinement)
        contacts = Contacts()
        running, inside = await self._confined(command, confinement, name, contacts)
        return self._keep(Child(running, inside, tier, contacts, confinement.cpus), confinement)

    def _contained(self, command: Command, confinement: Confinement, name: str, *, unsandboxed: bool) -> Child:
        if not (unsandboxed or Tier.CONTAINER.reaches(self._least)):
            raise SandboxUnavailable(
                f"{name} is a container, which is less than [sandbox] least_tier = {self._least} asks for",
                "lower least_tier, or --allow-unsandboxed for this server",
            )
        running, scope = container.start(command, confinement, name, self._token(), self._environ)
        return self._keep(Child(running, scope, Tier.CONTAINER), confinement)

    def _refuse(self, confinement: Confinement, name: str) -> None:
        """Raise :class:`SandboxUnavailable` where what is asked for cannot be had."""
        isolation = self.isolation
        if not isolation.tier.reaches(self._least):
            wanted = "" if isolation.tier is Tier.NONE else f" as [sandbox] least_tier = {self._least} asks"
            raise SandboxUnavailable(
                f"{name} cannot be sandboxed here{wanted}: {'; '.join(isolation.reasons) or 'no reason known'}",
                "; ".join((*isolation.remedies, "or --allow-unsandboxed to run it with what there is")),
            )
        if isolation.tier is Tier.REDUCED and confinement.sockets:
            need = "the network" if confinement.network else "to listen on a port"
            raise SandboxUnavailable(
                f"{name} needs {need}, and the reduced tier that this machine gives has no sockets: "
                f"{isolation.reasons[0] if isolation.reasons else 'no namespaces'}",
                "; ".join((*isolation.remedies, "or --allow-unsandboxed to run it without any isolation")),
            )

    async def run(
        self,
        command: Command,
        confinement: Confinement,
        *,
        name: str,
        timeout: float,
        max_output: int = MEBIBYTE,
    ) -> Completed:
        """Run a program to its end, without input; see :meth:`spawn`. After ``timeout`` seconds it is killed."""
        child = await self.spawn(command, confinement, name=name)
        os.close(child.stdin_fd)
        outputs = Outputs(child.stdout_fd, child.stderr_fd, max_output)
        try:
            await child.throttle()
            await child.over(timeout)
        finally:
            timed_out = not child.ended
            ended = await child.kill()
            stdout, stderr, truncated = await outputs.last(_LAST_WORDS_SECONDS)
        return Completed(
            exit=ended,
            stdout=stdout,
            stderr=stderr,
            timed_out=timed_out,
            truncated=truncated,
            confined=child.tier is not Tier.NONE,
            contacts=child.contacts.all(),
        )

    def contacts(self, name: str) -> tuple[Contact, ...]:
        """Return what all processes of that name reached for since this sandbox was opened."""
        return self._contacts[name].all() if name in self._contacts else ()

    def in_use(self) -> frozenset[str]:
        """Return the paths that were given for reading to whatever runs: its installation is one of them."""
        return frozenset(path for paths in self._live.values() for path in paths)

    def forget(self, name: str) -> None:
        """Forget the contacts of a name."""
        self._contacts.pop(name, None)

    async def close(self) -> None:
        """End all that runs."""
        await asyncio.gather(*(child.kill() for child in tuple(self._live)))
        if self.isolation.cgroup is not None:
            await asyncio.to_thread(cgroup.leave, self.isolation.cgroup)
        if self._guard is not None:
            self._guard = None
            await guard.release()

    async def tidy(self) -> tuple[int, int]:
        """Remove the control groups and the folders that daemons which are gone, or ours that were slow to die, left.

        Return how many of each.
        """
        layout, groups = self.isolation.cgroup, 0
        if layout is not None:
            groups = await asyncio.to_thread(cgroup.sweep, layout)
            groups += await asyncio.to_thread(cgroup.tidy, layout, self._is_unused)
        return groups, await asyncio.to_thread(leftovers.sweep)

    @property
    def _suffix(self) -> str:
        return f"-{id(self):x}"

    def _is_unused(self, group: str) -> bool:
        """Whether a group was ours: its name is noted before it is made, and until it is no longer needed."""
        return group.endswith(self._suffix) and group not in self._groups

    def _token(self) -> str:
        """Return what our processes are known by; start the guard that looks for it."""
        if not self._guarded:
            return "bwrap"
        if self._guard is None:
            try:
                self._guard = guard.hold()
            except OSError as error:
                raise SandboxUnavailable(f"no process can be started: {error.strerror or error}") from error
        return self._guard.token

    def _gate(self, allowed: AllowList, name: str, own: Contacts) -> Gate:
        everything = self._contacts.setdefault(name, Contacts())

        def note(contact: Contact) -> None:
            now = time.time()
            own.add(contact, now)
            if everything.add(contact, now) and not contact.allowed:
                self._emit(
                    ContactRefused(
                        server=name, host=contact.host, port=contact.port, reason=contact.reason, grant=contact.grant
                    )
                )

        return Gate(Way(allowed, self._resolve, resolving.own), note, self._slots)

    async def _confined(
        self, command: Command, confinement: Confinement, name: str, contacts: Contacts
    ) -> tuple[Running, Scope]:
        isolation, token, network = self.isolation, self._token(), confinement.network
        own = os.geteuid() == 0 and isolation.mechanism != "seatbelt"
        uid = self._uids.lease(name, confinement.home) if own else None
        group = None
        word = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:64]
        label = f"{word}-{next(self._numbers)}{self._suffix}"
        if isolation.cgroup is not None:
            self._groups.add(label)
            group = cgroup.Group(isolation.cgroup, label)

        def release() -> None:
            self._groups.discard(label)
            if uid is not None:
                self._uids.release(uid)

        try:
            if isolation.mechanism == "seatbelt":
                return seatbelt.start(command, confinement, token)
            if isolation.tier is Tier.REDUCED:
                walls = reduced.Variant(abi=isolation.landlock, token=token, uid=uid, canary=isolation.canary)
                return await reduced.start(walls, command, confinement, group, release)
            variant = Variant(bwrap=isolation.bwrap, token=token, uid=uid, lock_userns=isolation.lock_userns)
            gate = self._gate(network, name, contacts) if isinstance(network, AllowList) else None
            return await confined.start(variant, command, confinement, group, release, gate)
        except BaseException:
            release()
            raise

    def _keep(self, child: Child, confinement: Confinement) -> Child:
        self._live[child] = confinement.read_only
        child.on_end(self._gone)
        return child

    def _gone(self, child: Child) -> None:
        self._live.pop(child, None)
