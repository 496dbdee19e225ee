"""An encoder is known by how it is called, wherever in a SavedModel it is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from trainer_module.encoder import rebuild
from trainer_module.errors import UserError
from trainer_module.hub.hub_interface import ENCODER_INPUTS, HubInterface, find_encoders
from trainer_module.hub.hub_model import HubModel
from trainer_module.hub.saved_model_reader import read_meta_graph
from trainer_module.settings import BertSettings
from trainer_module.text.tokenizer_source import find_tokenizer
from trainer_module.text.vocabulary import Vocabulary


@pytest.fixture
def save(one_block_model: HubModel, tmp_path: Path) -> Callable[..., Path]:
    """Saves an encoder once more, called in another way: `call(encoder, *inputs)`."""

    def make(call: Callable[..., Any], *specs: Any, below: str | None = None) -> Path:
        loaded = one_block_model.load()
        encoder = tf.train.Checkpoint()
        encoder.variables = loaded.variables
        encoder.__call__ = tf.function(lambda inputs, training=False: call(loaded, inputs, training), autograph=False)
        for training in (True, False):
            encoder.__call__.get_concrete_function(*specs, training=training)
        root = encoder
        if below is not None:
            root = tf.train.Checkpoint()
            setattr(root, below, encoder)
        tf.saved_model.save(root, str(tmp_path / "saved"))
        return tmp_path / "saved"

    return make


def tokens(*shape: int | None) -> dict[str, tf.TensorSpec]:
    return {name: tf.TensorSpec(shape, tf.int32, name=name) for name in ENCODER_INPUTS}


def as_list(loaded: Any, inputs: list[tf.Tensor], training: bool) -> list[tf.Tensor]:
    """The interface of the first TF2 generation."""
    outputs = loaded(dict(zip(ENCODER_INPUTS, inputs, strict=True)), training=training)
    return [outputs["pooled_output"], outputs["sequence_output"]]


def as_dict(loaded: Any, inputs: dict[str, tf.Tensor], training: bool) -> dict[str, tf.Tensor]:
    outputs = loaded(inputs, training=training)
    return {name: outputs[name] for name in ("sequence_output", "pooled_output")}


def found(path: Path) -> list[HubInterface]:
    return find_encoders(read_meta_graph(str(path)).object_graph_def)


def test_a_published_encoder_is_the_saved_model_itself(tiny_hub: Path) -> None:
    (only,) = found(tiny_hub)
    assert only == HubInterface(node=0, path=(), inputs="dict", sequence_length=0, hidden=32, layers=3)


@pytest.mark.slow
def test_the_first_generation_takes_and_gives_lists(save: Callable[..., Path], one_block_model: HubModel) -> None:
    path = save(as_list, list(tokens(None, None).values()))
    (only,) = found(path)
    assert (only.inputs, only.hidden, only.layers) == ("list", 32, 0)
    model = HubModel(str(path))
    assert model.layout == one_block_model.layout
    assert rebuild(model, lambda name: True, dropout=0.1).largest_difference <= 1e-5


@pytest.mark.slow
def test_an_encoder_of_one_length_is_rebuilt_all_the_same(save: Callable[..., Path]) -> None:
    path = save(as_dict, tokens(None, 24), below="inner")
    (only,) = found(path)
    assert (only.path, only.sequence_length) == (("inner",), 24)
    assert rebuild(HubModel(str(path)), lambda name: True, dropout=0.1).largest_difference <= 1e-5


@pytest.mark.parametrize(
    ("call", "specs"),
    [
        (lambda loaded, x, training: {"sequence_output": x["input_word_ids"]}, tokens(None, None)),
        (lambda loaded, x, training: x["input_mask"], tokens(None, None)),
        (
            lambda loaded, x, training: as_dict(loaded, {name: x[name] for name in ENCODER_INPUTS}, training),
            tokens(None, None) | {"masked_lm_positions": tf.TensorSpec([None, None], tf.int32)},
        ),
        (lambda loaded, x, training: as_list(loaded, [x, x, x], training), tf.TensorSpec([None, None], tf.int32)),
    ],
    ids=["no states", "no outputs by name", "a fourth input", "one input"],
)
def test_what_is_called_otherwise_is_none(save: Callable[..., Path], call: Callable[..., Any], specs: Any) -> None:
    assert found(save(call, specs)) == []


def test_an_encoder_that_brings_no_vocabulary_needs_one_in_the_config(
    save: Callable[..., Path], one_block_model: HubModel
) -> None:
    given = {"hub": str(save(as_dict, tokens(None, None))), "text": ["t"], "label": "l"}
    with pytest.raises(UserError, match="brings no vocabulary; name its file in `vocab`, or a Hub preprocessing"):
        find_tokenizer(BertSettings.model_validate(given))
    vocabulary = find_tokenizer(
        BertSettings.model_validate({**given, "vocab": one_block_model.vocab_path, "lower_case": True})
    )
    assert isinstance(vocabulary, Vocabulary)
    assert (vocabulary.path, vocabulary.lower_case) == (one_block_model.vocab_path, True)
