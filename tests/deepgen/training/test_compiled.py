"""Compiled networks learn what networks learn, and leave nothing behind."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from deepgen.data.data import Data, arrays
from deepgen.networks import mlp
from deepgen.pair import Pair
from deepgen.phases import variational
from deepgen.training import checkpoint
from deepgen.training.compiled import networks
from deepgen.training.fit import fit
from deepgen.zoo.hierarchical import markovian_hierarchical_vae
from deepgen.zoo.vae import vae
from pgm import Binary, Variable

pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute")  # dynamo looks at all there is
OPTIONS = {"batch": 8, "every": 3, "device": "cpu", "seed": 1}


def bits() -> Data:
    return arrays("bits", x=torch.rand(32, 6, generator=torch.Generator().manual_seed(0)).round())


def pair() -> Pair:
    torch.manual_seed(0)
    return vae(Variable("x", Binary(6)), 2, encoder=mlp(4), decoder=mlp(4))


def weights(made: Pair) -> Tensor:
    return torch.cat([p.detach().flatten() for module in made.modules.values() for p in module.parameters()])


def test_compiled_and_not_learn_the_same_and_go_on_from_each_other(tmp_path: Path) -> None:
    plain, compiled = pair(), pair()
    fit(variational(plain), bits(), turns=6, out=tmp_path / "plain", **OPTIONS)
    fit(variational(pair()), bits(), turns=3, out=tmp_path / "turns", compile="eager", **OPTIONS)
    fit(variational(compiled), bits(), turns=6, out=tmp_path / "turns", resume=True, **OPTIONS)
    torch.testing.assert_close(weights(plain), weights(compiled))
    one, other = (checkpoint.read(tmp_path / name).tensors for name in ("plain", "turns"))
    assert one.keys() == other.keys()
    assert [net._compiled_call_impl for net in networks(compiled.modules.values())] == [None, None]


def test_every_network_is_compiled_once_and_given_back() -> None:
    made, during = pair(), list[bool]()
    nets = list(networks(made.modules.values()))
    assert {id(net) for net in nets} == {
        id(made.model.conditionals["x"].net),  # type: ignore[attr-defined]
        id(made.guide.conditionals["z"].net),  # type: ignore[attr-defined]
    }
    nets[0].register_forward_pre_hook(lambda *_: during.append(nets[0]._compiled_call_impl is not None))
    fit(variational(made), bits(), turns=1, compile="eager", **OPTIONS)
    assert during
    assert all(during)
    assert nets[0]._compiled_call_impl is None


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(Exception, match="nonesuch"):
        fit(variational(pair()), bits(), turns=1, compile="nonesuch", **OPTIONS)


def test_more_networks_than_torch_expects_of_one_class_are_all_compiled():
    """Five levels are ten networks, all of one class, of which torch by itself compiles eight."""
    from torch._dynamo.utils import counters

    deep = markovian_hierarchical_vae(Variable("x", Binary(6)), (5, 4, 3, 2, 1), encoder=mlp(4), decoder=mlp(4))
    data = arrays("bits", x=torch.rand(8, 6).round())
    torch._dynamo.reset()
    counters.clear()
    fit(variational(deep), data, turns=1, batch=8, device="cpu", compile="eager", progress=False)
    assert counters["stats"]["unique_graphs"] == 10
