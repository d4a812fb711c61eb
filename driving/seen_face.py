"""What is seen of a face below its headset, and how tracking data agree with it: when the mouth opens tells when they
begin, to which side mouth and eyes go whether they are mirrored."""

from dataclasses import dataclass

import cv2
import numpy as np

from ..errors import InputError
from ..tracking.crop import Crop
from ..tracking.geometry import canonical_points, pose_angles
from ..tracking.track import FrameStatus, TrackedFace
from .eye_tracking import EyeTracking, median
from .timing import GATE, JOINED

# The square that is looked at: from the upper lip to the chin, centimetres on the head.
MOUTH = tuple(canonical_points()[[13, 14]].mean(0) + (0.0, 1.0, 0.0))
MOUTH_SIZE = 6.0
SIDE = 32  # pixels of it
DARK = 15  # percentile of all its pixels in the clip up to which one is dark: the open mouth, mostly

GRID = 0.02  # seconds between the offsets that are tried
DRIFT = 3.0  # seconds over which slow changes are taken out: light, a mouth that hangs open
APART = 0.25  # seconds from the best offset from which another is another: syllables come three to eight a second
WITHIN = 3.0  # seconds around an offset that clocks tell: those of cameras are set by hand, and some stamp a file's end
# Seconds that clip and recording must share: over 5 in which somebody speaks or acts no wrong offset passed the two
# limits below, over 4 some did.
SHARED = 5.0
LEAST = 0.55  # of the correlation; data of other people reached 0.53
LEAD = 0.2  # of the best correlation over the next one; that of wrong offsets was up to 0.17
SIDEWAYS = 0.03  # usual way of a mouth to the side, by weight, under which trackers report noise
SIDED = 0.4  # of the correlation of its way with what is seen, from which data are known to be mirrored or not
# The same by the eyes. Degrees a second: under TURNING of the head landmarks jitter as much, over SACCADE the eyes jump
# to something else. On clips of five seconds or more correlations were 0.37 to 0.57 where people talk, else under 0.25.
TURNING, SACCADE, AGAINST = 7.0, 60.0, 0.3
SMOOTHED, TURNING_SECONDS = 0.15, 5.0  # seconds over which speeds are measured, and of which there must be at least
WATCHED = 600.0  # seconds of a clip that are looked at: more tells no more, and takes a kilobyte a frame


@dataclass(frozen=True)
class SeenFace:
    """What T frames of a clip show of a face below its headset; NaN in frames without one.

    times: (T,) seconds. opening: (T,) how dark the mouth is. place: (T,) in [-1, 1], where in it the dark is, to the
    wearer's right, which is the picture's left. yaw: (T,) degrees, the head's turn to the wearer's right.
    """

    times: np.ndarray
    opening: np.ndarray
    place: np.ndarray
    yaw: np.ndarray


@dataclass(frozen=True)
class Alignment:
    """How well a recording fits a clip. offset: seconds on the clip's clock at which the recording's is 0. correlation:
    of jaw and mouth then, in [-1, 1], less where they share little. second: the best of all that are APART from it.
    """

    offset: float
    correlation: float
    second: float

    @property
    def sure(self) -> bool:
        return self.correlation >= LEAST and self.correlation - self.second >= LEAD


class FaceWatch:
    """Collects of a clip's frames, in order, what brings a recording in time with them.

    Of a covered face the lips' landmarks hardly move with speech (correlation with the jaw -0.2 to 0.5 on six clips),
    the dark of an open mouth does (0.6 to 0.9). So the mouth is looked at in the picture.
    """

    def __init__(self) -> None:
        self._times: list[float] = []
        self._mouths: list[np.ndarray | None] = []
        self._yaws: list[float] = []

    def look(self, time: float, frame: np.ndarray, face: TrackedFace) -> None:
        """One (H, W, 3) uint8 frame, shown at `time` seconds; those after WATCHED seconds are not needed."""
        if self._times and time - self._times[0] > WATCHED:
            return
        there = face.status != FrameStatus.MISSING
        self._times.append(time)
        self._mouths.append(_mouth(frame, face.pose) if there else None)
        self._yaws.append(-float(pose_angles(face.pose)[0]) if there else np.nan)

    def seen(self) -> SeenFace:
        """All of it together: what counts as dark is told by the whole clip."""
        opening, place = np.full((2, len(self._times)), np.nan)
        known = np.array([mouth is not None for mouth in self._mouths], bool)
        if known.any():
            grey = np.stack([mouth for mouth in self._mouths if mouth is not None]).astype(np.float32)
            dark = np.maximum(np.percentile(grey, DARK) - grey, 0)
            opening[known] = dark.mean((1, 2))
            to_the_right = np.linspace(1, -1, SIDE)
            place[known] = (dark * to_the_right).sum((1, 2)) / np.maximum(dark.sum((1, 2)), 1e-6)
        return SeenFace(np.array(self._times), opening, place, np.array(self._yaws))


