"""The trainer of the head finder: what it learns from, and that a run goes on."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from hmd_removal.lab.data.face_store import FaceStore, cut, open_store
from hmd_removal.lab.training.covered_samples import SampleMaker
from hmd_removal.lab.training.head_finder import SIDE, Recipe, draw_batch, finder_loss, train
from hmd_removal.models import head_finder
from hmd_removal.models.head_finder import CELL, HeadFinder
from hmd_removal.tracking.track import FaceTrack

RECIPE = Recipe(steps=4, batch=3, warm_up=1, workers=0, check_every=2, check_samples=3)


@pytest.fixture(scope="module")
def maker(talking_head: np.ndarray, talking_head_track: FaceTrack) -> SampleMaker:
    cuts = [cut(talking_head[t], talking_head_track.points[t]) for t in range(0, 24, 4)]
    images, points, inside = (np.stack(parts) for parts in zip(*cuts, strict=True))
    wall = np.full((2, 128, 128, 3), 90, np.uint8)
    return SampleMaker(FaceStore.of_photographs(images, points, inside, np.arange(len(cuts)) % 2, wall))


def test_pictures_have_heads_where_the_target_says(maker: SampleMaker) -> None:
    batch = draw_batch(maker, 48, np.random.default_rng(0))
    assert batch["image"].shape == (48, 3, SIDE, SIDE) and batch["image"].dtype == torch.uint8
    assert batch["target"].shape == (48, SIDE // CELL, SIDE // CELL)
    target = batch["target"]
    assert target.max() == 1 and set(target[target < 0].unique().tolist()) <= {-1.0}
    heads = (target == 1).sum((1, 2))
    assert heads.min() == 0 and heads.max() <= 3 and 0.2 < heads.float().mean() < 1.5
    plain = batch["image"].float().std((1, 2, 3))[heads == 0].median()
    assert batch["image"].float().std((1, 2, 3))[heads > 0].median() > plain, "a bare wall has no contrast"


def test_the_same_seed_draws_the_same(maker: SampleMaker) -> None:
    first, again, other = (draw_batch(maker, 2, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(first["image"], again["image"]) and not torch.equal(first["image"], other["image"])


def test_the_loss_asks_for_heads_and_leaves_undecided_places_alone() -> None:
    target = torch.zeros(1, 4, 4)
    target[0, 1, 1], target[0, 3, 3] = 1, -1
    right, wrong = torch.full((1, 4, 4), -8.0), torch.full((1, 4, 4), -8.0)
    right[0, 1, 1] = wrong[0, 0, 3] = 8.0
    assert finder_loss(right, target) < 0.01 < 1 < finder_loss(wrong, target)
    undecided = right.clone()
    undecided[0, 3, 3] = 8.0
    assert finder_loss(undecided, target) == finder_loss(right, target)


def test_a_run_goes_on_and_its_weights_load(tmp_path: Path, carphone: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    rows = ["path\tkind\tperson\tsplit"]
    for name, split in (("a.mp4", "train"), ("b.mp4", "val")):
        shutil.copy(carphone, data / name)
        rows.append(f"{name}\tvideo\tanna\t{split}")
    (data / "INDEX.tsv").write_text("\n".join(rows))
    for split in ("train", "val"):
        open_store(tmp_path / "run" / "faces", data, split, frames_per_clip=4)
    written = train(data, tmp_path / "run", RECIPE)
    net = head_finder.load(written)
    assert (tmp_path / "run" / "head_finder" / "log.csv").read_text().count("\n") == 3
    assert sum(p.numel() for p in HeadFinder().parameters()) < 0.3e6
    with torch.inference_mode():
        assert net(torch.rand(1, 3, 64, 96)).shape == (1, 8, 12)
    assert train(data, tmp_path / "run", RECIPE) == written, "nothing is left to do"
