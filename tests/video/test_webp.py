"""Animated WebP is a video like others."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from clips import write_clip
from PIL import Image

from hmd_removal.errors import InputError
from hmd_removal.tracking.enrol import load_reference
from hmd_removal.video import VideoReader, VideoWriter

DURATIONS = [40, 40, 100, 40, 40, 40]  # milliseconds


@pytest.fixture
def animation(tmp_path: Path, talking_head: np.ndarray) -> Path:
    pictures = [Image.fromarray(frame) for frame in talking_head[: len(DURATIONS)]]
    path = tmp_path / "me.webp"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=DURATIONS, lossless=True)
    return path


@pytest.mark.parametrize("in_memory", [False, True])
def test_every_picture_is_read_as_it_is_and_at_its_time(
    animation: Path, talking_head: np.ndarray, in_memory: bool
) -> None:
    with VideoReader(BytesIO(animation.read_bytes()) if in_memory else animation) as reader:
        frames = list(reader)
        assert reader.info.frame_count == len(frames) == len(DURATIONS) and reader.info.variable_frame_rate
        assert np.diff([float(frame.time) for frame in frames]).tolist() == pytest.approx(
            [d / 1000 for d in DURATIONS[:-1]]
        )
        assert all((frame.pixels == talking_head[t]).all() for t, frame in enumerate(frames))


def test_transparency_is_kept(tmp_path: Path) -> None:
    pictures = [Image.new("RGBA", (64, 64), (200, 10, 10, alpha)) for alpha in (0, 255)]
    pictures[0].save(tmp_path / "a.webp", save_all=True, append_images=pictures[1:], duration=40, lossless=True)
    with VideoReader(tmp_path / "a.webp") as reader:
        assert [int(frame.pixels[5, 5, 3]) for frame in reader.frames(channels="rgba")] == [0, 255]


def test_it_has_no_sound_to_carry_over(animation: Path, tmp_path: Path) -> None:
    with (
        VideoReader(animation) as reader,
        VideoWriter(
            tmp_path / "out.mp4",
            width=176,
            height=144,
            fps=reader.info.fps,
            time_base=reader.time_base,
            audio_from=animation,
        ) as writer,
    ):
        for frame in reader:
            writer.write(frame.pixels, frame.pts)
    with VideoReader(tmp_path / "out.mp4") as result:
        assert result.info.frame_count == len(DURATIONS) and not result.info.has_audio


def test_as_a_reference_it_is_a_clip(animation: Path, talking_head: np.ndarray) -> None:
    image = load_reference(animation).images[0]
    assert any((image == frame).all() for frame in talking_head[: len(DURATIONS)])


def test_a_damaged_one_is_refused_in_one_sentence(animation: Path) -> None:
    animation.write_bytes(animation.read_bytes()[:200])
    with pytest.raises(InputError, match=r"animated WebP 'me\.webp' cannot be read .*: convert it to MP4\.$"):
        VideoReader(animation)


def test_other_files_are_left_as_they_are(tmp_path: Path, talking_head: np.ndarray) -> None:
    clip = write_clip(tmp_path / "clip.mp4", talking_head[:3])
    assert VideoReader(clip).info.codec == "h264"
