"""What does not fit is named before anything has moved."""

import pytest
import torch

from deepgen.data.data import Data, arrays
from deepgen.networks import mlp
from deepgen.objectives import elbo
from deepgen.pair import Pair
from deepgen.phases import asleep, variational
from deepgen.training.devices import require_whole
from deepgen.training.fit import fit
from deepgen.zoo.vae import vae
from pgm import Binary, Variable
from pgm.errors import PlanError, ShapeError


def labelled() -> Pair:
    label = Variable("label", range(3))
    return vae(Variable("image", Binary(2, 3)), 2, label=label, encoder=mlp(), decoder=mlp())


IMAGES, LABELS = torch.zeros(8, 2, 3), torch.arange(8) % 3
WRONG = {
    r"'image' of bits has rows of shape \[6\], (model|guide) expects \[2, 3\]": arrays(
        "bits", image=IMAGES.flatten(1), label=LABELS
    ),
    "elbo: the guide looks at 'label', which is neither observed nor drawn": arrays("bits", image=IMAGES),
    "'label' of bits is torch.int64 from 0 to 7, .* expects the numbers of 3 states, 0 to 2": arrays(
        "bits", image=IMAGES, label=torch.arange(8)
    ),
    "'label' of bits is torch.float32": arrays("bits", image=IMAGES, label=LABELS.float()),
    "no column of Data.*pixels.* is a variable of model, guide; expected one or more of z, label, image": arrays(
        "bits", pixels=IMAGES
    ),
    "elbo: the guide looks at 'image', which is neither observed nor drawn": arrays("bits", label=LABELS),
}


@pytest.mark.parametrize("text", WRONG)
def test_data_that_do_not_fit_are_refused_by_column(text: str) -> None:
    pair = labelled()
    before = [parameter.detach().clone() for parameter in pair.model.parameters()]
    with pytest.raises((PlanError, ShapeError), match=text):
        fit(variational(pair), WRONG[text], turns=3, batch=4, device="cpu")
    assert all(torch.equal(*both) for both in zip(before, pair.model.parameters(), strict=True))


def test_dreams_need_labels_too() -> None:
    with pytest.raises(PlanError, match="need a value of 'label'"):
        fit(asleep(labelled()), arrays("bits", image=IMAGES), turns=1, batch=4, device="cpu")


def test_other_errors_are_left_alone() -> None:
    pair, data = labelled(), arrays("bits", image=IMAGES, label=LABELS)

    def watch(moment: object) -> dict[str, float]:
        return {"lost": Data({"a": LABELS}).columns["b"].item()}

    with pytest.raises(KeyError, match="'b'"):
        fit(variational(pair), data, turns=1, batch=4, device="cpu", watch=watch)


def test_nothing_observed_is_said() -> None:
    pair = labelled()
    with pytest.raises(PlanError, match="elbo: nothing is observed; expected values of one or more of z, label, image"):
        elbo(pair.model, pair.guide, {})


def test_parameters_in_parts_are_refused() -> None:
    require_whole("MULTI_CPU")
    with pytest.raises(PlanError, match="set up for FSDP, expected one process or several that each hold all"):
        require_whole("FSDP")
