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


class ConstantVelocity:
    """Kalman filter of N independent values whose speed changes little from frame to frame."""

    def __init__(self) -> None:
        self._state: np.ndarray | None = None  # (N, 2) value and speed
        self._covariance: np.ndarray | None = None  # (N, 2, 2)

    @property
    def started(self) -> bool:
        return self._state is not None

    def predicted(self) -> np.ndarray:
        """(N,) where the values will be in the next frame."""
        return self._state.sum(1)

    def __call__(self, value: np.ndarray, noise: np.ndarray, acceleration: np.ndarray) -> np.ndarray:
        """One frame. value: (N,) measured; noise and acceleration: (N,) standard deviations, of its error and of the
        acceleration within a frame. Returns the (N,) estimates; without noise, the values as they are.
        """
        if self._state is None:
            self._state = np.stack([value, np.zeros_like(value)], axis=1)
            self._covariance = np.zeros((len(value), 2, 2))
            self._covariance[:, 0, 0], self._covariance[:, 1, 1] = noise**2, (4 * acceleration) ** 2
            return value
        step = np.array([[1.0, 1.0], [0.0, 1.0]])
        within = np.array([[0.25, 0.5], [0.5, 1.0]])  # what a frame of constant acceleration adds
        state = self._state @ step.T
        covariance = step @ self._covariance @ step.T + (acceleration**2)[:, None, None] * within
        gain = covariance[:, :, 0] / (covariance[:, 0, 0] + noise**2)[:, None]
        self._state = state + gain * (value - state[:, 0])[:, None]
        self._covariance = covariance - gain[:, :, None] * covariance[:, None, 0, :]
        return self._state[:, 0]


class RandomWalk:
    """Kalman filter of N independent vectors that drift."""

    def __init__(self) -> None:
        self._value: np.ndarray | None = None
        self._variance: np.ndarray | None = None

    def __call__(self, value: np.ndarray, noise: np.ndarray, drift: np.ndarray) -> np.ndarray:
        """One frame. value: (N, D) measured; noise: (N,) its standard deviation; drift: (N,) that of one frame's step.

        Returns the (N, D) estimates; without noise, the values as they are.
        """
        if self._value is None:
            self._value, self._variance = value, noise**2
            return value
        variance = self._variance + drift**2
        gain = variance / (variance + noise**2)
        self._value = self._value + gain[:, None] * (value - self._value)
        self._variance = (1 - gain) * variance
        return self._value


def _gain(cutoff: np.ndarray | float) -> np.ndarray | float:
    r = 2 * np.pi * np.asarray(cutoff)
    return r / (r + 1)
