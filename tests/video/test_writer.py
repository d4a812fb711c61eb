"""VideoWriter: what comes back from the file it makes, and what is left behind when it fails."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
from clips import CLIPS, moving_frames, order, tone, write_clip

from hmd_removal.errors import InputError
from hmd_removal.video import VideoReader, VideoWriter, probe, read_audio


def rewrite(source: Path | BytesIO, target: Path, **options: object) -> Path:
    """Read every frame and write it again, as the engine does, without changing one."""
    with VideoReader(source) as reader:
        info = reader.info
        with VideoWriter(
            target,
            width=info.width,
            height=info.height,
            fps=info.fps,
            time_base=reader.time_base,
            audio_from=source,
            sample_aspect_ratio=info.sample_aspect_ratio,
            **options,
        ) as writer:
            for frame in reader:
                writer.write(frame.pixels, frame.pts)
    return target


def write_frames(path: Path, frames: np.ndarray, **options: object) -> Path:
    height, width = frames.shape[1:3]
    with VideoWriter(path, width=width, height=height, fps=Fraction(25), **options) as writer:
        for number, pixels in enumerate(frames):
            writer.write(pixels, number)
    return path


def sound_packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def only(path: Path) -> bool:
    """No other file lies beside it, hidden or not."""
    return list(path.parent.iterdir()) == [path]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A file to make, in an empty folder."""
    (tmp_path / "made").mkdir()
    return tmp_path / "made" / "result.mp4"


class TestRoundTrip:
    @pytest.mark.parametrize("name", CLIPS)
    def test_frames_timestamps_rate_and_sound_are_unchanged(self, tmp_path: Path, target: Path, name: str) -> None:
        source = CLIPS[name](tmp_path / name)
        rewrite(source, target)
        with VideoReader(source) as before, VideoReader(target) as after:
            assert after.info.frame_count == before.info.frame_count
            assert after.info.fps == before.info.fps
            assert after.info.duration == before.info.duration
            assert after.info.variable_frame_rate == before.info.variable_frame_rate
            assert (after.info.width, after.info.height) == (before.info.width, before.info.height)
            assert after.info.rotation == 0 and after.info.has_audio == before.info.has_audio
            old_frames, new_frames = list(before), list(after)
            times = [frame.pts * before.time_base for frame in old_frames]
            assert [frame.pts * after.time_base for frame in new_frames] == times
            old_pixels, new_pixels = (np.stack([f.pixels for f in frames]) for frames in (old_frames, new_frames))
            assert order(new_pixels, old_pixels) == list(range(len(old_frames)))
            assert np.abs(new_pixels.astype(int) - old_pixels).mean() < 1.5
        if not after.info.has_audio:
            return
        old, new = read_audio(source), read_audio(target)
        assert new.sample_rate == old.sample_rate
        count = old.waveform.shape[2]
        assert np.array_equal(new.waveform[..., :count], old.waveform)
        # WebM can cut the codec's padding off the last packet, MP4 cannot.
        assert new.waveform.shape[2] == count or (name == "vp9_opus_webm" and new.waveform.shape[2] < count + 960)
        assert only(target)

    def test_carphone(self, carphone: Path, target: Path) -> None:
        rewrite(carphone, target)
        assert probe(target).frame_count == probe(carphone).frame_count
        assert probe(target).fps == probe(carphone).fps and not probe(target).has_audio
        with VideoReader(carphone) as before, VideoReader(target) as after:
            for old, new in zip(before, after, strict=True):
                assert new.time == old.time
                mse = np.square(new.pixels.astype(float) - old.pixels).mean()
                assert 10 * np.log10(255**2 / mse) > 34  # small pictures suffer most from H.264's halved chroma

    def test_from_memory(self, tmp_path: Path, target: Path) -> None:
        source = CLIPS["h264_aac_mp4"](tmp_path / "source")
        rewrite(BytesIO(source.read_bytes()), target)
        assert sound_packets(target) == sound_packets(source)

    def test_only_a_part_keeps_its_place_in_time(self, tmp_path: Path, target: Path) -> None:
        source = CLIPS["h264_b_frames_mp4"](tmp_path / "source")
        with VideoReader(source) as reader:
            frames = list(reader.frames(5, 6, 2))
            with VideoWriter(target, width=96, height=64, fps=Fraction(25, 2), time_base=reader.time_base) as writer:
                for frame in frames:
                    writer.write(frame.pixels, frame.pts)
            with VideoReader(target) as after:
                expected = [frame.pts * reader.time_base for frame in frames]
                assert [frame.pts * after.time_base for frame in after] == expected
                assert after.info.fps == Fraction(25, 2)

    def test_pixel_aspect(self, tmp_path: Path, target: Path) -> None:
        source = write_clip(tmp_path / "s.mp4", moving_frames(2), tags={"sample_aspect_ratio": Fraction(4, 3)})
        assert probe(rewrite(source, target)).sample_aspect_ratio == Fraction(4, 3)


