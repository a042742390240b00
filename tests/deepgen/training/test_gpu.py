"""Training on a GPU: where the data are, short floats, and resuming."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from deepgen.data.data import Data, arrays
from deepgen.networks import mlp
from deepgen.pair import Pair
from deepgen.phases import variational
from deepgen.training import fit as module
from deepgen.training.fit import fit
from deepgen.zoo.vae import vae
from pgm import Binary, Variable

pytestmark = pytest.mark.gpu
OPTIONS = {"batch": 64, "every": 10, "record": 10, "device": "cuda", "seed": 1}


def bits() -> Data:
    return arrays("bits", x=torch.rand(256, 30, generator=torch.Generator().manual_seed(0)).round())


def pair(seed: int = 0) -> Pair:
    torch.manual_seed(seed)
    return vae(Variable("x", Binary(30)), 4, encoder=mlp(32), decoder=mlp(32))


def weights(made: Pair) -> Tensor:
    return torch.cat([p.detach().flatten() for each in made.modules.values() for p in each.parameters()])


@pytest.mark.parametrize("precision", ["no", "bf16"])
def test_a_bound_gets_better_and_parameters_stay_long(precision: str) -> None:
    made = pair()
    history = fit(variational(made), bits(), turns=200, precision=precision, **OPTIONS)
    assert history["elbo.loss"][-1] < history["elbo.loss"][0]
    assert weights(made).device.type == "cuda"
    assert weights(made).dtype == torch.float32


def test_small_data_live_on_the_device_and_large_ones_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    device = torch.device("cuda")
    assert module._resident(bits(), device)["x"].device.type == "cuda"
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 1000))
    assert module._resident(bits(), device)["x"].device.type == "cpu"


def test_both_places_give_the_same_run(monkeypatch: pytest.MonkeyPatch) -> None:
    near, far = pair(), pair()
    fit(variational(near), bits(), turns=20, **OPTIONS)
    monkeypatch.setattr(module, "RESIDENT", 0.0)
    fit(variational(far), bits(), turns=20, **OPTIONS)
    torch.testing.assert_close(weights(near), weights(far))


def test_a_resumed_run_is_the_run_that_never_stopped(tmp_path: Path) -> None:
    whole, other = pair(), pair(7)
    fit(variational(whole), bits(), turns=30, **OPTIONS)
    fit(variational(pair()), bits(), turns=17, out=tmp_path, **OPTIONS)
    fit(variational(other), bits(), turns=30, out=tmp_path, resume=True, **OPTIONS)
    torch.testing.assert_close(weights(whole), weights(other))


def test_compiled_networks_learn_too() -> None:
    history = fit(variational(pair()), bits(), turns=100, compile=True, **OPTIONS)
    assert history["elbo.loss"][-1] < history["elbo.loss"][0]


def test_the_use_of_the_device_is_a_share() -> None:
    from benchmarks.training import cases, use

    case = next(iter(cases(smoke=True)))
    found = use(case, 20, torch.device("cuda"), rate=1e4)
    assert 0 < found["busy"] <= 1
    assert 0 < found["of_peak"] < 1


def test_each_run_is_where_it_is_asked_to_be() -> None:
    for device, kind in [("cpu", "cpu"), ("cuda:0", "cuda"), ("cpu", "cpu"), (None, "cuda")]:
        made = pair()
        fit(variational(made), bits(), turns=1, **(OPTIONS | {"device": device}))
        assert weights(made).device.type == kind
