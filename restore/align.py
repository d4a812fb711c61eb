"""The reference brought to the frame's head pose and shape: the input of every reference-based filler."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import cv2
import numpy as np
import torch

from ..driving.eye_tracking import EyeTracking
from ..driving.moved_eyes import MovedEye, agreed, moved_eyes, white_cells
from ..driving.upper_face import EyesInPicture, brow_motions, eyes_in, shipped
from ..tracking.crop import Crop
from ..tracking.geometry import (
    MESH_POINT_COUNT,
    canonical_points,
    certainty,
    fit_similarity,
    head_pose,
    pose_angles,
    rigidity,
    transform,
)
from ..tracking.mesh import extend_points
from ..tracking.reference import Reference
from ..tracking.smoothing import OneEuro
from ..tracking.track import USUAL_RATE, DevicePatch
from .grid import blurred, grown, membrane, mesh_maps, moved, sampled
from .rim import RING, Evidence, matching_tint, registered

AROUND = 46.0  # centimetres of a picture that are kept: what the mesh and its rings show of it in a crop
CENTRE = (0.0, -1.0, 0.0)  # face coordinates, centimetres: its middle
SMALL = 192
DEVICE_EDGE = 0.7  # centimetres around a headset in a picture: what is known of its edge, and its shadow
SHARP = 2  # pictures that are kept at full size: the one that is shown, and the one before
WHITE_SEEN = 20.0  # pixels a centimetre of the picture that it is spread from, two a cell
GLINT = 1.1  # light of the white's highlights by the usual one
WHITE = 32  # cells a side of the white that is spread over an eye: it is smooth


@dataclass(frozen=True)
class ShownEye:
    """An eye of a picture as it is wanted. white: (1, 3, WHITE, WHITE) in [0, 1], what its lids hide of the white, see
    driving.moved_eyes."""

    moved: MovedEye
    white: torch.Tensor


class ReferenceBank:
    """The N pictures of a Reference. small: (N, 3, SMALL, SMALL) in [0, 1]. places: (N, M, 2), where the points of the
    extended mesh lie in each, in sides of the picture. crops: where in it. usable: (N, 1, SMALL, SMALL), 1 where it
    shows the person or what is around them, 0 where a headset is, as on the forehead. Beyond a picture's edge its
    outermost pixels go on: to leave that to the generator as well cost photos that are cut off there 0.3 dB.
    in_pictures: its eyes."""

    def __init__(self, reference: Reference, device: torch.device):
        self.reference, self.device = reference, device
        self.crops: list[Crop] = []
        places = []
        for points in reference.points:
            pose = head_pose(points)
            crop = Crop.around(pose, AROUND, CENTRE)
            self.crops.append(Crop(crop.x, crop.y, crop.side).on_pixels())
            places.append(self.crops[-1].to_crop(extend_points(points.astype(np.float64), pose), 1)[:, :2])
        small = [crop.shrunk(image, SMALL) for crop, image in zip(self.crops, reference.images, strict=True)]
        self.small = torch.from_numpy(np.stack(small)).to(device).permute(0, 3, 1, 2).float() / 255
        self.places = torch.from_numpy(np.stack(places)).float().to(device)
        usable = [_usable(reference.devices.get(number), crop) for number, crop in enumerate(self.crops)]
        self.usable = torch.from_numpy(np.stack(usable)).to(device)[:, None].float()
        self._sharp: dict[tuple[int, int], torch.Tensor] = {}
        self._white: dict[int, list[torch.Tensor]] = {}
        self._brows: dict[int, torch.Tensor] = {}

    def __len__(self) -> int:
        return len(self.crops)

    def mapped(
        self, numbers: Sequence[int], target: np.ndarray, region: torch.Tensor, of: Sequence[int]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """restore.grid.mesh_maps of pictures of these numbers: places, and kinds, 0 also where they are not usable."""
        places, kind = mesh_maps(self.places[numbers], target, region, of)
        usable = sampled(self.usable[numbers], places.permute(0, 2, 3, 1)) > USABLE
        return places, kind * usable

    def sharp(self, index: int, scale: float) -> torch.Tensor:
        """(1, 3, R, R) in [0, 1], a picture as fine as it is, or about as fine as is asked for: one that is finer would
        flicker. scale: pixels a centimetre in which it is to be shown."""
        crop = self.crops[index]
        by = max(int(crop.side / AROUND / scale), 1)
        if (index, by) not in self._sharp:
            while len(self._sharp) >= SHARP:
                del self._sharp[next(iter(self._sharp))]
            pixels = torch.from_numpy(crop.shrunk(self.reference.images[index], round(crop.side / by)))
            # Channels last: the colours of a pixel are read together.
            self._sharp[index, by] = pixels.to(self.device).permute(2, 0, 1)[None].float() / 255
        return self._sharp[index, by]

    def agreed(self, wanted: EyeTracking, usual_yaw: float) -> EyeTracking:
        """The tracking data, on the whole like these pictures, see driving.moved_eyes."""
        return agreed(wanted, self.in_pictures, usual_yaw)

    def eyes(self, index: int, wanted: EyeTracking, t: int) -> tuple[ShownEye, ShownEye]:
        """The eyes of a picture as they are wanted at moment t."""
        moved = moved_eyes(self.in_pictures[index], wanted, t, shipped())
        if index not in self._white:
            self._white[index] = [self._spread_white(index, one) for one in moved]
        right, left = (ShownEye(*both) for both in zip(moved, self._white[index], strict=True))
        return right, left

    def brows(self, index: int, wanted: EyeTracking, t: int) -> torch.Tensor:
        """(1, 2, s, s) sides of a picture, right and down, by which it moves with the brows of moment t."""
        if index not in self._brows:
            points, crop = self.reference.points[index], self.crops[index]
            space = crop.matrix(1)[:, :2] @ head_pose(points)[:2, :3]
            places = self.places[index, :MESH_POINT_COUNT].cpu().numpy()
            self._brows[index] = torch.from_numpy(brow_motions(shipped(), places, space)).float().to(self.device)
        brows = torch.from_numpy(np.nan_to_num(wanted.brows[t]).ravel()).float().to(self.device)
        return torch.einsum("k,kcij->cij", brows, self._brows[index])[None]

    @cached_property
    def in_pictures(self) -> list[EyesInPicture]:
        return eyes_in(self.reference.points, [crop.matrix(1) for crop in self.crops])

    def _spread_white(self, index: int, moved: MovedEye) -> torch.Tensor:
        where, sure = (torch.from_numpy(cells).to(self.device) for cells in white_cells(moved.eye, WHITE))
        colours = sampled(self.sharp(index, WHITE_SEEN), where)
        light = colours.mean(1, keepdim=True)
        usual = light[sure == 1].median() if (sure == 1).any() else light.median()
        return membrane(colours, sure * (light <= GLINT * usual))  # highlights are not spread


def _usable(device: DevicePatch | None, crop: Crop) -> np.ndarray:
    """(SMALL, SMALL) bool of one picture, see ReferenceBank. device: where it shows a headset."""
    if device is None:
        return np.ones((SMALL, SMALL), bool)
    covered = device.moved(crop.matrix(SMALL)).mask((SMALL, SMALL)).astype(np.uint8)
    reach = 2 * round(DEVICE_EDGE / AROUND * SMALL) + 1
    return cv2.dilate(covered, np.ones((reach, reach), np.uint8)) == 0


USABLE = 0.99  # of a place between cells, all of which are
COMPARED = 24  # cells: how far around the hole pictures are compared
DETAIL = 3.0  # cells: standard deviation of what is too coarse to count
SEAM = 1  # cells next to the hole that are left out: the device's edge is blurred
OUTLIER = 0.12  # difference, on [0, 1], beyond which it does not matter how large it is
FEWEST = 40  # cells of the ring below which it says nothing
MIXED, ALIKE = 3, 1.2  # pictures at most of which the coarse part is the mean; misfit of one by that of the first
NEAR = 12.0  # degrees, more than that of the nearest one, by which a picture's head may be turned otherwise
EVERY = 4  # frames of USUAL_RATE from one look to the next
NEWS = 0.3  # share of a look in what is known of a picture
BETTER = 0.93  # misfit, by that of the present picture, from which another one replaces it: a change is seen
TURNED = 1.0116  # by which a misfit counts more for each degree that a head is turned otherwise, a tenth of a decibel
BEYOND = 0.03  # crop sides: how far around the ring that is compared the reference is drawn besides
TOGETHER = 8  # pictures that are looked at at once

# The (n, M, 3) extended meshes, in cells, at which pictures of these numbers are to be drawn.
Shapes = Callable[[Sequence[int]], np.ndarray]


@dataclass(frozen=True)
class Aligned:
    """The reference at the shape of T faces. shown: which of the bank's pictures. places: (T, 2, S, S), where in it
    each cell lies, in its sides. kind: (T, 1, S, S) of tracking.mesh: 0 where there is nothing, 1 around the face, 2 on
    its mesh. colours: (T, 3, S, S) in [0, 1], valid where kind is not 0; tint: (T, 3, S, S), what of them is not the
    shown picture's own."""

    shown: tuple[int, ...]
    places: torch.Tensor
    kind: torch.Tensor
    colours: torch.Tensor
    tint: torch.Tensor