class TestPicture:
    def test_colours_do_not_drift_over_generations(self, tmp_path: Path) -> None:
        frames = moving_frames(3, 320, 240)
        path = write_frames(tmp_path / "0.mp4", frames)
        for generation in range(1, 5):
            path = rewrite(path, tmp_path / f"{generation}.mp4")
        with VideoReader(path) as reader:
            difference = np.stack([frame.pixels for frame in reader]).astype(float) - frames
        assert np.abs(difference).mean() < 1.0
        assert np.abs(difference.mean(axis=(0, 1, 2))).max() < 0.5

    def test_tagged_so_that_plain_pyav_shows_the_same_colours(self, target: Path) -> None:
        frames = moving_frames(3)
        write_frames(target, frames)
        with av.open(str(target)) as container:
            context = container.streams.video[0].codec_context
            assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (
                1,
                1,
                1,
                1,
            )
            # BT.709 is named because PyAV before 17 does not look at the tag itself.
            decoded = [
                frame.to_ndarray(format="rgb24", src_colorspace=1, dst_colorspace=0)
                for frame in container.decode(video=0)
            ]
        assert np.abs(np.stack(decoded).astype(int) - frames).mean() < 1.5

    @pytest.mark.parametrize(("size", "pix_fmt"), [((96, 64), "yuv420p"), ((97, 65), "yuv444p"), ((96, 65), "yuv444p")])
    def test_size_is_exact(self, target: Path, size: tuple[int, int], pix_fmt: str) -> None:
        info = probe(write_frames(target, moving_frames(2, *size)))
        assert (info.width, info.height) == size and info.pix_fmt == pix_fmt and info.codec == "h264"

    def test_non_contiguous_frames(self, target: Path) -> None:
        frames = moving_frames(2)[:, ::-1, ::-1]
        write_frames(target, frames)
        with VideoReader(target) as reader:
            assert np.abs(np.stack([frame.pixels for frame in reader]).astype(int) - frames).mean() < 1.5


class TestFile:
    def test_index_lies_in_front(self, target: Path) -> None:
        data = write_frames(target, moving_frames(3)).read_bytes()
        assert data.index(b"moov") < data.index(b"mdat")

    def test_sound_and_pictures_are_interleaved(self, tmp_path: Path, target: Path) -> None:
        source = write_clip(tmp_path / "s.mp4", moving_frames(75), sound=tone(3.0))
        with av.open(str(rewrite(source, target))) as container:
            times = [(p.pos, p.stream.type, p.pts * p.time_base) for p in container.demux() if p.size]
        latest = {"audio": Fraction(0), "video": Fraction(0)}
        for _, kind, time in sorted(times):
            latest[kind] = time
            assert abs(latest["audio"] - latest["video"]) < Fraction(1, 2)

    def test_metadata(self, target: Path) -> None:
        metadata = {"comment": "face region synthesised", "hmd_removal": {"method": "warp", "seed": 0}}
        write_frames(target, moving_frames(1), metadata=metadata)
        with av.open(str(target)) as container:
            assert container.metadata["comment"] == "face region synthesised"
            assert json.loads(container.metadata["hmd_removal"]) == {"method": "warp", "seed": 0}

    def test_a_missing_folder_is_made(self, tmp_path: Path) -> None:
        assert write_frames(tmp_path / "a" / "b" / "c.mp4", moving_frames(1)).is_file()

    def test_an_older_file_is_replaced_only_at_the_end(self, target: Path) -> None:
        target.write_text("older")
        with VideoWriter(target, width=96, height=64, fps=Fraction(25)) as writer:
            writer.write(moving_frames(1)[0], 0)
            assert target.read_text() == "older"
        assert probe(target).frame_count == 1 and only(target)


