"""Training EVI-HRnet: `hmd-removal train evi-hrnet`."""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from einops import rearrange
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, Subset
from tqdm import tqdm

from ..errors import InputError
from ..evaluation.files import write_png
from ..models.evi_discriminator import EVIDiscriminator
from ..models.evi_hrnet import EVIConfig, EVIHRnet, load
from ..models.precision import mixed_precision
from .clip_samples import Clips, ClipSamples, shrunk, window
from .ema import Average
from .losses import GAN_LOSSES, InpaintingLosses, LossWeights, adversarial_loss, choice_loss, critic_loss
from .run_folder import RunFolder, recipe_fields
from .takes import TakeStore

EXPRESSION_EVERY = 4  # frames from one whose expression is compared to the next
SHEET = 8  # windows of the validation sheet


@dataclass(frozen=True)
class EVIRecipe:
    """A training run.

    variant, width, attention, keys (0: all), shift, landmarks: of the network (models.evi_hrnet). side: pixels of
    the crops. frames: of a window; batch: windows a step, in all processes together. adversarial_from: step from
    which the discriminator takes part (stage 2; the authors of LGTSM train without it until convergence first),
    `steps` for never. focus: side of the square around the hole that the perceptual and style losses look at, in
    sides of the crop; 1 as in the paper, less to save time. gan: "wgan" as in the paper, or "hinge".
    reconstruction, expression: their weights in equation 8; choice: that of losses.choice_loss between warp and
    memory, in the variant "aligned". rate: 9.7e-5 in the paper; cosine: whether it falls to nothing at the end.
    average: decay of the averaged weights, which are measured and shipped. check_every: steps between two looks at
    the split for validation.
    """

    variant: str = "aligned"
    width: int = 64
    attention: str = "spatial"
    keys: int = 0
    shift: str = "causal"
    landmarks: bool = True
    side: int = 128
    frames: int = 32
    batch: int = 2
    steps: int = 40000
    adversarial_from: int = 20000
    focus: float = 1.0
    gan: str = "wgan"
    reconstruction: float = 1.0
    expression: float = 2.0
    choice: float = 0.0
    critic_width: int = 64
    rate: float = 9.7e-5
    cosine: bool = False
    average: float = 0.999
    clip: float = 1.0
    seed: int = 0
    workers: int = 1
    check_every: int = 500
    check_windows: int = 24

    def __post_init__(self) -> None:
        if self.gan not in GAN_LOSSES:
            raise InputError(f"Expected a gan loss out of {', '.join(GAN_LOSSES)}, got {self.gan!r}.")
        self.network()

    def network(self) -> EVIConfig:
        """The configuration of the generator."""
        keys = self.keys or None
        return EVIConfig(self.variant, self.width, self.attention, keys, self.side, self.shift, self.landmarks)


def read_recipe(path: Path) -> EVIRecipe:
    """A recipe from a JSON file of its fields. Raises InputError for a file that is none."""
    return EVIRecipe(**recipe_fields(path, EVIRecipe))


def train(
    takes: Path,
    held_out: Path,
    work: Path,
    recipe: EVIRecipe,
    device: str,
    start: Path | None = None,
    expression: nn.Module | None = None,
) -> Path:
    """Train on prepared takes; returns the safetensors file of the averaged weights.

    takes, held_out: folders of prepare-data, of the splits `train` and `val`. work: keeps checkpoint, log, weights and
    a sheet of results; called again after a stop the run goes on from its last checkpoint. start: weights that a new
    run begins with, as those of a run at a smaller size. expression: the classifier of the FER loss, if not
    face-api's; to be given again when a run goes on. Under torchrun the processes share each batch, and the first one
    writes. Raises InputError for folders without takes.
    """
    cv2.setNumThreads(1)
    torch.set_flush_denormal(True)  # gates that are nearly shut leave such numbers behind, which CPUs are slow at
    rank, world = _join(device)
    trainer = EVITrainer(recipe, work, device, start, expression, lead=rank == 0)
    if rank == 0:
        tqdm.write(f"Expressions are compared by {trainer.expression}.")
    store, validation = TakeStore.filled(takes), TakeStore.filled(held_out)
    samples = ClipSamples(
        store,
        variant=recipe.variant,
        side=recipe.side,
        frames=recipe.frames,
        batch=recipe.batch,
        steps=recipe.steps,
        seed=recipe.seed,
        rank=rank,
        world=world,
    )
    loader = DataLoader(
        Subset(samples, range(trainer.step, recipe.steps)),
        batch_size=None,
        num_workers=recipe.workers,
        prefetch_factor=4 if recipe.workers else None,
    )
    seen: list[dict[str, float]] = []  # losses since the last look
    with tqdm(total=recipe.steps, initial=trainer.step, desc="train evi-hrnet", unit="step", disable=rank > 0) as bar:
        for batch in loader:
            seen.append(trainer.learn(batch))
            bar.update()
            if rank == 0 and (trainer.step % recipe.check_every == 0 or trainer.step == recipe.steps):
                scores, sheet = check(trainer.average.network(), validation, recipe, device)
                losses = {name: float(np.mean([step[name] for step in seen])) for name in seen[0]}
                seen.clear()
                trainer.run.record(trainer.step, {**losses, **scores})
                write_png(work / "sheet.png", sheet)
                trainer.save()
                bar.set_postfix({name: f"{value:.2f}" for name, value in scores.items()})
    return trainer.run.weights_file


