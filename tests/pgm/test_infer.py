"""Posteriors: marginals, joints and log evidence against enumeration; laws; names and labels."""

import math
import re

import numpy as np
import pandas
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pgm import BayesianNetwork, Exact, MarkovNetwork, Model, Posterior, Table, Tabular, Variable, infer, log_evidence
from pgm.errors import EvidenceError, GraphError, PlanError
from pgm.testing import KINDS, brute_log_z, brute_posterior, random_case, random_targets

# Sums of products of positive numbers keep their relative precision: some thousand roundings of 1e-16 at most.
CLOSE = {"rtol": 1e-12, "atol": 0}
SEEDS, KIND = st.integers(0, 2**32 - 1), st.sampled_from(KINDS)
EXECUTORS = ["tape", "products"]
YES = ["no", "yes"]
RAIN, SPRINKLER, WET = (Variable(name, YES) for name in ["rain", "sprinkler", "wet"])


def lawn() -> BayesianNetwork:
    return BayesianNetwork(
        Tabular(RAIN, [], [0.8, 0.2]),
        Tabular(SPRINKLER, [RAIN], [[0.6, 0.4], [0.99, 0.01]]),
        Tabular(WET, [SPRINKLER, RAIN], [[[1, 0], [0.2, 0.8]], [[0.1, 0.9], [0.01, 0.99]]]),
    )


@pytest.mark.parametrize("executor", EXECUTORS)
@given(SEEDS, KIND)
@settings(max_examples=20)
def test_all_marginals_and_the_log_evidence(executor: str, seed: int, kind: str) -> None:
    model, seen, likelihood = random_case(seed, kind)
    post = infer(model, given=seen, likelihood=likelihood, engine=Exact(executor=executor))
    expected = brute_log_z(model, given=seen, likelihood=likelihood)
    assert post.log_evidence.item() == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert post.names == model.graph.names
    for name in model.graph.names:
        wanted = brute_posterior(model, name, given=seen, likelihood=likelihood)
        np.testing.assert_allclose(post[name].numpy(), wanted, **CLOSE)


@pytest.mark.parametrize("executor", EXECUTORS)
@given(SEEDS, KIND)
@settings(max_examples=20)
def test_joints_that_overlap_and_hold_observed_variables(executor: str, seed: int, kind: str) -> None:
    model, seen, likelihood = random_case(seed, kind)
    targets = random_targets(seed, model)
    post = infer(model, targets, given=seen, likelihood=likelihood, engine=Exact(executor=executor))
    for target in targets:
        wanted = brute_posterior(model, target, given=seen, likelihood=likelihood)
        np.testing.assert_allclose(post[target].numpy(), wanted, **CLOSE)
    expected = brute_log_z(model, given=seen, likelihood=likelihood)
    assert post.log_evidence.item() == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("executor", EXECUTORS)
@given(SEEDS, KIND)
@settings(max_examples=20)
def test_one_target_alone(executor: str, seed: int, kind: str) -> None:
    """What does not matter to the target is dropped, without a trace in the answer or in the log evidence."""
    model, seen, likelihood = random_case(seed, kind)
    engine = Exact(executor=executor)
    for target in random_targets(seed, model, 2):
        post = infer(model, [target], given=seen, likelihood=likelihood, engine=engine)
        wanted = brute_posterior(model, target, given=seen, likelihood=likelihood)
        np.testing.assert_allclose(post[target].numpy(), wanted, **CLOSE)
        expected = brute_log_z(model, given=seen, likelihood=likelihood)
        assert post.log_evidence.item() == pytest.approx(expected, rel=1e-12, abs=1e-12)


@given(SEEDS, KIND)
@settings(max_examples=40)
def test_log_evidence_needs_no_targets(seed: int, kind: str) -> None:
    model, seen, likelihood = random_case(seed, kind)
    expected = brute_log_z(model, given=seen, likelihood=likelihood)
    with_gradient = log_evidence(model, given=seen, likelihood=likelihood)
    with torch.no_grad():
        without = log_evidence(model, given=seen, likelihood=likelihood)
    assert with_gradient.item() == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert without.item() == pytest.approx(expected, rel=1e-12, abs=1e-12)
    assert not without.requires_grad


@given(SEEDS, KIND)
@settings(max_examples=30)
def test_a_joint_sums_to_its_marginals(seed: int, kind: str) -> None:
    model, seen, _ = random_case(seed, kind)
    names = model.graph.names
    pairs = list(zip(names, names[1:], strict=False))
    post = infer(model, [*names, *pairs], given=seen)
    for one, other in pairs:
        torch.testing.assert_close(post[one, other].sum(1), post[one], **CLOSE)
        torch.testing.assert_close(post[one, other].sum(0), post[other], **CLOSE)


