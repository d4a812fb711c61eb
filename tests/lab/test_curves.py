"""The curves of a training run."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest

from hmd_removal.cli import main

LOG = """step,seconds,reconstruction,network_film_visible,warp_film_visible
10,1,0.5,25,27
20,2,0.3,28,27
"""


def test_a_log_becomes_a_picture_with_the_warp_beside_the_network(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(LOG)
    assert main(["lab", "curves", str(tmp_path / "log.csv"), "--out", str(tmp_path / "curves.png")]) == 0
    picture = cv2.imread(str(tmp_path / "curves.png"))
    red, blue = ((abs(picture.astype(int) - colour).max(2) < 30).sum() for colour in ((91, 73, 209), (150, 130, 108)))
    assert red > 100 and blue > 30 and picture.shape[1] == 640  # two panels


def test_runs_are_compared_over_the_minutes_they_took(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    logs = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "log.csv").write_text(LOG)
        logs.append(str(tmp_path / name / "log.csv"))
    out = ["--out", str(tmp_path / "curves.png")]
    assert main(["lab", "curves", *logs, *out, "--over", "minutes", "--only", "reconstruction"]) == 0
    assert 300 < cv2.imread(str(tmp_path / "curves.png")).shape[1] < 400  # one panel
    assert main(["lab", "curves", *logs, *out, "--only", "sharpness"]) == 1
    assert "Expected columns out of reconstruction, network_film_visible, got sharpness." in capsys.readouterr().err
    assert main(["lab", "curves", *logs, *out, "--name", "both"]) == 1


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "step\nx\n"])
def test_other_files_are_refused(text: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "log.csv").write_text(text)
    assert main(["lab", "curves", str(tmp_path / "log.csv"), "--out", str(tmp_path / "curves.png")]) == 1
    assert "Expected the log.csv of a training run" in capsys.readouterr().err
