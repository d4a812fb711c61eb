"""Training the covered-face landmarker: `hmd-removal lab train landmarks`."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Subset
from tqdm import tqdm

from ...errors import InputError
from ...learning.ema import Average
from ...learning.pace import MOST_STEPS, pace
from ...learning.run_folder import RunFolder
from ...models.covered_landmarks import CoveredLandmarkNet
from ...models.device import mixed_precision
from ..data.face_store import FaceStore, open_store
from .covered_samples import CoveredSamples, SampleMaker, draw_batch, face_shapes
from .landmark_loss import EYE_DISTANCE, landmark_losses, negative_log_likelihood, total

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to learn. workers: processes that draw samples beside the one that trains. minutes: how
    long to train, in place of steps; 0 to go by steps."""

    steps: int = 6000
    batch: int = 64
    rate: float = 1.5e-3
    warm_up: int = 300
    decay: float = 1e-4
    seed: int = 0
    workers: int = 1
    device: str = "cpu"
    check_every: int = 500
    check_samples: int = 384
    minutes: float = 0.0


def train(data: Path, work: Path, recipe: Recipe, start: Path | None = None) -> Path:
    """Train on the split `train` of a data folder; returns the safetensors file of the averaged weights.

    work: keeps the prepared faces, the checkpoint, the log and the weights; called again with the same recipe after
    a stop, the run goes on from its last checkpoint to the same result. start: a safetensors file of trained weights to
    begin with, also of a network that had fewer layers. Raises InputError for unusable data, a work folder of another
    recipe, or weights of another network.
    """
    cv2.setNumThreads(1)
    store = open_store(work / "faces", data, "train")
    maker = SampleMaker(store)
    held_out = _held_out(work, data, recipe.check_samples)
    trainer = Trainer(store, recipe, work, start)  # last of all, as its clock runs from now on
    if trainer.step and trainer.done >= 1:
        return trainer.run.weights_file
    most = MOST_STEPS if recipe.minutes else recipe.steps
    batches = CoveredSamples(maker, batch=recipe.batch, steps=most, seed=recipe.seed)
    loader = DataLoader(
        Subset(batches, range(trainer.step, most)),
        batch_size=None,
        num_workers=recipe.workers,
        prefetch_factor=4 if recipe.workers else None,
    )
    total = None if recipe.minutes else recipe.steps
    with tqdm(total=total, initial=trainer.step, desc="train landmarks", unit="step") as bar:
        for batch in loader:
            losses = trainer.learn(batch)
            bar.update()
            ended = trainer.done >= 1
            if trainer.step % recipe.check_every == 0 or ended:
                scores = check(trainer.average.network(), held_out)
                trainer.run.record(trainer.step, {**losses, **scores})
                trainer.save()
                bar.set_postfix({name: f"{value:.3f}" for name, value in scores.items()})
            if ended:
                break
    return trainer.run.weights_file


class Trainer:
    """Network, optimiser and averaged weights, and where they are kept between runs."""

    def __init__(self, store: FaceStore, recipe: Recipe, work: Path, start: Path | None = None):
        torch.manual_seed(recipe.seed)
        self.recipe, self.step = recipe, 0
        self.run = RunFolder(work, recipe, "covered_landmarks.safetensors")
        net = CoveredLandmarkNet()
        shapes = face_shapes(store)
        net.mean_face.copy_(torch.from_numpy(shapes.mean))
        net.shapes.copy_(torch.from_numpy(shapes.shapes))
        if start is not None:
            load_known(net, start)
        self.net = net.to(recipe.device, memory_format=torch.channels_last)
        self.average = Average(self.net, 0.998)
        heavy = [p for p in self.net.parameters() if p.ndim > 1]
        light = [p for p in self.net.parameters() if p.ndim <= 1]
        groups = [{"params": heavy, "weight_decay": recipe.decay}, {"params": light, "weight_decay": 0.0}]
        self._optimiser = torch.optim.AdamW(groups, lr=recipe.rate, betas=(0.9, 0.99))
        if (state := self.run.load(recipe.device)) is not None:
            self._go_on(state)

    @property
    def done(self) -> float:
        """Share of the run, 1 at its end."""
        if self.recipe.minutes:
            return min(self.run.seconds / (60 * self.recipe.minutes), 1.0)
        return self.step / self.recipe.steps

    def learn(self, batch: dict[str, torch.Tensor]) -> dict[str, float]:
        """One step; returns the losses."""
        batch = {name: tensor.to(self.recipe.device) for name, tensor in batch.items()}
        for group in self._optimiser.param_groups:
            group["lr"] = self.recipe.rate * pace(self.step, self.done, self.recipe.warm_up)
        self.net.train()
        with mixed_precision(self.recipe.device):
            prediction = self.net(as_float(batch["image"]))
        losses = landmark_losses(prediction, batch)
        self._optimiser.zero_grad(set_to_none=True)
        total(losses).backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self._optimiser.step()
        self.average.update(self.net)
        self.step += 1
        return {name: float(loss.detach()) for name, loss in losses.items()}

    def save(self) -> None:
        """Write the checkpoint and the averaged weights."""
        self.run.save(
            {
                "step": self.step,
                "net": self.net.state_dict(),
                "average": self.average.state_dict(),
                "optimiser": self._optimiser.state_dict(),
            }
        )
        self.run.save_weights(self.average.network().state_dict(), self.step)

    def _go_on(self, state: dict[str, Any]) -> None:
        self.step = state["step"]
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self._optimiser.load_state_dict(state["optimiser"])


