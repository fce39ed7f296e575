"""Each pitfall that was measured before the sandbox was built (issue 4), and the test that would notice it.

The table is checked: a test that it names must be there. What is tested nowhere else is tested below. The pitfalls of
watching a trial are for the tests of the trial.
"""

from __future__ import annotations

import ast
import asyncio
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import msgspec
import pytest
from tests.sandboxes import PLAIN, PYTHON, close, whole

from vsm_mcp.sandbox.child import Child, Sandbox
from vsm_mcp.sandbox.confinement import Command

TESTS: Final = Path(__file__).resolve().parents[1]
HERE: Final = "containment/test_pitfalls.py"
PROBES: Final = "containment/test_probes.py::test_the_sandbox_contains_every_probe"
CONTAINMENT: Final = "scenarios/test_containment.py"
TEARDOWN: Final = "scenarios/test_teardown.py"
EGRESS: Final = "scenarios/test_egress.py"
LIMITS: Final = "scenarios/test_limits.py"
BUBBLEWRAP: Final = "unit/sandbox/test_bubblewrap.py"

COVERED: Final[dict[str, tuple[str, ...]]] = {
    # bubblewrap
    "a root daemon with a user namespace keeps kernel uid 0, which may write /proc/sys": (
        f"{HERE}::test_a_server_is_never_root_in_the_kernel",
        f"{BUBBLEWRAP}::test_what_always_holds",
        f"{CONTAINMENT}::test_kernel_settings_and_the_system_cannot_be_written",
        PROBES,
    ),
    "--clearenv and --setenv show the daemon's environment, and secrets in argument lists": (
        f"{CONTAINMENT}::test_environment_is_clean_and_secrets_are_in_no_argument_list",
        f"{BUBBLEWRAP}::test_secrets_go_through_options_only",
        PROBES,
    ),
    "the death signal belongs to the thread that forked": (
        f"{HERE}::test_a_server_outlives_the_threads_of_the_daemon",
    ),
    "SIGTERM to the outer bwrap does not reach the server": (f"{TEARDOWN}::test_sigterm_reaches_the_server",),
    "missing parents of binds are made 0700": (
        f"{BUBBLEWRAP}::test_parents_of_grants_can_be_passed",
        f"{CONTAINMENT}::test_grant_below_the_home_of_the_person",
    ),
    "--as-pid-1 leaves zombies, and as root survivors": (
        f"{BUBBLEWRAP}::test_what_always_holds",
        f"{CONTAINMENT}::test_orphans_are_reaped",
        f"{TEARDOWN}::test_end_of_the_daemon_leaves_nothing",
    ),
    "/dev/shm of --dev has no size": (
        f"{BUBBLEWRAP}::test_sizes_are_limited",
        f"{CONTAINMENT}::test_home_and_tmp_are_private_small_and_gone_afterwards",
    ),
    "memory files do not count as memory": (f"{LIMITS}::test_what_lies_in_scratch_counts_as_memory",),
    "mountinfo shows paths of the machine": (
        "containment/test_probes.py::test_every_harmless_leak_is_in_the_reference",
    ),
    "a bubblewrap without --disable-userns lets user namespaces be made": (
        f"{HERE}::test_an_old_bubblewrap_lets_no_user_namespace_be_made",
        f"{BUBBLEWRAP}::test_user_namespace_is_locked",
    ),
    "what lies below a closed home is not readable for the server's uid": (
        "unit/sandbox/test_mounts.py::test_own_directory_that_not_all_may_read_is_mapped",
        f"{CONTAINMENT}::test_writable_grant_acts_as_its_owner",
    ),
    "RLIMIT_NPROC counts for a uid, not for a server": (
        "unit/sandbox/test_values.py::test_live_uids_never_collide",
        f"{CONTAINMENT}::test_fork_bomb_is_held",
    ),
    "a bwrap in a person's PATH is run by root": (
        f"{CONTAINMENT}::test_without_bubblewrap_nothing_starts_unless_permitted",
    ),
    "a bwrap that is installed may still be refused": (
        f"{CONTAINMENT}::test_bubblewrap_that_is_refused_counts_as_none",
    ),
    # limits
    "RLIMIT_AS and RLIMIT_DATA break node": (f"{LIMITS}::test_memory_is_not_limited_in_a_way_that_breaks_programs",),
    "a CPU quota makes starts slow": ("unit/sandbox/test_cgroup.py::test_version_2_limits",),
    "a group of version 2 must hold no processes beside subgroups": (
        "unit/sandbox/test_cgroup.py::test_version_2_makes_room_for_subgroups",
        "unit/sandbox/test_cgroup.py::test_version_2_beside_strangers_is_none",
    ),
    "a killed daemon leaves control groups": (
        f"{TEARDOWN}::test_next_start_sweeps_the_control_groups_of_a_killed_daemon",
        "unit/sandbox/test_cgroup.py::test_sweep_spares_the_living",
    ),
    # network
    "a helper that brings lo up first makes bubblewrap die": (
        "unit/sandbox/egress/test_namespace.py::test_it_waits_for_the_loopback_and_every_address_is_local_then",
    ),
    "programs ignore proxies": (f"{EGRESS}::test_programs_that_know_nothing_of_it_reach_their_host",),
    "questions for names carry data out": (f"{EGRESS}::test_names_that_are_not_allowed_are_asked_of_nobody",),
    "an allowed name may lead to a private address or the metadata service": (
        "unit/sandbox/egress/test_addresses.py::test_what_no_name_may_lead_to",
        "unit/sandbox/egress/test_relay.py::test_an_address_of_this_machine_is_not_reached_through_a_name",
    ),
    "behind an allowed address others may be asked for": (
        f"{EGRESS}::test_tls_may_ask_for_the_name_it_looked_up_only",
    ),
    # system calls
    "openat2, O_TMPFILE and fchmodat2 make setuid files": (
        PROBES,
        "unit/sandbox/test_seccomp.py::test_what_the_filters_answer",
    ),
    "AF_VSOCK is in no network namespace; io_uring opens sockets past a filter": (
        PROBES,
        f"{CONTAINMENT}::test_system_calls_that_reach_out_are_refused",
    ),
    "numbers in wide registers pass a filter that compares all of them": (
        f"{CONTAINMENT}::test_system_calls_that_reach_out_are_refused",
        PROBES,
    ),
    "links that a server plants are followed by the machine": (
        f"{CONTAINMENT}::test_a_server_cannot_widen_its_next_start_by_a_link",
        "unit/sandbox/test_mounts.py::test_link_that_the_server_may_have_planted_is_not_followed",
        "unit/install/test_npm_entry.py::test_a_link_that_a_script_planted_is_not_followed",
    ),
    # teardown
    "a daemon killed in the middle of a start leaves what waits": (
        f"{TEARDOWN}::test_kill_9_at_any_point_of_a_start_leaves_nothing",
    ),
    "killing the outer bwrap leaves an orphan": (
        f"{TEARDOWN}::test_killed_from_outside_is_told",
        f"{TEARDOWN}::test_stop_leaves_nothing_of_a_stubborn_server",
    ),
    "without a sandbox grandchildren survive": (
        f"{TEARDOWN}::test_unsandboxed_is_ended_too",
        f"{TEARDOWN}::test_end_of_the_daemon_leaves_nothing",
        f"{TEARDOWN}::test_tool_is_ended_on_timeout_and_on_cancellation",
    ),
}
SLEEP: Final = "print('up', flush=True)\nimport time\ntime.sleep(60)"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(await whole()) as opened:
        yield opened


