"""How the aligned generator learns: the recipe, and one network's training."""

from dataclasses import dataclass
from pathlib import Path

import torch

from ...errors import InputError
from ...learning.ema import Average
from ...learning.pace import pace
from ...learning.run_folder import RunFolder
from ...models.aligned_generator import PARTS, AlignedGenerator, GeneratorConfig
from .losses import WEIGHTS, GeneratorLosses
from .sample_path import Given


@dataclass(frozen=True)
class GeneratorRecipe:
    """What decides what comes of a run. widths, without: of the network (models.aligned_generator), `without` naming
    parts that are left out, parted by commas. steps; batch: samples of three frames a step; rate: the highest; warm_up:
    steps. average: decay of the averaged weights, which are measured and shipped."""

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
    check_every: int = 1000

    def network(self) -> GeneratorConfig:
        """The configuration of the generator. Raises InputError for a part that it does not have."""
        without = [part for part in self.without.split(",") if part]
        if unknown := set(without) - set(PARTS):
            raise InputError(f"Expected parts out of {', '.join(PARTS)}, got {', '.join(sorted(unknown))}.")
        return GeneratorConfig(tuple(int(w) for w in self.widths.split(",")), **dict.fromkeys(without, False))


class GeneratorTrainer:
    """One network, its optimiser and averaged weights; goes on where the run in its folder stopped.

    losses: on the device. start: what a new run begins with. minutes: how long to train, in place of the recipe's
    steps.
    """

    def __init__(
        self,
        recipe: GeneratorRecipe,
        work: Path,
        losses: GeneratorLosses,
        device: str | torch.device,
        *,
        start: AlignedGenerator | None = None,
        minutes: float | None = None,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.step, self._losses, self._minutes = recipe, 0, losses, minutes
        self.run = RunFolder(work, recipe, "aligned_generator.safetensors")
        net = AlignedGenerator(recipe.network())
        if start is not None:
            net.load_state_dict(start.state_dict())
        self.net = net.to(device, memory_format=torch.channels_last)
        self.average = Average(self.net, recipe.average)
        fused = {"fused": True} if torch.device(device).type == "cuda" else {}
        self._optimiser = torch.optim.AdamW(
            self.net.parameters(), recipe.rate, betas=(0.9, 0.99), weight_decay=recipe.decay, **fused
        )
        if (state := self.run.load(device)) is not None:
            self.step = state["step"]
            self.net.load_state_dict(state["net"])
            self.average.load_state_dict(state["average"])
            self._optimiser.load_state_dict(state["optimiser"])

    @property
    def done(self) -> float:
        """Share of the run, 1 at its end."""
        if self._minutes is None:
            return self.step / self.recipe.steps
        return min(self.run.seconds / max(60 * self._minutes, 1e-9), 1.0)

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
