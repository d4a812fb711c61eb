"""How a graph in API format is laid out as ComfyUI's front end saves it: example workflows, and blueprints."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from hmd_removal import __version__
from hmd_removal.comfyui.client import Workflow
from hmd_removal.weights.manifest import find_weight

WIDGETS = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO"}
# An upload button is a widget of its own, the node's last; this is what the front end saves of it.
UPLOADS = ("image_upload", "video_upload")
UPLOAD_BUTTON = "image"
WEIGHTS = {
    "HMD_DetectFaceLandmarks": ("face_landmarker",),
    "HMD_PickReferenceFrame": ("face_landmarker",),
    "HMD_DeoccludeVideo": ("face_landmarker",),
    "HMD_EVIHRnetInpaint": ("evi_hrnet",),
    "HMD_TrainPersonal": ("face_landmarker", "face_embedding"),
    "HMD_ComputeMetrics": ("lpips_alex", "face_embedding"),
}

# Pixels on the canvas. A row is as high as in Nodes 2.0, where it is highest.
WIDTH, GAP, MARGIN, TITLE, SLOT, WIDGET = 330, 70, 20, 30, 22, 34
TEXT, PICTURE = 80, 240  # what a node shows when it has run
ONE_PHOTO = 420  # a single picture of the reference, upright, which Nodes 2.0 shows as wide as the node
SHOWN = {
    "HMD_ComputeMetrics": 380 + TEXT,
    "HMD_DeoccludeVideo": 290 + TEXT,
    "HMD_DetectFaceLandmarks": TEXT,
    "HMD_DetectHeadset": 290 + TEXT,
    "HMD_FaceMesh": TEXT,
    "HMD_LoadTracking": PICTURE + TEXT,
    "HMD_LoadVideoFrames": 290,
    "HMD_PickReferenceFrame": PICTURE,
    "HMD_TrainPersonal": 290 + TEXT,
    "LoadImage": 330,
    "LoadVideo": 290,
    "Preview3D": 330,
    "PreviewImage": PICTURE,
    "SaveVideo": 290,
}
NOTE_WIDTH = 380
GROUP_LOOKS = {"color": "#3f5159", "font_size": 24, "flags": {}}

# Of a blueprint: the numbers that the front end gives to its two ends, and where their slots are.
INPUT_NODE, OUTPUT_NODE = -10, -20
END_WIDTH, END_SLOT = 128, 20
PREVIEW = "$$canvas-image-preview"  # the front end's name for what a node shows
IDS = uuid.uuid5(uuid.NAMESPACE_URL, "https://github.com/hmd-removal/hmd-removal/subgraphs")


@dataclass(frozen=True)
class Layout:
    """note: Markdown, shown left of all. columns: from the left, each a dict of group title -> ids of its nodes."""

    note: str
    columns: list[dict[str, list[int]]]


@dataclass(frozen=True)
class Blueprint:
    """A graph that is used as one node.

    inputs: label -> (node, name of its input). outputs: label -> (node, number of its output).
    columns: ids of nodes, from the left. shown: nodes whose pictures, not videos, that one node shows.
    """

    description: str
    inputs: dict[str, tuple[int, str]]
    outputs: dict[str, tuple[int, int]]
    columns: list[list[int]]
    shown: list[int] = field(default_factory=list)


def build(twin: Workflow, layout: Layout, schemas: dict[str, Any]) -> dict[str, Any]:
    """The front end's format (version 0.4) of an API-format workflow."""
    nodes = _nodes(twin, schemas)
    links = _connect(twin, nodes)
    groups = _arrange(nodes, layout)
    note = _note(max(nodes) + 1, layout.note)
    for order, node in enumerate([note, *_in_running_order(twin, nodes)]):
        node["order"] = order
    return {
        "last_node_id": note["id"],
        "last_link_id": len(links),
        "nodes": [note, *nodes.values()],
        "links": links,
        "groups": groups,
        "config": {},
        "extra": {},
        "version": 0.4,
    }


def build_blueprint(name: str, twin: Workflow, blueprint: Blueprint, schemas: dict[str, Any]) -> dict[str, Any]:
    """The front end's format of a blueprint: a graph of one node, and what is in it. `twin` lacks the inputs that
    come from outside, or has their defaults."""
    nodes = _nodes(twin, schemas)
    links = [_link(*link) for link in _connect(twin, nodes)]
    for order, node in enumerate(_in_running_order(twin, nodes)):
        node["order"] = order
    groups = _arrange(nodes, Layout("", [{"": column} for column in blueprint.columns]))
    right = max(group["bounding"][0] + group["bounding"][2] for group in groups) + GAP
    inputs = _inputs(name, blueprint, nodes, links, -END_WIDTH)
    outputs = _outputs(name, blueprint, nodes, links, right)
    subgraph = {
        "id": str(uuid.uuid5(IDS, name)),
        "version": 1,
        "state": {"lastGroupId": 0, "lastNodeId": max(nodes), "lastLinkId": len(links), "lastRerouteId": 0},
        "revision": 0,
        "config": {},
        "name": name,
        "description": blueprint.description,
        "category": "HMD Removal",
        "inputNode": _end(INPUT_NODE, -END_WIDTH, len(inputs)),
        "outputNode": _end(OUTPUT_NODE, right, len(outputs)),
        "inputs": inputs,
        "outputs": outputs,
        "widgets": [],
        "nodes": list(nodes.values()),
        "groups": [],
        "links": links,
        "extra": {},
    }
    return {
        "revision": 0,
        "last_node_id": 1,
        "last_link_id": 0,
        "nodes": [_as_one_node(subgraph, blueprint, nodes)],
        "links": [],
        "groups": [],
        "config": {},
        "definitions": {"subgraphs": [subgraph]},
        "extra": {"BlueprintDescription": blueprint.description},
        "version": 0.4,
    }


