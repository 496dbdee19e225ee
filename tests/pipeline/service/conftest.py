"""A compiled pipeline, a config for each service, and stand-ins for what can't be reached from a test.

`fake_google` stands for Google Cloud: a gRPC server on this machine for Vertex AI, and HTTP answers for the token
server and for Cloud Storage. Google's own client libraries talk to it; only where their bytes go is changed.
`fake_kfp` stands for a Kubeflow Pipelines server: an HTTP server on this machine, to which the kfp client talks.
"""

import io
import json
import re
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml  # type: ignore[import-untyped]

from pipeline.cli.app import main
from pipeline.cli.terminal import Terminal

Permafrost = Callable[..., tuple[int, str, str]]

CONFIG = """
[pipeline]
name = "tickets"
root = "run"

[data]
train = "gs://rows/train.csv"
text = ["text"]
label = "label"

[model]
hub = "gs://models/bert"
"""
VERTEX = """
[vertex]
project = "my-project"
region = "europe-west4"
staging_root = "gs://my-bucket/permafrost"
image = "europe-west4-docker.pkg.dev/my-project/permafrost/permafrost:1"
service_account = "runner@my-project.iam.gserviceaccount.com"
network = "projects/12345/global/networks/my-vpc"
encryption_key = "projects/my-project/locations/europe-west4/keyRings/ring/cryptoKeys/key"
labels = { team = "search" }
"""
SPEC: dict[str, Any] = {
    "schemaVersion": "2.1.0",
    "sdkVersion": "tfx-1.16.0",
    "pipelineInfo": {"name": "tickets"},
    "deploymentSpec": {
        "executors": {"Trainer_executor": {"container": {"image": "permafrost:1", "command": ["python"]}}}
    },
    "components": {"Trainer": {"executorLabel": "Trainer_executor"}},
    "root": {
        "dag": {
            "tasks": {"Trainer": {"taskInfo": {"name": "Trainer"}, "componentRef": {"name": "Trainer"}}},
        },
        "inputDefinitions": {
            "parameters": {
                "data_root": {"parameterType": "STRING", "defaultValue": "gs://rows"},
                "freeze": {"parameterType": "STRING", "defaultValue": '[{"freeze": "all"}]'},
                "train_steps": {"parameterType": "NUMBER_INTEGER", "defaultValue": 0},
            }
        },
    },
}
JOB: dict[str, Any] = {
    "displayName": "tickets",
    "labels": {"tfx_runner": "kubeflow_v2"},
    "pipelineSpec": SPEC,
    "runtimeConfig": {
        "gcsOutputDirectory": "gs://my-bucket/permafrost",
        "parameterValues": {"data_root": "gs://rows", "freeze": '[{"freeze": "all"}]', "train_steps": 0.0},
    },
}


@pytest.fixture
def vertex_config(tmp_path: Path) -> Path:
    path = tmp_path / "vertex.toml"
    path.write_text(CONFIG + VERTEX)
    return path


@pytest.fixture
def job_file(tmp_path: Path) -> Path:
    """A small PipelineJob of the form that TFX compiles."""
    path = tmp_path / "pipeline.json"
    path.write_text(json.dumps(JOB))
    return path


@pytest.fixture
def package_file(tmp_path: Path) -> Path:
    """A small package of the form that the kfp SDK compiles."""
    path = tmp_path / "pipeline.yaml"
    path.write_text(yaml.safe_dump(SPEC))
    return path