def load_known(net: CoveredLandmarkNet, file: Path) -> None:
    """Take over what a file of weights has; layers that it lacks stay as they are.

    Raises InputError for weights of another network: not one layer of its own may be left over.
    """
    from safetensors.torch import load_file

    state, own = load_file(file), net.state_dict()
    foreign = [name for name in state if name not in own or own[name].shape != state[name].shape]
    if foreign:
        raise InputError(f"Expected weights of the covered-face landmarker in {file}, but it holds {foreign[0]!r}.")
    net.load_state_dict({**own, **state})


@torch.inference_mode()
def check(net: CoveredLandmarkNet, batch: dict[str, torch.Tensor]) -> dict[str, float]:
    """Errors on a batch, in % of the eye distance, degrees and shares."""
    device = next(net.parameters()).device
    batch = {name: tensor.to(device) for name, tensor in batch.items()}
    prediction = net.eval()(as_float(batch["image"]))
    there, visible = batch["present"], batch["visible"]
    scale = torch.linalg.vector_norm(batch["pose"][:, :3, 0], dim=1) * EYE_DISTANCE
    plain = (prediction.points - batch["points"])[..., :2]
    error = torch.linalg.vector_norm(plain, dim=2) / scale[:, None] * 100
    # Mahalanobis distance: twice the likelihood's quadratic term; 4.605 is the 90 % point of chi-squared with 2 degrees
    logs = torch.log(prediction.spread[..., 0]) + torch.log(prediction.spread[..., 2])
    distance = 2 * (negative_log_likelihood(plain, prediction.spread) - logs)
    rotation, truth = _rotation(prediction.pose), _rotation(batch["pose"])
    trace = (rotation * truth).sum((1, 2))
    angle = torch.rad2deg(torch.acos(((trace - 1) / 2).clamp(-1, 1)))
    sure, device_there = torch.sigmoid(prediction.mask) > 0.5, batch["mask"] > 0.5
    union = (sure | device_there).sum((1, 2))
    covered = union > 0
    iou = (sure & device_there).sum((1, 2))[covered] / union[covered]
    hidden = ~visible & there[:, None]
    return {
        "visible_nme": float(error[visible & there[:, None]].mean()),
        "hidden_nme": float(error[hidden].mean()),
        "pose_error": float(angle[there].mean()),
        "inside_90": float((distance[hidden] < 4.605).float().mean()),
        "present_right": float(((prediction.present > 0) == there).float().mean()),
        "mask_iou": float(iou.mean()),
    }


def _held_out(work: Path, data: Path, count: int) -> dict[str, torch.Tensor]:
    """The same samples of people not trained on, every time."""
    maker = SampleMaker(open_store(work / "faces", data, "val"))
    return draw_batch(maker, count, np.random.default_rng(7))


def _rotation(pose: torch.Tensor) -> torch.Tensor:
    axes = pose[:, :3, :3]
    return axes / torch.linalg.vector_norm(axes, dim=1, keepdim=True)


def as_float(image: torch.Tensor) -> torch.Tensor:
    """(B, 3, H, W) uint8 to float32 in [0, 1], channels last."""
    return (image.float() / 255).contiguous(memory_format=torch.channels_last)
