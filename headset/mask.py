"""The headset's mask in real footage: the network's coarse one, made steady, whole and sharp.

The coarse masks are averaged in head coordinates (headset.evidence), a headset's silhouette is fitted to them
(headset.fit), and the colours of device and surroundings are learnt (headset.evidence). The three add up as
log-odds; a guided filter then lays the edge along the edges of the picture.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from ..tracking.geometry import pose_angles, pose_scale
from ..tracking.track import USUAL_RATE, DevicePatch, FrameStatus, TrackedFace
from .evidence import AVERAGED, CELL, Appearance, ColourModel, DeviceEvidence, chain, colour_bins, head_lattice
from .fit import SilhouetteFit, silhouette
from .guided_filter import apply_coefficients, guided_coefficients
from .hand import SKIN_POINTS
from .models import preset as headset_preset

GENEROUS = 0.3  # centimetres beyond the edge: a hole that is too small leaves a rim of plastic
SMALLEST = 10.0  # square centimetres; less than that is no device
PERHAPS = 0.35  # probability from which a place is looked at
WORK_WIDTH = 112  # pixels of the device's width at which the work is done
MARGIN = 2.5  # centimetres of surroundings that are looked at
DOUBT = 0.02  # how often the network is wrong where it is sure
SURE = 3.0  # log-odds from which a pixel teaches its colour
REACH = 1.2  # centimetres around a pixel where the guided filter looks for edges
FLAT = 3e-4  # variance of colour, on [0, 1], below which there is no edge
LARGE = 0.05  # of the largest piece of the mask; smaller pieces are specks

# A hand before the device looks otherwise than the device did there, is of the face's colour, and comes from outside.
OTHERWISE = 0.1  # of a channel, on [0, 1]
SKIN_HUE = 0.04  # of a channel's share in the three
SKIN_LIGHT = (0.4, 1.6)  # brightness by that of the face
HAND = 4.0  # square centimetres; what is smaller is none
BESIDE = 0.7  # centimetres beyond the mask in which a fill's feather still changes a hand
HAND_REACH = 0.6  # centimetres around a pixel where its edge is looked for
HAND_FLAT = 1e-3  # as FLAT


@dataclass(frozen=True)
class Prior:
    """What a silhouette says, in log-odds: `slope` a centimetre from its outline, from `outside` to `inside`."""

    slope: float
    outside: float
    inside: float


FITTED = Prior(1.0, -1.0, 3.0)
KNOWN = Prior(2.0, -1.5, 4.0)


class DeviceMasker:
    """Full-size masks of the device on one person's head, frame by frame in order; no later frame is looked at.

    preset: name of the device, where it is known (headset.draw): its silhouette then takes the place of the fitted
    one, and weighs more. grow: centimetres by which the mask is larger than it would be, or smaller where negative.
    shift: (x, y) centimetres by which it is moved, along with the head. straps: whether straps and head bands belong to
    it, as far as they lie outside of the body's outline. fps: frames a second. Raises InputError for an unknown preset.
    """

    def __init__(
        self,
        *,
        preset: str | None = None,
        grow: float = 0.0,
        shift: tuple[float, float] = (0.0, 0.0),
        straps: bool = True,
        fps: float = USUAL_RATE,
    ):
        self._fps, self._straps = fps, straps
        self._known = headset_preset(preset) if preset else None
        self._margin = GENEROUS + grow
        self._shift = shift
        self._scene: int | None = None

    def push(self, frame: np.ndarray, face: TrackedFace, device: DevicePatch | None) -> np.ndarray:
        """(H, W) uint8 mask, 1 = device, of the next frame; all 0 where the face is missing or no device was seen. It
        goes on under a hand that passes before it: `front`, (H, W) uint8, is then 1 where that is.

        frame: (H, W, 3) uint8 RGB. face: where the head is. device: the network's coarse mask of this frame; None
        where there is none, and the device is where it was on the head before.
        """
        mask = np.zeros(frame.shape[:2], np.uint8)
        self.front = np.zeros_like(mask)
        if face.scene != self._scene:
            self._start()
            self._scene = face.scene
        if face.status == FrameStatus.MISSING:
            self._evidence = DeviceEvidence(self._fps)
            return mask
        pose = face.pose if device is None else self._evidence.add(device, face.pose)
        seen = self._evidence.probability
        if seen is None or np.count_nonzero(seen > 0.5) * CELL**2 < SMALLEST:
            return mask
        lattice = head_lattice(pose)
        body = silhouette(self._fit.update(seen, _planar(lattice) @ pose), pose)
        window = _Window.around(frame, np.concatenate([body, _extent(seen, lattice)]), body, pose)
        if window is None:
            return mask
        mask[window.place] = self._segment(window, seen, lattice, body, pose_scale(pose))
        if not self._straps:
            mask &= _inside(body, mask.shape)
        self._skin.see(frame, face)
        if self._skin.colour is not None:
            self.front[window.place] = self._hand(window, mask[window.place], lattice, pose_scale(pose))
        return _moved(_grown(mask, self._margin * pose_scale(pose)), self._shift, pose)

    def _start(self) -> None:
        self._evidence = DeviceEvidence(self._fps)
        self._fit = SilhouetteFit(self._known, self._fps)
        self._colours = ColourModel(self._fps)
        self._appearance, self._skin = Appearance(self._fps), _Skin(self._fps)

    def _segment(
        self, window: "_Window", seen: np.ndarray, lattice: np.ndarray, body: np.ndarray, scale: float
    ) -> np.ndarray:
        """(h, w) uint8, the device in the window. body: its silhouette in frame pixels; scale: those a centimetre."""
        small, to_small = window.small, window.to_small
        size, scale = small.shape[:2], scale * float(to_small[0, 0])
        matrix = chain(to_small, cv2.invertAffineTransform(lattice))
        share = cv2.warpAffine(seen, matrix, size[::-1], flags=cv2.INTER_LINEAR)
        share = np.clip(share, DOUBT, 1 - DOUBT)
        odds = np.log(share / (1 - share))
        prior = KNOWN if self._known else FITTED
        depth = _depth(body @ to_small[:, :2].T + to_small[:, 2], size) / scale
        odds += np.clip(prior.slope * depth, prior.outside, prior.inside)
        bins = colour_bins(small)
        self._colours.learn(bins, odds > SURE, odds < -SURE)
        odds += self._colours.log_odds(bins)
        guide = small.astype(np.float32) / 255
        model = guided_coefficients(guide, 1 / (1 + np.exp(-odds)), max(round(REACH * scale), 2), FLAT)
        coarse = _whole(apply_coefficients(model, guide) > 0.5)
        return coarse if small is window.picture else window.refined(coarse, model)

    def _hand(self, window: "_Window", mask: np.ndarray, lattice: np.ndarray, scale: float) -> np.ndarray:
        """(h, w) uint8: a hand before the device in the window, and as far beyond it as a fill reaches. mask: (h, w),
        the device; scale: frame pixels a centimetre."""
        guide, scale = window.small.astype(np.float32) / 255, scale * float(window.to_small[0, 0])
        device = cv2.resize(mask, guide.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        to_lattice = chain(lattice, cv2.invertAffineTransform(window.to_small))
        usual, known = self._appearance.expected(to_lattice, guide.shape[:2])
        like_skin = self._skin.like(guide)
        otherwise = known & (_largest(np.abs(guide - usual)) > OTHERWISE)
        seen = cv2.morphologyEx((otherwise & like_skin).view(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        reach = max(round(HAND_REACH * scale), 2)
        # Over a rim in shadow a hand may look like the device, and still be one with what is seen of it beside.
        hand = _from_outside(cv2.dilate(seen, _disk(reach)) & like_skin & device, device, HAND * scale**2)
        self._appearance.learn(guide, device > cv2.dilate(hand, _disk(2)), to_lattice)
        if not hand.any():
            return np.zeros_like(mask)
        around = _disk(max(round((self._margin + BESIDE) * scale), 1))
        beyond = cv2.dilate(hand & _edge(device), around) & (1 - device)
        hand = hand | (beyond & like_skin)
        model = guided_coefficients(guide, hand.astype(np.float32), reach, HAND_FLAT)
        coarse = (apply_coefficients(model, guide) > 0.5).view(np.uint8)
        return coarse if window.small is window.picture else window.refined(coarse, model)


class _Skin:
    """The colour of a face's skin, (3,) RGB in [0, 1]; None before any was seen. fps: frames a second."""

    def __init__(self, fps: float) -> None:
        self._news = 1 - float(np.exp(-1 / (fps * AVERAGED)))
        self.colour: np.ndarray | None = None

    def see(self, frame: np.ndarray, face: TrackedFace) -> None:
        """Take in the cheeks and the chin of the next frame, as far as they are in sight."""
        points = face.points[list(SKIN_POINTS), :2][face.visibility[list(SKIN_POINTS)] > 0.5]
        x, y = np.round(points).astype(int).T
        inside = (x >= 0) & (x < frame.shape[1]) & (y >= 0) & (y < frame.shape[0])
        if inside.sum() > 1:
            seen = np.median(frame[y[inside], x[inside]], axis=0).astype(np.float32) / 255
            self.colour = seen if self.colour is None else self.colour + self._news * (seen - self.colour)

    def like(self, picture: np.ndarray) -> np.ndarray:
        """(H, W) bool, where a picture, (H, W, 3) in [0, 1], has its hue, in more or less light."""
        light, own = picture[..., 0] + picture[..., 1] + picture[..., 2] + 1e-3, float(self.colour.sum()) + 1e-3
        hue = _largest(np.abs(picture / light[..., None] - self.colour / own))
        return (hue < SKIN_HUE) & (light > SKIN_LIGHT[0] * own) & (light < SKIN_LIGHT[1] * own)


