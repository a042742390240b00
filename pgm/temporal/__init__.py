"""Repetition in time: a template of two slices, and questions about sequences of any length."""
