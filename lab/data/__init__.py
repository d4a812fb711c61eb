"""Preparing what networks are trained on."""
