"""What does not fit a machine is said in one line: subject, given, expected."""

from collections.abc import Callable

import pytest
import torch

from deepgen import (
    arrays,
    contrastive_divergence,
    fast_persistent,
    fit,
    likelihood,
    persistent,
    rbm,
    sgd,
    sparse,
    tempered,
)
from deepgen.recipes import RECIPES
from pgm import Binary, Variable

V, LABEL = Variable("v", Binary(4)), Variable("label", range(3))
MACHINE = rbm(V, 2, label=LABEL)
BITS, TWO = torch.zeros(5, 4), torch.full((5,), 2)


def trained(**columns: torch.Tensor) -> object:
    return fit(persistent(MACHINE), arrays("rows", **columns), turns=1, batch=5, progress=False)


def made(name: str, **settings: object) -> object:
    recipe = RECIPES[name](**settings)
    return recipe.setup(recipe.load())


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: trained(v=BITS + 2, label=TWO), "fit: column 'v' of rows goes from 2 to 2, model expects bits"),
        (lambda: trained(v=BITS, label=TWO + 1), "column 'label' of rows is .* 3 to 3, .* 3 states, 0 to 2"),
        (lambda: trained(v=BITS[:, :3], label=TWO), r"column 'v' of rows has rows of shape \[3\], model expects \[4\]"),
        (lambda: trained(v=BITS), "fit: model need a value of 'label', and .* have no such column"),
        (lambda: likelihood(MACHINE, arrays("rows", v=BITS - 1, label=TWO)), "likelihood: column 'v' .* expects bits"),
        (lambda: MACHINE.free_energy({"v": BITS}), r"Machine: there is no value of 'label'; use sample"),
        (lambda: MACHINE.free_energy({"v": BITS, "label": TWO + 5}), "'label' goes from 7 to 7, expected states"),
        (lambda: MACHINE.free_energy({"v": BITS, "label": TWO - 3}), "'label' goes from -1 to -1, expected"),
        (lambda: MACHINE.free_energy({"v": BITS[:, :3], "label": TWO}), r"shape \(5, 3\), expected \(\*batch, 4\)"),
        (lambda: MACHINE.sample(2, {"v": BITS[0] + 0.5}), "a value of 'v' is 0.5, expected 0, 1, or NaN where it is"),
        (lambda: MACHINE.sample(2, {"label": TWO[0] + 1}), "a value of 'label' is 3, expected a state from 0 to 2"),
        (lambda: rbm(V, 2, temperature=0.0), "temperature is 0.0, expected a number above 0"),
        (lambda: persistent(MACHINE, 0), "Chains: chains is 0, expected 1 or more"),
        (lambda: fast_persistent(MACHINE, 0), "Chains: chains is 0, expected 1 or more"),
        (lambda: tempered(MACHINE, 0), "Chains: chains is 0, expected 1 or more"),
        (lambda: contrastive_divergence(MACHINE, centring=3), "centring is 3, expected a share from 0 to 1"),
        (lambda: sparse(7), "sparse: target is 7, expected a share from 0 to 1"),
        (lambda: sgd(momentum=1.0), "sgd: momentum is 1 and decay 0, expected 0 to below 1, and 0 or more"),
        (lambda: sgd(decay=-1.0), "sgd: momentum is 0 and decay -1"),
        (lambda: made("dbn", fine_tuned=2.0), "DBN: fine_tuned is 2, expected a share from 0 to 1"),
        (lambda: made("rbm", discriminative=True), "RBM: discriminative is True, and there are no labels to tell"),
    ],
)  # fmt: skip
def test_refusals(call: Callable[[], object], said: str) -> None:
    with pytest.raises(ValueError, match=said) as error:
        call()
    assert "\n" not in str(error.value)