class PictureChoice:
    """The choice for one scene; feed the frames in order. bank: the pictures. fps: frames a second."""

    def __init__(self, bank: ReferenceBank, fps: float = USUAL_RATE):
        self._bank, self._every = bank, max(round(EVERY * fps / USUAL_RATE), 1)
        count = len(bank)
        self._misfit = np.full(count, np.nan)
        self._looked = np.zeros(count, int)  # at which frame
        self._evidence = [Evidence.none()] * count  # of where each picture belongs
        self._frame = 0
        self._current: int | None = None

    def __call__(self, frame: torch.Tensor, hole: torch.Tensor, away: np.ndarray, shapes: Shapes) -> list[int]:
        """The pictures for the next frame: the one that is shown, then others that fit about as well.

        frame: (3, S, S) in [0, 1]; hole: (1, S, S); away: (N,) degrees by which the head in each picture is turned
        otherwise; shapes: the (M, 3) extended mesh, in cells, at which some of the pictures are drawn. In the first
        frame all pictures are looked at; later, in every fourth one, the present one and another one in turn.
        """
        self._frame += 1
        near = np.flatnonzero(away <= away.min() + NEAR).tolist()
        looks: list[int] = []
        if self._current is None:
            looks = list(range(len(away)))
        elif self._frame % self._every == 0:
            looks = list(dict.fromkeys([self._current, min(near, key=lambda i: self._looked[i])]))
        for start in range(0, len(looks), TOGETHER):
            self._look(frame, hole, looks[start : start + TOGETHER], shapes)
        # Of which nothing is known fits as badly as can be: among such ones the pose decides.
        counted = np.nan_to_num(self._misfit, nan=OUTLIER) * TURNED**away
        order = sorted(near, key=lambda i: (counted[i], away[i]))
        if self._current is None or counted[order[0]] < BETTER * counted[self._current]:
            self._current = order[0]
        known = [i for i in order if i != self._current and not np.isnan(self._misfit[i])]
        return [self._current, *(i for i in known if counted[i] <= ALIKE * counted[self._current])][:MIXED]

    def _look(self, frame: torch.Tensor, hole: torch.Tensor, looks: list[int], shapes: Shapes) -> None:
        near = grown(hole[None], COMPARED + SEAM).expand(len(looks), -1, -1, -1)
        places, kind = self._bank.mapped(looks, shapes(looks), near, range(len(looks)))
        pictures = sampled(self._bank.small[looks], places.permute(0, 2, 3, 1))
        before = Evidence.joined([self._evidence[i] for i in looks])
        found, evidence = misfits(frame, hole, pictures, kind, before)
        for k, (i, value) in enumerate(zip(looks, found, strict=True)):
            self._evidence[i] = evidence.of(k)
            known = self._misfit[i]
            self._misfit[i] = value if np.isnan(known) else known if np.isnan(value) else known + NEWS * (value - known)
            self._looked[i] = self._frame


