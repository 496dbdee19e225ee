"""A training step does no work for what is frozen."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from trainer_module.settings import TrainSettings
from trainer_module.training.batches import input_specs
from trainer_module.training.classifier import BertClassifier
from trainer_module.training.frozen_prefix.cached_rows import CachedRows
from trainer_module.training.frozen_prefix.prefix import Kept
from trainer_module.training.optimizer import make_optimizer
from trainer_module.training.rows import Rows

HALF = ({"freeze": "embeddings"}, {"freeze": "encoder[:2]"})
ALL = ({"freeze": "all"},)
BIASES = ({"freeze": "all"}, {"train": "layer_2/output/bias"})

# A block has 4 products of a weight each: of queries, keys and values together, of the attention's output, and two of
# the feed-forward net. The last block's queries are of the first token only: one product more.
BLOCK, LAST_BLOCK, POOLER, HEAD = 4, 5, 1, 1
FORWARD = 2 * BLOCK + LAST_BLOCK + POOLER + HEAD
LAYER_NORM = 4  # sums in its gradient


@pytest.fixture
def step_graph(tiny_encoder: Callable[..., Any]) -> Callable[..., Any]:
    """The operations of a training step, by type; and the optimizer."""

    def make(rules: Any, entry: int, source: Any, pooling: str = "pooled") -> tuple[Counter[str], Any]:
        planned = tiny_encoder(*rules, pooling=pooling)
        classifier = BertClassifier(planned.encoder, outputs=2, pooling=pooling, dropout=0.1, seed=0)
        optimizer = make_optimizer(TrainSettings(), total_steps=10)
        classifier.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        classifier.enter_after(entry)
        inputs, labels = source.batch(np.array([0, 1]))
        classifier.test_step(({name: tf.constant(each) for name, each in inputs.items()}, tf.constant(labels)))
        optimizer.build(classifier.trainable_variables)
        step = tf.function(classifier.train_step, autograph=False)
        graph = step.get_concrete_function((input_specs(source), tf.TensorSpec([None], tf.int64))).graph
        return Counter(operation.type for operation in graph.get_operations()), optimizer

    return make


@pytest.fixture
def rows(make_rows: Callable[..., Rows]) -> Rows:
    return make_rows([2, 5, 6, 3], [2, 5, 3], labels=[0, 1])


def behind(rows: Rows, kept: Kept) -> CachedRows:
    class Zeros:
        def gather(self, positions: np.ndarray, longest: int) -> np.ndarray:
            return np.zeros([len(positions), longest, 32], np.float32)

    return CachedRows(rows, Zeros(), kept, tf.float32)  # type: ignore[arg-type]


@pytest.mark.slow
def test_where_all_trains_each_product_has_two_of_its_gradient(step_graph: Callable[..., Any], rows: Rows) -> None:
    operations, _ = step_graph((), 0, rows)
    assert operations["MatMul"] == 3 * FORWARD + 7 * LAYER_NORM
    assert operations["BatchMatMulV2"] == 3 * (3 * 2)
    assert operations["ResourceApplyAdam"] == 55 + 2


@pytest.mark.parametrize(("entry", "below"), [(0, 2 * BLOCK), (3, 0)])
def test_below_the_first_block_that_trains_there_is_no_gradient_and_behind_the_prefix_nothing(
    step_graph: Callable[..., Any], rows: Rows, entry: int, below: int
) -> None:
    operations, optimizer = step_graph(HALF, entry, behind(rows, Kept.STATES) if entry else rows)
    # What goes into the block has no gradient: one product each, instead of two, for queries and for keys and values.
    gradients = 2 * (LAST_BLOCK + POOLER + HEAD) - 2
    assert operations["MatMul"] == below + LAST_BLOCK + POOLER + HEAD + gradients + 2 * LAYER_NORM
    assert operations["BatchMatMulV2"] == (2 * 2 if entry == 0 else 0) + 3 * 2
    trained = 16 + 2 + 2
    assert operations["ResourceApplyAdam"] == trained
    assert len([slot for slot in optimizer.variables if slot.shape.rank]) == 2 * trained
    assert ("GatherV2" in operations or "ResourceGather" in operations) == (entry == 0)


@pytest.mark.parametrize(("entry", "encoder"), [(0, 2 * BLOCK + LAST_BLOCK + POOLER), (4, 0)])
def test_where_all_is_frozen_the_heads_kernel_has_the_one_gradient(
    step_graph: Callable[..., Any], rows: Rows, entry: int, encoder: int
) -> None:
    operations, optimizer = step_graph(ALL, entry, behind(rows, Kept.POOLED) if entry else rows)
    assert operations["MatMul"] == encoder + HEAD + 1
    assert operations["ResourceApplyAdam"] == 2
    assert len([slot for slot in optimizer.variables if slot.shape.rank]) == 2 * 2


def test_a_frozen_kernel_in_a_block_that_trains_has_no_gradient(step_graph: Callable[..., Any], rows: Rows) -> None:
    """The bias is behind all kernels of its block but the pooler's, whose own gradient is not computed."""
    operations, _ = step_graph(BIASES, 3, behind(rows, Kept.STATES))
    assert operations["MatMul"] == LAST_BLOCK + POOLER + HEAD + (HEAD + 1) + POOLER + LAYER_NORM
    assert operations["ResourceApplyAdam"] == 1 + 2
