"""Causal smoothing of what is measured frame by frame."""

import numpy as np


class OneEuro:
    """One-Euro filter (Casiez et al. 2012) on an array, in frames: cut-off = min_cutoff + beta * |speed| per frame."""

    def __init__(self, min_cutoff: float, beta: float):
        self._min_cutoff, self._beta = min_cutoff, beta
        self._value: np.ndarray | None = None
        self._speed: np.ndarray | float = 0.0

    def __call__(self, value: np.ndarray) -> np.ndarray:
        if self._value is None:
            self._value = value
            return value
        speed_gain = _gain(0.15)
        self._speed = speed_gain * (value - self._value) + (1 - speed_gain) * self._speed
        gain = _gain(self._min_cutoff + self._beta * np.abs(self._speed))
        self._value = gain * value + (1 - gain) * self._value
        return self._value


def _gain(cutoff: np.ndarray | float) -> np.ndarray | float:
    r = 2 * np.pi * np.asarray(cutoff)
    return r / (r + 1)
