"""From a clip to points, and from points to a picture that moves."""

import socket
import threading
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
from hmd_removal.telepresence.animate import PointsListener, from_usual, neutral_of, packets_of, send, to_drive
from hmd_removal.telepresence.animate_motion import Motion
from hmd_removal.telepresence.animate_points import PointsReader, PointsWriter, read_points
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


def test_packets_by_udp_are_drawn_until_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(animate, "SILENCE", 0.3)
    writer = PointsWriter(100)
    packets = [animate.Packet(writer.push_motion(i / 100, Motion.none()), i, i / 100) for i in range(10)]
    with PointsListener(0, "127.0.0.1") as listener:
        port = listener.port
        sender = threading.Thread(target=send, args=(packets, "127.0.0.1", port))
        sender.start()
        frames = list(listener.frames())
        sender.join()
    assert [frame.number for frame in frames] == list(range(10))


def test_strangers_packets_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(animate, "SILENCE", 0.3)
    with PointsListener(0, "127.0.0.1") as listener, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(b"who is there?", ("127.0.0.1", listener.port))
        stranger.sendto(PointsWriter(25).push_motion(0.0, None), ("127.0.0.1", listener.port))
        assert len(list(listener.frames())) == 1
        stranger.sendto(b"who is there?", ("127.0.0.1", listener.port))
        with pytest.raises(InputError, match="something else"):
            list(listener.frames())


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
