"""Draws from conditionals, weighted by what was observed."""
