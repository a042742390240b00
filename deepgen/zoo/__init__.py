"""Families of deep generative models, one file each: functions that return models."""
