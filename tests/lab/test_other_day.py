"""The protocol `other day`: who is paired with whom, and that everybody counts the same."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from hmd_removal.cli import main
from hmd_removal.errors import InputError
from hmd_removal.lab.evaluation.evaluate import Protocol, by_person, evaluate
from hmd_removal.lab.evaluation.other_day import pairs_of


@pytest.fixture
def data(tmp_path: Path, talking_head: np.ndarray) -> Path:
    """Anna on two days, twice on the first one; Ben on one; a photo of nobody known."""
    rows = ["path\tkind\tperson\tsession\tsplit"]
    for name, person, session, frame in (
        ("a1", "anna", "monday", 0),
        ("a2", "anna", "monday", 4),
        ("a3", "anna", "friday", 40),
        ("b1", "ben", "monday", 10),
        ("n1", "", "monday", 20),
    ):
        large = cv2.resize(talking_head[frame], None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(tmp_path / f"{name}.png"), large[..., ::-1])
        rows.append(f"{name}.png\timage\t{person}\t{session}\tval")
    (tmp_path / "INDEX.tsv").write_text("\n".join(rows))
    return tmp_path


def test_only_photographs_of_one_person_from_unlike_sessions_are_paired(data: Path) -> None:
    names = [(pair.shown.stem, pair.reference.stem) for pair in pairs_of(data, "val", most=9)]
    assert sorted(names) == [("a1", "a3"), ("a2", "a3"), ("a3", "a1"), ("a3", "a2")]
    assert len(pairs_of(data, "val", most=2)) == 2


def test_without_any_it_says_so(data: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(InputError, match="No person of the split 'train'"):
        pairs_of(data, "train")
    with pytest.raises(InputError, match="INDEX.tsv"):
        pairs_of(tmp_path_factory.mktemp("empty"), "val")


def test_pairs_are_scored_on_the_photograph_alone(data: Path) -> None:
    protocol = Protocol(methods=("static", "warp"), landmarks=("visible",), size=192, networks=False)
    evaluation = evaluate(pairs_of(data, "val", most=1), protocol)
    (clip,) = evaluation.clips
    assert clip["person"] == "anna" and clip["clip"] != clip["reference"]
    static, warp = evaluation.mean
    assert static["frames"] == warp["frames"] == 1 and all(10 < row["hole_psnr"] < 35 for row in (static, warp))


def test_nobody_counts_for_having_more_photographs() -> None:
    assert by_person([1.0, 3.0, np.nan, 10.0], ["a", "a", "a", "b"]).tolist() == [2.0, 10.0]


def test_clips_or_pairs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", "evaluate"]) == 1
    assert "one of the two" in capsys.readouterr().err
