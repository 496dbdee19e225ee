"""Our Evaluator is TFX's but for AutoGraph, which is off while it works."""

from typing import Any

import pytest
from tensorflow.python.autograph.core import ag_ctx
from tensorflow_model_analysis.proto import config_pb2
from tfx.components.evaluator.executor import Executor
from tfx.types import Channel, standard_artifacts

from components.evaluator.component import UnconvertedEvaluator
from components.evaluator.executor import UnconvertedExecutor


def test_autograph_is_off_while_it_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(Executor, "Do", lambda self, *given: seen.append((ag_ctx.control_status_ctx().status, given)))
    before = ag_ctx.control_status_ctx().status
    inputs: dict[str, Any] = {"model": []}
    UnconvertedExecutor().Do(inputs, {"blessing": []}, {"a": 1})
    assert seen == [(ag_ctx.Status.DISABLED, (inputs, {"blessing": []}, {"a": 1}))]
    assert ag_ctx.control_status_ctx().status == before


def test_it_has_the_stock_components_inputs_and_outputs() -> None:
    evaluator = UnconvertedEvaluator(
        examples=Channel(type=standard_artifacts.Examples),
        model=Channel(type=standard_artifacts.Model),
        eval_config=config_pb2.EvalConfig(),
    )
    assert set(evaluator.outputs) == {"evaluation", "blessing"}
    assert evaluator.executor_spec.executor_class is UnconvertedExecutor
