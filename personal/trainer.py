"""Training the variant "paper" of a personal model: arXiv 2112.01098, section III-C."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Subset

from ..files import write_png
from ..learning.ema import Average, settled
from ..learning.pace import MOST_STEPS
from ..learning.run_folder import RunFolder
from ..models.device import mixed_precision
from ..models.personal_deocclusion import PersonalDeocclusion, PictureDiscriminator
from .batches import Frames, PersonalSamples
from .losses import (
    PersonalLossWeights,
    discriminator_loss,
    generator_loss,
    mask_loss,
    reconstruction_loss,
    structure_loss,
)
from .reached import Keep, Reached
from .recipe import PersonalRecipe, Stage
from .sample_store import TakeStore

BETAS = (0.0, 0.999)  # of Adam, as in 3FabRec
CRITIC_EVERY, CRITIC_RATE = 2, 0.5  # steps between two of the discriminator's, and its learning rate by the generator's
SHEET = 6  # rows of the sheet


def train(
    takes: Path,
    held_out: Path,
    work: Path,
    recipe: PersonalRecipe,
    device: str | torch.device,
    *,
    start: dict[str, torch.Tensor] | None = None,
    minutes: float | None = None,
    workers: int = 1,
    keep: Keep | None = None,
    tick: Callable[[float], None] = lambda _: None,
) -> Iterator[Reached]:
    """Train on prepared takes, yielding what is reached on the held-out ones, the first time before anything is learnt.

    takes, held_out: folders of takes of 256 pixels: of many people for the part that is common to all users, or of one.
    work: keeps checkpoint, log, the best weights so far (personal.safetensors) and a sheet of results; called again
    after a stop the run goes on from its last checkpoint. start: weights to begin with. minutes: how long to train, in
    which case the recipe's stages are stretched to fill the time. workers: processes that draw samples. keep: called
    with each network that is better than those before and what is to be said of it, to write it elsewhere too. tick:
    called with the share that is done after every step. The run may be left at any time. Raises InputError for folders
    without takes.
    """
    trainer = PersonalTrainer(recipe, work, device, start, minutes)
    store, validation = TakeStore.filled(takes), TakeStore.filled(held_out)
    most = recipe.steps if minutes is None else MOST_STEPS
    samples = PersonalSamples(store, batch=recipe.batch, steps=most, seed=recipe.seed)
    yield trainer.reached(samples, validation, keep)
    loader = DataLoader(
        Subset(samples, range(trainer.step, most)),
        batch_size=None,
        num_workers=workers,
        prefetch_factor=4 if workers else None,
    )
    for batch in loader:
        trainer.learn(batch)
        tick(trainer.done)
        ended = trainer.done >= 1
        if ended or trainer.step % recipe.check_every == 0:
            yield trainer.reached(samples, validation, keep)
        if ended:
            return


@torch.inference_mode()
def check(
    net: PersonalDeocclusion, store: TakeStore, recipe: PersonalRecipe, device: str
) -> tuple[dict[str, float], np.ndarray]:
    """PSNR in the hole and of the whole picture as drawn, in dB, and of the warp in the hole, on held-out takes.

    And a sheet of some of the results: covered, warp, network in the hole, network as a whole, truth.
    """
    frames = store.frames()
    chosen = sorted(set(np.linspace(0, len(frames) - 1, recipe.check_frames).round().astype(int).tolist()))
    shown = set(chosen[:: max(len(chosen) // SHEET, 1)])
    scores: dict[str, list[float]] = {"hole_psnr": [], "psnr": [], "warp_hole_psnr": []}
    rows = []
    for i in chosen:
        name, t = frames[i]
        take = store.open(name)
        covered, truth, warp, hole = inputs(
            Frames.stack([(take.covered[t], take.truth[t], take.warped[t], take.hole[t])]), device
        )
        with mixed_precision(device):
            drawn = net(covered, hole).float().clamp(0, 1)
        filled = torch.lerp(truth, drawn, hole)
        everywhere = torch.ones_like(hole)
        for name, picture, where in (
            ("hole_psnr", drawn, hole),
            ("psnr", drawn, everywhere),
            ("warp_hole_psnr", warp, hole),
        ):
            error = ((picture - truth).square() * where).sum() / (3 * where.sum())
            scores[name].append(float(-10 * torch.log10(error)))
        if i in shown:
            row = (covered, torch.lerp(truth, warp, hole), filled, drawn, truth)
            rows.append(np.hstack([x[0].permute(1, 2, 0).cpu().numpy() for x in row]))
    return {name: float(np.mean(values)) for name, values in scores.items()}, np.round(255 * np.vstack(rows)).astype(
        np.uint8
    )


class PersonalTrainer:
    """Generator, discriminator, their optimisers and averaged weights. start: weights to begin with; layers of another
    size, as of another attention, begin anew. minutes: see `train`."""

    def __init__(
        self,
        recipe: PersonalRecipe,
        work: Path,
        device: str | torch.device,
        start: dict[str, torch.Tensor] | None = None,
        minutes: float | None = None,
    ):
        torch.manual_seed(recipe.seed)
        self.recipe, self.device, self.step = recipe, device, 0
        self.best: dict[str, float] = {}
        self._minutes = minutes
        self._losses: list[dict[str, float]] = []  # since it was last measured
        self.run = RunFolder(work, recipe, "personal.safetensors")
        net = PersonalDeocclusion(recipe.network())
        if start is not None:
            net.load_state_dict({**net.state_dict(), **_fitting(start, net)})
        self.net = net.to(device, memory_format=torch.channels_last)
        self.critic = PictureDiscriminator().to(device, memory_format=torch.channels_last)
        self.average = Average(self.net, recipe.average)
        self._optimiser = torch.optim.Adam(self.net.parameters(), lr=recipe.rate, betas=BETAS)
        self._critic_optimiser = torch.optim.Adam(self.critic.parameters(), lr=recipe.rate, betas=BETAS)
        if (state := self.run.load(device)) is not None:
            self._go_on(state)

    @property
    def done(self) -> float:
        """Share of the run, 1 at its end."""
        if self._minutes is None:
            return self.step / self.recipe.steps
        return min(self.run.seconds / max(60 * self._minutes, 1e-9), 1.0)

    def learn(self, frames: Frames) -> dict[str, float]:
        """One step; returns the losses, unweighted."""
        recipe, stage = self.recipe, self.recipe.stage_at(self.done)
        rate = recipe.rate * (0.5 * (1 + math.cos(math.pi * self.done)) if recipe.cosine else 1.0)
        for optimiser, share in ((self._optimiser, 1.0), (self._critic_optimiser, CRITIC_RATE)):
            for group in optimiser.param_groups:
                group["lr"] = share * rate
        shown, truth, hole = _shown(frames, stage, self.device)
        self.net.train()
        with mixed_precision(self.device):
            result = self.net(shown, hole, attend=stage.covered).float()
            losses = {"reconstruction": reconstruction_loss(result, truth)}
            if stage.structure:
                losses["structure"] = structure_loss(result, truth)
            if stage.covered and recipe.mask_loss:
                losses["mask"] = mask_loss(result, truth, hole)
            if stage.adversarial:
                if self.step % CRITIC_EVERY == 0:
                    self._criticise(result.detach(), truth)
                losses["adversarial"] = generator_loss(self.critic(result).float())
        weights = vars(PersonalLossWeights())
        self._optimiser.zero_grad(set_to_none=True)
        sum(weights[name] * loss for name, loss in losses.items()).backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), recipe.clip)
        self._optimiser.step()
        self.average.update(self.net)
        self.step += 1
        found = {name: float(loss.detach()) for name, loss in losses.items()}
        self._losses.append(found)
        return found

    def reached(self, samples: PersonalSamples, validation: TakeStore, keep: Keep | None = None) -> Reached:
        """Measure the averaged network, and keep its weights where they are the best so far."""
        # Weights that a run begins with have statistics of their own.
        net = self.settled(samples) if self.step else self.average.network()
        scores, sheet = check(net, validation, self.recipe, self.device)
        names = ("reconstruction", "structure", "mask", "adversarial")
        losses = {n: float(np.mean([step.get(n, 0.0) for step in self._losses] or [0.0])) for n in names}
        self._losses.clear()
        self.run.record(self.step, {**losses, **scores})
        write_png(self.run.folder / "sheet.png", sheet)
        kept = not self.best or scores["hole_psnr"] > self.best["hole_psnr"]
        if kept:
            self.best = scores
            about = {name: f"{value:.2f}" for name, value in scores.items()}
            self.run.save_weights(net.state_dict(), self.step, {**about, **net.config.metadata()})
            if keep is not None:
                keep(net, {"step": str(self.step), **about})
        self.save()
        return Reached(self.done, scores, sheet, kept, self.best)

    def settled(self, samples: PersonalSamples) -> PersonalDeocclusion:
        """The averaged network, see ema.settled."""

        def show(net: PersonalDeocclusion, frames: Frames) -> None:
            covered, _, _, hole = inputs(frames, self.device)
            with mixed_precision(self.device):
                net(covered, hole)

        return settled(self.average.network(), samples, show)

    def save(self) -> None:
        """Write the checkpoint."""
        self.run.save(
            {
                "step": self.step,
                "best": self.best,
                "net": self.net.state_dict(),
                "critic": self.critic.state_dict(),
                "average": self.average.state_dict(),
                "optimiser": self._optimiser.state_dict(),
                "critic_optimiser": self._critic_optimiser.state_dict(),
            }
        )

    def _criticise(self, fake: torch.Tensor, real: torch.Tensor) -> None:
        self.critic.train()
        loss = discriminator_loss(self.critic(real).float(), self.critic(fake).float())
        self._critic_optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self._critic_optimiser.step()

    def _go_on(self, state: dict[str, Any]) -> None:
        self.step, self.best = state["step"], state["best"]
        self.net.load_state_dict(state["net"])
        self.critic.load_state_dict(state["critic"])
        self.average.load_state_dict(state["average"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._critic_optimiser.load_state_dict(state["critic_optimiser"])


def inputs(frames: Frames, device: str | torch.device) -> tuple[torch.Tensor, ...]:
    """Covered, truth, warped and hole as float32, pictures in [0, 1], channels last."""
    pictures = (
        (x.to(device).float() / 255).contiguous(memory_format=torch.channels_last)
        for x in (frames.covered, frames.truth, frames.warped)
    )
    return *pictures, frames.hole.to(device).float()


def _fitting(start: dict[str, torch.Tensor], net: PersonalDeocclusion) -> dict[str, torch.Tensor]:
    """Those of the weights that the network can begin with."""
    own = net.state_dict()
    return {name: value for name, value in start.items() if name in own and value.shape == own[name].shape}


def _shown(frames: Frames, stage: Stage, device: str | torch.device) -> tuple[torch.Tensor, ...]:
    """What the network sees in a stage, the truth, and the hole."""
    covered, truth, _, hole = inputs(frames, device)
    return (covered, truth, hole) if stage.covered else (truth, truth, torch.zeros_like(hole))
