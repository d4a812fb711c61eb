"""Measuring methods against each other on clips whose truth is known."""
