"""The front end in a real browser: our examples in the template browser, loaded without a fault, and those of an
older version, whose nodes had other widgets."""

from __future__ import annotations

import copy
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import Chromium
from examples import ARTEFACTS, EXAMPLES, Upload, saved, saved_workflows, twin_of, ui_workflows
from scenarios import with_value

from hmd_removal.comfyui.client import ComfyClient, Workflow
from hmd_removal.comfyui.server import ComfyServer

OURS = "HMD_"

every_saved_workflow = pytest.mark.parametrize("name", saved_workflows())
every_workflow = pytest.mark.parametrize("path", ui_workflows(), ids=lambda path: path.stem)

ENTRY = """[...document.querySelectorAll('[role=dialog] [role=button]')]
    .find(entry => entry.textContent.trim() == 'hmd-removal')"""
COMPLAINTS = """[...document.querySelectorAll('[role=dialog], .p-toast-message-error')]
    .map(element => element.innerText)"""

# First widgets of nodes that would take long.
QUICK = {"HMD_TrainPersonal": {"name": "saved", "minutes": 0.1}, "HMD_ComputeMetrics": {"networks": False}}

# A widget that shows a video, which some front ends queue with the others.
NO_INPUT = "video-preview"

# Whether the search has found a name. Open graphs have names too, which stand elsewhere on the page.
FOUND = """name => [...document.querySelectorAll('[role=dialog], [role=listbox], [role=option]')].some(
    one => one.innerText.includes(name))"""

# Connects what a blueprint takes and gives, as a user would: loaders of the example's files, and what saves or shows.
WIRE_UP = """(files, chosen) => {
    const [blueprint] = app.graph.nodes
    const added = (type, widgets = {}) => {
        const node = LiteGraph.createNode(type)
        app.graph.add(node)
        for (const [name, value] of Object.entries(widgets)) node.widgets.find(w => w.name == name).value = value
        return node
    }
    blueprint.inputs.forEach(({type}, slot) => {
        if (type == 'VIDEO') added('LoadVideo', {file: files.video}).connect(0, blueprint, slot)
        if (type == 'IMAGE') added('LoadImage', {image: files.image}).connect(0, blueprint, slot)
    })
    blueprint.outputs.forEach(({type}, slot) => {
        if (type == 'VIDEO') blueprint.connect(slot, added('SaveVideo'), 0)
        if (type == 'STRING') blueprint.connect(slot, added('PreviewAny'), 0)
    })
    for (const [name, value] of Object.entries(chosen)) blueprint.widgets.find(w => w.name == name).value = value
    app.graph.arrange()
    app.canvas.deselectAll()
}"""


