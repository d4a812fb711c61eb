"""Apple's spatial video is told from other HEVC."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from clips import write_clip

from hmd_removal.restore.video import source_remarks
from hmd_removal.video import probe
from hmd_removal.video.spatial import LAYERS, PATH, is_spatial

X265 = {"codec": "libx265", "options": {"x265-params": "log-level=none"}, "tags": {"codec_tag": "hvc1"}}


@pytest.fixture
def hevc(tmp_path: Path, talking_head: np.ndarray) -> Path:
    return write_clip(tmp_path / "plain.mp4", talking_head[:4], **X265)


def with_layers(clip: Path) -> Path:
    """The same file with a configuration of further views in its index, as MV-HEVC has one. That it holds nothing, a
    decoder would not accept."""
    content = bytearray(clip.read_bytes())
    start = 0
    boxes = []
    for kind, skipped in PATH:
        boxes.append(content.index(kind, start) - 4)
        start = boxes[-1] + 8 + skipped
    last = boxes[-1]
    end = last + int.from_bytes(content[last : last + 4], "big")
    content[end:end] = (8).to_bytes(4, "big") + LAYERS
    for box in boxes:
        size = int.from_bytes(content[box : box + 4], "big")
        content[box : box + 4] = (size + 8).to_bytes(4, "big")
    spatial = clip.with_name("spatial.mp4")
    spatial.write_bytes(content)
    return spatial


def test_further_views_are_seen_in_the_index(hevc: Path) -> None:
    spatial = with_layers(hevc)
    assert is_spatial(spatial) and is_spatial(BytesIO(spatial.read_bytes()))


def test_the_report_says_that_one_view_was_read(hevc: Path) -> None:
    remarks = source_remarks(replace(probe(hevc), spatial=True))
    assert remarks == ["The video is spatial (MV-HEVC), of which one view was read; the result is flat."]


def test_other_files_have_none(hevc: Path, tmp_path: Path, talking_head: np.ndarray) -> None:
    assert not is_spatial(hevc) and not probe(hevc).spatial
    assert not is_spatial(write_clip(tmp_path / "a.mkv", talking_head[:3]))
    (tmp_path / "cut.mp4").write_bytes(hevc.read_bytes()[:40])
    assert not is_spatial(tmp_path / "cut.mp4")
