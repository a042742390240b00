"""Plans: what they promise is what is done, what they print is so, what they drop does not matter."""

import re
from dataclasses import replace
from itertools import product
from math import prod

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from pgm import BayesianNetwork, Exact, MarkovNetwork, Model, Plan, Table, Tabular, Variable, infer, plan_for
from pgm.errors import GraphError, PlanError
from pgm.plan import DENSE_BYTES, NONE, Query, Tree, human_bytes
from pgm.planner import Planner, make_plan
from pgm.slicing import fitting_plan
from pgm.testing import KINDS, brute_log_z, brute_posterior, enumerate_joint, random_case, random_model

SEEDS, KIND = st.integers(0, 2**32 - 1), st.sampled_from(KINDS)
YES = ["no", "yes"]
RAIN, SPRINKLER, WET, LAWN = (Variable(name, YES) for name in ["rain", "sprinkler", "wet", "lawn"])
ROW = [[0.9, 0.1], [0.2, 0.8]]


def lawn() -> BayesianNetwork:
    return BayesianNetwork(
        Tabular(RAIN, [], [0.8, 0.2]),
        Tabular(SPRINKLER, [], [0.6, 0.4]),
        Tabular(WET, [SPRINKLER, RAIN], [[[1, 0], [0.2, 0.8]], [[0.1, 0.9], [0.01, 0.99]]]),
        Tabular(LAWN, [WET], ROW),
    )


def grid(side: int) -> MarkovNetwork:
    cells = {(i, j): Variable(f"x{i},{j}") for i, j in product(range(side), repeat=2)}
    pairs = [((i, j), (i + di, j + dj)) for i, j in cells for di, dj in ((0, 1), (1, 0)) if (i + di, j + dj) in cells]
    return MarkovNetwork(*(Table([cells[a], cells[b]], [[1, 2], [2, 1]]) for a, b in pairs))


def run_by_hand(tree: Tree, tables: list[np.ndarray], sizes: tuple[int, ...]) -> tuple[float, int]:
    """A tree of sums in plain loops over all states: its value, and the multiply-adds that it took."""
    tensors, count = list(tables), 0
    for step in tree.steps:
        left, right = tree.scopes[step.left], tree.scopes[step.right] if step.right != NONE else ()
        axes = tuple(dict.fromkeys((*left, *right)))
        result = np.zeros([sizes[v] for v in step.scope])
        for world in product(*(range(sizes[v]) for v in axes)):
            state = dict(zip(axes, world, strict=True))
            other = tensors[step.right][tuple(state[v] for v in right)] if step.right != NONE else 1.0
            result[tuple(state[v] for v in step.scope)] += tensors[step.left][tuple(state[v] for v in left)] * other
            count += 1
        tensors.append(result)
    return float(tensors[-1]), count


@given(SEEDS)
@settings(max_examples=25)
def test_predicted_operations_are_those_of_the_loops(seed: int) -> None:
    model, _, _ = random_case(seed, "markov", most=4)
    plan = make_plan(model.graph, Query("log_evidence"), 0.0)
    tables = [factor.values.detach().numpy() for factor in model.factors()]
    value, count = 1.0, 0
    for tree in plan.trees:
        leaves = [
            tables[leaf.source] if leaf.source != NONE else np.ones([plan.sizes[v] for v in leaf.scope])
            for leaf in tree.leaves
        ]
        part, used = run_by_hand(tree, leaves, plan.sizes)
        value, count = value * part, count + used
    assert plan.operations == count
    assert np.log(value) == pytest.approx(brute_log_z(model), rel=1e-11, abs=1e-11)


def dense_chain(length: int, states: int) -> MarkovNetwork:
    chain = [Variable(f"x{i}", states) for i in range(length)]
    ones = np.ones((states, states))
    return MarkovNetwork(*(Table([a, b], ones) for a, b in zip(chain, chain[1:], strict=False)))


def test_predicted_operations_are_those_of_the_tape() -> None:
    """On tables without zeros nothing is dropped: the tape has one entry for each multiply-add predicted."""
    for model in (grid(4), dense_chain(6, 5)):
        plan = plan_for(model, task="log_evidence")
        (found,) = re.findall(r"a tape of ([\d,]+) multiply-adds", plan.executor)
        assert int(found.replace(",", "")) == plan.operations


