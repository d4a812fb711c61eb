"""Blinks of one eye over time, and whether a result shows those of the truth."""

import numpy as np

LEAST_DEPTH = 0.2  # of openness between usual and most shut, under which nothing is a blink
APART = 2  # frames by which a blink may miss the true one


def blinks(openness: np.ndarray) -> list[tuple[int, int]]:
    """First frame of every blink, and the one after its last.

    A blink is a run below half way between what is usual (the median) and the most shut, where these are at least
    LEAST_DEPTH apart. openness: (T,), 0 shut and 1 usual, or one less a blink's weight; NaN where unknown, which is no
    blink but does not end one.
    """
    known = np.flatnonzero(np.isfinite(openness))
    if not len(known):
        return []
    usual, shut = np.median(openness[known]), np.min(openness[known])
    if usual - shut < LEAST_DEPTH:
        return []
    below = np.concatenate([[False], openness[known] < (usual + shut) / 2, [False]])
    change = np.flatnonzero(np.diff(below))
    return [(int(known[first]), int(known[end - 1]) + 1) for first, end in change.reshape(-1, 2)]


def blink_hits(result: np.ndarray, truth: np.ndarray) -> tuple[int, int, int]:
    """How many of the truth's blinks the result shows, how many others it shows, and how many it lacks.

    A blink is found where one of the result overlaps it or is no more than APART frames away; each counts once.
    result, truth: (T,) openness, see `blinks`.
    """
    left, wanted = blinks(result), blinks(truth)
    hits = 0
    for first, end in wanted:
        found = next((run for run in left if run[0] < end + APART and run[1] > first - APART), None)
        if found:
            left.remove(found)
            hits += 1
    return hits, len(left), len(wanted) - hits


def f1(hits: int, false_alarms: int, misses: int) -> float:
    """F1 score in [0, 1], 2 hits / (2 hits + false alarms + misses); NaN where there was nothing to find or to miss."""
    total = 2 * hits + false_alarms + misses
    return 2 * hits / total if total else float("nan")
