"""The comparison as a whole: makes both exports, loads each in a process, and measures every kind of request."""

import json
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path

from benchmarks.serving.latency import REQUESTS, SIGNATURES, Ask, Latency, Padding, measure
from benchmarks.serving.loaded_export import LoadedExport
from benchmarks.serving.review_rows import Review, read_reviews
from pipeline.config import PipelineConfig
from trainer_module.settings import BertSettings

RESULTS = Path(__file__).with_name("results.json")


def compare(config: PipelineConfig) -> list[Latency]:
    """Measures, and writes `results.json` after each kind of request.

    Args:
        config: Its data and model; the head isn't trained, which makes no difference to the time of an answer.

    Raises:
        UserError: The data or the model isn't there.
    """
    reviews = read_reviews(config.data.train)
    latencies: list[Latency] = []
    with tempfile.TemporaryDirectory(prefix="permafrost-serving-") as folder, ExitStack() as stack:
        # TensorFlow gives back what an export took only when its process ends.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            paths = pool.submit(_make_exports, config.bert_settings(), reviews, Path(folder)).result()
        exports: dict[Padding, Ask] = {
            padding: stack.enter_context(LoadedExport(path)).ask for padding, path in paths.items()
        }
        texts = [review.text for review in reviews]
        for signature in SIGNATURES:
            for batch, requests in REQUESTS.items():
                latencies += measure(exports, texts, signature, batch, requests)
                rows = [latency.model_dump() for latency in latencies]
                RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return latencies


def _make_exports(settings: BertSettings, reviews: Sequence[Review], folder: Path) -> dict[Padding, Path]:
    # Imported in its own process: this one stays free of TensorFlow.
    from benchmarks.serving.exports import make_exports

    return make_exports(settings, reviews, folder)
