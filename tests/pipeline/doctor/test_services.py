"""Google Cloud and Kubeflow Pipelines. Google's token server is a stand-in: only the HTTP beneath its client is."""

import io
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pipeline.doctor.services import check_credentials, check_kubeflow, check_project, check_staging_root
from pipeline.vertex_settings import VertexSettings
from trainer_module.errors import UserError

LogIn = Callable[[int, dict[str, Any]], None]


def settings(**changed: str) -> VertexSettings:
    given = {
        "project": "my-project",
        "region": "europe-west4",
        "staging_root": "gs://my-bucket/permafrost",
        "image": "permafrost:1",
    }
    return VertexSettings.model_validate(given | changed)


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody is logged in, and no network is asked."""
    from google.auth.compute_engine import _metadata

    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "nothing"))
    monkeypatch.setattr(_metadata, "_NO_GCE_CHECK", True)


@pytest.fixture
def log_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LogIn:
    """Leaves a user's credentials, for which the token server then answers so."""
    import requests

    def do(status: int, content: dict[str, Any]) -> None:
        key = tmp_path / "credentials.json"
        key.write_text(
            json.dumps({"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"})
        )
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))

        def send(_: Any, request: Any, **__: Any) -> Any:
            if status == 0:
                raise requests.ConnectionError("no route to host")
            response = requests.Response()
            response.status_code, response.raw = status, io.BytesIO(json.dumps(content).encode())
            response.request = request
            return response

        monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)

    return do


def test_credentials_that_are_accepted(log_in: LogIn) -> None:
    log_in(200, {"access_token": "t", "expires_in": 3600})
    finding = check_credentials(settings())
    assert (finding.verdict, finding.found) == ("ok", "accepted; of a user")


def test_credentials_that_are_refused(log_in: LogIn) -> None:
    log_in(400, {"error": "invalid_grant"})
    with pytest.raises(UserError, match=r"refuses the credentials: .*invalid_grant.*gcloud auth application-default"):
        check_credentials(settings())


def test_credentials_that_cannot_be_tried(log_in: LogIn) -> None:
    log_in(0, {})
    finding = check_credentials(settings())
    assert finding.verdict == "warning"
    assert "no route to host" in finding.found


def test_no_credentials() -> None:
    with pytest.raises(UserError, match=r"no credentials: .*; log in with `gcloud auth application-default login`"):
        check_credentials(settings())
    assert check_project(settings()).verdict == "problem"


def test_the_project(log_in: LogIn, monkeypatch: pytest.MonkeyPatch) -> None:
    log_in(200, {})
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "my-project")
    assert check_project(settings()).verdict == "ok"
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "another")
    finding = check_project(settings())
    assert finding.verdict == "warning"
    assert finding.found == "vertex.project is my-project, but this machine is set to another"
    assert finding.advice.endswith("gcloud config set project my-project")


def test_the_staging_root() -> None:
    assert check_staging_root(settings()).found == "bucket my-bucket"
    finding = check_staging_root(settings(staging_root="/tmp/root"))
    assert (finding.verdict, finding.advice) == ("warning", "for Vertex AI set it to gs://BUCKET/FOLDER")


@pytest.fixture
def server() -> Iterator[str]:
    """Answers as Kubeflow Pipelines below /kfp, with a login page below /login, and with 404 elsewhere."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind = {"/kfp": "application/json", "/login": "text/html"}.get(self.path.removesuffix(HEALTH))
            self.send_response(404 if kind is None else 200)
            self.send_header("Content-Type", kind or "text/plain")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


HEALTH = "/apis/v2beta1/healthz"


def test_kubeflow_pipelines(server: str) -> None:
    assert check_kubeflow(f"{server}/kfp/").verdict == "ok"
    finding = check_kubeflow(f"{server}/login")
    assert (finding.verdict, finding.found) == ("warning", f"{server}/login{HEALTH} answers with a page")
    finding = check_kubeflow(f"{server}/other")
    assert (finding.verdict, finding.found) == ("problem", f"{server}/other{HEALTH} answers 404 Not Found")


@pytest.mark.parametrize("host", ["http://127.0.0.1:9", "localhost"])
def test_kubeflow_pipelines_is_not_there(host: str) -> None:
    finding = check_kubeflow(host)
    assert finding.verdict == "problem"
    assert "can't be reached" in finding.found
