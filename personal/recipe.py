"""How the variant "paper" is trained: stages, as in arXiv 2112.01098, section III-C, or fewer."""

from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..learning.run_folder import known_fields, recipe_fields
from ..models.personal_deocclusion import PersonalConfig

PAPER = Path(__file__).with_name("recipes") / "paper.json"


@dataclass(frozen=True)
class Stage:
    """Part of a training. steps: how many. covered: whether the network sees the headset, and so fills it in, with
    attention and mask loss (the paper's step 2), or copies uncovered faces without (step 1). adversarial, structure:
    whether these losses count."""

    steps: int
    covered: bool = True
    adversarial: bool = False
    structure: bool = False


@dataclass(frozen=True)
class PersonalRecipe:
    """A training run. attention, mask: of the network (models.personal_deocclusion). mask_loss: whether equation 5
    counts. batch: frames of a step. rate: 2e-5 in the paper; cosine: whether it falls to nothing at the end. average:
    decay of the averaged weights. check_every: steps between two looks at held-out takes."""

    stages: tuple[Stage, ...]
    attention: str = "paper"
    mask: bool = False
    mask_loss: bool = True
    batch: int = 50
    rate: float = 2e-5
    cosine: bool = False
    average: float = 0.999
    clip: float = 10.0
    seed: int = 0
    check_every: int = 500
    check_frames: int = 48

    def __post_init__(self) -> None:
        self.network()
        if not self.stages:
            raise InputError("Expected a recipe with at least one stage, got none.")

    def network(self) -> PersonalConfig:
        """The configuration of the generator."""
        return PersonalConfig(self.attention, self.mask)

    @property
    def steps(self) -> int:
        """Of all stages together."""
        return sum(stage.steps for stage in self.stages)

    def lasting(self, steps: int) -> "PersonalRecipe":
        """The recipe shortened or stretched: its stages end at the same shares of all steps, each has one at least.

        Raises InputError for less than a step a stage.
        """
        if steps < len(self.stages):
            raise InputError(f"Expected at least a step for each of {len(self.stages)} stages, got {steps}.")
        stages, begin, left = [], 0, len(self.stages)
        for stage, end in zip(self.stages, accumulate(stage.steps for stage in self.stages), strict=True):
            left -= 1
            end = min(max(round(end / self.steps * steps), begin + 1), steps - left)
            stages.append(replace(stage, steps=end - begin))
            begin = end
        return replace(self, stages=tuple(stages))

    def stage_at(self, done: float) -> Stage:
        """The stage in which a run is of which so large a share is done."""
        left = done * self.steps
        for stage in self.stages:
            if left < stage.steps:
                return stage
            left -= stage.steps
        return self.stages[-1]


def read_recipe(path: Path) -> PersonalRecipe:
    """A recipe from a JSON file of its fields. Raises InputError for a file that is none."""
    return recipe_of(recipe_fields(path, PersonalRecipe), str(path))


def recipe_of(values: dict[str, Any], where: str) -> PersonalRecipe:
    """A recipe from the values of a JSON file. where: they come from. Raises InputError for what is none."""
    known_fields(values, PersonalRecipe, where)
    try:
        return PersonalRecipe(**values | {"stages": tuple(Stage(**stage) for stage in values["stages"])})
    except (KeyError, TypeError) as error:
        raise InputError(f"Expected a recipe with its stages in {where}: {error}.") from error