@given(SEEDS, KIND)
@settings(max_examples=30)
def test_the_chain_rule_of_evidence(seed: int, kind: str) -> None:
    """p(e1 ... en) = p(e1) p(e2 | e1) ... with each conditional read off a posterior."""
    model, seen, _ = random_case(seed, kind)
    total, known = log_evidence(model).item(), {}
    for name, label in seen.items():
        total += math.log(infer(model, [name], given=known)[name, label].item())
        known[name] = label
    assert total == pytest.approx(log_evidence(model, given=seen).item(), rel=1e-11, abs=1e-11)


def test_a_joint_that_no_clique_holds() -> None:
    """The two ends of a chain, by powers of its transition matrix."""
    chain = [Variable(f"x{i}", 3) for i in range(30)]
    step = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
    terms = [Tabular(b, [a], step) for a, b in zip(chain, chain[1:], strict=False)]
    model = BayesianNetwork(Tabular(chain[0], [], [0.5, 0.3, 0.2]), *terms)
    expected = np.diag([0.5, 0.3, 0.2]) @ np.linalg.matrix_power(step, 29)
    assert infer(model, [("x0", "x29")])["x0", "x29"].numpy() == pytest.approx(expected, rel=1e-12)
    assert infer(model, [("x29", "x0")])["x29", "x0"].numpy() == pytest.approx(expected.T, rel=1e-12)


def test_a_parent_without_a_conditional_has_equal_weights() -> None:
    """p(wet | rain) alone: Z counts the states of rain, each of which has total weight one."""
    model = Model(Tabular(WET, [RAIN], [[0.9, 0.1], [0.2, 0.8]]))
    assert log_evidence(model).item() == pytest.approx(math.log(2))
    post = infer(model, ["rain"], given={"wet": "yes"})
    assert post["rain", "yes"].item() == pytest.approx(0.8 / 0.9)
    assert post.log_evidence.item() == pytest.approx(math.log(0.9))


def test_variables_in_no_term_and_constants() -> None:
    model = Model(Table([], 3.0), Table([RAIN], [1, 3]), variables=[RAIN, WET, SPRINKLER])
    post = infer(model, ["wet", "rain"], given={"sprinkler": "no"})
    assert post.log_evidence.item() == pytest.approx(math.log(3 * 4 * 2))
    assert (post["wet"].tolist(), post["rain"].tolist()) == ([0.5, 0.5], [0.25, 0.75])
    assert log_evidence(MarkovNetwork(Table([], 3.0))).item() == pytest.approx(math.log(3))
    assert log_evidence(Model()).item() == 0


@given(SEEDS)
@settings(max_examples=25)
def test_actions_cut_the_arrows_into_what_is_set(seed: int) -> None:
    """p(x | do(a)) by the truncated factorisation, enumerated with a's own conditional left out."""
    model, _, _ = random_case(seed, "bayesian")
    child = model.variables[-1]
    label = child.states[seed % child.size]
    rest = Model(*(term for term in model.terms if term.child != child), variables=model.variables)
    post = infer(model.do({child.name: label}))
    for name in model.graph.names:
        np.testing.assert_allclose(post[name].numpy(), brute_posterior(rest, name, given={child.name: label}), **CLOSE)


def test_seeing_is_not_doing() -> None:
    seen = infer(lawn(), ["rain"], given={"wet": "yes"})["rain", "yes"].item()
    done = infer(lawn().do({"wet": "yes"}), ["rain"])["rain", "yes"].item()
    assert seen == pytest.approx(0.16038 / (0.16038 + 0.288))  # the textbook's 35.77 %
    assert done == pytest.approx(0.2)


def test_answers_speak_in_names_and_labels() -> None:
    post = infer(lawn(), ["wet", ("rain", "wet"), "rain"], given={"sprinkler": "yes"})
    assert (post.names, [v.name for v in post.variables], list(post)) == (
        ("wet", "rain"),
        ["wet", "rain"],
        ["wet", "rain"],
    )
    assert post["wet"].shape == (2,)
    assert post["wet", "yes"].shape == ()
    assert post["rain", "wet"].shape == (2, 2)
    assert post["wet", "yes"] == post["wet"][1]
    assert post.table()["rain"]["yes"] == post["rain", "yes"].item()
    assert post.argmax() == {"wet": "yes", "rain": "no"}
    assert (post.batch, post.engine) == ((), "Exact")


