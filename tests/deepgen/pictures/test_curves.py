"""Training curves show the numbers of the history."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deepgen import History
from deepgen.pictures import curves
from pgm.errors import GraphError


def test_lines_are_the_history_and_watched_figures_lie_at_their_epochs():
    rows = [{"turn": 10 * k, "epoch": 0.5 * k, "seconds": k, "elbo.loss": 5.0 - k, "elbo.kl": k} for k in (1, 2, 3, 4)]
    rows[2:2] = [{"turn": 20, "held-out elbo.loss": 4.0}]
    rows.append({"turn": 40, "held-out elbo.loss": 2.0})
    loss, kl = curves(History(rows)).axes
    assert [axes.get_title(loc="left") for axes in (loss, kl)] == ["loss", "kl"]
    train, held = loss.lines
    assert train.get_xydata().tolist() == [[0.5, 4], [1.0, 3], [1.5, 2], [2.0, 1]]
    assert held.get_xydata().tolist() == [[1.0, 4.0], [2.0, 2.0]]
    assert [text.get_text() for text in loss.texts] == ["elbo", "held-out elbo"]  # from below
    assert kl.lines[0].get_ydata().tolist() == [1, 2, 3, 4]
    assert kl.get_xlabel() == "epoch"


def test_only_what_is_asked_for_is_drawn():
    history = History([{"turn": 1, "a.x": 1.0, "b.x": 2.0, "a.y": 3.0}])
    (axes,) = curves(history, "b.x").axes
    assert axes.lines[0].get_xydata().tolist() == [[1.0, 2.0]]
    assert axes.get_xlabel() == "turn"
    assert not axes.texts  # one line needs no name


@settings(max_examples=5)
@given(st.lists(st.floats(0.01, 1e6), min_size=2, max_size=5), st.booleans())
def test_scales_are_logarithmic_over_more_than_a_factor_of_five(values, negative):
    values = [*values, -1.0] if negative else values
    history = History([{"turn": k + 1, "phase.loss": value} for k, value in enumerate(values)])
    (axes,) = curves(history).axes
    assert axes.get_yscale() == ("log" if not negative and max(values) > 5 * min(values) else "linear")


@settings(max_examples=5)
@given(st.lists(st.floats(0.0, 1.0), min_size=2, max_size=6))
def test_names_at_the_ends_never_meet(ends):
    history = History([{"turn": turn, **{f"player {k}.loss": end for k, end in enumerate(ends)}} for turn in (1, 2)])
    figure = curves(history)
    figure.draw_without_rendering()
    boxes = sorted((text.get_window_extent() for text in figure.axes[0].texts), key=lambda box: box.y0)
    assert all(low.y1 <= high.y0 + 1 for low, high in zip(boxes, boxes[1:], strict=False))


def test_unknown_and_missing_figures_are_named():
    with pytest.raises(GraphError, match="there is no figure 'elbow.loss'; there are turn, elbo.loss"):
        curves(History([{"turn": 1, "elbo.loss": 1.0}]), "elbow.loss")
    with pytest.raises(GraphError, match="curves: the history has no figures yet"):
        curves(History())
