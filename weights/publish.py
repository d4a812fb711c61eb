"""Putting the project's own weights on the Hugging Face Hub: `hmd-removal weights publish`."""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path

from .. import weights
from ..errors import InputError
from ..files import written_whole
from .hub import HubError
from .manifest import MANIFEST_FILE, Weight, find_weight, manifest

CARDS = MANIFEST_FILE.parent / "docs" / "models"
FRONT_MATTER = """---
license: apache-2.0
library_name: hmd-removal
tags:
- face
- inpainting
- virtual-reality
---
"""


def publish(names: Sequence[str] = (), *, repo_id: str | None = None, manifest_file: Path = MANIFEST_FILE) -> str:
    """Upload weight files with their model cards in one commit, and write its sha into the manifest; returns the sha.

    names: rows of the manifest; without names those that come from nowhere else, which are the project's own. repo_id:
    the repository, made if it does not exist; by default the rows' own. The token is the one that `hf auth login` or
    HF_TOKEN gave. Every file is checked first, so that nothing wrong is published.

    Raises:
        InputError: no such row, a file or card that is missing or wrong, or rows of several repositories.
        HubError: the Hub refused or could not be reached.
    """
    rows = [find_weight(name) for name in names] or [row for row in manifest().values() if not row.sources]
    homes = {repo_id} if repo_id is not None else {row.repo_id for row in rows}
    if len(homes) > 1:
        raise InputError(
            f"Expected weights of one repository, got some of {', '.join(sorted(homes))}; name a repository."
        )
    (home,) = homes
    files = {row.file: weights.fetch(row) for row in rows}
    cards = list(dict.fromkeys(_card(row) for row in rows))
    revision = _commit(home, files, FRONT_MATTER + "\n\n".join(card.read_text() for card in cards))
    _pin({row.name for row in rows}, home, revision, manifest_file)
    return revision


def _card(row: Weight) -> Path:
    card = CARDS / f"{re.sub('_[0-9]+$', '', row.name)}.md"  # the parts of a network share one
    if not card.is_file():
        raise InputError(f"Expected a model card for {row.name} in docs/models/{card.name}; write one first.")
    return card


def _commit(repo_id: str, files: dict[str, Path], readme: str) -> str:
    """One commit with all files; its sha."""
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub import errors as hub_errors

    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
    operations = [CommitOperationAdd(name, str(path)) for name, path in files.items()]
    operations.append(CommitOperationAdd("README.md", readme.encode()))
    transport_errors = (OSError, *hub_errors.HfHubHTTPError.__bases__)
    try:
        api.create_repo(repo_id, exist_ok=True)
        return api.create_commit(repo_id, operations, commit_message=f"Weights: {', '.join(files)}").oid
    except hub_errors.HfHubHTTPError as error:
        status = error.response.status_code
        why = "log in with `hf auth login`, as somebody who may write there" if status in (401, 403) else "try again"
        raise HubError(f"The Hub answered {status} to publishing in {repo_id}: {why}.") from error
    except transport_errors as error:
        raise HubError(f"The Hub could not be reached ({type(error).__name__}); nothing was published.") from error


def _pin(names: set[str], repo_id: str, revision: str, manifest_file: Path) -> None:
    content = json.loads(manifest_file.read_text(encoding="utf-8"))
    for row in content["weights"]:
        if row["name"] in names:
            row["repo_id"], row["revision"] = repo_id, revision
    with written_whole(manifest_file) as unfinished:
        unfinished.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
