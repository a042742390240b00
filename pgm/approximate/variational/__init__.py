"""Bounds on log Z by families of distributions: mean field from below, spanning forests from above."""
