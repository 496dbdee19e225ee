"""The exported model answers raw text in plain TensorFlow, and holds the Hub's variables as they were."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_serving.apis import prediction_log_pb2

from trainer_module.audit.freeze_audit import audit
from trainer_module.audit.plan_in_model import read_plan
from trainer_module.audit.variable_record import digest
from trainer_module.encoder import BertEncoder
from trainer_module.encoder.hub_weights import HubWeights
from trainer_module.export import ServingModel, export
from trainer_module.features import LABEL, LABEL_VOCABULARY
from trainer_module.freezing.planning import plan_freeze
from trainer_module.hub.saved_model_reader import SavedModelReader
from trainer_module.settings import ModelSettings
from trainer_module.training.classifier import BertClassifier

pytestmark = pytest.mark.slow

ODD_TEXTS = [
    b"",
    ("good " * 20_000).encode(),
    b"x" * 100_000,
    "👍🏽 great film 👎".encode(),
    "فيلم جيد".encode(),
    b"the film\x00 is good",
    b"\x00",
    b"bad \xff\xfe bytes \xc3",
]

PAIR = ("#1 String", "#2 String")

CLIENT = """
import json, sys
import tensorflow as tf
import tensorflow_text
model = tf.saved_model.load(sys.argv[1])
texts = [bytes.fromhex(text) for text in json.loads(sys.argv[2])]
answer = next(iter(model.signatures["predict_text"].structured_input_signature[1]))
given = model.signatures["predict_text"](**{answer: tf.constant(texts)})
print(json.dumps({
    "argument": answer,
    "probabilities": given["probabilities"].numpy().tolist(),
    "label": [label.decode() for label in given["label"].numpy()],
    "ours": sorted(name for name in sys.modules if name.startswith(("trainer_module", "tensorflow_transform", "tfx"))),
}))
"""


@pytest.fixture(scope="session")
def exported(trained_reviews, reviews, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "model"
    classes = reviews.output.vocabulary_by_name(LABEL_VOCABULARY)
    model = ServingModel(trained_reviews.classifier, reviews.output, trained_reviews.settings, classes)
    export(model, str(path), trained_reviews.planned.plan)
    return path


@pytest.fixture(scope="session")
def loaded(exported: Path) -> Any:
    return tf.saved_model.load(str(exported))


@pytest.fixture(scope="session")
def ask(loaded) -> Any:
    """Gives the answers to texts, in one request."""

    def ask(texts: list[bytes]) -> dict[str, np.ndarray]:
        answers = loaded.signatures["predict_text"](sentence=tf.constant(texts, tf.string))
        return {name: answer.numpy() for name, answer in answers.items()}

    return ask


def example(**columns: bytes) -> bytes:
    features = tf.train.Features(
        feature={
            name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[value])) for name, value in columns.items()
        }
    )
    return tf.train.Example(features=features).SerializeToString()


def shapes(signature: Any) -> dict[str, tuple[tf.DType, list[int | None]]]:
    return {name: (spec.dtype, spec.shape.as_list()) for name, spec in signature.structured_outputs.items()}


def test_has_the_four_signatures(loaded) -> None:
    assert set(loaded.signatures) == {"serving_default", "predict_text", "transform_features", "classes"}
    answers = {"probabilities": (tf.float32, [None, 2]), "label": (tf.string, [None])}
    assert shapes(loaded.signatures["serving_default"]) == answers
    assert shapes(loaded.signatures["predict_text"]) == answers
    assert shapes(loaded.signatures["transform_features"]) == {LABEL: (tf.int64, [None])}
    inputs = {name: loaded.signatures[name].structured_input_signature[1] for name in loaded.signatures}
    assert set(inputs["serving_default"]) == set(inputs["transform_features"]) == {"examples"}
    assert set(inputs["predict_text"]) == {"sentence"}


def test_classes_are_in_the_order_of_the_probabilities(loaded, reviews, ask) -> None:
    classes = loaded.signatures["classes"]()["classes"].numpy().tolist()
    assert classes == reviews.output.vocabulary_by_name(LABEL_VOCABULARY)
    answers = ask([b"the film is good", b"the film is awful", b"", b"very bad"])
    assert answers["label"].tolist() == [classes[index] for index in answers["probabilities"].argmax(axis=1)]


def test_it_has_learnt(ask) -> None:
    answers = ask([b"the story is very great", b"a film is bad"])
    assert answers["label"].tolist() == [b"positive", b"negative"]


def test_probabilities_sum_to_one(ask) -> None:
    probabilities = ask([b"the film is good", *ODD_TEXTS])["probabilities"]
    assert probabilities.shape == (1 + len(ODD_TEXTS), 2)
    assert np.all(probabilities >= 0)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def test_both_signatures_agree(loaded, ask) -> None:
    texts = [b"the film is good", b"awful", b"x1! is fine", *ODD_TEXTS]
    answers = ask(texts)
    examples = tf.constant([example(sentence=text) for text in texts])
    for name, answer in loaded.signatures["serving_default"](examples=examples).items():
        np.testing.assert_array_equal(answer.numpy(), answers[name])


def test_it_computes_what_the_classifier_computes(ask, trained_reviews, reviews) -> None:
    rows = reviews.tokens
    inputs, _ = rows.batch(np.arange(8))
    expected = tf.nn.softmax(trained_reviews.classifier(inputs)).numpy()
    texts = [b"the film is " + verdict for verdict in (b"good", b"great", b"bad", b"awful")]
    texts += [b"the film is very " + verdict for verdict in (b"good", b"great", b"bad", b"awful")]
    np.testing.assert_allclose(ask(texts)["probabilities"], expected, atol=1e-6)


def test_a_text_gets_the_same_answer_alone_and_in_a_batch(ask) -> None:
    texts = [b"good", b"the film is not very good", *ODD_TEXTS]
    together = ask(texts)
    for index, text in enumerate(texts):
        alone = ask([text])
        np.testing.assert_allclose(alone["probabilities"][0], together["probabilities"][index], atol=1e-5)
        assert alone["label"][0] == together["label"][index]


def test_no_texts_get_no_answers(loaded, ask) -> None:
    nothing = tf.constant([], tf.string)
    for answers in (ask([]), loaded.signatures["serving_default"](examples=nothing)):
        assert answers["probabilities"].shape == (0, 2)
        assert answers["label"].shape == (0,)
    assert loaded.signatures["transform_features"](examples=nothing)[LABEL].shape == (0,)


def warmup_requests(model_dir: Path) -> list[tuple[str, dict[str, tf.Tensor]]]:
    """What TensorFlow Serving sends to a model when it loads it: signatures and their inputs."""
    requests = []
    for record in tf.data.TFRecordDataset(str(model_dir / "assets.extra" / "tf_serving_warmup_requests")):
        log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
        assert log.WhichOneof("log_type") == "predict_log"
        request = log.predict_log.request
        inputs = {name: tf.constant(tf.make_ndarray(tensor)) for name, tensor in request.inputs.items()}
        requests.append((request.model_spec.signature_name, inputs))
    return requests


def test_it_carries_requests_to_warm_it_up(loaded, exported: Path) -> None:
    requests = warmup_requests(exported)
    assert [name for name, _ in requests] == ["serving_default", "predict_text"] * 2
    batches = []
    for name, inputs in requests:
        answers = loaded.signatures[name](**inputs)
        assert np.isfinite(answers["probabilities"]).all()
        batches.append(len(answers["label"]))
    assert batches == [1, 1, 8, 8]
    assert requests[-1][1]["sentence"][0] == " ".join(["a"] * 16), "as long as the encoder allows"


def test_labels_of_raw_rows_become_class_indexes(loaded, reviews) -> None:
    examples = [example(sentence=b"good", label=label) for label in (b"positive", b"negative", b"other")]
    indexes = loaded.signatures["transform_features"](examples=tf.constant(examples))[LABEL].numpy().tolist()
    classes = reviews.output.vocabulary_by_name(LABEL_VOCABULARY)
    assert indexes == [classes.index(b"positive"), classes.index(b"negative"), -1]


def test_a_request_needs_no_label_and_ignores_other_columns(loaded, ask) -> None:
    examples = tf.constant([example(sentence=b"good", label=b"?", id=b"7"), example(sentence=b"good")])
    answers = loaded.signatures["serving_default"](examples=examples)["probabilities"].numpy()
    np.testing.assert_array_equal(answers, ask([b"good"] * 2)["probabilities"])


def test_a_request_without_the_text_gets_an_error(loaded) -> None:
    examples = tf.constant([example(sentence=b"good"), example(label=b"positive")])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"Feature: sentence \(data type: string\) is required"):
        loaded.signatures["serving_default"](examples=examples)


def test_hub_variables_keep_their_names_and_frozen_ones_their_bits(exported: Path, trained_reviews, tiny_model) -> None:
    reader = SavedModelReader(str(exported))
    values = {variable.name: reader.value(variable) for variable in reader.variables()}
    assert set(tiny_model.weights) <= set(values)
    plan = trained_reviews.planned.plan
    same = {name for name, value in tiny_model.weights.items() if values[name].tobytes() == value.tobytes()}
    unused = {variable.name for variable in plan.variables if variable.unused}
    assert same == set(plan.frozen_names) | unused
    trained = trained_reviews.planned.encoder.hub_variables
    for name in plan.trainable_names:
        assert values[name].tobytes() == trained[name].numpy().tobytes()


def test_it_holds_no_optimizer_state_and_no_metrics(exported: Path, tiny_model) -> None:
    names = {variable.name for variable in SavedModelReader(str(exported)).variables()}
    others = names - set(tiny_model.weights)
    assert len([name for name in others if name.endswith(("kernel", "bias"))]) == 2  # the head's
    assert not [name for name in others if "adam" in name.lower() or "iteration" in name or "accuracy" in name]


def test_it_holds_no_keras_objects(exported: Path) -> None:
    reader = SavedModelReader(str(exported))
    kinds = [node.user_object.identifier for node in reader._objects.nodes]
    classes = [kind for kind in kinds if "keras" in kind and "TransformFeaturesLayer" not in kind]
    assert "bert" not in " ".join(classes).lower()


def test_it_carries_its_plan_and_passes_an_audit_by_it(exported: Path, trained_reviews, tiny_model) -> None:
    plan = read_plan(str(exported))
    assert plan == trained_reviews.planned.plan
    record = audit(str(exported), trained_reviews.planned.plan, tiny_model)
    assert record.problems == ()
    variables = trained_reviews.classifier.encoder.hub_variables
    assert {each.name: each.sha256_after for each in record.variables} == {
        name: digest(variable.numpy()) for name, variable in variables.items()
    }


def test_one_bit_flipped_in_a_model_that_was_loaded_and_saved_again_is_found(
    loaded, exported: Path, trained_reviews, tiny_model, tmp_path: Path
) -> None:
    name = "transformer/layer_0/output/kernel"
    (variable,) = (each for each in loaded.model_variables if each.name == f"{name}:0")
    value = variable.numpy()
    changed = value.copy()
    changed.view(np.uint32).reshape(-1)[7] ^= 1
    try:
        variable.assign(changed)
        tf.saved_model.save(loaded, str(tmp_path), signatures=loaded.signatures)
    finally:
        variable.assign(value)
    shutil.copytree(exported / "assets.extra", tmp_path / "assets.extra", dirs_exist_ok=True)
    record = audit(str(tmp_path), trained_reviews.planned.plan, tiny_model)
    assert record.problems == (f"1 frozen variables differ from the Hub model's: {name}",)


def test_counts_of_parameters_agree(exported: Path, trained_reviews, tiny_model) -> None:
    """What Keras says of the classifier is what the plan and the audit say, and the head."""
    lines: list[str] = []
    trained_reviews.classifier.summary(print_fn=lines.append)
    counts = {
        kind: int(re.search(rf"^ ?{kind} params: (\d+)", "\n".join(lines), re.MULTILINE)[1])  # type: ignore[index]
        for kind in ("Total", "Trainable", "Non-trainable")
    }
    plan = trained_reviews.planned.plan
    record = audit(str(exported), plan, tiny_model)
    head = 2 * tiny_model.layout.hidden + 2
    assert counts["Non-trainable"] == plan.frozen_params == record.frozen_params
    assert counts["Trainable"] == plan.trainable_params + head == record.trainable_params + head
    assert counts["Total"] == plan.model.parameters + head == sum(block.parameters for block in record.blocks) + head


def test_plain_tensorflow_serves_it_far_from_our_code(exported: Path, tmp_path: Path, ask) -> None:
    texts = [b"the film is good", b"the film is bad", *(text for text in ODD_TEXTS if len(text) < 1000)]
    client = subprocess.run(
        [sys.executable, "-I", "-c", CLIENT, str(exported), json.dumps([text.hex() for text in texts])],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={key: value for key, value in os.environ.items() if key != "TF_USE_LEGACY_KERAS"},
    )
    assert client.returncode == 0, client.stderr[-2000:]
    answers = json.loads(client.stdout.splitlines()[-1])
    expected = ask(texts)
    assert answers["argument"] == "sentence"
    assert answers["ours"] == []
    np.testing.assert_allclose(answers["probabilities"], expected["probabilities"], atol=1e-6)
    assert answers["label"] == [label.decode() for label in expected["label"]]


def test_a_regression_on_pairs_predicts_numbers(scored_pairs, one_block_model, tmp_path: Path) -> None:
    settings = ModelSettings.model_validate({"hub": one_block_model.handle, "max_tokens": 10})
    plan = plan_freeze(settings, one_block_model)
    layout = one_block_model.layout
    encoder = BertEncoder(layout, HubWeights(layout, one_block_model.weights, plan.is_trainable), dropout=0.1)
    classifier = BertClassifier(encoder, outputs=1, pooling="pooled", dropout=0.1, seed=0)
    inputs, _ = scored_pairs.tokens.batch(np.arange(2))
    expected = classifier(inputs).numpy()[:, 0]
    export(ServingModel(classifier, scored_pairs.output, scored_pairs.settings, []), str(tmp_path), plan)
    loaded = tf.saved_model.load(str(tmp_path))
    assert set(loaded.signatures) == {"serving_default", "predict_text", "transform_features"}
    columns = {"#1 String": [b"good film", b"a a a a a a a a"], "#2 String": [b"bad", b"the story is not good"]}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    examples = tf.constant([example(**row) for row in rows])
    answers = loaded.signatures["serving_default"](examples=examples)
    assert set(answers) == {"prediction"}
    np.testing.assert_allclose(answers["prediction"], expected, atol=1e-5)
    for present in columns:
        lacking = tf.constant([examples.numpy()[0], example(**{present: b"good film"})])
        with pytest.raises(
            tf.errors.InvalidArgumentError,
            match=r"Feature: #. String \(data type: string\) is required but could not be found in example\] \[1\]",
        ):
            loaded.signatures["serving_default"](examples=lacking)
    # TFMA asks this one for labels only.
    label = tf.train.Example()
    label.features.feature["score"].float_list.value.append(0.5)
    assert loaded.signatures["transform_features"](examples=tf.constant([label.SerializeToString()]))[LABEL] == [0.5]
    names = sorted(loaded.signatures["predict_text"].structured_input_signature[1])
    assert len(names) == 2 and "1" in names[0] and "2" in names[1]
    for name, inputs in warmup_requests(tmp_path):
        assert np.isfinite(loaded.signatures[name](**inputs)["prediction"]).all()
    # This encoder's pooler reads the first token, which no texts don't have.
    nothing = tf.constant([], tf.string)
    assert loaded.signatures["predict_text"](**dict.fromkeys(names, nothing))["prediction"].shape == (0,)
    given = dict(zip(names, map(tf.constant, columns.values()), strict=True))
    np.testing.assert_allclose(loaded.signatures["predict_text"](**given)["prediction"], expected, atol=1e-5)


def test_a_text_that_rows_may_lack_by_the_schema_may_be_missing_in_requests(
    scored_pairs, tiny_encoder, tmp_path: Path
) -> None:
    shutil.copytree(Path(scored_pairs.output.transform_savedmodel_dir).parent, tmp_path / "graph")
    output = tft.TFTransformOutput(str(tmp_path / "graph"))
    first, second = (next(each for each in output.raw_metadata.schema.feature if each.name == name) for name in PAIR)
    first.presence.min_fraction = 1
    second.presence.min_count = 1  # as SchemaGen writes where some rows lack it
    classifier = BertClassifier(tiny_encoder().encoder, outputs=1, pooling="pooled", dropout=0.1, seed=0)
    classifier(scored_pairs.tokens.batch(np.arange(2))[0])
    serve = ServingModel(classifier, output, scored_pairs.settings, []).signatures()["serving_default"]
    assert np.isfinite(serve(examples=tf.constant([example(**{PAIR[0]: b"good film"})]))["prediction"])
    with pytest.raises(tf.errors.InvalidArgumentError, match="Feature: #1 String"):
        serve(examples=tf.constant([example(**{PAIR[1]: b"good film"})]))