def _mouth(frame: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """(SIDE, SIDE) uint8, grey: the mouth, upright."""
    return cv2.cvtColor(Crop.around(pose, MOUTH_SIZE, MOUTH).shrunk(frame, SIDE), cv2.COLOR_RGB2GRAY)


def best_alignment(seen: SeenFace, tracking: EyeTracking, about: float | None = None) -> Alignment:
    """The offset at which jaw and mouth correlate best, however unsure.

    about: an offset that clocks tell; only those WITHIN seconds of it are tried. Raises InputError where clip and
    recording cannot share enough, or one of them says nothing of the mouth.
    """
    if not np.isfinite(tracking.jaw[:, 0]).any():
        raise InputError("The tracking data say nothing of the jaw, which could bring them in time: give the offset.")
    offsets, correlation = _correlations(seen, tracking)
    if about is not None:
        near = np.abs(offsets - about) <= WITHIN
        offsets, correlation = offsets[near], correlation[near]
    if not len(offsets):
        raise InputError(
            f"Clip and tracking data share less than {SHARED:.0f} seconds in which the mouth is seen, too few to bring "
            "them in time: give the offset."
        )
    best = int(correlation.argmax())
    others = correlation[np.abs(offsets - offsets[best]) > APART]
    return Alignment(_peak(offsets, correlation, best), float(correlation[best]), float(others.max(initial=-1.0)))


def aligned(seen: SeenFace, tracking: EyeTracking, about: float | None = None) -> Alignment:
    """`best_alignment`; raises InputError where that is not sure."""
    best = best_alignment(seen, tracking, about)
    if not best.sure:
        raise InputError(
            f"The mouth in the picture and the jaw in the tracking data do not tell when these begin: they agree by "
            f"{best.correlation:.2f} at {best.offset:+.2f} s and by {best.second:.2f} elsewhere, but {LEAST} and a "
            f"lead of {LEAD} are needed; give the offset."
        )
    return best


def is_mirrored(seen: SeenFace, tracking: EyeTracking, offset: float) -> bool | None:
    """Whether left and right are changed in the data: the mouth goes to the other side than the one seen, or the eyes
    turn with the head where they should stay on what they look at (vestibulo-ocular reflex).

    None where that cannot be told, since neither moves enough. In a clip that is mirrored itself it is the other way.
    """
    by_mouth = _mouth_agrees(seen, tracking, offset)
    agrees = by_mouth if by_mouth is not None else _eyes_agree(seen, tracking, offset)
    return None if agrees is None else not agrees


def _mouth_agrees(seen: SeenFace, tracking: EyeTracking, offset: float) -> bool | None:
    when, sideways = _known(tracking.times, tracking.jaw[:, 1])
    if not len(when):
        return None
    told = np.interp(seen.times - offset, when, sideways, left=np.nan, right=np.nan)
    both = np.isfinite(told) & np.isfinite(seen.place)
    if both.sum() < 2 or told[both].std() < SIDEWAYS:
        return None
    sided = np.corrcoef(told[both], seen.place[both])[0, 1]
    return bool(sided > 0) if abs(sided) >= SIDED else None


def _eyes_agree(seen: SeenFace, tracking: EyeTracking, offset: float) -> bool | None:
    covered = (tracking.openness < GATE * median(tracking.openness)).any(1)
    gaze = np.where(covered, np.nan, np.degrees(tracking.gaze[..., 0]).mean(1))
    eyes, eyes_known = _speed(seen.times[0], seen.times[-1], tracking.times + offset, gaze)
    head, head_known = _speed(seen.times[0], seen.times[-1], seen.times, seen.yaw)
    used = eyes_known & head_known & (np.abs(eyes) < SACCADE)
    if used.sum() * GRID < TURNING_SECONDS or head[used].std() < TURNING or eyes[used].std() == 0:
        return None
    against = -np.corrcoef(eyes[used], head[used])[0, 1]
    return bool(against > 0) if abs(against) >= AGAINST else None


def _speed(start: float, end: float, times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How fast values change, smoothed, at steps of GRID from start to end, and whether it is known there."""
    grid = np.arange(start, end, GRID)
    when, what = _known(times, values)
    if len(when) < 2 or len(grid) < 2:
        return np.zeros(len(grid)), np.zeros(len(grid), bool)
    window = np.hanning(round(SMOOTHED / GRID) + 3)[1:-1]
    smooth = np.convolve(
        np.pad(np.interp(grid, when, what), len(window) // 2, mode="edge"), window / window.sum(), "valid"
    )
    return np.gradient(smooth[: len(grid)], GRID), _near(grid, when)


def _correlations(seen: SeenFace, tracking: EyeTracking) -> tuple[np.ndarray, np.ndarray]:
    """(K,) offsets at which clip and recording share SHARED seconds, and (K,) correlations there.

    All offsets at once, of what is known of both, by FFT (Padfield 2012, "Masked object registration in the Fourier
    domain"). Correlations are scaled by the root of the share of what could be shared at best: over less time chance
    does more.
    """
    mouth, mouth_known = _even(seen.times, seen.opening)
    jaw, jaw_known = _even(tracking.times, tracking.jaw[:, 0])
    size = 1 << (len(mouth) + len(jaw) - 1).bit_length()

    def products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.fft.irfft(np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size)), size)

    count = np.maximum(products(mouth_known, jaw_known), 1e-9)
    sum_mouth, sum_jaw = products(mouth, jaw_known), products(mouth_known, jaw)
    covariance = products(mouth, jaw) - sum_mouth * sum_jaw / count
    spread_mouth = products(mouth**2, jaw_known) - sum_mouth**2 / count
    spread_jaw = products(mouth_known, jaw**2) - sum_jaw**2 / count
    correlation = covariance / np.sqrt(np.maximum(spread_mouth * spread_jaw, 1e-18))
    correlation *= np.sqrt(count / max(count.max(), SHARED / GRID))
    steps = np.arange(size)
    steps = np.where(steps < len(mouth), steps, steps - size)
    order = np.argsort(steps)
    order = order[count[order] * GRID >= SHARED - GRID]
    return steps[order] * GRID + seen.times[0] - tracking.times[0], correlation[order]


def _even(times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """At steps of GRID from the first time on: the values without what changes slowly, 0 where they are unknown, and
    whether they are known, 0 or 1."""
    grid = np.arange(times[0], times[-1] + GRID / 2, GRID)
    when, what = _known(times, values)
    if not len(when):
        return np.zeros(len(grid)), np.zeros(len(grid))
    known = _near(grid, when).astype(np.float64)
    even = np.interp(grid, when, what) * known
    return (even - _blurred(even) / np.maximum(_blurred(known), 1e-9)) * known, known


def _blurred(values: np.ndarray) -> np.ndarray:
    """(N,) sums over DRIFT seconds, weighted by a bell. numpy's mode "same" would go by the longer of both."""
    window = np.hanning(round(DRIFT / GRID) + 3)[1:-1]
    return np.convolve(values, window)[len(window) // 2 :][: len(values)]


def _near(grid: np.ndarray, when: np.ndarray) -> np.ndarray:
    """(N,) bool: whether something is known near to each moment of the grid."""
    fence = np.concatenate([[-np.inf], when, [np.inf]])
    after = np.searchsorted(when, grid) + 1
    return np.minimum(grid - fence[after - 1], fence[after] - grid) <= JOINED / 2


def _known(times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    known = np.isfinite(values)
    return times[known], values[known]


def _peak(offsets: np.ndarray, correlation: np.ndarray, best: int) -> float:
    """The offset between its neighbours at which a parabola through the best and those is highest."""
    if not 0 < best < len(offsets) - 1 or not np.allclose(np.diff(offsets[best - 1 : best + 2]), GRID):
        return float(offsets[best])
    before, here, after = correlation[best - 1 : best + 2]
    curve = before - 2 * here + after
    return float(offsets[best] + (GRID * (before - after) / (2 * curve) if curve < 0 else 0.0))
