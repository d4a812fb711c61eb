"""A mouth that speaks before a camera, and the tracking data of it."""

import numpy as np

from hmd_removal.driving.eye_tracking import EyeTracking
from hmd_removal.driving.seen_face import SeenFace


def speech(times: np.ndarray, seed: int = 0) -> np.ndarray:
    """A jaw that opens and shuts without repeating itself, in [0, 1]."""
    rng = np.random.default_rng(seed)
    waves = [np.sin(2 * np.pi * (f * times + p)) for f, p in zip(rng.uniform(1, 5, 12), rng.random(12), strict=True)]
    return 0.5 + 0.5 * np.tanh(np.sum(waves, axis=0) / 3)


def clip(seconds: float = 12.0, noise: float = 0.3, seed: int = 0) -> SeenFace:
    """A mouth at 25 frames a second, seen with an error; it goes to the wearer's right and back."""
    times = np.arange(round(25 * seconds)) / 25
    wrong, still = np.random.default_rng(99).normal(0, noise, len(times)), np.zeros(len(times))
    return SeenFace(times, 20 * speech(times, seed) + 8 * wrong + 5 * times / seconds, np.sin(times) + wrong, still)


def recording(offset: float, seconds: float = 12.0, seed: int = 0) -> EyeTracking:
    """Its data at 60 Hz, whose time 0 is at `offset` of the clip."""
    times = np.arange(round(60 * seconds)) / 60
    tracking = EyeTracking.unknown(times)
    tracking.jaw[:, 0] = 0.4 * speech(times + offset, seed)
    tracking.jaw[:, 1] = 0.2 * np.sin(times + offset)
    return tracking
