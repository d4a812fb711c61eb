"""VideoReader, probe and read_audio on real, differently encoded files."""

from __future__ import annotations

import logging
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pytest
from clips import CLIPS, damage, moving_frames, order, rotate, tone, write_clip

from hmd_removal.errors import InputError
from hmd_removal.video import VideoReader, probe, read_audio

COLOURS = np.array(
    [
        [255, 0, 0],
        [0, 255, 0],
        [0, 0, 255],
        [255, 255, 255],
        [0, 0, 0],
        [128, 128, 128],
        [200, 150, 120],
        [30, 60, 90],
    ]
)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("clips")
    return {name: make(folder / name) for name, make in CLIPS.items()}


def decode_all(path: Path) -> list[av.VideoFrame]:
    """A second implementation of reading: PyAV's plainest loop, single-threaded."""
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "NONE"
        return list(container.decode(video=0))


class TestFrames:
    @pytest.mark.parametrize("name", CLIPS)
    def test_count_and_timestamps_are_those_of_plain_decoding(self, clips: dict[str, Path], name: str) -> None:
        expected = decode_all(clips[name])
        with VideoReader(clips[name]) as reader:
            frames = list(reader)
            assert reader.info.frame_count == len(frames) == len(expected)
            start = expected[0].pts * expected[0].time_base
            assert [frame.time for frame in frames] == [frame.pts * frame.time_base - start for frame in expected]
            assert [(frame.pts - frames[0].pts) * reader.time_base for frame in frames] == [f.time for f in frames]

    @pytest.mark.parametrize("name", CLIPS)
    def test_every_start_gives_the_frame_that_reading_through_gives(self, clips: dict[str, Path], name: str) -> None:
        with VideoReader(clips[name]) as reader:
            for number, frame in enumerate(reader):
                again = next(reader.frames(number))
                assert again.pts == frame.pts and again.time == frame.time
                assert np.array_equal(again.pixels, frame.pixels)

    @pytest.mark.parametrize("name", CLIPS)
    def test_pixels_are_those_that_were_encoded(self, clips: dict[str, Path], name: str) -> None:
        with VideoReader(clips[name]) as reader:
            frames = np.stack([frame.pixels for frame in reader])
        width, height = (97, 65) if name == "odd_size_mp4" else (96, 64)
        expected = moving_frames(len(frames), width, height)
        if name == "rotated_mp4":
            expected = np.rot90(expected, k=-1, axes=(1, 2))
        assert frames.shape == expected.shape and frames.dtype == np.uint8
        assert order(frames, expected) == list(range(len(frames)))
        assert np.abs(frames.astype(int) - expected).mean() < 2.5

    def test_lossless_video_with_alpha_keeps_its_straight_colours(self, tmp_path: Path) -> None:
        colours = moving_frames(2)
        alpha = np.full((*colours.shape[:3], 1), 40, np.uint8)
        frames = [
            av.VideoFrame.from_ndarray(np.ascontiguousarray(rgba), format="rgba").reformat(format="argb")
            for rgba in np.concatenate([colours, alpha], axis=-1)
        ]
        path = write_clip(tmp_path / "alpha.mov", frames, codec="qtrle", pix_fmt="argb")
        with VideoReader(path) as reader:
            assert reader.info.pix_fmt == "argb"
            assert np.array_equal(np.stack([frame.pixels for frame in reader]), colours)

    def test_tags_that_are_not_utf_8_do_not_matter(self, tmp_path: Path) -> None:
        path = write_clip(tmp_path / "old.avi", moving_frames(2), codec="mpeg4")
        written = path.read_bytes()
        assert b"ISFT" in written and b"Lavf" in written  # the tag that names the software
        path.write_bytes(written.replace(b"Lavf", b"\xe9\xe8\xff\xfe"))
        assert len(list(VideoReader(path))) == 2

    def test_frames_belong_to_the_caller(self, tmp_path: Path) -> None:
        # This codec stores what changed since the last frame, which it would take from the frame handed out.
        frames = moving_frames(3, 128, 64)
        path = write_clip(tmp_path / "rgb.mov", frames, codec="qtrle", pix_fmt="rgb24")
        with VideoReader(path) as reader:
            for frame, expected in zip(reader, frames, strict=True):
                assert np.array_equal(frame.pixels, expected)
                frame.pixels[:] = 0

    def test_start_length_and_every_nth(self, clips: dict[str, Path]) -> None:
        with VideoReader(clips["h264_b_frames_mp4"]) as reader:
            everything = [frame.pts for frame in reader]
            assert [frame.pts for frame in reader.frames(3, 4)] == everything[3:7]
            assert [frame.pts for frame in reader.frames(1, 3, 5)] == everything[1:16:5]
            assert [frame.pts for frame in reader.frames(2, None, 7)] == everything[2::7]
            assert [frame.pts for frame in reader.frames(18, 50)] == everything[18:]
            assert [frame.pts for frame in reader.frames(0, 0)] == everything

    def test_two_iterations_do_not_disturb_each_other(self, clips: dict[str, Path]) -> None:
        source = BytesIO(clips["h264_aac_mp4"].read_bytes())
        with VideoReader(source) as reader:
            pairs = list(zip(reader, reader.frames(5), strict=False))
            assert [(b.pts - a.pts) * reader.time_base * reader.info.fps for a, b in pairs] == [5] * 10

    @pytest.mark.parametrize(
        ("max_side", "size"), [(48, (48, 32)), (33, (33, 22)), (96, (96, 64)), (500, (96, 64)), (0, (96, 64))]
    )
    def test_size_limit_shrinks_only(self, clips: dict[str, Path], max_side: int, size: tuple[int, int]) -> None:
        with VideoReader(clips["h264_aac_mp4"]) as reader:
            pixels = next(reader.frames(max_side=max_side)).pixels
            assert reader.size(max_side) == size
        assert pixels.shape == (size[1], size[0], 3)
        assert np.abs(pixels.mean((0, 1)) - moving_frames(1)[0].mean((0, 1))).max() < 2

    def test_size_limit_of_a_turned_video(self, clips: dict[str, Path]) -> None:
        with VideoReader(clips["rotated_mp4"]) as reader:
            assert next(reader.frames(max_side=48)).pixels.shape == (48, 32, 3)

    @pytest.mark.parametrize("arguments", [(-1,), (0, -1), (0, 1, 0), (0, 1, 1, -5), (15,)])
    def test_impossible_ranges_are_refused(self, clips: dict[str, Path], arguments: tuple[int, ...]) -> None:
        with VideoReader(clips["h264_aac_mp4"]) as reader, pytest.raises(InputError):
            reader.frames(*arguments)

    def test_closing_ends_a_running_iteration(self, clips: dict[str, Path]) -> None:
        with VideoReader(clips["h264_aac_mp4"]) as reader:
            frames = iter(reader)
            next(frames)
        assert list(frames) == []