async def started(sandbox: Sandbox) -> Child:
    """Start a program and wait until it speaks: by then every uid is what it will be."""
    child = await sandbox.spawn(Command(argv=(PYTHON, "-I", "-S", "-c", SLEEP)), PLAIN, name="sleeper")
    os.set_blocking(child.stdout_fd, True)
    assert await asyncio.wait_for(asyncio.to_thread(os.read, child.stdout_fd, 3), 20) == b"up\n"
    return child


@pytest.mark.parametrize("pitfall", COVERED)
def test_the_tests_of_a_pitfall_are_there(pitfall: str) -> None:
    for name in COVERED[pitfall]:
        path, _, function = name.partition("::")
        tree = ast.parse((TESTS / path).read_text("utf-8"))
        defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert function in defined, name


async def test_a_server_is_never_root_in_the_kernel(sandbox: Sandbox) -> None:
    """Seen from outside: what a user namespace calls its uid says nothing."""
    child = await started(sandbox)
    try:
        for pid in child.processes():
            fields = dict(
                line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
            )
            assert "0" not in fields["Uid"].split() + fields["Gid"].split(), fields["Name"]
            assert set(fields["CapEff"]) == set(fields["CapPrm"]) == {"0"}, fields["Name"]
    finally:
        close(child)
        await child.kill()


async def test_a_server_outlives_the_threads_of_the_daemon(sandbox: Sandbox) -> None:
    """bubblewrap dies with the thread that started it: the workers, which come and go, must not be that thread."""
    loop = asyncio.get_running_loop()
    workers = ThreadPoolExecutor()
    loop.set_default_executor(workers)
    child = await started(sandbox)
    try:
        loop.set_default_executor(ThreadPoolExecutor())
        workers.shutdown()
        assert not await child.over(0.2)
    finally:
        close(child)
        await child.kill()


@pytest.mark.skipif(os.geteuid() == 0, reason="as root there is no user namespace to lock")
async def test_an_old_bubblewrap_lets_no_user_namespace_be_made(sandbox: Sandbox) -> None:
    """Before 0.8 it cannot lock them: the call filter has to."""
    isolation = msgspec.structs.replace(sandbox.isolation, lock_userns=False)
    async with Sandbox(isolation) as old:
        done = await old.run(
            Command(argv=("/usr/bin/unshare", "--user", "/usr/bin/true"), env={"PATH": "/usr/bin"}),
            PLAIN,
            name="unshare",
            timeout=20,
        )
    assert not done.ok
    assert b"Operation not permitted" in done.stderr
