"""Kubeflow Pipelines (v2) as a `PipelineService`, by the kfp client library."""

from __future__ import annotations

import os
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pipeline.cron import split_zone
from pipeline.kfp_settings import KfpSettings
from pipeline.service.compiled_pipeline import CompiledPipeline
from pipeline.service.kfp_errors import TOKEN_VARIABLE, kfp_errors, refuse_other_server
from pipeline.service.orders import RunOrder, Schedule, ScheduleOrder, SubmittedRun
from pipeline.service.service_errors import RunFailed
from trainer_module.errors import UserError

if TYPE_CHECKING:
    import kfp

_RUNS_AT_ONCE = 1
_SECONDS_BETWEEN_LOOKS = 10
_PAGE = 100
_STATES = {"ENABLED": "active", "DISABLED": "paused"}
_ENDINGS = ("SUCCEEDED", "FAILED", "SKIPPED", "CANCELED")


class KfpService:
    """Runs and recurring runs on the server of a config's `[kfp]` section.

    Args:
        settings: The section.
        pipeline_name: Its runs are put into an experiment of this name, unless the section names another.

    Raises:
        UserError: The section doesn't say where the server is.
    """

    title = "Kubeflow Pipelines"

    def __init__(self, settings: KfpSettings, pipeline_name: str) -> None:
        if settings.host is None or not settings.host.startswith(("http://", "https://")):
            raise UserError(
                f"kfp.host: should be the URL of Kubeflow Pipelines, http://… or https://…; given {settings.host!r}"
            )
        self._settings = settings
        self._host = settings.host.rstrip("/")
        self._experiment = settings.experiment or pipeline_name

    @cached_property
    def _client(self) -> kfp.Client:
        import kfp

        with self._errors():
            return kfp.Client(
                host=self._host,
                existing_token=os.environ.get(TOKEN_VARIABLE),
                **({"namespace": self._settings.namespace} if self._settings.namespace else {}),
            )

    def _errors(self) -> Any:
        return kfp_errors(self._host, self._settings.namespace)

    def run_request(self, order: RunOrder) -> dict[str, Any]:
        """See `PipelineService`. The server's id of the experiment isn't known, so its name stands beside."""
        import kfp_server_api as api

        body = api.V2beta1Run(
            display_name=order.name,
            pipeline_spec=_spec(order.pipeline),
            runtime_config=api.V2beta1RuntimeConfig(parameters=dict(order.values)),
            service_account=self._settings.service_account,
        )
        return self._with_place("run", body)

    def submit(self, order: RunOrder) -> SubmittedRun:
        """See `PipelineService`."""
        with self._errors():
            result = self._client.create_run_from_pipeline_package(
                str(order.pipeline.path),
                arguments=dict(order.values),
                run_name=order.name,
                experiment_name=self._experiment,
                namespace=self._settings.namespace,
                service_account=self._settings.service_account,
            )
        run_id = refuse_other_server(result.run_id, self._host)
        return SubmittedRun(run_id, f"{self._host}/#/runs/details/{run_id}")

    def wait(self, run: SubmittedRun) -> None:
        """See `PipelineService`."""
        # The library's own waiting never ends when a run is cancelled.
        while True:
            with self._errors():
                found = self._client.get_run(run.id)
            if found.state in _ENDINGS:
                break
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        if found.state != "SUCCEEDED":
            details = found.run_details.task_details if found.run_details else None
            failed = [
                f"{task.display_name}: {task.error.message if task.error and task.error.message else 'failed'}"
                for task in details or []
                if task.state == "FAILED"
            ]
            raise RunFailed("\n".join([f"the run has {found.state.lower()}: {run.url}", *failed]))

    def schedule_request(self, order: ScheduleOrder) -> dict[str, Any]:
        """See `PipelineService`. The server's id of the experiment isn't known, so its name stands beside."""
        import kfp_server_api as api

        when = _when(order)
        body = api.V2beta1RecurringRun(
            display_name=order.run.name,
            mode=api.RecurringRunMode.ENABLE,
            pipeline_spec=_spec(order.run.pipeline),
            runtime_config=api.V2beta1RuntimeConfig(parameters=dict(order.run.values)),
            trigger=api.V2beta1Trigger(
                cron_schedule=api.V2beta1CronSchedule(
                    cron=when["cron_expression"], start_time=when["start_time"], end_time=when["end_time"]
                )
            ),
            max_concurrency=_RUNS_AT_ONCE,
            no_catchup=True,
            service_account=self._settings.service_account,
        )
        return self._with_place("recurring_run", body)

    def create_schedule(self, order: ScheduleOrder) -> Schedule:
        """See `PipelineService`."""
        when = _when(order)
        with self._errors():
            experiment = self._client.create_experiment(self._experiment, namespace=self._settings.namespace)
            made = self._client.create_recurring_run(
                experiment_id=refuse_other_server(experiment.experiment_id, self._host),
                job_name=order.run.name,
                max_concurrency=_RUNS_AT_ONCE,
                no_catchup=True,
                params=dict(order.run.values),
                pipeline_package_path=str(order.run.pipeline.path),
                service_account=self._settings.service_account,
                **when,
            )
        refuse_other_server(made.recurring_run_id, self._host)
        return _record(made)

    def schedules(self) -> list[Schedule]:
        """See `PipelineService`."""
        found: list[Schedule] = []
        page = ""
        while True:
            with self._errors():
                answer = self._client.list_recurring_runs(
                    page_token=page, page_size=_PAGE, sort_by="created_at desc", namespace=self._settings.namespace
                )
            found += [_record(recurring_run) for recurring_run in answer.recurring_runs or []]
            page = answer.next_page_token or ""
            if not page:
                return found

    def pause(self, schedule: Schedule) -> None:
        """See `PipelineService`."""
        with self._errors():
            self._client.disable_recurring_run(schedule.id)

    def resume(self, schedule: Schedule, catch_up: bool) -> None:
        """See `PipelineService`.

        Raises:
            UserError: `catch_up` is wanted, which Kubeflow decides when a recurring run is made.
        """
        if catch_up:
            raise UserError("--catch-up: Kubeflow Pipelines can't make up for runs that were missed; leave it out")
        with self._errors():
            self._client.enable_recurring_run(schedule.id)

    def delete(self, schedule: Schedule) -> None:
        """See `PipelineService`."""
        with self._errors():
            self._client.delete_recurring_run(schedule.id)

    def _with_place(self, what: str, body: Any) -> dict[str, Any]:
        from kfp_server_api import ApiClient

        return {
            "host": self._host,
            "namespace": self._settings.namespace,
            "experiment": self._experiment,
            what: ApiClient().sanitize_for_serialization(body),
        }


