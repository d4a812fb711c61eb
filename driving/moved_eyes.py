"""A picture's eyes moved: lids that close over them as skin, and irises that turn behind the lids.

Each place of the moved picture is looked up in the picture as it is. Skin follows the edge of its lid, the less the
farther it is from it. Inside the opening the eyeball is seen, not squeezed: an iris moves as a whole, what is white
beside it is stretched. What the lids of the picture hid of an iris is taken from its rest, and what they hid of
the white is spread over from where that is seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from .eye_tracking import EyeTracking
from .upper_face import Eye, EyesInPicture, LinearFace, gaze_step

# Radians: on six clips what MediaPipe's weights say of the yaw and where its irises are differ by up to 2 degrees. More
# would take away where people look in the recording but not in their pictures.
UNSURE = 0.035
WIDEST = 1.35  # opening by the picture's: beyond it there is no lid to move
CHANGED = (0.2, 0.06)  # of the opening, and eye widths of the iris, from which on an eye is another than the picture's
FARTHEST = 0.25  # eye widths that an iris is moved at most, 24 degrees
# Eye widths, chosen by eye on portraits:
LASHES = 0.1  # beside a lid's edge that move as they are
LINE = 0.02  # inside the landmarks' opening that is lid: its rim and the roots of the lashes
WET = 0.08  # of the lower lid's rim that a shut upper lid hides
SOFT_LINE = 0.03  # inside the picture's opening in which what is seen gives way to what is spread
WIDENED = 0.2  # eye widths that an opening twice as wide counts as, by what it shows anew
SHADOW, SHADOW_REACH = 0.35, 0.06  # what the upper lid throws on the eyeball when it comes down, and how far
UPPER_ROOM = 0.9  # share of the distance from lid to brow whose skin moves with the lid
LOWER_ROOM = 0.35  # eye widths of skin that move with the lower lid
IRIS_EDGE = 1.1  # radii up to which an iris moves as a whole: landmarks put it a little inside its edge
WHITE_EDGE = 1.25  # radii from which on what is seen is surely white
WHITE_RIM = 0.05  # eye widths from the lids' edges to what is surely white
HARDLY = 0.01  # weight of what is not surely white, for eyes so narrow that nothing is
ACROSS = 1.3  # eye widths: side of the square that the spread white covers
AROUND = (0.65, 0.6)  # eye widths to either side, and down, of what moves; up, it is to the brow


def agreed(wanted: EyeTracking, pictures: Sequence[EyesInPicture], usual: float) -> EyeTracking:
    """The tracking data with eyes that look, on the whole, where they do in the person's pictures, unless that is
    farther to the side than either errs. usual: radians to the right, where the data look on the whole."""
    if not np.isfinite(usual):
        return wanted
    off = usual - float(np.median([picture.gaze[0] for picture in pictures]))
    return replace(wanted, gaze=wanted.gaze - (float(np.clip(off, -UNSURE, UNSURE)), 0))


@dataclass(frozen=True)
class MovedEye:
    """How one eye of a picture is wanted. opening: lid distance by the picture's. step: (2,) of the iris; follow: of
    both lids' middles down; in eye widths. upper_share: see LinearFace."""

    eye: Eye
    opening: float
    step: np.ndarray
    follow: float
    upper_share: float

    @property
    def changed(self) -> float:
        """How far it is otherwise than in the picture, in [0, 1]."""
        return min(abs(1 - self.opening) / CHANGED[0] + float(np.hypot(*self.step)) / CHANGED[1], 1.0)


def moved_eyes(picture: EyesInPicture, wanted: EyeTracking, t: int, face: LinearFace) -> tuple[MovedEye, MovedEye]:
    """The picture's eyes as they are wanted at moment t; what is not known stays the picture's own."""
    moved = []
    for side, eye in enumerate(picture.eyes):
        opening = wanted.openness[t, side] / picture.openness[side]
        opening = float(np.clip(opening, 0, WIDEST)) if np.isfinite(opening) else 1.0
        gaze = wanted.gaze[t, side]
        gaze = np.where(np.isfinite(gaze), gaze, picture.gaze)
        step = eye.space @ gaze_step(gaze, picture.gaze)
        step *= min(1.0, FARTHEST / max(float(np.hypot(*step)), 1e-6))
        step[1] = _in_opening(eye, step[1], opening)
        follow = face.lids_follow * (gaze[1] - picture.gaze[1]) * eye.space[1, 1]
        moved.append(MovedEye(eye, opening, step, float(follow), float(face.upper_share)))
    return moved[0], moved[1]


