"""TFX's own BERT example, with its model code replaced by `trainer_module`: nothing else of this project is needed.

The pipeline is the one in the `tfx` package (tfx/examples/bert/mrpc): stock components in its order, its Evaluator's
config, its one step of training. Only the entry points and their `custom_config` are ours.
"""

import csv
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from pipeline.runners.in_process_beam import in_process_beam

pytestmark = pytest.mark.slow

TEXTS = ("#1 String", "#2 String")
FREEZE = [{"freeze": "embeddings"}, {"freeze": "encoder[:2]"}]
Pair = tuple[str, str, int]


def real_pairs(folder: Path) -> list[Pair]:
    """Rows of the Microsoft Research Paraphrase Corpus."""
    with (folder / "train_3668.tsv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [(row["#1 String"], row["#2 String"], int(row["Quality"])) for row in rows[:320]]


def ticket_pairs() -> list[Pair]:
    """Neighbours among the quickstart's tickets, and whether they are of different topics: mostly, they are."""
    with (Path(__file__).parents[2] / "examples" / "support_tickets.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))[:321]
    for row in rows:
        row["text"] = " ".join(row["text"].split())  # a stock CsvExampleGen takes every line for a row
    return [(one["text"], other["text"], int(one["topic"] != other["topic"])) for one, other in pairwise(rows)]


def write(path: Path, pairs: list[Pair]) -> None:
    path.parent.mkdir(parents=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["label", *TEXTS])
        writer.writerows([label, one, other] for one, other, label in pairs)


def as_example(pair: Pair) -> bytes:
    example = tf.train.Example()
    for column, text in zip(TEXTS, pair[:2], strict=True):
        example.features.feature[column].bytes_list.value.append(text.encode())
    return example.SerializeToString()


@dataclass(frozen=True)
class DropIn:
    """A finished run.

    Attributes:
        folder: Of the pipeline's artifacts (`root`) and pushed models (`serving`).
        eval_pairs: The rows that Evaluator measured.
    """

    folder: Path
    eval_pairs: list[Pair]

    @property
    def pushed(self) -> list[Path]:
        return list((self.folder / "serving").iterdir())

    def output(self, component: str, name: str) -> Path:
        (only,) = (self.folder / "root" / component / name).iterdir()
        return only


@pytest.fixture(scope="module")
def run(request: pytest.FixtureRequest, tiny_hub: Path, tmp_path_factory: pytest.TempPathFactory) -> DropIn:
    try:
        pairs = real_pairs(request.getfixturevalue("shared_data")("MRPC"))
    except pytest.skip.Exception:
        pairs = ticket_pairs()
    folder = tmp_path_factory.mktemp("drop_in")
    write(folder / "data" / "train" / "train.csv", pairs[:240])
    write(folder / "data" / "validation" / "validation.csv", pairs[240:])
    bert = {"hub": str(tiny_hub), "freeze": FREEZE, "text": list(TEXTS), "label": "label", "max_tokens": 64}

    from tfx.examples.bert.mrpc import bert_mrpc_pipeline as example
    from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner

    def with_ours(component: Callable[..., Any], **entry_point: str) -> Callable[..., Any]:
        return lambda module_file, **given: component(**entry_point, custom_config={"bert": bert}, **given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            example, "Transform", with_ours(example.Transform, preprocessing_fn="trainer_module.preprocessing_fn")
        )
        patch.setattr(example, "Trainer", with_ours(example.Trainer, run_fn="trainer_module.run_fn"))
        pipeline = example._create_pipeline(
            pipeline_name="bert_mrpc",
            pipeline_root=str(folder / "root"),
            data_root=str(folder / "data"),
            module_file="nowhere.py",
            serving_model_dir=str(folder / "serving"),
            metadata_path=str(folder / "metadata.sqlite"),
            # With any, TFX packs itself up for each component.
            beam_pipeline_args=[],
        )
    # Only sooner: Beam would run it in this process anyway.
    with in_process_beam():
        BeamDagRunner().run(pipeline)
    return DropIn(folder, pairs[240:])


@pytest.fixture(scope="module")
def answers(run: DropIn) -> dict[str, np.ndarray]:
    """What the pushed model says of the rows that Evaluator measured."""
    (pushed,) = run.pushed
    model = tf.saved_model.load(str(pushed))
    examples = tf.constant([as_example(pair) for pair in run.eval_pairs])
    return {name: answer.numpy() for name, answer in model.signatures["serving_default"](examples=examples).items()}


def test_the_model_is_blessed_and_pushed(run: DropIn) -> None:
    assert [path.name for path in run.output("Evaluator", "blessing").iterdir()] == ["BLESSED"]
    (pushed,) = run.pushed
    assert (pushed / "saved_model.pb").is_file()
    assert pushed.name.isdigit()


def test_the_pushed_model_answers_serialized_rows(run: DropIn, answers: dict[str, np.ndarray]) -> None:
    assert set(answers) == {"probabilities", "label"}
    assert answers["probabilities"].shape == (len(run.eval_pairs), 2)
    np.testing.assert_allclose(answers["probabilities"].sum(axis=1), 1, atol=1e-6)
    assert len(np.unique(answers["probabilities"], axis=0)) > len(run.eval_pairs) // 2


def test_a_class_that_is_a_number_is_at_its_own_index(run: DropIn, answers: dict[str, np.ndarray]) -> None:
    """Though 1 is the more frequent label, hence the first in Transform's vocabulary."""
    labels = [label for *_, label in run.eval_pairs]
    assert sum(labels) > len(labels) / 2
    (vocabulary,) = run.folder.glob("root/Transform/transform_graph/*/transform_fn/assets/labels")
    assert vocabulary.read_text().split() == ["1", "0"]
    assert answers["label"].astype(int).tolist() == answers["probabilities"].argmax(axis=1).tolist()


def test_evaluator_measured_what_the_pushed_model_answers(run: DropIn, answers: dict[str, np.ndarray]) -> None:
    import tensorflow_model_analysis as tfma

    measured = tfma.load_eval_result(str(run.output("Evaluator", "evaluation"))).get_metrics_for_all_slices()
    (metrics,) = measured.values()
    right = answers["label"].astype(int) == np.array([label for *_, label in run.eval_pairs])
    assert metrics["sparse_categorical_accuracy"]["doubleValue"] == pytest.approx(right.mean(), abs=1e-6)


def test_frozen_variables_are_the_hub_models_bit_by_bit(run: DropIn, tiny_hub: Path) -> None:
    from trainer_module.hub.saved_model_reader import SavedModelReader

    (pushed,) = run.pushed
    before, after = SavedModelReader(str(tiny_hub)), SavedModelReader(str(pushed))
    served = {variable.name: after.value(variable) for variable in after.variables()}
    weights = {v.name: before.value(v) for v in before.variables() if v.dtype.is_floating}
    same = {name for name, value in weights.items() if served[name].tobytes() == value.tobytes()}
    frozen = {name for name in weights if "embedding" in name or "layer_0/" in name or "layer_1/" in name}
    assert len(frozen) == 5 + 2 * 16
    assert frozen <= same
    assert {name for name in weights if "layer_2/output/" in name}.isdisjoint(same)


def test_evaluator_in_a_process_of_its_own_needs_only_a_module_path(
    run: DropIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stock Evaluator knows no operations of tensorflow-text; `module_path` makes it import them."""
    from tfx.components.util import udf_utils

    (pushed,) = run.pushed
    module = "trainer_module.text.tokenizer"
    monkeypatch.delitem(sys.modules, module)
    assert udf_utils.try_get_fn({"module_path": module}, "custom_eval_shared_model") is None
    assert module in sys.modules
    code = f"""
import sys
import tensorflow as tf
import {module}
print(sorted(tf.saved_model.load(sys.argv[1]).signatures))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(pushed)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    expected = "['classes', 'predict_text', 'serving_default', 'transform_features']"
    assert done.stdout.splitlines()[-1] == expected
