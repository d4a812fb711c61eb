"""The example workflows, those of today and those that others have saved, and where test results go."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from hmd_removal.comfyui.client import ComfyClient, Workflow

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "example_workflows"
SUBGRAPHS = ROOT / "subgraphs"
SAVED = Path(__file__).resolve().parent / "saved"
ARTEFACTS = ROOT / "out" / "test"

Upload = Callable[[ComfyClient, Workflow, dict[str, Path]], Awaitable[Workflow]]
"""Send the files that a workflow names; gives the workflow with the names they got."""


def ui_workflows() -> list[Path]:
    """The workflows of the template browser."""
    return sorted(EXAMPLES.glob("*.json"))


def twin_of(path: Path) -> Path:
    """The API format of a workflow of the template browser, whose title is its file's name."""
    return EXAMPLES / "api" / f"{path.stem.lower().replace(' ', '_')}.json"


def api_workflows() -> list[Path]:
    """Their twins in API format."""
    return sorted((EXAMPLES / "api").glob("*.json"))


def saved_workflows() -> list[str]:
    """Names of the examples of version 0.1 at commit 602ad6d, which `saved` reads: others have saved such graphs."""
    return sorted(path.stem for path in SAVED.glob("*.json"))


def saved(name: str) -> dict[str, Any]:
    """One of them as the front end saved it, or "api/NAME" in API format."""
    return json.loads((SAVED / f"{name}.json").read_text())


def example(name: str) -> Workflow:
    """One of them, to be changed at will."""
    return json.loads((EXAMPLES / "api" / f"{name}.json").read_text())
