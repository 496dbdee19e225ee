"""`permafrost schedule` on Vertex AI: what is sent, field by field."""

import json
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import json_format

Permafrost = Callable[..., tuple[int, str, str]]
Create = Callable[..., tuple[int, str, str]]

PARENT = "projects/my-project/locations/europe-west4"


@pytest.fixture
def create(permafrost: Permafrost, vertex_config: Path, job_file: Path) -> Create:
    """Schedules the compiled job; further arguments come behind."""
    return lambda *arguments: permafrost("schedule", "--config", vertex_config, "--job", job_file, *arguments)


@pytest.fixture
def schedule(permafrost: Permafrost, vertex_config: Path) -> Create:
    """`schedule("pause", "nightly")`."""
    return lambda *arguments: permafrost("schedule", *arguments, "--config", vertex_config)


def error(ended: tuple[int, str, str], code: int = 2) -> str:
    """The one message of a call that failed."""
    assert ended[:2] == (code, "")
    assert ended[2].startswith("error: ")
    return ended[2].removeprefix("error: ").removesuffix("\n")


def names(fake_google: Any) -> list[str]:
    return [name for name, _ in fake_google.calls]


def test_the_request_field_by_field(create: Create, job_file: Path, fake_google: Any) -> None:
    code, out, err = create(
        "--cron", "TZ=Europe/Berlin 0 3 * * *", "--param", "train_steps=20", "--name", "nightly",
        "--start", "2026-12-01T00:00+01:00", "--end", "2027-01-01T00:00:00Z",
    )  # fmt: skip

    assert (code, err) == (0, "")
    assert names(fake_google) == ["ListSchedules", "CreateSchedule"]
    request = fake_google.request("CreateSchedule")
    assert request.parent == PARENT
    schedule = request.schedule
    assert schedule.display_name == "nightly"
    assert schedule.cron == "TZ=Europe/Berlin 0 3 * * *"
    assert schedule.max_concurrent_run_count == 1
    assert schedule.allow_queueing is False
    assert schedule.start_time == datetime(2026, 11, 30, 23, tzinfo=timezone.utc)
    assert schedule.end_time == datetime(2027, 1, 1, tzinfo=timezone.utc)
    assert schedule.create_pipeline_job_request.parent == PARENT
    job = schedule.create_pipeline_job_request.pipeline_job
    assert json_format.MessageToDict(job._pb.pipeline_spec) == json.loads(job_file.read_text())["pipelineSpec"]
    assert job.runtime_config.parameter_values["train_steps"] == 20
    assert job.runtime_config.parameter_values["freeze"] == '[{"freeze": "all"}]'
    assert job.runtime_config.gcs_output_directory == "gs://my-bucket/permafrost"
    assert dict(job.labels) == {"team": "search", "tfx_runner": "kubeflow_v2"}
    assert job.service_account == "runner@my-project.iam.gserviceaccount.com"
    assert job.network == "projects/12345/global/networks/my-vpc"
    assert job.encryption_spec.kms_key_name == f"{PARENT}/keyRings/ring/cryptoKeys/key"
    assert out.startswith("scheduled on Vertex AI: nightly (1000), TZ=Europe/Berlin 0 3 * * *; next run 2026-11-24 ")


def test_times_that_are_not_given_are_not_sent(create: Create, fake_google: Any) -> None:
    assert create("--cron", "0 3 * * *")[0] == 0
    schedule = fake_google.request("CreateSchedule").schedule
    assert schedule.display_name == "tickets"
    assert "start_time" not in schedule
    assert "end_time" not in schedule


def test_a_time_without_offset_is_utc(create: Create, fake_google: Any) -> None:
    assert create("--cron", "0 3 * * *", "--start", "2026-12-01T03:00")[0] == 0
    start = fake_google.request("CreateSchedule").schedule.start_time
    assert start == datetime(2026, 12, 1, 3, tzinfo=timezone.utc)


def test_a_dry_run_prints_what_is_sent(create: Create, fake_google: Any) -> None:
    arguments = ("--cron", "0 3 * * MON", "--param", "train_steps=3", "--start", "2026-12-01")
    printed = json.loads(create(*arguments, "--dry-run")[1])
    assert fake_google.calls == []
    assert create(*arguments)[0] == 0
    assert printed == json_format.MessageToDict(fake_google.request("CreateSchedule")._pb)


def test_a_dry_run_needs_no_credentials(create: Create, no_google: None) -> None:
    code, out, err = create("--cron", "0 3 * * *", "--dry-run")
    assert (code, err) == (0, "")
    assert json.loads(out)["schedule"]["cron"] == "0 3 * * *"


def test_a_second_schedule_of_the_same_name_is_refused(create: Create, fake_google: Any) -> None:
    assert create("--cron", "0 3 * * *", "--name", "nightly")[0] == 0
    assert error(create("--cron", "0 4 * * *", "--name", "nightly")) == (
        "schedule 'nightly': tickets has one already (1000, '0 3 * * *', active); "
        "delete it, or give this one another --name"
    )
    assert create("--cron", "0 4 * * *", "--name", "weekly")[0] == 0
    assert names(fake_google).count("CreateSchedule") == 2


