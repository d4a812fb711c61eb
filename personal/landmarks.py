"""The landmarker for covered faces made one person's own: where their features are that a headset hides.

The one that is for everybody places what it cannot see where most people have it. From somebody's own footage behind
drawn headsets it learns where they have it. Only the layers that pose and shape a face learn; what looks at the picture
stays, so its answers are calculated once, and a minute on a CPU is enough.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from ..errors import InputError
from ..learning.pace import pace
from ..learning.photometry import degrade
from ..learning.scenes import RUN, Drawn
from ..models import covered_landmarks
from ..models.covered_landmarks import CoveredLandmarkNet, Seen
from .enrolment import Piece
from .footage import behind_headsets, found_together
from .landmarks_sheet import landmarks_sheet

HELD_OUT = 0.12  # share of the pieces, the last ones, by which it is measured
LEARNT_FROM, MEASURED_ON = 600, 80  # samples of RUN frames
LEARNING = 120  # samples that take about as long as learning: a share of the progress
DEGRADED = 0.7  # share of frames that another camera takes, in another light
EPOCHS, BATCH = 6, 48
RATE, WARM_UP, DECAY = 3e-4, 20, 1e-2  # the highest, steps until it is reached, and the decay of weights
OUTER = (33, 263)  # points at the outer corners of the eyes
LEFT_OUT = 0.1  # share of features at a time: there are more of them than samples
SMOOTH = 0.02  # eye distances within which the loss is quadratic: finer is the labels' own noise
SHOWN = 6  # samples on the sheet
# Share of the error that may be left. Of five people two were below it, and gained on footage of another time; three
# were above, and lost there: their heads had hardly turned, or they had 12 seconds.
WORTHWHILE = 0.8
DRAFTS, DEPTH = 0.4, 0.3  # weights of the points before each refinement, and of how far away a point is


@dataclass(frozen=True)
class PersonalLandmarks:
    """net: the landmarker, in evaluation mode. everybodys, own: how far the landmarks of footage that was held back are
    off, in % of the distance of the outer eye corners, by the landmarker that is for everybody and by this one. sheet:
    see landmarks_sheet."""

    net: CoveredLandmarkNet
    everybodys: float
    own: float
    sheet: np.ndarray

    @property
    def worthwhile(self) -> bool:
        """Whether enough was learnt for the landmarker to be used."""
        return self.own < WORTHWHILE * self.everybodys


@dataclass(frozen=True)
class _Samples:
    """N frames: what the network saw in each, and the true points, (N, 478, 3) in crop sides. crops: some of them, (M,
    INPUT_SIDE, INPUT_SIDE, 3) uint8, the first frame of each sample."""

    seen: Seen
    points: torch.Tensor
    crops: np.ndarray

    def of(self, index: torch.Tensor) -> "tuple[Seen, torch.Tensor]":
        return Seen(*(x[index].float() for x in self.seen)), self.points[index]


def learn_landmarks(
    pieces: Sequence[Piece],
    device: str | torch.device,
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> PersonalLandmarks:
    """Learn a person's landmarks from their footage. progress: called with (done, in all); what it raises passes.

    Raises InputError for footage of which nothing could be held out: fewer than two pieces show the face in RUN frames
    that follow each other.
    """
    pieces = [piece for piece in pieces if found_together(piece)]
    if len(pieces) < 2:
        raise InputError(
            f"Expected two pieces of footage or more, of up to two seconds, that show the face, got {len(pieces)}: "
            "use longer footage, in which the face stays in sight."
        )
    first_held = len(pieces) - max(round(HELD_OUT * len(pieces)), 1)
    net = covered_landmarks.load().to(device)
    whole = LEARNT_FROM + MEASURED_ON + LEARNING
    learning = _samples(net, pieces[:first_held], LEARNT_FROM, seed, lambda done: progress(done, whole))
    drawn = LEARNT_FROM + MEASURED_ON
    held_out = _samples(
        net, pieces[first_held:], MEASURED_ON, seed + 1, lambda done: progress(LEARNT_FROM + done, whole), vary=False
    )
    before = _placed(net, held_out)
    _learn(net, learning, seed, lambda share: progress(drawn + round(share * LEARNING), whole))
    after = _placed(net, held_out)
    shown = np.linspace(0, len(held_out.crops) - 1, min(SHOWN, len(held_out.crops))).round().astype(int)
    pictures = (points[shown * RUN].cpu().numpy() for points in (held_out.points, before, after))
    sheet = landmarks_sheet(held_out.crops[shown], *pictures)
    errors = (_error(points, held_out.points) for points in (before, after))
    return PersonalLandmarks(net.requires_grad_(False), *errors, sheet)


def _samples(
    net: CoveredLandmarkNet,
    pieces: Sequence[Piece],
    count: int,
    seed: int,
    progress: Callable[[int], None],
    *,
    vary: bool = True,
) -> _Samples:
    """What the network sees of some samples. vary: whether some are taken by other cameras."""
    device = next(net.parameters()).device
    rng = np.random.default_rng((seed, count))
    seen, points, firsts = [], [], []
    for number, drawn in enumerate(behind_headsets(pieces, count, seed), 1):
        crops = [degrade(crop, rng) if vary and rng.random() < DEGRADED else crop for crop in drawn.seen]
        pictures = torch.from_numpy(np.stack(crops)).to(device).permute(0, 3, 1, 2).float() / 255
        with torch.no_grad():
            found = net.seen(pictures.contiguous(memory_format=torch.channels_last))
        seen.append(Seen(*(x.half() for x in found)))
        points.append(_in_crops(drawn))
        firsts.append(crops[0])
        progress(number)
    whole = Seen(*(torch.cat(parts) for parts in zip(*seen, strict=True)))
    return _Samples(whole, torch.from_numpy(np.concatenate(points)).float().to(device), np.stack(firsts))


def _in_crops(drawn: Drawn) -> np.ndarray:
    """(RUN, 478, 3): the true points in sides of the crops that the landmarker looks at."""
    back = np.linalg.inv(drawn.to_cells.astype(np.float64))
    return drawn.points @ back[:, :3, :3].transpose(0, 2, 1) + back[:, None, :3, 3]


def _learn(net: CoveredLandmarkNet, samples: _Samples, seed: int, progress: Callable[[float], None]) -> None:
    """progress: called with the share that is done."""
    net.requires_grad_(False)
    learns = list(net.shaping().requires_grad_(True).parameters())
    optimiser = torch.optim.AdamW(learns, RATE, betas=(0.9, 0.99), weight_decay=DECAY)
    count, chance = len(samples.points), torch.Generator().manual_seed(seed)
    steps = EPOCHS * count // BATCH
    for step in range(steps):
        rate = RATE * pace(step, step / steps, WARM_UP)
        for group in optimiser.param_groups:
            group["lr"] = rate
        seen, truth = samples.of(torch.randint(count, (BATCH,), generator=chance).to(samples.points.device))
        kept = (torch.rand(seen.flat.shape, generator=chance) >= LEFT_OUT).to(seen.flat.device)
        found = net.placed(seen._replace(flat=seen.flat * kept / (1 - LEFT_OUT)))
        loss = _loss(found.points, truth) + DRAFTS * sum(_loss(draft, truth) for draft in found.drafts)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        progress((step + 1) / steps)


def _loss(points: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Smooth L1 in eye distances; the depth without its mean: how far away the head is, no picture says."""
    away = (points - truth) / _eyes(truth)
    away = torch.cat([away[..., :2], DEPTH * (away[..., 2:] - away[..., 2:].mean(1, keepdim=True))], 2)
    return F.smooth_l1_loss(away, torch.zeros_like(away), beta=SMOOTH)


@torch.no_grad()
def _placed(net: CoveredLandmarkNet, samples: _Samples) -> torch.Tensor:
    """Where the network places the points, (N, 478, 3)."""
    seen, _ = samples.of(torch.arange(len(samples.points), device=samples.points.device))
    return net.placed(seen).points


def _error(points: torch.Tensor, truth: torch.Tensor) -> float:
    """In % of the distance of the outer eye corners."""
    return 100 * float(torch.linalg.vector_norm((points - truth)[..., :2] / _eyes(truth), dim=2).mean())


def _eyes(points: torch.Tensor) -> torch.Tensor:
    """(N, 1, 1): the distance of the outer eye corners."""
    return torch.linalg.vector_norm(points[:, OUTER[0]] - points[:, OUTER[1]], dim=1)[:, None, None]