def _in_opening(eye: Eye, down: float, opening: float) -> float:
    """How far an iris moves down of what is wanted: its middle stays in sight, as lids follow the eye."""
    middle, reach = (eye.upper[0] + eye.lower[0]) / 2, opening * (eye.lower[0] - eye.upper[0]) / 2
    now = eye.iris[1] - middle
    return float(np.clip(now + down, min(-reach, now), max(reach, now)) - now)


@dataclass(frozen=True)
class Layers:
    """What is seen at (..., 2) places of a picture whose eye is moved, float32.

    upper, lower, ball: (..., 2) places of the picture to show, of either lid with the skin beside it, and of the
    eyeball. under: (...) in [0, 1], the share of the lower lid by that of the upper one. white: (..., 2) places in the
    square of the spread white, in sides; seen: (...) in [0, 1], the share of `ball` by that of `white`; light: (...)
    what the eyeball's colours are multiplied by. open: (...) in [0, 1], the share of the eyeball by that of the skin.
    """

    upper: np.ndarray
    lower: np.ndarray
    under: np.ndarray
    ball: np.ndarray
    white: np.ndarray
    seen: np.ndarray
    light: np.ndarray
    open: np.ndarray


def layers(moved: MovedEye, places: np.ndarray, pixel: float) -> Layers:
    """places: (..., 2) of the picture; pixel: what a pixel of the result spans, in eye widths: edges are as soft."""
    eye = moved.eye
    x, y = np.moveaxis(own(eye, places), -1, 0)
    upper, lower = _lid(eye.upper, x), _lid(eye.lower, x)
    gap = np.maximum(lower - upper, 0)
    # How far the lids' edges go down.
    shut = (1 - moved.opening) * gap
    both = moved.follow * min(moved.opening, 1.0) * np.maximum(1 - 4 * x * x, 0)
    upper_down = moved.upper_share * shut + both
    lower_down = (moved.upper_share - 1) * shut + both
    top, bottom = upper + upper_down, lower + lower_down
    brow = -_brow(eye, x)
    hidden = WET * max(1 - moved.opening, 0.0)
    line = _line(bottom - top)
    upper_skin = upper - _followed(np.maximum(top - y, -line), upper_down, UPPER_ROOM * (upper - brow))
    lower_skin = lower + hidden + _followed(np.maximum(y - bottom, -line), hidden - lower_down, LOWER_ROOM)
    ball, seen = _turned(moved, x, y)
    down = np.clip(upper_down / LASHES / 2, 0, 1)
    light = 1 - SHADOW * down * np.exp(-np.maximum(y - top, 0) / SHADOW_REACH)
    edges = np.minimum(y - top, bottom - y) - line
    shown = np.clip(edges / pixel + 0.5, 0, 1) * np.clip((bottom - top) / pixel, 0, 1)
    white = np.stack([x, y], -1) / ACROSS + 0.5
    lids = tuple(back(eye, np.stack([x, skin], -1)) for skin in (upper_skin, lower_skin))
    # Lashes of a lid that has come down fade out over the lower one.
    fade = np.clip(shut, 1e-4, LASHES)
    under = np.clip((y - (top + bottom) / 2) / fade + 0.25, 0, 1)
    return Layers(*lids, under, back(eye, ball), white, seen, light, shown)


def own(eye: Eye, places: np.ndarray) -> np.ndarray:
    """(..., 2) places of the picture in the eye's own coordinates, of the same type."""
    return _transformed(eye.matrix, places)


def back(eye: Eye, points: np.ndarray) -> np.ndarray:
    """The other way round."""
    turn = np.linalg.inv(eye.matrix[:, :2])
    return _transformed(np.column_stack([turn, -turn @ eye.matrix[:, 2]]), points)


