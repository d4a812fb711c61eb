"""Workflows in API format as templates: which of their inputs get the clip, and what else is set for each."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError
from .client import Workflow

CLIP, NAME = "clip", "name"  # placeholders for the footage, and for the path of its result without suffix
_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")


def read_workflow(path: Path) -> Workflow:
    """A workflow in API format.

    Raises:
        InputError: there is no such file, or it is something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"The workflow {path} does not exist.") from error
    except ValueError as error:
        raise InputError(f"{path} is no JSON ({error}): export the workflow from ComfyUI anew.") from error
    if isinstance(content, dict) and {"nodes", "links"} <= content.keys():
        raise InputError(
            f"{path} is in the format that ComfyUI's editor saves; the API needs the other one: open it in ComfyUI "
            "and choose Workflow > Export (API)."
        )
    if not isinstance(content, dict) or not content or not all(map(_is_node, content.values())):
        raise InputError(f"{path} is no workflow in API format: in ComfyUI choose Workflow > Export (API).")
    return content


def _is_node(node: Any) -> bool:
    return isinstance(node, dict) and "class_type" in node and isinstance(node.get("inputs"), dict)


@dataclass(frozen=True)
class Setting:
    """One input of a node, and its value, in which {clip}, {name} and a table's {columns} stand for what differs."""

    node: str
    input: str
    value: str

    @classmethod
    def parse(cls, text: str) -> Setting:
        """From NODE.INPUT=VALUE. Raises InputError."""
        match = re.fullmatch(r"([^.=]+)\.([^=]+)=(.*)", text, flags=re.DOTALL)
        if match is None:
            raise InputError(f"Expected --set NODE.INPUT=VALUE, such as 5.quality=small, got {text!r}.")
        return cls(*match.groups())

    @property
    def placeholders(self) -> list[str]:
        return _PLACEHOLDER.findall(self.value)

    def text(self, values: Mapping[str, str]) -> str | None:
        """The value for one clip; None where a placeholder of it is empty, which leaves the workflow's own."""
        if not all(values[name] for name in self.placeholders):
            return None
        return _PLACEHOLDER.sub(lambda match: values[match[1]], self.value)


def check_settings(workflow: Workflow, settings: Sequence[Setting], known: Sequence[str]) -> None:
    """Raises InputError where a setting is of an input that the workflow has not, or of an unknown placeholder."""
    for setting in settings:
        if setting.node not in workflow:
            nodes = ", ".join(f"{number} ({_title(node)})" for number, node in workflow.items())
            raise InputError(f"The workflow has no node {setting.node!r}: choose one of {nodes}.")
        inputs = workflow[setting.node]["inputs"]
        if setting.input not in inputs:
            raise InputError(
                f"Node {setting.node} ({_title(workflow[setting.node])}) has no input {setting.input!r}: choose one "
                f"of {', '.join(inputs)}."
            )
        if isinstance(inputs[setting.input], list):
            raise InputError(
                f"{setting.node}.{setting.input} is connected to another node: disconnect it in ComfyUI and export "
                "the workflow again."
            )
        for name in setting.placeholders:
            if name not in known:
                choices = ", ".join(f"{{{one}}}" for one in known)
                raise InputError(f"There is nothing for {{{name}}} in {setting.value!r}: choose one of {choices}.")


def with_clip(workflow: Workflow, schemas: Mapping[str, Any], settings: Sequence[Setting]) -> list[Setting]:
    """The settings, with one that puts the clip into the one input to which a video is uploaded, unless they say what
    becomes of it.

    schemas: of the node classes, as ComfyUI's object_info gives them. Raises InputError where no input is left for the
    clip, or several are.
    """
    said = {(setting.node, setting.input) for setting in settings if setting.placeholders}
    found = [
        (number, name)
        for number, node in workflow.items()
        for name, value in node["inputs"].items()
        if not isinstance(value, list) and _spec(schemas, node["class_type"], name)[1].get("video_upload")
    ]
    if any(CLIP in setting.placeholders for setting in settings) or said & set(found):
        return list(settings)
    if len(found) != 1:
        these = ", ".join(f"{number}.{name} ({_title(workflow[number])})" for number, name in found)
        raise InputError(
            f"The workflow has {len(found) or 'no'} inputs to which a video is uploaded{': ' if these else ''}{these}. "
            "Say which gets the clip by --set NODE.INPUT={clip}."
        )
    return [*settings, Setting(*found[0], f"{{{CLIP}}}")]


def is_text(schemas: Mapping[str, Any], class_type: str, name: str) -> bool:
    """Whether an input of a node is a text field, which takes a path as it is, and not a name of ComfyUI's."""
    return _spec(schemas, class_type, name)[0] == "STRING"


def with_values(workflow: Workflow, values: Mapping[tuple[str, str], str]) -> Workflow:
    """A copy with inputs (node, input) set, as numbers or switches where the workflow has such.

    Raises:
        InputError: a text where a number is.
    """
    workflow = copy.deepcopy(workflow)
    for (number, name), text in values.items():
        inputs = workflow[number]["inputs"]
        inputs[name] = _like(inputs[name], text, f"{number}.{name}")
    return workflow


def _like(present: Any, text: str, where: str) -> Any:
    if not isinstance(present, int | float):
        return text
    kind = "true or false" if isinstance(present, bool) else "a number"
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if isinstance(value, bool) != isinstance(present, bool) or not isinstance(value, int | float):
        raise InputError(f"Expected {kind} for {where}, got {text!r}.")
    return value


def _spec(schemas: Mapping[str, Any], class_type: str, name: str) -> tuple[Any, dict[str, Any]]:
    """Type and options of an input."""
    inputs = schemas.get(class_type, {}).get("input", {})
    spec = (inputs.get("required", {}) | inputs.get("optional", {})).get(name, [None])
    return spec[0], spec[1] if len(spec) > 1 else {}


def _title(node: dict[str, Any]) -> str:
    return node.get("_meta", {}).get("title") or node["class_type"]
