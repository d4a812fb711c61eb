"""Metric models of headsets: presets as large as real devices, and random ones of the sizes that devices have.

Lengths are centimetres in face coordinates (tracking.geometry): x to the image's right, y down, z away from the camera.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..errors import InputError

EYE_LINE = -2.6  # y of the eyes in face coordinates, centimetres (canonical face)
FACE_FRONT = -5.0  # z of brow and nose bridge, where a headset's frame rests


@dataclass(frozen=True)
class Headset:
    """The measures of one device: a shell lofted from the face's curve to its front, and what holds it there."""

    kind: str  # the preset it is or was derived from; decides the default look
    width: float
    top: float  # y of the upper rim from the eye line, negative
    bottom: float  # y of the lower rim from the eye line
    depth: float  # from brow to front
    roundness: float = 4.0  # exponent of the superellipse outline: 2 an ellipse, large a rectangle
    wrap: float = 4.0  # how far the rear rim lies further back at the temples than at the nose
    taper: float = 0.06  # share by which the front is smaller than the rear
    curve: float = 0.0  # how far the front lies further back at the sides than in the middle
    dome: float = 0.4  # how far the front's middle stands out over its edge
    bevel: float = 0.8  # radius of the front's edge
    nose_gap: float = 0.0  # height of the notch for the nose, 0 for none
    side_strap: float = 0.0  # height of the strap over the temples, 0 for none
    top_strap: float = 0.0  # width of the strap over the crown, 0 for none
    halo: float = 0.0  # height of the band around forehead and back of the head, 0 for none
    shift: tuple[float, float] = (0.0, 0.0)  # x, y from where it ought to sit
    tilt: tuple[float, float] = (0.0, 0.0)  # degrees: front down, and clockwise in the picture

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        """y of the outline's middle in face coordinates."""
        return EYE_LINE + (self.top + self.bottom) / 2

    def outline(self, points: int = 48) -> np.ndarray:
        """(points, 2) x, y of the rim in face coordinates, evenly spaced along it, clockwise in the picture."""
        angle = np.linspace(0, 2 * np.pi, 720, endpoint=False)
        unit = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        fine = np.sign(unit) * np.abs(unit) ** (2 / self.roundness) * (self.width / 2, self.height / 2)
        step = np.linalg.norm(np.diff(fine, axis=0, append=fine[:1]), axis=1)
        along = np.concatenate([[0.0], np.cumsum(step)])
        wanted = np.linspace(0, along[-1], points, endpoint=False)
        closed = np.concatenate([fine, fine[:1]])
        rim = np.stack([np.interp(wanted, along, closed[:, 0]), np.interp(wanted, along, closed[:, 1])], axis=1)
        notch = self.nose_gap * np.clip(1 - (rim[:, 0] / 3.4) ** 2, 0, 1) ** 2
        rim[:, 1] -= np.where(rim[:, 1] > 0, notch, 0)
        return rim + (0, self.middle)

    def rear(self, x: np.ndarray) -> np.ndarray:
        """z of the rim on the face at the given x."""
        return FACE_FRONT + self.wrap * (2 * x / self.width) ** 2

    def front(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """z of the front at the given x, y."""
        across, down = 2 * x / self.width, 2 * (y - self.middle) / self.height
        bulge = np.minimum(across**2 + down**2, 1.5)
        return FACE_FRONT - self.depth + self.curve * np.minimum(across**2, 1.0) + self.dome * bulge

    def front_normal(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """(..., 3) unit normals of the front, out of the device, at the given x, y."""
        across = 2 * (self.curve + self.dome) * x * (2 / self.width) ** 2
        down = 2 * self.dome * (y - self.middle) * (2 / self.height) ** 2
        normal = np.stack([across, down, np.full_like(across, -1.0)], axis=-1)
        return normal / np.linalg.norm(normal, axis=-1, keepdims=True)


# Widths, heights and depths are those of the makers' data sheets and photographs, to half a centimetre.
HEADSETS = {
    "band": Headset(
        "band", width=15.0, top=-2.6, bottom=2.2, depth=0.5, roundness=8, wrap=0.5, taper=0, curve=0.3, dome=0, bevel=0
    ),
    "quest": Headset(
        "quest", width=18.5, top=-5.0, bottom=4.6, depth=7.0, roundness=4.5, nose_gap=1.6, bevel=1.3, curve=1.0,
        dome=0.5, side_strap=2.6, top_strap=2.4,
    ),
    "psvr": Headset(
        "psvr", width=19.0, top=-5.6, bottom=5.2, depth=9.0, roundness=3.6, taper=0.1, bevel=1.6, curve=1.6, dome=0.9,
        nose_gap=0.8, halo=4.2,
    ),
    "visionpro": Headset(
        "visionpro", width=17.5, top=-4.6, bottom=4.2, depth=5.0, roundness=3, wrap=5.0, taper=0.02, curve=3.6,
        dome=0.4, bevel=0.35, nose_gap=2.0, side_strap=3.6,
    ),
    "index": Headset(
        "index", width=18.5, top=-5.4, bottom=4.6, depth=8.0, roundness=5, taper=0.08, bevel=0.9, curve=0.5,
        dome=0.2, nose_gap=2.2, side_strap=4.0, top_strap=2.6,
    ),
    "phone": Headset(
        "phone", width=19.0, top=-5.8, bottom=5.2, depth=10.0, roundness=7, taper=0.02, bevel=0.5, dome=0.0,
        nose_gap=2.4, side_strap=3.2, top_strap=3.0,
    ),
    "glasses": Headset(
        "glasses", width=15.0, top=-2.5, bottom=2.6, depth=3.0, roundness=4, wrap=4.0, taper=0.04, curve=1.4,
        dome=0.2, bevel=0.4, nose_gap=1.9, side_strap=1.0,
    ),
}  # fmt: skip

# Smallest and largest real devices. A rim reaches from the middle of the forehead to between nose bridge and lip.
LIMITS = {"width": (15.5, 21.5), "depth": (3.0, 12.0), "top": (-6.6, -3.4), "bottom": (2.6, 5.9)}
HEIGHTS = (8.0, 12.5)


def preset(name: str) -> Headset:
    """The headset of that name. Raises InputError for an unknown one."""
    if name not in HEADSETS:
        raise InputError(f"Expected a headset preset out of {', '.join(HEADSETS)}, got {name!r}.")
    return HEADSETS[name]


def randomised(headset: Headset, rng: np.random.Generator) -> Headset:
    """A device of the same kind with other measures, another seat on the face and other straps, for training.

    No measure leaves LIMITS, unless the preset itself does (the band and the glasses are smaller than headsets).
    """
    measures = {}
    for name, (low, high) in LIMITS.items():
        own = getattr(headset, name)
        value = own + rng.normal(0, 0.09) * (headset.height if name in ("top", "bottom") else abs(own))
        measures[name] = float(np.clip(value, min(low, own), max(high, own)))
    low, high = min(HEIGHTS[0], headset.height), max(HEIGHTS[1], headset.height)
    height = measures["bottom"] - measures["top"]
    spare = (height - np.clip(height, low, high)) / 2
    strapped = headset.side_strap > 0 or headset.halo > 0
    kinds = {
        "side_strap": headset.side_strap * rng.uniform(0.7, 1.8) if rng.random() < 0.8 else 0.0,
        "top_strap": rng.uniform(1.8, 4.0) if strapped and headset.width > 16 and rng.random() < 0.4 else 0.0,
        # Halo straps are also sold for devices that come without one.
        "halo": rng.uniform(3.0, 5.0) if strapped and rng.random() < (0.8 if headset.halo else 0.12) else 0.0,
    }
    return replace(
        headset,
        width=measures["width"],
        top=measures["top"] + spare,
        bottom=measures["bottom"] - spare,
        depth=measures["depth"],
        roundness=headset.roundness * rng.uniform(0.75, 1.3),
        wrap=headset.wrap * rng.uniform(0.75, 1.2),
        taper=headset.taper * rng.uniform(0, 2),
        curve=headset.curve * rng.uniform(0.3, 1.4) * measures["depth"] / headset.depth,
        dome=headset.dome * rng.uniform(0, 2),
        nose_gap=rng.uniform(0.8, 2.6) if headset.kind != "band" and rng.random() < 0.6 else 0.0,
        shift=tuple(rng.normal(0, (0.25, 0.3))),
        tilt=tuple(rng.normal(0, (3.0, 1.5))),
        **kinds,
    )