def _transformed(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Written out: numpy multiplies by so small a matrix slowly."""
    (a, b, c), (d, e, f) = matrix.tolist()
    x, y = points[..., 0], points[..., 1]
    return np.stack([a * x + b * y + c, d * x + e * y + f], -1)


def white_cells(eye: Eye, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Where in the picture the cells of the spread white's square lie, (1, side, side, 2) places, and how surely they
    show white, (1, 1, side, side) in [0, 1]."""
    along = (np.arange(side, dtype=np.float32) / side - 0.5) * ACROSS
    points = np.stack(np.meshgrid(along, along), -1)[None]
    x, y = np.moveaxis(points, -1, 0)
    inside, away = _within(eye, x, y), _from(eye.iris.tolist(), x, y) / eye.radius
    sure = (inside > WHITE_RIM - LINE) & (away > WHITE_EDGE)
    likely = (inside > 0) & (away > IRIS_EDGE)
    return back(eye, points), np.maximum(sure, HARDLY * likely).astype(np.float32)[:, None]


def area(eye: Eye, places: np.ndarray) -> np.ndarray:
    """(...) in [0, 1]: where around the eye a picture may move, with soft edges. places: (..., 2) of the picture."""
    x, y = np.moveaxis(own(eye, places), -1, 0)
    side, down = AROUND
    inside = np.minimum(side - np.abs(x), np.minimum(down - y, y + _brow(eye, x)))
    return np.clip(inside / LASHES, 0, 1)


def _turned(moved: MovedEye, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the eyeball's places are in the picture, (..., 2), and how far they are seen there, see Layers."""
    eye, (right, down) = moved.eye, moved.step.tolist()
    centre = (eye.iris + moved.step).tolist()
    away = _from(centre, x, y)
    edge = IRIS_EDGE * eye.radius
    room = 0.5 + np.where(x > centre[0], -centre[0], centre[0]) - edge  # to the corner on that side
    share = _smooth(1 - (away - edge) / np.maximum(room, LASHES).astype(np.float32))
    across, along = x - right * share, y - down * share
    # No lid or lash is dragged in: what moves keeps away from their edges, too.
    rim = min(abs(down) + WIDENED * max(moved.opening - 1, 0.0), SOFT_LINE)
    seen = np.clip((_within(eye, across, along) - rim) / SOFT_LINE + 1, 0, 1)
    # What the upper lid of the picture hides of an iris is like its other half in the mirror, which has no highlight.
    left, top = eye.iris.tolist()
    in_iris = away < edge
    along = np.where(in_iris & (along < _inside(eye, across, along, rim)), 2 * top - along, along)
    # What the lower lid hides is like what is nearer to its middle.
    apart = along != top
    nearer = np.clip((_inside(eye, across, along, rim) - top) / np.where(apart, along - top, np.float32(1)), 0, 1)
    nearer = np.where(in_iris & apart, nearer, np.float32(1))
    across, along = left + nearer * (across - left), top + nearer * (along - top)
    seen = np.maximum(seen, np.clip((eye.radius - away) / SOFT_LINE + 0.5, 0, 1))
    return np.stack([across, _inside(eye, across, along, rim)], -1), seen


def _inside(eye: Eye, x: np.ndarray, y: np.ndarray, rim: float) -> np.ndarray:
    """y, moved between the lids of the picture where it is not, and by `rim` away from their edges."""
    upper, lower = _lid(eye.upper, x), _lid(eye.lower, x)
    middle, reach = (upper + lower) / 2, np.maximum((lower - upper) / 2 - _line(lower - upper) - rim, 0)
    return np.minimum(np.maximum(y, middle - reach), middle + reach)


def _within(eye: Eye, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """How far points are inside the lids of the picture, up or down, in eye widths; less than 0 outside."""
    upper, lower = _lid(eye.upper, x), _lid(eye.lower, x)
    return np.minimum(y - upper, lower - y) - _line(lower - upper)


def _followed(away: np.ndarray, by: np.ndarray, room: np.ndarray | float) -> np.ndarray:
    """How far from its lid's edge skin is in the picture that is now `away` from it, where the edge has moved away from
    that skin by `by`: lashes stay as they are, and at `room` from where the edge was nothing moves. Less than 0 is
    inside the opening."""
    room = np.maximum(room, 2 * LASHES).astype(away.dtype)
    share = np.clip((away - LASHES) / np.maximum(room + by - LASHES, LASHES), 0, 1)
    return away - by * (share + _smooth(share)) / 2


def _line(gap: np.ndarray) -> np.ndarray:
    """How wide the rim of each lid is that counts as lid; of a narrow opening not more than its half is."""
    return np.clip(gap / 4, 0, LINE)


def _smooth(share: np.ndarray) -> np.ndarray:
    share = np.clip(share, 0, 1)
    return share * share * (3 - 2 * share)


def _from(centre: Sequence[float], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.hypot(x - centre[0], y - centre[1])


def _brow(eye: Eye, x: np.ndarray) -> np.ndarray:
    """How far up the brow's lower edge is."""
    height, slope = eye.brow.tolist()
    return height + slope * x


def _lid(curve: np.ndarray, x: np.ndarray) -> np.ndarray:
    """See upper_face.lid; level beyond the corners."""
    a, b, c, d = curve.tolist()
    return np.maximum(1 - 4 * x * x, 0) * (a + x * (b + x * (c + x * d)))
