"""Download of one file from the Hugging Face Hub: pinned revision, no token, resumed where it broke off."""

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import InputError
from .cache import writing
from .manifest import Weight

Progress = Callable[[int, int], None]


class HubError(InputError):
    """The Hub did not give the file. The message says why, as a clause without a full stop."""


@contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold back other processes that want to download the same file."""
    from filelock import FileLock  # a dependency of huggingface_hub

    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{path}.lock").acquire()
    with lock:
        yield


def download(weight: Weight, partial: Path, progress: Progress | None) -> None:
    """Download `weight` into `partial`, continuing after the bytes that it already holds.

    Calls the pieces of huggingface_hub rather than `hf_hub_download`, because only so do all its versions
    report progress, stop when `progress` raises, and resume in a later call. HF_ENDPOINT and HF_HUB_OFFLINE
    are read at the time of the call. Public files need no token and a stale one would be refused, so none is
    sent.

    Raises:
        HubError: offline, unreachable, broken off, or no such public repository, revision or file.
        InputError: `partial` can't be written.
    """
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        raise HubError("HF_HUB_OFFLINE is set, so the Hub was not asked")
    from huggingface_hub import errors as hub_errors
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.file_download import http_get
    from huggingface_hub.utils import build_hf_headers

    endpoint = os.environ.get("HF_ENDPOINT")
    url = hf_hub_url(weight.repo_id, weight.file, revision=weight.revision, endpoint=endpoint)
    # HfHubHTTPError's bases are the transport's root error: requests' is an OSError, httpx's is not.
    transport_errors = (OSError, *hub_errors.HfHubHTTPError.__bases__)
    remote = None
    try:
        remote = get_hf_file_metadata(url, token=False)
        total = remote.size or weight.bytes
        with _Sink(partial, total, progress) as sink:
            http_get(
                remote.location,
                sink,
                resume_size=sink.tell(),
                headers=build_hf_headers(token=False),
                expected_size=total,
                displayed_filename=weight.file,
            )
    except hub_errors.RevisionNotFoundError as error:
        raise HubError(f"the Hub's {weight.repo_id} has no revision {weight.revision}") from error
    except hub_errors.EntryNotFoundError as error:
        raise HubError(f"the Hub's {weight.repo_id} has no file {weight.file}") from error
    except hub_errors.RepositoryNotFoundError as error:
        raise HubError(f"the Hub has no public repository {weight.repo_id}") from error
    except hub_errors.HfHubHTTPError as error:
        raise HubError(f"the Hub answered {error.response.status_code} for {weight.file}") from error
    except transport_errors as error:
        if remote is None:
            raise HubError(f"the Hub could not be reached ({type(error).__name__})") from error
        kept = partial.stat().st_size
        raise HubError(
            f"the download of {weight.file} broke off after {kept} of {total} bytes: try again to continue"
        ) from error


class _Sink(io.FileIO):
    """A file opened for appending that reports its size after every write."""

    def __init__(self, path: Path, total: int, progress: Progress | None) -> None:
        with writing(path):
            super().__init__(path, "ab")
            if self.tell() > total:
                self.seek(0)
                self.truncate()
        self._total = total
        self._progress = progress

    def write(self, data: bytes) -> int:
        # An unbuffered file may take less than it is given; a full disk then shows in the next call.
        left = memoryview(data)
        with writing(Path(self.name)):
            while left:
                left = left[super().write(left) :]
        if self._progress is not None:
            self._progress(self.tell(), self._total)
        return len(data)
