"""Tracking data whose truth is known: made from uncovered clips."""