def _as_one_node(subgraph: dict[str, Any], blueprint: Blueprint, nodes: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """The node that a blueprint is used as. Its widgets are those of the nodes inside."""
    inputs = []
    for slot, (id, input_name) in zip(subgraph["inputs"], blueprint.inputs.values(), strict=True):
        target = _slot(nodes[id]["inputs"], input_name)[1]
        widget = {"widget": {"name": slot["name"]}} if "widget" in target else {}
        inputs.append({"name": slot["name"], "type": slot["type"], "link": None} | widget)
    outputs = [{"name": slot["name"], "type": slot["type"], "links": []} for slot in subgraph["outputs"]]
    height = TITLE + WIDGET * max(len(inputs), len(outputs)) + (PICTURE if blueprint.shown else 0)
    return {
        "id": 1,
        "type": subgraph["id"],
        "pos": [0, 0],
        "size": [WIDTH, height],
        "flags": {},
        "order": 0,
        "mode": 0,
        "inputs": inputs,
        "outputs": outputs,
        "title": subgraph["name"],
        "properties": {
            "cnr_id": "hmd-removal",
            "ver": __version__,
            # What one node shows of those in it, for older front ends and for newer ones.
            "proxyWidgets": [[str(id), PREVIEW] for id in blueprint.shown],
            "previewExposures": [
                {"name": PREVIEW, "sourceNodeId": str(id), "sourcePreviewName": PREVIEW} for id in blueprint.shown
            ],
        },
        "widgets_values": [],
    }


def _inputs(
    name: str, blueprint: Blueprint, nodes: dict[int, dict[str, Any]], links: list[dict[str, Any]], left: float
) -> list[dict[str, Any]]:
    """The slots through which a blueprint is given something; their links are added to the nodes and to `links`."""
    slots = []
    for number, (label, (id, input_name)) in enumerate(blueprint.inputs.items()):
        slot, target = _slot(nodes[id]["inputs"], input_name)
        target["link"] = len(links) + 1
        links.append(_link(target["link"], INPUT_NODE, number, id, slot, target["type"]))
        slots.append(_end_slot(f"{name}/input/{label}", links[-1], left, number))
    return slots


def _outputs(
    name: str, blueprint: Blueprint, nodes: dict[int, dict[str, Any]], links: list[dict[str, Any]], left: float
) -> list[dict[str, Any]]:
    """The slots through which it gives something, likewise."""
    slots = []
    for number, (label, (id, slot)) in enumerate(blueprint.outputs.items()):
        source = nodes[id]["outputs"][slot]
        source["links"].append(len(links) + 1)
        links.append(_link(len(links) + 1, id, slot, OUTPUT_NODE, number, source["type"]))
        slots.append(_end_slot(f"{name}/output/{label}", links[-1], left, number))
    return slots


def _link(id: int, source: int, output: int, target: int, input: int, type_: str) -> dict[str, Any]:
    return {
        "id": id,
        "origin_id": source,
        "origin_slot": output,
        "target_id": target,
        "target_slot": input,
        "type": type_,
    }


def _slot(slots: list[dict[str, Any]], name: str) -> tuple[int, dict[str, Any]]:
    """Number of the slot of that name, and the slot."""
    return next((number, slot) for number, slot in enumerate(slots) if slot["name"] == name)


def _end(id: int, left: float, slots: int) -> dict[str, Any]:
    """One of the two ends of a blueprint."""
    return {"id": id, "bounding": [left, 0, END_WIDTH, END_SLOT * (slots + 3)]}


def _end_slot(path: str, link: dict[str, Any], left: float, number: int) -> dict[str, Any]:
    """path: blueprint, "input" or "output", and label."""
    return {
        "id": str(uuid.uuid5(IDS, path)),
        "name": path.rpartition("/")[2],
        "type": link["type"],
        "linkIds": [link["id"]],
        "pos": [left, END_SLOT * (number + 1)],
    }


def _nodes(twin: Workflow, schemas: dict[str, Any]) -> dict[int, dict[str, Any]]:
    return {int(id): _node(int(id), entry, schemas[entry["class_type"]]) for id, entry in twin.items()}


def _node(id: int, entry: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    kind, given = entry["class_type"], entry["inputs"]
    sockets, widgets, values, buttons = [], [], [], []
    for optional, group in ((False, "required"), (True, "optional")):
        for name, (type_, *options) in schema["input"].get(group, {}).items():
            type_ = "COMBO" if isinstance(type_, list) else type_
            slot = {"name": name, "type": type_, "link": None} | ({"shape": 7} if optional else {})
            if type_ not in WIDGETS:
                sockets.append(slot)
                continue
            widgets.append(slot | {"widget": {"name": name}})
            options = options[0] if options else {}
            value = given.get(name)
            values.append(options.get("default") if isinstance(value, list) else value)
            buttons += [UPLOAD_BUTTON for key in UPLOADS if options.get(key)]
    values += buttons
    outputs = [
        {"name": name, "type": type_, "links": []}
        for name, type_ in zip(schema["output_name"], schema["output"], strict=True)
    ]
    shown = ONE_PHOTO if (kind, given.get("kind")) == ("HMD_PickReferenceFrame", "photos") else SHOWN.get(kind, 0)
    height = TITLE + SLOT * max(len(sockets), len(outputs)) + WIDGET * len(values) + shown
    node = {
        "id": id,
        "type": kind,
        "pos": [0, 0],
        "size": [WIDTH, height],
        "flags": {},
        "order": 0,
        "mode": 0,
        "inputs": sockets + widgets,
        "outputs": outputs,
        "properties": _properties(kind),
        "widgets_values": values,
    }
    title = entry.get("_meta", {}).get("title", schema["display_name"])
    return node if title == schema["display_name"] else node | {"title": title}


def _properties(kind: str) -> dict[str, Any]:
    if not kind.startswith("HMD_"):
        return {"cnr_id": "comfy-core", "Node name for S&R": kind}
    properties = {"cnr_id": "hmd-removal", "ver": __version__, "Node name for S&R": kind}
    models = [
        {
            "name": weight.file,
            "url": f"https://huggingface.co/{weight.repo_id}/resolve/{weight.revision}/{weight.file}",
            "hash": weight.sha256,
            "hash_type": "SHA256",
            "directory": "hmd_removal",
        }
        for weight in map(find_weight, WEIGHTS.get(kind, ()))
        if weight.revision  # before its publication there is no address to offer
    ]
    return properties | ({"models": models} if models else {})


def _connect(twin: Workflow, nodes: dict[int, dict[str, Any]]) -> list[list[Any]]:
    """Fill in the nodes' links and return them: [id, from node, from slot, to node, to slot, type]."""
    links = []
    for id, entry in twin.items():
        for slot, target in enumerate(nodes[int(id)]["inputs"]):
            origin = entry["inputs"].get(target["name"])
            if not isinstance(origin, list):
                continue
            source, index = int(origin[0]), origin[1]
            target["link"] = len(links) + 1
            nodes[source]["outputs"][index]["links"].append(target["link"])
            links.append([target["link"], source, index, int(id), slot, target["type"]])
    return links


def _arrange(nodes: dict[int, dict[str, Any]], layout: Layout) -> list[dict[str, Any]]:
    """Put the nodes in their groups' columns and return the groups."""
    groups, left, placed = [], GAP, []
    for column in layout.columns:
        top = 0
        for title, members in column.items():
            bottom = top + TITLE + 2 * MARGIN
            for node in (nodes[id] for id in members):
                node["pos"] = [left + MARGIN, bottom + TITLE]
                bottom += TITLE + node["size"][1] + MARGIN
            box = [left, top, WIDTH + 2 * MARGIN, bottom - top]
            groups.append({"id": len(groups) + 1, "title": title, "bounding": box, **GROUP_LOOKS})
            placed += members
            top = bottom + MARGIN
        left += WIDTH + 2 * MARGIN + GAP
    if sorted(placed) != sorted(nodes):
        raise ValueError(f"Each of the nodes {sorted(nodes)} must be in one group, but in groups are {sorted(placed)}.")
    return groups


def _note(id: int, text: str) -> dict[str, Any]:
    return {
        "id": id,
        "type": "MarkdownNote",
        "pos": [-NOTE_WIDTH, TITLE],
        "size": [NOTE_WIDTH, 460],
        "flags": {},
        "order": 0,
        "mode": 0,
        "inputs": [],
        "outputs": [],
        "title": "Read me",
        "properties": {},
        "widgets_values": [text],
        "color": "#432",
        "bgcolor": "#653",
    }


def _in_running_order(twin: Workflow, nodes: dict[int, dict[str, Any]]) -> list[dict[str, Any]]:
    """Every node after those it takes its inputs from."""
    ordered: dict[str, dict[str, Any]] = {}

    def visit(id: str) -> None:
        for value in twin[id]["inputs"].values():
            if isinstance(value, list):
                visit(value[0])
        ordered.setdefault(id, nodes[int(id)])

    for id in twin:
        visit(id)
    return list(ordered.values())
