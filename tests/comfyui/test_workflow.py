"""Workflows as templates: what may be set, and what is refused in a sentence."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from fake_comfyui import SCHEMAS, WORKFLOW

from hmd_removal.comfyui.workflow import (
    Setting,
    check_settings,
    is_text,
    read_workflow,
    with_clip,
    with_values,
)
from hmd_removal.errors import InputError

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "example_workflows"


def test_an_example_in_api_format_is_read() -> None:
    assert read_workflow(EXAMPLES / "api" / "video_to_video.json")["1"]["class_type"] == "LoadVideo"


def test_the_editors_format_is_refused_with_the_way_out() -> None:
    with pytest.raises(InputError, match=r"choose Workflow > Export \(API\)"):
        read_workflow(EXAMPLES / "Video to video.json")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"a": 1}', '{"1": {"class_type": "A"}}'])
def test_what_is_no_workflow_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "w.json"
    path.write_text(content)
    with pytest.raises(InputError, match="Export|export"):
        read_workflow(path)
    with pytest.raises(InputError, match="does not exist"):
        read_workflow(tmp_path / "nothing.json")


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("5.quality=small", Setting("5", "quality", "small")),
        ("12:5.format.codec=a=b.c", Setting("12:5", "format.codec", "a=b.c")),
        ("2.image=", Setting("2", "image", "")),
    ],
)
def test_settings_are_read(text: str, setting: Setting) -> None:
    assert Setting.parse(text) == setting


@pytest.mark.parametrize("text", ["quality=small", "5.quality", ".a=b", "5.=b"])
def test_settings_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="Expected --set NODE.INPUT=VALUE"):
        Setting.parse(text)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("9.name=x", r"no node '9': choose one of 1 \(LoadVideo\)"),
        ("3.nmae=x", "has no input 'nmae': choose one of name, note"),
        ("2.video=x", "2.video is connected to another node"),
        ("3.name={refernce}", r"nothing for {refernce} .* choose one of {clip}, {name}, {reference}"),
    ],
)
def test_settings_that_fit_nothing_are_refused(setting: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_settings(WORKFLOW, [Setting.parse(setting)], ["clip", "name", "reference"])


def test_an_empty_cell_leaves_what_the_workflow_says() -> None:
    setting = Setting("3", "name", "{model}")
    assert setting.text({"model": "mine"}) == "mine" and setting.text({"model": ""}) is None
    assert Setting("3", "note", "").text({}) == ""


def test_the_clip_goes_to_the_one_node_that_loads_a_video() -> None:
    quality = Setting("3", "name", "small")
    assert with_clip(WORKFLOW, SCHEMAS, [quality]) == [quality, Setting("1", "file", "{clip}")]


@pytest.mark.parametrize("setting", ["3.note={clip}", "1.file=shared/{name}.mp4"])
def test_a_setting_that_says_where_the_clip_is_stands_alone(setting: str) -> None:
    settings = [Setting.parse(setting)]
    assert with_clip(WORKFLOW, SCHEMAS, settings) == settings


def test_where_several_nodes_load_one_the_user_is_asked() -> None:
    two = WORKFLOW | {"7": {"class_type": "LoadVideo", "inputs": {"file": "b.mp4"}, "_meta": {"title": "The mask"}}}
    with pytest.raises(InputError, match=r"has 2 .*: 1.file \(LoadVideo\), 7.file \(The mask\). Say which"):
        with_clip(two, SCHEMAS, [])
    with pytest.raises(InputError, match="has no inputs to which a video is uploaded. Say which"):
        with_clip({"3": WORKFLOW["3"]}, SCHEMAS, [])


def test_text_fields_are_told_from_names_of_files() -> None:
    assert is_text(SCHEMAS, "Model", "note") and not is_text(SCHEMAS, "Model", "name")
    assert not is_text(SCHEMAS, "Unknown", "note")


def test_values_become_what_the_workflow_has_there() -> None:
    before = copy.deepcopy(WORKFLOW)
    values = {("3", "name"): "12", ("3", "strength"): "0.5", ("3", "on"): "false"}
    filled = with_values(WORKFLOW, values)["3"]["inputs"]
    assert (filled["name"], filled["strength"], filled["on"]) == ("12", 0.5, False)
    assert before == WORKFLOW and json.dumps(filled)


@pytest.mark.parametrize(("name", "text"), [("strength", "much"), ("strength", "true"), ("on", "1"), ("on", "yes")])
def test_a_text_where_a_number_is_is_refused(name: str, text: str) -> None:
    with pytest.raises(InputError, match=f"for 3.{name}, got '{text}'"):
        with_values(WORKFLOW, {("3", name): text})
