"""Training EVI-HRnet: `hmd-removal lab train evi-hrnet`."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import torch
from tqdm import tqdm

from ...learning.run_folder import recipe_fields
from ...models.evi_hrnet import EVIConfig, EVIHRnet, Inpainted, load
from ..networks.face_expression import FaceExpression
from .clip_samples import Given
from .inpainting import InpaintingRecipe, InpaintingTrainer, fit
from .losses import InpaintingLosses, LossWeights

EXPRESSION_EVERY = 4  # frames from one whose expression is compared to the next


@dataclass(frozen=True)
class EVIRecipe(InpaintingRecipe):
    """A training run of EVI-HRnet.

    attention, keys (0: all), shift: of the network (models.evi_hrnet). reconstruction, expression: their
    weights in equation 8. expression_from: step from which the FER loss counts. Before there is a face its gradients
    say little, and outweigh those of all other losses.
    """

    STAGES: ClassVar = (*InpaintingRecipe.STAGES, "expression_from")

    attention: str = "spatial"
    keys: int = 0
    shift: str = "causal"
    reconstruction: float = 1.0
    expression: float = 2.0
    expression_from: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.network()

    def network(self) -> EVIConfig:
        """The configuration of the generator."""
        config = EVIConfig(self.width, self.attention, self.keys or None, self.side, self.shift, self.landmarks)
        return replace(config, frames=self.frames) if config.looks_ahead else config


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
    *,
    minutes: float | None = None,
) -> Path:
    """Train on prepared samples; returns the safetensors file of the averaged weights.

    takes, held_out: folders of samples that prepare-data made, of the splits `train` and `val`. work: keeps checkpoint,
    log, weights and a sheet of results; called again after a stop the run goes on from its last checkpoint. start:
    weights that a new run begins with, as those of a run at a smaller size. minutes: how long to train, in which case
    the recipe's steps are stretched to fill the time. Raises InputError for folders without samples.
    """
    trainer = EVITrainer(recipe, work, device, start, minutes)
    tqdm.write(f"Expressions are compared by {FaceExpression.NAME}.")
    return fit(trainer, takes, held_out, name="evi-hrnet")


class EVITrainer(InpaintingTrainer):
    """See `train`."""

    recipe: EVIRecipe

    def __init__(
        self,
        recipe: EVIRecipe,
        work: Path,
        device: str,
        start: Path | None = None,
        minutes: float | None = None,
    ):
        self._config = recipe.network()
        begin = None if start is None else load(start).state_dict()
        super().__init__(recipe, work, device, "evi_hrnet.safetensors", begin, minutes)
        self._losses = InpaintingLosses().to(device)

    def network(self) -> EVIHRnet:
        return EVIHRnet(self._config).to(memory_format=torch.channels_last)

    def told(self, given: Given) -> tuple[torch.Tensor, ...]:
        return given.frames, given.hole, given.contour, given.reference

    def losses(self, given: Given, found: Inpainted, result: torch.Tensor) -> dict[str, torch.Tensor]:
        chosen = torch.zeros(result.shape[:2], dtype=torch.bool)
        chosen[:, ::EXPRESSION_EVERY] = True
        compared = (x.flatten(0, 1) for x in (result, given.truth, given.hole, given.points))
        return self._losses(*compared, chosen=chosen.flatten(), focus=self.recipe.focus)

    def weights(self) -> dict[str, float]:
        recipe = self.recipe
        expression = recipe.expression if self.place >= recipe.expression_from else 0.0
        return vars(LossWeights(reconstruction=recipe.reconstruction, expression=expression))

    def about(self) -> dict[str, str]:
        return {**self._config.metadata(), "expression_loss": FaceExpression.NAME}
