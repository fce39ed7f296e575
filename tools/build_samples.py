"""Build the vectors of the sample needs, ``discovery/data/samples_{static,minilm}.npz``, from ``tools/samples.toml``.

    python -m tools.build_samples            (with the extra ``semantic``)

To be run after a change of the samples, of the taxonomy's tags, or of a model. The same samples give the same files.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vsm_mcp.discovery.index_vectors import fingerprint
from vsm_mcp.discovery.meaning import DATA, meaning
from vsm_mcp.discovery.samples import FILES
from vsm_mcp.matching.meaning import squeezed
from vsm_mcp.matching.wording import asked

SOURCE: Final = Path(__file__).with_name("samples.toml")


class Written(NamedTuple):
    """The samples as they are written: as many for each tag, in the order of the tags; what is out of scope."""

    tags: tuple[str, ...]
    of_each: int
    texts: tuple[str, ...]

    @property
    def fingerprint(self) -> str:
        """What tells these samples from others."""
        return fingerprint([*self.tags, *self.texts])


def written(path: Path = SOURCE) -> Written:
    """Read the samples. Raises ``ValueError`` where the tags have not all the same number."""
    document = tomllib.loads(path.read_text("utf-8"))
    needs: dict[str, list[str]] = document["needs"]
    tags = tuple(sorted(needs))
    sizes = {len(needs[tag]) for tag in tags}
    if len(sizes) != 1:
        raise ValueError(f"each capability must have as many samples as the others: {sorted(sizes)}")
    return Written(tags, sizes.pop(), (*(text for tag in tags for text in needs[tag]), *document["out_of_scope"]))


def lines(texts: Sequence[str]) -> NDArray[np.uint8]:
    """Return lines of text as an array."""
    return np.frombuffer("".join(f"{text}\n" for text in texts).encode(), np.uint8)


def main() -> None:
    """Embed, write."""
    samples = written()
    for semantic in (False, True):
        model = meaning(semantic)
        rows, scales = squeezed(model.embed([asked(text) for text in samples.texts]))
        np.savez(
            str(DATA / FILES[model.name]),
            made=lines([model.name, samples.fingerprint]),
            tags=lines(samples.tags),
            of_each=np.array(samples.of_each),
            vectors=rows,
            scales=scales,
        )
        print(f"{FILES[model.name]}: {len(samples.texts)} samples, {len(samples.tags)} capabilities")


if __name__ == "__main__":
    main()
