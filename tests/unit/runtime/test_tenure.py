from __future__ import annotations

import pytest

from vsm_mcp.config import Runtime
from vsm_mcp.model.launch import Entry, Settings
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.model.server import Installation, Server
from vsm_mcp.runtime.tenure import Tenure, tenure_of

CONFIG = Runtime(lazy=False, idle_stop_seconds=60, session_idle_seconds=600, instances_per_server=3)


def tenure(settings: Settings | None = None, *, observed: bool = False, config: Runtime = CONFIG) -> Tenure:
    ref = parse_ref("pypi:x")
    entry = Entry(argv=("/x",), runtime="python")
    installation = Installation(server="x", ref=ref, version="1", path="/x", entry=entry)
    server = Server(
        name="x",
        ref=ref,
        version="1",
        installation=installation,
        settings=settings or Settings(),
        observed_stateful=observed,
    )
    return tenure_of(server, config)


def test_what_nobody_said_is_as_configured() -> None:
    assert tenure() == Tenure(
        stateful=False, because="default", lazy=False, idle_seconds=60, session_idle_seconds=600, instances=3
    )
    assert tenure(config=Runtime(lazy=True)).lazy


@pytest.mark.parametrize(
    ("said", "observed", "stateful", "because"),
    [
        (None, False, False, "default"),
        (None, True, True, "observed"),
        (True, False, True, "setting"),
        (False, True, False, "setting"),
    ],
)
def test_what_a_person_said_counts_more_than_what_was_seen(
    said: bool | None, observed: bool, stateful: bool, because: str
) -> None:
    found = tenure(Settings(stateful=said), observed=observed)
    assert (found.stateful, found.because) == (stateful, because)


@pytest.mark.parametrize("seconds", [0, 5])
def test_the_idle_time_of_a_server_holds_for_all_its_processes(seconds: float) -> None:
    found = tenure(Settings(idle_stop_seconds=seconds, lazy=True))
    assert (found.idle_seconds, found.session_idle_seconds, found.lazy) == (seconds, seconds, True)
    assert not tenure(Settings(lazy=False), config=Runtime(lazy=True)).lazy
