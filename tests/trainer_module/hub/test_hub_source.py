"""Models come from the hosts that are listed, and nobody else is even asked."""

import io
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import tensorflow_hub as hub

from trainer_module.errors import UserError
from trainer_module.hub.hub_model import HubModel
from trainer_module.hub.hub_source import DEFAULT_HOSTS, problem_with_host, resolve_handle
from trainer_module.settings import BertSettings, ModelSettings

LISTED = "tfhub.dev, kaggle.com, www.kaggle.com, gs://"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The handles that tensorflow-hub was asked to fetch; it fetches nothing."""
    handles: list[str] = []

    def resolve(handle: str) -> str:
        handles.append(handle)
        return "/cache/model"

    monkeypatch.setattr(hub, "resolve", resolve)
    return handles


def refusal(handle: str, hosts: Any = DEFAULT_HOSTS) -> str:
    with pytest.raises(UserError) as error:
        resolve_handle(handle, hosts)
    return str(error.value)


@pytest.mark.parametrize(
    "handle",
    [
        "https://tfhub.dev/tensorflow/small_bert/1",
        "https://tfhub.dev/a/1?tf-hub-format=compressed",
        "https://tfhub.dev:443/a/1",
        "https://TFHub.dev/a/1",
        "https://kaggle.com/models/a",
        "https://www.kaggle.com/models/a",
        "gs://any-bucket/model",
        "gs://any-bucket/model.tar.gz",
    ],
)
def test_the_default_hosts_are_asked(handle: str, asked: list[str]) -> None:
    assert resolve_handle(handle) == "/cache/model"
    assert asked == [handle]


@pytest.mark.parametrize(
    ("handle", "named"),
    [
        ("https://evil.example/a/1", "evil.example"),
        ("https://tfhub.dev.evil.example/a/1", "tfhub.dev.evil.example"),
        ("https://eviltfhub.dev/a/1", "eviltfhub.dev"),
        ("https://www.tfhub.dev/a/1", "www.tfhub.dev"),
        ("https://evil.example/https://tfhub.dev/a/1", "evil.example"),
        ("https://evil.example?https://tfhub.dev/a/1", "evil.example"),
        ("https://evil.example#@tfhub.dev/a/1", "evil.example"),
        ("https://EVIL.example/a/1", "evil.example"),
        ("https://tfhub.dev:8443/a/1", "tfhub.dev:8443"),
        ("https://tfhub.dev:80/a/1", "tfhub.dev:80"),
        ("https://127.0.0.1/a/1", "127.0.0.1"),
        ("https://xn--tfhu-p2a.dev/a/1", "xn--tfhu-p2a.dev"),
        ("http://evil.example/a/1", "http://evil.example"),
        ("s3://models/a", "s3://models"),
        ("hdfs://name-node:9000/a", "hdfs://name-node:9000"),
        ("ram:///a", "ram://"),
    ],
)
def test_another_place_is_not_asked(handle: str, named: str, asked: list[str]) -> None:
    assert refusal(handle) == (
        f"model.hub: {handle} is from {named}, which is not among the places that models may come from ({LISTED}); "
        f"add {named!r} to model.hub_hosts if you trust it"
    )
    assert asked == []
    resolve_handle(handle, [named])  # as the message says
    assert asked == [handle]


@pytest.mark.parametrize(
    "handle",
    [
        "https://tfhub.dev@evil.example/a/1",
        "https://user:password@tfhub.dev/a/1",
        "https://tfhub.dev\\@evil.example/a/1",
        "https://tfhub.dev\\.evil.example/a/1",
        "https://tfhub.dev./a/1",
        "https://tfhub.dev%2eevil.example/a/1",
        "https://tfhub.dev:/a/1",
        "https://tfhub.dev:443:80/a/1",
        "https://tfhub。dev/a/1",
        "https://tfhսb.dev/a/1",
        "https://tfhub.dev\n.evil.example/a/1",
        "https://tfhub.dev /a/1",
        " https://tfhub.dev/a/1",
        "\x00https://tfhub.dev/a/1",
        "HTTPS://tfhub.dev/a/1",
        "https:///a/1",
        "https://[::1]/a/1",
        "https://[::1",
        "https://.dev/a/1",
        "://tfhub.dev/a/1",
    ],
)
def test_a_host_that_is_not_named_plainly_is_not_asked(handle: str, asked: list[str]) -> None:
    assert refusal(handle) == (
        f"model.hub: {handle!r} doesn't name its host plainly; write https://host/path, in ASCII, without user name, "
        "spaces, backslashes or a dot at the host's end"
    )
    assert asked == []


def test_plain_http_to_a_listed_host_is_not_asked(asked: list[str]) -> None:
    assert refusal("http://tfhub.dev/a/1") == (
        "model.hub: http://tfhub.dev/a/1 would come unencrypted, so that anybody on the way can change it; "
        f"write https://, or add 'http://tfhub.dev' to model.hub_hosts ({LISTED})"
    )
    assert asked == []


@pytest.mark.parametrize(
    ("entry", "allowed", "refused"),
    [
        ("Models.example.com", "https://models.example.com/a", "https://example.com/a"),
        ("https://models.example.com", "https://models.example.com/a", "http://models.example.com/a"),
        ("models.example.com:8443", "https://models.example.com:8443/a", "https://models.example.com/a"),
        ("http://localhost:8080", "http://localhost:8080/a", "https://localhost:8080/a"),
        ("http://localhost", "http://localhost:80/a", "http://localhost:8080/a"),
        ("s3://", "s3://any/a", "gs://any/a"),
        ("s3://models", "s3://models/a", "s3://models-of-others/a"),
        ("gs://Models", "gs://Models/a", "gs://models/a"),
    ],
)
def test_an_entry_means_exactly_what_it_says(entry: str, allowed: str, refused: str, asked: list[str]) -> None:
    assert resolve_handle(allowed, [entry]) == "/cache/model"
    assert asked == [allowed]
    assert f"({entry})" in refusal(refused, [entry])
    assert asked == [allowed]


def test_an_empty_list_leaves_local_folders(asked: list[str], tmp_path: Path) -> None:
    assert "(local folders only)" in refusal("https://tfhub.dev/a/1", [])
    assert resolve_handle(str(tmp_path), []) == str(tmp_path)
    assert resolve_handle(f"file://{tmp_path}", []) == str(tmp_path)
    assert asked == []


@pytest.mark.parametrize("handle", ["nowhere", "tfhub.dev/a/1", "https:/tfhub.dev/a", "file:///nowhere", ""])
def test_what_is_no_folder_is_refused(handle: str, asked: list[str]) -> None:
    assert refusal(handle) == (
        f"model.hub: no such folder: {handle}; give a TF-Hub handle or the folder of a SavedModel"
    )
    assert asked == []


def test_the_message_names_the_setting_that_holds_the_handle() -> None:
    with pytest.raises(UserError, match=r"^model\.preprocess: https://evil\.example/a is from evil\.example, which"):
        resolve_handle("https://evil.example/a", key="model.preprocess")


@pytest.mark.parametrize(
    "entry",
    ["", "*", "*.example.com", "tfhub.dev/models", "user@tfhub.dev", "tfhub.dev.", ".dev", "tf hub.dev", "http://",
     "https://", "S3://", "s3://bucket/folder", "tfhսb.dev", "://", "a://b://c"],
)  # fmt: skip
def test_an_entry_that_could_never_match_is_refused_with_the_settings(entry: str) -> None:
    given = {"hub": "models/bert", "text": ["t"], "label": "l", "hub_hosts": ["tfhub.dev", entry]}
    with pytest.raises(UserError) as error:
        BertSettings.from_custom_config({"bert": given})
    assert error.value.problems == [
        f"bert.hub_hosts: {entry!r} is neither a host such as 'tfhub.dev' or 'models.example.com:8443' nor a scheme "
        "with a bucket or without, such as 's3://models' or 's3://'"
    ]


def test_every_wrong_entry_is_told() -> None:
    given = {"hub": "models/bert", "text": ["t"], "label": "l", "hub_hosts": ["*", "tfhub.dev", "a b"]}
    with pytest.raises(UserError) as error:
        BertSettings.from_custom_config({"bert": given})
    assert [problem.split(" is ")[0] for problem in error.value.problems] == [
        "bert.hub_hosts: '*'",
        "bert.hub_hosts: 'a b'",
    ]


def test_the_default_entries_are_right() -> None:
    assert [problem_with_host(entry) for entry in DEFAULT_HOSTS] == [None] * 4
    assert ModelSettings.model_validate({"hub": "models/bert"}).hub_hosts == list(DEFAULT_HOSTS)


class Server:
    """A web host that offers one model, and counts who asks."""

    def __init__(self, model: Path) -> None:
        self.requests: list[str] = []
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            archive.add(model, ".")
        requests, content = self.requests, buffer.getvalue()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                requests.append(self.path)
                found = self.path.startswith("/bert/1")
                self.send_response(200 if found else 404)
                self.end_headers()
                self.wfile.write(content if found else b"")

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def server(tiny_hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    made = Server(tiny_hub)
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.mark.slow
def test_a_host_that_is_not_listed_hears_nothing(server: Server) -> None:
    with pytest.raises(UserError, match="is not among the places that models may come from"):
        HubModel(f"{server.host}/bert/1")
    assert server.requests == []


def test_a_listed_host_gives_its_model(server: Server, tiny_model: HubModel) -> None:
    settings = ModelSettings.model_validate({"hub": f"{server.host}/bert/1", "hub_hosts": [server.host]})
    model = HubModel.from_settings(settings)
    assert server.requests == ["/bert/1?tf-hub-format=compressed"]
    assert model.layout == tiny_model.layout
    assert (model.handle, model.digest) == (f"{server.host}/bert/1", tiny_model.digest)


def test_a_model_in_the_cache_is_refused_like_any_other(server: Server) -> None:
    HubModel(f"{server.host}/bert/1", hosts=[server.host])
    with pytest.raises(UserError, match="is not among the places"):
        HubModel(f"{server.host}/bert/1")
    assert len(server.requests) == 1


def test_what_a_listed_host_does_not_have_is_refused(server: Server) -> None:
    message = refusal(f"{server.host}/other/1", [server.host])
    assert message.startswith(f"model.hub: {server.host}/other/1 can't be fetched: ")
    assert "404" in message


def test_a_listed_host_that_does_not_answer_is_refused() -> None:
    message = refusal("https://127.0.0.1:9/no/model/1", ["127.0.0.1:9"])
    assert message.startswith("model.hub: https://127.0.0.1:9/no/model/1 can't be fetched: ")
