"""From a clip to points, and from points to a picture that moves."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from clips import tone, write_clip
from faces_of import posed_face

from hmd_removal.cli import main
from hmd_removal.driving.eye_tracking import EyeTracking, Recording, TrackingData
from hmd_removal.errors import InputError
from hmd_removal.files import write_png
from hmd_removal.telepresence import animate
from hmd_removal.telepresence.animate import (
    Packet,
    PointsListener,
    PointsSender,
    draw_live,
    from_usual,
    live_packets,
    neutral_of,
    paced,
    packets_of,
    picture_of,
    to_drive,
)
from hmd_removal.telepresence.animate_motion import Motion, Neutral
from hmd_removal.telepresence.animate_points import PointsFrame, PointsReader, PointsWriter, read_points
from hmd_removal.telepresence.live_source import Address, LiveSource
from hmd_removal.tracking.reference import make_reference
from hmd_removal.tracking.track import FaceTrack, TrackedFace
from hmd_removal.video import VideoReader, probe, read_audio

FRAMES = 8


@pytest.fixture(scope="module")
def clip(talking_head: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A talking head with sound."""
    path = tmp_path_factory.mktemp("driver") / "clip.mp4"
    return write_clip(path, talking_head[:FRAMES], options={"crf": "10"}, sound=tone(FRAMES / 25))


