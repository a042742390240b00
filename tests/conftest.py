"""How every test runs: the same random inputs each time, one thread a worker, shapes checked."""

import contextlib
import importlib
import logging
import os
import runpy
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
import torch

# Signatures with shapes are checked in these modules. Modules with compiled kernels cannot be instrumented, and
# those that check their callers' arguments must raise their own errors instead.
SHAPED: tuple[str, ...] = ("pgm.pictures.bars",)

with contextlib.suppress(ImportError):  # the suite also runs where the checkers are missing, without the checks
    from jaxtyping import install_import_hook

    install_import_hook(list(SHAPED), "beartype.beartype")

with warnings.catch_warnings(), contextlib.suppress(ImportError):
    warnings.simplefilter("ignore")  # its compiled part crashes when a warning at import is an error
    import pyagrum  # noqa: F401

os.environ["PGM_CACHE"] = ""  # no orders from earlier runs
torch.set_num_threads(1)
hypothesis.settings.register_profile(
    "fixed", max_examples=40, derandomize=True, deadline=None, print_blob=True, database=None
)
hypothesis.settings.register_profile("random", deadline=None, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))


@pytest.fixture
def program(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Iterator[Callable[..., str]]:
    """Runs a file, or a module's `main`, and returns what is printed; here, as a new process would import for 3 s."""
    from matplotlib import pyplot, rc_context

    def run(what: Path | str, *words: str) -> str:
        monkeypatch.setattr(sys, "argv", [str(what), *words])
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # where short forms leave their pictures
        with torch.random.fork_rng(), rc_context(), warnings.catch_warnings():
            if isinstance(what, Path):
                runpy.run_path(str(what), run_name="__main__")
            else:
                warnings.simplefilter("ignore")  # of the peers of benchmarks
                importlib.import_module(what).main()
        return capsys.readouterr().out

    yield run
    pyplot.close("all")
    logging.disable(logging.NOTSET)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a GPU where there is none."""
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))
