"""Lay out the example workflows: example_workflows/*.json, for ComfyUI's front end, from their twins in api/.

    python tools/build_workflows.py .comfyui

The twins say what is connected to what; LAYOUTS below says how it is shown; a running ComfyUI says what the nodes
look like. Run it after a change to any of the three.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hmd_removal import __version__
from hmd_removal.comfyui.client import ComfyClient, Workflow
from hmd_removal.comfyui.server import PACK, ComfyServer
from hmd_removal.weights.manifest import find_weight

EXAMPLES = PACK / "example_workflows"
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

# Pixels on the canvas.
WIDTH, GAP, MARGIN, TITLE, SLOT, WIDGET = 330, 70, 20, 30, 20, 26
PICTURES = {
    "HMD_ComputeMetrics": 380,
    "HMD_LoadVideoFrames": 290,
    "LoadImage": 330,
    "LoadVideo": 290,
    "PreviewImage": 240,
    "SaveVideo": 290,
}
NOTE_WIDTH = 380
GROUP_LOOKS = {"color": "#3f5159", "font_size": 24, "flags": {}}


@dataclass(frozen=True)
class Layout:
    """note: Markdown, shown left of all. columns: from the left, each a dict of group title -> ids of its nodes."""

    note: str
    columns: list[dict[str, list[int]]]


LAYOUTS = {
    "simulate_and_restore": Layout(
        note="""# Put a headset on, take it off again

Shows what the pack can do with any video of an **uncovered** face, and measures it.

1. Upload a clip in *A face without a headset* and run.
2. The first second serves as the reference. A headset is drawn on every frame; from there on, the face under it
is not looked at any more.
3. *Compute Metrics* compares the result with the original. The frames of the first second are counted too.

A `quest` hides half the face and some of what is beside it. Try `glasses`, which hide little more than the eyes, or
another device in *Put a headset on*. Set `landmarks` to `oracle` to see how much of the error comes from not knowing
what the hidden part of the face does: then connect *The true face* to *Take it off again* too.
""",
        columns=[
            {"Load": [1]},
            {"Reference": [2, 3, 4]},
            {"Put a headset on": [5, 6], "Save the input": [10, 11]},
            {"Take it off": [7, 8], "Save the result": [12, 13]},
            {"Compare": [9]},
        ],
    ),
    "compare_methods": Layout(
        note="""# Four methods next to the truth

Draws a headset on a clip of an **uncovered** face and takes it off again in four ways. *Save: side by side* shows them
in one video:

| | | |
|---|---|---|
| the truth | with the headset | telea |
| static | warp | evi-hrnet |

1. Upload a clip in *A face without a headset* and run.
2. The first second serves as the reference. `telea` gets none: it is OpenCV's inpainting, and knows nothing of faces.
`static` pastes the reference as it is.
3. *How close is ...?* compares each with the truth. The frames of the first second are counted too, which flatters all
but `telea`.

All of them see the same headset and the same landmarks. Try another device in *Put a headset on*. For what true
landmarks would give, connect *The true face* to all four and set their `landmarks` to `oracle`.

Everything is held in memory, the side-by-side pictures too: take a clip of some seconds.
""",
        columns=[
            {"Load": [1]},
            {"Reference": [2, 3, 4]},
            {"Put a headset on": [5, 6]},
            {"Take it off, in four ways": [7, 8, 9, 10, 11]},
            {"Side by side": [12, 13, 14, 15, 16]},
            {"Save": [17, 18]},
            {"Compare": [19, 20]},
            {"Compare too": [21, 22]},
        ],
    ),
    "remove_headset_with_mask": Layout(
        note="""# Remove a headset from footage

1. Upload the footage.
2. Upload its mask: a video of the same length that is white where the headset is. Any node that gives a MASK can take
its place: a segmentation node, *Draw HMD Mask*, or *Load Image (as Mask)* if the head keeps still.
3. Upload a photo of the same person without the headset: eyes open, facing the camera, in similar light.
4. Run.

