"""Scores that tell a face from a good one: expression, eyes, distances between sets of videos."""
