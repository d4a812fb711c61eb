"""What the trainings of all inpainting networks share: recipe, steps, evaluation, files; so they can be compared."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Subset
from tqdm import tqdm

from ...errors import InputError
from ...files import write_png
from ...learning.ema import Average, settled
from ...learning.pace import MOST_STEPS
from ...learning.run_folder import RunFolder
from ...models.device import mixed_precision
from ...personal.sample_store import TakeStore
from ..networks.evi_discriminator import EVIDiscriminator
from .clip_samples import Clips, ClipSamples, Given
from .critic import Critic
from .held_out import check
from .losses import GAN_LOSSES


@dataclass(frozen=True)
class InpaintingRecipe:
    """A training run.

    width: channels of the network's first layer. landmarks: whether it looks at the lines of the face. side: pixels of
    the crops. frames: of a window; batch: windows a step. adversarial_from: step from which
    the discriminator takes part (stage 2; the authors of LGTSM train without it until convergence first), `steps` for
    never. focus: side of the square around the hole that the perceptual and style losses look at, in sides of the crop;
    1 as in the papers, less to save time. gan: "wgan" as in EVI-HRnet's paper, or "lsgan". rate: 9.7e-5 in
    that paper; cosine: whether it falls to nothing at the end. average: decay of the averaged weights, which are
    measured and shipped. clip: the largest norm of a step's gradients. check_every: steps between two evaluations on
    held-out samples; check_windows: how many windows of them.
    """

    STAGES: ClassVar = ("adversarial_from",)  # fields that are steps at which something begins

    width: int = 64
    landmarks: bool = True
    side: int = 128
    frames: int = 32
    batch: int = 2
    steps: int = 40000
    adversarial_from: int = 20000
    focus: float = 1.0
    gan: str = "wgan"
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

    def lasting(self, steps: int) -> "InpaintingRecipe":
        """The recipe shortened or stretched: its stages begin at the same shares of all steps."""
        begin = {name: round(getattr(self, name) / self.steps * steps) for name in self.STAGES}
        return replace(self, steps=steps, **begin)

    def rate_at(self, step: float) -> float:
        """The learning rate of a step."""
        return self.rate * (0.5 * (1 + math.cos(math.pi * step / self.steps)) if self.cosine else 1.0)


class InpaintingTrainer(ABC):
    """Generator, discriminator, their optimisers and averaged weights; goes on where the run in its folder stopped.

    weights_file: name of the file of averaged weights. start: weights that a new run begins with. minutes: how long to
    train, evaluations included, in which case the recipe's steps are stretched to fill the time.
    """

    sees_time = True  # or it judges and is judged frame by frame

    def __init__(
        self,
        recipe: InpaintingRecipe,
        work: Path,
        device: str,
        weights_file: str,
        start: dict[str, torch.Tensor] | None = None,
        minutes: float | None = None,
    ):
        self.minutes = minutes
        torch.manual_seed(recipe.seed)
        self.recipe, self.device, self.step = recipe, device, 0
        self.run = RunFolder(work, recipe, weights_file)
        self.net = self.network().to(device)
        if start is not None:
            self.net.load_state_dict(start)
        critic = EVIDiscriminator(recipe.critic_width, in_time=self.sees_time)
        self._critic = Critic(critic, kind=recipe.gan, rate=recipe.rate, clip=recipe.clip, device=device)
        self.average = Average(self.net, recipe.average)
        self._optimiser = torch.optim.Adam(self.net.parameters(), lr=recipe.rate)
        if (state := self.run.load(device)) is not None:
            self.step = state["step"]
            self.net.load_state_dict(state["net"])
            self.average.load_state_dict(state["average"])
            self._optimiser.load_state_dict(state["optimiser"])
            self._critic.load_state_dict(state)

    @abstractmethod
    def network(self) -> nn.Module:
        """The generator, as it is at the start. What it returns has a `picture`, (B, T, 3, S, S)."""

    @abstractmethod
    def told(self, given: Given) -> tuple[torch.Tensor, ...]:
        """What the generator gets of it."""

    @abstractmethod
    def losses(self, given: Given, found: Any, result: torch.Tensor) -> dict[str, torch.Tensor]:
        """The generator's losses but the adversarial one, unweighted. found: what it returned; result: (B, T, 3, S, S),
        composited."""

    @abstractmethod
    def weights(self) -> dict[str, float]:
        """What each of the losses counts; those that are not named count nothing. Without "adversarial" there is no
        second stage."""

    @abstractmethod
    def about(self) -> dict[str, str]:
        """For the header of the weights' file."""

    @property
    def done(self) -> float:
        """Share of the run, 1 at its end."""
        if self.minutes is None:
            return self.step / self.recipe.steps
        return min(self.run.seconds / (60 * self.minutes), 1.0)

    @property
    def place(self) -> float:
        """The step of the recipe that the run is at."""
        return self.step if self.minutes is None else self.done * self.recipe.steps

    def learn(self, clips: Clips) -> dict[str, float]:
        """One step; returns the losses."""
        place = self.place
        weights, rate = self.weights(), self.recipe.rate_at(place)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        given = Given.of(clips, self.device)
        judged = {name: torch.zeros((), device=self.device) for name in ("critic", "adversarial")}
        self.net.train()
        with mixed_precision(self.device):
            found = self.net(*self.told(given))
            result = given.composite(found.picture)
            if place >= self.recipe.adversarial_from and "adversarial" in weights:
                judged["critic"] = self._critic.learn(result.detach(), given.truth, given.hole, given.contour, rate)
                judged["adversarial"] = self._critic.judge(result, given.hole, given.contour)
            losses = self.losses(given, found, result) | {"adversarial": judged["adversarial"]}
        self._optimiser.zero_grad(set_to_none=True)
        sum(weights[name] * loss for name, loss in losses.items() if name in weights).backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), self.recipe.clip)
        self._optimiser.step()
        self.average.update(self.net)
        self.step += 1
        return {name: float(loss.detach()) for name, loss in sorted({**judged, **losses}.items())}

    def settled(self, samples: ClipSamples) -> nn.Module:
        """The averaged network, see ema.settled."""

        def show(net: nn.Module, clips: Clips) -> None:
            with mixed_precision(self.device):
                net(*self.told(Given.of(clips, self.device)))

        return settled(self.average.network(), samples, show)

    def look(self, net: nn.Module, store: TakeStore) -> tuple[dict[str, float], np.ndarray]:
        """`held_out.check` of a network."""
        recipe = self.recipe
        return check(
            lambda given: net(*self.told(given)).picture,
            store,
            side=recipe.side,
            frames=recipe.frames,
            windows=recipe.check_windows,
            device=self.device,
        )

    def save(self, net: nn.Module) -> None:
        """Write the checkpoint, and the weights of the averaged network."""
        self.run.save(
            {
                "step": self.step,
                "net": self.net.state_dict(),
                "average": self.average.state_dict(),
                "optimiser": self._optimiser.state_dict(),
                **self._critic.state_dict(),
            }
        )
        self.run.save_weights(net.state_dict(), self.step, self.about())