def test_the_list_shows_the_pipeline_s_own(create: Create, schedule: Create, job_file: Path, fake_google: Any) -> None:
    create("--cron", "0 3 * * *", "--name", "nightly", "--param", "train_steps=20")
    job_file.write_text(job_file.read_text().replace('"name": "tickets"', '"name": "other"'))
    create("--cron", "0 4 * * *", "--name", "others")

    code, out, err = schedule("list", "--json")
    assert (code, err, out.count("\n")) == (0, "", 1)
    assert json.loads(out) == [
        {
            "id": "1000",
            "name": "nightly",
            "pipeline": "tickets",
            "cron": "0 3 * * *",
            "state": "active",
            "parameters": {"data_root": "gs://rows", "freeze": '[{"freeze": "all"}]', "train_steps": 20},
            "next_run": "2026-11-24T03:00:00+00:00",
        }
    ]
    request = [request for name, request in fake_google.calls if name == "ListSchedules"][-1]
    assert request.parent == PARENT
    table = schedule("list")[1]
    for part in ("nightly", "1000", "0 3 * * *", "active", "train_steps=20"):
        assert part in table
    assert "others" not in table
    assert "others" in schedule("list", "--all")[1]


def test_an_empty_list(schedule: Create, fake_google: Any) -> None:
    assert schedule("list") == (0, "Vertex AI has no schedule for tickets\n", "")
    assert schedule("list", "--json") == (0, "[]\n", "")


@pytest.mark.parametrize("given", ["nightly", "1000"])
def test_pause_resume_and_delete_by_name_or_id(create: Create, schedule: Create, fake_google: Any, given: str) -> None:
    create("--cron", "0 3 * * *", "--name", "nightly")
    name = f"{PARENT}/schedules/1000"

    assert schedule("pause", given) == (0, "nightly (1000): paused\n", "")
    assert fake_google.request("PauseSchedule").name == name
    assert json.loads(schedule("list", "--json")[1])[0]["state"] == "paused"

    assert schedule("resume", given) == (0, "nightly (1000): active again\n", "")
    assert fake_google.request("ResumeSchedule").name == name
    assert fake_google.request("ResumeSchedule").catch_up is False

    assert schedule("delete", given) == (0, "nightly (1000): deleted\n", "")
    assert fake_google.request("DeleteSchedule").name == name
    assert schedule("list", "--json")[1] == "[]\n"


def test_missed_runs_can_be_made_up_for(create: Create, schedule: Create, fake_google: Any) -> None:
    create("--cron", "0 3 * * *")
    assert schedule("resume", "tickets", "--catch-up")[0] == 0
    assert fake_google.request("ResumeSchedule").catch_up is True


def test_an_unknown_schedule(create: Create, schedule: Create, fake_google: Any) -> None:
    assert error(schedule("pause", "nightly")) == "schedule 'nightly': there is none, nor another"
    create("--cron", "0 3 * * *", "--name", "nightly")
    assert error(schedule("pause", "nihgtly")) == "schedule 'nihgtly': there is none; did you mean 'nightly'?"
    assert error(schedule("delete", "x")) == "schedule 'x': there is none; there are: nightly"
    assert "DeleteSchedule" not in names(fake_google)


def test_a_name_that_several_have(create: Create, schedule: Create, job_file: Path, fake_google: Any) -> None:
    create("--cron", "0 3 * * *", "--name", "nightly")
    job_file.write_text(job_file.read_text().replace('"name": "tickets"', '"name": "other"'))
    create("--cron", "0 4 * * *", "--name", "nightly")
    assert error(schedule("delete", "nightly")) == "schedule 'nightly': several have this name; say which: 1000, 1001"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cron", "0 3 * *"],
         "--cron: should have 5 fields: minute, hour, day, month, weekday, as in '0 3 * * *'; given '0 3 * *'"),
        (["--cron", "0 3 * * *", "--param", "steps=1"],
         "--param steps: the pipeline has no such parameter; did you mean 'train_steps'?"),
        (["--cron", "0 3 * * *", "--start", "tomorrow"],
         "--start: is no time; write it as in 2026-01-31T03:00+01:00; given 'tomorrow'"),
        (["--cron", "0 3 * * *", "--start", "2026-12-01", "--end", "2026-12-01"], "--end: is not after --start"),
        ([], "schedule: give --config FILE and --cron '0 3 * * *'; or say list, pause, resume or delete"),
    ],
)  # fmt: skip
def test_a_mistake_is_found_before_anything_is_sent(
    create: Create, no_google: None, arguments: list[str], message: str
) -> None:
    assert error(create(*arguments)) == message


def test_options_before_a_verb_are_refused(permafrost: Permafrost, vertex_config: Path) -> None:
    assert error(permafrost("schedule", "--config", vertex_config, "list", "--config", vertex_config)) == (
        "schedule: write the options behind list: permafrost schedule list …"
    )


def test_the_service_refuses(create: Create, fake_google: Any) -> None:
    fake_google.failures["CreateSchedule"] = (grpc.StatusCode.PERMISSION_DENIED, "no schedules.create")
    assert error(create("--cron", "0 3 * * *")) == (
        "Vertex AI denies permission: no schedules.create; check that vertex.project (my-project) is the project you "
        "mean; you need roles/aiplatform.user there"
    )
    fake_google.failures["CreateSchedule"] = (grpc.StatusCode.UNAVAILABLE, "come back later")
    message = "Vertex AI failed (project my-project, region europe-west4): come back later"
    assert error(create("--cron", "0 3 * * *"), code=1) == message


def test_help_names_the_verbs(permafrost: Permafrost, capsys: pytest.CaptureFixture[str]) -> None:
    assert permafrost("schedule", "--help")[0] == 0
    shown = capsys.readouterr().out
    for part in ("--cron", "list", "pause", "resume", "delete", "Example:"):
        assert part in shown