def _spec(pipeline: CompiledPipeline) -> dict[str, Any]:
    """What the client sends of a package: its first document, or both under names."""
    if pipeline.platform:
        return {"pipeline_spec": dict(pipeline.spec), "platform_spec": dict(pipeline.platform)}
    return dict(pipeline.spec)


def _when(order: ScheduleOrder) -> dict[str, str | None]:
    """The arguments of `create_recurring_run` that say when."""
    zone, fields = split_zone(order.cron)
    if zone is not None:
        raise UserError(
            f"--cron: Kubeflow Pipelines keeps the time of its own cluster; leave TZ={zone} out, "
            "and count the hours in the cluster's time zone (UTC, unless its CRON_SCHEDULE_TIMEZONE says otherwise)"
        )
    return {
        # Kubeflow's first field is the second; five fields would mean something else.
        "cron_expression": f"0 {fields}",
        "start_time": order.start.isoformat() if order.start else None,
        "end_time": order.end.isoformat() if order.end else None,
    }


def _record(recurring_run: Any) -> Schedule:
    spec = recurring_run.pipeline_spec or {}
    spec = spec.get("pipeline_spec", spec)
    schedule = recurring_run.trigger.cron_schedule if recurring_run.trigger else None
    config = recurring_run.runtime_config
    return Schedule(
        id=recurring_run.recurring_run_id,
        name=recurring_run.display_name,
        pipeline=spec.get("pipelineInfo", {}).get("name", ""),
        cron=(schedule.cron if schedule else "") or "",
        state=_STATES.get(recurring_run.status, str(recurring_run.status).lower()),
        values=dict((config.parameters if config else None) or {}),
    )
