"""How good a model is: bounds on its likelihood, and its samples beside the data."""