class EVITrainer:
    """Generator, discriminator, their optimisers and averaged weights. lead: whether this process keeps the files."""

    def __init__(
        self,
        recipe: EVIRecipe,
        work: Path,
        device: str,
        start: Path | None = None,
        expression: nn.Module | None = None,
        *,
        lead: bool = True,
    ):
        torch.manual_seed(recipe.seed)
        self.recipe, self.device, self.step = recipe, device, 0
        self.run = RunFolder(work, recipe, "evi_hrnet.safetensors")
        net = EVIHRnet(recipe.network())
        if start is not None:
            net.load_state_dict(load(start).state_dict())
        self.net = net.to(device, memory_format=torch.channels_last)
        self.critic = EVIDiscriminator(recipe.critic_width).to(device, memory_format=torch.channels_last)
        self.average = Average(self.net, recipe.average)
        self._losses = InpaintingLosses(expression).to(device)
        self.expression: str = self._losses.expression.NAME
        self._optimiser = torch.optim.Adam(self.net.parameters(), lr=recipe.rate)
        self._critic_optimiser = torch.optim.Adam(self.critic.parameters(), lr=recipe.rate)
        if (state := self.run.load(device)) is not None:
            self._go_on(state)
        self._lead = lead
        self._shared, self._shared_critic = _shared(self.net), _shared(self.critic)

    def learn(self, clips: Clips) -> dict[str, float]:
        """One step; returns the losses."""
        recipe = self.recipe
        for optimiser in (self._optimiser, self._critic_optimiser):
            for group in optimiser.param_groups:
                group["lr"] = recipe.rate * self._schedule()
        frames, truth, reference, hole, contour, memory = inputs(clips, self.device)
        adversarial = self.step >= recipe.adversarial_from
        self.net.train()
        with mixed_precision(self.device):
            inpainted = self._shared(frames, hole, contour, reference, memory)
            result = composite(inpainted.picture, truth, hole)
            judged = {}
            if adversarial:
                judged["critic"] = self._criticise(result.detach(), truth, hole, contour)
                # The critic is only asked here: its own gradients of this pass are thrown away.
                judged["adversarial"] = adversarial_loss(self.critic(result, hole, contour).float())
            losses = self._compare(result, truth, hole, clips.points.to(self.device))
        if adversarial:
            losses["adversarial"] = judged["adversarial"]
        if recipe.choice and inpainted.correction is not None:
            known = hole * memory[:, :, 3:4]
            compared = (inpainted.correction.recall.sigmoid(), reference, memory[:, :, :3], truth, known)
            losses["choice"] = choice_loss(*(x.flatten(0, 1) for x in compared))
        weights = vars(LossWeights(reconstruction=recipe.reconstruction, expression=recipe.expression))
        weights["choice"] = recipe.choice
        self._optimiser.zero_grad(set_to_none=True)
        sum(weights[name] * loss for name, loss in losses.items()).backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), recipe.clip)
        self._optimiser.step()
        self.average.update(self.net)
        self.step += 1
        zero = torch.zeros(())
        named = {**losses, "critic": judged.get("critic", zero), "adversarial": losses.get("adversarial", zero)}
        return {name: float(loss.detach()) for name, loss in sorted(named.items())}

    def save(self) -> None:
        """Write the checkpoint and the averaged weights."""
        if not self._lead:
            return
        self.run.save(
            {
                "step": self.step,
                "net": self.net.state_dict(),
                "critic": self.critic.state_dict(),
                "average": self.average.state_dict(),
                "optimiser": self._optimiser.state_dict(),
                "critic_optimiser": self._critic_optimiser.state_dict(),
            }
        )
        self.run.save_weights(
            self.average.network().state_dict(),
            self.step,
            {**self.recipe.network().metadata(), "expression_loss": self.expression},
        )

    def _criticise(
        self, fake: torch.Tensor, real: torch.Tensor, hole: torch.Tensor, contour: torch.Tensor
    ) -> torch.Tensor:
        """One step of the discriminator; returns its loss."""
        self.critic.train()
        scores = self._shared_critic(torch.cat([real, fake]), hole.repeat(2, 1, 1, 1, 1), contour.repeat(2, 1, 1, 1, 1))
        loss = critic_loss(*scores.float().chunk(2), self.recipe.gan)
        self._critic_optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.critic.parameters(), self.recipe.clip)
        self._critic_optimiser.step()
        return loss.detach()

    def _compare(
        self, result: torch.Tensor, truth: torch.Tensor, hole: torch.Tensor, points: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        chosen = torch.zeros(result.shape[:2], dtype=torch.bool)
        chosen[:, ::EXPRESSION_EVERY] = True
        flat = (rearrange(x, "b t c h w -> (b t) c h w") for x in (result, truth, hole))
        return self._losses(*flat, points.flatten(0, 1), chosen=chosen.flatten(), focus=self.recipe.focus)

    def _schedule(self) -> float:
        return 0.5 * (1 + math.cos(math.pi * self.step / self.recipe.steps)) if self.recipe.cosine else 1.0

    def _go_on(self, state: dict[str, Any]) -> None:
        self.step = state["step"]
        self.net.load_state_dict(state["net"])
        self.critic.load_state_dict(state["critic"])
        self.average.load_state_dict(state["average"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._critic_optimiser.load_state_dict(state["critic_optimiser"])


def inputs(clips: Clips, device: str) -> tuple[torch.Tensor, ...]:
    """Frames, truth, reference, hole, contour and memory as the networks take them: float32, pictures in [0, 1]."""
    pictures = (clips.frames, clips.truth, clips.reference, clips.memory)
    frames, truth, reference, memory = (x.to(device).float() / 255 for x in pictures)
    memory = torch.cat([memory, clips.moved.to(device)], 2)
    return frames, truth, reference, clips.hole.to(device).float(), clips.contour.to(device), memory


def composite(filling: torch.Tensor, frames: torch.Tensor, hole: torch.Tensor) -> torch.Tensor:
    """The frames with their hole filled, float32."""
    return torch.lerp(frames.float(), filling.float(), hole.float())


@torch.inference_mode()
def check(net: EVIHRnet, store: TakeStore, recipe: EVIRecipe, device: str) -> tuple[dict[str, float], np.ndarray]:
    """PSNR in the hole, in dB, of the network and of the warp, by what the takes are made from and their landmarks.

    And a sheet of some of the results: covered, warp, network, truth.
    """
    errors: dict[str, list[float]] = {}
    rows = []
    by_kind: dict[str, list[str]] = {}
    for name in store.names():
        about = store.about(name)
        by_kind.setdefault(f"{about['kind']}_{about['landmarks']}", []).append(name)
    share = recipe.check_windows // len(by_kind)
    chosen = [(k, names[i]) for k, names in sorted(by_kind.items()) for i in _spread(len(names), share)]
    shown = {chosen[i][1] for i in _spread(len(chosen), SHEET)}
    for kind, name in chosen:
        take = store.open(name)
        # Not its first frames: what is remembered there has hardly had the time to become wrong.
        length = min(recipe.frames, len(take))
        start = (len(take) - length) // 2
        take = shrunk(take, slice(start, start + length), recipe.side)
        clips = window(take, variant=recipe.variant)
        frames, truth, reference, hole, contour, memory = inputs(clips, device)
        with mixed_precision(device):
            result = composite(net(frames, hole, contour, reference, memory)[0], truth, hole).clamp(0, 1)
        warped = torch.from_numpy(np.array(take.warped)).to(device).permute(0, 3, 1, 2)[None].float()
        for method, picture in (("network", result), ("warp", composite(warped / 255, truth, hole))):
            error = ((picture - truth).square() * hole).sum() / (3 * hole.sum())
            errors.setdefault(f"{method}_{kind}", []).append(float(-10 * torch.log10(error)))
        if name in shown:
            last = [x[0, -1].permute(1, 2, 0).cpu().numpy() for x in (frames, warped / 255, result, truth)]
            rows.append(np.hstack(last))
    return {name: float(np.mean(values)) for name, values in sorted(errors.items())}, np.round(
        255 * np.vstack(rows)
    ).astype(np.uint8)


def _spread(count: int, most: int) -> list[int]:
    """At most so many of the first `count` numbers, evenly spread."""
    return sorted(set(np.linspace(0, count - 1, max(most, 1)).round().astype(int).tolist()))


def _join(device: str) -> tuple[int, int]:
    """This process's number and how many there are, as torchrun says; one alone without it."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        return 0, 1
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    return distributed.get_rank(), world


def _shared(net: nn.Module) -> nn.Module:
    return DistributedDataParallel(net) if distributed.is_available() and distributed.is_initialized() else net
