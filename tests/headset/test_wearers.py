"""Everyone who wears a headset, numbered from left to right."""

from __future__ import annotations

import numpy as np

from hmd_removal.headset.wearers import _People, numbered
from hmd_removal.tracking.track import DevicePatch, Face

SIZE = 40.0  # pixels of a face


def face(x: float, *, worn: bool = True) -> Face:
    """A face of SIZE pixels around (x, 50), with a device before the eyes or nowhere."""
    points = np.zeros((478, 3), np.float32)
    points[:, :2] = (x, 50)
    points[:2, 0] += (-SIZE / 2, SIZE / 2)
    patch = DevicePatch(np.full((64, 64), float(worn), np.float32), np.array([[0.5, 0, 0], [0, 0.5, 0]]))
    return Face(points, device=patch)


def numbers(frames: list[list[Face]]) -> list[dict[int, float]]:
    """For each frame the numbers that people have and where they are, all frames being looked at together."""
    people = _People()
    for faces in frames:
        people.push(faces)
    return [{number: float(one.centre[0]) for number, one in seen.items()} for seen in people.rest()]


def test_numbers_go_from_left_to_right_whoever_is_found_first() -> None:
    assert numbers([[face(100), face(30)]] * 3) == [{0: 30, 1: 100}] * 3


def test_who_wears_none_has_no_number_and_one_wrong_frame_gives_none() -> None:
    bare, mistaken = face(30, worn=False), face(30)
    assert numbers([[bare, face(100)]] * 4) == [{0: 100}] * 4
    assert numbers([[mistaken, face(100)], *[[bare, face(100)]] * 3]) == [{0: 100}] * 4
    missed = face(30, worn=False)
    assert numbers([[missed, face(100)], *[[face(30), face(100)]] * 3])[0] == {0: 30, 1: 100}


def test_who_comes_later_gets_the_next_number_and_keeps_it_with_the_headset_off() -> None:
    alone, both = [face(100)], [face(30), face(100)]
    off = [face(30, worn=False), face(100)]
    assert numbers([alone, alone, both, both, both, off]) == [{0: 100}] * 2 + [{0: 100, 1: 30}] * 4


def test_people_keep_their_numbers_while_they_move_past_each_others_places() -> None:
    moving = [[face(30 + 10 * t), face(200 + 10 * t)] for t in range(12)]
    assert numbers(moving)[-1] == {0: 140, 1: 310}
    away = [[face(30), face(200)], [face(200)], [face(30), face(200)]]
    assert numbers(away) == [{0: 30, 1: 200}, {1: 200}, {0: 30, 1: 200}]


def test_two_real_heads_side_by_side(wearer: tuple[np.ndarray, np.ndarray]) -> None:
    covered = wearer[0][:10]
    together = np.concatenate([covered, covered[:, :, ::-1]], 2)
    seen = list(numbered(iter(together)))
    assert len(seen) == 10 and all(set(faces) == {0, 1} for faces in seen)
    assert all(faces[0].centre[0] < 176 < faces[1].centre[0] for faces in seen)
    cut = list(numbered(iter([*together[:5], *(255 - together[5:, :, 176:])])))
    assert len(cut) == 10 and set(cut[-1]) <= {0}, "counted anew after a cut"