@pytest.fixture
def permafrost(monkeypatch: pytest.MonkeyPatch) -> Permafrost:
    """Calls the command in this process: exit code, stdout, stderr."""
    from rich.console import Console

    def run(*arguments: object) -> tuple[int, str, str]:
        terminal = Terminal()
        out, err = io.StringIO(), io.StringIO()
        terminal.out = Console(file=out, width=200, highlight=False)
        terminal.err = Console(file=err, width=200, highlight=False)
        # Else it moves this process's own descriptors.
        terminal.log_file = Path("the.log")
        monkeypatch.setattr(Terminal, "_current", terminal)
        monkeypatch.setattr(sys, "argv", ["permafrost", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        assert "Traceback" not in out.getvalue() + err.getvalue()
        return ended.value.code, out.getvalue(), err.getvalue()

    return run


class FakeGoogle:
    """Google Cloud, as far as these tests need it.

    Attributes:
        calls: Name and request of each call to Vertex AI, as they came over the wire.
        routing: The header of each call by which Google routes it.
        hosts: Which Vertex AI the client wanted to talk to.
        tokens: The access tokens of the credentials that it would have used.
        http: Method and URL of each HTTP request.
        failures: Status and words with which a call ends, by its name.
        buckets: Those that exist; a value other than 200 is the status with which a look at it is refused.
        token_answer: Status and content of what the token server says.
        states: Of a run, in the order in which it is looked at; the last one stays.
    """

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.routing: list[str] = []
        self.hosts: list[str] = []
        self.tokens: list[str | None] = []
        self.http: list[tuple[str, str]] = []
        self.failures: dict[str, tuple[Any, str]] = {}
        self.buckets: dict[str, int] = {"my-bucket": 200}
        self.token_answer: tuple[int, dict[str, Any]] = (200, {"access_token": "the-token", "expires_in": 3600})
        self.states: list[str] = ["PIPELINE_STATE_RUNNING", "PIPELINE_STATE_SUCCEEDED"]
        self.task_errors: dict[str, str] = {}
        self.jobs: dict[str, Any] = {}
        self.schedules: dict[str, Any] = {}

    def request(self, name: str) -> Any:
        """The one request of this name."""
        (found,) = [request for called, request in self.calls if called == name]
        return found

    def handlers(self) -> list[Any]:
        import grpc  # type: ignore[import-untyped]
        from google.cloud import aiplatform_v1 as v1
        from google.cloud import resourcemanager_v3
        from google.longrunning import operations_pb2
        from google.protobuf import empty_pb2

        def serialize(message: Any) -> bytes:
            plain: Any = getattr(message, "_pb", message)
            return bytes(plain.SerializeToString())

        def method(name: str, request_type: Any, answer: Callable[[Any], Any]) -> Any:
            def handle(request: Any, context: Any) -> Any:
                self.calls.append((name, request))
                self.routing.append(dict(context.invocation_metadata()).get("x-goog-request-params", ""))
                if name in self.failures:
                    context.abort(*self.failures[name])
                return answer(request)

            return grpc.unary_unary_rpc_method_handler(
                handle,
                request_deserializer=request_type.deserialize,
                response_serializer=serialize,
            )

        def create_job(request: Any) -> Any:
            job = v1.PipelineJob(request.pipeline_job)
            job.name = f"{request.parent}/pipelineJobs/{request.pipeline_job_id}"
            self.jobs[job.name] = job
            return job

        def get_job(request: Any) -> Any:
            job = self.jobs[request.name]
            job.state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
            job.job_detail.task_details = [
                v1.PipelineTaskDetail(task_name=name, error={"code": 9, "message": words})
                for name, words in self.task_errors.items()
            ]
            return job

        def create_schedule(request: Any) -> Any:
            schedule = v1.Schedule(request.schedule)
            schedule.name = f"{request.parent}/schedules/{1000 + len(self.schedules)}"
            schedule.state = v1.Schedule.State.ACTIVE
            schedule.next_run_time = datetime(2026, 11, 24, 3, tzinfo=timezone.utc)
            self.schedules[schedule.name] = schedule
            return schedule

        def change(state: Any) -> Callable[[Any], Any]:
            def answer(request: Any) -> Any:
                self.schedules[request.name].state = state
                return empty_pb2.Empty()

            return answer

        def delete(request: Any) -> Any:
            del self.schedules[request.name]
            operation = operations_pb2.Operation(name=f"{request.name}/operations/1", done=True)
            operation.response.Pack(empty_pb2.Empty())
            return operation

        package = "google.cloud.aiplatform.v1"
        return [
            # By the project's number the library compares whose the bucket is.
            grpc.method_handlers_generic_handler(
                "google.cloud.resourcemanager.v3.Projects",
                {
                    "GetProject": grpc.unary_unary_rpc_method_handler(
                        lambda request, _: resourcemanager_v3.Project(name="projects/12345", project_id=request.name),
                        request_deserializer=resourcemanager_v3.GetProjectRequest.deserialize,
                        response_serializer=resourcemanager_v3.Project.serialize,
                    )
                },
            ),
            grpc.method_handlers_generic_handler(
                f"{package}.PipelineService",
                {
                    "CreatePipelineJob": method("CreatePipelineJob", v1.CreatePipelineJobRequest, create_job),
                    "GetPipelineJob": method("GetPipelineJob", v1.GetPipelineJobRequest, get_job),
                },
            ),
            grpc.method_handlers_generic_handler(
                f"{package}.ScheduleService",
                {
                    "CreateSchedule": method("CreateSchedule", v1.CreateScheduleRequest, create_schedule),
                    "GetSchedule": method("GetSchedule", v1.GetScheduleRequest, lambda r: self.schedules[r.name]),
                    "ListSchedules": method(
                        "ListSchedules",
                        v1.ListSchedulesRequest,
                        lambda _: v1.ListSchedulesResponse(schedules=list(self.schedules.values())),
                    ),
                    "PauseSchedule": method("PauseSchedule", v1.PauseScheduleRequest, change(v1.Schedule.State.PAUSED)),
                    "ResumeSchedule": method(
                        "ResumeSchedule", v1.ResumeScheduleRequest, change(v1.Schedule.State.ACTIVE)
                    ),
                    "DeleteSchedule": method("DeleteSchedule", v1.DeleteScheduleRequest, delete),
                },
            ),
        ]

    def answer_http(self, method: str, url: str) -> tuple[int, dict[str, Any]]:
        self.http.append((method, url))
        if url.startswith("https://oauth2.googleapis.com/token"):
            return self.token_answer
        bucket = re.match(r"https://storage\.googleapis\.com/storage/v1/b/([^/?]+)\?", url)
        if method == "GET" and bucket:
            status = self.buckets.get(bucket[1], 404)
            content = (
                {"name": bucket[1], "projectNumber": "12345"}
                if status == 200
                else {"error": {"code": status, "message": "no"}}
            )
            return status, content
        raise AssertionError(f"nothing is known of {method} {url}")


@pytest.fixture
def fake_google(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeGoogle]:
    """Google Cloud, and credentials of a user who is logged in."""
    import grpc
    import requests
    from google.api_core import grpc_helpers

    fake = FakeGoogle()
    key = tmp_path / "credentials.json"
    key.write_text(
        json.dumps({"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"})
    )
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "my-project")

    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers(tuple(fake.handlers()))
    port = server.add_insecure_port("localhost:0")
    server.start()

    def create_channel(target: str, credentials: Any = None, **_: Any) -> Any:
        if "cloudresourcemanager" not in target:
            fake.hosts.append(target)
            fake.tokens.append(getattr(credentials, "token", None))
        return grpc.insecure_channel(f"localhost:{port}")

    def send(_: Any, request: Any, **__: Any) -> Any:
        response = requests.Response()
        response.status_code, content = fake.answer_http(request.method, request.url)
        response.raw = io.BytesIO(json.dumps(content).encode())
        response.headers["Content-Type"] = "application/json"
        response.url, response.request = request.url, request
        return response

    monkeypatch.setattr(grpc_helpers, "create_channel", create_channel)
    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    yield fake
    server.stop(None)


@pytest.fixture
def no_google(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine where nobody is logged in to Google Cloud, and from which nothing may be sent."""
    import requests
    from google.auth.compute_engine import _metadata

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("something was sent")

    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "nothing"))
    # Else Google's library asks the network whether this is one of Google's machines (as NO_GCE_CHECK=true, which it
    # reads when it is imported).
    monkeypatch.setattr(_metadata, "_NO_GCE_CHECK", True)
    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", refuse)


class FakeKfp:
    """A Kubeflow Pipelines server, as far as these tests need it.

    Attributes:
        url: Where it listens.
        calls: Method, path and content of each request but the look at its health.
        headers: Of the last request.
        failures: Status and content with which a call ends, by method and path.
        states: Of a run, in the order in which it is looked at; the last one stays.
    """

    def __init__(self) -> None:
        self.url = ""
        self.calls: list[tuple[str, str, Any]] = []
        self.headers: dict[str, str] = {}
        self.failures: dict[tuple[str, str], tuple[int, dict[str, Any] | str]] = {}
        self.experiments: dict[str, dict[str, Any]] = {}
        self.recurring_runs: dict[str, dict[str, Any]] = {}
        self.states = ["RUNNING", "SUCCEEDED"]
        self.run_details: dict[str, Any] = {}

    def content(self, method: str, path: str) -> Any:
        """What the one request of this method and path carried."""
        (found,) = [content for *called, content in self.calls if called == [method, path]]
        return found

    def answer(self, method: str, url: str, content: Any) -> tuple[int, Any]:
        parts = urlsplit(url)
        path = parts.path.removeprefix("/apis/v2beta1")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if path != "/healthz":
            self.calls.append((method, path, content if method == "POST" else query))
        if (method, path) in self.failures:
            return self.failures[method, path]
        match method, path.split("/")[1:]:
            case "GET", ["healthz"]:
                return 200, {"multi_user": False}
            case "GET", ["experiments"]:
                wanted = json.loads(query["filter"])["predicates"][0]["stringValue"]
                return 200, {"experiments": [e for e in self.experiments.values() if e["display_name"] == wanted]}
            case "POST", ["experiments"]:
                made = {"experiment_id": f"e{len(self.experiments)}", **content}
                self.experiments[made["experiment_id"]] = made
                return 200, made
            case "POST", ["runs"]:
                return 200, {"run_id": "r0", **content}
            case "GET", ["runs", run_id]:
                state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
                return 200, {"run_id": run_id, "state": state, "run_details": self.run_details}
            case "POST", ["recurringruns"]:
                made = {"recurring_run_id": f"s{len(self.recurring_runs)}", "status": "ENABLED", **content}
                self.recurring_runs[made["recurring_run_id"]] = made
                return 200, made
            case "GET", ["recurringruns"]:
                first = int(query.get("page_token") or 0)
                found = list(self.recurring_runs.values())
                # One to a page, so that pages are turned.
                more = {"next_page_token": str(first + 1)} if first + 1 < len(found) else {}
                return 200, {"recurringRuns": found[first : first + 1], **more}
            case "POST", ["recurringruns", change]:
                schedule_id, verb = change.split(":")
                self.recurring_runs[schedule_id]["status"] = {"enable": "ENABLED", "disable": "DISABLED"}[verb]
                return 200, {}
            case "DELETE", ["recurringruns", schedule_id]:
                del self.recurring_runs[schedule_id]
                return 200, {}
        return 404, {"message": f"nothing is known of {method} {url}"}


@pytest.fixture
def fake_kfp(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKfp]:
    import kfp

    fake = FakeKfp()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            content = json.loads(self.rfile.read(length)) if length else None
            fake.headers = {name.title(): value for name, value in self.headers.items()}
            status, answer = fake.answer(self.command, self.path, content)
            text = answer if isinstance(answer, str) else json.dumps(answer)
            self.send_response(status)
            self.send_header("Content-Type", "text/html" if isinstance(answer, str) else "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST = do_DELETE = _answer

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    # What a person chose on this machine is none of the tests' business.
    monkeypatch.setattr(kfp.Client, "_LOCAL_KFP_CONTEXT", "/nowhere/context.json")
    for name in ("PERMAFROST_KFP_TOKEN", "KF_PIPELINES_ENDPOINT", "KF_PIPELINES_UI_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    yield fake
    server.shutdown()
    server.server_close()


@pytest.fixture
def kfp_config(tmp_path: Path, fake_kfp: FakeKfp) -> Path:
    path = tmp_path / "kfp.toml"
    path.write_text(f'{CONFIG}\n[kfp]\nhost = "{fake_kfp.url}"\nservice_account = "pipeline-runner"\n')
    return path
