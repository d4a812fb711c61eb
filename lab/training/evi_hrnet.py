"""Training EVI-HRnet: `hmd-removal train evi-hrnet`."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import torch
from torch import nn
from tqdm import tqdm

from ...models.evi_hrnet import EVIConfig, EVIHRnet, Inpainted, load
from ...personal.run_folder import recipe_fields
from .clip_samples import Given
from .inpainting import InpaintingRecipe, InpaintingTrainer, fit
from .losses import InpaintingLosses, LossWeights, choice_loss

EXPRESSION_EVERY = 4  # frames from one whose expression is compared to the next


@dataclass(frozen=True)
class EVIRecipe(InpaintingRecipe):
    """A training run of EVI-HRnet.

    variant, attention, keys (0: all), shift: of the network (models.evi_hrnet). reconstruction, expression: their
    weights in equation 8; choice: that of losses.choice_loss between warp and memory, in the variant "aligned".
    expression_from: step from which the FER loss counts. Before there is a face its gradients say little, and outweigh
    those of all other losses.
    """

    STAGES: ClassVar = (*InpaintingRecipe.STAGES, "expression_from")

    variant: str = "aligned"
    attention: str = "spatial"
    keys: int = 0
    shift: str = "causal"
    reconstruction: float = 1.0
    expression: float = 2.0
    expression_from: int = 0
    choice: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.network()

    def network(self) -> EVIConfig:
        """The configuration of the generator."""
        config = EVIConfig(
            self.variant, self.width, self.attention, self.keys or None, self.side, self.shift, self.landmarks
        )
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
    expression: nn.Module | None = None,
    *,
    minutes: float | None = None,
) -> Path:
    """Train on prepared takes; returns the safetensors file of the averaged weights.

    takes, held_out: folders of prepare-data, of the splits `train` and `val`. work: keeps checkpoint, log, weights and
    a sheet of results; called again after a stop the run goes on from its last checkpoint. start: weights that a new
    run begins with, as those of a run at a smaller size. expression: the classifier of the FER loss, if not
    face-api's; to be given again when a run goes on. minutes: how long to train, in which case the recipe's steps are
    stretched to fill the time. Under torchrun the processes share each batch, and the first one writes. Raises
    InputError for folders without takes.
    """
    trainer = EVITrainer(recipe, work, device, start, expression, minutes)
    if trainer.rank == 0:
        tqdm.write(f"Expressions are compared by {trainer.expression}.")
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
        expression: nn.Module | None = None,
        minutes: float | None = None,
    ):
        self.variant, self._config = recipe.variant, recipe.network()
        begin = None if start is None else load(start).state_dict()
        super().__init__(recipe, work, device, "evi_hrnet.safetensors", begin, minutes)
        self._losses = InpaintingLosses(expression).to(device)
        self.expression: str = self._losses.expression.NAME

    def network(self) -> EVIHRnet:
        return EVIHRnet(self._config).to(memory_format=torch.channels_last)

    def told(self, given: Given) -> tuple[torch.Tensor, ...]:
        return given.frames, given.hole, given.contour, given.reference, given.memory

    def losses(self, given: Given, found: Inpainted, result: torch.Tensor) -> dict[str, torch.Tensor]:
        chosen = torch.zeros(result.shape[:2], dtype=torch.bool)
        chosen[:, ::EXPRESSION_EVERY] = True
        compared = (x.flatten(0, 1) for x in (result, given.truth, given.hole, given.points))
        losses = self._losses(*compared, chosen=chosen.flatten(), focus=self.recipe.focus)
        if self.recipe.choice and found.correction is not None:
            remembered, known = given.memory[:, :, :3], given.hole * given.memory[:, :, 3:4]
            compared = (found.correction.recall.sigmoid(), given.reference, remembered, given.truth, known)
            losses["choice"] = choice_loss(*(x.flatten(0, 1) for x in compared))
        return losses

    def weights(self) -> dict[str, float]:
        recipe = self.recipe
        expression = recipe.expression if self.place >= recipe.expression_from else 0.0
        paper = LossWeights(reconstruction=recipe.reconstruction, expression=expression)
        return {**vars(paper), "choice": recipe.choice}

    def about(self) -> dict[str, str]:
        return {**self._config.metadata(), "expression_loss": self.expression}
