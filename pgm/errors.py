"""What can go wrong, by where: the graph, a shape, the evidence, the plan, a file.

All are `ValueError`s. A message names its subject, what was given, what was expected and how to fix it.
"""


class GraphError(ValueError):
    """The structure is wrong: a cycle, a variable twice, an unknown name."""


class ShapeError(ValueError):
    """A table or tensor does not fit its scope, or its numbers are not what they must be."""


class EvidenceError(ValueError):
    """What was observed names an unknown variable or state, or has probability zero."""


class PlanError(ValueError):
    """The question is beyond the stated limits of an exact answer."""


class FileError(ValueError):
    """A file could not be read or written; the message gives file, line and name."""


class ConvergenceWarning(UserWarning):
    """An approximation has not settled: the answer is there, and less certain than it could be."""
