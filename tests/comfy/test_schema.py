"""What the nodes look like from outside: a change here changes other people's saved workflows."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SNAPSHOT = Path(__file__).parent / "object_info.json"
PACK = "custom_nodes.hmd-removal"
ROOT = Path(__file__).resolve().parent.parent.parent

# Not those that only newer ComfyUIs report.
FIELDS = (
    "input",
    "input_order",
    "output",
    "output_name",
    "output_is_list",
    "output_tooltips",
    "display_name",
    "description",
    "category",
    "output_node",
)


@pytest.fixture(scope="module")
def ours(object_info: dict[str, Any]) -> dict[str, Any]:
    """The schemas of this pack's nodes."""
    return {name: info for name, info in object_info.items() if info["python_module"] == PACK}


def inputs_of(info: dict[str, Any]) -> dict[str, Any]:
    return info["input"].get("required", {}) | info["input"].get("optional", {})


def test_nodes_are_those_of_the_snapshot(ours: dict[str, Any], pytestconfig: pytest.Config):
    """After a wanted change run `make snapshot` and commit the difference."""
    present = {name: {field: info[field] for field in FIELDS} for name, info in sorted(ours.items())}
    for info in present.values():
        for _, options in inputs_of(info).values():
            options.pop("advanced", None)
            if options.get("video_upload") or options.get("image_upload"):
                options["options"] = []
    text = json.dumps(present, indent=1, sort_keys=True) + "\n"
    if pytestconfig.getoption("--update-snapshot"):
        SNAPSHOT.write_text(text)
    assert json.loads(text) == json.loads(SNAPSHOT.read_text())


def test_ids_carry_the_prefix_and_one_category_holds_all(ours: dict[str, Any]):
    assert all(name.startswith("HMD_") for name in ours)
    assert {info["category"].split("/")[0] for info in ours.values()} == {"HMD Removal"}


def test_everything_is_explained(ours: dict[str, Any]):
    unexplained = [name for name, info in ours.items() if not info["description"]]
    for name, info in ours.items():
        tooltips = {key: options.get("tooltip") for key, (_, options) in inputs_of(info).items()}
        tooltips |= zip(info["output_name"], info["output_tooltips"], strict=True)
        unexplained += [f"{name}.{key}" for key, tooltip in tooltips.items() if not tooltip]
    assert unexplained == []


def test_every_node_has_a_help_page_in_english_and_chinese(ours: dict[str, Any], fetch: Callable[[str], bytes]):
    for name in ours:
        for page in (f"{name}.md", f"{name}/zh.md"):  # where the front end looks for them
            assert fetch(f"/extensions/hmd-removal/docs/{page}").startswith(b"# ")


def test_locales_name_existing_nodes_and_inputs(ours: dict[str, Any], fetch: Callable[[str], bytes]):
    languages = json.loads(fetch("/i18n"))
    for language in ("en", "zh"):
        translated = languages[language]["nodeDefs"]
        assert translated.keys() == ours.keys()
        for name, words in translated.items():
            assert words.get("inputs", {}).keys() <= inputs_of(ours[name]).keys()
            assert {int(index) for index in words.get("outputs", {})} <= set(range(len(ours[name]["output"])))


def test_chinese_is_complete(ours: dict[str, Any], fetch: Callable[[str], bytes]):
    translated = json.loads(fetch("/i18n"))["zh"]["nodeDefs"]
    for name, info in ours.items():
        words = translated[name]
        assert words["display_name"] and words["description"]
        assert words["inputs"].keys() == inputs_of(info).keys()
        assert [int(index) for index in words["outputs"]] == list(range(len(info["output"])))
        assert all(part["name"] and part["tooltip"] for part in (*words["inputs"].values(), *words["outputs"].values()))


def test_names_have_spaces_and_the_words_of_the_ids_find_them(ours: dict[str, Any], fetch: Callable[[str], bytes]):
    english = json.loads(fetch("/i18n"))["en"]["nodeDefs"]
    for name, info in ours.items():
        assert " " in info["display_name"]
        assert info["display_name"] == english[name]["display_name"]
        if "search_aliases" in info:  # which older ComfyUIs lack
            assert name.removeprefix("HMD_") in info["search_aliases"]


def test_fields_the_core_lacks_are_dropped_and_mistakes_are_not(comfyui: Path):
    script = """
import importlib.util, sys
sys.path.insert(0, ".")
from comfy_api.latest import io
spec = importlib.util.spec_from_file_location("schema", sys.argv[1])
schema = importlib.util.module_from_spec(spec)
spec.loader.exec_module(schema)
node = schema.known(io.Schema, node_id="HMD_X", search_aliases=["vr"], essentials_category="Video")
stride = schema.known(io.Int.Input, "stride", default=3, advanced=True)
print(node.node_id, stride.id, stride.default)
schema.known(io.Int.Input, "stride", defualt=3)
"""
    command = [sys.executable, "-c", script, str(ROOT / "nodes" / "schema.py")]
    result = subprocess.run(command, cwd=comfyui, capture_output=True, text=True)
    assert result.stdout.splitlines()[-1:] == ["HMD_X stride 3"], result.stderr
    assert "unexpected keyword argument 'defualt'" in result.stderr
