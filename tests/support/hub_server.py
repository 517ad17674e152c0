"""A stand-in for the hub's HTTP interface, as far as huggingface_hub's client needs it to push a model.

Repositories, commits and large files are held in memory, and every request is logged. Not covered: Xet, branches, pull
requests, and downloads.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "hf_StandInTokenOfNobodyAtAll012345678"
OWNER = "me"
LARGE_BYTES = 5000  # smaller files are in the commit itself


@dataclass
class Repository:
    """Its visibility, and the files of each commit (path to sha256), the newest last."""

    private: bool
    commits: list[dict[str, str]] = field(default_factory=lambda: [{".gitattributes": ""}])

    def sha(self, number: int = -1) -> str:
        number %= len(self.commits)
        return hashlib.sha1(f"{number} {self.commits[number]}".encode()).hexdigest()


@dataclass
class Hub:
    """The state of the stand-in, and what it is to do wrong.

    `faults` maps a request, such as `POST /api/repos/create` with `*` for any text, to a status, or to "cut": the
    connection is closed in the middle of the request, and of all later ones until `faults` is changed.
    """

    url: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    large: dict[str, bytes] = field(default_factory=dict)  # by sha256
    log: list[str] = field(default_factory=list)
    faults: dict[str, int | str] = field(default_factory=dict)
    message: str = ""  # of an error
    ignored: str = ""  # a path, as by .gitignore
    secrets_seen: list[str] = field(default_factory=list)  # requests with the token outside its header

    def fault(self, request: str) -> int | str | None:
        return next((fault for pattern, fault in self.faults.items() if fnmatch(request, pattern)), None)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer is one packet: else each waits for the acknowledgement of its headers
    hub: Hub

    def log_message(self, format: str, *args: object) -> None:
        pass

    def handle_request(self) -> None:
        request = f"{self.command} {self.path.partition('?')[0]}"
        fault = self.hub.fault(request)
        size = int(self.headers.get("Content-Length", 0))
        if fault == "cut":
            self.rfile.read(size // 2)
            self.hub.log.append(f"{request} cut off after {size // 2:,} of {size:,} bytes")
            self.close_connection = True
            self.connection.shutdown(2)
            return
        body = self.rfile.read(size)
        if TOKEN.encode() in body or TOKEN in self.path:
            self.hub.secrets_seen.append(request)
        is_known = self.path.startswith("/large/") or self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if isinstance(fault, int):
            status, answer = fault, {"error": self.hub.message}
        elif not is_known:
            status, answer = 401, {"error": "Invalid credentials"}
        else:
            status, answer = self.answer(request, body)
        self.hub.log.append(f"{request} {status}" + (f", {size:,} bytes" if self.command == "PUT" else ""))
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = handle_request

    def answer(self, request: str, body: bytes) -> tuple[int, dict]:
        """The status and the answer to a request that nothing is wrong with."""
        hub = self.hub
        if request.startswith("PUT /large/"):
            digest = request.rpartition("/")[2]
            if hashlib.sha256(body).hexdigest() != digest:
                return 400, {"error": "not of this sha256"}
            hub.large[digest] = body
            return 200, {}
        if request == "GET /api/whoami-v2":
            return 200, {"name": OWNER, "type": "user"}
        if request == "POST /api/validate-yaml":
            return 200, {"errors": [], "warnings": []}
        if request == "POST /api/repos/create":
            given = json.loads(body)
            name = f"{given['organization'] or OWNER}/{given['name']}"
            if name in hub.repositories:
                return 409, {"error": "You already created this model repo", "url": f"{hub.url}/{name}"}
            hub.repositories[name] = Repository(given.get("visibility") == "private")
            return 200, {"url": f"{hub.url}/{name}"}
        patterns = {
            "info": r"GET /api/models/([\w.-]+/[\w.-]+)(?:/revision/(\w+))?",
            "preupload": r"POST /api/models/([\w.-]+/[\w.-]+)/preupload/(main)",
            "commit": r"POST /api/models/([\w.-]+/[\w.-]+)/commit/(main)",
            "batch": r"POST /([\w.-]+/[\w.-]+)\.git/info/lfs/objects/(batch)",
        }
        for kind, pattern in patterns.items():
            if (match := re.fullmatch(pattern, request)) and match[1] in hub.repositories:
                return getattr(self, kind)(match[1], match[2], body)
        return 404, {"error": "Repository not found"}

    def info(self, name: str, revision: str | None, _body: bytes) -> tuple[int, dict]:
        repository = self.hub.repositories[name]
        numbers = {repository.sha(number): number for number in range(len(repository.commits))}
        number = numbers.get(revision or "", -1)
        siblings = [{"rfilename": path} for path in sorted(repository.commits[number])]
        return 200, {"id": name, "private": repository.private, "sha": repository.sha(number), "siblings": siblings}

    def preupload(self, name: str, _revision: str, body: bytes) -> tuple[int, dict]:
        there, answers = self.hub.repositories[name].commits[-1], []
        for given in json.loads(body)["files"]:
            mode = "lfs" if given["size"] > LARGE_BYTES else "regular"
            answer = {"path": given["path"], "uploadMode": mode, "shouldIgnore": given["path"] == self.hub.ignored}
            answers.append(answer | {"oid": there.get(given["path"])})
        return 200, {"files": answers}

    def batch(self, _name: str, _revision: str, body: bytes) -> tuple[int, dict]:
        objects = []
        for given in json.loads(body)["objects"]:
            actions = {"actions": {"upload": {"href": f"{self.hub.url}/large/{given['oid']}"}}}
            objects.append(given | ({} if given["oid"] in self.hub.large else actions))
        return 200, {"transfer": "basic", "objects": objects}

    def commit(self, name: str, _revision: str, body: bytes) -> tuple[int, dict]:
        repository = self.hub.repositories[name]
        tree = dict(repository.commits[-1])
        for line in map(json.loads, body.splitlines()):
            value = line["value"]
            if line["key"] == "header":
                if value.get("parentCommit", repository.sha()) != repository.sha():
                    return 412, {"error": "A commit has happened since. Please refresh and try again."}
            elif line["key"] == "file":
                content = base64.b64decode(value["content"])
                tree[value["path"]] = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            elif line["key"] == "lfsFile":
                if value["oid"] not in self.hub.large:
                    return 400, {"error": f"{value['path']} was not uploaded"}
                tree[value["path"]] = value["oid"]
            else:
                del tree[value["path"]]
        repository.commits.append(tree)
        return 200, {"commitUrl": f"{self.hub.url}/{name}/commit/{repository.sha()}", "commitOid": repository.sha()}


@contextmanager
def serving() -> Generator[Hub]:
    """A stand-in that answers on a port of this machine while the block runs."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("BoundHandler", (Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
