"""From drawn samples to what the aligned generator is given, in batches on one device, by the product's own path."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from ...learning.scenes import SIDE
from ...models.aligned_generator import AlignedGenerator
from ...models.covered_landmarks import INPUT_SIDE, CoveredLandmarkNet
from ...models.device import mixed_precision
from ...restore.align import BEYOND, SMALL, USABLE, Aligned
from ...restore.filler import Filling
from ...restore.grid import GRID, cells, grown, mesh_maps, sampled
from ...restore.network_inputs import generated, generator_inputs
from ...restore.paste import composed
from ...restore.rim import RING
from ...restore.warp import Fitted, fitted
from ...tracking.geometry import mirrored_points
from ...tracking.reference import CORNERS, NOSE_BRIDGE
from .calibrating import calibrated
from .posing import completed, extended

ORACLE, HALF_WAY = 0.2, 0.2  # shares of samples whose landmarks are true, and somewhere between true and seen
MIRRORED = 0.5  # share of samples that are mirrored
SAME_LIGHT = 0.7  # share of samples with a reference of the same day in which the light is the same too
DEVICE = 0.12  # share of references with a headset on the forehead
GRAIN = 0.02  # the most noise that is added to a frame, of [0, 1]


@dataclass(frozen=True)
class Given:
    """B samples of T frames, N = B * T. truth: (N, 3, SIDE, SIDE) in [0, 1]; hole: (N, 1, SIDE, SIDE). frames, holes:
    the same on the grid, with the headset; kind: of tracking.mesh there; fitted: the reference where it belongs, and
    picture: (N, 3, R, R), that reference. points: (N, 478, 3) pixels of `truth`, the true face's. length: T."""

    truth: torch.Tensor
    hole: torch.Tensor
    frames: torch.Tensor
    holes: torch.Tensor
    kind: torch.Tensor
    fitted: Fitted
    picture: torch.Tensor
    points: torch.Tensor
    length: int

    def inputs(self) -> torch.Tensor:
        """What the network gets."""
        return generator_inputs(self.frames, self.holes, self.kind, self.fitted)

    def picture_of(self, filling: Filling) -> torch.Tensor:
        """(N, 3, SIDE, SIDE): what a filling shows, also beside the holes."""
        return composed(filling, cells(SIDE, self.truth.device), self.picture)

    def shown(self, filling: Filling) -> torch.Tensor:
        """(N, 3, SIDE, SIDE): the truth with a filling in its holes."""
        return torch.lerp(self.truth, self.picture_of(filling), self.hole)

    def filled(self, net: AlignedGenerator) -> Filling:
        """What the network fills in."""
        with mixed_precision(self.truth.device):
            found, _ = net(self.inputs(), self.length)
        return generated(self.fitted, found)