def misfits(
    frame: torch.Tensor,
    hole: torch.Tensor,
    pictures: torch.Tensor,
    kind: torch.Tensor,
    before: Evidence,
) -> tuple[list[float], Evidence]:
    """How far each picture is from the frame around the hole, with its colours matched and moved to meet it as it will
    be in use: root mean square of the differences on [0, 1], NaN where the picture shows too little there; and the
    evidence of where it belongs, for the next look, see restore.rim.

    frame: (3, S, S); hole: (1, S, S); pictures: (N, 3, S, S), and their kind, (N, 1, S, S). Coarse differences do not
    count, and right beside the hole, where colours are taken from, fine ones hardly. A blurred picture differs less
    from anything, but would blur the hole: where details are weaker than the frame's, the misfit is multiplied by the
    root of how much.
    """
    count = len(pictures)
    frames, holes = frame.expand(count, -1, -1, -1), hole.expand(count, -1, -1, -1)
    matched = (pictures + matching_tint(pictures, frames, holes, kind)).clamp(0, 1)
    steps, evidence = registered(*(x[:, None] for x in (frames, matched, holes, kind)), before)
    there = moved(matched, steps[:, 0])
    ring = grown(holes, COMPARED + SEAM) & ~grown(holes, SEAM) & (kind > 0)
    difference, wanted, shown = (_details(x, ring) for x in (frames - there, frames, there))
    counted = ring.sum((1, 2, 3)).clamp(min=1)
    squares = difference.clamp(-OUTLIER, OUTLIER).square().sum((1, 2, 3)) / (3 * counted)
    wanted, shown = (_deviation(x, ring, 3 * counted) for x in (wanted, shown))
    found = (squares * (wanted / shown.clamp(min=1e-6)).clamp(min=1)).sqrt()
    return found.masked_fill(counted < FEWEST, torch.nan).tolist(), evidence


