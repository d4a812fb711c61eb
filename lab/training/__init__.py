"""Losses and trainers of the shared networks."""
