"""A chest clinic: three kinds of evidence, two kinds of best explanation, and which test to do next.

The network is ASIA (Lauritzen and Spiegelhalter, 1988): a visit to Asia, smoking, three diseases, an X-ray, dyspnoea.
The picture goes to demo-output/, with --smoke to a temporary folder.
"""

import sys
import tempfile
from pathlib import Path

import pgm

folder = Path(tempfile.mkdtemp(prefix="pgm-") if "--smoke" in sys.argv else "demo-output")
folder.mkdir(exist_ok=True)

asia = pgm.load(Path(__file__).parent / "data" / "asia.bif")
DISEASES = ["tub", "lung", "bronc"]


def show(title: str, post: pgm.Posterior) -> None:
    """One line: how probable each disease is, and the X-ray's shadow."""
    print(f"{title:<44}" + "  ".join(f"{name} {post[name, 'yes'].item():.3f}" for name in [*DISEASES, "xray"]))


# Hard evidence: a fact. A patient is short of breath, and has been to Asia.
show("Nothing known", pgm.infer(asia))
show("Short of breath", pgm.infer(asia, given={"dysp": "yes"}))
patient = {"dysp": "yes", "asia": "yes"}
show("Short of breath, visited Asia", pgm.infer(asia, given=patient))

# Likelihood (virtual) evidence: a reading of the X-ray that is four times as likely when there is a shadow. It is
# multiplied in; what was believed before still counts.
show("  and a blurred X-ray, 4 to 1", pgm.infer(asia, given=patient, likelihood={"xray": {"yes": 0.8, "no": 0.2}}))

# Jeffrey (soft) evidence: a colleague who has weighed everything says 80 %. That becomes the posterior of the X-ray.
show(
    "  and the X-ray is 80 %, all considered", pgm.infer(asia, given=patient, jeffrey={"xray": {"yes": 0.8, "no": 0.2}})
)

# The best explanation is a joint state. The best state of each variable by itself may be something else, even
# something impossible: 'either' is the logical or of tub and lung.
known = {"asia": "yes", "xray": "yes"}
post = pgm.infer(asia, given=known)
alone, together = post.argmax(), pgm.mpe(asia, given=known).assignment()
print(f"\nGiven {known}:")
for title, states in (("each variable alone", alone), ("all jointly", together)):
    world = {name: str(state) for name, state in states.items()}
    weight = asia.log_prob(world).exp().item() / post.log_evidence.exp().item()
    print(f"  {title:<20} p = {weight:.4f}  " + ", ".join(f"{name} {world[name]}" for name in [*DISEASES, "either"]))

print("The five best explanations by diseases alone, all else summed out:")
best = pgm.mpe(asia, DISEASES, given=known, k=5)
for rank in range(5):
    share = (best.log_prob[rank] - post.log_evidence).exp().item()
    print(f"  {share:.3f}  " + ", ".join(f"{name} {state}" for name, state in best.assignment(rank).items()))

# Which test next? The one that is expected to take away most of the uncertainty about lung cancer.
breathless = {"dysp": "yes"}
left = pgm.entropy(asia, ["lung"], given=breathless).item()
print(f"\nShort of breath: {left:.4f} nats of uncertainty about lung cancer. Asking is expected to take away:")
gains = {
    name: pgm.mutual_information(asia, "lung", name, given=breathless).item() for name in ("xray", "smoke", "asia")
}
for name, gain in sorted(gains.items(), key=lambda pair: -pair[1]):
    print(f"  {name:<6} {gain:.4f}")

picture = pgm.plot(asia, given=known, posterior=post, title="ASIA: visited Asia, shadow on the X-ray")
print("\nPicture:", picture.save(folder / "diagnosis.svg"))
