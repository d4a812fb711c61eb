"""Putting weights on the Hugging Face Hub: `hmd-removal weights publish`."""

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .. import weights
from ..errors import InputError
from ..files import written_whole
from .hub import HubError
from .manifest import MANIFEST_FILE, Weight, find_weight, manifest

CARDS = MANIFEST_FILE.parent / "docs" / "models"
DOCS = "https://github.com/hmd-removal/hmd-removal/blob/main/docs"
FRONT_MATTER = """---
license: other
license_name: of-each-file
library_name: hmd-removal
tags:
- face
- inpainting
- virtual-reality
---
"""


@dataclass(frozen=True)
class Publication:
    """What goes into one commit. repo_id: the repository. rows: of the manifest. readme: the model cards."""

    repo_id: str
    rows: tuple[Weight, ...]
    readme: str

    def __str__(self) -> str:
        """The files, a line each."""
        lines = [f"{row.file}  {row.bytes / 1e6:.1f} MB  {row.licence}" for row in self.rows]
        return "\n".join([f"To {self.repo_id}:", *lines, "README.md, the model cards"])


def publication(names: Sequence[str] = (), *, repo_id: str | None = None) -> Publication:
    """What `publish` would upload; nothing is fetched or sent.

    names: rows of the manifest; without names all but those on request. repo_id: the repository; by default the rows'
    own. Raises InputError: no such row, a card that is missing, or rows of several repositories.
    """
    rows = [find_weight(name) for name in names] or [row for row in manifest().values() if not row.on_request]
    homes = {repo_id} if repo_id is not None else {row.repo_id for row in rows}
    if len(homes) > 1:
        raise InputError(
            f"Expected weights of one repository, got some of {', '.join(sorted(homes))}; name a repository."
        )
    (home,) = homes
    # The page names every file that the repository holds, also those of earlier calls.
    before = [row for row in manifest().values() if row.revision is not None and row.repo_id == home]
    named = [*rows, *(row for row in before if row not in rows)]
    cards = dict.fromkeys(_card(row) for row in named)  # the parts of a network share one
    return Publication(home, tuple(rows), FRONT_MATTER + "\n\n".join(cards))


def publish(what: Publication, *, manifest_file: Path = MANIFEST_FILE) -> str:
    """Upload weight files with their model cards in one commit, and write its sha into the manifest; returns the sha.

    The repository is made if it does not exist. The token is the one that `hf auth login` or HF_TOKEN gave. Every file
    is fetched and checked first, so that nothing wrong is published.

    Raises:
        InputError: a file that is missing or wrong.
        HubError: the Hub refused or could not be reached.
    """
    files = {row.file: weights.fetch(row) for row in what.rows}
    revision = _commit(what.repo_id, files, what.readme)
    _pin({row.name for row in what.rows}, what.repo_id, revision, manifest_file)
    return revision


def _card(row: Weight) -> str:
    """Of the project's own weights the one that is written in docs/models; of others what the manifest knows."""
    if row.sources:
        packages = ", ".join(source.package for source in row.sources)
        return (
            f"# Model card: {row.name}\n\n{row.what}.\n\n- Not trained by this project: the file holds the weights "
            f"that {packages} carries.\n- Licence: {row.licence}.\n- Training data: {row.training_data}.\n"
        )
    card = CARDS / f"{re.sub('_[0-9]+$', '', row.name)}.md"
    if not card.is_file():
        raise InputError(f"Expected a model card for {row.name} in docs/models/{card.name}; write one first.")
    # On the Hub a card has neither the docs nor the other cards beside it.
    text = card.read_text(encoding="utf-8").replace("](../", f"]({DOCS}/")
    return re.sub(r"\]\((\w+\.md)", rf"]({DOCS}/models/\1", text)


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
