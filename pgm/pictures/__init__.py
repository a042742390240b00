"""Pictures: a model's graph in four views, with evidence and posteriors, as SVG, PNG, PDF or DOT."""

from .draw import plot
from .picture import Picture

__all__ = ["Picture", "plot"]
