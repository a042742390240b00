"""The Bayesian Network Repository's networks, as the pgmpy wheel carries them, and rows of evidence for them."""

from __future__ import annotations

import gzip
import random
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pgm
from pgm.model import Model

SMALL = ("asia", "alarm", "insurance", "hailfinder", "hepar2", "win95pts")
LARGE = ("andes", "pigs", "water", "mildew", "barley", "diabetes", "munin", "link", "munin1")
NAMES = SMALL + LARGE
OBSERVED = 5


def folder() -> Path:
    """Where the repository's files lie.

    Raises:
        FileNotFoundError: when pgmpy is not installed.
    """
    found = find_spec("pgmpy")
    if found is None or found.origin is None:
        raise FileNotFoundError("networks: the pgmpy package carries them and is not installed; pip install pgmpy.")
    return Path(found.origin).parent / "utils" / "example_models"


def load(name: str) -> Model:
    """One network, its rows rescaled to sum to exactly one so that every program answers the same question."""
    with tempfile.TemporaryDirectory() as scratch:
        plain = Path(scratch) / f"{name}.bif"
        plain.write_bytes(gzip.decompress((folder() / f"{name}.bif.gz").read_bytes()))
        model = pgm.load(plain)
    for conditional in model.conditionals.values():
        table = conditional.table.data  # type: ignore[union-attr]
        table /= table.sum(-1, keepdim=True)
    return model


def evidence(model: Model, rows: int, seed: int = 0, observed: int = OBSERVED) -> dict[str, list[str]]:
    """Labels of five leaves drawn at random, in rows drawn from the model itself, so that each is possible."""
    leaves = [name for name in model.graph.names if not model.graph.children[name]]
    chosen = random.Random(seed).sample(leaves, min(observed, len(leaves)))
    drawn = pgm.sample(model, rows, chosen, seed=seed)
    return {name: drawn.labels(name) for name in chosen}
