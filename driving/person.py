"""A recording fitted to who wears the headset: what is usual, shut and wide for them, and how their eyes rest."""

from dataclasses import dataclass, replace

import numpy as np

from ..metrics.blinks import blinks
from .eye_tracking import EyeTracking, median
from .timing import GATE

# Trackers disagree on how far a full blink closes: Live Link Face says 0.06 to 0.14 open, MediaPipe 0.2 to 0.4. So a
# dip is taken for a full blink if it is as short as one (VanderWerf et al. 2003: about a third of a second), and deeper
# than a squint or a look down.
BLINK_SECONDS = 0.6
BLINK_DEPTH = 0.35
LEAST_USUAL = 0.1  # openness under which lids are not open, but not reported: many programs write 0 for "unknown"


@dataclass(frozen=True)
class OwnRange:
    """What a recording's values mean for its wearer, each by eye, the right one first; NaN is unknown.

    usual, shut, widest: (2,) openness as recorded. turned: (2, 2) radians of yaw and pitch by which an eye is always
    turned away from where both look, and both from level. resting: (2, 3) brows as they usually are.
    """

    usual: np.ndarray
    shut: np.ndarray
    widest: np.ndarray
    turned: np.ndarray
    resting: np.ndarray


def own_range(tracking: EyeTracking) -> OwnRange:
    """Measure a recording: usual is the median, shut what its blinks reach (0 where there are none), widest the 99th
    percentile, since single samples err."""
    usual = median(tracking.openness)
    usual[usual < LEAST_USUAL] = np.nan
    shut = np.array([_shut(tracking.times, tracking.openness[:, eye]) for eye in range(2)])
    widest = np.array([_percentile(tracking.openness[:, eye], 99) for eye in range(2)])
    gaze = np.where((tracking.openness < GATE * usual)[..., None], np.nan, tracking.gaze)
    rest = median(gaze)
    # Where level is trackers do not agree, and MediaPipe finds most people to look 5 to 13 degrees down.
    turned = np.nan_to_num(rest - rest.mean(0) * (1, 0))
    return OwnRange(usual, shut, widest, turned, median(tracking.brows))


def to_person(tracking: EyeTracking, own: OwnRange) -> EyeTracking:
    """A recording, or some moments of it, with openness 0 where its wearer's eye is shut and 1 where it is as usual,
    and brows 0 where they are as usual. The eyes' constant turn towards each other, or apart, is taken out: devices
    that were not fitted to their wearer have one of 4 degrees. Where both eyes look together stays, but for how high
    that is on the whole.
    """
    openness = np.maximum((tracking.openness - own.shut) / (own.usual - own.shut), 0)
    brows = np.clip((tracking.brows - own.resting) / np.maximum(1 - own.resting, 1e-6), 0, 1)
    return replace(tracking, openness=openness, gaze=tracking.gaze - own.turned, brows=brows)


def _shut(times: np.ndarray, openness: np.ndarray) -> float:
    usual = median(openness)
    depths = [
        float(np.nanmin(openness[first:end]))
        for first, end in blinks(openness)
        if times[end - 1] - times[first] <= BLINK_SECONDS
    ]
    deep = [depth for depth in depths if usual - depth >= BLINK_DEPTH]
    return float(np.median(deep)) if deep else 0.0


def _percentile(values: np.ndarray, percent: float) -> float:
    known = values[np.isfinite(values)]
    return float(np.percentile(known, percent)) if len(known) else np.nan
