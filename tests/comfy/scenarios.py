"""Steps of the tests that run workflows."""

from __future__ import annotations

import re

from hmd_removal.comfyui.client import ComfyClient, Event, Workflow


def with_value(workflow: Workflow, class_type: str, **values: str | int | bool) -> Workflow:
    """A workflow with widgets of all its nodes of one class set."""
    for node in workflow.values():
        if node["class_type"] == class_type:
            node["inputs"] |= values
    return workflow


async def last_event(client: ComfyClient, workflow: Workflow) -> Event:
    prompt_id = await client.queue(workflow)
    return [event async for event in client.follow(prompt_id)][-1]


def assert_one_sentence(end: Event, words: str) -> None:
    assert end.type == "execution_error"
    assert end.data["exception_type"].endswith("errors.InputError"), end.data["exception_message"]
    # One sentence; it may begin with the name of a file.
    assert re.fullmatch(r"[A-Z'\d].*\.", end.data["exception_message"].strip())
    assert re.search(words, end.data["exception_message"])
