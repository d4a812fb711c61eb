"""The silhouette of a headset, fitted to a coarse map of where one is seen."""

from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np

from ..tracking.geometry import transform
from ..tracking.track import USUAL_RATE
from .mesh import seat
from .models import HEADSETS, Headset

MEASURES = ("width", "top", "bottom", "depth", "x")  # what is fitted to an unknown device
SEAT = ("x", "y")  # what is fitted to a known one
LIMITS = {"width": (11.0, 22.0), "height": (3.5, 15.0), "depth": (0.3, 11.0), "x": (-2.5, 2.5), "y": (-2.5, 2.5)}
COARSE = (1.0, 0.5, 0.25)  # centimetres, steps of the first search
FINE = 0.15  # centimetres, the step from frame to frame
PACE = 0.3  # share of a fine step that is taken, at USUAL_RATE: one frame's noise moves little
LEAST_GAIN = 1e-4  # of overlap, for a step to count
_CORNERS = np.linspace(0, 2 * np.pi, 40, endpoint=False)
_CIRCLE = np.stack([np.cos(_CORNERS), np.sin(_CORNERS)], axis=1)


def silhouette(headset: Headset, pose: np.ndarray) -> np.ndarray:
    """(N, 2) corners of the convex outline of a device's body, without straps and nose gap.

    pose: (4, 4), face coordinates in centimetres to the pixels wanted.
    """
    rim = _unit_rim(headset.roundness) * (headset.width / 2, headset.height / 2)

    def ring(share: float, z: np.ndarray | None = None) -> np.ndarray:
        corners = np.empty((len(rim), 3))
        corners[:, :2] = share * rim + (0, headset.middle)
        corners[:, 2] = headset.front(corners[:, 0], corners[:, 1]) if z is None else z
        return corners

    rear, edge = headset.rear(rim[:, 0]), 1 - headset.taper
    rings = [
        ring(0.95, rear),  # the cushion on the face, and the shell's rim behind it
        ring(1.0, rear - min(1.4, headset.depth / 3)),
        ring(edge) + (0, 0, headset.bevel),
        ring(edge * (1 - 2 * headset.bevel / headset.height)),
    ]
    corners = transform(pose @ seat(headset), np.concatenate(rings))
    return cv2.convexHull(corners[:, :2].astype(np.float32))[:, 0]


@lru_cache(maxsize=32)
def _unit_rim(roundness: float) -> np.ndarray:
    """(N, 2) corners of an outline that reaches from -1 to 1 across and down."""
    return np.sign(_CIRCLE) * np.abs(_CIRCLE) ** (2 / roundness)


class SilhouetteFit:
    """The measures of one clip's device: searched widely in its first frame, then followed slowly.

    known: the device, where it is known; its measures stay, and only its seat on the face is fitted. fps: frames a
    second.
    """

    def __init__(self, known: Headset | None = None, fps: float = USUAL_RATE):
        self._pace = min(PACE * USUAL_RATE / fps, 1.0)
        self._free = SEAT if known else MEASURES
        self._starts = [known] if known else list(HEADSETS.values())
        self._headset: Headset | None = None

    def update(self, probability: np.ndarray, pose: np.ndarray) -> Headset:
        """The device after one more frame. probability: (N, N) map. pose: (4, 4), face coordinates to its pixels."""
        if self._headset is None:
            self._headset = max(self._starts, key=lambda start: _overlap(start, probability, pose))
            for step in COARSE:
                while (better := self._descend(self._headset, step, probability, pose)) is not self._headset:
                    self._headset = better
        else:
            better = self._descend(self._headset, FINE, probability, pose)
            self._headset = _between(self._headset, better, self._pace)
        return self._headset

    def _descend(self, headset: Headset, step: float, probability: np.ndarray, pose: np.ndarray) -> Headset:
        """Move every measure by a step to where the overlap grows; the same object where none does."""
        best = _overlap(headset, probability, pose)
        for name in self._free:
            for change in (step, -step):
                moved = _moved(headset, name, change)
                overlap = _overlap(moved, probability, pose)
                if overlap > best + LEAST_GAIN and _sane(moved):
                    headset, best = moved, overlap
                    break
        return headset


def _overlap(headset: Headset, probability: np.ndarray, pose: np.ndarray) -> float:
    """Soft intersection over union of the silhouette and the map."""
    drawn = np.zeros(probability.shape, np.uint8)
    corners = np.round(silhouette(headset, pose) * 16).astype(np.int32)
    cv2.fillConvexPoly(drawn, corners, 1, cv2.LINE_8, 4)
    both = float(probability[drawn > 0].sum())
    return both / max(float(probability.sum()) + cv2.countNonZero(drawn) - both, 1e-6)


def _moved(headset: Headset, name: str, change: float) -> Headset:
    x, y = headset.shift
    if name in SEAT:
        return replace(headset, shift=(x + change, y) if name == "x" else (x, y + change))
    return replace(headset, **{name: getattr(headset, name) + change})


def _sane(headset: Headset) -> bool:
    x, y = headset.shift
    values = {"width": headset.width, "height": headset.height, "depth": headset.depth, "x": x, "y": y}
    return all(low <= values[name] <= high for name, (low, high) in LIMITS.items())


def _between(a: Headset, b: Headset, share: float) -> Headset:
    """`a` moved towards `b` by the share."""
    measures = {
        name: (1 - share) * getattr(a, name) + share * getattr(b, name) for name in ("width", "top", "bottom", "depth")
    }
    shift = tuple((1 - share) * p + share * q for p, q in zip(a.shift, b.shift, strict=True))
    return replace(a, **measures, shift=shift)
