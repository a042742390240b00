"""A run: a recipe with what it made, as training leaves it and as its folder gives it back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from pgm.domains import Binary
from pgm.errors import FileError, PlanError
from pgm.variable import Variable

from ..data.data import Data
from ..data.images import Split
from ..data.shades import uncentred
from ..evaluate.beside import sample_figures
from ..evaluate.bounds import bounds
from ..evaluate.features import train_features
from ..evaluate.figure import Figure
from ..recipes import Recipe, Setup
from ..recipes.settings import resampled
from ..training import checkpoint
from ..training.devices import device_of
from ..training.history import History, read_history
from ..training.phase import named_modules
from .note import Note, note_of, read_note


@dataclass(frozen=True, eq=False)
class Run:
    """A recipe that has been trained, or is about to be.

    Args:
        recipe: all settings.
        setup: the family with its parameters: `setup.pair` is the model with its guide, where it is one.
        data: what it was trained on.
        history: what was measured meanwhile.
        folder: where its files are, if anywhere.

    Example:
        >>> from deepgen.recipes import VAE
        >>> from deepgen.runs.training import train
        >>> run = train(VAE(epochs=2, latents=4, labels=True), device="cpu")
        >>> run
        Run(VAE on digits, 2 of 2 epochs)
        >>> run.sample(5, label=3).shape
        torch.Size([5, 8, 8])
    """

    recipe: Recipe
    setup: Setup
    data: Data
    history: History
    folder: Path | None = None

    @property
    def label(self) -> Variable | None:
        """What the family is conditioned on, if anything."""
        return self.recipe.label(self.data)

    @property
    def device(self) -> torch.device:
        """Where its parameters are."""
        return self.setup.phases[0].parameters()[0].device

    @torch.no_grad()
    def sample(self, rows: int, label: object = None, seed: int | None = None) -> Tensor:
        """Draws of what pictures show, `[rows, *event]`.

        Args:
            rows: how many.
            label: a state, or several by turns, where the family is conditioned on labels; by default all by turns.
            seed: of these draws; torch's own randomness when None.

        Raises:
            PlanError: when there is a label, and the family knows none.
            EvidenceError: when there is no such state.
        """
        with torch.random.fork_rng(enabled=seed is not None):
            if seed is not None:
                torch.manual_seed(seed)
            return self.setup.sample(rows, self.labels(rows, label))

    def labels(self, rows: int, label: object = None) -> Tensor | None:
        """The states on which so many draws are conditioned, `[rows]`; None where there are no labels."""
        variable = self.label
        if variable is None:
            if label is not None:
                raise PlanError(f"sample: the label is {label!r}, but {self} knows no labels; train one that does.")
            return None
        asked = variable.states if label is None else [label] if isinstance(label, str | int) else label
        if not isinstance(asked, Sequence):
            raise PlanError(f"sample: the label is {label!r}, expected a state or a list of states.")
        numbers = torch.tensor([variable.number(each) for each in asked], device=self.device)
        return numbers[torch.arange(rows, device=self.device) % len(numbers)]

    def evaluate(
        self, particles: Sequence[int] = (), samples: int = 0, features: bool = False, split: Split = "test"
    ) -> tuple[Figure, ...]:
        """Figures on data, each with what it bounds and how sure it is.

        Args:
            particles: draws a row, one bound on log p(x) each; by default the family's own figures.
            samples: how many to compare with the data too; none when 0.
            features: whether to compare them also in the features of a network trained to tell the labels apart,
                which is kept in the folder.
            split: of which rows the bounds are.

        Raises:
            PlanError: when bounds are asked for and the family has no guide, or features without samples.
        """
        if features and not samples:
            raise PlanError("evaluate: features are those of samples; say how many samples, such as 1000.")
        held = self.recipe.load(split)
        if not particles:
            found = tuple(self.setup.figures(held.to(self.device)))
        elif self.setup.pair is None:
            raise PlanError(f"evaluate: particles are {tuple(particles)}, but {self} has no guide to draw them from.")
        else:
            found = bounds(self.setup.pair, held, particles)
        return found + (self._beside(samples, features) if samples else ())

    def _beside(self, rows: int, features: bool) -> tuple[Figure, ...]:
        """Figures of samples beside the data; means of pixels beside shades, where the data have shades."""
        grey = replace(self.recipe, binarise="no")
        data, test, drawn = uncentred(grey.load()), uncentred(grey.load("test")), self.sample(rows, seed=0).cpu()
        if isinstance(self.recipe.x(data).domain, Binary):
            drawn = torch.bernoulli(drawn, generator=torch.Generator().manual_seed(0))
        labels, kept = self.labels(rows), None if self.folder is None else self.folder / "features.safetensors"
        network = train_features(data, test, out=kept, device=self.device) if features else None
        return sample_figures(drawn, data, test=test, labels=None if labels is None else labels.cpu(), features=network)

    def __repr__(self) -> str:
        made = self.history.last.get("epoch", 0.0)
        return f"Run({type(self.recipe).__name__} on {self.recipe.data}, {made:.4g} of {self.recipe.epochs:g} epochs)"


def load(folder: Path | str, device: str | torch.device = "cpu", **sampling: object) -> Run:
    """A run from its folder, with the newest parameters: the moving averages, where there are any.

    Args:
        folder: of the run.
        device: where the parameters go.
        sampling: other values of those settings of the recipe that only concern sampling, such as `guidance=2.0` of
            diffusion; `Recipe.sampling` names them.

    Raises:
        FileError: when there is no run in it, its files are damaged, or its data are no longer what they were.
        PlanError: when there is no such device, or a setting is not one of sampling.
    """
    home, place = Path(folder), device_of(device, "load")
    note = read_note(home)
    recipe = resampled(note.recipe, sampling)
    data = data_of(home, note)
    setup = fresh(recipe, data)
    put(setup, checkpoint.read(home), home)
    for module in named_modules(setup.phases).values():
        module.to(place).eval()
    return Run(recipe, setup, data, read_history(home), home)


def data_of(folder: Path, note: Note) -> Data:
    """The data of a run.

    Raises:
        FileError: when they have another shape than when it was trained.
    """
    data = note.recipe.load()
    now = note_of(note.recipe, data).columns
    if now != note.columns:
        raise FileError(
            f"{folder}: it was trained on {_said(note.columns)}, but {note.recipe.data} now has {_said(now)}. Put the "
            "data back, or train another run on these."
        )
    return data


def fresh(recipe: Recipe, data: Data) -> Setup:
    """The family of a recipe with parameters that its seed draws."""
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        return recipe.setup(data)


@torch.no_grad()
def put(setup: Setup, found: checkpoint.Checkpoint, folder: Path) -> None:
    """The parameters of a checkpoint, or their averages, into what has been set up.

    Raises:
        FileError: when they do not fit.
    """
    modules = named_modules(setup.phases)
    try:
        for name, module in modules.items():
            module.load_state_dict(_below(found.tensors, f"module.{name}."))
            averages = _below(found.tensors, f"average.{name}.")
            for key, parameter in module.named_parameters():
                if key in averages:
                    parameter.copy_(averages[key])
    except RuntimeError as error:
        raise FileError(f"{folder}: its checkpoint is of another model ({' '.join(str(error).split())}).") from None


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _said(columns: Mapping[str, list[int]]) -> str:
    return ", ".join(f"{name} {list(shape)}" for name, shape in columns.items())
