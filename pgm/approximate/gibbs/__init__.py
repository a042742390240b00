"""Gibbs sampling: many chains at once over the unobserved variables of a field."""