def _details(pictures: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """The pictures less their blurred selves, both of what lies in `where` alone, and 0 elsewhere."""
    inside = where.float()
    coarse = blurred(pictures * inside, DETAIL) / blurred(inside, DETAIL).clamp(min=1e-6)
    return (pictures - coarse) * inside


def _deviation(pictures: torch.Tensor, where: torch.Tensor, count: torch.Tensor) -> torch.Tensor:
    """(N,) standard deviations of `count` values in `where`."""
    mean = pictures.sum((1, 2, 3)) / count
    return ((pictures - mean[:, None, None, None]) * where).square().sum((1, 2, 3)).div(count).sqrt()


RESIDUAL_REACH = 1.5  # centimetres within which a visible point's deviation from the rigid pose is shared
COARSE = 1 / 64  # of the side: standard deviation of what divides coarse from fine where pictures are mixed


@lru_cache(maxsize=1)
def nearness() -> np.ndarray:
    """(468, 468) in [0, 1]: how near two points of the canonical face are, a Gaussian of RESIDUAL_REACH."""
    points = canonical_points()
    squared = ((points[:, None] - points[None]) ** 2).sum(2)
    return np.exp(-squared / (2 * RESIDUAL_REACH**2))


def complete_points(
    points: np.ndarray, visibility: np.ndarray, model: np.ndarray, deviation: np.ndarray | None = None
) -> np.ndarray:
    """Fill in the points that are out of sight from the person's own mesh, posed by the points in sight.

    points: (478, 3) pixels. visibility: (478,), 0 for hidden points. model: (478, 3) the reference's mesh, in its own
    pixels. deviation: (478,) pixels, how uncertain the points are; None where that is not known.
    The 3-D similarity from model to visible points gives the hidden ones; what the visible points deviate from it is
    carried over the rim and fades inside, so that the two parts meet. Uncertain points count little in either. Hidden
    points with a deviation are a landmarker's guesses, and help to pose the model where little of the face is in sight;
    hidden points without one are not to be trusted at all. Returns (478, 3); visible points are unchanged.
    """
    seen = visibility > 0.5
    if seen.all():
        return points
    mesh_seen = seen[:MESH_POINT_COUNT]
    if mesh_seen.sum() < 6:
        return points
    trusted, sure = seen, np.ones(len(points))
    if deviation is not None:
        trusted, sure = seen | (deviation > 0), certainty(points, deviation)
    weights = (rigidity() * (trusted * sure)[:MESH_POINT_COUNT]).astype(np.float64)
    mesh = points[:MESH_POINT_COUNT].astype(np.float64)
    posed = transform(
        fit_similarity(model[:MESH_POINT_COUNT].astype(np.float64), mesh, weights), model.astype(np.float64)
    )
    sure = (visibility * sure)[:MESH_POINT_COUNT][mesh_seen]
    near = nearness()[:, mesh_seen] * sure
    # Where little is near, the sum is divided by 1 rather than by itself, and so fades with distance.
    share = near / np.maximum(near.sum(1), 1.0)[:, None]
    residual = share @ (mesh - posed[:MESH_POINT_COUNT])[mesh_seen]
    out = points.astype(np.float64).copy()
    out[:MESH_POINT_COUNT][~mesh_seen] = (posed[:MESH_POINT_COUNT] + residual)[~mesh_seen]
    irises = np.arange(MESH_POINT_COUNT, len(points))
    out[irises[~seen[irises]]] = posed[irises[~seen[irises]]]
    return out


def mixing_tint(drawn: torch.Tensor, kind: torch.Tensor) -> torch.Tensor:
    """What has to be added to the first of some pictures, (N, 3, S, S), for its coarse part to be the mean of all.

    kind: (1, S, S), 0 where they show nothing. What is fine stays the picture's own, so nothing is blurred (two bands,
    as Burt and Adelson 1983 mix pictures). Returns (3, S, S).
    """
    shown = (kind > 0).float()[None]
    deviation = COARSE * shown.shape[-1]
    away = blurred((drawn.mean(0, keepdim=True) - drawn[:1]) * shown, deviation)
    return (away / blurred(shown, deviation).clamp(min=1e-3) * shown)[0]


class ReferenceAligner:
    """Brings one of the person's pictures to the faces of one scene; feed the frames in order.

    Which one: the one that fits best around the hole, with what is coarse from the next best ones as well. Hidden
    points are smoothed in time (One-Euro), since the fit that they come from shakes with every visible point. fps:
    frames a second.
    """

    def __init__(self, bank: ReferenceBank, fps: float = USUAL_RATE):
        self._bank = bank
        self._choice = PictureChoice(bank, fps)
        self._steady = OneEuro(min_cutoff=0.05, beta=0.05, fps=fps)

    def __call__(
        self,
        points: np.ndarray,
        visibility: np.ndarray,
        deviation: np.ndarray,
        frames: torch.Tensor,
        holes: torch.Tensor,
    ) -> Aligned:
        """points: (T, 478, 3) cells of the grid; visibility: (T, 478); deviation: (T, 478) cells, as in
        complete_points. frames: (T, 3, S, S) in [0, 1], holes: (T, 1, S, S), by which to choose."""
        shapes, shown = [], []
        for face in zip(points, visibility, deviation, frames, holes, strict=True):
            shape, pictures = self._posed(*face)
            shapes.append(extend_points(shape, head_pose(shape)))
            shown.append(pictures)
        region = grown(holes, round((RING + BEYOND) * holes.shape[-1]))
        of = [t for t, pictures in enumerate(shown) for _ in pictures]
        numbers = [i for pictures in shown for i in pictures]
        places, kind = self._bank.mapped(numbers, np.stack(shapes), region, of)
        drawn = sampled(self._bank.small[numbers], places.permute(0, 2, 3, 1))
        first = [of.index(t) for t in range(len(shown))]
        tint = torch.zeros_like(drawn[first])
        for t, (start, pictures) in enumerate(zip(first, shown, strict=True)):
            if len(pictures) > 1:
                tint[t] = mixing_tint(drawn[start : start + len(pictures)], kind[start])
        colours = (drawn[first] + tint).clamp(0, 1)
        return Aligned(tuple(pictures[0] for pictures in shown), places[first], kind[first], colours, tint)

    def _posed(
        self, points: np.ndarray, visibility: np.ndarray, deviation: np.ndarray, frame: torch.Tensor, hole: torch.Tensor
    ) -> tuple[np.ndarray, list[int]]:
        """The (478, 3) shape of the face in the next frame, in cells, and the numbers of the pictures to show there."""
        models = self._bank.reference.points

        def completed(index: int) -> np.ndarray:
            return complete_points(points, visibility, models[index], deviation)

        def shapes(indices: Sequence[int]) -> np.ndarray:
            found = [completed(i) for i in indices]
            return np.stack([extend_points(shape, head_pose(shape)) for shape in found])

        pictures = [0]
        if len(models) > 1:
            pose = head_pose(points, visibility * certainty(points, deviation))
            away = np.abs(self._bank.reference.angles[:, :2] - pose_angles(pose)[:2]).sum(1)
            pictures = self._choice(frame, hole, away, shapes)
        shape = completed(pictures[0])
        return np.where((visibility > 0.5)[:, None], shape, self._steady(shape)), pictures
