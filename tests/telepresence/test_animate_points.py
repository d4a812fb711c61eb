"""A face's motion as bytes: packets and a file of them."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from faces_of import posed_face

from hmd_removal.errors import InputError
from hmd_removal.telepresence.animate_motion import Motion, Neutral, shipped_shapes
from hmd_removal.telepresence.animate_points import (
    FILE_HEAD,
    KEY_EVERY,
    PointsReader,
    PointsWriter,
    is_points,
    read_points,
    write_points,
)
from hmd_removal.tracking.track import TrackedFace


def motions(count: int) -> list[Motion]:
    """Somebody who talks, nods and blinks: smooth, with as much of every shape as people show."""
    shapes, t = shipped_shapes(), np.arange(count)[:, None] / 25
    random = np.random.default_rng(1)
    phase, pace = random.uniform(0, 6, len(shapes)), random.uniform(1, 12, len(shapes))
    shape = shapes.deviation * np.sin(pace * t + phase)
    return [
        Motion(
            np.array([0.2 * np.sin(i / 9), 0.3 * np.sin(i / 14), 0.05]),
            np.array([2 * np.sin(i / 20), 0.5]),
            0.03 * np.sin(i / 30),
            shape[i],
            np.array([0.1, 0.2]) if i % 80 < 5 else np.ones(2),
            np.array([0.1 * np.sin(i / 6), 0.02]),
        )
        for i in range(count)
    ]


def packets(count: int) -> list[bytes]:
    writer = PointsWriter(25)
    return [writer.push_motion(i / 25, motion) for i, motion in enumerate(motions(count))]


def test_what_is_read_is_what_was_written_but_for_half_a_step() -> None:
    reader = PointsReader()
    for i, (packet, wanted) in enumerate(zip(packets(60), motions(60), strict=True)):
        (frame,) = reader.feed(packet)
        assert frame.number == i and frame.time == pytest.approx(i / 25, abs=1e-4)
        assert np.degrees(np.abs(frame.motion.turn - wanted.turn)).max() <= 0.0501
        assert np.abs(frame.motion.place - wanted.place).max() <= 0.00501
        assert np.abs(frame.motion.shape - wanted.shape).max() <= 0.01001
        assert abs(frame.motion.growth - wanted.growth) <= 0.000501
        assert np.abs(frame.motion.openness - wanted.openness).max() <= 0.0201


def test_ten_seconds_take_less_than_twenty_kilobits_a_second() -> None:
    assert sum(map(len, packets(250))) * 8 / 10 < 20_000


def test_a_lost_packet_harms_no_other_one() -> None:
    reader = PointsReader()
    found = [frame for i, packet in enumerate(packets(20)) if i not in (3, 4, 11) for frame in reader.feed(packet)]
    assert [frame.number for frame in found] == [i for i in range(20) if i not in (3, 4, 11)]
    assert found[-1].motion.shape == pytest.approx(motions(20)[-1].shape, abs=0.011)


def test_a_lost_key_is_made_good_by_the_next_one() -> None:
    reader = PointsReader()
    numbers = [frame.number for packet in packets(60)[1:] for frame in reader.feed(packet)]
    assert numbers == list(range(KEY_EVERY, 60))


def test_a_packet_that_comes_late_is_read_by_its_own_key() -> None:
    sent, reader = packets(30), PointsReader()
    order = [*range(20), 22, 21, 20, 23, 24]
    assert [frame.number for i in order for frame in reader.feed(sent[i])] == order
    for i in (25, 26):
        reader.feed(sent[i])
    assert reader.feed(sent[24]) == []  # its key is gone


def test_the_picture_stands_still_while_the_neutral_look_is_measured() -> None:
    writer, reader = PointsWriter(fps=4), PointsReader()
    frames = [reader.feed(writer.push(t / 4, posed_face(yaw=5 if t < 4 else 15)))[0] for t in range(6)]
    turned = [np.degrees(np.linalg.norm(frame.motion.turn)) for frame in frames]
    assert turned[:4] == pytest.approx([0] * 4, abs=0.06) and turned[4:] == pytest.approx([10] * 2, abs=0.3)


def test_nobody_is_said_to_be_there() -> None:
    writer, reader = PointsWriter(25, Neutral.of([posed_face()])), PointsReader()
    (frame,) = reader.feed(writer.push(0.0, TrackedFace.missing()))
    assert frame.motion is None


def test_a_file_holds_rate_and_frames(tmp_path: Path) -> None:
    path = tmp_path / "driver.hmdp"
    size = write_points(path, packets(30), Fraction(30000, 1001))
    points = read_points(path)
    assert points.rate == Fraction(30000, 1001) and len(points.frames) == 30
    assert is_points(path) and size == path.stat().st_size


@pytest.mark.parametrize("left", [2000, 900, FILE_HEAD.size - 3])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, left: int) -> None:
    path = tmp_path / "driver.hmdp"
    write_points(path, packets(60), Fraction(25))
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(InputError, match="cut off"):
        read_points(path)


def test_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "driver.hmdp"
    write_points(path, packets(3), Fraction(25))
    content = bytearray(path.read_bytes())
    content[4] = 9
    path.write_bytes(content)
    with pytest.raises(InputError, match="version 9"):
        read_points(path)


@pytest.mark.parametrize("packet", [b"", b"hello, is anybody there?", packets(1)[0][:-1], packets(1)[0] + b"\0"])
def test_what_is_no_packet_is_refused(packet: bytes) -> None:
    with pytest.raises(InputError):
        PointsReader().feed(packet)


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"\xff\xd8 no points")
    assert not is_points(path) and not is_points(tmp_path / "nothing")
    for one in (path, tmp_path / "nothing"):
        with pytest.raises(InputError):
            read_points(one)


def test_landmarks_survive_the_way_through_packets() -> None:
    """The points of a face that does something, in centimetres."""
    shapes, face = shipped_shapes(), posed_face()
    wanted = motions(8)[7].shape
    points = face.points.astype(np.float64).copy()
    points[:468] += 10 * shapes.motion(wanted)
    writer, reader = PointsWriter(25, Neutral.of([face])), PointsReader()
    (frame,) = reader.feed(writer.push(0.0, replace(face, points=points.astype(np.float32))))
    off = np.linalg.norm(shapes.motion(frame.motion.shape - wanted)[:, :2], axis=1)
    assert np.sqrt((off**2).mean()) < 0.1
