"""A recording in time with a clip: from its own samples to one row for each frame."""

from collections.abc import Callable

import numpy as np

from .eye_tracking import EyeTracking, median

# Samples that are nearer to each other, in seconds, are joined by a line: at 17 Hz, the slowest headset, one in two may
# be lost, and no blink fits in unseen. Of slower files one in two may be lost too.
JOINED, STEPS_JOINED = 0.12, 2.5
# A tracker that loses an eye mostly finds it again within a blink or two, so what it saw last is held that long. Then
# the face eases to its usual look, slowly, so that nobody notices, and comes back faster: the truth is known by then.
HELD, EASED, BACK = 0.4, 0.6, 0.2
# A lid that covers half of the usual opening covers the pupil, and where a tracker believes the eye to look then is the
# lid's doing: in Live Link Face EyeLookDown follows EyeBlink with r = 0.9. The next samples (seconds) are no better.
GATE, GATE_MARGIN = 0.5, 0.03
# A gaze that is lost for as long as a blink goes on a line from before to after, which the lid hides.
GAZE_JOINED = 0.5
STEPS_EASED = 5  # corners of the curve that eases
PER_FRAME = 5  # places in a frame at which gaze, brows and jaw are looked up for their mean


def at_frames(tracking: EyeTracking, times: np.ndarray, offset: float = 0.0) -> EyeTracking:
    """What a recording says of each frame of a clip, one row a frame, without gaps in what it ever knows.

    A frame stands for the time half way to its neighbours. Of that, lids take the least, so that the shortest blink
    shows at 24 frames a second, and everything else the mean. The gaze is not believed while the lid covers the pupil.
    Where tracking is lost, and before and after the recording, the last value is held for HELD seconds and eased to the
    recording's median. A value that is never known stays NaN.

    times: (T,) seconds, rising, when the clip's frames are shown. offset: seconds on the clip's clock at which the
    recording's is 0.
    """
    edges = _edges(np.asarray(times, np.float64)) - offset
    own = tracking.times
    joined = max(JOINED, STEPS_JOINED * float(np.median(np.diff(own)))) if len(own) > 1 else JOINED
    hidden = _near(own, tracking.openness < GATE * median(tracking.openness))
    gaze = np.where(hidden[..., None], np.nan, tracking.gaze)
    return EyeTracking(
        np.asarray(times, np.float64),
        _along(tracking.openness, lambda values: _Curve(own, values, joined).least(edges)),
        _along(gaze, lambda values: _Curve(own, values, max(joined, GAZE_JOINED)).mean(edges)),
        _along(tracking.brows, lambda values: _Curve(own, values, joined).mean(edges)),
        _along(tracking.jaw, lambda values: _Curve(own, values, joined).mean(edges)),
    )


def _along(values: np.ndarray, brought: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """(N, ...) to (T, ...), each value's course (N,) by itself."""
    columns = values.reshape(len(values), -1).T
    return np.stack([brought(column) for column in columns], axis=1).reshape(-1, *values.shape[1:])


def _edges(times: np.ndarray) -> np.ndarray:
    """(T + 1,) where one frame's time ends and the next one's begins."""
    if len(times) < 2:
        return np.concatenate([times, times]) if len(times) else np.zeros(1)
    middles = (times[1:] + times[:-1]) / 2
    return np.concatenate([[2 * times[0] - middles[0]], middles, [2 * times[-1] - middles[-1]]])


def _near(times: np.ndarray, covered: np.ndarray) -> np.ndarray:
    """(N, 2) bool: samples of each eye that are covered, and those just before and after."""
    out = covered.copy()
    for eye in range(2):
        when = np.concatenate([[-np.inf], times[covered[:, eye]], [np.inf]])
        after = np.searchsorted(when[1:-1], times) + 1
        out[:, eye] = np.minimum(times - when[after - 1], when[after] - times) <= GATE_MARGIN
    return out


class _Curve:
    """One value over time as a line through its known samples, with what is held and eased where it is lost."""

    def __init__(self, times: np.ndarray, values: np.ndarray, joined: float) -> None:
        known = np.isfinite(values)
        self._known = bool(known.any())
        if not self._known:
            return
        t, v = times[known], values[known]
        usual = float(np.median(v))
        corners = [(t, v)]
        for i in np.flatnonzero(np.diff(t) > joined):
            corners.append(_bridge(t[i], v[i], t[i + 1], v[i + 1], usual))
        corners.append(_bridge(t[-1], v[-1], np.inf, usual, usual))
        corners.append(_bridge(-np.inf, usual, t[0], v[0], usual))
        when, what = (np.concatenate(part) for part in zip(*corners, strict=True))
        order = np.argsort(when, kind="stable")
        self._times, self._values = when[order], what[order]

    def mean(self, edges: np.ndarray) -> np.ndarray:
        """(T,) the mean in each of the T stretches between `edges` (T + 1,); NaN where nothing is known."""
        if not self._known:
            return np.full(len(edges) - 1, np.nan)
        shares = (np.arange(PER_FRAME) + 0.5) / PER_FRAME
        places = edges[:-1, None] + np.diff(edges)[:, None] * shares
        return np.interp(places, self._times, self._values).mean(1)

    def least(self, edges: np.ndarray) -> np.ndarray:
        """(T,) the least in each of the T stretches between `edges` (T + 1,); NaN where nothing is known."""
        if not self._known:
            return np.full(len(edges) - 1, np.nan)
        at_edges = np.interp(edges, self._times, self._values)
        when = np.concatenate([edges, self._times])
        order = np.argsort(when, kind="stable")
        values = np.concatenate([at_edges, self._values])[order]
        starts = np.flatnonzero(order < len(edges))  # where the edges are now
        least = np.minimum.reduceat(values, starts)[:-1]
        return np.minimum(least, at_edges[1:])


def _bridge(start: float, first: float, end: float, second: float, usual: float) -> tuple[np.ndarray, np.ndarray]:
    """Corners of the curve from the last known value before a gap to the first one after it: held, then eased to the
    usual one and from there to the next; to the next at once where the gap is too short for that."""
    share = np.linspace(0, 1, STEPS_EASED)
    eased = (1 - np.cos(np.pi * share)) / 2
    back = end - BACK * (1 - share)
    if end - start < HELD + EASED + BACK:
        back = np.maximum(back, start)
        return back, first + (second - first) * eased
    corners = []
    if np.isfinite(start):
        corners.append((start + HELD + EASED * share, first + (usual - first) * eased))
    if np.isfinite(end):
        corners.append((back, usual + (second - usual) * eased))
    times, values = (np.concatenate(part) for part in zip(*corners, strict=True))
    return times, values
