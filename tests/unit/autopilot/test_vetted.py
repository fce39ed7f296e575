from __future__ import annotations

import pytest

from vsm_mcp.autopilot.vetted import honest
from vsm_mcp.model.finding import CheckStatus
from vsm_mcp.model.ref import parse_ref
from vsm_mcp.vetting.check import result, unavailable

RESULTS = (
    result("archive", 0, "entries", ()),
    result("identity", 281, "names compared", ()),
    unavailable("code", "files", "nothing was unpacked"),
)


def test_a_check_that_looked_at_nothing_of_an_image_does_not_pass_it() -> None:
    found = {each.check: each for each in honest(parse_ref("oci:example.org/x@sha256:" + "0" * 64), RESULTS)}
    assert (found["archive"].status, found["archive"].needed) == (CheckStatus.UNAVAILABLE, False)
    assert "image" in found["archive"].detail
    assert found["identity"].status is CheckStatus.PASS
    assert found["code"] == RESULTS[2]


@pytest.mark.parametrize("ref", ["npm:x@1.0.0", "cmd:/usr/bin/x", "https://example.org/mcp"])
def test_what_there_is_nothing_of_needs_no_look(ref: str) -> None:
    assert honest(parse_ref(ref), RESULTS) == RESULTS
