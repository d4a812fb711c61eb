"""Reference photographs as phones and cameras leave them."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np
import pytest

from hmd_removal.errors import InputError
from hmd_removal.tracking import enrol, uncovered
from hmd_removal.tracking.enrol import load_reference, photos_in, read_photo
from hmd_removal.tracking.geometry import eye_distance
from hmd_removal.weights import packages


@pytest.fixture(scope="module")
def portrait(talking_head: np.ndarray) -> np.ndarray:
    """(432, 528, 3) uint8."""
    return cv2.resize(talking_head[0], None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)


def write_heic(path: Path, picture: np.ndarray, *, turned: bool = False) -> Path:
    """turned: stored on its side with an EXIF tag that says so, as phones do."""
    heif, image = pytest.importorskip("pillow_heif"), pytest.importorskip("PIL.Image")
    exif = image.Exif()
    if turned:
        exif[0x0112] = 6  # to be shown turned clockwise
    stored = np.ascontiguousarray(np.rot90(picture)) if turned else picture
    heif.from_pillow(image.fromarray(stored)).save(path, quality=90, exif=exif.tobytes())
    return path


@pytest.mark.parametrize("name", ["me.heic", "me.jpg"])
@pytest.mark.parametrize("turned", [False, True])
def test_heic_is_read_whole_and_upright_whatever_it_is_called(
    tmp_path: Path, portrait: np.ndarray, name: str, turned: bool
) -> None:
    path = write_heic(tmp_path / "written.heic", portrait, turned=turned).rename(tmp_path / name)
    picture = read_photo(path)
    assert picture.shape == portrait.shape and np.abs(picture.astype(int) - portrait).mean() < 6
    assert len(load_reference(path)) == 1


def test_without_a_reader_heic_is_refused_in_one_sentence_or_left_out_aloud(
    tmp_path: Path, portrait: np.ndarray, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    heic = write_heic(tmp_path / "me.heic", portrait)
    cv2.imwrite(str(tmp_path / "me.png"), portrait[..., ::-1])
    monkeypatch.setattr(enrol, "_reads_heic", lambda: False)
    with pytest.raises(InputError, match="is HEIC, which is not read: save it as JPEG, or install pillow-heif"):
        load_reference(heic)
    with caplog.at_level(logging.WARNING):
        assert [photo.name for photo in photos_in(tmp_path)] == ["me.png"]
    assert "1 HEIC photos" in caplog.text


def test_hidden_files_are_no_photos(tmp_path: Path, portrait: np.ndarray) -> None:
    cv2.imwrite(str(tmp_path / "me.jpg"), portrait[..., ::-1])
    (tmp_path / "._me.jpg").write_bytes(b"\x00\x05\x16\x07")  # what macOS leaves on other disks
    (tmp_path / ".DS_Store").touch()
    assert [photo.name for photo in photos_in(tmp_path)] == ["me.jpg"]
    assert len(load_reference(tmp_path)) == 1


def test_without_mediapipes_file_a_photo_serves_all_the_same_and_the_log_says_how_to_get_it(
    tmp_path: Path, portrait: np.ndarray, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cv2.imwrite(str(tmp_path / "me.png"), portrait[..., ::-1])
    exact = load_reference(tmp_path / "me.png")
    monkeypatch.setenv("HMD_REMOVAL_CACHE", str(tmp_path / "empty"))
    monkeypatch.setattr(packages, "installed_member", lambda member: None)
    uncovered._warn.cache_clear()
    with caplog.at_level(logging.WARNING):
        reference = load_reference(tmp_path / "me.png")
    assert "face_landmarker" in caplog.text and "pip install" in caplog.text
    error = np.linalg.norm((reference.points - exact.points)[..., :2], axis=2).mean()
    assert 0 < error < 0.05 * eye_distance(exact.points)[0]
