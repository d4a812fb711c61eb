"""Training a personal model: arXiv 2112.01098, section III-C."""

import copy
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Subset
from tqdm import tqdm

from ..evaluation.files import write_png
from ..models.personal_deocclusion import PersonalDeocclusion, PictureDiscriminator
from .ema import Average
from .personal_losses import (
    PersonalLossWeights,
    discriminator_loss,
    generator_loss,
    mask_loss,
    reconstruction_loss,
    structure_loss,
)
from .personal_recipe import PersonalRecipe
from .personal_samples import Frames, PersonalSamples
from .run_folder import RunFolder
from .takes import TakeStore

BETAS = (0.0, 0.999)  # of Adam, as in 3FabRec
CRITIC_EVERY, CRITIC_RATE = 2, 0.5  # steps between two of the discriminator's, and its learning rate by the generator's
SETTLING = 16  # batches by which the statistics of batch normalisation are found anew
SHEET = 6  # rows of the sheet


def train(
    takes: Path,
    held_out: Path,
    work: Path,
    recipe: PersonalRecipe,
    device: str,
    start: dict[str, torch.Tensor] | None = None,
    metadata: dict[str, str] | None = None,
) -> Path:
    """Train on prepared takes; returns the safetensors file of the weights that did best on the held-out ones.

    takes, held_out: folders of takes of 256 pixels: of many people for the part that is common to all users, or of one.
    work: keeps checkpoint, log, weights and a sheet of results; called again after a stop the run goes on from its last
    checkpoint. start: weights to begin with. metadata: what the file of weights is to say beside the recipe. Raises
    InputError for folders without takes.
    """
    cv2.setNumThreads(1)
    trainer = PersonalTrainer(recipe, work, device, start)
    store, validation = TakeStore.filled(takes), TakeStore.filled(held_out)
    samples = PersonalSamples(store, batch=recipe.batch, steps=recipe.steps, seed=recipe.seed)
    loader = DataLoader(
        Subset(samples, range(trainer.step, recipe.steps)),
        batch_size=None,
        num_workers=recipe.workers,
        prefetch_factor=4 if recipe.workers else None,
    )
    seen: list[dict[str, float]] = []  # losses since the last look
    with tqdm(total=recipe.steps, initial=trainer.step, desc="train personal", unit="step") as bar:
        for batch in loader:
            seen.append(trainer.learn(batch))
            bar.update()
            if trainer.step % recipe.check_every == 0 or trainer.step == recipe.steps:
                net = trainer.settled(samples)
                scores, sheet = check(net, validation, recipe, device)
                names = ("reconstruction", "structure", "mask", "adversarial")
                losses = {n: float(np.mean([step.get(n, 0.0) for step in seen])) for n in names}
                seen.clear()
                trainer.run.record(trainer.step, {**losses, **scores})
                write_png(work / "sheet.png", sheet)
                if scores["hole_psnr"] > trainer.best:
                    trainer.best = scores["hole_psnr"]
                    about = {**recipe.network().metadata(), "hole_psnr": f"{trainer.best:.2f}", **(metadata or {})}
                    trainer.run.save_weights(net.state_dict(), trainer.step, about)
                trainer.save()
                bar.set_postfix({name: f"{value:.2f}" for name, value in scores.items()})
    return trainer.run.weights_file


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
        one = Frames.stack([(take.covered[t], take.truth[t], take.warped[t], take.hole[t])])
        covered, truth, warp, hole = inputs(one, device)
        with torch.autocast(device, torch.bfloat16):
            drawn = net(covered, hole, warp).float().clamp(0, 1)
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
    """Generator, discriminator, their optimisers and averaged weights. start: weights to begin with, of a network of
    the same kind; where the attention differs it begins anew."""

    def __init__(self, recipe: PersonalRecipe, work: Path, device: str, start: dict[str, torch.Tensor] | None = None):
        torch.manual_seed(recipe.seed)
        self.recipe, self.device, self.step, self.best = recipe, device, 0, -math.inf
        self.run = RunFolder(work, recipe, "personal.safetensors")
        net = PersonalDeocclusion(recipe.network())
        if start is not None:
            own = net.state_dict()
            fitting = {name: value for name, value in start.items() if name in own and value.shape == own[name].shape}
            net.load_state_dict({**own, **fitting})
        self.net = net.to(device, memory_format=torch.channels_last)
        self.critic = PictureDiscriminator().to(device, memory_format=torch.channels_last)
        self.average = Average(self.net, recipe.average)
        self._optimiser = torch.optim.Adam(self.net.parameters(), lr=recipe.rate, betas=BETAS)
        self._critic_optimiser = torch.optim.Adam(self.critic.parameters(), lr=recipe.rate, betas=BETAS)
        if (state := self.run.load(device)) is not None:
            self._go_on(state)

    def learn(self, frames: Frames) -> dict[str, float]:
        """One step; returns the losses, unweighted."""
        recipe, stage = self.recipe, self.recipe.stage_of(self.step)
        rate = recipe.rate * self._schedule()
        for optimiser, share in ((self._optimiser, 1.0), (self._critic_optimiser, CRITIC_RATE)):
            for group in optimiser.param_groups:
                group["lr"] = share * rate
        shown, truth, hole, warped = self._shown(frames)
        self.net.train()
        with torch.autocast(self.device, torch.bfloat16):
            result = self.net(shown, hole, warped, attend=stage.covered).float()
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
        return {name: float(loss.detach()) for name, loss in losses.items()}

    @torch.no_grad()
    def settled(self, samples: PersonalSamples) -> PersonalDeocclusion:
        """The averaged network with statistics of batch normalisation of its own: averages of the other's are those of
        weights that it never had."""
        net = copy.deepcopy(self.average.network())
        norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # a plain mean of all batches
        net.train()
        for k in range(min(SETTLING, len(samples))):
            covered, _, warped, hole = inputs(samples[k], self.device)
            with torch.autocast(self.device, torch.bfloat16):
                net(covered, hole, warped)
        return net.eval()

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

    def _shown(self, frames: Frames) -> tuple[torch.Tensor, ...]:
        """What the network sees in this stage, the truth, the hole and the warp."""
        covered, truth, warped, hole = inputs(frames, self.device)
        if self.recipe.stage_of(self.step).covered:
            return covered, truth, hole, warped
        return truth, truth, torch.zeros_like(hole), truth

    def _schedule(self) -> float:
        return 0.5 * (1 + math.cos(math.pi * self.step / self.recipe.steps)) if self.recipe.cosine else 1.0

    def _go_on(self, state: dict[str, Any]) -> None:
        self.step, self.best = state["step"], state["best"]
        self.net.load_state_dict(state["net"])
        self.critic.load_state_dict(state["critic"])
        self.average.load_state_dict(state["average"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._critic_optimiser.load_state_dict(state["critic_optimiser"])


def inputs(frames: Frames, device: str) -> tuple[torch.Tensor, ...]:
    """Covered, truth, warped and hole as float32, pictures in [0, 1], channels last."""
    pictures = (
        (x.to(device).float() / 255).contiguous(memory_format=torch.channels_last)
        for x in (frames.covered, frames.truth, frames.warped)
    )
    return *pictures, frames.hole.to(device).float()
