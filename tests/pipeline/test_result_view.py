"""What a person reads of the audit at the end of a run."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from components.data_gate.report import Finding, GateReport
from components.example_gen.spans_read import ReadSpan, SpansRead
from components.release_gate.report import Check, ReleaseReport
from pipeline.cli.result_view import print_result
from pipeline.evaluation import Evaluation
from pipeline.run_result import RunResult
from trainer_module.audit.audit_record import AuditRecord
from trainer_module.freezing.planning import plan_freeze
from trainer_module.hub.hub_model import HubModel
from trainer_module.settings import ModelSettings
from trainer_module.start_record import StartRecord


@pytest.fixture(scope="module")
def result(tiny_hub: Path) -> RunResult:
    """Blessed, audited and pushed."""
    settings = ModelSettings.model_validate({"hub": str(tiny_hub), "freeze": ["freeze encoder[:2]"], "max_tokens": 16})
    plan = plan_freeze(settings, HubModel(str(tiny_hub)))
    audit = AuditRecord(
        verdict="passed",
        problems=(),
        model="model",
        hub=plan.model.hub,
        hub_digest=plan.model.hub_digest,
        plan_digest=plan.digest(),
        frozen_params=plan.frozen_params,
        trainable_params=plan.trainable_params,
        moved_variables=len(plan.trainable_names),
        blocks=(),
        variables=(),
    )
    return RunResult(
        blessed=True,
        pushed_model="serving/1",
        evaluation=Evaluation(metrics={"accuracy": 0.5}, live={}, slices={}, missed=[]),
        plan=plan,
        data_gate=GateReport(findings=[]),
        audit=audit,
        release=ReleaseReport(verdict="passed", checks=[], model="model"),
        seconds={},
        cached=frozenset(),
        run_dir="run",
        log_file="the.log",
    )


def printed(result: RunResult, make_config, **evaluate: Any) -> list[str]:
    console = Console(file=io.StringIO(), width=120)
    print_result(console, result, make_config(**evaluate))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_an_audit_that_passed(result: RunResult, make_config) -> None:
    lines = printed(result, make_config)
    frozen = lines.index("frozen: 17,088 of 33,760 parameters (51%): encoder[0] to encoder[1]")
    assert lines[frozen + 1] == "audit passed: each frozen one is bit-identical to the Hub model's"
    assert "pushed to serving/1" in lines
    assert result.to_json()["audit"] == "passed"


def test_an_audit_that_failed_with_its_reasons(result: RunResult, make_config) -> None:
    problems = ("1 frozen variables differ from the Hub model's: [bold]kernel", "nothing was trained")
    audit = result.audit.model_copy(update={"verdict": "failed", "problems": problems})
    failed = replace(result, audit=audit, pushed_model=None)
    lines = printed(failed, make_config)
    start = lines.index("audit failed:")
    assert lines[start + 1 : start + 3] == [f"  {problem}" for problem in problems]
    assert "nothing was pushed" in lines
    assert not any("bit-identical" in line for line in lines)
    assert failed.to_json()["audit"] == "failed"


def test_what_data_gate_warns_of(result: RunResult, make_config) -> None:
    message = "data_gate.label_skew: the labels [of] the eval rows differ"
    warned = Finding(check="label_skew", split="eval", outcome="warn", message=message)
    passed = Finding(check="min_rows", split="train", outcome="passed", message="enough")
    suspect = replace(result, data_gate=GateReport(findings=[passed, warned]))
    assert not any("warning" in line for line in printed(suspect, make_config)), "it was told while DataGate ran"
    cached = replace(suspect, cached=frozenset({"DataGate"}))
    assert [line for line in printed(cached, make_config) if "warning" in line] == [f"warning: {message}"]
    assert suspect.to_json()["warnings"] == [message]
    assert "warnings" not in result.to_json()


def test_a_release_gate_that_failed_with_its_reasons(result: RunResult, make_config) -> None:
    problems = ["the exported model has 0.5 MB; release_gate.max_size_mb allows 0.1", "it [never] answers"]
    release = ReleaseReport(verdict="failed", checks=[Check(name="several", problems=problems)], model="model")
    failed = replace(result, release=release, pushed_model=None, not_pushed_because="; ".join(problems))
    lines = printed(failed, make_config)
    start = lines.index("release gate failed:")
    assert lines[start + 1 : start + 3] == [f"  {problem}" for problem in problems]
    assert "nothing was pushed" in lines
    told = failed.to_json()
    assert (told["release_gate"], told["not_pushed_because"]) == ("failed", "; ".join(problems))
    passed = "release gate passed: the exported model answers as the trained one"
    assert passed in printed(result, make_config)
    assert result.to_json()["release_gate"] == "passed"


def test_why_a_sound_model_was_not_pushed(result: RunResult, make_config) -> None:
    withdrawn = replace(result, pushed_model=None, not_pushed_because="this model was withdrawn [by a rollback]")
    assert "nothing was pushed: this model was withdrawn [by a rollback]" in printed(withdrawn, make_config)
    assert withdrawn.to_json()["not_pushed_because"] == "this model was withdrawn [by a rollback]"
    assert "not_pushed_because" not in result.to_json()


def test_spans_are_told_where_there_are_any(result: RunResult, make_config) -> None:
    spans = SpansRead(first_span=5, last_span=7, spans=[ReadSpan(span=5), ReadSpan(span=7)], missing_spans=[6])
    spanned = replace(result, spans=spans)
    assert "rows of spans 5 to 7; without 6, which had no files" in printed(spanned, make_config)
    assert not any("span" in line for line in printed(result, make_config))
    told = spanned.to_json()
    assert {key: told[key] for key in told if "span" in key} == {
        "span": 7,
        "first_span": 5,
        "last_span": 7,
        "spans": [{"span": 5, "version": None}, {"span": 7, "version": None}],
        "missing_spans": [6],
    }
    assert not any("span" in key for key in result.to_json())


def test_which_model_training_went_on_from(result: RunResult, make_config) -> None:
    assert not any(line.startswith("started from") for line in printed(result, make_config))
    start = StartRecord(live_model="serving/1", variables=3, new_classes=("a[b]",))
    lines = printed(replace(result, start=start), make_config)
    assert "started from the live model serving/1; new classes: a[b]" in lines


def test_the_baseline_is_told_with_what_is_required(result: RunResult, make_config) -> None:
    metrics = {"accuracy": 0.75, "baseline_accuracy": 0.5, "baseline_p_value": 0.0123}
    measured = replace(result, evaluation=replace(result.evaluation, metrics=metrics))

    def rows(**evaluate: bool) -> list[list[str]]:
        lines = printed(measured, make_config, **evaluate)
        return [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if "baseline" in line]

    assert rows(must_beat_baseline=True) == [
        ["baseline_accuracy", "0.5000", ""],
        ["baseline_p_value", "0.0123", "at most 0.05"],
    ]
    assert rows(must_beat_baseline=False) == [["baseline_accuracy", "0.5000", ""], ["baseline_p_value", "0.0123", ""]]
    assert measured.to_json()["metrics"] == metrics


@pytest.mark.parametrize(
    ("evaluate", "has_live_model", "verdict"),
    [
        ({}, False, "no threshold set, no live model to compare with yet"),
        ({}, True, "no threshold set, no worse than the live model"),
        (
            {"must_beat_baseline": True},
            False,
            "no threshold set, no live model to compare with yet, better than the majority class",
        ),
        (
            {"must_beat_baseline": True, "task": "regression"},
            True,
            "no threshold set, no worse than the live model, better than the mean",
        ),
        ({"thresholds": {"macro_f1": {"no_worse_than_live_by": 0}}}, False, "no live model to compare with yet"),
        ({"thresholds": {"macro_f1": {"no_worse_than_live_by": 0}}}, True, "every threshold is met"),
        ({"thresholds": {"loss": {"at_most": 0}}}, False, "every threshold is met"),
        ({"minimum_examples": 5}, False, "every threshold is met"),
    ],
)
def test_the_verdict_claims_no_more_than_was_required(
    result: RunResult, make_config, evaluate: dict[str, Any], has_live_model: bool, verdict: str
) -> None:
    live = {"accuracy": 0.5} if has_live_model else {}
    compared = replace(result, evaluation=replace(result.evaluation, live=live))
    assert f"blessed: {verdict}" in printed(compared, make_config, **evaluate)


def test_a_classifier_that_ignores_a_class_is_remarked_on(result: RunResult, make_config) -> None:
    metrics = {"precision/a": 0.5, "recall/a": 1.0, "recall/[b]": 0.0}
    lazy = replace(result, evaluation=replace(result.evaluation, metrics=metrics))
    remark = "the model predicts 'a' for every evaluation row"
    lines = printed(lazy, make_config)
    assert f"warning: {remark}" in lines
    assert lazy.to_json()["warnings"] == [remark]
    cells = [line.split() for line in lines if "[b]" in line]
    assert cells == [["│", "[b]", "│", "│", "0.000", "│"]]