class TestSound:
    @pytest.mark.parametrize(
        ("codec", "rate", "suffix"),
        [("aac", 44100, ".mp4"), ("aac", 48000, ".mkv"), ("libmp3lame", 44100, ".mkv"), ("ac3", 48000,
        ".mkv"),
         ("libopus", 48000, ".mp4"), ("alac", 44100, ".mov"), ("flac", 44100, ".mkv")],
    )  # fmt: skip
    def test_packets_are_copied_bit_for_bit(
        self, tmp_path: Path, target: Path, codec: str, rate: int, suffix: str
    ) -> None:
        source = write_clip(
            tmp_path / f"s{suffix}",
            moving_frames(10),
            sound=tone(0.6, rate),
            sound_codec=codec,
            sound_rate=rate,
        )
        assert sound_packets(rewrite(source, target)) == sound_packets(source)

    @pytest.mark.parametrize("codec", ["pcm_u8", "pcm_s16be", "pcm_s24le"])
    def test_what_browsers_do_not_play_becomes_flac(self, tmp_path: Path, target: Path, codec: str) -> None:
        source = write_clip(tmp_path / "s.mov", moving_frames(5), sound=tone(0.3), sound_codec=codec)
        with av.open(str(rewrite(source, target))) as container:
            assert container.streams.audio[0].codec_context.name == "flac"
        assert np.array_equal(read_audio(target).waveform, read_audio(source).waveform)

    def test_vorbis_loses_less_than_24_bits_can_hold(self, tmp_path: Path, target: Path) -> None:
        source = write_clip(tmp_path / "s.mkv", moving_frames(5), sound=tone(0.3), sound_codec="vorbis")
        old, new = read_audio(source).waveform, read_audio(rewrite(source, target)).waveform
        assert new.shape == old.shape and float((new - old).abs().max()) <= 2**-23

    def test_sound_longer_than_the_pictures_is_kept_whole(self, tmp_path: Path, target: Path) -> None:
        source = write_clip(tmp_path / "s.mp4", moving_frames(3), sound=tone(2.0))
        rewrite(source, target)
        assert np.array_equal(read_audio(target).waveform, read_audio(source).waveform)

    def test_sound_that_starts_late_stays_late(self, tmp_path: Path, target: Path) -> None:
        source = write_clip(
            tmp_path / "s.mp4", moving_frames(15), sound=tone(0.4, 44100), sound_rate=44100, sound_delay=0.137
        )
        old, new = read_audio(source).waveform, read_audio(rewrite(source, target)).waveform
        assert not old[..., :4900].any() and np.array_equal(new, old)

    def test_two_tracks(self, tmp_path: Path, target: Path) -> None:
        one = write_clip(tmp_path / "1.mp4", moving_frames(5), sound=tone(0.3))
        two = write_clip(tmp_path / "2.mkv", moving_frames(5), sound=tone(0.3, channels=1), sound_codec="pcm_s16le")
        both = tmp_path / "both.mkv"
        with av.open(str(both), "w") as output, av.open(str(one)) as first, av.open(str(two)) as second:
            copies = {
                s: output.add_stream_from_template(s, opaque=True) for s in (*first.streams, *second.streams.audio)
            }
            for container, streams in ((first, first.streams), (second, second.streams.audio)):
                for packet in container.demux(*streams):
                    if packet.size:
                        packet.stream = copies[packet.stream]
                        output.mux(packet)
        with av.open(str(rewrite(both, target))) as container:
            assert [s.codec_context.name for s in container.streams.audio] == ["aac", "flac"]
            assert [s.codec_context.layout.nb_channels for s in container.streams.audio] == [2, 1]

    def test_undecodable_sound_does_not_cost_the_pictures(self, tmp_path: Path, target: Path, caplog) -> None:
        source = CLIPS["h264_aac_mp4"](tmp_path / "s")
        source.write_bytes(source.read_bytes().replace(b"mp4a", b"xxxx").replace(b"esds", b"free"))
        with caplog.at_level(logging.WARNING):
            rewrite(source, target)
        assert "left out" in caplog.text
        assert probe(target).frame_count == 15 and not probe(target).has_audio

    def test_sound_that_nothing_can_hold_does_not_cost_the_pictures(self, tmp_path: Path, target: Path, caplog) -> None:
        sound = tone(0.2, channels=16)
        source = write_clip(tmp_path / "s.mov", moving_frames(5), sound=sound, sound_codec="pcm_s16le")
        rewrite(source, target)
        assert "left out" in caplog.text
        assert probe(target).frame_count == 5 and not probe(target).has_audio

    @pytest.mark.parametrize("codec", ["aac", "pcm_s16le", "flac"])
    def test_damaged_sound_does_not_cost_the_pictures(self, tmp_path: Path, target: Path, codec: str) -> None:
        source = write_clip(tmp_path / "s.mkv", moving_frames(15), sound=tone(0.6), sound_codec=codec)
        with av.open(str(source)) as container:
            spans = [(p.pos, p.size) for p in container.demux(audio=0) if p.size][5:9]
        data = bytearray(source.read_bytes())
        for position, size in spans:
            # The first bytes belong to Matroska's block header, whose loss would cost pictures as well.
            data[position + 16 : position + size] = b"\xff" * (size - 16)
        source.write_bytes(bytes(data))
        rewrite(source, target)
        assert probe(target).frame_count == 15 and probe(target).has_audio
        assert read_audio(target).waveform.shape[2] > 0.4 * 48000


