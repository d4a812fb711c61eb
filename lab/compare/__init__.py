"""Comparing systems: trained with one budget, measured alike, in one table."""
