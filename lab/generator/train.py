"""Training the aligned generator: `hmd-removal lab train generator`."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Subset
from tqdm import tqdm

from ...errors import InputError
from ...files import write_png
from ...models.aligned_generator import PARTS, AlignedGenerator, GeneratorConfig, load
from ...models.covered_landmarks import load as load_landmarker
from ...personal.ema import Average
from ...personal.run_folder import RunFolder
from ..data.face_store import FaceStore, open_store
from ..training.landmarks import MOST_STEPS, pace
from .batches import Faces, Given, SamplePath
from .losses import WEIGHTS, GeneratorLosses
from .scenes import PairMaker, PairSamples, other_days

SHEET = 8  # people on the sheet of results
CHECKED = 2  # pairs of each held-out person


@dataclass(frozen=True)
class GeneratorRecipe:
    """A training run. widths, without: of the network (models.aligned_generator), `without` naming parts that are left
    out, parted by commas. steps; batch: samples of three frames a step; rate: the highest; warm_up: steps. average:
    decay of the averaged weights, which are measured and shipped. minutes: how long to train, in place of steps; 0 to
    go by steps. workers: processes that draw samples."""

    widths: str = "16,40,80,128"
    without: str = ""
    steps: int = 20000
    batch: int = 24
    rate: float = 1e-3
    warm_up: int = 200
    decay: float = 1e-4
    average: float = 0.999
    clip: float = 1.0
    seed: int = 0
    minutes: float = 0.0
    workers: int = 1
    device: str = "cpu"
    check_every: int = 1000

    def network(self) -> GeneratorConfig:
        """The configuration of the generator. Raises InputError for a part that it does not have."""
        without = [part for part in self.without.split(",") if part]
        if unknown := set(without) - set(PARTS):
            raise InputError(f"Expected parts out of {', '.join(PARTS)}, got {', '.join(sorted(unknown))}.")
        return GeneratorConfig(tuple(int(w) for w in self.widths.split(",")), **dict.fromkeys(without, False))


class GeneratorTrainer:
    """One network, its optimiser and averaged weights; goes on where the run in its folder stopped."""

    def __init__(self, recipe: GeneratorRecipe, work: Path, losses: GeneratorLosses, start: Path | None = None):
        torch.manual_seed(recipe.seed)
        self.recipe, self.step, self._losses = recipe, 0, losses
        self.run = RunFolder(work, recipe, "aligned_generator.safetensors")
        net = AlignedGenerator(recipe.network())
        if start is not None:
            net.load_state_dict(load(start).state_dict())
        self.net = net.to(recipe.device, memory_format=torch.channels_last)
        self.average = Average(self.net, recipe.average)
        fused = {"fused": True} if recipe.device != "cpu" else {}
        self._optimiser = torch.optim.AdamW(
            self.net.parameters(), recipe.rate, betas=(0.9, 0.99), weight_decay=recipe.decay, **fused
        )
        if (state := self.run.load(recipe.device)) is not None:
            self.step = state["step"]
            self.net.load_state_dict(state["net"])
            self.average.load_state_dict(state["average"])
            self._optimiser.load_state_dict(state["optimiser"])

    @property
    def done(self) -> float:
        """Share of the run, 1 at its end."""
        if self.recipe.minutes:
            return min(self.run.seconds / (60 * self.recipe.minutes), 1.0)
        return self.step / self.recipe.steps

    def learn(self, given: Given) -> dict[str, torch.Tensor]:
        """One step; returns the losses, still on the device."""
        recipe = self.recipe
        rate = recipe.rate * pace(self.step, self.done, recipe.warm_up)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self.net.train()
        losses = self._losses(given.picture_of(given.filled(self.net)), given.truth, given.hole, given.points)
        self._optimiser.zero_grad(set_to_none=True)
        sum(WEIGHTS[name] * loss for name, loss in losses.items()).backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), recipe.clip)
        self._optimiser.step()
        self.average.update(self.net)
        self.step += 1
        return {name: loss.detach() for name, loss in losses.items()}

    def save(self) -> None:
        """Write the checkpoint, and the averaged weights."""
        self.run.save(
            {
                "step": self.step,
                "net": self.net.state_dict(),
                "average": self.average.state_dict(),
                "optimiser": self._optimiser.state_dict(),
            }
        )
        self.run.save_weights(self.average.network().state_dict(), self.step, self.net.config.metadata())


def train(
    data: Path,
    work: Path,
    recipes: Sequence[GeneratorRecipe],
    landmarker: Path | None = None,
    start: Path | None = None,
) -> list[Path]:
    """Train one network or several on the same samples; returns the safetensors files of the averaged weights.

    data: a folder with an INDEX.tsv (lab.data.face_store). work: keeps the prepared faces, and a folder for each run
    with checkpoint, log, weights and a sheet of held-out results; called again after a stop the runs go on. recipes: of
    the networks, alike but for them. landmarker: weights of the covered-face landmarker, None for the manifest's.
    start: weights that new runs begin with. Raises InputError for unusable data or folders of other recipes.
    """
    cv2.setNumThreads(1)
    torch.set_flush_denormal(True)
    recipe = recipes[0]
    device = torch.device(recipe.device)
    losses = GeneratorLosses().to(device)
    store = open_store(work / "faces", data, "train")
    net = load_landmarker(landmarker).to(device)
    held_out = HeldOut(open_store(work / "faces", data, "val"), net, losses, device)
    # Last of all, as their clocks run from now on.
    trainers = [GeneratorTrainer(r, work / (r.without or "whole"), losses, start) for r in recipes]
    first = trainers[0]
    if len({trainer.step for trainer in trainers}) > 1:
        raise InputError(f"The runs in {work} stopped at different steps; train the one that is behind alone.")
    if first.step and first.done >= 1:
        return [trainer.run.weights_file for trainer in trainers]
    chance = torch.Generator(device)
    path = SamplePath(Faces(store, device), net, chance)
    most = recipe.steps if not recipe.minutes else MOST_STEPS
    samples = PairSamples(PairMaker(store), batch=recipe.batch, steps=most, seed=recipe.seed)
    loader = DataLoader(
        Subset(samples, range(first.step, most)),
        batch_size=None,
        num_workers=recipe.workers,
        prefetch_factor=4 if recipe.workers else None,
        pin_memory=device.type == "cuda",
    )
    seen: list[dict[str, torch.Tensor]] = []
    waited, asked = 0.0, time.monotonic()
    with tqdm(initial=first.step, desc="train generator", unit="step", mininterval=5) as bar:
        for batch in loader:
            waited += time.monotonic() - asked
            chance.manual_seed(MOST_STEPS * recipe.seed + first.step)  # of a step, wherever the run began
            given = path(batch)
            seen = [trainer.learn(given) for trainer in trainers]
            bar.update()
            ended = first.done >= 1
            if ended or first.step % recipe.check_every == 0:
                for trainer, of_it in zip(trainers, seen, strict=True):
                    scores, sheet = held_out.check(trainer.average.network())
                    values = {name: float(value) for name, value in of_it.items()}
                    trainer.run.record(trainer.step, {**values, **scores, "waited": waited})
                    write_png(trainer.run.folder / "sheet.png", sheet)
                    trainer.save()
                bar.write(f"{first.step}: {scores}, waited {waited:.0f} s for samples")
            if ended:
                break
            asked = time.monotonic()
    return [trainer.run.weights_file for trainer in trainers]


class HeldOut:
    """Photographs of another day of people who are not trained on, always behind the same headsets."""

    def __init__(self, store: FaceStore, landmarker: torch.nn.Module, losses: GeneratorLosses, device: torch.device):
        batches = other_days(PairMaker(store), CHECKED)
        chosen = sorted({int(i) for batch in batches for i in batch["reference"]})
        path = SamplePath(Faces(store, device, chosen), landmarker, torch.Generator(device), vary=False)
        self._given = [path(batch) for batch in batches]
        self._losses = losses

    @torch.inference_mode()
    def check(self, net: AlignedGenerator) -> tuple[dict[str, float], np.ndarray]:
        """Scores by person, their mean, of network and warp: PSNR in the hole, LPIPS, how steep slopes in it are by the
        truth's, and the likeness of the face. And a sheet: covered, warp, network, truth."""
        rows, sheet = [], []
        for k, given in enumerate(self._given):
            warped, filled = given.shown(given.fitted.filling), given.shown(given.filled(net))
            row = {}
            for name, result in (("warp", warped), ("net", filled)):
                squares = ((result - given.truth).square() * given.hole).sum((1, 2, 3)) / (
                    3 * given.hole.sum((1, 2, 3))
                )
                row[f"psnr_{name}"] = float((-10 * squares.log10()).mean())
                row[f"lpips_{name}"] = float(self._losses.lpips(result, given.truth).mean())
                slopes = [(x.diff(dim=3).abs() * given.hole[..., 1:]).sum() for x in (result, given.truth)]
                row[f"slopes_{name}"] = float(slopes[0] / slopes[1])
                of_result, of_truth = (self._losses.faces.embed(x, given.points) for x in (result, given.truth))
                row[f"identity_{name}"] = float((of_result * of_truth).sum(1).mean())
            rows.append(row)
            if k % max(len(self._given) // SHEET, 1) == 0:
                size = given.truth.shape[-1]
                covered = torch.nn.functional.interpolate(given.frames[-1:], size=size, mode="bilinear")
                last = [x[-1].permute(1, 2, 0).cpu().numpy() for x in (covered, warped, filled, given.truth)]
                sheet.append(np.hstack(last))
        scores = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
        return scores, np.round(255 * np.vstack(sheet).clip(0, 1)).astype(np.uint8)