All frames are held in memory. For more than a minute of video use *video_to_video*.
""",
        columns=[{"Load": [1, 2]}, {"Reference": [4, 5, 6]}, {"Remove": [3, 7, 8]}, {"Save": [9, 10]}],
    ),
    "remove_real_headset": Layout(
        note="""# Remove a headset, without a mask

1. Upload the footage; the headset may be on from its first frame to its last.
2. Upload a few seconds, or a minute, of the same person without the headset: eyes open, head turning a little, in
similar light.
3. Run, and look at *the mask*: it should cover the headset in every frame, and little else.

Where it does not, correct it in *Find the headset*: `grow` widens it, `shift_x` and `shift_y` move it along with the
head, and a `preset` near to your device steadies it. Where the wrong head is found, or none, write a box around the
right one in the first frame into `face_box` of *Find the face behind the headset*: x, y, width, height.

All frames are held in memory. For more than a minute of video use *video_to_video*.
""",
        columns=[
            {"Load": [1, 2]},
            {"Reference": [3, 4]},
            {"Find": [5, 6], "Save the mask": [7, 8]},
            {"Remove": [9], "Save the result": [10, 11]},
        ],
    ),
    "train_personal_model": Layout(
        note="""# Train a model of one person

1. Upload a minute or two of the person **without** the headset: alone, in good light, talking, blinking, looking
slowly to both sides, up and down.
2. Run. The model is usable after the first minute; cancel when you like, the best so far stays.

It is written to `models/hmd_removal/personal/me.safetensors`, and serves for every later video of that person: see
*use_personal_model*. The node's report says how the model compares with the warped reference on footage that was held
back, and what is missing in the video.

45 minutes are for a computer without a GPU; with one, 5 will do.
""",
        columns=[{"Load": [1]}, {"Train": [2]}, {"Look at it": [3, 4]}],
    ),
    "use_personal_model": Layout(
        note="""# Remove a headset from a person with a model

1. Train the model once, with *train_personal_model*.
2. Upload footage of the same person with the headset on, and choose the model's file in *Fill the mask*.
3. Run.

The model brings its own pictures of the person. If light or hair have changed since, connect newer ones, from *Pick
Reference Frame*, to `reference`; both are used then.
""",
        columns=[{"Load": [1]}, {"Find": [2, 3]}, {"Remove": [4]}, {"Save": [5, 6]}],
    ),
    "video_to_video": Layout(
        note="""# Remove a headset from a long video

One node does it all, piece by piece: memory does not grow with the length. Frames, timestamps and sound are kept, and
*Save Video* stores the result without encoding it again.

1. Upload the video and a photo of the person without the headset. Files over 100 MB are copied into ComfyUI's input
folder instead.
2. Run.

The headset is found by itself. To use a mask of your own, white on the headset, connect it to *mask*, or a video of
masks to *mask video*, and set *mask from* to *given mask*.
""",
        columns=[{"Load": [1]}, {"Reference": [2, 3, 4]}, {"Remove": [5]}, {"Save": [6]}],
    ),
}


def main(comfyui: Path) -> None:
    with tempfile.TemporaryDirectory() as base, ComfyServer(comfyui, base) as server:
        schemas = asyncio.run(_object_info(server.url))
    for name, layout in LAYOUTS.items():
        twin = json.loads((EXAMPLES / "api" / f"{name}.json").read_text())
        text = json.dumps(build(twin, layout, schemas), indent=2)
        (EXAMPLES / f"{name}.json").write_text(text + "\n")


async def _object_info(url: str) -> dict[str, Any]:
    async with ComfyClient(url) as client:
        return await client.object_info()


def build(twin: Workflow, layout: Layout, schemas: dict[str, Any]) -> dict[str, Any]:
    """The front end's format (version 0.4) of an API-format workflow."""
    nodes = {int(id): _node(int(id), entry, schemas[entry["class_type"]]) for id, entry in twin.items()}
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
    height = TITLE + SLOT * max(len(sockets), len(outputs)) + WIDGET * len(values) + PICTURES.get(kind, 0)
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


if __name__ == "__main__":
    main(Path(sys.argv[1]))
