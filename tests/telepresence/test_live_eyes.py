"""How the eyes are wanted at this very moment."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from pythonosc.udp_client import SimpleUDPClient

from hmd_removal.errors import InputError
from hmd_removal.telepresence.live_eyes import BLOCK, LiveNatural, LiveTracking

V2 = "/avatar/parameters/v2/"


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Headset:
    """Sends values, and sees to it that they have arrived. The clock goes on by a frame a row."""

    def __init__(self, tracking: LiveTracking, clock: Clock, port: int) -> None:
        self.tracking, self.clock = tracking, clock
        self._client = SimpleUDPClient("127.0.0.1", port)

    def send(self, **values: float) -> None:
        for name, value in values.items():
            self._client.send_message(V2 + name, value)
        time.sleep(0.1)

    def rows(self, seconds: float) -> list[np.ndarray]:
        """Openness of the right eye, yaw of both eyes, by frame."""
        out = []
        for _ in range(round(25 * seconds)):
            self.clock.now += 0.04
            row = self.tracking.rows(0, 1)
            out.append(np.array([row.openness[0, 0], *row.gaze[0, :, 0]]))
        return out


@contextmanager
def listening() -> Iterator[Headset]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("", 0))
        port = free.getsockname()[1]
    clock = Clock()
    with LiveTracking(port, clock) as tracking:
        yield Headset(tracking, clock, port)


def test_before_anything_arrives_nothing_is_known_and_then_it_counts_at_once_as_documented():
    with listening() as headset:
        assert np.isnan(headset.rows(0.04)[0]).all()
        headset.send(EyeLid=0.75, EyeX=0.0)
        *_, (openness, right, left) = headset.rows(0.4)
        assert (openness, right, left) == pytest.approx((1, 0, 0), abs=0.01)
        headset.send(EyeLid=0.0)
        assert headset.rows(0.04)[0][0] == pytest.approx(0, abs=0.01)


def test_what_is_usual_for_the_wearer_is_learnt():
    with listening() as headset:
        found = []
        for _ in range(12):
            headset.send(EyeLid=0.45, EyeLeftX=0.1, EyeRightX=0.0)
            found += headset.rows(1)
    assert found[20][0] == pytest.approx(0.6, abs=0.02) and found[-1][0] == pytest.approx(1, abs=0.02)
    steps = np.abs(np.diff([openness for openness, _, _ in found[20:]]))
    assert steps.max() < 0.1, "little by little"
    assert found[-1][1] == pytest.approx(found[-1][2], abs=0.01), "eyes that are always turned apart look together"


def test_a_pause_of_minutes_takes_nothing_of_that_away():
    with listening() as headset:
        for _ in range(12):
            headset.send(EyeLid=0.45)
            headset.rows(1)
        headset.clock.now += 300
        headset.send(EyeLid=0.45)
        openness = [row[0] for row in headset.rows(3)]
    assert openness[-1] == pytest.approx(1, abs=0.02)


def test_what_does_not_change_is_held_and_eyes_that_are_lost_ease_to_the_usual():
    with listening() as headset:
        headset.send(EyeLid=0.0)
        openness = np.array([row[0] for row in headset.rows(4)])
    assert openness[: 2 * 25] == pytest.approx(0, abs=0.01), "only what changes is sent"
    assert openness[-1] == pytest.approx(1) and np.abs(np.diff(openness)).max() < 0.15


def test_a_tracker_that_says_it_is_off_is_believed_sooner_and_comes_back():
    with listening() as headset:
        headset.send(EyeLid=0.3)
        headset.rows(0.4)
        headset._client.send_message("/avatar/parameters/EyeTrackingActive", False)
        headset.send(EyeLid=0.3)
        assert headset.rows(1.2)[-1][0] == pytest.approx(1)
        headset._client.send_message("/avatar/parameters/EyeTrackingActive", True)
        headset.send(EyeLid=0.3)
        back = [row[0] for row in headset.rows(0.4)]
        assert back[0] > 0.6 and back[-1] == pytest.approx(0.4, abs=0.05)


def test_a_gaze_behind_a_shut_lid_stays_as_it_was():
    with listening() as headset:
        headset.send(EyeLid=0.75, EyeX=0.2)
        before = headset.rows(0.4)[-1]
        headset.send(EyeLid=0.0, EyeX=-0.9)
        assert headset.rows(0.04)[0][1:] == pytest.approx(before[1:], abs=0.01)


def test_a_tracker_of_brows_alone_moves_the_brows_and_nothing_else():
    with listening() as headset:
        headset.send(BrowInnerUp=0.6)
        headset.rows(0.4)
        row = headset.tracking.rows(0, 1)
    assert row.brows[0, :, 0] == pytest.approx(0.6, abs=0.05)
    assert np.isnan(row.openness).all() and np.isnan(row.gaze).all()


def test_a_port_that_is_taken_is_refused():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("", 0))
        port = other.getsockname()[1]
        with pytest.raises(InputError, match=f"Another program listens at UDP port {port}"):
            LiveTracking(port)


def test_natural_eyes_blink_on_without_end_and_without_a_jump():
    clock = Clock()
    eyes, rows = LiveNatural(clock), []
    for _ in range(round(2.5 * BLOCK * 50)):
        clock.now += 0.02
        rows.append(eyes.rows(0, 2))
    openness = np.array([row.openness[0, 0] for row in rows])
    assert rows[0].openness.shape == (2, 2)
    for block in np.split(openness, 5):
        assert block.min() < 0.2
    assert np.abs(np.diff(openness)).max() < 0.6
