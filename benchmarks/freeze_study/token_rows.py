"""A configuration's rows as token ids, by the pipeline's own reader and tokenizer but without Beam."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from components.example_gen.bad_row import BadRow
from components.example_gen.delimited_rows import read_rows
from pipeline.config import PipelineConfig
from pipeline.pipeline import row_format
from trainer_module.hub.hub_model import HubModel
from trainer_module.settings import BertSettings
from trainer_module.text.tokenizer import WordPieceTokenizer, pack
from trainer_module.text.vocabulary import read_vocabulary
from trainer_module.training.rows import Rows


@dataclass(frozen=True)
class TokenRows:
    """Both splits of a data set.

    Attributes:
        train: A random sample of the training rows.
        test: All rows of `data.eval`.
        classes: Number of classes.
    """

    train: Rows
    test: Rows
    classes: int


def read_token_rows(config: PipelineConfig, hub_model: HubModel, train_rows: int) -> TokenRows:
    """Reads and tokenizes; the sample is the same for the same number of rows.

    Raises:
        UserError: A file is missing, or is not what the configuration says.
    """
    settings = config.bert_settings()
    assert config.data.eval is not None
    train, test = (_read(config, settings, path) for path in (config.data.train, config.data.eval))
    labels = sorted({label for _, label in train})
    shuffled = [train[index] for index in np.random.default_rng(0).permutation(len(train))]
    tokenizer = WordPieceTokenizer(read_vocabulary(settings, hub_model))
    sample, measured = (_tokenize(rows, labels, tokenizer, settings) for rows in (shuffled[:train_rows], test))
    return TokenRows(sample, measured, len(labels))


def _read(config: PipelineConfig, settings: BertSettings, path: str) -> list[tuple[tuple[str, ...], str]]:
    rows = (row for row in read_rows(path, row_format(config)) if not isinstance(row, BadRow))
    return [(tuple(row.values[column] for column in settings.text), row.values[settings.label]) for row in rows]


def _tokenize(
    rows: Sequence[tuple[tuple[str, ...], str]],
    labels: Sequence[str],
    tokenizer: WordPieceTokenizer,
    settings: BertSettings,
) -> Rows:
    columns = zip(*(texts for texts, _ in rows), strict=True)
    words, types = pack(
        [tokenizer.tokenize(np.array(column, object)) for column in columns],
        start=tokenizer.start,
        separator=tokenizer.separator,
        max_tokens=settings.max_tokens,
    )
    return Rows(
        words.values.numpy(),
        types.values.numpy().astype(np.int8) if len(settings.text) == 2 else None,
        words.row_splits.numpy().astype(np.int64),
        np.array([labels.index(label) for _, label in rows], np.int64),
    )