def test_answers_for_a_batch() -> None:
    post = infer(lawn(), ["rain", ("rain", "sprinkler")], given={"wet": ["no", "yes", "yes"]})
    assert post["rain"].shape == (3, 2)
    assert post["rain", "yes"].shape == (3,)
    assert post["rain", "sprinkler"].shape == (3, 2, 2)
    assert post.log_evidence.shape == (3,)
    assert post.argmax() == {"rain": ["no", "no", "no"]}
    assert post.table()["rain"]["yes"] == post["rain", "yes"].tolist()
    assert repr(post) == "Posterior(2 targets, 3 rows, Exact)"
    assert str(post) == repr(post)


def test_a_data_frame_of_answers() -> None:
    frame = infer(lawn(), ["rain", "wet"], given={"sprinkler": ["no", "yes"]}).to_dataframe()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.columns) == [("rain", "no"), ("rain", "yes"), ("wet", "no"), ("wet", "yes")]
    assert frame["rain"].sum(axis=1).tolist() == pytest.approx([1, 1])
    assert frame["rain", "yes"][1] == pytest.approx(0.2 * 0.01 / (0.2 * 0.01 + 0.8 * 0.4))


def test_joints_are_printed_and_tabled_too() -> None:
    post = infer(lawn(), [("rain", "wet"), "sprinkler"], given={"sprinkler": "yes"})
    joint, table = post["rain", "wet"], post.table()
    assert list(table) == ["rain, wet", "sprinkler"]
    assert table["rain, wet"]["yes, no"] == joint[1, 0].item()
    frame = post.to_dataframe()
    assert frame["rain, wet", "no, yes"].tolist() == [joint[0, 1].item()]
    assert frame["rain, wet"].sum(axis=1).tolist() == pytest.approx([1])
    assert f"no, yes {float(joint[0, 1]):.4f}" in str(post).splitlines()[0]
    assert "rain, wet" in post._repr_html_()
    assert infer(lawn(), []).to_dataframe().shape == (1, 0)


def test_a_notebook_shows_bars_and_escapes_names() -> None:
    odd = Variable("<b>", ["a&b", "c"])
    html = infer(BayesianNetwork(Tabular(odd, [], [0.25, 0.75])))._repr_html_()
    assert "&lt;b&gt;" in html
    assert "a&amp;b" in html
    assert "width:75.0px" in html
    assert "<b>" not in html


def test_many_states_are_shown_in_part() -> None:
    dice = Variable("dice", 20)
    shown = str(infer(BayesianNetwork(Tabular(dice, [], [0.1, *[0.05] * 18, 0.0]))))
    assert "0 0.1000" in shown
    assert "19 0.0000" not in shown


def test_what_cannot_be_asked_is_said() -> None:
    model = lawn()
    for asked, message in {
        ("snow",): "targets: 'snow' is not a variable; there are 'rain', 'sprinkler', 'wet'.",
        (("rain", "rain"),): "targets: ('rain', 'rain') is no target; give a name or several different ones.",
        ((),): "targets: () is no target; give a name or several different ones.",
    }.items():
        with pytest.raises(GraphError, match=f"^{re.escape(message)}$"):
            infer(model, asked)
    post: Posterior = infer(model, ["rain"])
    with pytest.raises(GraphError, match=r"^Posterior: 'wet' was not asked for; there are 'rain'\. Name it in the "):
        post["wet"]
    with pytest.raises(
        EvidenceError, match="^Posterior: 'rain' has no state 'maybe'; its states are 'no', 'yes'. A joint has to"
    ):
        post["rain", "maybe"]


def test_asking_again_gives_an_answer_of_its_own() -> None:
    """Answers do not share memory: a later question leaves an earlier answer alone."""
    model = lawn()
    first = infer(model, given={"wet": "yes"})
    before = first["rain"].clone()
    infer(model, given={"wet": "no"})
    assert torch.equal(first["rain"], before)


def test_what_is_no_target_or_engine_is_said() -> None:
    coin = Variable("coin", ["heads", "tails"])
    model = MarkovNetwork(Table([coin], [1, 3]))
    with pytest.raises(
        GraphError, match=r"targets: \[Variable\('coin', .*\)\] are no targets; give names, and tuples of"
    ):
        infer(model, [coin])
    with pytest.raises(GraphError, match=r"targets: \[\('coin', \['coin'\]\)\] are no targets"):
        infer(model, [("coin", ["coin"])])
    with pytest.raises(PlanError, match=r"engine is \[\], expected an engine"):
        infer(model, engine=[])
    with pytest.raises(PlanError, match=r"engine is 'exact', expected an engine such as Exact\(\)\."):
        infer(model, engine="exact")
    with pytest.raises(PlanError, match=r"engine is the class Exact, expected a record of options: Exact\(\)\."):
        infer(model, engine=Exact)
