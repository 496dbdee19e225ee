import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_hub as hub
import tf_keras as keras
from tensorflow.core.protobuf import saved_model_pb2

from trainer_module.encoder.probe import probe_batch
from trainer_module.hub.hub_model import HubModel

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def loaded(imported):
    return tf.saved_model.load(str(imported[1].path))


@pytest.fixture(scope="module")
def batch(imported):
    return probe_batch(imported[1].layout)


def test_has_the_published_interface(loaded, batch):
    outputs = loaded(batch)
    rows, tokens = batch["input_word_ids"].shape
    assert set(outputs) == {"pooled_output", "sequence_output", "default", "encoder_outputs"}
    assert outputs["pooled_output"].shape == (rows, 12)
    assert outputs["sequence_output"].shape == (rows, tokens, 12)
    assert [output.shape for output in outputs["encoder_outputs"]] == [(rows, tokens, 12)] * 2
    np.testing.assert_array_equal(outputs["default"], outputs["pooled_output"])
    np.testing.assert_array_equal(outputs["encoder_outputs"][-1], outputs["sequence_output"])


def test_training_applies_random_dropout_and_nothing_else_does(loaded, batch):
    still = loaded(batch, training=False)["sequence_output"].numpy()
    np.testing.assert_array_equal(still, loaded(batch, training=False)["sequence_output"])
    np.testing.assert_array_equal(still, loaded(batch)["sequence_output"])
    first, second = (loaded(batch, training=True) for _ in range(2))
    for output in ("sequence_output", "pooled_output"):
        assert np.abs(first[output] - second[output]).max() > 1e-3
    assert np.abs(first["sequence_output"] - still).max() > 1e-3


def test_names_are_those_of_published_encoders(imported, hub_model):
    published = HubModel(str(hub_model("bert_L-4_H-32"))).layout
    blocks = ("embeddings", "encoder[0]", "encoder[1]", "pooler")
    names = [variable.name for block in blocks for variable in published.in_block(block)]
    ours = HubModel(str(imported[1].path)).layout
    assert [variable.name for variable in ours.variables] == names


def test_lists_its_variables_in_order(loaded, imported):
    names = [f"{variable.name}:0" for variable in imported[1].layout.variables]
    assert [variable.name for variable in loaded.variables] == names
    assert [variable.name for variable in loaded.trainable_variables] == names
    assert list(loaded.regularization_losses) == []


def test_brings_its_vocabulary_and_casing(imported):
    source, result = imported
    model = HubModel(str(result.path))
    assert model.vocab_path is not None
    with open(model.vocab_path, encoding="utf-8") as lines:
        assert lines.read().splitlines() == source.pieces
    assert model.lower_case is True


def test_the_signature_serves(loaded, batch):
    served = loaded.signatures["serving_default"](**batch)
    assert set(served) == {"pooled_output", "sequence_output", "default"}
    np.testing.assert_allclose(served["pooled_output"], loaded(batch)["pooled_output"], atol=1e-5)


def test_holds_no_keras_objects(imported):
    saved_model = saved_model_pb2.SavedModel()
    saved_model.ParseFromString((imported[1].path / "saved_model.pb").read_bytes())
    nodes = saved_model.meta_graphs[0].object_graph_def.nodes
    assert not [node.user_object.identifier for node in nodes if "keras" in node.user_object.identifier]


def test_plain_tensorflow_loads_it_far_from_our_code(imported, tmp_path):
    program = (
        "import sys, tensorflow as tf\n"
        "ones = tf.ones([2, 3], tf.int32)\n"
        "names = ('input_word_ids', 'input_mask', 'input_type_ids')\n"
        f"model = tf.saved_model.load({str(imported[1].path)!r})\n"
        "assert model(dict.fromkeys(names, ones))['pooled_output'].shape == (2, 12)\n"
        "assert 'trainer_module' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True)


def test_hub_keras_layer_trains_every_variable(imported, batch):
    layer = hub.KerasLayer(str(imported[1].path), trainable=True)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(batch, training=True)["pooled_output"][:, 0])
    gradients = tape.gradient(loss, layer.trainable_weights)
    assert len(gradients) == len(imported[1].layout.variables)
    still = [
        variable.name
        for variable, gradient in zip(layer.trainable_weights, gradients, strict=True)
        if not np.any(tf.convert_to_tensor(gradient))
    ]
    assert still == []


def test_hub_keras_layer_fine_tunes_it_in_a_keras_model(imported, batch):
    layer = hub.KerasLayer(str(imported[1].path), trainable=True)
    inputs = {name: keras.Input([None], dtype=tf.int32, name=name) for name in batch}
    model = keras.Model(inputs, keras.layers.Dense(1)(layer(inputs)["pooled_output"]))
    before = layer.get_weights()
    labels = tf.constant([[0.0], [1.0], [0.0], [1.0], [1.0]])
    model.compile(keras.optimizers.Adam(1e-2), keras.losses.BinaryCrossentropy(from_logits=True), run_eagerly=True)
    losses = model.fit(batch, labels, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert not any(np.array_equal(new, old) for new, old in zip(layer.get_weights(), before, strict=True))


def test_hub_keras_layer_keeps_it_frozen(imported, batch):
    layer = hub.KerasLayer(str(imported[1].path), trainable=False)
    assert layer.trainable_weights == []
    first, second = (layer(batch, training=True)["pooled_output"] for _ in range(2))
    np.testing.assert_array_equal(first, second)
