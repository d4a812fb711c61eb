"""Eyes without data: blinks and small shifts of the gaze as people have them, from a seed."""

from collections.abc import Iterator

import numpy as np

from .eye_tracking import EyeTracking
from .timing import at_frames

RATE = 120.0  # moments a second that are made, as many as a good eye tracker gives
MARGIN = 1.0  # seconds that are made beyond the last frame, so that the end is no special case

# Blinks a minute at rest and in conversation: Bentivoglio et al. 1997 (150 people).
AT_REST, IN_CONVERSATION = 17.0, 26.0
# Times between blinks are skewed, nearly log-normal (reviewed by Cruz et al. 2011); this is the deviation of their
# logarithm. They are at least LEAST_PAUSE seconds apart here: flutter looks like a fault.
PAUSE_SPREAD, LEAST_PAUSE = 0.6, 0.5
# Seconds that a lid takes down and up again, and their deviation: VanderWerf et al. 2003, a third of a second together.
# Closing is faster than opening also in Sforza et al. 2008.
CLOSING, OPENING, DURATION_SPREAD = 0.09, 0.24, 0.2
# How far a lid closes, at least. Many blinks are partial (Sforza et al. 2008), but a half-shut eye looks like a fault.
LEAST_DEPTH = 0.85

# Seconds, on the average, for which somebody who talks looks at the other and then away, and degrees of the way there:
# Lee, Badler and Badler 2002, who give -6.9 ln(P / 15.7) for P uniform up to 15. No shift is over MOST_SHIFT here: who
# wears a headset may not be looking at what is invented.
LOOKING_AT, LOOKING_AWAY = 3.1, 0.9
MOST_SHIFT = 6.0
# While looking at a face the eyes go on from one of its parts to the next: its eyes and mouth, seen from two metres,
# are two degrees apart, and a fixation lasts a third to half of a second.
FIXATION, FIXATION_SPREAD, WITHIN_FACE = 0.45, 0.5, 1.0
# Seconds that a saccade takes, and more for each degree: Bahill, Clark and Stark 1975.
SACCADE, SACCADE_A_DEGREE = 0.021, 0.0022


def natural(times: np.ndarray, seed: int = 0, speaking: bool = True) -> EyeTracking:
    """Lids and gaze for the frames of a clip; brows and jaw are unknown.

    The same moment has the same eyes for one seed, however the clip is cut. times: (T,) seconds from the clip's
    beginning, rising and not negative.
    """
    until = float(times[-1]) + MARGIN if len(times) else MARGIN
    made = EyeTracking.unknown(np.arange(round(until * RATE)) / RATE)
    made.openness[:] = 1.0
    for start, closing, opening, depth in _blinks(np.random.default_rng([seed, 0]), until, speaking):
        made.openness[:] = np.minimum(made.openness, _lid(made.times - start, closing, opening, depth)[:, None])
    corners = list(_saccades(np.random.default_rng([seed, 1]), until))
    when, yaw, pitch = np.array(corners).T
    made.gaze[:] = np.radians(np.stack([np.interp(made.times, when, way) for way in (yaw, pitch)], axis=1))[:, None]
    return at_frames(made, times)


def _blinks(rng: np.random.Generator, until: float, speaking: bool) -> Iterator[tuple[float, float, float, float]]:
    """When each begins, how long it closes and opens, in seconds, and how far it closes."""
    mean = 60 / (IN_CONVERSATION if speaking else AT_REST) - LEAST_PAUSE
    now = 0.0
    while True:
        pause, closing, opening = np.exp(rng.normal(0, (PAUSE_SPREAD, DURATION_SPREAD, DURATION_SPREAD)))
        now += LEAST_PAUSE + mean * pause * np.exp(-(PAUSE_SPREAD**2) / 2)
        depth = rng.uniform(LEAST_DEPTH, 1)
        if now >= until:
            return
        yield now, CLOSING * closing, OPENING * opening, depth


def _lid(since: np.ndarray, closing: float, opening: float, depth: float) -> np.ndarray:
    """(N,) openness, `since` seconds after a blink began: quickly down, then up, ever slower."""
    down = (1 - np.cos(np.pi * np.clip(since / closing, 0, 1))) / 2
    up = np.clip((since - closing) / opening, 0, 1)
    return 1 - depth * down * (1 - up) ** 2


def _saccades(rng: np.random.Generator, until: float) -> Iterator[tuple[float, float, float]]:
    """Corners of the gaze's way: seconds, yaw and pitch in degrees."""
    now, here = 0.0, np.zeros(2)
    yield now, *here
    away_at = rng.exponential(LOOKING_AT)
    while now < until:
        spread, turn, size, stay, until_next = rng.normal(), rng.uniform(0, 2 * np.pi), *rng.uniform(size=3)
        away = now >= away_at
        if away:
            there = min(-6.9 * np.log(max(size, 0.05) * 15 / 15.7), MOST_SHIFT)
            lasts = -LOOKING_AWAY * np.log(max(stay, 0.05))
            away_at = now + lasts - LOOKING_AT * np.log(max(until_next, 0.01))
        else:
            there, lasts = WITHIN_FACE * size, FIXATION * np.exp(FIXATION_SPREAD * spread)
        # The eyes go up and down half as far as to the sides.
        target = there * np.array((np.cos(turn), 0.5 * np.sin(turn)))
        moving = SACCADE + SACCADE_A_DEGREE * float(np.hypot(*(target - here)))
        yield now + moving, *target
        yield now + moving + lasts, *target
        now, here = now + moving + lasts, target