def _largest(values: np.ndarray) -> np.ndarray:
    """(H, W): the largest of each pixel's (H, W, 3) values; numpy's own maximum over so short an axis is slow."""
    return cv2.max(cv2.max(values[..., 0], values[..., 1]), values[..., 2])


@dataclass(frozen=True)
class _Window:
    """The part of a frame around the device, and the small picture of it that most of the work is done on.

    place: its rows and columns in the frame. picture: (h, w, 3) of the frame's pixels. small: (h', w', 3), the same
    object where the picture is small enough itself. to_small: (2, 3) from frame pixels to those of `small`.
    """

    place: tuple[slice, slice]
    picture: np.ndarray
    small: np.ndarray
    to_small: np.ndarray

    @classmethod
    def around(cls, frame: np.ndarray, points: np.ndarray, body: np.ndarray, pose: np.ndarray) -> "_Window | None":
        """A window that holds (N, 2) points and MARGIN; None where the frame shows none of it."""
        margin = MARGIN * pose_scale(pose)
        x0, y0 = np.maximum(np.floor(points.min(0) - margin), 0).astype(int)
        x1, y1 = np.minimum(np.ceil(points.max(0) + margin), frame.shape[1::-1]).astype(int)
        if min(x1 - x0, y1 - y0) < 8:
            return None
        picture = small = frame[y0:y1, x0:x1]
        shrink = WORK_WIDTH / float(np.ptp(body[:, 0]))
        if shrink < 1:
            small = cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        kx, ky = small.shape[1] / picture.shape[1], small.shape[0] / picture.shape[0]
        to_small = np.array([[kx, 0, (0.5 - x0) * kx - 0.5], [0, ky, (0.5 - y0) * ky - 0.5]])
        return cls((slice(y0, y1), slice(x0, x1)), picture, small, to_small)

    def refined(self, coarse: np.ndarray, model: np.ndarray) -> np.ndarray:
        """A (h', w') mask at full size; near its edge the guided filter's model decides by the full-size picture."""
        mask = cv2.resize(coarse, self.picture.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        kx, ky = self.to_small[0, 0], self.to_small[1, 1]
        reach = int(np.ceil(1.5 / kx))
        kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
        y, x = np.nonzero(cv2.dilate(mask, kernel) != cv2.erode(mask, kernel))
        if not len(x):
            return mask
        # OpenCV maps no row longer than 32767 pixels; np.resize fills the last row by repeating.
        shape = (-(-len(x) // 4096), 4096)
        map_x, map_y = (np.resize((v + 0.5) * k - 0.5, shape).astype(np.float32) for v, k in ((x, kx), (y, ky)))
        there = cv2.remap(model, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        colours = self.picture[y, x].astype(np.float32) / 255
        mask[y, x] = apply_coefficients(there.reshape(-1, 4)[: len(x)], colours) > 0.5
        return mask


def _from_outside(found: np.ndarray, device: np.ndarray, least: float) -> np.ndarray:
    """(H, W) uint8: the pieces of what was found on the device that reach its edge and have `least` pixels."""
    count, pieces, measures, _ = cv2.connectedComponentsWithStats(found)
    at_edge = np.unique(pieces[_edge(device) > 0])
    kept = [i for i in range(1, count) if measures[i, cv2.CC_STAT_AREA] >= least and i in at_edge]
    whole = np.isin(pieces, kept).view(np.uint8)
    return cv2.morphologyEx(whole, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8)) & device


def _disk(radius: int) -> np.ndarray:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))


def _edge(mask: np.ndarray) -> np.ndarray:
    """(H, W) uint8: the outermost two pixels of a mask."""
    return mask - cv2.erode(mask, np.ones((5, 5), np.uint8))


def _planar(lattice: np.ndarray) -> np.ndarray:
    """A (2, 3) map of the picture plane as a (4, 4) one that leaves z."""
    matrix = np.eye(4)
    matrix[:2, :2], matrix[:2, 3] = lattice[:, :2], lattice[:, 2]
    return matrix


def _extent(seen: np.ndarray, lattice: np.ndarray) -> np.ndarray:
    """(4, 2) corners, in frame pixels, of the box on the lattice that holds what is seen."""
    x, y, width, height = cv2.boundingRect((seen > PERHAPS).astype(np.uint8))
    corners = np.array([(x, y), (x + width, y), (x, y + height), (x + width, y + height)], np.float64)
    inverse = cv2.invertAffineTransform(lattice)
    return corners @ inverse[:, :2].T + inverse[:, 2]


def _depth(outline: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W) float32 pixels by which a pixel lies inside a convex outline, negative outside. outline: (N, 2) pixels."""
    inside = _inside(outline, size)
    return cv2.distanceTransform(inside, cv2.DIST_L2, 3) - cv2.distanceTransform(1 - inside, cv2.DIST_L2, 3)


def _inside(outline: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W) uint8: 1 inside a convex outline. outline: (N, 2) pixels."""
    return cv2.fillConvexPoly(np.zeros(size, np.uint8), np.round(outline * 16).astype(np.int32), 1, cv2.LINE_8, 4)


def _whole(mask: np.ndarray) -> np.ndarray:
    """(H, W) uint8: the mask, (H, W) bool, without specks and holes."""
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    areas = [cv2.contourArea(outline) for outline in outlines]
    large = [outline for outline, area in zip(outlines, areas, strict=True) if area >= LARGE * max(areas)]
    return cv2.drawContours(np.zeros(mask.shape, np.uint8), large, -1, 1, cv2.FILLED)


def _grown(mask: np.ndarray, pixels: float) -> np.ndarray:
    """The (H, W) uint8 mask with its edge moved outwards, or inwards where `pixels` is negative."""
    x, y, width, height = cv2.boundingRect(mask)
    pad = int(abs(pixels)) + 2
    place = np.s_[max(y - pad, 0) : y + height + pad, max(x - pad, 0) : x + width + pad]
    # Distances are between the middles of pixels, and the edge lies half a pixel beyond the last one.
    grown = mask.copy()
    if pixels > 0:
        grown[place] = cv2.distanceTransform(1 - mask[place], cv2.DIST_L2, 5) <= pixels + 0.5
    else:
        grown[place] = cv2.distanceTransform(mask[place], cv2.DIST_L2, 5) > 0.5 - pixels
    return grown


def _moved(mask: np.ndarray, shift: tuple[float, float], pose: np.ndarray) -> np.ndarray:
    """The mask moved by (x, y) centimetres of the upright head."""
    if not any(shift):
        return mask
    roll = np.radians(pose_angles(pose)[2])
    x, y = pose_scale(pose) * np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]]) @ shift
    matrix = np.array([[1, 0, x], [0, 1, y]])
    return cv2.warpAffine(mask, matrix, mask.shape[::-1], flags=cv2.INTER_NEAREST)
