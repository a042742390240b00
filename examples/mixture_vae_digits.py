"""Kinds of digits, found without labels: a variational autoencoder whose prior is a mixture of ten Gaussians.

The clusters begin as those of k-means, and are then unknown: the bound sums over them exactly. Each can be drawn from.
Labels are used to say how pure the clusters are, never to learn.
The picture goes to examples/pictures/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from pathlib import Path

import torch
from matplotlib import pyplot as plt
from sklearn.cluster import KMeans

from deepgen import adam, bounds, clustered, cosine, digits, dynamic, fit, memberships, mixture_vae, mlp, purity
from pgm.pictures.style import INK, QUIET

smoke = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="deepgen-")) if smoke else Path(__file__).parent / "pictures"
turns, clusters = (30 if smoke else 2000), 10

test, train = digits().split(297)
start = KMeans(clusters, n_init=2 if smoke else 10, random_state=0).fit(train["image"].flatten(1))
centres = torch.from_numpy(start.cluster_centers_).reshape(clusters, 8, 8)
before = purity(torch.from_numpy(start.labels_).long(), train["label"])

torch.manual_seed(0)
net, pixels = mlp(200, 200), dynamic(train)
pair = mixture_vae(pixels.variable("image"), clusters, latents=8, encoder=net, decoder=net)
phase = clustered(pair, centres, steps=turns // 2, optimiser=adam(2e-3), rate=cosine(turns))
fit(phase, pixels, turns=turns, batch=100, device="cpu")
for bound in bounds(pair, dynamic(test).rows(slice(0, 10 if smoke else None))):
    print(bound)


def found(images: torch.Tensor) -> torch.Tensor:
    """The most probable cluster of each image."""
    return memberships(pair, pair.infer({"image": images}, mean=True)).argmax(-1)


print(f"Purity of {clusters} clusters: k-means {before:.3f} on the digits it saw,", end=" ")
print(f"the mixture {purity(found(train['image']), train['label']):.3f} on these,", end=" ")
print(f"{purity(found(test['image']), test['label']):.3f} on {len(test)} others")

shares = pair.model.conditionals["cluster"].distribution().probs.detach()
order = shares.argsort(descending=True)
each = 2 if smoke else 12
values = pair.sample(clusters * each, {"cluster": order.repeat_interleave(each)}, seed=0)
sheet = pair.means(values)["image"].reshape(clusters, each, 8, 8)
own = found(train["image"])
figure, axes = plt.subplots(clusters, each, figsize=(6.4, 5.4), layout="constrained")
for row, images, cluster in zip(axes, sheet, order, strict=True):
    for place, image in zip(row, images, strict=True):
        place.imshow(image.numpy(), cmap="gray_r", vmin=0, vmax=1)
        place.set(xticks=[], yticks=[])
        place.spines[:].set_visible(False)
    members = train["label"][own == cluster]
    usual = f"mostly {members.mode().values.item()}" if len(members) else "no digits"
    row[0].set_ylabel(
        f"{usual}\n{shares[cluster]:.0%} of all", rotation=0, ha="right", va="center", fontsize=8, color=QUIET
    )
figure.suptitle("Draws from each cluster, the largest first", x=0.01, ha="left", fontsize=11, color=INK)
figure.savefig(folder / "mixture-vae.png", dpi=120)
print("\nPicture:", folder / "mixture-vae.png")
