"""`hmd-removal face-mesh`: from a photo or a clip to a GLB file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from clips import damage, write_clip

from hmd_removal.cli import main


@pytest.fixture
def clip(tmp_path: Path, talking_head: np.ndarray) -> Path:
    return write_clip(tmp_path / "clip.mp4", talking_head[:12], options={"crf": "10"})


@pytest.fixture
def photo(tmp_path: Path, talking_head: np.ndarray) -> Path:
    return write_clip(tmp_path / "me.png", talking_head[:1], codec="png", pix_fmt="rgb24")


def test_a_clip_becomes_an_animation(clip: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "made" / "face.glb"
    assert main(["face-mesh", str(clip), "--animated", "--reference", str(photo), "--out", str(out)]) == 0
    assert "A face that moves in 12 of 12 frames" in capsys.readouterr().out
    assert out.read_bytes().startswith(b"glTF") and b'"weights"' in out.read_bytes()


def test_a_photo_becomes_a_still_and_so_does_a_moment(clip: Path, photo: Path, tmp_path: Path):
    first, later, same = (tmp_path / f"{name}.glb" for name in ("first", "later", "same"))
    assert main(["face-mesh", str(photo), "--out", str(first)]) == 0
    assert main(["face-mesh", str(clip), "--at", "0.4", "--out", str(later)]) == 0
    assert main(["face-mesh", str(clip), "--at", "0.43", "--out", str(same)]) == 0  # the frame that is shown then
    assert all(b'"animations"' not in path.read_bytes() for path in (first, later))
    assert later.read_bytes() == same.read_bytes() != first.read_bytes()


@pytest.mark.parametrize(("number", "more"), [(5, ["--animated"]), (11, [])])
def test_damaged_frames_are_left_out(
    number: int, more: list[str], clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "face.glb"
    assert main(["face-mesh", str(damage(clip, number)), *more, "--out", str(out)]) == 0
    assert out.read_bytes().startswith(b"glTF")
    assert not more or "A face that moves in 11 of 11 frames" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--at", "9"], "Expected --at from 0 to 0.44 seconds, the length of the clip, got 9."),
        (["--out", "face.obj"], "Expected a file that ends in .glb as --out, got face.obj."),
    ],
)
def test_mistakes_are_said_in_a_sentence(more: list[str], message: str, clip: Path, tmp_path: Path, capsys):
    assert main(["face-mesh", str(clip), "--out", str(tmp_path / "face.glb"), *more]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "face.glb").exists()


def test_a_photo_does_not_move(photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["face-mesh", str(photo), "--animated", "--out", str(tmp_path / "face.glb")]) == 1
    assert "--at and --animated are for clips" in capsys.readouterr().err


@pytest.mark.slow
def test_a_headset_is_taken_off_first_where_that_is_asked_for(
    wearer: tuple[np.ndarray, np.ndarray], photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    covered = write_clip(tmp_path / "covered.mp4", wearer[0][:12], options={"crf": "10"})
    command = ["face-mesh", str(covered), "--animated", "--reference", str(photo), "--out", str(tmp_path / "face.glb")]
    assert main(command) == 1
    assert "a headset is before it in every frame" in capsys.readouterr().err
    assert main([*command, "--mask", "auto"]) == 0
    assert "A face that moves in" in capsys.readouterr().out
