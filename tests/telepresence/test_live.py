"""Live from end to end on real faces: the headset gone, the newest picture first, nothing of the future used."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import tone, write_clip
from pythonosc.udp_client import SimpleUDPClient

from hmd_removal.cli import main
from hmd_removal.headset.draw import HeadsetArtist, preset
from hmd_removal.headset.sources import DetectedHeadset, SimulatedHeadset
from hmd_removal.restore.engine import Deoccluder
from hmd_removal.restore.video import fill_covered
from hmd_removal.restore.warp import WarpFiller
from hmd_removal.telepresence import live as live_module
from hmd_removal.telepresence.live import Latencies, LiveReport, _Figures, go_live
from hmd_removal.telepresence.live_eyes import LiveTracking
from hmd_removal.telepresence.live_source import Address, LiveSource, Picture
from hmd_removal.tracking.enrol import reference_from_frames
from hmd_removal.tracking.follow import Wearer
from hmd_removal.tracking.reference import Reference
from hmd_removal.video import VideoReader, read_audio

COUNT = 40
SIMULATED = SimulatedHeadset(HeadsetArtist(preset("quest")))


@pytest.fixture(scope="module")
def reference(talking_head) -> Reference:
    return reference_from_frames(list(talking_head[:12]))[0]


@pytest.fixture(scope="module")
def worn(wearer, tmp_path_factory) -> Path:
    """Somebody with a headset on, with sound."""
    path = tmp_path_factory.mktemp("worn") / "worn.mp4"
    return write_clip(path, wearer[0][:COUNT], options={"crf": "10"}, sound=tone(COUNT / 25))


def live(clip: Path, out: Path, reference: Reference, mask=None, filler=None, **options) -> LiveReport:
    with LiveSource(Address.of(str(clip))) as source:
        mask = mask or DetectedHeadset()
        return go_live(source, str(out), mask=mask, reference=reference, filler=filler or WarpFiller(), **options)


def test_the_headset_is_gone_and_the_sound_is_there(worn, talking_head, wearer, reference, tmp_path):
    report = live(worn, tmp_path / "out.mp4", reference)
    assert report.frames + report.dropped == COUNT and report.reconnected == 0 and report.p95 >= report.median > 0
    assert f"{report.frames} frames" in report.summary
    with VideoReader(tmp_path / "out.mp4") as reader:
        assert reader.info.frame_count == report.frames
        # The last picture is never dropped.
        *_, last = (frame.pixels.astype(int) for frame in reader)
    hole = wearer[1][COUNT - 1] > 0
    truth, covered = (frames[COUNT - 1].astype(int) for frames in (talking_head, wearer[0]))
    assert np.abs(last - truth)[hole].mean() < 25 < np.abs(last - covered)[hole].mean()
    assert read_audio(tmp_path / "out.mp4").waveform.abs().mean() > 0.1


def test_a_headset_may_be_drawn_to_try_it_out(talking_head, reference, tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", talking_head[:8], options={"crf": "10"})
    report = live(clip, tmp_path / "out.mp4", reference, SIMULATED)
    assert report.frames >= 1 and read_audio(tmp_path / "out.mp4") is None


def causal(frames: np.ndarray, reference: Reference) -> Iterator[np.ndarray]:
    """The frames one by one as live ones are restored."""
    engine = Deoccluder(WarpFiller(), reference)
    for cover in DetectedHeadset().cover(iter(frames), Wearer(causal=True, required=False), reference):
        yield fill_covered(engine, [cover.pixels], [cover])[0]


def test_a_frame_does_not_depend_on_later_ones_nor_waits_for_them(wearer, reference):
    frames, taken = wearer[0][:8], []

    def one_by_one() -> Iterator[np.ndarray]:
        for frame in frames:
            taken.append(frame)
            yield frame

    whole = []
    for done, pixels in enumerate(causal(one_by_one(), reference), 1):
        assert len(taken) == done
        whole.append(pixels)
    other_end = np.concatenate([frames[:5], 255 - frames[5:]])
    assert len(whole) == 8 and np.array_equal(list(causal(other_end, reference))[:5], whole[:5])


class SlowFiller(WarpFiller):
    def fill(self, window, state):
        time.sleep(0.3)
        return super().fill(window, state)


def test_a_method_that_cannot_keep_up_drops_frames_and_they_are_counted(worn, reference, tmp_path):
    said = []
    report = live(worn, tmp_path / "out.mp4", reference, filler=SlowFiller(), say=said.append)
    assert report.dropped > COUNT / 2 and report.frames + report.dropped == COUNT
    assert report.median >= 300


class Interrupted(WarpFiller):
    """Whose user presses Ctrl-C at the fourth picture."""

    pictures = 0

    def fill(self, window, state):
        self.pictures += 1
        if self.pictures == 4:
            os.kill(os.getpid(), signal.SIGINT)
        return super().fill(window, state)


@pytest.fixture
def ctrl_c_counts() -> Iterator[None]:
    """Also where the tests run in the background, in which shells ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_ends_it_with_a_whole_file(talking_head, reference, tmp_path, ctrl_c_counts):
    clip = write_clip(tmp_path / "clip.mp4", np.tile(talking_head[:20], (60, 1, 1, 1)))  # 48 seconds
    report = live(clip, tmp_path / "out.mp4", reference, SIMULATED, Interrupted())
    with VideoReader(tmp_path / "out.mp4") as reader:
        assert reader.info.frame_count == report.frames >= 1
    assert report.frames + report.dropped < 60 * 20
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "out.mp4"]


