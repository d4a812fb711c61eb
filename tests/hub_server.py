"""A loopback server that speaks the parts of the Hugging Face Hub's protocol by which files are downloaded, and
uploaded in a commit.

As on the Hub, a file's address redirects to its content on another host; the redirect carries commit, size
and ETag, and the content can be had from any byte on. An upload asks which files are large, sends those by the LFS
protocol, and then a commit, in lines of JSON, that holds the small ones.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    range: str | None
    authorization: str | None


@dataclass
class Hub:
    """Serves `files[repo id][commit][file name]`. The connection breaks once, after `cut_after` bytes.

    Whoever has `token` may upload, and nobody when it is empty; files named *.safetensors are large.
    """

    files: dict[str, dict[str, dict[str, bytes]]]
    token: str = ""
    large: dict[str, bytes] = field(default_factory=dict)
    cut_after: int | None = None
    requests: list[Request] = field(default_factory=list)
    endpoint: str = ""


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serve `hub` at its `endpoint` until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            hub.requests.append(Request("POST", self.path, None, self.headers.get("Authorization")))
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if not hub.token or self.headers.get("Authorization") != f"Bearer {hub.token}":
                self._fail(401, "Unauthorized")
                return
            path = self.path.partition("?")[0]
            if path == "/api/repos/create":
                asked = json.loads(body)
                repo = f"{asked['organization']}/{asked['name']}"
                hub.files.setdefault(repo, {})
                self._send_json({"url": f"{hub.endpoint}/{repo}"})
            elif path == "/api/validate-yaml":
                self._send_json({"errors": [], "warnings": []})
            elif path.endswith("/preupload/main"):
                names = [file["path"] for file in json.loads(body)["files"]]
                modes = {name: "lfs" if name.endswith(".safetensors") else "regular" for name in names}
                self._send_json(
                    {"files": [{"path": n, "uploadMode": m, "shouldIgnore": False} for n, m in modes.items()]}
                )
            elif path.endswith(".git/info/lfs/objects/batch"):
                objects = [
                    {**o, "actions": {"upload": {"href": f"{hub.endpoint}/upload/{o['oid']}", "header": {}}}}
                    for o in json.loads(body)["objects"]
                ]
                self._send_json({"transfer": "basic", "objects": objects})
            elif commit := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", path):
                self._send_json(self._commit(commit[1], [json.loads(line) for line in body.splitlines()]))
            else:
                self._fail(404, "EntryNotFound")

        def do_PUT(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            sha256 = hashlib.sha256(data).hexdigest()
            if self.path != f"/upload/{sha256}":
                self._fail(400, "BadRequest")
                return
            hub.large[sha256] = data
            self._send_json({})

        def _commit(self, repo: str, lines: list[dict]) -> dict[str, str]:
            files = {}
            for line in lines:
                value = line["value"]
                if line["key"] == "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    files[value["path"]] = hub.large[value["oid"]]
            commit = hashlib.sha1(repr(sorted(files)).encode()).hexdigest()
            hub.files[repo][commit] = files
            return {"commitUrl": f"{hub.endpoint}/{repo}/commit/{commit}", "commitOid": commit}

        def _send_json(self, content: dict) -> None:
            data = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _answer(self) -> None:
            headers = self.headers
            hub.requests.append(Request(self.command, self.path, headers.get("Range"), headers.get("Authorization")))
            if self.path.startswith("/content/"):
                self._send_content(self.path.removeprefix("/content/"))
                return
            parts = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self.path)
            repo, commit, name = parts.groups() if parts else ("", "", "")
            if repo not in hub.files:
                # To the public a missing repository is like a private one.
                self._fail(401, "RepoNotFound")
            elif commit not in hub.files[repo]:
                self._fail(404, "RevisionNotFound")
            elif name not in hub.files[repo][commit]:
                self._fail(404, "EntryNotFound")
            else:
                data = hub.files[repo][commit][name]
                sha256 = hashlib.sha256(data).hexdigest()
                self.send_response(302)
                # By name and by number this server is two hosts.
                host = hub.endpoint.replace("127.0.0.1", "localhost")
                self.send_header("Location", f"{host}/content/{sha256}")
                self.send_header("X-Repo-Commit", commit)
                self.send_header("X-Linked-Size", str(len(data)))
                self.send_header("X-Linked-Etag", f'"{sha256}"')
                self.send_header("Content-Length", "0")
                self.end_headers()

        def _send_content(self, sha256: str) -> None:
            stored = (d for commits in hub.files.values() for files in commits.values() for d in files.values())
            data = next(d for d in stored if hashlib.sha256(d).hexdigest() == sha256)
            first = int(re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "bytes=0-"))[1])
            self.send_response(206 if "Range" in self.headers else 200)
            if "Range" in self.headers:
                self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(data) - first))
            self.send_header("ETag", f'"{sha256}"')
            self.end_headers()
            if self.command == "HEAD":
                return
            if hub.cut_after is not None:
                self.wfile.write(data[first : first + hub.cut_after])
                hub.cut_after = None
                self.close_connection = True
                return
            self.wfile.write(data[first:])

        def _fail(self, status: int, code: str) -> None:
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    return Handler
