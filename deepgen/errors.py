"""What can go wrong while a model learns."""


class DivergenceError(ArithmeticError):
    """Training left the finite numbers; the modules have the parameters that were good last."""
