"""How fast a run learns from step to step, and where it ends."""

import math

MOST_STEPS = 10**9  # of a run that ends by the clock


def pace(step: int, done: float, warm_up: int) -> float:
    """The share of the highest rate at a step, counted from 0, when so much of a run is done: linear warm-up, and a
    cosine down to a hundredth."""
    return min((step + 1) / max(warm_up, 1), 1) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))