def test_predicted_operations_bound_the_matrix_products() -> None:
    """torch's own count: products of matrices take two operations a multiply-add; the rest are sums and products."""
    model = dense_chain(6, 30)
    plan = plan_for(model, [("x0", "x5")], engine=Exact(executor="products"))
    with FlopCounterMode(display=False) as counter:
        infer(model, [("x0", "x5")], engine=Exact(executor="products"))
    assert 0.9 * plan.operations <= counter.get_total_flops() / 2 <= plan.operations


def test_zeros_make_the_tape_shorter_than_planned() -> None:
    chain = [Variable(f"x{i}", 8) for i in range(6)]
    model = MarkovNetwork(*(Table([a, b], np.eye(8)) for a, b in zip(chain, chain[1:], strict=False)))
    plan = plan_for(model, task="log_evidence")
    (found,) = re.findall(r"a tape of ([\d,]+) multiply-adds", plan.executor)
    assert int(found) < plan.operations / 2


def test_what_a_plan_prints() -> None:
    plan = plan_for(lawn(), ["rain", "wet"], given=["lawn"])
    lines = str(plan).splitlines()
    steps = sum(len(tree.steps) for tree in plan.trees)
    assert lines[0] == "Plan for marginal of 2 targets, 1 observed:"
    assert lines[1] == f"  {steps} steps in 1 tree"
    assert lines[2] == f"  2^{np.log2(plan.operations):.1f} multiply-adds a row"
    assert lines[3] == f"  {human_bytes(plan.peak_bytes)} at the peak"
    assert lines[4].startswith("  widest clique 8 entries: ")
    assert set(lines[4].split(": ")[1].split(", ")) == {"rain", "sprinkler", "wet"}
    assert re.fullmatch(r"  runs as a tape of \d+ multiply-adds over \d+ entries", lines[5])
    assert len(plan.table().splitlines()) == steps


def test_a_sliced_plan_prints_its_slices() -> None:
    engine = Exact(executor="products", memory=24 * 400)
    plan = plan_for(grid(5), task="log_evidence", engine=engine)
    assert str(plan).splitlines()[-1] == f"  {2 ** len(plan.sliced)} slices over {', '.join(plan.names(plan.sliced))}"
    assert 24 * plan.entries <= engine.memory


def test_the_steps_of_a_plan_name_their_variables() -> None:
    plan = plan_for(MarkovNetwork(Table([RAIN, WET], [[1, 2], [3, 4]])), ["rain"])
    assert plan.table() == "  #1 = sum[wet] #0 -> [rain]"
    best = plan_for(MarkovNetwork(Table([RAIN, WET], [[1, 2], [3, 4]])), task="maximum")
    assert "max[" in best.table()


def test_a_plan_asked_for_is_the_plan_used() -> None:
    model = lawn()
    assert infer(model, ["wet"], given={"rain": "yes"}).plan == plan_for(model, ["wet"], given=["rain"])


def test_a_grid_too_wide_is_refused_with_its_clique() -> None:
    model = grid(44)
    with pytest.raises(PlanError) as caught:
        infer(model, engine=Exact(memory=1e9, seconds=0.0))
    found = re.fullmatch(
        r"plan: would take 2\^(\d+) operations \(limit 2\^42\): widest clique \{(.*) and (\d+) more\}\. "
        r"Use engine=Auto\(\) for an approximate answer that states its error, observe some of them, or ask for fewer "
        r"targets\.",
        str(caught.value),
    )
    assert int(found.group(1)) > 44  # the treewidth of a 44 x 44 grid is 44
    assert set(re.findall(r"'([^']+)'", found.group(2))) <= set(model.graph.names)


def test_too_little_memory_for_any_slice_is_refused() -> None:
    engine = Exact(executor="products", memory=10)
    with pytest.raises(PlanError, match=r"^plan: would take \d+ B \(limit 10 B\): widest clique"):
        infer(MarkovNetwork(Table([RAIN], [1, 2])), engine=engine)


def test_a_grid_beyond_memory_is_cut_into_few_slices() -> None:
    """The searched order wants 366 MB; few greedy orders are as good, and cutting must not rely on one."""
    plan = fitting_plan(grid(22).graph, Query("log_evidence"), None, 1e8)
    assert 2 <= len(plan.sliced) <= 6
    assert DENSE_BYTES * plan.entries <= 1e8
    assert plan.operations < 2**36


