"""Whatever can be known to be wrong is said before a run, and all of it at once."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from trainer_module.errors import UserError
from trainer_module.hub.hub_model import HubModel
from trainer_module.preflight import plan_run
from trainer_module.settings import BertSettings


def settings(hub: Path, **more: Any) -> BertSettings:
    return BertSettings.model_validate({"hub": str(hub), "text": ["t"], "label": "l", "max_tokens": 16, **more})


def test_the_plan_names_the_model_and_its_content(tiny_hub: Path, tiny_model: HubModel) -> None:
    plan = plan_run(settings(tiny_hub, freeze=["freeze embeddings"]))
    assert (plan.model.hub, plan.model.hub_digest) == (str(tiny_hub), tiny_model.digest)
    assert len(plan.frozen_names) == 5


def test_problems_of_rules_lengths_and_vocabulary_come_together(tiny_hub: Path, tmp_path: Path) -> None:
    given = settings(tiny_hub, freeze=["freeze layer_9"], vocab=str(tmp_path / "none.txt")).model_copy(
        update={"max_tokens": 100}
    )
    with pytest.raises(UserError) as error:
        plan_run(given)
    assert error.value.problems == [
        f"model.max_tokens: 100 is beyond the 64 positions of {tiny_hub}; set it to 64 or less",
        "rule 1 `freeze layer_9`: selects no variable of this model; did you mean `layer_2`?",
        f"model.vocab: no such vocabulary file: {tmp_path}/none.txt",
    ]


class Tokenizer(tf.Module):
    """Splits into characters; what a published preprocessing model holds as `tokenize`.

    Args:
        start: Id of `[CLS]`.
        file: A file in the model's assets.
    """

    def __init__(self, start: int, file: Path) -> None:
        super().__init__()
        self.start = start
        self.file = tf.saved_model.Asset(str(file))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def __call__(self, texts: tf.Tensor) -> tf.RaggedTensor:
        characters = tf.strings.unicode_split(texts, "UTF-8")
        ids = characters.with_flat_values(tf.ones_like(characters.flat_values, tf.int64))
        return tf.expand_dims(ids, 2)

    @tf.function(input_signature=[])
    def get_special_tokens_dict(self) -> dict[str, tf.Tensor]:
        return {"start_of_sequence_id": tf.constant(self.start), "end_of_segment_id": tf.constant(3)}


@pytest.fixture
def preprocess(tmp_path: Path) -> Callable[..., Path]:
    """Saves a preprocessing model: `preprocess(start=2)` gives its folder."""

    def save(start: int = 2) -> Path:
        (tmp_path / "words.txt").write_text("good\n")
        root = tf.Module()
        root.tokenize = Tokenizer(start, tmp_path / "words.txt")
        tf.saved_model.save(root, str(tmp_path / "preprocess"))
        return tmp_path / "preprocess"

    return save


def refusal(given: BertSettings) -> str:
    with pytest.raises(UserError) as error:
        plan_run(given)
    return str(error.value)


def test_a_preprocessing_model_is_tried_out(tiny_hub: Path, preprocess: Callable[..., Path]) -> None:
    assert plan_run(settings(tiny_hub, preprocess=str(preprocess()))).rules == ()


def test_a_preprocessing_model_of_another_encoder_is_refused(
    tiny_hub: Path, tiny_model: HubModel, preprocess: Callable[..., Path]
) -> None:
    path = preprocess(start=30_521)
    assert refusal(settings(tiny_hub, preprocess=str(path))) == (
        f"model.preprocess: {path} gives token ids from 1 to 30521, but the encoder has {tiny_model.layout.words} word "
        "embeddings; name the preprocessing model that belongs to the encoder"
    )


def test_a_preprocessing_model_without_its_vocabulary_is_refused(
    tiny_hub: Path, preprocess: Callable[..., Path]
) -> None:
    path = preprocess()
    (path / "assets" / "words.txt").unlink()
    assert refusal(settings(tiny_hub, preprocess=str(path))) == (
        f"model.preprocess: {path} lacks assets/words.txt; fetch the model again"
    )


def test_a_preprocessing_model_with_a_vocabulary_of_absurd_length_is_refused(
    tiny_hub: Path, preprocess: Callable[..., Path]
) -> None:
    path = preprocess()
    with (path / "assets" / "words.txt").open("r+b") as file:
        file.truncate(1 << 40)  # sparse
    assert refusal(settings(tiny_hub, preprocess=str(path))) == (
        f"model.preprocess: {path}/assets/words.txt is damaged (it has 1,099,511,627,776 bytes); fetch the model again"
    )


def test_a_damaged_preprocessing_model_is_refused(tiny_hub: Path, preprocess: Callable[..., Path]) -> None:
    path = preprocess()
    content = saved_model_pb2.SavedModel.FromString((path / "saved_model.pb").read_bytes())
    for function in content.meta_graphs[0].graph_def.library.function:
        for node in function.node_def:
            if node.op == "UnicodeDecode":
                node.input[:] = ["nowhere:output:0"]
    (path / "saved_model.pb").write_bytes(content.SerializeToString())
    message = refusal(settings(tiny_hub, preprocess=str(path)))
    assert message.startswith(f"model.preprocess: {path} can't be loaded (")
    assert message.endswith("); fetch the model again, or take another one")
    assert "\n" not in message
