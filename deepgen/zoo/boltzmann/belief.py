"""Deep belief networks: an undirected machine on top, and below it layers that each explain the one beneath."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from pgm.columns import vector
from pgm.domains import Binary
from pgm.errors import GraphError
from pgm.model import Model
from pgm.neural import Neural, bernoulli
from pgm.variable import Variable

from ...conditionals import neural
from ...networks import mlp
from ...pair import Pair
from ..bits import logistic
from .deep import coupled
from .exact import expanded
from .machine import Machine


@dataclass(frozen=True, eq=False)
class Belief:
    """A deep belief network with its guide, made of machines that learn one after the other.

    Args:
        machines: restricted ones, from the data up, each seeing what the one before has hidden; the last is the top.
        pair: the whole, a chain graph, and its guide upwards: `bounds(pair, data)` is of log p(x) + log Z of the top.

    Example:
        >>> found = dbn(Variable("image", Binary(8, 8)), 32, 16)
        >>> found.pair
        Pair(image explained by h1, h2)
        >>> found.sample(5, sweeps=10, progress=False)["image"].shape
        torch.Size([5, 8, 8])
    """

    machines: tuple[Machine, ...]
    pair: Pair

    @property
    def top(self) -> Machine:
        """The undirected machine, which has log Z."""
        return self.machines[-1]

    @torch.no_grad()
    def features(self, seen: Mapping[str, Tensor], machine: int) -> dict[str, Tensor]:
        """What a machine learns from: the rows as the guide of the layers below it draws them, and the label if any."""
        values = dict(seen)
        for below in self.machines[:machine]:
            (layer,) = below.hidden
            conditional = self.pair.guide.conditionals[layer.name]
            values[layer.name] = conditional.draw(*(values[v.name] for v in conditional.given))
        return {v.name: values[v.name] for v in self.machines[machine].visible}

    def sample(
        self,
        rows: int,
        known: Mapping[str, Tensor] | None = None,
        *,
        sweeps: int = 1000,
        seed: int | None = None,
        progress: bool = True,
    ) -> dict[str, Tensor]:
        """Draws of all layers, `[rows, *event]` by name: Gibbs chains at the top, then downwards.

        Args:
            rows: how many.
            known: layers of the top that stay as they are, such as the label, `[*event]` or `[rows, *event]` by name.
            sweeps: of each chain.
            seed: of these draws; torch's own randomness when None.
            progress: whether to show a bar when it takes long.

        Raises:
            EvidenceError, ShapeError: as for `Machine.sample`.
        """
        with torch.random.fork_rng(enabled=seed is not None):
            if seed is not None:
                torch.manual_seed(seed)
            return self.downward(self.top.sample(rows, known, burn=sweeps, progress=progress))

    @torch.no_grad()
    def downward(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Values of the top's layers with draws of all layers below, each given the one above, by name."""
        found = dict(values)
        for conditional in self.pair.model.conditionals.values():
            found[conditional.child.name] = conditional.draw(*(found[v.name] for v in conditional.given))
        return found

    def settle(self, machine: int) -> None:
        """Let the guide below a machine be what the machines there infer, as learning goes on above them."""
        for below in self.machines[:machine]:
            (layer,) = below.hidden
            self.told(layer).model.load_state_dict(_touching(below, layer).state_dict())

    def told(self, layer: Variable) -> Told:
        """What computes the log odds of a hidden layer in the guide."""
        found = self.pair.guide.conditionals[layer.name]
        assert isinstance(found, Neural)
        assert isinstance(found.net, Told)
        return found.net

    def expanded(self) -> Model:
        """The same distribution with a variable for each bit, `h1[0]`, ...: exact answers for small networks.

        Its log evidence is log p(x) + log Z of the top.
        """
        model = self.pair.model
        return Model(*logistic(model), *expanded(self.top).terms, name=model.name)


def dbn(
    x: Variable,
    *layers: int,
    label: Variable | None = None,
    deviation: float = 0.01,
) -> Belief:
    """A deep belief network, p(x, h_1, ..., h_L) = p(x | h_1) ... p(h_{L-2} | h_{L-1}) p(h_{L-1}, h_L).

    The top two layers are a restricted Boltzmann machine, all below explain one another downwards, and each unit's log
    odds are linear in the layer above. The guide goes up. `greedy` phases train it layer by layer, `up_down` together.

    Args:
        x: what is observed: `Binary` pixels.
        layers: units of each hidden layer, from the data up; two or more.
        label: seen by the top machine beside the layer below it.
        deviation: of the weights at first.

    Raises:
        GraphError: when there are fewer than two layers, or x is not `Binary`.

    Example:
        >>> dbn(Variable("image", Binary(28, 28)), 500, 500, 2000, label=Variable("label", range(10))).top
        Machine(h2, label explained by h3)

    Reference: Hinton, Osindero and Teh (2006), A fast learning algorithm for deep belief nets.
    """
    if len(layers) < 2:
        raise GraphError(f"dbn: there are {len(layers)} layers of hidden units, expected two or more; one is an rbm().")
    if not isinstance(x.domain, Binary):
        raise GraphError(f"dbn: {x.name!r} is {x.domain!r}, expected Binary; binarise the data.")
    chain = [x, *(Variable(f"h{number}", Binary(units)) for number, units in enumerate(layers, 1))]
    steps = list(pairwise(chain))
    also = [label] if label is not None else []
    top = coupled([(chain[-1], seen) for seen in (chain[-2], *also)], [chain[-2], *also], deviation, name="top")
    machines = (*(coupled([step], step[:1], deviation) for step in steps[:-1]), top)
    return stacked(machines)


