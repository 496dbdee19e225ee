"""Stored activations are found again by all that decides about them, and by nothing else."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from trainer_module.settings import BertSettings
from trainer_module.training.classifier import BertClassifier
from trainer_module.training.frozen_prefix.digests import prefix_digest, row_keys
from trainer_module.training.frozen_prefix.prefix import Kept, Prefix
from trainer_module.training.rows import Rows

HALF = ({"freeze": "embeddings"}, {"freeze": "encoder[:1]"})
STATES = Prefix(2, Kept.STATES)


@pytest.fixture(scope="module")
def digest(tiny_encoder: Callable[..., Any]) -> Callable[..., str]:
    """The digest of a prefix: `digest(prefix, settings…, change={variable: what is added}, rules=…, hub_digest=…)`."""

    def make(
        prefix: Prefix = STATES,
        dtype: tf.DType = tf.float32,
        change: str | None = None,
        rules: Any = HALF,
        hub_digest: str | None = None,
        pooling: str = "pooled",
        **more: Any,
    ) -> str:
        planned = tiny_encoder(*rules, pooling=pooling)
        plan = planned.plan
        if hub_digest is not None:
            plan = plan.model_copy(update={"model": plan.model.model_copy(update={"hub_digest": hub_digest})})
        if change is not None:
            planned.encoder.hub_variables[change].assign_add(tf.fill(planned.encoder.hub_variables[change].shape, 1e-6))
        bert = {"hub": "tiny", "text": ["t"], "label": "l", "max_tokens": 16, "pooling": pooling, **more}
        settings = BertSettings.from_custom_config({"bert": bert})
        classifier = BertClassifier(planned.encoder, outputs=2, pooling=pooling, dropout=0.1, seed=0)
        return prefix_digest(classifier, prefix, dtype, settings, plan)

    return make


@pytest.mark.parametrize(
    "other",
    [
        {"max_tokens": 17},
        {"dtype": tf.bfloat16},
        {"compute_dtype": "bfloat16"},
        {"prefix": Prefix(1, Kept.STATES)},
        {"prefix": Prefix(2, Kept.FIRST_STATE)},
        {"prefix": Prefix(4, Kept.POOLED)},
        {"vocab": "other.txt"},
        {"lower_case": False},
        {"preprocess": "preprocess"},
        {"hub_digest": "sha256:" + "0" * 64},
        {"change": "word_embeddings/embeddings"},
        {"change": "transformer/layer_0/output_layer_norm/beta"},
    ],
    ids=str,
)
def test_what_decides_about_the_output_gives_another_digest(digest: Callable[..., str], other: dict[str, Any]) -> None:
    assert digest(**other) != digest()


@pytest.mark.parametrize(
    "same",
    [
        {"change": "transformer/layer_1/output/kernel"},
        {"change": "pooler_transform/kernel"},
        {"learning_rate": 1e-3, "epochs": 7, "seed": 5, "batch_size": 3, "tokens_per_batch": 99},
        {"rules": (*HALF, {"freeze": "encoder[2]"})},
        {"prefix_cache": "memory", "prefix_cache_mb": 5, "prefix_cache_dir": "elsewhere"},
    ],
    ids=str,
)
def test_what_only_training_reads_gives_the_same(digest: Callable[..., str], same: dict[str, Any]) -> None:
    assert digest(**same) == digest()
    assert len(digest()) == 64


def test_pooled_vectors_depend_on_the_pooler_where_the_head_reads_it(digest: Callable[..., str]) -> None:
    whole = Prefix(4, Kept.POOLED)
    made = {
        (pooling, change): digest(whole, rules=({"freeze": "all"},), pooling=pooling, change=change)
        for pooling in ("pooled", "mean")
        for change in (None, "pooler_transform/kernel")
    }
    assert made["pooled", None] != made["pooled", "pooler_transform/kernel"]
    assert made["mean", None] == made["mean", "pooler_transform/kernel"]
    assert made["pooled", None] != made["mean", None]


def test_a_row_is_known_by_its_token_and_segment_ids_alone(make_rows: Callable[..., Rows]) -> None:
    rows = make_rows([2, 5, 3], [2, 5, 6, 3], [2, 5, 3], [2, 6, 3], labels=[0, 1, 1, 0])
    keys = row_keys(rows)
    assert (keys.shape, keys.dtype) == ((4, 16), np.uint8)
    assert [key.tobytes() == keys[0].tobytes() for key in keys] == [True, False, True, False]
    np.testing.assert_array_equal(row_keys(make_rows([2, 5, 6, 3])), keys[1:2])
    in_pairs = row_keys(make_rows([2, 5, 3], [2, 5, 3], second_from=1))
    other_second = row_keys(make_rows([2, 5, 3], second_from=2))
    assert in_pairs[0].tobytes() == in_pairs[1].tobytes()
    assert len({in_pairs[0].tobytes(), other_second[0].tobytes(), keys[0].tobytes()}) == 3


def test_no_row_has_no_key(make_rows: Callable[..., Rows]) -> None:
    none = replace(make_rows([2, 3]), offsets=np.zeros(1, np.int64), labels=np.zeros(0, np.int64))
    assert row_keys(none).shape == (0, 16)
