"""Is an API-format workflow what the nodes' schemas ask for?"""

from __future__ import annotations

from typing import Any

# A choice with inputs of its own, which newer ComfyUIs have; theirs have defaults.
DYNAMIC = "COMFY_DYNAMICCOMBO_V3"
_KINDS = {"INT": int, "FLOAT": (int, float), "BOOLEAN": bool, "STRING": str}


def faults(workflow: dict[str, Any], object_info: dict[str, Any]) -> list[str]:
    """One line for each fault: unknown node or input, missing input, bad value, bad link."""
    return [
        f"node {node_id} ({node['class_type']}): {fault}"
        for node_id, node in workflow.items()
        for fault in _node_faults(node, workflow, object_info)
    ]


def _node_faults(node: dict[str, Any], workflow: dict[str, Any], object_info: dict[str, Any]) -> list[str]:
    if node["class_type"] not in object_info:
        return ["unknown node"]
    schema = object_info[node["class_type"]]["input"]
    required, optional = schema.get("required", {}), schema.get("optional", {})
    found = [f"{name} is missing" for name in required if name not in node["inputs"]]
    for name, value in node["inputs"].items():
        if name not in required | optional:
            found.append(f"{name} is not an input")
        elif isinstance(value, list):
            found += _link_faults(name, value, (required | optional)[name], workflow, object_info)
        else:
            found += _value_faults(name, value, *(required | optional)[name])
    return found


def _link_faults(
    name: str, link: list[Any], spec: list[Any], workflow: dict[str, Any], object_info: dict[str, Any]
) -> list[str]:
    source, slot = link
    if source not in workflow:
        return [f"{name} comes from node {source}, which does not exist"]
    outputs = object_info[workflow[source]["class_type"]]["output"]
    if slot >= len(outputs):
        return [f"{name} comes from output {slot} of node {source}, which has {len(outputs)}"]
    given, taken = set(str(outputs[slot]).split(",")), set(str(spec[0]).split(","))
    if not given & taken and "*" not in given | taken:
        return [f"{name} takes {spec[0]}, gets {outputs[slot]}"]
    return []


def _value_faults(name: str, value: Any, kind: str | list[str], options: dict[str, Any]) -> list[str]:
    if options.get("video_upload") or options.get("image_upload"):
        # Names a file of the user's.
        return [] if isinstance(value, str) else [f"{name} is {value!r}, not a file name"]
    choices = kind if isinstance(kind, list) else options.get("options")
    if kind == DYNAMIC:
        choices = [choice["key"] for choice in choices]
    if choices is not None:
        return [] if value in choices else [f"{name} is {value!r}, not one of {choices}"]
    if kind not in _KINDS:
        return [f"{name} takes a link, gets {value!r}"]
    if not isinstance(value, _KINDS[kind]) or (isinstance(value, bool) and kind != "BOOLEAN"):
        return [f"{name} is {value!r}, not {kind}"]
    low, high = options.get("min", value), options.get("max", value)
    return [] if low <= value <= high else [f"{name} is {value}, not within {low} to {high}"]
