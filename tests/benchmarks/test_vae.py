"""The benchmark of variational autoencoders runs in its shortest form, and its bounds rise with the draws."""

from itertools import pairwise

import pytest

pytest.importorskip("sklearn", reason="carries digits, and the judge")


def test_rows_say_what_they_measured() -> None:
    from benchmarks.vae import rows

    *learned, labelled = rows(smoke=True)
    assert [row["model"] for row in (*learned, labelled)] == ["plain", "averaged", "tuned", "labelled"]
    for row in learned:
        assert all(low < high for low, high in pairwise([row["elbo"], row["iwae_5"], row["iwae_50"]]))
    assert labelled["judge"] > 0.95