@pytest.fixture(scope="module")
def page(server: ComfyServer, inputs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """The front end, ready for use."""
    for file in inputs.values():  # newer front ends complain of files that are not there
        shutil.copy(file, server.input)
    # A first visit would open the template browser and clear the graph at a moment of its own.
    settings = server.base / "user" / "default" / "comfy.settings.json"
    settings.parent.mkdir(exist_ok=True)
    settings.write_text(json.dumps({"Comfy.TutorialCompleted": True}))
    # Large enough to see a whole workflow with its text, which the front end leaves out when zoomed out far.
    with Chromium(tmp_path_factory.mktemp("chromium"), size=(2560, 1440)) as page:
        page.open(server.url)
        # It has started when ComfyUI's default workflow is there.
        page.wait_for("Boolean(window.app?.extensionManager?.command && window.app.graph?.nodes.length)")
        yield page


def browse_to(page: Chromium, name: str) -> None:
    """Pick a workflow of this pack from the template browser."""
    page.evaluate("app.extensionManager.command.execute('Comfy.BrowseTemplates')")
    page.wait_for(f"Boolean({ENTRY})")
    page.evaluate(f"{ENTRY}.click()")
    card = f"""document.querySelector('[data-testid="template-workflow-{name}"]')"""
    page.wait_for(f"Boolean({card})")
    page.evaluate("app.graph.clear()")
    page.evaluate(f"{card}.click()")
    page.wait_for(f"!{card} && app.graph.nodes.length > 0")


@every_workflow
def test_template_opens_with_every_node_drawn(page: Chromium, path: Path):
    saved = json.loads(path.read_text())
    browse_to(page, path.stem)
    page.evaluate("app.extensionManager.command.execute('Comfy.Canvas.FitView')")
    page.wait_for(f"app.canvas.visible_nodes.length == {len(saved['nodes'])}")
    page.screenshot(ARTEFACTS / f"{path.stem}.png")

    nodes = page.evaluate(
        "app.graph.nodes.map(node => ({type: node.type, errors: Boolean(node.has_errors),"
        " known: node.type in LiteGraph.registered_node_types || node.isVirtualNode}))"
    )
    assert sorted(node["type"] for node in nodes) == sorted(node["type"] for node in saved["nodes"])
    assert [node for node in nodes if node["errors"] or not node["known"]] == []
    assert page.evaluate(COMPLAINTS) == []
    assert page.exceptions == []


@every_workflow
def test_saved_widgets_and_links_are_the_front_ends_own(page: Chromium, path: Path):
    """Loaded and saved again, a workflow keeps its widgets' values, in order and number, and its links."""
    saved = json.loads(path.read_text())
    again = load(page, saved, "app.graph.serialize()")
    assert widgets(again, OURS) == widgets(saved, OURS)  # others get new ones in newer ComfyUIs
    assert sorted(again["links"]) == sorted(saved["links"])


@every_workflow
def test_api_twin_is_what_the_front_end_would_queue(page: Chromium, path: Path):
    queued = load(page, json.loads(path.read_text()), "app.graphToPrompt().then(prompt => prompt.output)")
    twin = json.loads(twin_of(path).read_text())
    assert graph(without_new_inputs(queued, twin)) == graph(twin)


@every_saved_workflow
def test_graph_of_an_older_version_keeps_its_values(page: Chromium, name: str, object_info: dict[str, Any]):
    """Its twin in API format names the values that its widgets had."""
    queued = load(page, saved(name), "app.graphToPrompt().then(prompt => prompt.output)")
    twin = of_today(saved(f"api/{name}"), object_info)
    assert graph(without_new_inputs(queued, twin)) == graph(twin)
    for node in page.evaluate("app.graph.nodes.map(n => ({type: n.type, inputs: n.inputs.map(i => i.name)}))"):
        if node["type"].startswith(OURS):
            sockets = set(node["inputs"]) - {"upload", NO_INPUT}  # a button, where there is one
            assert sockets == set(inputs_of(object_info[node["type"]]))


@pytest.mark.parametrize(
    ("kind", "old", "now"),
    [
        (
            "HMD_DeoccludeVideo",
            ["headset preset", "quest", 0.3, "telea", "oracle", 1, "hold", 0.5, -0.5, "covered", "1, 2, 3, 4", "none"],
            [
                "detect headset",
                "quest",
                0.3,
                "warp",
                "none",
                "hold",
                "1, 2, 3, 4",
                "high",
                1,
                0.5,
                -0.5,
                "flat",
                True,
                "reference",
                0.0,
            ],
        ),
        (
            "HMD_DeoccludeVideo",
            ["simulate headset", "band", 0.0, "static", "visible", 2, "error"],  # before some widgets were added
            [
                "simulate headset",
                "band",
                0.0,
                "warp",
                "none",
                "error",
                "",
                "high",
                2,
                0.0,
                0.0,
                "flat",
                True,
                "reference",
                0.0,
            ],
        ),
        ("HMD_DrawHMDMask", ["index", "freeform", 0.7, 5], ["index", 0.7, 5]),
        ("HMD_InpaintBaseline", ["lafin", "mine.safetensors", "oracle"], ["warp", "oracle"]),
        (
            "HMD_PersonalDeocclude",
            ["personal/me.safetensors", "oracle", 64, "float32", True, 0.5, True],
            ["personal/me.safetensors", "oracle", "float32", True, "reference", 25],
        ),
        (
            "HMD_PersonalDeocclude",
            ["personal/me.safetensors", "oracle", 64, "float32", True],  # when only some widgets were gone
            ["personal/me.safetensors", "oracle", "float32", True, "reference", 25],
        ),
        (
            "HMD_EVIHRnetInpaint",
            ["evi_hrnet", "oracle", 64, "float32"],
            ["evi_hrnet", "oracle", "float32", "reference", 25],
        ),
    ],
)
def test_old_values_go_where_they_belong(page: Chromium, kind: str, old: list, now: list):
    """And what a widget no longer offers becomes what comes nearest; loaded once more, nothing changes."""
    for values in (old, now):
        workflow = {"nodes": [{"id": 1, "type": kind, "pos": [0, 0], "size": [300, 300], "widgets_values": values}]}
        again = load(page, workflow | {"links": [], "version": 0.4}, "app.graph.serialize()")
        assert widgets(again) == {1: now}


def test_widget_that_is_gone_is_disconnected(page: Chromium):
    workflow = saved("use_personal_model")
    (node,) = [node for node in workflow["nodes"] if node["type"] == "HMD_PersonalDeocclude"]
    slot = next(number for number, slot in enumerate(node["inputs"]) if slot["name"] == "steadiness")
    link, source = workflow["last_link_id"] + 1, workflow["last_node_id"] + 1
    node["inputs"][slot]["link"] = link
    workflow["links"].append([link, source, 0, node["id"], slot, "FLOAT"])
    output = {"name": "FLOAT", "type": "FLOAT", "links": [link]}
    place = {"pos": [0, 0], "size": [200, 60], "flags": {}, "order": 0, "mode": 0, "properties": {}}
    workflow["nodes"].append(
        {"id": source, "type": "PrimitiveFloat", "inputs": [], "outputs": [output], "widgets_values": [0.5]} | place
    )
    workflow |= {"last_link_id": link, "last_node_id": source}
    again = load(page, workflow, "app.graph.serialize()")
    nodes = {node["type"]: node for node in again["nodes"]}
    assert "steadiness" not in [slot["name"] for slot in nodes["HMD_PersonalDeocclude"]["inputs"]]
    assert not nodes["PrimitiveFloat"]["outputs"][0]["links"]
    assert len(again["links"]) == len(workflow["links"]) - 1


@every_saved_workflow
def test_graph_of_an_older_version_runs(
    page: Chromium,
    name: str,
    comfy: Callable,
    fetch: Callable[[str], bytes],
    upload: Upload,
    inputs: dict[str, Path],
):
    """Queued by the front end, and in API format."""

    async def uploaded(client: ComfyClient) -> dict[str, str]:
        return {name: await client.upload(path) for name, path in inputs.items()}

    names = comfy(uploaded)
    workflow = saved(name)
    for node in workflow["nodes"]:
        values = node.get("widgets_values", [])
        node["widgets_values"] = [names.get(value, value) if isinstance(value, str) else value for value in values]
        for kind, changed in QUICK.items():
            if node["type"] == kind:
                node["widgets_values"][: len(changed)] = changed.values()
    before = json.loads(fetch("/history"))
    load(page, workflow, "app.queuePrompt(0, 1)")
    assert page.evaluate(COMPLAINTS) == []
    assert ended(fetch, set(before))["status"]["status_str"] == "success"

    async def scenario(client: ComfyClient) -> dict[str, Any]:
        graph = saved(f"api/{name}")
        for kind, changed in QUICK.items():
            with_value(graph, kind, **changed)
        return await client.run(await upload(client, graph, inputs))

    assert comfy(scenario)


@pytest.mark.parametrize(
    ("name", "files", "chosen"),
    [
        ("Remove headset", {"video": "headset.mp4", "image": "reference.png"}, {}),
        ("Remove headset with my model", {"video": "headset.mp4"}, {"my model": "personal/me.safetensors"}),
        ("Simulate and measure", {"video": "clip.mp4"}, {"LPIPS and identity": False}),
        ("Animate a picture", {"video": "headset.mp4", "image": "reference.png"}, {}),
        ("3-D face", {"video": "clip.mp4"}, {}),
    ],
)
def test_blueprint_is_found_by_its_name_and_runs(
    page: Chromium, name: str, files: dict[str, str], chosen: dict[str, Any], fetch: Callable[[str], bytes]
):
    page.evaluate("app.graph.clear()")
    page.evaluate("app.extensionManager.command.execute('Workspace.SearchBox.Toggle')")
    page.wait_for("document.activeElement?.tagName == 'INPUT'")
    page.call("Input.insertText", text=name)
    page.wait_for(f"({FOUND})({json.dumps(name)})")
    page.press("Enter", 13)
    page.wait_for("app.graph.nodes.length == 1")
    page.wait_for("!document.querySelector('[role=dialog]')")
    page.click(1600, 900)  # newer front ends leave it at the pointer until then
    assert page.evaluate("app.graph.nodes[0].title") == name

    before = json.loads(fetch("/history"))
    page.evaluate(f"({WIRE_UP})({json.dumps(files)}, {json.dumps(chosen)})")
    page.evaluate("app.queuePrompt(0, 1)")
    assert ended(fetch, set(before))["status"]["status_str"] == "success"
    page.evaluate("app.extensionManager.command.execute('Comfy.Canvas.FitView')")
    page.wait_for("app.canvas.visible_nodes.length == app.graph.nodes.length")
    page.screenshot(ARTEFACTS / f"{name}.png")
    assert page.exceptions == []


@pytest.mark.parametrize("renderer", ["classic", "Nodes 2.0"])
def test_results_are_shown_on_the_nodes(page: Chromium, renderer: str, comfy: Callable, fetch: Callable[[str], bytes]):
    """As a text, which is not saved with the graph, and as a video."""
    workflow = json.loads((EXAMPLES / "Video to video.json").read_text())
    page.evaluate(f"app.extensionManager.setting.set('Comfy.VueNodes.Enabled', {json.dumps(renderer != 'classic')})")
    try:
        comfy(ComfyClient.free)  # older ComfyUIs do not show again what they have in their cache
        before = json.loads(fetch("/history"))
        load(page, workflow, "app.queuePrompt(0, 1)")
        assert ended(fetch, set(before))["status"]["status_str"] == "success"
        page.wait_for("document.body.innerText.includes('24 of 24 frames have a found face.')")
        page.wait_for("[...document.querySelectorAll('video')].some(video => video.src.includes('hmd_removal_'))")
        page.screenshot(ARTEFACTS / f"shown, {renderer}.png")
        assert widgets(page.evaluate("app.graph.serialize()"), OURS) == widgets(workflow, OURS)
    finally:
        page.evaluate("app.extensionManager.setting.set('Comfy.VueNodes.Enabled', false)")


def ended(fetch: Callable[[str], bytes], before: set[str], timeout: float = 300.0) -> dict[str, Any]:
    """The history's entry of the run that is not among those before, once it has ended."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        for prompt_id, entry in json.loads(fetch("/history")).items():
            if prompt_id not in before:
                return entry
        time.sleep(0.5)
    raise TimeoutError(f"Nothing ended within {timeout:.0f} s.")


def of_today(workflow: Workflow, object_info: dict[str, Any]) -> Workflow:
    """An old workflow in API format with the inputs that its nodes have today, new ones at their defaults."""
    workflow = copy.deepcopy(workflow)
    for node in workflow.values():
        known = inputs_of(object_info[node["class_type"]])
        defaults = {name: options["default"] for name, (_, options) in known.items() if "default" in options}
        kept = {name: value for name, value in node["inputs"].items() if name in known}
        node["inputs"] = (defaults if node["class_type"].startswith(OURS) else {}) | kept
    return workflow


def inputs_of(info: dict[str, Any]) -> dict[str, Any]:
    return info["input"].get("required", {}) | info["input"].get("optional", {})


def load(page: Chromium, workflow: dict[str, Any], then: str) -> Any:
    return page.evaluate(f"app.loadGraphData({json.dumps(workflow)}).then(() => {then})")


def widgets(workflow: dict[str, Any], prefix: str = "") -> dict[int, list[Any]]:
    """The values of the nodes whose type begins so."""
    return {node["id"]: node.get("widgets_values", []) for node in workflow["nodes"] if node["type"].startswith(prefix)}


def graph(workflow: Workflow) -> dict[str, Any]:
    return {id: {key: node[key] for key in ("class_type", "inputs")} for id, node in workflow.items()}


def without_new_inputs(queued: Workflow, twin: Workflow) -> Workflow:
    """What was queued, without inputs of the core's nodes that the twin does not name: newer ComfyUIs have more."""
    queued = copy.deepcopy(queued)
    for id, node in queued.items():
        named = twin[id]["inputs"]
        node["inputs"] = {
            name: value
            for name, value in node["inputs"].items()
            if name != NO_INPUT and (name in named or node["class_type"].startswith(OURS))
        }
    return queued
