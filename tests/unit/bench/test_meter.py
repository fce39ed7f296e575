from __future__ import annotations

import os
import socket
import time

from vsm_mcp.bench.meter import cpu_seconds, listening_on, memory_bytes

NOBODY = 2**22 + 1  # above the highest pid of Linux


def test_cpu_is_counted_finely() -> None:
    before = cpu_seconds(os.getpid())
    began = time.process_time()
    while time.process_time() - began < 0.004:
        pass
    after = cpu_seconds(os.getpid())
    assert before is not None
    assert after is not None
    assert 0.003 < after - before < 1


def test_what_cannot_be_read_is_not_made_up() -> None:
    assert cpu_seconds(None) is None
    assert cpu_seconds(NOBODY) is None
    assert memory_bytes(None) is None
    assert memory_bytes(NOBODY) is None


def test_memory_is_in_bytes() -> None:
    memory = memory_bytes(os.getpid())
    assert memory is not None
    assert 5 << 20 < memory < 5 << 30


def test_whoever_listens_is_found() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        assert listening_on(port) is None
        listener.listen()
        assert listening_on(port) == os.getpid()