class TestFailure:
    def writer(self, path: Path, **options: object) -> VideoWriter:
        return VideoWriter(path, width=96, height=64, fps=Fraction(25), **options)

    @pytest.mark.parametrize("exception", [RuntimeError, KeyboardInterrupt, MemoryError, GeneratorExit])
    @pytest.mark.parametrize("written", [0, 3, 60])
    def test_any_exception_leaves_nothing_behind(
        self, tmp_path: Path, target: Path, exception: type[BaseException], written: int
    ) -> None:
        source = CLIPS["h264_aac_mp4"](tmp_path / "s")
        with pytest.raises(exception), self.writer(target, audio_from=source) as writer:
            for number, pixels in enumerate(moving_frames(written)):
                writer.write(pixels, number)
            raise exception
        assert not list(target.parent.iterdir())

    def test_a_failure_keeps_the_older_file(self, target: Path) -> None:
        target.write_text("older")
        with pytest.raises(RuntimeError), self.writer(target) as writer:
            writer.write(moving_frames(1)[0], 0)
            raise RuntimeError
        assert target.read_text() == "older" and only(target)

    def test_no_frame(self, target: Path) -> None:
        with pytest.raises(InputError, match="No frame"), self.writer(target):
            pass
        assert not list(target.parent.iterdir())

    def test_unreadable_sound_source(self, tmp_path: Path, target: Path) -> None:
        with (
            pytest.raises(InputError, match="no video file"),
            self.writer(target, audio_from=tmp_path / "none.mp4"),
        ):
            pass
        assert not list(target.parent.iterdir())

    @pytest.mark.parametrize("frame", [np.zeros((64, 95, 3), np.uint8), np.zeros((64, 96, 3), np.float32)])
    def test_a_frame_of_another_kind(self, target: Path, frame: np.ndarray) -> None:
        with pytest.raises(InputError, match="A frame should be"), self.writer(target) as writer:
            writer.write(frame, 0)

    @pytest.mark.parametrize("pts", [(0, 0), (5, 4), (-1,)])
    def test_timestamps_that_do_not_increase(self, target: Path, pts: tuple[int, ...]) -> None:
        with pytest.raises(InputError, match="increase"), self.writer(target) as writer:
            for stamp in pts:
                writer.write(moving_frames(1)[0], stamp)

    def test_impossible_sizes_and_places(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="above 0"):
            VideoWriter(tmp_path / "x.mp4", width=0, height=64, fps=Fraction(25))
        with pytest.raises(InputError, match="cannot be written"):
            self.writer(tmp_path)
        (tmp_path / "file").touch()
        with pytest.raises(InputError, match="cannot be made"):
            self.writer(tmp_path / "file" / "x.mp4")

    @pytest.mark.skipif(sys.platform == "win32", reason="file size limits are a POSIX thing")
    @pytest.mark.parametrize("limit", [1_000, 100_000])
    def test_a_full_disk_is_one_sentence_and_leaves_nothing(self, target: Path, limit: int) -> None:
        # A limit on the size of files stops writing where a full disk would; it is for the whole process.
        script = f"""
import resource, sys
from fractions import Fraction
import numpy as np
from hmd_removal.errors import InputError
from hmd_removal.video import VideoWriter
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
noise = np.random.default_rng(0)
try:
    with VideoWriter({str(target)!r}, width=320, height=240, fps=Fraction(25)) as writer:
        for number in range({2 if limit < 10_000 else 60}):
            writer.write(noise.integers(0, 255, (240, 320, 3), np.uint8), number)
except InputError as error:
    print(error)
"""
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        assert "There is no room to write 'result.mp4'" in done.stdout and done.stdout.count("\n") == 1
        assert not list(target.parent.iterdir())


