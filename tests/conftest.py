"""How every test runs: the same random inputs each time, one thread a worker, shapes checked."""

import contextlib
import os
import warnings

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
hypothesis.settings.register_profile("fixed", derandomize=True, deadline=None, print_blob=True, database=None)
hypothesis.settings.register_profile("random", deadline=None, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a GPU where there is none."""
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))
