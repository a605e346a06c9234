"""A model hub of one process for tests: what huggingface-hub asks to make, fill and read a repo."""

import base64
import hashlib
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hub(ThreadingHTTPServer):
    """Repositories in memory, each a dictionary from commit to files."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories, self.asked = {}, []

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        """Nothing: the tests read `asked`."""

    def _body(self):
        return self.rfile.read(int(self.headers["Content-Length"] or 0))

    def _answer(self, content, status=200, headers=()):
        content = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": len(content), **dict(headers)}.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def do_POST(self):
        path, body = self.path.split("?")[0], self._body()
        self.server.asked.append(f"POST {path}")
        if path == "/api/repos/create":
            name = json.loads(body)
            repository = f"{name['organization']}/{name['name']}"
            new = repository not in self.server.repositories
            self.server.repositories.setdefault(repository, {})
            url = {"url": f"{self.server.address}/{repository}"}
            self._answer(url if new else url | {"error": "exists"}, 200 if new else 409)
        elif path == "/api/validate-yaml":
            self._answer({"errors": [], "warnings": []})
        elif "/preupload/" in path:
            files = [{"path": file["path"], "uploadMode": "regular", "shouldIgnore": False}
                     for file in json.loads(body)["files"]]
            self._answer({"files": files})
        elif "/commit/" in path:
            repository = path.removeprefix("/api/models/").partition("/commit/")[0]
            lines = [json.loads(line) for line in body.splitlines()]
            files = {line["value"]["path"]: base64.b64decode(line["value"]["content"])
                     for line in lines if line["key"] == "file"}
            commit = hashlib.sha1(body).hexdigest()
            self.server.repositories[repository][commit] = files
            self._answer({"commitUrl": f"{self.server.address}/{repository}/commit/{commit}",
                          "commitOid": commit})
        else:
            self._answer({"error": path}, 404)

    def do_GET(self):
        self.server.asked.append(f"{self.command} {self.path}")
        repository, _, rest = self.path.strip("/").partition("/resolve/")
        commit, _, name = rest.partition("/")
        content = self.server.repositories.get(repository, {}).get(commit, {}).get(name)
        if content is None:
            self._answer({"error": "none"}, 404, {"X-Error-Code": "EntryNotFound"})
        else:
            self._answer(content, 200, {"X-Repo-Commit": commit,
                                        "ETag": f'"{hashlib.sha256(content).hexdigest()}"'})

    do_HEAD = do_GET
