"""Vector-quantised autoencoders against the sum over all codes, their gradients, and plain Pyro."""

from functools import partial
from itertools import product

import pytest
import torch

from deepgen.data.data import arrays
from deepgen.networks import convolutional
from deepgen.networks.pixel import pixel_cnn
from deepgen.objectives import elbo
from deepgen.quantisation import codebooks, perplexity, quantised
from deepgen.training.fit import fit
from deepgen.training.phase import Moment, adam
from deepgen.zoo.vector_quantised import vq_vae, vq_vae_2
from pgm import Binary, Real, Variable, as_pyro
from pgm.errors import ShapeError

LABEL = Variable("label", range(2))
X = Variable("x", Binary(3, 4))
SMALL = {"width": 2, "encoder": convolutional(3), "decoder": convolutional(3), "prior": pixel_cnn(4, 2)}
ONE = partial(vq_vae, codes=(2, 2), size=3, **SMALL)
TWO = partial(vq_vae_2, top=(1, 1), bottom=(2, 2), size=2, **SMALL)


def made(family, x=X, **options):
    """A pair with codebooks laid out on features, and data that it has not learned."""
    torch.manual_seed(0)
    pair = family(x, **options)
    batch = {"x": torch.rand(40, *x.shape).round(), "label": torch.arange(40) % 2}
    with torch.no_grad():
        for parameter in pair.model.parameters():
            parameter.mul_(2)
        quantised(pair)[0].objective(batch, Moment(0, 0, 0.0))
    return pair, batch


def exact(pair, seen, grids):
    """log p(x), summed over all states of all grids of codes."""
    sizes = {name: book.size for name, (_, book) in codebooks(pair).items()}
    every = [list(product(range(sizes[name]), repeat=shape[0] * shape[1])) for name, shape in grids.items()]
    rows = len(next(iter(seen.values())))
    logs = []
    for flat in product(*every):
        values = dict(seen)
        for (name, shape), states in zip(grids.items(), flat, strict=True):
            values[name] = torch.tensor(states).float().reshape(shape).expand(rows, *shape)
        for name in pair.model.graph.topological:
            if name not in values:
                conditional = pair.model.conditionals[name]
                values[name] = conditional.draw(*(values[v.name] for v in conditional.given))
        logs.append(pair.model.log_prob(values))
    return torch.stack(logs).logsumexp(0)


@torch.no_grad()
@pytest.mark.parametrize(("family", "grids"), [(ONE, {"code": (2, 2)}), (TWO, {"top": (1, 1), "bottom": (2, 2)})])
def test_bound_is_below_the_sum_over_all_codes_by_what_the_guide_leaves_out(family, grids):
    pair, batch = made(family, label=LABEL)
    seen = {name: value[:5] for name, value in batch.items()}
    bound, whole = elbo(pair.model, pair.guide, seen), exact(pair, seen, grids)
    assert (bound < whole).all()
    posterior = pair.model.log_prob(pair.seen(pair.infer(seen))) - whole  # log p(codes of the guide | x)
    torch.testing.assert_close(whole - bound, -posterior, check_dtype=False)


@torch.no_grad()
def test_all_images_have_probability_1_together():
    pair, _ = made(ONE, Variable("x", Binary(2, 3)))
    every = torch.tensor(list(product([0.0, 1.0], repeat=6))).reshape(-1, 2, 3)
    total = exact(pair, {"x": every}, {"code": (2, 2)}).logsumexp(0)
    torch.testing.assert_close(total, torch.zeros_like(total), atol=1e-5, rtol=0)


def test_bound_moves_decoder_and_prior_exactly_and_the_encoder_straight_through():
    pair, batch = made(ONE)
    seen = {"x": batch["x"][:7]}
    elbo(pair.model, pair.guide, seen).sum().backward()
    encoder = pair.guide.conditionals["features"].function
    found = [parameter.grad.clone() for parameter in encoder.parameters()]
    encoder.zero_grad()
    values = pair.infer(seen)
    entries = values["embedding"].requires_grad_()
    (by_entries,) = torch.autograd.grad(pair.model.conditionals["x"].log_prob(entries, seen["x"]).sum(), entries)
    encoder(seen["x"]).backward(by_entries)
    for one, other in zip(found, encoder.parameters(), strict=True):
        torch.testing.assert_close(one, other.grad)


@pytest.mark.parametrize("decay", [0.9, None])
def test_first_phase_is_reconstruction_and_distance(decay):
    pair, batch = made(ONE, decay=decay)
    with torch.no_grad():
        values = pair.infer(pair.seen(batch))
        reconstruction = -pair.model.conditionals["x"].log_prob(values["embedding"], batch["x"])
    apart = (values["features"] - values["embedding"]).square().sum((1, 2, 3))
    terms = quantised(pair, commitment=0.5)[0].objective(batch, Moment(0, 0, 0.0))
    weight = {0.9: 0.5, None: 1.5}[decay]
    torch.testing.assert_close(terms["loss"].detach(), reconstruction + weight * apart)
    shares = values["code"].unique(return_counts=True)[1] / values["code"].numel()
    torch.testing.assert_close(terms["perplexity of code"], perplexity(shares))
    assert terms["used of code"].item() == pytest.approx(len(shares) / 3)
    terms["loss"].sum().backward()
    book = pair.guide.conditionals["embedding"].function.codebook
    entries = {0.9: None, None: book.entries}[decay]
    assert (entries is None) == (book.entries.grad is None)
    assert all(p.grad is None for p in pair.model.conditionals["code"].parameters())