@pytest.fixture(scope="module")
def photo(talking_head: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    write_png(path, talking_head[0])
    return path


def test_what_is_written_by_one_machine_is_drawn_by_another(clip: Path, photo: Path, tmp_path: Path) -> None:
    """And looks like what is drawn at once, but for the sound."""
    points, at_once, drawn = (tmp_path / name for name in ("clip.hmdp", "at_once.mp4", "drawn.mp4"))
    both = ["--picture", str(photo), "--out"]
    assert main(["animate", str(clip), *both, str(at_once), "--points", str(points), "--quality", "lossless"]) == 0
    assert main(["animate", str(points), *both, str(drawn), "--quality", "lossless"]) == 0
    one, other = ([frame.pixels for frame in VideoReader(path)] for path in (at_once, drawn))
    assert len(one) == FRAMES and np.array_equal(np.stack(one), np.stack(other))
    assert read_audio(at_once) is not None and read_audio(drawn) is None
    assert probe(drawn).fps == 25 and len(read_points(points).frames) == FRAMES


def made(count: int, motion: Motion | None = None) -> list[Packet]:
    """Packets of a driver who does one thing, 25 a second."""
    writer = PointsWriter(25)
    return [Packet(writer.push_motion(i / 25, motion or Motion.none()), i, i / 25) for i in range(count)]


@pytest.fixture
def listener() -> Iterator[PointsListener]:
    with PointsListener(0, "127.0.0.1") as listener:
        yield listener


def now(listener: PointsListener) -> PointsFrame | None:
    """What is newest of all that has been sent; on one machine it arrives at once."""
    return listener.newest(time.monotonic() + 0.1)


def test_of_the_packets_that_have_come_by_udp_the_newest_one_is_shown(listener: PointsListener) -> None:
    packets = made(10)
    with PointsSender("127.0.0.1", listener.port) as sender:
        sender.send(packets[:5])
        assert now(listener).number == 4
        sender.send([packets[6], packets[5]])  # one overtakes the other
        assert now(listener).number == 6
        sender.send(packets[5:7])
        assert now(listener) is None and sender.count == 9


def test_a_sender_that_begins_anew_is_shown(listener: PointsListener) -> None:
    with PointsSender("127.0.0.1", listener.port) as sender:
        sender.send(made(60))
        assert now(listener).number == 59
        sender.send(made(3))
        assert now(listener).number == 2


def test_a_forged_moment_far_ahead_stops_nobody(listener: PointsListener) -> None:
    packets = made(4)
    with PointsSender("127.0.0.1", listener.port) as sender:
        sender.send(packets[:2])
        sender.send([Packet(PointsWriter(25).push_motion(1e5, None), 0, 0.0)])
        assert now(listener).time == 1e5
        sender.send(packets[2:])
        assert now(listener).number == 3


def test_strangers_packets_are_passed_over_and_it_is_said_once() -> None:
    said: list[str] = []
    with PointsListener(0, "127.0.0.1", said.append) as listener, PointsSender("127.0.0.1", listener.port) as sender:
        stranger = Packet(b"who is there?", 0, 0.0)
        sender.send([stranger, made(1)[0], stranger])
        assert now(listener).number == 0
    assert len(said) == 1 and "something else" in said[0]


def test_a_clip_is_sent_at_its_pace_from_its_first_packet_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it takes until that is there."""
    clock = Clock()
    monkeypatch.setattr(animate, "time", clock)

    def slow() -> Iterator[Packet]:
        clock.sleep(2.0)
        yield from made(4)

    moments = [clock.monotonic() for _ in paced(slow())]
    assert moments == pytest.approx([2.0, 2.04, 2.08, 2.12])


class Clock:
    """The time module's, of which nobody waits."""

    def __init__(self) -> None:
        self._now = 0.0

    def monotonic(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += seconds


def test_an_address_that_is_not_reached_is_refused_in_a_sentence() -> None:
    with pytest.raises(InputError, match="cannot be sent to 255.255.255.255:5600"):
        PointsSender("255.255.255.255", 5600)


class Eyes:
    """What moves the eyes live: half shut, they look a little to the right of what is usual, and down."""

    usual_yaw = 0.2

    def rows(self, start: int, count: int) -> EyeTracking:
        wanted = EyeTracking.unknown(np.zeros(count))
        wanted.openness[:], wanted.gaze[:] = 0.2, (0.3, 0.1)
        return wanted


def test_a_live_driver_becomes_points(clip: Path, listener: PointsListener) -> None:
    """Of a file that is played at its own pace, as a camera would be."""
    with LiveSource(Address.of(str(clip))) as source, PointsSender("127.0.0.1", listener.port) as sender:
        sender.send(live_packets(source, Eyes()))
        assert sender.count + source.dropped == FRAMES
    frame = now(listener)
    assert frame.number == sender.count - 1 and frame.motion is not None


def test_a_live_drivers_gaze_is_counted_from_the_usual_one() -> None:
    motion = Neutral.of([posed_face()]).motion(posed_face(), animate._eyes_now(Eyes()))
    assert motion.openness == pytest.approx([0.2, 0.2]) and motion.gaze == pytest.approx([0.1, 0.1])


class Interrupted(PointsListener):
    """The user presses Ctrl-C while the fourth picture is waited for."""

    times = 0

    def newest(self, until: float) -> PointsFrame | None:
        self.times += 1
        if self.times == 4:
            raise KeyboardInterrupt
        return super().newest(until)


def test_what_arrives_is_drawn_and_stands_still_where_nothing_comes(photo: Path, tmp_path: Path) -> None:
    """Into a file that is whole after an interruption."""
    turned, reference, out = (
        replace(Motion.none(), turn=np.array([0.0, 0.3, 0.0])),
        picture_of(photo),
        tmp_path / "o.mp4",
    )
    with Interrupted(0, "127.0.0.1") as listener, PointsSender("127.0.0.1", listener.port) as sender:
        sender.send(made(3, turned))
        assert draw_live(listener, reference, str(out)) == 3
    shown = np.stack([frame.pixels for frame in VideoReader(out)]).astype(int)
    changed = np.abs(shown - reference.images[0]).mean((1, 2, 3))
    assert len(shown) == 3 and changed.min() > 1 and np.abs(shown[2] - shown[0]).mean() < 0.2 * changed.min()


def test_the_command_draws_what_it_receives(photo: Path, tmp_path: Path, listener: PointsListener) -> None:
    port, out = listener.port, tmp_path / "out.mp4"
    listener.__exit__()  # the port is free again
    assert (
        main(["animate", f"udp://127.0.0.1:{port}", "--picture", str(photo), "--out", str(out), "--seconds", "0.1"])
        == 0
    )
    assert np.abs(next(iter(VideoReader(out))).pixels.astype(int) - picture_of(photo).images[0]).mean() < 3


def test_a_port_that_is_taken_is_refused() -> None:
    with PointsListener(0, "127.0.0.1") as listener, pytest.raises(InputError, match="cannot be had"):
        PointsListener(listener.port, "127.0.0.1")


@pytest.mark.parametrize("text", ["udp://host", "udp:5600", "udp://host:0", "udp://host:99999", "udp://host:a"])
def test_a_malformed_address_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="udp://HOST:PORT"):
        animate.udp_address(text)


def test_an_address_is_told_from_a_file() -> None:
    assert animate.udp_address("udp://:5600") == ("", 5600) and animate.udp_address("clip.mp4") is None


def test_the_neutral_look_is_of_the_first_second_in_which_somebody_is_there() -> None:
    faces = iter([TrackedFace.missing()] * 3 + [posed_face(yaw=5)] * 4 + [posed_face(yaw=40)] * 4)
    first, neutral = neutral_of(faces, fps=4)
    assert len(first) == 7
    assert np.degrees(np.linalg.norm(neutral.motion(posed_face(yaw=5)).turn)) < 0.1


def test_unknown_eyes_are_refused(clip: Path) -> None:
    with pytest.raises(InputError, match="driver, natural"):
        next(packets_of(clip, eyes="wide"))


def test_tracking_data_blink_in_the_points(clip: Path) -> None:
    data = EyeTracking.unknown(np.arange(200) / 100)
    data.openness[:] = 1.0
    data.openness[12:20] = 0.0
    tracking = TrackingData(Recording(data, "made for this"), 0.0)
    reader = PointsReader()
    frames = [frame for packet in packets_of(clip, tracking=tracking) for frame in reader.feed(packet.data)]
    openness = np.array([frame.motion.openness for frame in frames])
    assert len(frames) == FRAMES and openness[4].max() < 0.1 and openness[[0, 7]].min() > 0.9


def test_a_gaze_in_tracking_data_is_counted_from_the_usual_one() -> None:
    data = EyeTracking.unknown(np.arange(3.0))
    data.gaze[:] = 0.2, 0.1
    data.gaze[2] += 0.3
    assert from_usual(data).gaze[[0, 2], 0] == pytest.approx(np.array([[0, 0], [0.3, 0.3]]))


def test_a_picture_is_shrunk_to_the_size_that_is_wanted(
    talking_head: np.ndarray, talking_head_track: FaceTrack
) -> None:
    driven = to_drive(make_reference(talking_head[:1], talking_head_track.points[:1]), largest=88)
    assert driven.images[0].shape == (72, 88, 3)
    assert driven.points[0] == pytest.approx(talking_head_track.points[0] / 2, rel=1e-3)


def test_a_large_picture_is_shrunk_to_even_sides(talking_head: np.ndarray, talking_head_track: FaceTrack) -> None:
    large = np.kron(talking_head[0], np.ones((18, 18, 1), np.uint8))
    driven = to_drive(make_reference([large[:-1]], talking_head_track.points[:1] * 18))
    height, width, _ = driven.images[0].shape
    assert width == animate.LARGEST and height % 2 == 0
    assert driven.points[0] == pytest.approx(talking_head_track.points[0] * animate.LARGEST / 176, rel=1e-3)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["clip.mp4"], "Nothing is asked for"),
        (["clip.mp4", "--out", "out.mp4"], "belong together"),
        (["udp://:5600", "--points", "x.hmdp"], "the source is points"),
        (["udp://:5600", "--points", "x.hmdp", "--tracking-mirror"], "--tracking-mirror is for a driver"),
        (["udp://:5600", "--points", "x.hmdp", "--tracking-offset", "1"], "--tracking-offset is for a driver"),
        (["clip.mp4", "--points", "x.hmdp", "--tracking-offset", "1"], "which is not given"),
        (["clip.mp4", "--points", "x.hmdp", "--seconds", "1"], "the source is a file"),
        (["camera:0", "--points", "x.hmdp"], "expected --points udp://HOST:PORT"),
        (["camera:0", "--points", "udp://a:1", "--out", "a.mp4", "--picture", "b.png"], "sent with --points"),
        (["camera:0", "--points", "udp://127.0.0.1:1", "--tracking", "eyes.csv"], "--tracking osc:PORT"),
        (["nothing.mp4", "--points", "x.hmdp"], "nothing.mp4"),
    ],
)
def test_contradictions_end_in_one_sentence(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["animate", *arguments]) == 1
    assert says in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
