"""Training the aligned generator for everybody: `hmd-removal lab train generator`."""

import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import torch
from torch.utils.data import DataLoader, Subset
from tqdm import tqdm

from ...errors import InputError
from ...files import write_png
from ...learning.pace import MOST_STEPS
from ...models.aligned_generator import load
from ...models.covered_landmarks import load as load_landmarker
from ..data.face_store import FaceStore, open_store
from .held_out import HeldOut
from .losses import GeneratorLosses
from .pairs import PairMaker, Samples, other_days
from .sample_path import Given, Pictures, SamplePath
from .trainer import GeneratorRecipe, GeneratorTrainer

CHECKED = 2  # pairs of each held-out person


def train(
    data: Path,
    work: Path,
    recipes: Sequence[GeneratorRecipe],
    device: str | torch.device,
    *,
    landmarker: Path | None = None,
    start: Path | None = None,
    minutes: float | None = None,
    workers: int = 1,
) -> list[Path]:
    """Train one network or several on the same samples; returns the safetensors files of the averaged weights.

    data: a folder with an INDEX.tsv (lab.data.face_store). work: keeps the prepared faces, and a folder for each run
    with checkpoint, log, weights and a sheet of held-out results; called again after a stop the runs go on. recipes: of
    the networks, alike but for them. landmarker: weights of the covered-face landmarker, None for the manifest's.
    start: weights that new runs begin with. minutes: how long to train, in place of the recipes' steps. workers:
    processes that draw samples. Raises InputError for unusable data or folders of other recipes.
    """
    cv2.setNumThreads(1)
    torch.set_flush_denormal(True)
    recipe, device = recipes[0], torch.device(device)
    losses = GeneratorLosses().to(device)
    store = open_store(work / "faces", data, "train")
    net = load_landmarker(landmarker).to(device)
    held_out = HeldOut(_photographs(open_store(work / "faces", data, "val"), net, device), losses)
    begin = None if start is None else load(start)
    # Last of all, as their clocks run from now on.
    trainers = [
        GeneratorTrainer(r, work / (r.without or "whole"), losses, device, start=begin, minutes=minutes)
        for r in recipes
    ]
    first = trainers[0]
    if len({trainer.step for trainer in trainers}) > 1:
        raise InputError(f"The runs in {work} stopped at different steps; train the one that is behind alone.")
    if first.step and first.done >= 1:
        return [trainer.run.weights_file for trainer in trainers]
    chance = torch.Generator(device)
    path = SamplePath(Pictures(store.images, store.points, device), net, chance)
    most = recipe.steps if minutes is None else MOST_STEPS
    samples = Samples(PairMaker(store), batch=recipe.batch, steps=most, seed=recipe.seed)
    loader = DataLoader(
        Subset(samples, range(first.step, most)),
        batch_size=None,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
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


def _photographs(store: FaceStore, landmarker: torch.nn.Module, device: torch.device) -> list[Given]:
    """Photographs of another day, always behind the same headsets."""
    batches = other_days(PairMaker(store), CHECKED)
    chosen = sorted({int(i) for batch in batches for i in batch["reference"]})
    pictures = Pictures(store.images, store.points, device, chosen)
    path = SamplePath(pictures, landmarker, torch.Generator(device), vary=False)
    return [path(batch) for batch in batches]
