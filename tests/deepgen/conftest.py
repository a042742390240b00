"""What tests of several rooms share."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def no_curves() -> Iterator[None]:
    """Curves are drawn in the tests of the command line; elsewhere they would take most of the time."""
    from deepgen.runs.pictures import PICTURES

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PICTURES, "curves", lambda *_: None)
        yield
