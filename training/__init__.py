"""Data preparation, synthetic headsets, losses and trainers."""