def stacked(machines: Sequence[Machine]) -> Belief:
    """Restricted machines as a deep belief network: the last is its top, all others are turned into arrows.

    The arrows downwards share the parameters of the machines. The guide has those of the top and copies of the others,
    so that it can be fine-tuned apart.

    Args:
        machines: of binary layers, from the data up, each seeing what the one before has hidden.

    Raises:
        GraphError: when a machine does not see what the one before has hidden, or there are fewer than two.

    Reference: Hinton, Osindero and Teh (2006), A fast learning algorithm for deep belief nets.
    """
    for below, above in pairwise(machines):
        if len(below.hidden) != 1 or len(below.visible) != 1 or below.hidden[0] != above.visible[0]:
            raise GraphError(f"stacked: {above!r} does not see what {below!r} has hidden, one layer explained by one.")
    if len(machines) < 2:
        raise GraphError(f"stacked: there are {len(machines)} machines, expected two or more.")
    *directed, top = machines
    downward = [_told(machine, machine.visible[0]) for machine in directed]
    upward = [_told(deepcopy(machine), machine.hidden[0]) for machine in directed]
    model = Model(*reversed(downward), *top.model.terms, name="deep belief network")
    guide = Model(*upward, _told(top, top.hidden[0]), name="guide of the deep belief network")
    return Belief(tuple(machines), Pair(model, guide))


@torch.no_grad()
def classifier(belief: Belief, label: Variable) -> Model:
    """p(label | x) by a network whose hidden layers begin as the guide's, to be fine-tuned by labels.

    Args:
        belief: trained, whose parameters are copied; what its top knows of a label is left out.
        label: what to tell, with states.

    Example:
        >>> classifier(dbn(Variable("image", Binary(8, 8)), 32, 16), Variable("label", range(10)))
        Model(2 variables: image, label; 1 conditional)

    Reference: Hinton and Salakhutdinov (2006), Reducing the dimensionality of data with neural networks.
    """
    (x,), layers = belief.machines[0].visible, [machine.hidden[0] for machine in belief.machines]
    sizes = [layer.domain.length for layer in layers]  # type: ignore[union-attr]
    telling = neural(label, [x], mlp(*sizes, activation=nn.Sigmoid))
    linear = [module for module in telling.modules() if isinstance(module, nn.Linear)]
    for layer, below, into in zip(layers, belief.machines, linear, strict=False):
        none = below.zeros(below.visible[0].name)[None]
        probes = torch.cat([none, torch.eye(into.in_features).to(none)])
        unlabelled = [below.zeros(v.name)[None] for v in below.visible[1:]]
        told = belief.told(layer).field(probes, *unlabelled)
        into.bias.copy_(told[0])
        into.weight.copy_((told[1:] - told[0]).T)
    return Model(telling)


class Told(nn.Module):
    """What a layer is told by others, in the shape of its event: a net for `Neural`.

    Args:
        machine: that has them all.
        layer: which is told.
    """

    def __init__(self, machine: Machine, layer: Variable) -> None:
        super().__init__()
        self.model = _touching(machine, layer)
        self.machine = Machine(self.model, tuple(v for v in self.model.variables if v != layer))
        self.layer = layer
        self.others = tuple(v for v in machine.model.variables if v in self.machine.visible)

    def forward(self, *values: Tensor) -> Tensor:
        """`[*batch, *event]`, from the others' values; ones among zeros for states."""
        flat = [x if v.finite else vector(x, len(v.shape)) for v, x in zip(self.others, values, strict=True)]
        said = self.field(*flat)
        return said.reshape(*said.shape[:-1], *self.layer.shape)

    def field(self, *numbers: Tensor) -> Tensor:
        """`[*batch, numbers]`, from the others' numbers."""
        return self.machine.field(self.layer.name, dict(zip((v.name for v in self.others), numbers, strict=True)))


def _touching(machine: Machine, layer: Variable) -> Model:
    """The potentials of a layer, with the parameters of the machine."""
    return Model(*(term for term in machine.model.terms if layer in term.scope))


def _told(machine: Machine, layer: Variable) -> Neural:
    net = Told(machine, layer)
    return Neural(layer, net.others, bernoulli, net)
