from __future__ import annotations

import pytest
from tests.unit.runtime.world import World

from vsm_mcp.config import Config, Policy
from vsm_mcp.errors import PolicyDenied


@pytest.mark.parametrize("pattern", ["pypi:faulty", "pypi:*"])
async def test_a_server_that_the_policy_denies_is_not_started(world: World, pattern: str) -> None:
    world.add("a")
    await world.runtime.start("a")
    await world.runtime.stop("a")
    world.runtime.configure(Config(home=world.config.home, policy=Policy(deny=(pattern,))))
    for start in (lambda: world.runtime.start("a"), lambda: world.runtime.connection("a", 15)):
        with pytest.raises(PolicyDenied, match=r"\[policy\] deny holds"):
            await start()
    world.runtime.configure(Config(home=world.config.home, policy=Policy(deny=("npm:faulty",))))
    assert await world.runtime.connection("a", 15)
