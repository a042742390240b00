"""The main job: load a network, ask it, explain it, answer a thousand rows at once, draw it; then train a deep model.

The network is ALARM: 37 variables that describe a patient under anaesthesia (Beinlich and others, 1989). The deep model
is a variational autoencoder of digits. Pictures go to demo-output/, with --smoke to a temporary folder.
"""

import shutil
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import torch
from rich.console import Console
from rich.table import Table

import deepgen
import pgm
from deepgen.recipes import VAE

DATA = Path(__file__).parent / "data"
PROBLEMS = ["HYPOVOLEMIA", "LVFAILURE", "ANAPHYLAXIS", "INSUFFANESTH", "PULMEMBOLUS", "KINKEDTUBE", "DISCONNECT"]
SEEN = {"BP": "LOW", "CVP": "HIGH", "PCWP": "HIGH", "HRBP": "HIGH", "PRESS": "LOW", "MINVOL": "LOW"}

console = Console(highlight=False)
smoke = "--smoke" in sys.argv
folder = Path(tempfile.mkdtemp(prefix="pgm-demo-") if smoke else "demo-output")
folder.mkdir(exist_ok=True)

# 1. Load. The graph follows from the tables in the file.
console.rule("A network, loaded")
alarm = pgm.load(DATA / "alarm.bif")
console.print(f"{alarm.name}: {alarm.graph}")

# 2. Ask. The loops are machine code, compiled by `make` or else by the first question, and kept on disk.
console.rule("What is wrong with this patient?")
console.print("(The very first question compiles the loops: half a minute of silence, once.)")
before = pgm.infer(alarm)
after = pgm.infer(alarm, given=SEEN)
console.print("Seen: " + ", ".join(f"{name} {state}" for name, state in SEEN.items()))
table = Table("problem", "before", "after", "")
for name in PROBLEMS:
    p, q = before[name, "TRUE"].item(), after[name, "TRUE"].item()
    table.add_row(name, f"{p:.1%}", f"{q:.1%}", "#" * round(30 * q))
console.print(table)
console.print(f"This evidence has probability {after.log_evidence.exp().item():.2g}.")
started = perf_counter()
for _ in range(1000):
    pgm.infer(alarm, given=SEEN)
console.print(f"All 37 posteriors again, one row at a time: {1e3 * (perf_counter() - started):.0f} microseconds a row.")

# 3. Explain: the most probable joint states of all problems, everything else summed out, which is marginal MAP.
console.rule("The best explanations")
best = pgm.mpe(alarm, PROBLEMS, given=SEEN, k=3)
whole = pgm.mpe(alarm, given=SEEN)
for rank in range(3):
    found = [name for name, state in best.assignment(rank).items() if state == "TRUE"]
    share = (best.log_prob[rank] - after.log_evidence).exp().item()
    console.print(f"  {rank + 1}. {' and '.join(found) or 'none of the problems':<45} {share:.1%}")
odd = [f"{name} {state}" for name, state in whole.assignment().items() if state not in ("NORMAL", "FALSE")]
console.print(f"In the most probable state of all 37 variables {len(odd)} are not normal: {', '.join(odd)}.")

# 4. A thousand patients, as one batch: what the monitors show, the rest asked.
console.rule("A thousand rows")
monitors = [name for name in alarm.graph.names if not alarm.graph.children[name]]
patients = pgm.sample(alarm, 1000, seed=0)
rows = {name: patients[name] for name in monitors}
answers = pgm.infer(alarm, given=rows)  # plans; the second time is what counts
started = perf_counter()
answers = pgm.infer(alarm, given=rows)
seconds = perf_counter() - started
console.print(f"1,000 patients, {len(monitors)} monitors and 37 posteriors each: {1000 / seconds:,.0f} rows a second.")
ill, told = patients["HYPOVOLEMIA"] == 0, answers["HYPOVOLEMIA", "TRUE"]  # TRUE is the first state
sure, had = told > 0.5, ill.double()
console.print(f"HYPOVOLEMIA: {had.mean():.1%} have it, its probability is {told.mean():.1%} on average;")
console.print(f"where it is more likely than not {had[sure].mean():.1%} have it, elsewhere {had[~sure].mean():.1%}.")

# 5. Draw.
console.rule("Pictures")
asia = pgm.load(DATA / "asia.bif")
pictures = {
    "alarm": pgm.plot(alarm, given=SEEN, posterior=after, title="ALARM: evidence and posteriors"),
    "asia-factor": pgm.plot(asia, view="factor", title="ASIA: factor graph"),
    "asia-moral": pgm.plot(asia, view="moral", title="ASIA: moral graph"),
    "asia-junction": pgm.plot(asia, view="junction", title="ASIA: junction tree"),
}
for name, picture in pictures.items():
    for suffix in ("svg", "png"):
        console.print(f"  {picture.save(folder / f'{name}.{suffix}')}", soft_wrap=True)

# 6. A deep model: the same kind of graph, its arrows networks. `deepgen resume` would go on with this run.
console.rule("A model that learns to draw")
torch.set_num_threads(1)  # matrices this small are multiplied fastest by one
shutil.rmtree(folder / "digits", ignore_errors=True)
recipe = VAE(labels=True, epochs=2 if smoke else 150)
run = deepgen.train(recipe, folder / "digits", device="cpu", every=30 if smoke else None)
console.print(f"{run.setup.pair}: {run.history.last['seconds']:.0f} s. On digits kept from it:")
console.print(*map(str, run.evaluate(particles=[1, 50])), sep="\n", soft_wrap=True)
console.print(f"  {folder / 'digits'}: graph.png, curves.png, samples of each digit, checkpoints", soft_wrap=True)
