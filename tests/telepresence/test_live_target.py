"""Live pictures written and sent, with their sound."""

from __future__ import annotations

import socket
import sys
import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import moving_frames, order, tone

from hmd_removal.errors import InputError
from hmd_removal.telepresence import live_target
from hmd_removal.telepresence.live_source import SOUND_RATE, Sound
from hmd_removal.telepresence.live_target import open_target
from hmd_removal.video import VideoReader, read_audio

COUNT = 10


def opened(out: object, sound: bool = True):
    return open_target(str(out), size=(96, 64), fps=Fraction(25), sound=sound, metadata={"comment": "made here"})


def sounds(start: float, seconds: float) -> list[Sound]:
    """A tone in parts of 1,000 samples."""
    samples = tone(seconds)
    return [Sound(samples[:, i : i + 1000], start + i / SOUND_RATE) for i in range(0, samples.shape[1], 1000)]


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_a_file_has_the_pictures_at_their_times_and_the_sound_beside_them(tmp_path: Path, suffix: str):
    out, times = tmp_path / f"out.{suffix}", [5 + t / 25 for t in (0, 1, 2, 5, 6, 7, 8, 9, 12, 13)]
    with opened(out) as target:
        for number, (pixels, time) in enumerate(zip(moving_frames(COUNT), times, strict=True)):
            target.show(pixels, time, sounds(4.9, 0.7) if number == 0 else ())
    assert list(tmp_path.iterdir()) == [out]
    with VideoReader(out) as reader:
        assert reader.times == pytest.approx([time - 5 for time in times], abs=0.002)
        assert order(np.stack([frame.pixels for frame in reader]), moving_frames(COUNT)) == list(range(COUNT))
    heard = read_audio(out)
    # What was heard before the first picture is left out.
    assert heard.waveform.shape[2] == pytest.approx(0.6 * SOUND_RATE, abs=2 * 1024)


def test_sound_that_is_missing_is_silence_and_none_comes_twice(tmp_path: Path):
    out = tmp_path / "out.mkv"
    with opened(out) as target:
        target.show(moving_frames(1)[0], 0.0, sounds(0.0, 0.4))
        target.show(moving_frames(2)[1], 1.5, [*sounds(1.0, 0.4), *sounds(1.0, 0.4)])
    waveform = read_audio(out).waveform[0]
    loud = waveform.abs().mean(0).numpy() > 0.05
    assert loud[:19000].mean() > 0.8 and loud[22000:46000].mean() < 0.1 and loud[50000:66000].mean() > 0.8
    assert len(loud) == pytest.approx(1.4 * SOUND_RATE, abs=0.1 * SOUND_RATE)


def test_sound_is_in_its_place_from_the_first_on_though_it_begins_a_little_late(tmp_path: Path):
    out = tmp_path / "out.mkv"
    with opened(out) as target:
        target.show(moving_frames(1)[0], 5.0, sounds(5.08, 0.4))
    loud = read_audio(out).waveform[0].abs().mean(0).numpy() > 0.05
    assert loud.argmax() == pytest.approx(0.08 * SOUND_RATE, abs=500)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
def test_a_source_that_was_away_overnight_costs_no_hours_of_silence(tmp_path: Path, suffix: str):
    out, away = tmp_path / f"out.{suffix}", 10 * 3600.0
    with opened(out) as target:
        target.show(moving_frames(1)[0], 0.0, sounds(0.0, 0.4))
        target.show(moving_frames(2)[1], away, sounds(away, 0.4))
    with VideoReader(out) as reader:
        assert reader.times == pytest.approx([0, away], abs=0.03)
    with av.open(str(out)) as container:
        heard = [(frame.time, np.abs(frame.to_ndarray()).mean()) for frame in container.decode(audio=0)]
    assert len(heard) * 1024 < 3 * SOUND_RATE
    loud = [time for time, level in heard if level > 0.05]
    assert loud[0] < 0.05 and next(time for time in loud if time > 1) == pytest.approx(away, abs=0.05)


def test_a_file_that_is_not_finished_leaves_nothing(tmp_path: Path):
    with pytest.raises(RuntimeError, match="in between"), opened(tmp_path / "out.mp4") as target:
        target.show(moving_frames(1)[0], 0.0, ())
        raise RuntimeError("in between")
    with pytest.raises(InputError, match="No picture came out"), opened(tmp_path / "out.mp4"):
        pass
    assert not list(tmp_path.iterdir())


def test_a_stream_can_be_received_while_it_is_sent():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        url = f"udp://127.0.0.1:{free.getsockname()[1]}"
    seen, heard, enough = [], [], threading.Event()

    def receive() -> None:
        with av.open(url, timeout=20, container_options={"analyzeduration": "500000"}) as container:
            for packet in container.demux(container.streams.video[0], container.streams.audio[0]):
                for frame in packet.decode():
                    (seen if isinstance(frame, av.VideoFrame) else heard).append(frame.time)
                if len(seen) > 5 and len(heard) > 5:
                    enough.set()
                    return

    receiver = threading.Thread(target=receive)
    receiver.start()
    frames = moving_frames(30)
    with opened(url) as target:
        for number in range(2000):
            target.show(frames[number % 30], number / 25, sounds(number / 25, 0.04))
            if enough.wait(0.02):
                break
    receiver.join()
    assert enough.is_set() and abs(seen[-1] - heard[-1]) < 1


def test_sound_that_stops_does_not_stop_the_picture():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as inlet:
        inlet.bind(("127.0.0.1", 0))
        inlet.settimeout(10)
        with opened(f"udp://127.0.0.1:{inlet.getsockname()[1]}") as target:
            for number, pixels in enumerate(moving_frames(25)):  # a second; by itself FFmpeg holds ten of them back
                target.show(pixels, number / 25, ())
            assert inlet.recv(2000)


@pytest.mark.parametrize("scheme", ["tcp", "rtmp"])
def test_who_takes_nothing_of_what_is_sent_does_not_hold_it_up_for_ever(scheme: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(live_target, "SENT_IN", 0.3)
    noise = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"{scheme}://127.0.0.1:{server.getsockname()[1]}/live"
        with pytest.raises(InputError, match=f"cannot be written to {scheme}://.*timed out"), opened(url) as target:
            for number in range(20_000):
                target.show(np.roll(noise, number, 1), number / 25, ())


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("out.avi", "Expected --out window, virtual-camera, a URL of udp"),
        ("gopher://somewhere", "Expected a URL of udp, tcp"),
        ("srt://somewhere:1", "Expected a URL of udp, tcp"),
        ("rtmp://127.0.0.1:1/live", "cannot be written to rtmp://127.0.0.1:1/live"),
    ],
)
def test_what_cannot_be_sent_to_is_refused(out, message):
    with pytest.raises(InputError, match=message), opened(out):
        pass


def test_without_a_screen_there_is_no_window(monkeypatch: pytest.MonkeyPatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    with pytest.raises(InputError, match="no screen|headless"), opened("window"):
        pass


def test_without_pyvirtualcam_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pyvirtualcam", None)
    with pytest.raises(InputError, match=r"pip install 'hmd-removal\[live\]'"), opened("virtual-camera"):
        pass
