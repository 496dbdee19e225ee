"""What trains begins with the live model's values, what is frozen with the Hub's; another kind of model is refused."""

import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer_module.audit.plan_in_model import PLAN_IN_MODEL, read_plan, write_plan
from trainer_module.audit.saved_weights import SavedWeights
from trainer_module.errors import UserError
from trainer_module.export import ServingModel, export
from trainer_module.features import LABEL_VOCABULARY
from trainer_module.head_in_model import HEAD_IN_MODEL, read_head, write_head
from trainer_module.hub.hub_model import HubModel
from trainer_module.settings import ModelSettings
from trainer_module.start_record import START_FILE, StartRecord, read_start, write_start
from trainer_module.training.checkpoints.training_digest import training_digest
from trainer_module.training.classifier import BertClassifier
from trainer_module.training.distribution import NOT_DISTRIBUTED
from trainer_module.warm_start import warm_start

pytestmark = pytest.mark.slow

ONCE = 'train once with train.start_from = "hub"'


@pytest.fixture(scope="module")
def live(trained_reviews: Any, reviews: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained model as it is exported: embeddings and the first of three blocks were frozen."""
    path = tmp_path_factory.mktemp("live") / "model"
    labels = reviews.output.vocabulary_by_name(LABEL_VOCABULARY)
    model = ServingModel(trained_reviews.classifier, reviews.output, trained_reviews.settings, labels)
    export(model, str(path), trained_reviews.planned.plan)
    return path


@pytest.fixture
def copy(live: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    return Path(shutil.copytree(live, tmp_path / "copy"))


Start = Callable[..., tuple[BertClassifier, StartRecord, Any]]


@pytest.fixture
def start(tiny_model: HubModel, tiny_encoder: Callable[..., Any], live: Path) -> Start:
    """Starts a new classifier: `start(*rules, classes=…, model=…, task=…, pooling=…)`."""

    def start(
        *rules: dict[str, str],
        classes: tuple[str, ...] = ("positive", "negative"),
        model: Path | None = live,
        task: str = "classification",
        pooling: str = "mean",
    ) -> tuple[BertClassifier, StartRecord, Any]:
        planned = tiny_encoder(*rules, pooling=pooling)
        settings = ModelSettings.model_validate({"hub": tiny_model.handle, "task": task, "pooling": pooling})
        outputs = max(len(classes), 1)
        classifier = BertClassifier(planned.encoder, outputs=outputs, pooling=pooling, dropout=0.1, seed=0)
        classifier.build_head(planned.plan.model.hidden)
        labels = [name.encode() for name in classes]
        record = warm_start(classifier, planned.plan, settings, labels, str(model) if model else None)
        return classifier, record, planned

    return start


def refusal(start: Start, **given: Any) -> str:
    with pytest.raises(UserError) as error:
        start(**given)
    return str(error.value)


def head_of(live: Path) -> dict[str, tuple[np.ndarray, float]]:
    """By class: its column of the matrix, and its bias."""
    head, weights = read_head(str(live)), SavedWeights(str(live))
    assert head is not None
    kernel, bias = weights.read(head.kernel), weights.read(head.bias)
    return {name: (kernel[:, index], bias[index]) for index, name in enumerate(head.classes)}


def test_what_trains_is_the_live_models_and_what_is_frozen_the_hubs(
    start: Start, live: Path, tiny_model: HubModel
) -> None:
    classifier, record, planned = start({"freeze": "embeddings"})
    weights = SavedWeights(str(live))
    moved = 0
    for variable in planned.plan.variables:
        value = classifier.encoder.hub_variables[variable.name].numpy()
        of_hub = tiny_model.weights[variable.name]
        assert value.tobytes() == (weights.read(variable.name) if variable.trainable else of_hub).tobytes()
        moved += value.tobytes() != of_hub.tobytes()
    assert moved == 32  # of the two upper blocks, which the live model had trained
    assert record == StartRecord(live_model=str(live), variables=48)


def test_what_the_live_model_trained_and_is_frozen_now_is_the_hubs_again(
    start: Start, live: Path, tiny_model: HubModel, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "permafrost.warm_start"):
        classifier, record, _ = start({"freeze": "embeddings"}, {"freeze": "encoder[:2]"})
    assert record.frozen_again == ("encoder[1]",)
    name = "transformer/layer_1/output/kernel"
    assert classifier.encoder.hub_variables[name].numpy().tobytes() == tiny_model.weights[name].tobytes()
    assert tiny_model.weights[name].tobytes() != SavedWeights(str(live)).read(name).tobytes()
    assert caplog.messages == [
        f"started from the live model {live}; frozen now, so from the Hub model again: encoder[1]"
    ]


def test_the_head_goes_by_the_names_of_the_classes(start: Start, live: Path) -> None:
    classifier, record, _ = start(classes=("negative", "neutral", "positive"))
    fresh, _, _ = start(classes=("negative", "neutral", "positive"), model=None)
    columns = head_of(live)
    kernel, bias = classifier.head.kernel.numpy(), classifier.head.bias.numpy()
    for index, name in ((0, "negative"), (2, "positive")):
        assert (kernel[:, index].tobytes(), bias[index]) == (columns[name][0].tobytes(), columns[name][1])
        assert kernel[:, index].tobytes() != fresh.head.kernel.numpy()[:, index].tobytes()
    assert kernel[:, 1].tobytes() == fresh.head.kernel.numpy()[:, 1].tobytes()
    assert bias[1] == 0
    assert (record.new_classes, record.lost_classes) == (("neutral",), ())


def test_a_class_that_is_gone_is_left_out_and_told(start: Start, live: Path) -> None:
    classifier, record, _ = start(classes=("other", "negative"))
    assert classifier.head.kernel.numpy()[:, 1].tobytes() == head_of(live)["negative"][0].tobytes()
    assert (record.new_classes, record.lost_classes) == (("other",), ("positive",))
    assert record.describe() == (
        f"started from the live model {live}; new classes: other; classes no longer there: positive"
    )


def test_the_same_answers_as_the_live_model(start: Start, trained_reviews: Any, reviews: Any) -> None:
    import tensorflow as tf

    classifier, _, _ = start({"freeze": "embeddings"}, {"freeze": "encoder[0]"})
    inputs = {
        "input_word_ids": tf.constant([[2, 5, 6, 3]]),
        "input_mask": tf.ones([1, 4], tf.int32),
        "input_type_ids": tf.zeros([1, 4], tf.int32),
    }
    labels = [each.decode() for each in reviews.output.vocabulary_by_name(LABEL_VOCABULARY)]
    order = [labels.index(name) for name in ("positive", "negative")]
    expected = trained_reviews.classifier.logits(inputs).numpy()[:, order]
    np.testing.assert_allclose(classifier.logits(inputs).numpy(), expected, atol=1e-6)


def test_without_a_live_model_it_starts_from_the_hub_and_says_so(
    start: Start, tiny_model: HubModel, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "permafrost.warm_start"):
        classifier, record, _ = start(model=None)
    assert record == StartRecord()
    assert record.describe() == "started from the Hub model: there is no live model yet"
    assert caplog.messages == ["there is no live model yet: training starts from the Hub model"]
    for name, variable in classifier.encoder.hub_variables.items():
        assert variable.numpy().tobytes() == tiny_model.weights[name].tobytes()


def test_a_model_of_another_hub_model_or_kind_is_refused_with_all_that_differs(
    start: Start, copy: Path, tiny_model: HubModel
) -> None:
    plan = read_plan(str(copy))
    assert plan is not None
    other = plan.model.model_copy(update={"hub": "models/other", "hub_digest": f"sha256:{'0' * 64}"})
    write_plan(str(copy), plan.model_copy(update={"model": other}))
    assert refusal(start, model=copy, task="regression", pooling="cls", classes=()) == (
        f"train.start_from: the live model {copy} can't be continued: it was trained from another Hub model, "
        f"models/other (sha256:{'0' * 64}); model.hub is {tiny_model.handle} ({tiny_model.digest}); "
        "its model.task is 'classification', not 'regression'; its model.pooling is 'mean', not 'cls'; "
        f"change that back, or {ONCE}"
    )


@pytest.mark.parametrize("file", [PLAN_IN_MODEL, HEAD_IN_MODEL])
@pytest.mark.parametrize("content", [None, "{"])
def test_a_model_that_does_not_say_what_it_is_is_refused(
    start: Start, copy: Path, file: str, content: str | None
) -> None:
    if content is None:
        (copy / file).unlink()
    else:
        (copy / file).write_text(content, encoding="utf-8")
    assert refusal(start, model=copy) == (
        f"train.start_from: the live model {copy} doesn't say what it was trained from: an earlier Permafrost "
        f"exported it, or something else; {ONCE}"
    )


def test_a_variable_that_it_lacks_is_named(
    start: Start, live: Path, tmp_path: Path, export_variables: Callable[..., Path]
) -> None:
    plan, head, weights = read_plan(str(live)), read_head(str(live)), SavedWeights(str(live))
    assert plan is not None
    assert head is not None
    values = {name: weights.read(name) for name in weights.shapes if name != "transformer/layer_2/output/bias"}
    model = export_variables(tmp_path / "model", values, plan)
    write_head(str(model), head)
    assert "can't be continued: it has no variable transformer/layer_2/output/bias; " in refusal(start, model=model)


def test_a_damaged_model_is_refused(start: Start, copy: Path) -> None:
    file = copy / "variables" / "variables.data-00000-of-00001"
    file.write_bytes(file.read_bytes()[:1000])
    message = refusal(start, model=copy)
    assert message.startswith(f"train.start_from: the live model {copy} can't be read (")
    assert message.endswith(f"; make another one live, or {ONCE}")


def test_a_training_from_another_live_model_is_another_one_to_its_checkpoints(
    start: Start, trained_reviews: Any, reviews: Any
) -> None:
    digests = set()
    for given in ({"model": None}, {}, {}):
        classifier, _, planned = start({"freeze": "embeddings"}, **given)
        rows = [reviews.tokens, reviews.tokens]
        digests.add(training_digest(classifier, rows, trained_reviews.settings, planned.plan, NOT_DISTRIBUTED))
    assert len(digests) == 2


def test_the_record_is_kept_beside_the_plan(tmp_path: Path) -> None:
    assert read_start(str(tmp_path)) is None
    record = StartRecord(live_model="serving/1", variables=3, new_classes=("a",), frozen_again=("pooler",))
    write_start(str(tmp_path / "run"), record)
    assert (tmp_path / "run" / START_FILE).is_file()
    assert read_start(str(tmp_path / "run")) == record