def fit(trainer: InpaintingTrainer, takes: Path, held_out: Path, *, name: str) -> Path:
    """Train on prepared samples until the run's end; returns the safetensors file of the averaged weights.

    takes, held_out: folders of samples that prepare-data made, of the splits `train` and `val`. name: of the training,
    for the progress bar. Raises InputError for folders without samples.
    """
    cv2.setNumThreads(1)
    torch.set_flush_denormal(True)  # gates that are nearly shut leave such numbers behind, which CPUs are slow at
    recipe = trainer.recipe
    store, validation = TakeStore.filled(takes), TakeStore.filled(held_out)
    if trainer.step and trainer.done >= 1:
        return trainer.run.weights_file
    most = recipe.steps if trainer.minutes is None else MOST_STEPS
    samples = ClipSamples(
        store,
        side=recipe.side,
        frames=recipe.frames,
        batch=recipe.batch,
        steps=most,
        seed=recipe.seed,
    )
    loader = DataLoader(
        Subset(samples, range(trainer.step, most)),
        batch_size=None,
        num_workers=recipe.workers,
        prefetch_factor=4 if recipe.workers else None,
    )
    seen: list[dict[str, float]] = []  # losses since the last evaluation
    total = recipe.steps if trainer.minutes is None else None
    cudnn = torch.backends.cudnn
    trials = cudnn.flags(enabled=cudnn.enabled, benchmark=True)  # which pay, as all batches have one shape
    with trials, tqdm(total=total, initial=trainer.step, desc=f"train {name}", unit="step") as bar:
        for batch in loader:
            seen.append(trainer.learn(batch))
            bar.update()
            ended = trainer.done >= 1
            if ended or trainer.step % recipe.check_every == 0:
                net = trainer.settled(samples)
                scores, sheet = trainer.look(net, validation)
                losses = {name: float(np.mean([step[name] for step in seen])) for name in seen[0]}
                seen.clear()
                trainer.run.record(trainer.step, {**losses, **scores})
                write_png(trainer.run.folder / "sheet.png", sheet)
                trainer.save(net)
                bar.set_postfix({name: f"{value:.2f}" for name, value in scores.items()})
            if ended:
                break
    return trainer.run.weights_file
