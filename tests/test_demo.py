"""The demo's pictures, from two clips that are known exactly."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hmd_removal.demo import SHEET_FRAMES, SHEET_WIDTH, write_contact_sheet, write_side_by_side
from hmd_removal.video import VideoReader, VideoWriter

FRAMES = 16
RATE = Fraction(30000, 1001)


def brightening(path: Path, *, offset: int) -> Path:
    """A grey clip of 64x48 that gets brighter by 10 with each frame."""
    with VideoWriter(path, width=64, height=48, fps=RATE) as writer:
        for number in range(FRAMES):
            writer.write(np.full((48, 64, 3), offset + 10 * number, np.uint8), number)
    return path


@pytest.fixture
def clips(tmp_path: Path) -> tuple[Path, Path]:
    return brightening(tmp_path / "a.mp4", offset=20), brightening(tmp_path / "b.mp4", offset=90)


def test_side_by_side_shows_the_same_moment_of_both(clips: tuple[Path, Path], tmp_path: Path):
    write_side_by_side(*clips, tmp_path / "both.mp4")
    with VideoReader(tmp_path / "both.mp4") as reader:
        frames = [frame.pixels for frame in reader]
        # Enlarged 8 times: 64 pixels are hard to look at.
        assert (reader.info.width, reader.info.height, reader.info.fps) == (1024, 384, RATE)
        assert (reader.info.codec, reader.info.pix_fmt) == ("h264", "yuv420p")
    assert len(frames) == FRAMES
    for number, pixels in enumerate(frames):
        assert pixels[:, :480].mean() == pytest.approx(20 + 10 * number, abs=3)
        assert pixels[:, 544:].mean() == pytest.approx(90 + 10 * number, abs=3)


def test_contact_sheet_goes_from_the_first_frame_to_the_last(clips: tuple[Path, Path], tmp_path: Path):
    write_contact_sheet(*clips, tmp_path / "sheet.png")
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    height = SHEET_WIDTH * 48 // 64
    assert sheet.shape == (2 * height, SHEET_FRAMES * SHEET_WIDTH, 3)
    tiles = sheet.reshape(2, height, SHEET_FRAMES, SHEET_WIDTH, 3).mean((1, 3, 4))
    # 6 frames of 16, evenly: every third one.
    assert tiles[0] == pytest.approx(20 + 30 * np.arange(6), abs=3)
    assert tiles[1] == pytest.approx(90 + 30 * np.arange(6), abs=3)
