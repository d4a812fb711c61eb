"""What the speed test measures is there."""

import pytest

from hmd_removal.lab.speed import eyes, throughput


@pytest.mark.parametrize("stages", [eyes.STAGES, throughput.STAGES])
def test_every_stage_is_a_function_of_the_path(stages) -> None:
    assert all(callable(getattr(owner, function)) for owner, function in stages.values())
