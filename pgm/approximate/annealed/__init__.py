"""The way from independent variables to a random field, along which annealed importance sampling goes."""
