from __future__ import annotations

from collections.abc import Iterator

import pytest

from vsm_mcp import errors


def below(kind: type[errors.VsmError]) -> Iterator[type[errors.VsmError]]:
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from below(child)


@pytest.mark.parametrize("kind", [errors.VsmError, *below(errors.VsmError)])
def test_every_error_has_a_code_and_a_remedy_of_its_own(kind: type[errors.VsmError]) -> None:
    for member in ("code", "remedy"):
        assert member in vars(kind), f"{kind.__name__} has no {member}"
    others = [other for other in below(errors.VsmError) if other is not kind]
    assert kind.code not in {other.code for other in others}


def test_an_error_is_never_without_a_hint() -> None:
    assert errors.TransportError("it broke").hint == errors.TransportError.remedy
    assert errors.TransportError("it broke", "mend it").hint == "mend it"
    assert errors.RpcError(-32601, "Method not found").hint
