"""Steps of the tests that run workflows."""

from __future__ import annotations

import re

from hmd_removal.comfyui.client import ComfyClient, ComfyError, Event, Workflow


def with_value(workflow: Workflow, class_type: str, **values: str | int | bool) -> Workflow:
    """A workflow with widgets of all its nodes of one class set."""
    for node in workflow.values():
        if node["class_type"] == class_type:
            node["inputs"] |= values
    return workflow


REFUSED = "refused"


async def last_event(client: ComfyClient, workflow: Workflow) -> Event:
    """How a workflow ends; `REFUSED` where it is not even queued."""
    try:
        prompt_id = await client.queue(workflow)
    except ComfyError as error:
        return Event(REFUSED, {"message": str(error)})
    return [event async for event in client.follow(prompt_id)][-1]


def assert_one_sentence(end: Event, words: str) -> None:
    if end.type == REFUSED:
        # Newer ComfyUIs look themselves whether a list offers the value.
        assert "not in list" in end.data["message"].lower(), end.data["message"]
        return
    assert end.type == "execution_error"
    assert end.data["exception_type"].endswith("errors.InputError"), end.data["exception_message"]
    # One sentence; it may begin with the name of a file.
    assert re.fullmatch(r"[A-Z'\d].*\.", end.data["exception_message"].strip())
    assert re.search(words, end.data["exception_message"])
