"""What codes are worth, beside principal components and closed forms."""

from math import sqrt

import pytest
import torch
from sklearn.decomposition import PCA

from deepgen.data.data import arrays
from deepgen.evaluate.probe import probed
from deepgen.evaluate.reconstruction import reconstruction, sharpness
from deepgen.zoo.autoencoder import linear_autoencoder
from pgm import Real, Variable
from pgm.errors import ShapeError

X = torch.randn(60, 4, generator=torch.Generator().manual_seed(0)) @ torch.diag(torch.tensor([3.0, 2.0, 1.0, 0.5]))


def test_reconstructions_by_principal_components_have_their_error():
    """And the mean row has the error of the variance."""
    parts = PCA(2).fit(X.numpy())
    axes, middle = torch.from_numpy(parts.components_), torch.from_numpy(parts.mean_)
    pair = linear_autoencoder(Variable("x", Real(4)), codes=2)
    encoder, decoder = (
        conditional.net.net[0] for conditional in (pair.guide.conditionals["z"], pair.model.conditionals["x"])
    )
    with torch.no_grad():
        encoder.weight.copy_(axes)
        encoder.bias.copy_(-axes @ middle)
        decoder.weight.copy_(axes.mT)
        decoder.bias.copy_(middle)
    again = torch.from_numpy(parts.inverse_transform(parts.transform(X.numpy())))
    figure = reconstruction(pair, arrays("points", x=X))
    assert figure.value == pytest.approx((again - X).square().mean().item(), rel=1e-4)
    other = (again.roll(1, 0) - X).square().mean().item()
    assert figure.how.endswith(f"of other rows {other:.4g}, of their mean {X.var(0, correction=0).mean().item():.4g}")


def test_a_label_that_is_linear_in_the_rows_is_read_and_one_of_chance_is_not():
    """Three codes of three numbers by a rotation. Of chance 200 are right with an error of 0.035, four times."""
    draws = torch.Generator().manual_seed(1)
    rows = torch.randn(400, 3, generator=draws)
    pair = linear_autoencoder(Variable("x", Real(3)), codes=3)
    with torch.no_grad():
        for name, parameter in pair.guide.named_parameters():
            parameter.copy_(torch.linalg.qr(torch.randn(3, 3, generator=draws)).Q if name.endswith("weight") else 0.0)
    for label, low, high in ((rows[:, 0] > 0, 0.95, 1.0), (torch.rand(400, generator=draws) > 0.5, 0.36, 0.64)):
        known, new = (arrays("points", x=rows[part::2], label=label[part::2].long()) for part in range(2))
        assert all(low <= figure.value <= high for figure in probed(pair, known, new))


def test_sharpness_of_noise_is_twice_its_variance_and_of_a_slope_its_square():
    """A mean over 2 * 199 * 200 squares of differences, each N(0, 2 v): its error is below 2 v sqrt(2 * 3 / that)."""
    noise = 0.5 * torch.randn(200, 200, generator=torch.Generator().manual_seed(0))
    assert abs(sharpness(noise) - 0.5) < 4 * 0.5 * sqrt(6 / (2 * 199 * 200))
    slope = 0.25 * torch.arange(9.0).expand(3, 9, 9)
    assert sharpness(slope) == pytest.approx(0.25**2 / 2)  # across, and nothing down


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(ShapeError, match=r"sharpness: images have shape \(3, 1\), expected"):
        sharpness(torch.zeros(3, 1))
    with pytest.raises(ShapeError, match="reconstruction: a point has 1 rows, expected two or more"):
        reconstruction(linear_autoencoder(Variable("x", Real(4)), 2), arrays("a point", x=X[:1]))
