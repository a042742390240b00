"""`pgm convert`: from one file format to another."""

from __future__ import annotations

from pathlib import Path

from ..io import save
from .files import load_model
from .show import count, print_json


def convert(source: Path, output: Path, json: bool) -> None:
    """Read a model and write it in the format that the suffix of `output` names."""
    model = load_model(source)
    save(model, output)
    if json:
        print_json({"input": str(source), "output": str(output), "variables": len(model.variables)})
    else:
        print(f"{output}: {count(len(model.variables), 'variable')}")
