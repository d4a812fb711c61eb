"""Pictures and sound as they come: a file at its own pace, a stream that goes away, the newest picture first."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import chain, repeat
from pathlib import Path

import av
import numpy as np
import pytest
from clips import moving_frames, order, rotate, tone, write_clip

from hmd_removal.errors import InputError
from hmd_removal.telepresence import live_source
from hmd_removal.telepresence.live_source import IN_WORK, SOUND_RATE, Address, LiveSource, Picture

COUNT = 10


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "clip.mp4", moving_frames(COUNT), sound=tone(0.4))


@pytest.fixture
def port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def all_of(source: LiveSource) -> list[Picture]:
    taken = []
    for picture in source.pictures():
        taken.append(picture)
        source.finished()
    return taken


def test_a_file_is_played_at_its_own_pace_with_its_sound_on_the_same_clock(clip: Path):
    with LiveSource(Address.of(str(clip))) as source:
        assert (source.width, source.height, source.fps, source.has_sound) == (96, 64, 25, True)
        before = time.monotonic()
        taken = all_of(source)
        sounds = source.sounds()
    assert len(taken) + source.dropped == COUNT and source.reconnected == 0
    assert all(picture.arrived >= before + picture.time for picture in taken)
    numbers = order(np.stack([picture.pixels for picture in taken]), moving_frames(COUNT))
    assert numbers == [round(25 * (picture.time - taken[0].time)) + numbers[0] for picture in taken]
    assert sounds[0].time == pytest.approx(taken[0].time - numbers[0] / 25, abs=0.03)
    assert sum(sound.samples.shape[1] for sound in sounds) == pytest.approx(0.4 * SOUND_RATE, abs=2048)


def test_pictures_are_upright_and_of_even_size(tmp_path: Path):
    with LiveSource(Address.of(str(rotate(write_clip(tmp_path / "a.mp4", moving_frames(3)), 90)))) as source:
        assert (source.width, source.height) == (64, 96)
        assert next(source.pictures()).pixels.shape == (96, 64, 3)
    odd = write_clip(tmp_path / "b.mp4", moving_frames(3, 97, 65), pix_fmt="yuv444p")
    with LiveSource(Address.of(str(odd))) as source:
        assert next(source.pictures()).pixels.shape == (64, 96, 3)


def test_who_is_slow_gets_the_newest_picture_and_the_others_are_counted(clip: Path):
    taken = []
    with LiveSource(Address.of(str(clip))) as source:
        for picture in source.pictures():
            taken.append(picture)
            time.sleep(0.15)
            source.finished()
    assert source.dropped >= 4 and len(taken) + source.dropped == COUNT
    assert order(taken[-1].pixels[None], moving_frames(COUNT)) == [COUNT - 1]


def test_no_picture_waits_for_more_than_those_in_work(clip: Path):
    with LiveSource(Address.of(str(clip))) as source:
        pictures = source.pictures()
        for _ in range(IN_WORK):
            next(pictures)
        threading.Timer(0.6, source.finished).start()  # when the file is over
        assert order(next(pictures).pixels[None], moving_frames(COUNT)) == [COUNT - 1]


def test_who_waits_for_a_picture_can_be_stopped(clip: Path):
    with LiveSource(Address.of(str(clip))) as source:
        pictures = source.pictures()
        for _ in range(IN_WORK):
            next(pictures)
        threading.Timer(0.1, source.stop).start()
        assert next(pictures, None) is None


@contextmanager
def sending(url: str, frames: np.ndarray) -> Iterator[None]:
    """The frames over and over as a transport stream, 25 a second, within the block."""
    stop = threading.Event()

    def send() -> None:
        with av.open(url, "w", format="mpegts", container_options={"flush_packets": "1"}) as output:
            options = {"tune": "zerolatency", "g": "5"}
            stream = output.add_stream(
                "libx264", rate=25, width=96, height=64, options=options, time_base=Fraction(1, 25)
            )
            for number in range(10_000):
                if stop.wait(0.04):
                    return
                frame = av.VideoFrame.from_ndarray(frames[number % len(frames)], format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, 25)
                output.mux(stream.encode(frame))

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_stream_that_goes_away_is_reached_again(port: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(live_source, "READ_IN", 0.5)
    url, frames, said = f"udp://127.0.0.1:{port}", moving_frames(20), []
    with sending(url, frames):
        source = LiveSource(Address.of(url), said.append)
        pictures = source.pictures()
        first = next(pictures)
        source.finished()
    with source:
        while not said:  # what had been sent before the end
            time.sleep(0.05)
        with sending(url, frames):
            while not source.reconnected:
                last = next(pictures)
                source.finished()
    assert source.reconnected == 1
    assert said[0] == "The source has gone away (nothing came in time); trying again in 0.5 s."
    assert said[-1] == "The source is back."
    assert last.time > first.time and last.time - first.time == pytest.approx(last.arrived - first.arrived, abs=2)


class Changing(Address):
    """What shows another file each time it is opened."""

    def open(self) -> av.container.InputContainer:
        return av.open(str(next(self.options["files"])))


def test_a_source_that_comes_back_with_its_sound_alone_is_tried_again(clip: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(live_source, "PAUSES", (0.01,))
    sound = clip.with_name("sound.mp4")
    with av.open(str(clip)) as container, av.open(str(sound), "w") as output:
        stream = output.add_stream_from_template(container.streams.audio[0])
        for packet in container.demux(audio=0):
            if packet.dts is not None:
                packet.stream = stream
                output.mux(packet)
    files, said = chain([clip, sound], repeat(clip)), []
    with LiveSource(Changing("changing", options={"files": files}), said.append) as source:
        pictures = source.pictures()
        while not source.reconnected:
            assert next(pictures).pixels.shape == (64, 96, 3)
            source.finished()
    assert said[:3] == [
        "The source has gone away (it ended); trying again in 0.01 s.",
        "The source has gone away (it shows no picture); trying again in 0.01 s.",
        "The source is back.",
    ]


def test_sound_that_cannot_be_decoded_is_none(tmp_path: Path):
    clip = write_clip(tmp_path / "clip.mkv", moving_frames(3), sound=tone(0.1))
    clip.write_bytes(clip.read_bytes().replace(b"A_AAC", b"A_ZZZ"))
    with LiveSource(Address.of(str(clip))) as source:
        assert not source.has_sound


def test_a_source_that_is_refused_is_closed(clip: Path, monkeypatch: pytest.MonkeyPatch):
    opened = av.open(str(clip))
    monkeypatch.setattr(Address, "open", lambda _: opened)
    monkeypatch.setattr(live_source, "video_stream", lambda *_: opened.streams.video[0])
    monkeypatch.setattr(LiveSource, "_frames", lambda _: iter(()))
    with pytest.raises(InputError, match="No picture of .* can be decoded"):
        LiveSource(Address.of(str(clip)))
    with pytest.raises(AssertionError, match="Container is not open"):
        next(opened.demux())


@pytest.mark.parametrize(
    ("text", "size", "message"),
    [
        ("nothing.mp4", None, "Expected camera:0, a URL such as"),
        ("udp://127.0.0.1:1", "640x480", "--size is what a camera is asked for"),
    ],
)
def test_what_is_no_source_is_refused(text, size, message):
    with pytest.raises(InputError, match=message):
        Address.of(text, size)


def test_what_cannot_be_opened_or_shows_nothing_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="does not have the protocol of nosuch://somewhere"):
        LiveSource(Address.of("nosuch://somewhere"))
    with pytest.raises(InputError, match="cannot be opened, or sends nothing"):
        LiveSource(Address("/dev/no-such-camera"))
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    with pytest.raises(InputError, match="cannot be opened, or sends nothing"):
        LiveSource(Address.of(str(text)))


@pytest.mark.parametrize(
    ("platform", "name", "url", "format"),
    [
        ("linux", "0", "/dev/video0", "v4l2"),
        ("linux", "/dev/v4l/by-id/mine", "/dev/v4l/by-id/mine", "v4l2"),
        ("darwin", "1", "1", "avfoundation"),
        ("win32", "HD Webcam", "video=HD Webcam", "dshow"),
    ],
)
def test_a_camera_is_called_what_the_system_calls_it(platform, name, url, format, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.platform", platform)
    address = Address.of(f"camera:{name}", "1280x720")
    assert (address.url, address.format, address.finite) == (url, format, False)
    assert address.options["video_size"] == "1280x720" and "video_size" not in Address.of(f"camera:{name}").options


def test_windows_wants_a_cameras_name(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.platform", "win32")
    with pytest.raises(InputError, match="give camera:NAME"):
        Address.of("camera:0")
