"""Every verb of the command line on a tiny run, beside the same in Python; misuse, one line at a time."""

import contextlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

import deepgen
from deepgen.cli.app import What
from deepgen.cli.run import run
from deepgen.pictures import watch
from deepgen.recipes import RECIPES, VAE
from deepgen.recipes.settings import settings
from deepgen.runs.pictures import OWN, PICTURES
from deepgen.training import checkpoint

ROOT = Path(__file__).parents[3]
TINY = [
    "vae",
    "--batch",
    500,
    "--latents",
    2,
    "--hidden",
    "8,9",
    "--no-decay",
    "--warm-up",
    0,
    "--device",
    "cpu",
    "--every",
    100,
]
PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


def call(*arguments: object) -> Said:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run([str(argument) for argument in arguments])
    return Said(code, out.getvalue(), err.getvalue())


def told(*arguments: object) -> dict:
    """The one JSON object that a command prints when nothing goes wrong."""
    said = call(*arguments, "--json")
    assert (said.code, said.err) == (0, "")
    assert said.out.count("\n") == 1
    return json.loads(said.out)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs with labels."""
    place = tmp_path_factory.mktemp("cli") / "run"
    said = call("train", *TINY, "--epochs", 2, "--labels", "--out", place)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(f"{place}: Run(VAE on digits, 2 of 2 epochs), ")
    return place


def test_a_run_leaves_its_settings_history_and_pictures(folder: Path) -> None:
    about = json.loads((folder / "recipe.json").read_text())
    assert (about["recipe"], about["columns"]) == ("vae", {"image": [8, 8], "label": []})
    assert about["settings"]["hidden"] == [8, 9]
    rows = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    assert {"turn", "elbo.loss", "held-out elbo.loss"} <= {name for row in rows for name in row}
    assert (folder / "history.csv").read_text().startswith("turn,epoch,seconds,elbo.loss,")
    drawn = ["curves.png", "graph.png", "samples-000000006.png"]
    assert [(folder / name).read_bytes()[:8] for name in drawn] == [PNG] * 3


@pytest.mark.parametrize(
    ("options", "field", "value"),
    [
        (["--labels"], "labels", True),
        (["--no-labels"], "labels", False),
        (["--hidden", "7"], "hidden", (7,)),
        (["--objective", "iwae"], "objective", "iwae"),
        (["--clip", "0.5"], "clip", 0.5),
        (["--clip", "none"], "clip", None),
        (["--beta", "2"], "beta", 2.0),
        (["--warm-up", "1"], "warm_up", 1),
        (["--binarise", "threshold"], "binarise", "threshold"),
    ],
)
def test_each_kind_of_setting_is_an_option(options: list, field: str, value: object, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr("deepgen.runs.train", lambda recipe, *_, **__: asked.append(recipe) or _broken())
    assert call("train", "vae", *options, "--out", "nowhere").err == "deepgen train: enough\n"
    assert asked == [VAE(**{field: value})]
    assert getattr(asked[0], field) == value


def _broken() -> None:
    raise deepgen.DivergenceError("enough")


def test_help_shows_each_setting_with_its_default() -> None:
    said = " ".join(call("train", "vae", "--help").out.split())
    assert "--hidden N,N,... units of each hidden layer of both networks. [default: 200,200]" in said
    assert "--clip X|none norm to which gradients are cut. [default: none]" in said
    assert all(f"--{name.replace('_', '-')}" in said for name in settings(VAE))


def test_recipes_are_listed() -> None:
    assert all(name in call("recipes").out for name in RECIPES)
    assert all(name in call("train", "--help").out for name in RECIPES)
    assert told("recipes")["vae"]["settings"]["hidden"] == [200, 200]


def test_samples_are_those_of_python(folder: Path, tmp_path: Path) -> None:
    array, picture = tmp_path / "drawn.npy", tmp_path / "drawn.png"
    assert told("sample", folder, "-n", 5, "--label", 3, "--seed", 1, "-o", array) == {"output": str(array), "n": 5}
    expected = deepgen.load(folder).sample(5, label=3, seed=1)
    assert torch.equal(torch.from_numpy(np.load(array)), expected)
    said = call("sample", folder, "-n", 5, "--label", 3, "--label", 4, "-o", picture)
    assert (said.code, said.out) == (0, f"{picture}: 5 samples\n")
    assert picture.read_bytes()[:8] == PNG


def test_figures_say_on_which_side_they_are(folder: Path) -> None:
    found = told("evaluate", folder, "--particles", "1,5")
    expected = deepgen.load(folder).evaluate([1, 5])
    assert found == {"run": str(folder), "figures": [figure.json() for figure in expected]}
    assert [each["side"] for each in found["figures"]] == ["lower bound"] * 2
    assert {"name", "value", "side", "how", "error", "unit"} == set(found["figures"][0])
    assert call("evaluate", folder, "--particles", "1,5").out.splitlines() == [str(figure) for figure in expected]


@pytest.mark.parametrize("what", [what for what in PICTURES if what not in OWN])
def test_pictures_are_drawn(what: str, folder: Path, tmp_path: Path) -> None:
    picture = tmp_path / f"{what}.png"
    assert told("draw", folder, "--what", what, "--label", 3, "-o", picture) == {"output": str(picture), "what": what}
    assert picture.read_bytes()[:8] == PNG


def test_all_pictures_are_offered() -> None:
    assert get_args(What) == tuple(PICTURES)


def test_a_resumed_run_is_the_run_that_never_stopped(tmp_path: Path) -> None:
    whole, part = tmp_path / "whole", tmp_path / "part"
    assert call("train", *TINY, "--epochs", 4, "--out", whole).code == 0
    assert call("train", *TINY, "--epochs", 2, "--out", part).code == 0
    answer = told("resume", part, "--epochs", 4, "--device", "cpu", "--every", 100)
    assert (answer["interrupted"], answer["last"]["turn"]) == (False, 12)
    one, two = (checkpoint.read(place) for place in (whole, part))
    assert all(torch.equal(one.tensors[name], two.tensors[name]) for name in one.tensors)
    assert json.loads((part / "recipe.json").read_text()) == json.loads((whole / "recipe.json").read_text())


def test_ctrl_c_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pressed: list[None] = []

    def press(*_: object, **__: object) -> None:
        pressed or pressed.append(os.kill(os.getpid(), signal.SIGINT))

    monkeypatch.setattr(watch, "grid", press)
    said = call("train", *TINY[:-1], 2, "--epochs", 4, "--out", tmp_path)
    assert said.code == 130
    assert said.err == f"interrupted after 3 turns; go on with: deepgen resume {tmp_path}\n"
    assert checkpoint.read(tmp_path).turn == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("train vea --out x", "deepgen train: there is no recipe 'vea', expected .*'vae'.* Did you mean 'vae'?"),
        ("train", "deepgen train: which recipe? There are .*'vae'"),
        ("train vae", "deepgen train: Missing option '-o' / '--out'."),
        ("train vae --out x --latent 3", "deepgen train: No such option: --latent (Possible options: .*--latents.*)"),
        ("train vae --out x --latents two", ".*'--latents': latents is 'two', expected a whole number."),
        (
            "train vae --out x --objective elbow",
            ".*is 'elbow', expected 'elbo', 'iwae' or 'dreg'. Did you mean 'elbo'?",
        ),
        ("train vae --out x --epochs 0", "VAE: epochs is 0.0, expected a number above 0."),
        ("train vae --out x --data digitz", "data: there is no 'digitz'; expected one of digits, .*"),
        ("train vae --out x --data digits --batch 5000", "fit: batch is 5000, expected 1 to 1500, the number of rows."),
        ("train vae --out RUN", "train: RUN holds a run already; `deepgen resume` goes on with it, or .*"),
        ("train vae --out recipe.json", "train: recipe.json is a file, expected the name of a folder."),
        ("resume none", "none: there is no such folder; `deepgen train` makes one."),
        ("resume empty", "empty: there is no run in it, recipe.json is missing."),
        ("resume RUN --epochs 1", "resume: RUN has made 6 turns, and 1 epochs are 3; ask for more epochs."),
        ("sample RUN -o a.gif", "a.gif: ends in '.gif', expected .png, .svg, .pdf, .npy."),
        ("sample RUN -o none/a.png", "none/a.png: there is no folder none."),
        ("sample RUN -o a.png --label ten", "'label' is 'ten'; its states are '0', .*"),
        ("sample RUN -o a.png --set guidance", "--set 'guidance': expected NAME=VALUE, such as guidance=2."),
        ("sample RUN -o a.png --set guidance=2", "VAE: 'guidance' is no setting; it has none of sampling."),
        ("evaluate RUN --set epochs=2", "VAE: 'epochs' is decided when it is trained; it has none of sampling."),
        ("draw RUN -o a.png --what process", "draw: Run(VAE on digits, 2 of 2 epochs) has no picture 'process'; .*"),
        ("evaluate RUN --particles 0", "--particles '0': expected whole numbers above 0 with commas .*"),
        ("evaluate CUT", "CUT/checkpoints/000000006: the checkpoint is damaged or incomplete .*"),
        ("draw RUN -o a.png --what nothing", "deepgen draw: Invalid value for '--what': .*'graph'.*"),
    ],
)
def test_misuse_is_one_line(words: str, said: str, folder: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folder, "RUN")
    shutil.copytree(folder, "CUT")
    Path("empty").mkdir()
    Path("recipe.json").touch()
    state = Path("CUT/checkpoints/000000006/state.safetensors")
    state.write_bytes(state.read_bytes()[:-100])
    found = call(*words.split())
    assert (found.code, found.out) == (2, "")
    pattern = ".*".join(re.escape(part) for part in said.split(".*"))
    assert re.fullmatch(pattern + r"[^\n]*\n", found.err), found.err
    assert not Path("x/checkpoints").exists()


def test_help_and_version_need_no_torch() -> None:
    script = "import sys; from deepgen.cli.run import run; run(['--help']); sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=False)
    assert (done.returncode, b"evaluate" in done.stdout) == (0, True)
