"""Ready models: short functions that return a model of a well-known family, to be fitted, asked and changed."""
