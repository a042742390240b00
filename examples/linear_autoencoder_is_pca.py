"""A linear autoencoder finds principal components, and a linear variational one probabilistic components.

Both are trained on 1,797 handwritten digits and compared with their closed forms: the first with the singular value
decomposition, the second with the maximum of likelihood (Tipping and Bishop, 1999), which its bound reaches.
The picture goes to examples/pictures/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from pathlib import Path

import torch
from matplotlib import pyplot as plt

from deepgen import Isotropic, adam, arrays, cosine, digits, elbo, fit, linear_autoencoder, mlp, vae, variational
from pgm import Real, Variable, log_evidence, probabilistic_pca
from pgm.pictures.style import BAR, INK, QUIET

smoke = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="deepgen-")) if smoke else Path(__file__).parent / "pictures"
turns, codes = (60 if smoke else 4000), 10

images = digits()["image"].flatten(1)  # 64 shades from 0 to 1
x, data = Variable("x", Real(64)), arrays("digits", x=images)
rate = cosine(turns, warm_up=turns // 20)

# Principal components, by singular value decomposition.
mean = images.mean(0)
directions = torch.linalg.svd(images - mean, full_matrices=False).Vh[:codes]
components = (images - mean) @ directions.mT @ directions + mean

torch.manual_seed(0)
plain = linear_autoencoder(x, codes)
fit(variational(plain, optimiser=adam(1e-2), rate=rate), data, turns=turns, batch=len(data), device="cpu")
learned = plain.means(plain.infer({"x": images}))["x"]
errors = [(found - images).square().mean().item() for found in (learned, components)]
print(f"Squared error of a shade: linear autoencoder {errors[0]:.6f}, principal components {errors[1]:.6f}")

weights = next(p for p in plain.model.conditionals["x"].parameters() if p.dim() == 2).detach().double()  # [64, codes]
own, theirs = torch.linalg.qr(weights).Q, directions.double()
angle = torch.linalg.matrix_norm(own - theirs.mT @ theirs @ own, 2).asin().rad2deg()
print(f"Largest angle between the two spaces of {codes} dimensions: {angle:.3f} degrees")

# Probabilistic ones: the same decoder with a prior of z, and one width of the noise.
exact = log_evidence(probabilistic_pca(Variable("z", Real(codes)), x, images), given={"x": images.double()}).mean()
pair = vae(x, codes, encoder=mlp(), decoder=mlp(), family=Isotropic(0.2))
history = fit(variational(pair, optimiser=adam(0.1), rate=rate), data, turns=turns, batch=600, device="cpu")
with torch.no_grad():
    bound = elbo(pair.model, pair.guide, {"x": images}, particles=50).mean()
print(f"log p(x) a digit, in nats: probabilistic components {exact:.2f}, bound of the linear VAE {bound:.2f}")

rows = {"digit": images, "components": components, "linear\nautoencoder": learned}
rows["linear VAE"] = pair.means(pair.infer({"x": images}, mean=True))["x"]
figure, (sheet, curve) = plt.subplots(1, 2, figsize=(9.6, 2.9), width_ratios=(1.6, 1), layout="constrained")
gap = torch.zeros(8, 1)
strips = [torch.cat([torch.cat([row[k].reshape(8, 8), gap], 1) for k in range(12)], 1) for row in rows.values()]
lines = [torch.cat([strip, torch.zeros(2, strip.shape[1])]) for strip in strips]
sheet.imshow(torch.cat(lines).numpy(), cmap="gray_r", vmin=0, vmax=1)
sheet.set_yticks([3.5 + 10 * k for k in range(4)], list(rows))
sheet.set_xticks([])
sheet.tick_params(length=0)
sheet.spines[:].set_visible(False)
sheet.set_title(f"Digits from {codes} numbers", loc="left", fontsize=10, color=INK)
steps, bounds = zip(*((row["turn"], -row["elbo.loss"]) for row in history.rows), strict=True)
curve.axhline(exact.item(), color=QUIET, linewidth=1, linestyle="--", label="log p(x), closed form")
curve.plot(steps, bounds, color=BAR, label="bound of the linear VAE")
curve.legend(frameon=False, fontsize=8, loc="lower right")
curve.set_ylim(8, 19)
curve.set_title("Nats a digit, by steps", loc="left", fontsize=10, color=INK)
curve.tick_params(colors=QUIET, labelsize=8)
curve.spines[["top", "right"]].set_visible(False)
figure.savefig(folder / "linear-autoencoder.png", dpi=100)
print("\nPicture:", folder / "linear-autoencoder.png")