@given(SEEDS, KIND)
@settings(max_examples=20)
def test_what_a_variable_holds_is_the_difference_that_its_states_make(seed: int, kind: str) -> None:
    """Entries and operations are linear in the number of states of each variable."""
    model, _, _ = random_case(seed, kind)
    plan = make_plan(model.graph, Query("marginal", tuple((v,) for v in range(len(model.variables)))), 0.0)
    held, work = plan.held(), plan.work()
    for v in held:
        sizes = tuple(size * (1 + (k == v)) for k, size in enumerate(plan.sizes))
        twice = replace(plan)
        object.__setattr__(twice, "sizes", sizes)
        assert twice.operations == pytest.approx(plan.operations + work.get(v, 0.0))
        assert len(plan.trees) > 1 or twice.entries == pytest.approx(plan.entries + held[v])


@given(SEEDS, KIND, st.integers(0, 5))
@settings(max_examples=38)
def test_what_is_dropped_does_not_matter(seed: int, kind: str, place: int) -> None:
    """The sum over the terms kept for one target gives that target's posterior: everything else is irrelevant."""
    model, seen, _ = random_case(seed, kind)
    name = model.graph.names[place % len(model.variables)]
    plan = plan_for(model, [name], given=seen)
    kept = {leaf.source for tree in plan.trees if tree.reads for leaf in tree.leaves}
    smaller = Model(*(term for k, term in enumerate(model.terms) if k in kept), variables=model.variables)
    expected = brute_posterior(model, name, given=seen)
    np.testing.assert_allclose(brute_posterior(smaller, name, given=seen), expected, rtol=1e-12, atol=0)


def test_barren_and_separated_parts_are_dropped() -> None:
    """For rain alone: wet and lawn are barren, sprinkler is separated; given lawn all matter."""
    (tree,) = plan_for(lawn(), ["rain"]).trees
    assert [leaf.source for leaf in tree.leaves] == [0]
    given_lawn = plan_for(lawn(), ["rain"], given=["lawn"])
    assert {leaf.source for tree in given_lawn.trees for leaf in tree.leaves} == {0, 1, 2, 3}
    given_wet = plan_for(lawn(), ["rain"], given=["wet"])
    assert {leaf.source for tree in given_wet.trees if tree.reads for leaf in tree.leaves} == {0, 1, 2}


def test_an_unrelated_target_keeps_the_evidence() -> None:
    """Evidence elsewhere changes the log evidence though not the target; it has a tree of its own."""
    plan = plan_for(lawn(), ["sprinkler"], given=["rain"])
    assert sum(tree.evidence for tree in plan.trees) >= 1
    post = infer(lawn(), ["sprinkler"], given={"rain": "yes"})
    assert post.log_evidence.exp().item() == pytest.approx(0.2)
    assert post["sprinkler", "yes"].item() == pytest.approx(0.4)


@given(SEEDS, KIND)
@settings(max_examples=30)
def test_every_target_is_read_once_and_every_factor_of_the_evidence_counted_once(seed: int, kind: str) -> None:
    model, seen, _ = random_case(seed, kind)
    plan = plan_for(model, given=seen)
    free = [k for k, name in enumerate(model.graph.names) if name not in seen]
    assert sorted(read.target for tree in plan.trees for read in tree.reads) == free
    for tree in plan.trees:
        used = [each for step in tree.steps for each in (step.left, step.right) if each != NONE]
        assert sorted(used) == list(range(len(tree.scopes) - 1))  # each tensor but the root goes into one step


def wide(seed: int) -> BayesianNetwork:
    """Many causes with common effects, of many states: all targets together need far more than each alone."""
    generator = np.random.default_rng(seed)
    causes = [Variable(f"c{i}", 6) for i in range(12)]
    roots = [Tabular(cause, [], generator.dirichlet(np.ones(6))) for cause in causes]
    effects = []
    for k in range(16):
        given_by = [causes[int(i)] for i in generator.permutation(12)[:3]]
        table = generator.dirichlet(np.ones(4), size=(6, 6, 6))
        effects.append(Tabular(Variable(f"e{k}", 4), given_by, table))
    return BayesianNetwork(*roots, *effects)


