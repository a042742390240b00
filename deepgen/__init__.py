"""Deep generative models: neural conditionals for the models of `pgm`, and how they are fitted."""