class TestWhatBelongsToTheFootage:
    def test_tags_of_when_and_where_it_was_filmed_go_along(self, tmp_path: Path) -> None:
        tags = {
            "creation_time": "2026-05-04T10:20:30.000000Z",
            "timecode": "01:02:03:04",
            "location": "+51.5000-000.1000/",
            "encoder": "phone",
        }
        with VideoWriter(tmp_path / "a.mp4", width=64, height=48, fps=Fraction(25), metadata=tags) as writer:
            writer.write(moving_frames(1, 64, 48)[0], 0)
        with VideoReader(tmp_path / "a.mp4") as reader:
            assert reader.tags == {k: v for k, v in tags.items() if k != "encoder"}
            with VideoWriter(tmp_path / "b.mp4", width=64, height=48, fps=Fraction(25), metadata=reader.tags) as writer:
                writer.write(moving_frames(1, 64, 48)[0], 0)
        with VideoReader(tmp_path / "b.mp4") as reader:
            assert reader.tags["creation_time"] == tags["creation_time"]

    def test_a_result_that_a_player_has_open_is_kept_under_another_name(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """As on Windows, where an open file cannot be replaced."""
        open_file, replace = tmp_path / "out.mp4", os.replace
        open_file.write_bytes(b"what is playing")
        (tmp_path / "out (2).mp4").touch()

        def of_windows(source: Path, target: Path) -> None:
            if Path(target) == open_file:
                raise PermissionError(13, "The process cannot access the file")
            replace(source, target)

        monkeypatch.setattr(os, "replace", of_windows)
        with caplog.at_level(logging.WARNING), VideoWriter(open_file, width=64, height=48, fps=Fraction(25)) as writer:
            writer.write(moving_frames(1, 64, 48)[0], 0)
        assert writer.path == tmp_path / "out (3).mp4" and probe(writer.path).frame_count == 1
        assert open_file.read_bytes() == b"what is playing" and "cannot be replaced" in caplog.text
        assert len(list(tmp_path.iterdir())) == 3