def test_groups_of_targets_agree_with_one_tree() -> None:
    """Without evidence each effect needs its causes only: groups are far cheaper, and say the same."""
    model = wide(0)
    targets = tuple((v,) for v in range(len(model.variables)))
    planner = Planner(model.graph, Query("marginal", targets), 0.0)
    everything = (1 << len(model.variables)) - 1
    together = planner._greedy(everything).cost
    plan = plan_for(model)
    assert len(plan.trees) > 1
    assert plan.operations < together / 10
    post = infer(model)
    for name in model.graph.names:
        terms = [model.conditionals[each] for each in model.graph.parents[name]] + [model.conditionals[name]]
        expected = brute_posterior(Model(*terms), name)
        np.testing.assert_allclose(post[name].numpy(), expected, rtol=1e-12)


def test_a_search_with_more_time_costs_no_more() -> None:
    model = grid(12)
    quick, longer = (plan_for(model, task="log_evidence", engine=Exact(seconds=s)) for s in (0.0, 0.3))
    assert longer.operations <= quick.operations


def test_plans_are_values() -> None:
    """The same structure and query give the same plan, whatever the numbers; a plan can be a key."""
    model = lawn()
    other = BayesianNetwork(*(Tabular(t.child, t.given, torch.softmax(t.table.detach(), -1)) for t in model.terms))
    query = Query("marginal", ((0,), (2,)), frozenset({3}))
    plans = {make_plan(each.graph, query, 0.0) for each in (model, other)}
    assert len(plans) == 1
    assert isinstance(plans.pop(), Plan)


def test_the_widest_clique_holds_the_largest_step() -> None:
    plan = plan_for(grid(6), task="log_evidence")
    largest = max(prod(plan.sizes[v] for v in tree.widest(step)) for tree in plan.trees for step in tree.steps)
    assert prod(plan.sizes[v] for v in plan.clique) == largest
    assert 2**6 <= largest <= 2**8  # the treewidth of the grid is 6


def test_what_cannot_be_planned_is_said() -> None:
    with pytest.raises(GraphError, match="^plan_for: 'snow' is not a variable"):
        plan_for(lawn(), given=["snow"])
    with pytest.raises(GraphError, match="^targets: 'snow' is not a variable"):
        plan_for(lawn(), ["snow"])


@given(SEEDS)
@settings(max_examples=10)
def test_an_oracle_of_its_own(seed: int) -> None:
    """The enumeration that other tests rely on, against loops over worlds."""
    model = random_model(np.random.default_rng(seed), 3, kind="chain")
    joint = enumerate_joint(model).values
    for world in product(*(range(v.size) for v in model.variables)):
        state = dict(zip(model.graph.names, world, strict=True))
        factors = [factor.values[tuple(state[name] for name in factor.names)].item() for factor in model.factors()]
        assert joint[world].item() == pytest.approx(prod(factors), rel=1e-13)


OPTIONS = {
    "memory": (lambda: Exact(memory="2GB"), "Exact: memory is '2GB' bytes, expected a positive number."),
    "seconds": (lambda: Exact(seconds=-1), "Exact: seconds is -1, expected a number that is not negative."),
    "dtype": (
        lambda: Exact(dtype=torch.int64),
        "Exact: dtype is torch.int64, expected torch.float64 or torch.float32.",
    ),
    "tape": (
        lambda: Exact(executor="tape", dtype=torch.float32),
        "Exact: a tape works in torch.float64, not torch.float32; use executor='products'.",
    ),
    "task": (
        lambda: plan_for(lawn(), task="mpe"),
        "Query: task is 'mpe', expected one of 'marginal', 'log_evidence', 'maximum', 'sample'.",
    ),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_options_that_are_none_are_said(case: str) -> None:
    make, text = OPTIONS[case]
    with pytest.raises(PlanError) as caught:
        make()
    assert str(caught.value) == text


def test_a_plan_shows_itself_in_a_line() -> None:
    plan = plan_for(lawn(), ["rain"], given=["wet"])
    assert re.fullmatch(r"Plan\(marginal of 1 targets, 2\^\d+\.\d multiply-adds, [\d.]+ \w+\)", repr(plan))
