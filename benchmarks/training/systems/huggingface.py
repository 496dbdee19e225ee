"""Hugging Face's BERT on PyTorch, frozen the usual way, with batches padded to their longest text."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import AutoTokenizer, BertModel

from benchmarks.training.design import (
    ADAM_EPSILON,
    BATCH_SIZE,
    CLIP_NORM,
    DROPOUT,
    MAX_TOKENS,
    SEED,
    WEIGHT_DECAY,
    Level,
    Task,
    rate_factor,
)
from benchmarks.training.measured import Measured
from benchmarks.training.sst2 import Split, Sst2
from benchmarks.watch import Watch, differences


class Classifier(torch.nn.Module):
    """Encoder, pooling, dropout, one linear layer; what is frozen has `requires_grad = False`.

    Args:
        model: Folder of the checkpoint.
    """

    def __init__(self, model: Path, outputs: int, level: Level) -> None:
        super().__init__()
        # A pooler that nobody reads needn't be computed.
        self.bert = BertModel.from_pretrained(
            model, dtype=torch.float32, add_pooling_layer=level.pooling == "pooled", local_files_only=True
        )
        self.dropout = torch.nn.Dropout(DROPOUT)
        self.head = torch.nn.Linear(self.bert.config.hidden_size, outputs)
        torch.nn.init.trunc_normal_(self.head.weight, std=0.02)
        torch.nn.init.zeros_(self.head.bias)
        self._pooling = level.pooling
        if level.frozen_blocks:
            self.bert.embeddings.requires_grad_(False)
        for block in self.bert.encoder.layer[: level.frozen_blocks]:
            block.requires_grad_(False)
        if not level.pooler_trains and self.bert.pooler is not None:
            self.bert.pooler.requires_grad_(False)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Logits `[batch, outputs]` for token ids and mask, each `[batch, seq]`."""
        encoded = self.bert(input_ids=ids, attention_mask=mask)
        if self._pooling == "pooled":
            pooled = encoded.pooler_output
        else:
            weights = mask[:, :, None].to(encoded.last_hidden_state.dtype)
            pooled = (encoded.last_hidden_state * weights).sum(1) / weights.sum(1)
        return self.head(self.dropout(pooled))


def measure(task: Task, data: Sst2, model: Path) -> Measured:
    """Trains by `requires_grad`, in eager mode.

    Args:
        model: Folder of the checkpoint, with its tokenizer.
    """
    torch.manual_seed(SEED)
    tokenizer = AutoTokenizer.from_pretrained(model, local_files_only=True)
    train_ids, test_ids = (_tokenize(tokenizer, split) for split in (data.train, data.test))
    classifier = Classifier(model, len(set(data.train.labels)), task.level)
    watch = Watch()
    ends = _train(classifier, train_ids, data.train.labels, task, watch)
    spent = watch.stop()
    accuracy = _accuracy(classifier, test_ids, data.test.labels)
    return Measured(spent, differences(ends), accuracy, [len(ids) for ids in train_ids])


def _train(
    classifier: Classifier, train_ids: list[np.ndarray], labels: list[int], task: Task, watch: Watch
) -> list[float]:
    """Gives the second at which each epoch ended."""
    total_steps = task.epochs * -(-len(train_ids) // BATCH_SIZE)
    optimizer = torch.optim.AdamW(parameter_groups(classifier), task.level.learning_rate, eps=ADAM_EPSILON)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_factor(step, total_steps))
    trainable = [parameter for parameter in classifier.parameters() if parameter.requires_grad]
    targets = torch.tensor(labels)
    rng = np.random.default_rng(SEED)
    ends = []
    classifier.train()
    for _ in range(task.epochs):
        for indices, ids, mask in _batches(train_ids, rng.permutation(len(train_ids)), BATCH_SIZE):
            loss = torch.nn.functional.cross_entropy(classifier(ids, mask), targets[indices])
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trainable, CLIP_NORM)
            optimizer.step()
            schedule.step()
        ends.append(watch.seconds)
    return ends


def parameter_groups(classifier: Classifier) -> list[dict[str, object]]:
    """What trains; biases and layer norms don't decay, as in our optimizer."""
    trainable = [(name, each) for name, each in classifier.named_parameters() if each.requires_grad]
    kept = [each for name, each in trainable if name.endswith("bias") or "LayerNorm" in name]
    kept_ids = {id(each) for each in kept}
    return [
        {"params": [each for _, each in trainable if id(each) not in kept_ids], "weight_decay": WEIGHT_DECAY},
        {"params": kept, "weight_decay": 0.0},
    ]


def _accuracy(classifier: Classifier, ids: list[np.ndarray], labels: list[int]) -> float:
    classifier.eval()
    by_length = np.argsort([len(each) for each in ids], kind="stable")
    targets = torch.tensor(labels)
    right = 0
    with torch.inference_mode():
        for indices, words, mask in _batches(ids, by_length, 4 * BATCH_SIZE):
            right += int((classifier(words, mask).argmax(-1) == targets[indices]).sum())
    return right / len(labels)


def _tokenize(tokenizer: AutoTokenizer, split: Split) -> list[np.ndarray]:
    encoded = tokenizer(split.texts, truncation=True, max_length=MAX_TOKENS)["input_ids"]
    return [np.array(ids, np.int64) for ids in encoded]


def _batches(
    ids: Sequence[np.ndarray], order: np.ndarray, size: int
) -> Iterator[tuple[np.ndarray, torch.Tensor, torch.Tensor]]:
    """Indices of the rows, their token ids and mask, padded to the longest of the batch."""
    for start in range(0, len(order), size):
        indices = order[start : start + size]
        words = np.zeros((len(indices), max(len(ids[index]) for index in indices)), np.int64)
        mask = np.zeros_like(words)
        for row, index in enumerate(indices):
            words[row, : len(ids[index])] = ids[index]
            mask[row, : len(ids[index])] = 1
        yield indices, torch.from_numpy(words), torch.from_numpy(mask)
