"""The loops that run in machine code: each compiled once by numba, cached on disk, the same for every model."""