class Shut:
    """A window that its user closes while no picture comes."""

    closed = False

    def show(self, pixels, time, sounds):
        pass

    def idle(self):
        self.closed = True


def test_a_window_can_be_closed_while_no_picture_comes(talking_head, reference, tmp_path, monkeypatch):
    monkeypatch.setattr(live_module, "open_target", lambda *_, **__: nullcontext(Shut()))
    clip = write_clip(tmp_path / "clip.mp4", talking_head[:5], fps=Fraction(1, 20))  # each waits for 20 seconds
    assert live(clip, "window", reference, SIMULATED).frames <= 1


def test_it_can_end_after_some_seconds(talking_head, reference, tmp_path):
    clip = write_clip(tmp_path / "clip.mp4", np.tile(talking_head[:20], (30, 1, 1, 1)))
    report = live(clip, tmp_path / "out.mp4", reference, SIMULATED, seconds=0.5)
    assert report.frames >= 1 and report.frames + report.dropped < 30 * 20


def test_tracking_data_move_the_eyes(worn, reference, tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("", 0))
        port = free.getsockname()[1]
    pictures = {}
    for name, lid in (("shut", 0.0), ("open", 0.75)):
        with LiveTracking(port) as tracking:
            client, over = SimpleUDPClient("127.0.0.1", port), threading.Event()

            def send(client=client, over=over, lid=lid) -> None:
                while not over.wait(0.02):
                    client.send_message("/avatar/parameters/v2/EyeLid", lid)

            sender = threading.Thread(target=send)
            sender.start()
            live(worn, tmp_path / f"{name}.mp4", reference, tracking=tracking)
            over.set()
            sender.join()
        *_, last = VideoReader(tmp_path / f"{name}.mp4")
        pictures[name] = last.pixels.astype(int)
    assert np.abs(pictures["shut"] - pictures["open"]).max() > 40


def test_latencies_are_counted_in_memory_that_does_not_grow():
    latencies = Latencies()
    for number in range(1, 1001):
        latencies.add(number / 1000)
    assert (len(latencies), latencies.percentile(50), latencies.percentile(95)) == (1000, 500, 950)
    latencies.add(1e6)
    assert latencies.percentile(100) == 10_000 and Latencies().percentile(95) == 0


@dataclass
class Counting:
    """What a source has counted so far."""

    dropped: int = 0
    reconnected: int = 0


def test_frames_a_second_are_right_in_every_line_and_at_the_end():
    said, clock = [], iter(np.arange(1000) / 25)
    figures = _Figures(Counting(), said.append, lambda: next(clock))
    for number in range(400):
        figures.add(Picture(np.zeros((2, 2, 3), np.uint8), number / 25, number / 25 - 0.1))
    assert len(said) == 3 and all("25.0 a second; latency 100 ms" in line for line in said)
    report = figures.report()
    assert (report.frames, report.median) == (400, 100) and report.rate == pytest.approx(25)
    assert _Figures(Counting(), said.append).report().summary.startswith("0 frames, 0.0 a second")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing.mp4"], "there is no nothing.mp4"),
        (["camera:0", "--mask", "mask.mp4"], "Expected --mask auto or simulate"),
        (["camera:0", "--tracking", "9000"], "Expected --tracking osc:PORT"),
        (["camera:0", "--method", "static"], "Expected a method out of"),
        (["camera:0", "--personal", "me.safetensors"], "--personal is for the method 'personal'"),
        (["camera:0", "--seconds", "0"], "Expected a time in seconds over 0"),
        (["camera:0", "--eyes", "glass"], "Expected eyes out of"),
        (["camera:0"], "needs a reference of the uncovered face"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(arguments, message, capsys):
    assert main(["live", *arguments, "--out", "out.mp4"]) == 1
    assert message in capsys.readouterr().err


def test_the_command_restores_a_file(worn, talking_head, tmp_path, capfd):
    photo = write_clip(tmp_path / "photo.png", talking_head[:1], codec="png", pix_fmt="rgb24")
    out = tmp_path / "out.mkv"
    arguments = ["live", str(worn), "--reference", str(photo), "--eyes", "natural", "--out", str(out)]
    assert main(arguments) == 0
    shown = capfd.readouterr()
    assert "a second; latency" in shown.out and "176 x 144 at 25 a second" in shown.err and out.is_file()
