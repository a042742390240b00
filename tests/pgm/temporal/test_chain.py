"""Chains of finite states, held to the sum over all paths."""

from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from pgm.temporal import chain as chains
from pgm.temporal.chain import Chain
from pgm.temporal.scan import reversed_scan, scan


def random_chain(seed: int, rows: int, steps: int, states: int, shared: tuple[bool, bool], zeros: bool) -> Chain:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        values = 3 * torch.randn(shape, generator=generator, dtype=torch.float64)
        impossible = torch.rand(shape, generator=generator) < 0.15 * zeros
        return values.masked_fill(impossible, -torch.inf).requires_grad_()

    lengths = torch.randint(1, steps + 1, (rows,), generator=generator)
    lengths[0] = steps
    step = draw(1 if shared[0] else rows, 1 if shared[1] else steps - 1, states, states)
    return Chain(draw(rows, states), step, draw(rows, steps - 1, states), lengths, steps)


def path_weights(chain: Chain, row: int) -> tuple[list[tuple[int, ...]], Tensor]:
    """All paths of one row, and the log weight of each."""
    steps, states = int(chain.lengths[row]), chain.initial.shape[1]
    step = chain.step[row if len(chain.step) > 1 else 0]
    paths = list(product(range(states), repeat=steps))
    weights = [
        chain.initial[row, path[0]]
        + sum(
            step[t if len(step) > 1 else 0, path[t], path[t + 1]] + chain.emission[row, t, path[t + 1]]
            for t in range(steps - 1)
        )
        for path in paths
    ]
    return paths, torch.stack(weights)


@given(st.integers(0, 10**6), st.tuples(st.booleans(), st.booleans()), st.booleans(), st.booleans())
@settings(max_examples=9)
def test_the_total_and_its_gradient_are_those_of_all_paths(
    seed: int, shared: tuple[bool, bool], zeros: bool, parallel: bool
) -> None:
    chain = random_chain(seed, 3, 4, 3, shared, zeros)
    weights = [path_weights(chain, row)[1] for row in range(3)]
    possible = [bool(w.isfinite().any()) for w in weights]
    expected = torch.stack([w[w.isfinite()].exp().sum().log() for w in weights])
    found = chains.log_total(chain, parallel)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    kept = torch.tensor(possible)
    mine = torch.autograd.grad(found[kept].sum(), chain.weights, retain_graph=True)
    theirs = torch.autograd.grad(expected[kept].sum(), chain.weights, allow_unused=True)
    for x, y in zip(mine, theirs, strict=True):
        torch.testing.assert_close(x, torch.zeros_like(x) if y is None else torch.nan_to_num(y), rtol=1e-9, atol=1e-11)


@given(st.integers(0, 10**6), st.tuples(st.booleans(), st.booleans()))
@settings(max_examples=15)
def test_the_best_path_is_that_of_all_paths(seed: int, shared: tuple[bool, bool]) -> None:
    chain = random_chain(seed, 2, 5, 2, shared, zeros=False)
    found, totals = chains.best_path(chain)
    for row in range(2):
        paths, weights = path_weights(chain, row)
        n = int(chain.lengths[row])
        assert tuple(found[row, :n].tolist()) == paths[int(weights.argmax())]
        assert totals[row].item() == pytest.approx(weights.max().item(), abs=1e-12)
        assert (found[row, n:] == -1).all()


@given(st.integers(0, 10**6), st.booleans())
@settings(max_examples=15)
def test_filtering_is_the_total_of_the_paths_so_far(seed: int, parallel: bool) -> None:
    chain = random_chain(seed, 1, 4, 3, (True, False), zeros=False)
    found, _ = chains.filtered(chain, parallel)
    for t in range(4):
        short = Chain(chain.initial, chain.step[:, :t], chain.emission[:, :t], torch.tensor([t + 1]), t + 1)
        paths, weights = path_weights(short, 0)
        last = torch.tensor([path[-1] for path in paths])
        by_state = torch.zeros(3, dtype=torch.float64).index_add(0, last, weights.exp())
        torch.testing.assert_close(found[0, t], by_state / by_state.sum())


@pytest.mark.parametrize("parallel", [False, True])
def test_weights_that_underflow_are_not_lost(parallel: bool) -> None:
    """Two paths that may not mix, each worth exp(-1000) at one step: no scaled number holds both."""
    stay = torch.tensor([[0.0, -torch.inf], [-torch.inf, 0.0]], dtype=torch.float64)
    emission = torch.tensor([[[0.0, -1000.0], [-1000.0, 0.0], [0.5, 0.0]]], dtype=torch.float64, requires_grad=True)
    chain = Chain(torch.zeros(1, 2, dtype=torch.float64), stay[None, None], emission, torch.tensor([4]), 4)
    found = chains.log_total(chain, parallel)
    ends = torch.tensor([0.5, 0.0], dtype=torch.float64)
    assert found.item() == pytest.approx(-1000 + ends.logsumexp(0).item(), abs=1e-9)
    (gradient,) = torch.autograd.grad(found.sum(), emission)
    torch.testing.assert_close(gradient[0], ends.softmax(0).expand(3, 2))
    torch.testing.assert_close(chains.filtered(chain, parallel)[0][0, -1], ends.softmax(0))


def test_what_is_impossible_has_no_weight() -> None:
    chain = Chain(
        *(torch.full(s, -torch.inf).double() for s in [(1, 2), (1, 1, 2, 2), (1, 3, 2)]), torch.tensor([4]), 4
    )
    assert chains.log_total(chain, False).item() == chains.log_total(chain, True).item() == -torch.inf


@given(st.integers(1, 20))
def test_a_scan_is_a_running_product(n: int) -> None:
    matrices = torch.randn(2, n, 2, 2, generator=torch.Generator().manual_seed(n), dtype=torch.float64)
    (found,) = scan(lambda a, b: (a[0] @ b[0],), (matrices,))
    (back,) = reversed_scan(lambda a, b: (a[0] @ b[0],), (matrices,))
    running, ending = torch.eye(2).double(), torch.eye(2).double()
    for t in range(n):
        running, ending = running @ matrices[:, t], matrices[:, n - 1 - t] @ ending
        torch.testing.assert_close(found[:, t], running)
        torch.testing.assert_close(back[:, n - 1 - t], ending)
