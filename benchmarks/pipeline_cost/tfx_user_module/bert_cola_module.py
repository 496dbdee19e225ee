"""The module file of TFX's BERT example, with what a current encoder and this machine ask for.

Everything is the example's own code (`tfx/examples/bert/cola/bert_cola_utils.py`) but for:

- the encoder's place, which the example has as an address to download from;
- how the encoder is called: the example passes a list and takes `pooled, sequence`, current encoders take and return a
  dict;
- the number of steps, which the example fixes at 2 of training and 1 of evaluation.

TFX loads this file by its path, on its own, and so it can import nothing of this package.
"""

import os
from collections.abc import Callable
from typing import Any

from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.examples.bert.cola import bert_cola_utils as example

_build_classifier = example.build_and_compile_bert_classifier

example._BERT_LINK = os.environ["BENCHMARK_ENCODER"]
preprocessing_fn = example.preprocessing_fn
stats_options_updater_fn = example.stats_options_updater_fn


def run_fn(fn_args: FnArgs) -> None:
    """See the example's."""
    fn_args.train_steps = int(os.environ["BENCHMARK_TRAIN_STEPS"])
    fn_args.eval_steps = int(os.environ["BENCHMARK_EVAL_STEPS"])
    example.build_and_compile_bert_classifier = _build_with_dict_encoder
    example.run_fn(fn_args)


def _build_with_dict_encoder(encoder: Callable[[dict[str, Any]], dict[str, Any]], *args: Any) -> Any:
    def call(inputs: list[Any]) -> tuple[Any, Any]:
        word_ids, mask, type_ids = inputs
        outputs = encoder({"input_word_ids": word_ids, "input_mask": mask, "input_type_ids": type_ids})
        return outputs["pooled_output"], outputs["sequence_output"]

    return _build_classifier(call, *args)
