"""Training the head finder: `hmd-removal lab train head-finder`."""

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from ...learning.ema import Average
from ...learning.pace import pace
from ...learning.run_folder import RunFolder
from ...models.covered_landmarks import CROP_CENTIMETRES, CROP_CENTRE
from ...models.device import mixed_precision
from ...models.head_finder import CELL, HEAD_SIDE, TOLERANCE, HeadFinder
from ...tracking.geometry import pose_scale, transform
from ...tracking.head_search import LIKELY, peaks
from ..data.face_store import open_store
from .clutter import back_of_head
from .covered_samples import SCENE_SIDE, SampleMaker, Scene, mirror, taken
from .landmarks import as_float

SIDE = 160  # pixels of a training picture
HEADS = (0.15, 0.5, 0.25, 0.1)  # chances of none, one, two and three heads in it
BACK, UNWORN = 0.1, 0.1  # shares of heads that are seen from behind, and of those that are a device without a head
SIZES = (-0.9, 0.9)  # natural logarithm of how much larger than HEAD_SIDE heads are
UNDECIDED = 0.7  # as TOLERANCE: heads up to there are neither asked for nor wrong
SCENES = 0.5  # scenes drawn by picture: one is used several times, drawing takes longest


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to learn. workers: processes that draw samples beside the one that trains."""

    steps: int = 3000
    batch: int = 32
    rate: float = 2e-3
    warm_up: int = 200
    decay: float = 1e-4
    seed: int = 0
    workers: int = 1
    device: str = "cpu"
    check_every: int = 500
    check_samples: int = 256


def train(data: Path, work: Path, recipe: Recipe) -> Path:
    """Train on the split `train` of a data folder; returns the safetensors file of the averaged weights.

    work: keeps the prepared faces, the checkpoint, the log and the weights; called again with the same recipe after a
    stop, the run goes on. Raises InputError for unusable data or a work folder of another recipe.
    """
    cv2.setNumThreads(1)
    torch.manual_seed(recipe.seed)
    samples = FinderSamples(SampleMaker(open_store(work / "faces", data, "train")), recipe)
    held_out = draw_batch(
        SampleMaker(open_store(work / "faces", data, "val")), recipe.check_samples, np.random.default_rng(7)
    )
    run = RunFolder(work / "head_finder", recipe, "head_finder.safetensors")
    net = HeadFinder().to(recipe.device, memory_format=torch.channels_last)
    average = Average(net, 0.998)
    optimiser = torch.optim.AdamW(net.parameters(), lr=recipe.rate, betas=(0.9, 0.99), weight_decay=recipe.decay)
    done = 0
    if (state := run.load(recipe.device)) is not None:
        done = state["step"]
        net.load_state_dict(state["net"]), average.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
    loader = DataLoader(samples, batch_size=None, sampler=range(done, recipe.steps), num_workers=recipe.workers)
    for step, batch in enumerate(tqdm(loader, desc="train head-finder", unit="step"), done + 1):
        optimiser.param_groups[0]["lr"] = recipe.rate * pace(step - 1, (step - 1) / recipe.steps, recipe.warm_up)
        batch = {name: tensor.to(recipe.device) for name, tensor in batch.items()}
        with mixed_precision(recipe.device):
            logits = net.train()(as_float(batch["image"]))
        loss = finder_loss(logits.float(), batch["target"])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        average.update(net)
        if step % recipe.check_every == 0 or step == recipe.steps:
            run.record(step, {"loss": float(loss.detach()), **check(average.network(), held_out)})
            state = {"net": net.state_dict(), "average": average.state_dict(), "optimiser": optimiser.state_dict()}
            run.save({"step": step, **state})
            run.save_weights(average.network().state_dict(), step)
    return run.weights_file


def finder_loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The focal loss of Zhou et al. 2019 (Objects as Points, eq. 1) per head. logits, target: (B, h, w); target is 1 at
    a head, falls off around it, and is below 0 where nothing is asked for."""
    share = logits.sigmoid()
    at_head = target == 1
    asked = target >= 0
    found = (1 - share) ** 2 * F.logsigmoid(logits)
    empty = (1 - target.clamp(min=0)) ** 4 * share**2 * F.logsigmoid(-logits)
    return -(found * at_head + empty * (asked & ~at_head)).sum() / at_head.sum().clamp(min=1)


@torch.inference_mode()
def check(net: HeadFinder, batch: dict[str, torch.Tensor]) -> dict[str, float]:
    """missed: share of heads beside which no cell is LIKELY; false: likely places a picture that are no heads'."""
    device = next(net.parameters()).device
    share = net.eval()(as_float(batch["image"].to(device))).sigmoid()
    near = F.max_pool2d((batch["target"].to(device) == 1).float()[:, None], 3, 1, 1)[:, 0] > 0
    found = F.max_pool2d(share[:, None], 3, 1, 1)[:, 0] > LIKELY
    heads = batch["target"].to(device) == 1
    wrong = peaks(share) & (share > LIKELY) & ~near & (batch["target"].to(device) == 0)
    return {"missed": float((heads & ~found).sum() / heads.sum()), "false": float(wrong.sum() / len(share))}


