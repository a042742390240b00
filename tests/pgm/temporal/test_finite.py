"""Questions about templates with finite hidden variables, held to unrolling them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import pgm
from pgm import (
    ConditionalLinearGaussian,
    EvidenceError,
    Gaussian,
    LinearGaussian,
    Logistic,
    PlanError,
    Real,
    Table,
    Tabular,
    Template,
    Variable,
    before,
    filtering,
    infer,
    log_likelihood,
    mpe,
    prediction,
    smoothing,
    viterbi,
)

Z, W, M, X, U = Variable("z", 3), Variable("w", 2), Variable("m", 2), Variable("x", 4), Variable("u", 2)
ROUTES = ["sequential", "parallel"]
T = 4


def random_template(seed: int) -> Template:
    """Two hidden variables that are carried, one that is not, a seen one, and an input."""
    rng = np.random.default_rng(seed)

    def table(*sizes: int) -> np.ndarray:
        return rng.dirichlet(np.ones(sizes[-1]), sizes[:-1])

    return Template(
        [Tabular(Z, [], table(3)), Tabular(W, [Z], table(3, 2)), Tabular(M, [W], table(2, 2))],
        [
            Tabular(Z, [before(Z), U], table(3, 2, 3)),
            Tabular(W, [before(W), Z], table(2, 3, 2)),
            Tabular(M, [W, before(Z)], table(2, 3, 2)),
            Tabular(X, [Z, M], table(3, 2, 4)),
        ],
    )


def random_data(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """What is seen, with gaps, and the input."""
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.integers(-1, 4, T)), torch.from_numpy(rng.integers(0, 2, T))


def labels(x: torch.Tensor, u: torch.Tensor, until: int = T) -> dict[str, str]:
    """The same for the unrolled model."""
    seen = {f"x[{t}]": str(int(v)) for t, v in enumerate(x) if v >= 0 and t < until}
    return seen | {f"u[{t}]": str(int(v)) for t, v in enumerate(u)}


seeds = st.integers(0, 10**6)


@given(seeds, st.sampled_from(ROUTES))
@settings(max_examples=8)
def test_smoothing_is_inference_in_the_unrolled_network(seed: int, route: str) -> None:
    template, (x, u) = random_template(seed), random_data(seed)
    found = smoothing(template, {"x": x, "u": u}, route=route)  # type: ignore[arg-type]
    post = infer(template.unroll(T), given=labels(x, u))
    torch.testing.assert_close(found.log_evidence, post.log_evidence)
    for name in ("z", "w", "m"):
        torch.testing.assert_close(found[name], torch.stack([post[f"{name}[{t}]"] for t in range(T)]))


@given(seeds, st.sampled_from(ROUTES))
@settings(max_examples=5)
def test_filtering_knows_the_past_only(seed: int, route: str) -> None:
    template, (x, u) = random_template(seed), random_data(seed)
    found, model = filtering(template, {"x": x, "u": u}, route=route), template.unroll(T)  # type: ignore[arg-type]
    for t in range(T):
        post = infer(model, given=labels(x, u, t + 1))
        for name in ("z", "w", "m"):
            torch.testing.assert_close(found[name][t], post[f"{name}[{t}]"])


@given(seeds, st.integers(0, 2))
@settings(max_examples=6)
def test_prediction_is_inference_about_later_steps(seed: int, seen: int) -> None:
    template, (x, u) = random_template(seed), random_data(seed)
    data = {"x": x[:seen], "u": u[: seen + 2]} if seen else {"u": u[:2]}
    found, post = prediction(template, data, 2), infer(template.unroll(T), given=labels(x, u, seen))
    for name in ("z", "w", "m", "x"):
        expected = torch.stack([post[f"{name}[{seen + k}]"] for k in range(2)])
        torch.testing.assert_close(found[name], expected)


@given(seeds)
@settings(max_examples=5)
def test_viterbi_is_the_most_probable_state_of_the_carried_variables(seed: int) -> None:
    template, (x, u) = random_template(seed), random_data(seed)
    found = viterbi(template, {"x": x, "u": u})
    best = mpe(template.unroll(T), [f"{n}[{t}]" for t in range(T) for n in "zw"], given=labels(x, u))
    assert found.log_prob is not None
    torch.testing.assert_close(found.log_prob, best.log_prob[0])
    for name in "zw":
        assert found.labels(name) == [best.assignment()[f"{name}[{t}]"] for t in range(T)]


@given(seeds, st.sampled_from(ROUTES))
@settings(max_examples=5)
def test_the_gradient_is_that_of_the_unrolled_network(seed: int, route: str) -> None:
    template, (x, u) = random_template(seed), random_data(seed)
    parameters = list(template.parameters())
    mine = torch.autograd.grad(log_likelihood(template, {"x": x, "u": u}, route=route), parameters)  # type: ignore[arg-type]
    theirs = torch.autograd.grad(pgm.log_evidence(template.unroll(T), given=labels(x, u)), parameters)
    for mine_each, theirs_each in zip(mine, theirs, strict=True):
        # the gradients agree along all changes that keep rows normalised
        centred = [g - g.mean(-1, keepdim=True) for g in (mine_each, theirs_each)]
        torch.testing.assert_close(*centred)


def test_the_gradient_in_log_tables_counts_every_step() -> None:
    template, (x, u) = random_template(1), random_data(1)
    tables = [term.table for term in template.later]
    found = torch.autograd.grad(log_likelihood(template, {"x": x, "u": u}), tables)
    seen, seen_later = int((x >= 0).sum()), int((x[1:] >= 0).sum())  # m is asked about only where x is seen
    counts = [(g * table).sum().item() for g, table in zip(found, tables, strict=True)]
    assert counts == pytest.approx([T - 1, T - 1, seen_later, seen])


def test_sequences_of_different_lengths_are_answered_each_on_its_own() -> None:
    template = random_template(3)
    rows = [(["0", "3", None], ["0", "1", "1"]), (["2"], ["0"]), (["1", "1", "0", "2"], ["1", "0", "0", "1"])]
    data = {"x": [x for x, _ in rows], "u": [u for _, u in rows]}
    many, best, total = smoothing(template, data), viterbi(template, data), log_likelihood(template, data)
    ahead = {"x": data["x"], "u": [[*u, "1", "0"] for _, u in rows]}
    later, filtered = prediction(template, ahead, 2), filtering(template, data)
    for row, (x, u) in enumerate(rows):
        one, n = {"x": x, "u": u}, len(x)
        torch.testing.assert_close(total[row], log_likelihood(template, one))
        for name in ("z", "w", "m"):
            torch.testing.assert_close(many[name][row, :n], smoothing(template, one)[name])
            torch.testing.assert_close(filtered[name][row, :n], filtering(template, one)[name])
            assert torch.isnan(many[name][row, n:]).all()
            single = prediction(template, {"x": x, "u": [*u, "1", "0"]}, 2)
            torch.testing.assert_close(later[name][row], single[name])
        assert best.labels("z")[row] == viterbi(template, one).labels("z") + [None] * (4 - n)


def test_lengths_say_where_padded_arrays_end() -> None:
    template, (x, u) = random_template(4), random_data(4)
    padded = {"x": torch.stack([x, x]), "u": torch.stack([u, u])}
    found = log_likelihood(template, padded, lengths=[T, 2])
    short = log_likelihood(template, {"x": x[:2], "u": u[:2]})
    torch.testing.assert_close(found, torch.stack([log_likelihood(template, {"x": x, "u": u}), short]))


def test_filtering_and_smoothing_agree_at_the_end() -> None:
    template, (x, u) = random_template(5), random_data(5)
    early, late = filtering(template, {"x": x, "u": u}), smoothing(template, {"x": x, "u": u})
    torch.testing.assert_close(early["z"][-1], late["z"][-1])
    torch.testing.assert_close(early["m"][-1], late["m"][-1])


def test_a_gap_in_what_the_next_step_looks_back_at_is_hidden() -> None:
    """An autoregressive chain: x depends on x before, and x is missing once."""
    rng = np.random.default_rng(0)
    chain = Template(
        [Tabular(Z, [], rng.dirichlet(np.ones(3))), Tabular(X, [Z], rng.dirichlet(np.ones(4), 3))],
        [
            Tabular(Z, [before(Z)], rng.dirichlet(np.ones(3), 3)),
            Tabular(X, [Z, before(X)], rng.dirichlet(np.ones(4), (3, 4))),
        ],
    )
    found = smoothing(chain, {"x": ["1", None, "3", "0"]})
    post = infer(chain.unroll(4), given={"x[0]": "1", "x[2]": "3", "x[3]": "0"})
    torch.testing.assert_close(found["z"], torch.stack([post[f"z[{t}]"] for t in range(4)]))
    ahead = prediction(chain, {"x": ["1", None, "3"]}, 1)
    rest = infer(chain.unroll(4), given={"x[0]": "1", "x[2]": "3"})
    torch.testing.assert_close(ahead["x"][0], rest["x[3]"])
    torch.testing.assert_close(ahead["z"][0], rest["z[3]"])


def test_numeric_emissions_enter_by_their_density() -> None:
    """A Gaussian emission with an input, and a finite one that depends on it, against tables of the same numbers."""
    y, flag, a = Variable("y", Real()), Variable("flag", 2), Variable("a", Real())
    means, slopes = torch.tensor([-1.0, 0.5, 2.0]), torch.tensor([[0.3], [0.1], [-0.2]])
    rng = np.random.default_rng(1)
    start, change = Tabular(Z, [], rng.dirichlet(np.ones(3))), Tabular(Z, [before(Z)], rng.dirichlet(np.ones(3), 3))
    emission = ConditionalLinearGaussian(y, [Z, a], slopes, means, [0.5, 1.0, 2.0])
    alarm = Logistic(flag, [y, Z], [0.7, 0.1, -0.4, 0.2], -0.1)
    values, inputs, flags = torch.tensor([0.2, -1.0, 3.0]), torch.tensor([1.0, 2.0, -1.0]), torch.tensor([0, 1, 1])
    found = smoothing(Template([start], [change, emission, alarm]), {"y": values, "a": inputs, "flag": flags})
    states = torch.arange(3)
    likelihood = torch.stack(
        [
            (
                emission.log_prob(states, i.expand(3), v.expand(3)) + alarm.log_prob(v.expand(3), states, f.expand(3))
            ).exp()
            for v, i, f in zip(values, inputs, flags, strict=True)
        ]
    )
    plain = Template([start], [change]).unroll(3)
    expected = infer(plain, likelihood={f"z[{t}]": row.detach() for t, row in enumerate(likelihood)})
    torch.testing.assert_close(found.log_evidence, expected.log_evidence)
    torch.testing.assert_close(found["z"], torch.stack([expected[f"z[{t}]"] for t in range(3)]))


def test_a_missing_numeric_emission_says_nothing() -> None:
    y = Variable("y", Real(2))
    emission = ConditionalLinearGaussian(y, [Z], None, torch.randn(3, 2), [1.0])
    template = Template([Tabular(Z, [], [0.2, 0.3, 0.5])], [Tabular(Z, [before(Z)], np.full((3, 3), 1 / 3)), emission])
    full = [[0.1, 0.2], [1.0, -1.0]]
    with_gap = [[0.1, 0.2], [np.nan, np.nan], [1.0, -1.0]]
    # this transition forgets, so that an unseen step in between changes nothing
    torch.testing.assert_close(log_likelihood(template, {"y": full}), log_likelihood(template, {"y": with_gap}))
    with pytest.raises(EvidenceError, match="give all numbers of a step or none"):
        log_likelihood(template, {"y": [[0.1, np.nan], [0.0, 0.0]]})


def test_a_conditional_random_field_is_a_template_of_potentials() -> None:
    rng = np.random.default_rng(2)
    field = Template(
        [Table([Z], rng.random(3))], [Table([before(Z), Z], rng.random((3, 3))), Table([Z, X], rng.random((3, 4)))]
    )
    seen, model = {"x": ["1", "0", "3"]}, field.unroll(3)
    given = {f"x[{t}]": label for t, label in enumerate(seen["x"])}
    torch.testing.assert_close(log_likelihood(field, seen), pgm.log_evidence(model, given=given))
    torch.testing.assert_close(smoothing(field, seen)["z"][1], infer(model, given=given)["z[1]"])
    best = mpe(model, ["z[0]", "z[1]", "z[2]"], given=given)
    assert viterbi(field, seen).labels("z") == list(best.assignment().values())
    with pytest.raises(PlanError, match="filtering: the template has potentials"):
        filtering(field, seen)


@pytest.mark.parametrize("route", ROUTES)
def test_ten_thousand_steps(route: str) -> None:
    """A chain that is its own steady state: each symbol is as probable as any, whatever came before."""
    mix = Tabular(Z, [before(Z)], [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
    seen = Tabular(X, [Z], np.full((3, 4), 0.25))
    template = Template([Tabular(Z, [], np.full(3, 1 / 3))], [mix, seen])
    x = torch.arange(10_000) % 4
    found = smoothing(template, {"x": x}, route=route)  # type: ignore[arg-type]
    assert found.log_evidence.item() == pytest.approx(-10_000 * np.log(4))
    torch.testing.assert_close(found["z"], torch.full((10_000, 3), 1 / 3, dtype=torch.float64))


def test_impossible_sequences_are_named() -> None:
    stuck = Template(
        [Tabular(W, [], [1, 0])], [Tabular(W, [before(W)], [[1, 0], [0, 1]]), Tabular(M, [W], [[1, 0], [0, 1]])]
    )
    data = {"m": torch.tensor([[0, 0], [0, 1]])}
    assert log_likelihood(stuck, data).tolist() == [0.0, -np.inf]
    for question in (smoothing, filtering, viterbi):
        with pytest.raises(EvidenceError, match=r"what is given in sequence 1 has probability 0"):
            question(stuck, data)


def test_what_has_no_exact_answer_is_refused() -> None:
    p = Variable("p", Real())
    switching = Template(
        [Tabular(W, [], [0.5, 0.5]), Gaussian(p, 0.0, 1.0)],
        [
            Tabular(W, [before(W)], [[0.9, 0.1], [0.1, 0.9]]),
            ConditionalLinearGaussian(p, [W, before(p)], [[1.0], [0.5]], [0.0, 0.0], [1.0, 2.0]),
            LinearGaussian(Variable("y", Real()), [p], [1.0], 0.0, 1.0),
        ],
    )
    with pytest.raises(PlanError, match=r"'w' \(finite\) and 'p' \(numeric\) are both hidden"):
        smoothing(switching, {"y": [1.0, 2.0]})
    smoothing(switching, {"y": [1.0, 2.0], "w": ["0", "1"]})  # either kind alone has an answer
    smoothing(switching, {"y": [1.0, 2.0], "p": [0.5, 1.0]})
    with pytest.raises(PlanError, match=r"'w' \(finite\) and 'p' \(numeric\) are both hidden"):
        smoothing(switching, {"y": [1.0, 2.0], "w": ["0", None]})  # a gap is hidden
    many = [Variable(f"v{i}", 2) for i in range(14)]
    wide = Template([Tabular(v, [], [0.5, 0.5]) for v in many], [Tabular(v, [before(v)], np.eye(2)) for v in many])
    with pytest.raises(PlanError, match="have 16384 joint states"):
        prediction(wide, {}, 1)


def test_the_route_must_be_known() -> None:
    with pytest.raises(PlanError, match="route is 'fast', expected 'auto', 'sequential' or 'parallel'"):
        log_likelihood(random_template(0), {"x": [0], "u": [0]}, route="fast")  # type: ignore[arg-type]