def test_second_phase_moves_the_prior_alone():
    pair, batch = made(TWO, label=LABEL)
    loss = quantised(pair)[1].objective(batch, Moment(0, 0, 0.0))
    values = pair.infer(pair.seen(batch))
    top, bottom = pair.model.conditionals["top"], pair.model.conditionals["bottom"]
    by_hand = -top.log_prob(batch["label"], values["top"]) - bottom.log_prob(
        values["top embedding"], batch["label"], values["bottom"]
    )
    torch.testing.assert_close(loss, by_hand)
    loss.sum().backward()
    moved = {id(p) for term in (top, bottom) for p in term.parameters() if p.grad is not None}
    every = [p for model in (pair.model, pair.guide) for p in model.parameters()]
    assert {id(p) for p in every if p.grad is not None} == moved
    assert moved


@pytest.mark.parametrize(("family", "codes"), [(ONE, ["code"]), (TWO, ["top", "bottom"])])
def test_labels_are_parents_of_the_codes_alone_and_codes_follow_them(family, codes):
    pair, _ = made(family, label=LABEL)
    assert [name for name, parents in pair.model.graph.parents.items() if "label" in parents] == codes
    assert [v.name for v in pair.given] == ["label"]
    prior, labels = pair.model.conditionals[codes[0]], torch.arange(2).repeat_interleave(200)
    optimiser = torch.optim.Adam(prior.parameters(), 0.03)
    for _ in range(40):
        optimiser.zero_grad()
        numbers = torch.arange(2.0)[:, None, None].expand(2, *prior.child.shape)  # code 0 for label 0, 1 for label 1
        (-prior.log_prob(torch.arange(2), numbers).sum()).backward()
        optimiser.step()
    drawn = pair.sample(400, {"label": labels}, seed=0)[codes[0]]
    with torch.no_grad():
        ratios = prior.log_prob(labels, drawn) - prior.log_prob(1 - labels, drawn)  # on average a divergence
    assert ratios.mean() > 5 * ratios.std() / 20


@pytest.mark.parametrize(("family", "x"), [(ONE, Variable("x", Binary(8, 8))), (TWO, Variable("x", Real(3, 6, 5)))])
def test_they_learn_and_go_on_from_a_checkpoint_to_the_bit(family, x, tmp_path):
    torch.manual_seed(0)
    spots = torch.randn(4, *x.shape).repeat(16, 1, 1, 1)[:64].reshape(64, *x.shape)
    data = arrays("spots", x=(spots > 0).float())
    settings = {"batch": 16, "device": "cpu", "record": 7, "every": 7, "progress": False}

    def begun():
        torch.manual_seed(1)
        return quantised(family(x), optimiser=adam(1e-2))

    whole = begun()
    history = fit(whole, data, turns=14, out=tmp_path / "whole", **settings)
    assert history["autoencoder.loss"][-1] < history["autoencoder.loss"][0]
    fit(begun(), data, turns=7, out=tmp_path / "parts", **settings)
    rest = begun()
    fit(rest, data, turns=14, out=tmp_path / "parts", resume=True, **settings)
    for one, other in zip(whole, rest, strict=True):
        for name, module in one.modules.items():
            there = other.modules[name].state_dict()
            assert all(torch.equal(value, there[key]) for key, value in module.state_dict().items())


@pytest.mark.parametrize("family", [ONE, TWO])
def test_plain_pyro_trains_decoder_and_prior(family):
    from pyro.infer import Trace_ELBO

    pair, batch = made(family, label=LABEL)
    seen = pair.infer({name: value[:8] for name, value in batch.items()})
    codes = [v.name for v in pair.latents if "embedding" not in v.name]
    known = {name: seen[name] for name in (*codes, "x", "label")}
    bound = Trace_ELBO()(as_pyro(pair.model, given=known), lambda: None)
    ours = elbo(pair.model, pair.guide, {name: known[name] for name in ("x", "label")}).sum()
    torch.testing.assert_close(-bound(), ours.to(bound()))
    optimiser = torch.optim.Adam(bound.parameters(), 1e-2)
    losses = []
    for _ in range(15):
        optimiser.zero_grad()
        loss = bound()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_a_grid_that_is_none_is_refused():
    with pytest.raises(ShapeError, match=r"code: the grid of codes is \(7,\), expected two numbers, \(height, width\)"):
        vq_vae(X, (7,))
