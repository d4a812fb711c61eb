"""The generator that is for everybody, made one person's own: `hmd-removal train personal`.

It goes on learning as it did before (learning.generator), from this person's footage alone.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Subset

from ..files import write_png
from ..learning.generator import GeneratorRecipe, GeneratorTrainer
from ..learning.held_out import HeldOut
from ..learning.losses import GeneratorLosses
from ..learning.pace import MOST_STEPS
from ..learning.sample_path import Given, Pictures, SamplePath
from ..learning.scenes import Samples, collate
from ..models import covered_landmarks
from ..models.aligned_generator import AlignedGenerator
from .enrolment import Enrolment, pictures_of
from .footage import FootageMaker
from .reached import Keep, Reached

RECIPE = GeneratorRecipe(steps=1000, batch=4, rate=3e-4, warm_up=10, average=0.98)
HELD_OUT = 0.12  # share of the pieces, the last ones, by which the training is measured
CHECKED, TOGETHER = 8, 2  # batches by which it is, and samples of each
LOOKS = 10  # at the held-out footage, beside the one before anything is learnt


def fine_tune(
    enrolment: Enrolment,
    work: Path,
    recipe: GeneratorRecipe,
    device: str | torch.device,
    start: AlignedGenerator,
    *,
    minutes: float | None = None,
    workers: int = 1,
    keep: Keep,
    tick: Callable[[float], None] = lambda _: None,
) -> Iterator[Reached]:
    """Train, yielding what is reached now and then, the first time before anything is learnt.

    work: keeps checkpoint, log, the averaged weights and a sheet of results; called again after a stop the run goes on
    from there. start: the network to begin with. minutes: how long to train, in place of the recipe's steps. workers:
    processes that draw samples. keep, tick: see reached; tick is called with the share that is done after every step.
    The run may be left at any time. Raises WeightsMissing when a network that the losses need is not at hand.
    """
    device = torch.device(device)
    losses, landmarker = GeneratorLosses().to(device), covered_landmarks.load().to(device)
    pieces = enrolment.pieces
    first_held = len(pieces) - max(round(HELD_OUT * len(pieces)), 1)
    learnt = range(max(first_held, 1))
    chosen = pictures_of([pieces[k] for k in learnt])
    held_out = HeldOut(_held_back(enrolment, range(first_held, len(pieces)), chosen, landmarker, device), losses)
    maker = FootageMaker(pieces, learnt, chosen)
    pictures, chance = Pictures(maker.images, maker.points, device), torch.Generator(device)
    path = SamplePath(pictures, landmarker, chance, mirrored=0.0)  # a person's two halves are not alike
    # Last of all, as its clock runs from now on.
    trainer = GeneratorTrainer(recipe, work, losses, device, start=start, minutes=minutes)
    yield _reached(trainer, held_out, keep)
    if trainer.done >= 1:
        return
    most = recipe.steps if minutes is None else MOST_STEPS
    loader = DataLoader(
        Subset(Samples(maker, batch=recipe.batch, steps=most, seed=recipe.seed), range(trainer.step, most)),
        batch_size=None,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
    )
    looked = trainer.done
    for batch in loader:
        chance.manual_seed(trainer.step)
        trainer.learn(path(batch))
        tick(trainer.done)
        if trainer.done >= 1 or trainer.done >= looked + 1 / LOOKS:
            looked = trainer.done
            yield _reached(trainer, held_out, keep)
        if trainer.done >= 1:
            return


def _held_back(
    enrolment: Enrolment,
    hidden: Sequence[int],
    chosen: Sequence[tuple[int, int]],
    landmarker: covered_landmarks.CoveredLandmarkNet,
    device: torch.device,
) -> list[Given]:
    """Samples of footage that nothing is learnt from, always behind the same headsets."""
    maker = FootageMaker(enrolment.pieces, hidden, chosen)
    path = SamplePath(Pictures(maker.images, maker.points, device), landmarker, torch.Generator(device), vary=False)
    rngs = [[np.random.default_rng((7, k, i)) for i in range(TOGETHER)] for k in range(CHECKED)]
    return [path(collate([maker.draw(rng) for rng in row])) for row in rngs]


def _reached(trainer: GeneratorTrainer, held_out: HeldOut, keep: Keep) -> Reached:
    """Measure the averaged network, and keep it where it is the best so far: by the loss that it learns by, of which
    decibels alone would be a poor part."""
    net = trainer.average.network()
    found, sheet = held_out.check(net)
    scores = {"hole_psnr": found.pop("psnr_net"), "warp_hole_psnr": found.pop("psnr_warp"), **found}
    kept = not trainer.best or scores["loss"] < trainer.best["loss"]
    if kept:
        trainer.best = scores
        keep(net, {"step": str(trainer.step), **{name: f"{value:.4g}" for name, value in scores.items()}})
    trainer.run.record(trainer.step, scores)
    write_png(trainer.run.folder / "sheet.png", sheet)
    trainer.save()
    return Reached(trainer.done, scores, sheet, kept, trainer.best)