class FinderSamples(Dataset):
    """Batch k of a training run; the same for the same seed, whatever was drawn before."""

    def __init__(self, maker: SampleMaker, recipe: Recipe):
        self._maker, self._recipe = maker, recipe

    def __len__(self) -> int:
        return self._recipe.steps

    def __getitem__(self, step: int) -> dict[str, torch.Tensor]:
        return draw_batch(self._maker, self._recipe.batch, np.random.default_rng((self._recipe.seed, step)))


def draw_batch(maker: SampleMaker, count: int, rng: np.random.Generator) -> dict[str, torch.Tensor]:
    """image: (B, 3, SIDE, SIDE) uint8; target: (B, SIDE / 8, SIDE / 8) float32, as `finder_loss` takes it."""
    scenes = [maker.draw_scene(rng) for _ in range(max(round(SCENES * count), 4))]
    drawn = [draw(maker, scenes, rng) for _ in range(count)]
    images, targets = (torch.from_numpy(np.stack(part)) for part in zip(*drawn, strict=True))
    return {"image": images.permute(0, 3, 1, 2), "target": targets}


def draw(maker: SampleMaker, scenes: list[Scene], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A picture, (SIDE, SIDE, 3) uint8, with some of the scenes in it, and its target."""
    image, target = maker.background(SIDE, rng), np.zeros((SIDE // CELL, SIDE // CELL), np.float32)
    for k in rng.permutation(len(scenes))[: rng.choice(len(HEADS), p=HEADS)]:
        scene = mirror(scenes[k]) if rng.random() < 0.5 else scenes[k]
        size, kind = rng.uniform(*SIZES), rng.random()
        picture, share = scene.picture, fading(rng)
        if kind < BACK:
            picture = back_of_head(scene.picture, scene.points, rng)
        elif kind < BACK + UNWORN:
            share = scene.device.astype(np.float32)
        scale = HEAD_SIDE * math.exp(size) / (CROP_CENTIMETRES * pose_scale(scene.pose))
        middle = transform(scene.pose, np.array(CROP_CENTRE))[:2] * scale
        corner = np.round(rng.uniform(0, SIDE, 2) - middle).astype(int)
        there = pasted(image, picture, share, scale, corner)
        target[there[CELL // 2 :: CELL, CELL // 2 :: CELL] > 0.5] = 0.0  # whoever was there is now behind this one
        if kind >= BACK + UNWORN:
            _mark(target, corner + middle, size)
    return taken(image, rng), target


def fading(rng: np.random.Generator) -> np.ndarray:
    """(SCENE_SIDE, SCENE_SIDE) float32, how much of a scene is shown: all of its square, sharply cut or fading out."""
    fade = rng.uniform(4, 30) if rng.random() < 0.5 else 1.0
    edge = (np.minimum(np.arange(SCENE_SIDE), np.arange(SCENE_SIDE)[::-1]) + 1) / fade
    return np.minimum(edge[:, None], edge[None]).clip(0, 1).astype(np.float32)


def pasted(image: np.ndarray, picture: np.ndarray, share: np.ndarray, scale: float, corner: np.ndarray) -> np.ndarray:
    """Put a picture so many times as large into the square image, in place, its upper left corner at (x, y); (S, S)
    float32, how much of the image it now is."""
    side, room = max(round(scale * SCENE_SIDE), 2), len(image)
    small, part = (cv2.resize(x, (side, side), interpolation=cv2.INTER_AREA) for x in (picture, share))
    there = np.zeros((room, room), np.float32)
    (x0, y0), (x1, y1) = np.clip(corner, 0, room), np.clip(corner + side, 0, room)
    rows, columns = slice(y0 - corner[1], y1 - corner[1]), slice(x0 - corner[0], x1 - corner[0])
    there[y0:y1, x0:x1] = part[rows, columns]
    before, alpha = image[y0:y1, x0:x1], part[rows, columns, None]
    before[:] = np.round(before + alpha * (small[rows, columns].astype(np.float32) - before))
    return there


def _mark(target: np.ndarray, place: np.ndarray, size: float) -> None:
    """Enter a head whose middle is at (x, y) pixels; size: natural logarithm of its factor to HEAD_SIDE."""
    x, y = place / CELL - 0.5  # of the middle of a cell
    row, column = np.mgrid[0 : len(target), 0 : len(target)]
    away = (column - x) ** 2 + (row - y) ** 2
    if abs(size) > UNDECIDED or not (-0.5 <= min(x, y) and max(x, y) < len(target) - 0.5):
        return
    if abs(size) > TOLERANCE:
        target[(away < 6) & (target < 1)] = -1.0
        return
    near = np.exp(-away / 2).astype(np.float32)
    np.maximum(target, np.where(away < 9, near, 0), out=target, where=target >= 0)
    target[round(float(np.clip(y, 0, len(target) - 1))), round(float(np.clip(x, 0, len(target) - 1)))] = 1.0