class Pictures:
    """N pictures on the device, of which some are given as references.

    images: (N, R, R, 3) uint8; points: (N, 478, 3) pixels; chosen: those that are needed, all if none are named.
    """

    def __init__(
        self, images: np.ndarray, points: np.ndarray, device: torch.device, chosen: Sequence[int] | None = None
    ) -> None:
        index = list(range(len(images)) if chosen is None else chosen)
        self._row = {i: k for k, i in enumerate(index)}
        self.images = torch.stack([torch.from_numpy(images[i].copy()) for i in index]).permute(0, 3, 1, 2)
        self.images = self.images.contiguous().to(device)
        self.points = torch.from_numpy(points[index]).float().to(device)

    def of(self, numbers: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, 3, R, R) in [0, 1] and (B, 478, 3) pixels."""
        rows = torch.tensor([self._row[int(i)] for i in numbers], device=self.images.device)
        return self.images[rows].float() / 255, self.points[rows]


class SamplePath:
    """The product's path for training samples.

    pictures: the references. landmarker: sees the covered faces. vary: whether light, mirror, grain and how well the
    landmarks are known are left to chance, of `generator`.
    """

    def __init__(
        self,
        pictures: Pictures,
        landmarker: CoveredLandmarkNet,
        generator: torch.Generator,
        *,
        vary: bool = True,
    ) -> None:
        self._pictures, self._net, self._chance, self._vary = pictures, landmarker, generator, vary
        self.device = pictures.images.device
        self._swap = torch.from_numpy(mirrored_points()).to(self.device)

    @torch.no_grad()
    def __call__(self, batch: dict[str, torch.Tensor]) -> Given:
        """batch: of scenes.collate."""
        count, length = batch["points"].shape[:2]
        picture, model = self._pictures.of(batch["reference"])
        usable = torch.ones_like(picture[:, :1])
        batch = {name: x.to(self.device, non_blocking=True) for name, x in batch.items()}
        batch = {name: x.flatten(0, 1) if x.ndim > 1 else x for name, x in batch.items()}
        truth, covered = (batch[name].permute(0, 3, 1, 2).float() / 255 for name in ("truth", "covered"))
        hole = batch["hole"][:, None].float()
        holes = _on_grid(hole)
        points, deviation = self._seen(batch["seen"], batch["to_cells"], holes, picture, model)
        visibility = 1 - _at(holes, points)
        true = batch["points"]
        points, visibility, deviation = self._known(points, visibility, deviation, true, length)
        if self._vary:
            by = self._random(count, 1, 1, 1).lt(MIRRORED)
            each = by.repeat_interleave(length, 0)
            truth, covered, hole = (torch.where(each, x.flip(3), x) for x in (truth, covered, hole))
            holes = _on_grid(hole)
            last = GRID * (SIDE - 1) / SIDE  # the last pixel of the crop, in cells
            points, visibility, deviation = self._mirrored(points, visibility, deviation, each, last)
            true, _, _ = self._mirrored(true, visibility, deviation, each, last)
            picture = torch.where(by, picture.flip(3), picture)
            model, _, _ = self._mirrored(model, model[..., 0], model[..., 0], by, picture.shape[-1] - 1)
            light = self._light(count)
            alike = (batch["same_day"][:, None, None, None] & self._random(count, 1, 1, 1).lt(SAME_LIGHT)).float()
            of_reference = [torch.lerp(x, same, alike) for x, same in zip(self._light(count), light, strict=True)]
            picture = _lit(picture, *of_reference)
            light = [x.repeat_interleave(length, 0) for x in light]
            truth, covered = _lit(truth, *light), _lit(covered, *light)
            strength = GRAIN * self._random(count, 1, 1, 1).square().repeat_interleave(length, 0)
            covered = covered + strength * torch.randn(covered.shape, generator=self._chance, device=self.device)
            usable = self._bare(model, picture.shape[-1])
        frames = _on_grid(covered.clamp(0, 1))
        picture, usable, model = (x.repeat_interleave(length, 0) for x in (picture, usable, model))
        aligned = self._aligned(picture, usable, model, completed(points, visibility, model, deviation), holes)
        found, _ = fitted(aligned, frames, holes, None, scenes=count)
        return Given(truth, hole, frames, holes, aligned.kind, found, picture, SIDE / GRID * true, length)

    def _seen(
        self,
        crops: torch.Tensor,
        to_cells: torch.Tensor,
        holes: torch.Tensor,
        picture: torch.Tensor,
        model: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Points in cells, (N, 478, 3), and their deviations, (N, 478), by the landmarker, calibrated on the picture
        that is given."""
        crops = crops.permute(0, 3, 1, 2).float() / 255
        with mixed_precision(self.device):
            found = self._net(crops.contiguous(memory_format=torch.channels_last))
        first = slice(None, None, len(crops) // len(picture))
        where = cells(INPUT_SIDE, self.device) @ to_cells[first, None, :2, :2].transpose(2, 3)
        where = (where + to_cells[first, None, None, :2, 3]) / GRID
        inside = ((where >= 0) & (where < 1)).all(3)[:, None]
        devices = (sampled(holes[first], where) > 0.5) & inside
        points = calibrated(self._net, crops[first], found.points.float(), devices, picture, model)
        points = points @ to_cells[:, :3, :3].transpose(1, 2) + to_cells[:, None, :3, 3]
        cells_a_side = torch.linalg.vector_norm(to_cells[:, :2, 0], dim=1)
        return points, cells_a_side[:, None] * (found.spread.square().sum(2) / 2).sqrt()

    def _known(
        self,
        points: torch.Tensor,
        visibility: torch.Tensor,
        deviation: torch.Tensor,
        true: torch.Tensor,
        length: int,
    ) -> tuple[torch.Tensor, ...]:
        """The landmarks as seen, or nearer to the truth, sample by sample."""
        if not self._vary:
            return points, visibility, deviation
        kind, share = (self._random(len(points) // length, 1).repeat_interleave(length, 0) for _ in range(2))
        oracle = kind < ORACLE
        share = torch.where(oracle, 1, torch.where(kind < ORACLE + HALF_WAY, share, 0))
        points = torch.lerp(points, true, share[..., None])
        return points, torch.where(oracle, 1, visibility), torch.where(oracle, 0, deviation)

    def _mirrored(
        self, points: torch.Tensor, visibility: torch.Tensor, deviation: torch.Tensor, by: torch.Tensor, last: float
    ) -> tuple[torch.Tensor, ...]:
        """last: where what was at 0 goes."""
        flipped = points[:, self._swap] * points.new_tensor([-1.0, 1.0, 1.0]) + points.new_tensor([last, 0, 0])
        by = by[:, 0, 0]
        others = (torch.where(by, x[:, self._swap], x) for x in (visibility, deviation))
        return torch.where(by[..., None], flipped, points), *others

    def _bare(self, model: torch.Tensor, side: int) -> torch.Tensor:
        """(B, 1, side, side), 0 where by chance a reference shows no person, as under a headset on the forehead. model:
        (B, 478, 3) its points, in pixels."""
        count = len(model)
        right, left, bridge = (model[:, point, :2] for point in (CORNERS[0], CORNERS[2], NOSE_BRIDGE))
        along = left - right + 0.1 * (left - right).norm(dim=1, keepdim=True) * self._normal(count, 2)
        units = torch.stack([along, torch.stack([along[:, 1], -along[:, 0]], 1)], 1)  # to the left, and up
        units = units / along.square().sum(1)[:, None, None]  # one is the distance of the eyes
        away = side * cells(side, model.device) - bridge[:, None, None]
        across, up = torch.einsum("nyxk,njk->jnyx", away, units)
        worn, low, height, half = (self._random(count, 1, 1) for _ in range(4))
        low = 0.35 + 0.55 * low  # the middle of the forehead lies at about 0.5
        device = (up > low) & (up < low + 0.5 + 0.5 * height) & (across.abs() < 0.7 + 0.6 * half)
        return (~(device & (worn < DEVICE)))[:, None].float()

    def _aligned(
        self,
        picture: torch.Tensor,
        usable: torch.Tensor,
        model: torch.Tensor,
        points: torch.Tensor,
        holes: torch.Tensor,
    ) -> Aligned:
        """As restore.align.ReferenceAligner with a single picture."""
        region = grown(holes, round((RING + BEYOND) * GRID))
        source = extended(model)[..., :2] / picture.shape[-1]
        places, kind = mesh_maps(source, extended(points), region, range(len(points)))
        kind = kind * (sampled(usable, places.permute(0, 2, 3, 1)) > USABLE)
        small = F.interpolate(picture, size=SMALL, mode="area")
        colours = sampled(small, places.permute(0, 2, 3, 1)).clamp(0, 1)
        return Aligned((0,) * len(points), places, kind, colours, torch.zeros_like(colours))

    def _random(self, *shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=self._chance, device=self.device)

    def _normal(self, *shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=self._chance, device=self.device)

    def _light(self, count: int) -> tuple[torch.Tensor, ...]:
        """Of another day and camera: the logs of a power and of gains, and a ramp across the picture."""
        shape = (count, 1, 1, 1)
        gains = 0.08 * self._normal(*shape) + 0.04 * self._normal(count, 3, 1, 1)
        ramp = 0.25 * self._normal(count, 2, 1, 1) * self._random(*shape).lt(0.3)
        return 0.12 * self._normal(*shape), gains, ramp


def _lit(pictures: torch.Tensor, power: torch.Tensor, gains: torch.Tensor, ramp: torch.Tensor) -> torch.Tensor:
    along = torch.linspace(-1, 1, pictures.shape[-1], device=pictures.device)
    slope = 1 + ramp[:, :1] * along + ramp[:, 1:] * along[:, None]
    return (pictures.clamp(min=1e-4) ** power.exp() * gains.exp() * slope).clamp(0, 1)


def _on_grid(pictures: torch.Tensor) -> torch.Tensor:
    """On the grid, as restore.grid.on_grid: means of neighbours at twice the grid's size, then every second one."""
    fine = sampled(pictures, cells(2 * GRID, pictures.device).expand(len(pictures), -1, -1, -1))
    kernel = pictures.new_tensor([0.25, 0.5, 0.25])
    kernel = (kernel[:, None] * kernel).expand(pictures.shape[1], 1, 3, 3)
    wide = F.pad(fine, (1, 1, 1, 1), mode="reflect")
    return F.conv2d(wide, kernel, groups=pictures.shape[1])[..., ::2, ::2].contiguous()


def _at(fields: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
    """(N, K): whether (N, 1, S, S) holes are at (N, K, 3) points in cells; nothing lies beyond the edge."""
    side = fields.shape[-1]
    at = points[..., :2].round().long()
    inside = ((at >= 0) & (at < side)).all(2)
    index = at[..., 1].clamp(0, side - 1) * side + at[..., 0].clamp(0, side - 1)
    return (fields.flatten(1).gather(1, index) > 0.5).float() * inside