class TestInfo:
    def test_of_a_plain_video(self, clips: dict[str, Path]) -> None:
        info = probe(clips["h264_aac_mp4"])
        assert (info.width, info.height, info.codec, info.pix_fmt) == (96, 64, "h264", "yuv420p")
        assert info.fps == Fraction(30000, 1001) and info.frame_count == 15
        assert info.duration == pytest.approx(15 * 1001 / 30000)
        assert info.has_audio and not info.variable_frame_rate and info.rotation == 0

    def test_of_carphone(self, carphone: Path) -> None:
        info = probe(carphone)
        assert (info.width, info.height, info.frame_count) == (176, 144, len(decode_all(carphone)))
        assert not info.has_audio and not info.variable_frame_rate

    def test_variable_frame_rate_is_flagged_with_the_average(self, clips: dict[str, Path]) -> None:
        info = probe(clips["variable_frame_rate_mp4"])
        assert info.variable_frame_rate
        # 12 frames; the last starts at 300/600 s and lasts as long as MP4 says, between one tick and a usual
        # frame
        assert 12 / 0.56 < info.fps < 12 / 0.5

    def test_rounded_milliseconds_are_no_variable_rate(self, tmp_path: Path) -> None:
        rate = Fraction(30000, 1001)
        pts = [round(1000 * number / rate) for number in range(20)]
        path = write_clip(
            tmp_path / "ntsc.mkv",
            moving_frames(20),
            fps=rate,
            pts=pts,
            time_base=Fraction(1, 1000),
            options={"bf": "0"},
        )
        info = probe(path)
        assert info.fps == rate and not info.variable_frame_rate

    def test_transparency_comes_where_it_is_asked_for(self, tmp_path: Path) -> None:
        pixels = np.dstack([moving_frames(1)[0], np.full((64, 96), 255, np.uint8)])
        pixels[10:20, 10:30, 3] = 0
        path = write_clip(
            tmp_path / "cut.png", [av.VideoFrame.from_ndarray(pixels, format="rgba")], codec="png", pix_fmt="rgba"
        )
        with VideoReader(path) as reader:
            (frame,), (plain,) = reader.frames(channels="rgba"), reader
        assert np.array_equal(frame.pixels, pixels) and np.array_equal(plain.pixels, pixels[..., :3])

    @pytest.mark.parametrize("degrees", [90, 180, 270])
    def test_rotation_metadata_makes_pixels_upright(self, tmp_path: Path, degrees: int) -> None:
        path = rotate(write_clip(tmp_path / "turned.mp4", moving_frames(1)), degrees)
        with VideoReader(path) as reader:
            pixels = next(iter(reader)).pixels
            info = reader.info
        upright = np.rot90(moving_frames(1)[0], k=-degrees // 90)
        assert info.rotation == degrees and (info.height, info.width) == upright.shape[:2] == pixels.shape[:2]
        assert np.abs(pixels.astype(int) - upright).mean() < 2.5 and pixels.flags.c_contiguous

    def test_pixel_aspect_is_reported(self, tmp_path: Path) -> None:
        tags = {"sample_aspect_ratio": Fraction(4, 3)}
        assert probe(write_clip(tmp_path / "hdv.mp4", moving_frames(2), tags=tags)).sample_aspect_ratio == Fraction(
            4, 3
        )

    def test_one_frame(self, tmp_path: Path) -> None:
        info = probe(write_clip(tmp_path / "one.mp4", moving_frames(1), fps=Fraction(24)))
        assert (info.frame_count, info.fps) == (1, 24)


def yuv_frame(pix_fmt: str, matrix: tuple[float, float], full_range: bool, size: tuple[int, int]) -> av.VideoFrame:
    """Vertical stripes of COLOURS in Y'CbCr of 8 or 10 bits by the standards' formulas, from (Kr, Kb)."""
    kr, kb = matrix
    bits = 10 if "10" in pix_fmt else 8
    r, g, b = (COLOURS / 255).T
    y = kr * r + (1 - kr - kb) * g + kb * b
    cb, cr = (b - y) / (2 * (1 - kb)), (r - y) / (2 * (1 - kr))
    top, unit = 2**bits - 1, 2 ** (bits - 8)
    if full_range:
        planes = [y * top, 128 * unit + cb * top, 128 * unit + cr * top]
    else:
        planes = [(16 + 219 * y) * unit, (128 + 224 * cb) * unit, (128 + 224 * cr) * unit]
    frame = av.VideoFrame(*size, pix_fmt)
    for plane, values in zip(frame.planes, planes, strict=False):
        samples = np.frombuffer(plane, np.uint16 if bits == 10 else np.uint8).reshape(plane.height, -1)
        samples[:, : plane.width] = np.repeat(np.clip(np.round(values), 0, top), plane.width // len(COLOURS))
    return frame


class TestColours:
    BT601, BT709, BT2020 = (0.299, 0.114), (0.2126, 0.0722), (0.2627, 0.0593)

    def stripes(self, path: Path, frame: av.VideoFrame, pix_fmt: str, tags: dict[str, int]) -> np.ndarray:
        """The colours that reading gives, from the middle of each stripe; the codec is lossless."""
        write_clip(path, [frame], codec="ffv1", pix_fmt=pix_fmt, tags=tags)
        with VideoReader(path) as reader:
            pixels = next(iter(reader)).pixels
        step = frame.width // len(COLOURS)
        return pixels[frame.height // 2, step // 2 :: step]

    @pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le", "yuv420p10le", "yuv444p"])
    @pytest.mark.parametrize(("matrix", "tag"), [(BT601, 6), (BT709, 1), (BT2020, 9)])
    @pytest.mark.parametrize("full_range", [False, True])
    def test_tagged(
        self, tmp_path: Path, pix_fmt: str, matrix: tuple[float, float], tag: int, full_range: bool
    ) -> None:
        frame = yuv_frame(pix_fmt, matrix, full_range, (256, 64))
        tags = {"colorspace": tag, "color_range": 2 if full_range else 1}
        colours = self.stripes(tmp_path / "tagged.mkv", frame, pix_fmt, tags)
        assert np.abs(colours.astype(int) - COLOURS).max() <= 2

    @pytest.mark.parametrize(("matrix", "size"), [(BT601, (720, 576)), (BT709, (1280, 720)), (BT709, (640, 1136))])
    def test_untagged_goes_by_size(self, tmp_path: Path, matrix: tuple[float, float], size: tuple[int, int]) -> None:
        colours = self.stripes(tmp_path / "untagged.mkv", yuv_frame("yuv420p", matrix, False, size), "yuv420p", {})
        assert np.abs(colours.astype(int) - COLOURS).max() <= 2

    def test_grey(self, tmp_path: Path) -> None:
        grey = np.tile(np.arange(256, dtype=np.uint8), (16, 1))
        path = write_clip(
            tmp_path / "grey.mkv",
            [av.VideoFrame.from_ndarray(grey, format="gray")],
            codec="ffv1",
            pix_fmt="gray",
        )
        with VideoReader(path) as reader:
            pixels = next(iter(reader)).pixels
        assert np.abs(pixels.astype(int) - grey[..., None]).max() <= 1


class TestAudio:
    def test_whole_track_is_what_was_recorded(self, clips: dict[str, Path]) -> None:
        audio = read_audio(clips["alpha_mov"])
        assert audio.sample_rate == 48000 and tuple(audio.waveform.shape) == (1, 2, 14400)
        assert str(audio.waveform.dtype) == "torch.float32"
        assert np.abs(audio.waveform[0].numpy() - tone(0.3)).max() < 2**-23

    @pytest.mark.parametrize(
        ("codec", "suffix", "channels", "precision"),
        [
            ("pcm_u8", ".mkv", 1, 2**-7),
            ("pcm_s16le", ".mkv", 2, 2**-15),
            ("pcm_s24le", ".mov", 6, 2**-22),
            ("pcm_s16le", ".mov", 16, 2**-15),
            ("pcm_s32le", ".mkv", 2, 2**-22),
            ("pcm_f32le", ".mkv", 2, 2**-23),
            ("pcm_f64le", ".mkv", 1, 2**-23),
            ("alac", ".mov", 2, 2**-15),
            ("flac", ".mkv", 6, 2**-15),
        ],
    )
    def test_sample_formats_and_layouts(
        self, tmp_path: Path, codec: str, suffix: str, channels: int, precision: float
    ) -> None:
        sound = tone(0.1, channels=channels)
        path = write_clip(tmp_path / f"sound{suffix}", moving_frames(3), sound=sound, sound_codec=codec)
        waveform = read_audio(path).waveform[0].numpy()
        assert waveform.shape == sound.shape and np.abs(waveform - sound).max() <= precision

    @pytest.mark.parametrize("name", ["h264_aac_mp4", "vp9_opus_webm", "mpeg4_mp3_avi", "ffv1_flac_mkv", "h264_aac_ts"])
    def test_a_range_is_cut_to_the_sample(self, clips: dict[str, Path], name: str) -> None:
        whole = read_audio(clips[name])
        rate = whole.sample_rate
        part = read_audio(clips[name], start_time=0.1, duration=0.0625)
        first = round(0.1 * rate)
        assert np.array_equal(part.waveform, whole.waveform[..., first : first + round(0.0625 * rate)])
        rest = read_audio(clips[name], start_time=0.2)
        assert np.array_equal(rest.waveform, whole.waveform[..., round(0.2 * rate) :])

    def test_sound_that_starts_late_is_preceded_by_silence(self, clips: dict[str, Path]) -> None:
        audio = read_audio(clips["h264_pcm_surround_mkv"])
        assert tuple(audio.waveform.shape) == (1, 6, 4800 + 14400)
        assert not audio.waveform[..., :4800].any()
        assert np.abs(audio.waveform[0, :, 4800:].numpy() - tone(0.3, channels=6)).max() < 2**-15
        assert not read_audio(clips["h264_pcm_surround_mkv"], duration=0.05).waveform.any()

    def test_none_without_sound(self, carphone: Path, clips: dict[str, Path]) -> None:
        assert read_audio(carphone) is None
        assert read_audio(clips["h264_aac_mp4"], start_time=60) is None

    def test_undecodable_sound_is_a_warning(self, clips: dict[str, Path], tmp_path: Path, caplog) -> None:
        data = clips["h264_aac_mp4"].read_bytes()
        # Another codec in the sound's sample description: nothing in FFmpeg decodes "xxxx".
        path = tmp_path / "unknown.mp4"
        path.write_bytes(data.replace(b"mp4a", b"xxxx").replace(b"esds", b"free"))
        with caplog.at_level(logging.WARNING):
            assert read_audio(path) is None
        assert len(caplog.records) == 1 and "unknown.mp4" in caplog.text
        assert probe(path).frame_count == 15


class TestBadFiles:
    def check(self, source: Path | BytesIO, *words: str) -> None:
        with pytest.raises(InputError) as error:
            VideoReader(source)
        message = str(error.value)
        assert all(word in message for word in words) and message.endswith(".") and "\n" not in message

    def test_missing(self, tmp_path: Path) -> None:
        self.check(tmp_path / "none.mp4", "none.mp4", "There is no")

    def test_a_folder(self, tmp_path: Path) -> None:
        self.check(tmp_path, "There is no")

    def test_empty(self, tmp_path: Path) -> None:
        (tmp_path / "empty.mp4").touch()
        self.check(tmp_path / "empty.mp4", "0 bytes")
        self.check(BytesIO(), "in memory", "0 bytes")

    def test_no_video_at_all(self, tmp_path: Path) -> None:
        (tmp_path / "text.mp4").write_text("This is no video. " * 100)
        self.check(tmp_path / "text.mp4", "not a video")

    def test_cut_off_mp4(self, clips: dict[str, Path], tmp_path: Path) -> None:
        data = clips["h264_aac_mp4"].read_bytes()
        assert data.index(b"moov") > len(data) // 2  # the index is at the end
        (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])
        self.check(tmp_path / "cut.mp4", "cut off", "moov")

    def test_only_sound(self, tmp_path: Path) -> None:
        with av.open(str(tmp_path / "song.m4a"), "w") as output:
            stream = output.add_stream("aac", rate=48000, layout="stereo")
            frame = av.AudioFrame.from_ndarray(tone(0.1), format="fltp", layout="stereo")
            frame.sample_rate = 48000
            output.mux(stream.encode(frame) + stream.encode(None))
        self.check(tmp_path / "song.m4a", "only sound")

    def test_no_decodable_frame(self, tmp_path: Path) -> None:
        path = damage(write_clip(tmp_path / "broken.mp4", moving_frames(1)), 0)
        self.check(path, "No frame")

    @pytest.mark.parametrize("name", ["h264_aac_mp4", "h264_b_frames_mp4", "hevc_10_bit_mp4"])
    def test_a_damaged_frame_is_left_out_and_counted(self, tmp_path: Path, name: str, caplog) -> None:
        path = damage(CLIPS[name](tmp_path / "damaged"), 5)
        with VideoReader(path) as reader, caplog.at_level(logging.WARNING):
            frames = list(reader)
            assert len(frames) == reader.info.frame_count - 1
            assert reader.damaged == 1
        assert len([record for record in caplog.records if "damaged" in record.message]) == 1

    def test_a_cut_off_matroska_is_read_as_far_as_it_goes(self, clips: dict[str, Path], tmp_path: Path) -> None:
        data = clips["ffv1_flac_mkv"].read_bytes()
        path = tmp_path / "cut.png"
        path.write_bytes(data[: len(data) * 2 // 3])
        with VideoReader(path) as reader:
            frames = list(reader)
            assert 0 < len(frames) < 8 and len(frames) == reader.info.frame_count
