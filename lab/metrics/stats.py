"""Uncertainty of a mean over clips."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

RESAMPLES = 10_000


def bootstrap_interval(values: Sequence[float] | np.ndarray, seed: int = 0) -> tuple[float, float]:
    """95 % interval (low, high) of the mean of `values`, one number per clip: the percentile bootstrap
    (Efron 1979).

    Clips are drawn with replacement, whole clips and never frames, since the frames of a clip resemble each
    other. NaN values (metric not computed on that clip) are left out; without any value both ends are NaN.
    One clip gives an interval
    of no width, which says nothing: report it only from a handful of clips on.
    """
    known = np.asarray(values, dtype=np.float64)
    known = known[~np.isnan(known)]
    if not len(known):
        return float("nan"), float("nan")
    draws = np.random.default_rng(seed).integers(len(known), size=(RESAMPLES, len(known)))
    low, high = np.percentile(known[draws].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)
