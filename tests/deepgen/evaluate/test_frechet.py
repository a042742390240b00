"""Distances in features beside torchmetrics' own, given the same features."""

import pytest
import torch
from torch import Tensor, nn

from deepgen.evaluate.frechet import frechet, kernel

pytest.importorskip("torchmetrics")


class Given(nn.Module):
    """Features that are there already, as torchmetrics wants them."""

    num_features = 5

    def forward(self, features: Tensor) -> Tensor:
        return features


@pytest.fixture
def features() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    mix = torch.randn(5, 5, generator=generator)
    one, other = torch.randn(2, 400, 5, generator=generator)
    return one @ mix, 1.3 * other @ mix.T + 0.5


def test_the_frechet_distance_is_that_of_torchmetrics(features):
    from torchmetrics.image.fid import FrechetInceptionDistance

    metric = FrechetInceptionDistance(Given())
    metric.update(features[0], real=True)
    metric.update(features[1], real=False)
    assert frechet(*features) == pytest.approx(metric.compute().item(), rel=1e-4)


@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception Distance`")  # it keeps features, as it must
def test_each_portion_of_the_kernel_distance_is_that_of_torchmetrics(features):
    from torchmetrics.image.kid import KernelInceptionDistance

    for found, one, other in zip(kernel(*features), features[0].chunk(2), features[1].chunk(2), strict=True):
        metric = KernelInceptionDistance(Given(), subsets=1, subset_size=len(one))
        metric.update(one, real=True)
        metric.update(other, real=False)
        assert found.item() == pytest.approx(metric.compute()[0].item(), rel=1e-4)
