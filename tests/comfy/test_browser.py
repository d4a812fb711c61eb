"""The front end in a real browser: our examples in the template browser, loaded without a fault."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import Chromium
from conftest import ARTEFACTS, EXAMPLES, ui_workflows

from hmd_removal.comfyui.server import ComfyServer

every_workflow = pytest.mark.parametrize("path", ui_workflows(), ids=lambda path: path.stem)

ENTRY = """[...document.querySelectorAll('[role=dialog] [role=button]')]
    .find(entry => entry.textContent.trim() == 'hmd-removal')"""
COMPLAINTS = """[...document.querySelectorAll('[role=dialog], .p-toast-message-error')]
    .map(element => element.innerText)"""


@pytest.fixture(scope="module")
def page(server: ComfyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """The front end, ready for use."""
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
    card = f"document.querySelector('[data-testid=template-workflow-{name}]')"
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
    assert widgets(again) == widgets(saved)
    assert sorted(again["links"]) == sorted(saved["links"])


@every_workflow
def test_api_twin_is_what_the_front_end_would_queue(page: Chromium, path: Path):
    queued = load(page, json.loads(path.read_text()), "app.graphToPrompt().then(prompt => prompt.output)")
    twin = json.loads((EXAMPLES / "api" / path.name).read_text())
    assert graph(queued) == graph(twin)


def load(page: Chromium, workflow: dict[str, Any], then: str) -> Any:
    return page.evaluate(f"app.loadGraphData({json.dumps(workflow)}).then(() => {then})")


def widgets(workflow: dict[str, Any]) -> dict[int, list[Any]]:
    return {node["id"]: node.get("widgets_values", []) for node in workflow["nodes"]}


def graph(workflow: dict[str, Any]) -> dict[str, Any]:
    return {id: {key: node[key] for key in ("class_type", "inputs")} for id, node in workflow.items()}
