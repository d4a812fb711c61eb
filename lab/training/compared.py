"""Training the networks that EVI-HRnet is compared with, on the same samples: `hmd-removal lab train compared`."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn import functional as F

from ...learning.run_folder import recipe_fields
from ...personal.losses import hole_loss
from ..networks.compared import ComparedConfig, ComparedNetwork, Filled
from .clip_samples import Given
from .inpainting import InpaintingRecipe, InpaintingTrainer, fit
from .losses import PictureLosses, variation

# What each network's losses count: LGTSM's as its authors' code has them, and EVI-HRnet's paper too; CombCN's, which
# has one for each of its networks; and LaFIn's, from its paper.
WEIGHTS = {
    "lgtsm": {"reconstruction": 1.0, "perceptual": 1.0, "style": 10.0, "adversarial": 1.0},
    "combcn": {"hole": 1.0, "small": 1.0},
    "lafin": {"hole": 1.0, "perceptual": 0.1, "style": 250.0, "variation": 0.1, "adversarial": 0.01},
}


@dataclass(frozen=True)
class ComparedRecipe(InpaintingRecipe):
    """A training run of the network of that name (lab.networks.compared)."""

    network: str = "lgtsm"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.config()

    def config(self) -> ComparedConfig:
        """The configuration of the network."""
        return ComparedConfig(self.network, self.width, self.side, self.landmarks, self.frames)


def read_recipe(path: Path) -> ComparedRecipe:
    """A recipe from a JSON file of its fields. Raises InputError for a file that is none."""
    return ComparedRecipe(**recipe_fields(path, ComparedRecipe))


def train(
    takes: Path, held_out: Path, work: Path, recipe: ComparedRecipe, device: str, *, minutes: float | None = None
) -> Path:
    """Train on prepared samples; returns the safetensors file of the averaged weights, named after the network.

    Data, steps, optimiser, evaluations and files are those of lab.training.evi_hrnet.train, see there; not the ones by
    which the authors trained their networks, which would compare trainings.
    """
    return fit(ComparedTrainer(recipe, work, device, minutes), takes, held_out, name=recipe.network)


class ComparedTrainer(InpaintingTrainer):
    """See `train`."""

    recipe: ComparedRecipe

    def __init__(self, recipe: ComparedRecipe, work: Path, device: str, minutes: float | None = None):
        self._config = recipe.config()
        self.sees_time = self._config.looks_ahead
        super().__init__(recipe, work, device, f"{recipe.network}.safetensors", minutes=minutes)
        self._losses = None if recipe.network == "combcn" else PictureLosses().to(device)

    def network(self) -> ComparedNetwork:
        net = ComparedNetwork(self._config)
        # CombCN's first network is of three dimensions, which that format is not for.
        return net if self.recipe.network == "combcn" else net.to(memory_format=torch.channels_last)

    def told(self, given: Given) -> tuple[torch.Tensor, ...]:
        return given.frames, given.hole, given.contour

    def losses(self, given: Given, found: Filled, result: torch.Tensor) -> dict[str, torch.Tensor]:
        flat, truth, hole = (x.flatten(0, 1) for x in (result, given.truth, given.hole))
        losses = {"hole": hole_loss(flat, truth, hole)}
        if found.small is not None:
            small_truth = F.interpolate(truth, scale_factor=0.5, mode="area")
            losses["small"] = hole_loss(found.small.flatten(0, 1).float(), small_truth, F.max_pool2d(hole, 2))
            return losses
        losses |= self._losses(flat, truth, hole, focus=self.recipe.focus)
        if self.recipe.network == "lafin":
            losses["variation"] = variation(flat)
        return losses

    def weights(self) -> dict[str, float]:
        return WEIGHTS[self.recipe.network]

    def about(self) -> dict[str, str]:
        return self._config.metadata()
