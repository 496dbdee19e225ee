"""`permafrost submit` and `permafrost schedule` on Kubeflow Pipelines: what is sent, field by field.

The kfp client is the real one; the server is a small one of the tests' own.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

Permafrost = Callable[..., tuple[int, str, str]]
Call = Callable[..., tuple[int, str, str]]

CHECK = (
    "check kfp.namespace, which a multi-user Kubeflow needs, "
    "and let PERMAFROST_KFP_TOKEN hold a bearer token that it accepts"
)


@pytest.fixture
def submit(permafrost: Permafrost, kfp_config: Path, package_file: Path) -> Call:
    return lambda *arguments: permafrost("submit", "--config", kfp_config, "--job", package_file, *arguments)


@pytest.fixture
def create(permafrost: Permafrost, kfp_config: Path, package_file: Path) -> Call:
    return lambda *arguments: permafrost("schedule", "--config", kfp_config, "--job", package_file, *arguments)


@pytest.fixture
def schedule(permafrost: Permafrost, kfp_config: Path) -> Call:
    return lambda *arguments: permafrost("schedule", *arguments, "--config", kfp_config)


def error(ended: tuple[int, str, str], code: int = 2) -> str:
    """The one message of a call that failed."""
    assert ended[:2] == (code, "")
    assert ended[2].startswith("error: ")
    return ended[2].removeprefix("error: ").removesuffix("\n")


def test_a_run_field_by_field(submit: Call, package_file: Path, fake_kfp: Any) -> None:
    code, out, err = submit("--param", "train_steps=20", "--name", "the first")

    assert (code, err) == (0, "")
    assert out == f"submitted to Kubeflow Pipelines: {fake_kfp.url}/#/runs/details/r0\n"
    assert [call[:2] for call in fake_kfp.calls] == [
        ("GET", "/experiments"),
        ("POST", "/experiments"),
        ("POST", "/runs"),
    ]
    assert fake_kfp.content("POST", "/experiments")["display_name"] == "tickets"
    run = fake_kfp.content("POST", "/runs")
    assert run == {
        "display_name": "the first",
        "experiment_id": "e0",
        "pipeline_spec": yaml.safe_load(package_file.read_text()),
        "runtime_config": {"parameters": {"train_steps": 20}},
        "service_account": "pipeline-runner",
    }
    assert "Authorization" not in fake_kfp.headers


def test_an_experiment_that_is_there_is_used(submit: Call, kfp_config: Path, fake_kfp: Any) -> None:
    kfp_config.write_text(f'{kfp_config.read_text()}experiment = "mine"\nnamespace = "team-a"\n')
    fake_kfp.experiments["e7"] = {"experiment_id": "e7", "display_name": "mine"}
    assert submit()[0] == 0
    assert fake_kfp.content("GET", "/experiments")["namespace"] == "team-a"
    assert fake_kfp.content("POST", "/runs")["experiment_id"] == "e7"


def test_a_token_comes_from_the_environment(submit: Call, fake_kfp: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERMAFROST_KFP_TOKEN", "the-token")
    assert submit()[0] == 0
    assert fake_kfp.headers["Authorization"] == "Bearer the-token"


def test_what_the_package_says_of_kubernetes_is_sent_too(submit: Call, package_file: Path, fake_kfp: Any) -> None:
    platform: dict[str, Any] = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {}}}}}
    package_file.write_text(f"{package_file.read_text()}---\n{yaml.safe_dump(platform)}")
    printed = json.loads(submit("--dry-run")[1])["run"]["pipeline_spec"]
    assert submit()[0] == 0
    sent = fake_kfp.content("POST", "/runs")["pipeline_spec"]
    assert sorted(sent) == sorted(printed) == ["pipeline_spec", "platform_spec"]
    assert sent["pipeline_spec"] == printed["pipeline_spec"]


def test_a_dry_run_prints_what_is_sent(submit: Call, fake_kfp: Any) -> None:
    arguments = ("--param", "train_steps=20", "--name", "the first")
    printed = json.loads(submit(*arguments, "--dry-run")[1])
    assert fake_kfp.calls == []
    assert (printed["host"], printed["experiment"], printed["namespace"]) == (fake_kfp.url, "tickets", None)
    assert submit(*arguments)[0] == 0
    sent = fake_kfp.content("POST", "/runs")
    assert printed["run"] == {key: value for key, value in sent.items() if key != "experiment_id"}


def test_waiting(submit: Call, fake_kfp: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    fake_kfp.states = ["PENDING", "RUNNING", "SUCCEEDED"]
    code, out, err = submit("--wait")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "succeeded"
    assert [call[:2] for call in fake_kfp.calls].count(("GET", "/runs/r0")) == 3


@pytest.mark.parametrize(("state", "ending"), [("FAILED", "failed"), ("CANCELED", "canceled")])
def test_waiting_for_a_run_that_does_not_succeed(
    submit: Call, fake_kfp: Any, monkeypatch: pytest.MonkeyPatch, state: str, ending: str
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    fake_kfp.states = ["RUNNING", state]
    fake_kfp.run_details = {
        "task_details": [
            {"display_name": "ExampleGen", "state": "SUCCEEDED"},
            {"display_name": "Trainer", "state": "FAILED", "error": {"code": 9, "message": "out of memory"}},
        ]
    }
    code, _, err = submit("--wait")
    assert code == 1
    assert err.splitlines() == [
        f"error: the run has {ending}: {fake_kfp.url}/#/runs/details/r0",
        "Trainer: out of memory",
    ]


def test_a_recurring_run_field_by_field(create: Call, package_file: Path, fake_kfp: Any) -> None:
    code, out, err = create(
        "--cron", "0 3 * * MON", "--param", "train_steps=20", "--name", "nightly",
        "--start", "2026-12-01T00:00+01:00", "--end", "2027-01-01T00:00:00Z",
    )  # fmt: skip

    assert (code, err) == (0, "")
    assert out == "scheduled on Kubeflow Pipelines: nightly (s0), 0 0 3 * * MON\n"
    assert fake_kfp.content("POST", "/recurringruns") == {
        "display_name": "nightly",
        "experiment_id": "e0",
        "mode": "ENABLE",
        "max_concurrency": 1,
        "no_catchup": True,
        "pipeline_spec": yaml.safe_load(package_file.read_text()),
        "runtime_config": {"parameters": {"train_steps": 20}},
        "service_account": "pipeline-runner",
        # Kubeflow counts seconds first.
        "trigger": {
            "cron_schedule": {
                "cron": "0 0 3 * * MON",
                "start_time": "2026-12-01T00:00:00+01:00",
                "end_time": "2027-01-01T00:00:00+00:00",
            }
        },
    }


def test_a_dry_run_of_a_schedule_prints_what_is_sent(create: Call, fake_kfp: Any) -> None:
    arguments = ("--cron", "0 3 * * *", "--start", "2026-12-01")
    printed = json.loads(create(*arguments, "--dry-run")[1])
    assert fake_kfp.calls == []
    assert create(*arguments)[0] == 0
    sent = fake_kfp.content("POST", "/recurringruns")
    assert printed["recurring_run"] == {key: value for key, value in sent.items() if key != "experiment_id"}


def test_the_list_goes_through_all_pages(create: Call, schedule: Call, fake_kfp: Any) -> None:
    for name in ("nightly", "weekly", "monthly"):
        assert create("--cron", "0 3 * * *", "--name", name)[0] == 0
    listed = json.loads(schedule("list", "--json")[1])
    assert [(entry["name"], entry["pipeline"], entry["state"]) for entry in listed] == [
        ("nightly", "tickets", "active"),
        ("weekly", "tickets", "active"),
        ("monthly", "tickets", "active"),
    ]
    assert error(create("--cron", "0 3 * * *", "--name", "monthly")).startswith("schedule 'monthly': tickets has one")


def test_pause_resume_and_delete(create: Call, schedule: Call, fake_kfp: Any) -> None:
    create("--cron", "0 3 * * *", "--name", "nightly")
    assert schedule("pause", "nightly") == (0, "nightly (s0): paused\n", "")
    assert json.loads(schedule("list", "--json")[1])[0]["state"] == "paused"
    assert schedule("resume", "s0") == (0, "nightly (s0): active again\n", "")
    assert schedule("delete", "nightly") == (0, "nightly (s0): deleted\n", "")
    changes = [call[:2] for call in fake_kfp.calls if "/s0" in call[1] or ":" in call[1]]
    assert changes == [
        ("POST", "/recurringruns/s0:disable"),
        ("POST", "/recurringruns/s0:enable"),
        ("DELETE", "/recurringruns/s0"),
    ]
    assert error(schedule("pause", "nightly")) == "schedule 'nightly': there is none, nor another"


def test_what_kubeflow_cannot_do_is_refused(create: Call, schedule: Call, fake_kfp: Any) -> None:
    message = error(create("--cron", "TZ=Europe/Berlin 0 3 * * *"))
    assert message.startswith("--cron: Kubeflow Pipelines keeps the time of its own cluster; leave TZ=Europe/Berlin ")
    assert ("POST", "/recurringruns") not in [call[:2] for call in fake_kfp.calls]
    create("--cron", "0 3 * * *")
    message = "--catch-up: Kubeflow Pipelines can't make up for runs that were missed; leave it out"
    assert error(schedule("resume", "tickets", "--catch-up")) == message


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (400, 2, "Kubeflow Pipelines at URL refuses the request: the words"),
        (401, 2, f"Kubeflow Pipelines at URL refuses: the words; {CHECK}"),
        (403, 2, f"Kubeflow Pipelines at URL refuses: the words; {CHECK}"),
        (500, 1, "Kubeflow Pipelines at URL failed: the words"),
        (503, 1, "Kubeflow Pipelines at URL failed: the words"),
    ],
)  # fmt: skip
def test_what_the_server_refuses(submit: Call, fake_kfp: Any, status: int, code: int, message: str) -> None:
    fake_kfp.failures["POST", "/runs"] = (status, {"error": "…", "code": 3, "message": "the words"})
    assert error(submit(), code) == message.replace("URL", fake_kfp.url)


def test_a_login_page_is_no_kubeflow(submit: Call, kfp_config: Path, fake_kfp: Any) -> None:
    fake_kfp.failures["POST", "/runs"] = (200, "<html>Log in</html>")
    assert error(submit()) == (
        f"{fake_kfp.url} (kfp.host) doesn't answer as Kubeflow Pipelines does; is it a login page? "
        "Let PERMAFROST_KFP_TOKEN hold a bearer token"
    )


def test_a_server_that_is_not_there(submit: Call, kfp_config: Path) -> None:
    # The port that is kept for throwing away what comes; nobody listens.
    ended = submit("--set", 'kfp.host="http://127.0.0.1:9"')
    message = error(ended, code=1)
    assert message.startswith("Kubeflow Pipelines can't be reached at http://127.0.0.1:9 (kfp.host): ")
    assert "Connection refused" in message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", 'kfp.host="localhost:80"'],
         "kfp.host: should be the URL of Kubeflow Pipelines, http://… or https://…; given 'localhost:80'"),
        (["--param", "train_steps=x"], "--param train_steps: should be a whole number; given 'x'"),
        (["--target", "vertex"], "--target vertex: the config has no section [vertex]"),
    ],
)  # fmt: skip
def test_a_mistake_is_found_before_anything_is_sent(
    submit: Call, fake_kfp: Any, arguments: list[str], message: str
) -> None:
    assert error(submit(*arguments)) == message
    assert fake_kfp.calls == []


@pytest.mark.slow
def test_without_a_job_the_config_is_compiled(permafrost: Permafrost, kfp_config: Path, fake_kfp: Any) -> None:
    image = 'image = "permafrost:1"\npipeline_root = "gs://my-bucket/permafrost"\n'
    kfp_config.write_text(f'{kfp_config.read_text()}{image}\n[push]\ndirectory = "gs://my-bucket/serving"\n')
    assert permafrost("submit", "--config", kfp_config, "--param", "train_steps=3")[::2] == (0, "")
    run = fake_kfp.content("POST", "/runs")
    assert run["runtime_config"] == {"parameters": {"train_steps": 3}}
    spec = run["pipeline_spec"].get("pipeline_spec", run["pipeline_spec"])
    assert spec["pipelineInfo"]["name"] == "tickets"
    assert len(spec["root"]["dag"]["tasks"]) > 8
