"""What eye and face tracking data say, in one form, whatever they came from."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class EyeTracking:
    """N moments of one recording, or the frames of a clip that it was brought in time with. NaN is what is unknown.

    times: (N,) float64 seconds, rising. Of two eyes the wearer's right one comes first. openness: (N, 2), 0 shut, 1
    usual, over 1 wide. gaze: (N, 2, 2) radians, yaw to the wearer's right and pitch down positive. brows: (N, 2, 3) in
    [0, 1], how far the inner and the outer end are raised, and the whole is lowered. jaw: (N, 2), how far the mouth is
    open, in [0, 1], and how far the jaw and with it the mouth are moved to the wearer's right, in [-1, 1].
    """

    times: np.ndarray
    openness: np.ndarray
    gaze: np.ndarray
    brows: np.ndarray
    jaw: np.ndarray

    @classmethod
    def unknown(cls, times: np.ndarray) -> "EyeTracking":
        """Nothing but times (N,); the other arrays are new and may be filled."""
        shapes = ((2,), (2, 2), (2, 3), (2,))
        return cls(np.asarray(times, np.float64), *(np.full((len(times), *shape), np.nan) for shape in shapes))

    @cached_property
    def usual_yaw(self) -> float:
        """Radians to the right, where both eyes look on the whole; NaN where that is not known."""
        return float(median(self.gaze)[:, 0].mean())

    def rows(self, start: int, count: int) -> "EyeTracking":
        """`count` moments from number `start` on, the last one again where there are fewer."""
        at = np.minimum(np.arange(start, start + count), len(self.times) - 1)
        return EyeTracking(*(values[at] for values in (self.times, self.openness, self.gaze, self.brows, self.jaw)))

    def mirrored(self) -> "EyeTracking":
        """The same of a mirrored face: left and right change places."""
        other_way = np.array((-1.0, 1.0))  # yaw, pitch
        return EyeTracking(
            self.times,
            self.openness[:, ::-1],
            self.gaze[:, ::-1] * other_way,
            self.brows[:, ::-1],
            self.jaw * other_way[::-1],
        )


@dataclass(frozen=True)
class Recording:
    """A file of tracking data.

    kind: what the file is, in words. timecode: time of day at `tracking.times` 0, in seconds since midnight; epoch:
    seconds since 1970 then. None where the file does not say.
    """

    tracking: EyeTracking
    kind: str
    timecode: float | None = None
    epoch: float | None = None

    def mirrored(self) -> "Recording":
        """The same of a mirrored face."""
        return replace(self, tracking=self.tracking.mirrored())


@dataclass(frozen=True)
class TrackingData:
    """A recording as the user means it. offset: seconds on the clip's clock at which the recording's is 0; None where
    that is to be found."""

    recording: Recording
    offset: float | None = None


def median(values: np.ndarray) -> np.ndarray:
    """Over the samples (N, ...) of what is known; NaN where nothing is."""
    known = np.isfinite(values).any(0)
    return np.where(known, np.nanmedian(np.where(known, values, 0), axis=0), np.nan)
