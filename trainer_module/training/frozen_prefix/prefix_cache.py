"""Computes the frozen prefix once per example and keeps what comes out between epochs, or between runs."""

import logging
import os
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Literal

import numpy as np
import tensorflow as tf

from trainer_module.freezing.freeze_plan import FreezePlan
from trainer_module.prefix_cache.activation_store import ActivationStore
from trainer_module.prefix_cache.disk_store import DiskStore
from trainer_module.prefix_cache.inventory import describe
from trainer_module.prefix_cache.memory_store import MemoryStore
from trainer_module.prefix_cache.scratch_folder import ScratchFolder
from trainer_module.prefix_cache.segments import StoreFull
from trainer_module.settings import BertSettings
from trainer_module.training.classifier import BertClassifier
from trainer_module.training.events import PREFIX_CACHE_LOGGER
from trainer_module.training.frozen_prefix.cached_rows import STORED_DTYPES, CachedRows
from trainer_module.training.frozen_prefix.digests import prefix_digest, row_keys
from trainer_module.training.frozen_prefix.prefix import Kept, Prefix, part_names, prefix_in
from trainer_module.training.frozen_prefix.prefix_function import PrefixFunction, token_batches
from trainer_module.training.row_source import RowSource
from trainer_module.training.rows import Rows
from trainer_module.training.schedule import Stage

_log = logging.getLogger(PREFIX_CACHE_LOGGER)

Form = Literal["memory", "disk", "off"]


class Split:
    """Rows of which some are visited, some number of times.

    Args:
        name: For messages.
        rows: All of them.
        visited: Positions of those that training or evaluation reads.
        visits: Times that each is read.
    """

    def __init__(self, name: str, rows: Rows, visited: np.ndarray, visits: int) -> None:
        self.name = name
        self.rows = rows
        self.visited = visited
        self.visits = visits


class PrefixCache:
    """What training reads in each stage: rows from behind the prefix where that pays, else token ids.

    The prefix of the last stage trains in no stage, so its output is computed once and serves all stages. A stage in
    which more is frozen has a longer prefix; its output is computed from the stored one when the stage begins.

    Each of several workers computes and keeps the rows that it reads itself (`Split.visited`), on its first device.
    They share nothing but `prefix_cache_dir`, where it is a folder of all of them; then later runs find all rows.

    Args:
        classifier: Its encoder is that of `plan`.
        settings: What is cached, and where.
        plan: What trains when.
        splits: Such as the training and the evaluation rows.
        stages: Of the training, in order.
    """

    def __init__(
        self,
        classifier: BertClassifier,
        settings: BertSettings,
        plan: FreezePlan,
        splits: Sequence[Split],
        stages: Sequence[Stage],
    ) -> None:
        self._classifier = classifier
        self._settings = settings
        self._plan = plan
        self._splits = splits
        self._base = prefix_in(stages[-1].first, plan, classifier)
        self._stages = {stage: self._longer_prefix(stage) for stage in stages}
        self._forms = self._choose()
        self._base_sources: list[RowSource] | None = None
        self._base_parts = 0
        self._whole_training = ExitStack()
        self._this_stage = ExitStack()

    def __enter__(self) -> "PrefixCache":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._this_stage.close()
        self._whole_training.close()

    def sources(self, stage: Stage) -> list[RowSource]:
        """What to read in a stage, one source per split; computes what isn't stored yet.

        The classifier is set to be entered where the sources come from.
        """
        self._this_stage.close()
        if self._base_sources is None:
            rows: list[RowSource] = [split.rows for split in self._splits]
            self._base_sources, self._base_parts = self._encode(self._base, rows, 0, self._whole_training)
        longer = self._stages[stage]
        sources, parts = self._encode(longer, self._base_sources, self._base_parts, self._this_stage)
        self._classifier.enter_after(parts)
        return sources

    def _longer_prefix(self, stage: Stage) -> Prefix | None:
        """The stage's own prefix, where computing it saves anything against that of all stages."""
        own = prefix_in(stage.first, self._plan, self._classifier)
        # Its first epoch costs the same either way.
        return own if own != self._base and stage.epochs > 1 else None

    def _encode(
        self, prefix: Prefix | None, sources: Sequence[RowSource], entry: int, until: ExitStack
    ) -> tuple[list[RowSource], int]:
        """The sources from behind the prefix, for the splits that are cached; and after how many parts they are.

        Where there is no room, they are what was given, all of them: the classifier is entered at one place only.
        """
        cached = [index for index, form in enumerate(self._forms) if form != "off"]
        if prefix is None or not cached:
            return list(sources), entry
        self._classifier.enter_after(entry)
        function = PrefixFunction(self._classifier, prefix, sources[cached[0]])
        directory = None
        if "disk" in self._forms or self._settings.prefix_cache_dir:
            directory = self._directory(prefix, function.dtype, until)
        try:
            return self._fill_all(prefix, function, sources, directory, until), prefix.parts
        except StoreFull as error:
            until.close()
            if "disk" not in self._forms:
                _log.warning("%s: kept in memory only, not for later runs: %s", prefix, error)
                return self._fill_all(prefix, function, sources, None, until), prefix.parts
            _log.warning("%s: computed in every epoch: %s", prefix, error)
            return list(sources), entry

    def _fill_all(
        self,
        prefix: Prefix,
        function: PrefixFunction,
        sources: Sequence[RowSource],
        directory: str | None,
        until: ExitStack,
    ) -> list[RowSource]:
        filled = list(sources)
        for index, (split, form) in enumerate(zip(self._splits, self._forms, strict=True)):
            if form != "off":
                store = self._fill(split, form, prefix, function, sources[index], directory, until)
                filled[index] = CachedRows(split.rows, store, prefix.kept, function.dtype)
        return filled

    def _fill(
        self,
        split: Split,
        form: Form,
        prefix: Prefix,
        function: PrefixFunction,
        source: RowSource,
        directory: str | None,
        until: ExitStack,
    ) -> ActivationStore:
        """A store with all visited rows of a split."""
        dtype = STORED_DTYPES[function.dtype]
        stores: list[ActivationStore] = []
        wanted = split.visited
        if directory is not None:
            keys = row_keys(split.rows)
            stores.append(DiskStore(directory, keys, split.visited, function.width, dtype))
            until.callback(stores[-1].close)
            wanted = _first_of_each(keys, wanted)
        vectors = function.vectors(split.rows.lengths)
        if form == "memory":
            stores.append(MemoryStore(vectors, split.visited, function.width, dtype))
            until.callback(stores[-1].close)
        missing = wanted[~stores[0].has(wanted)]
        _log.info(
            "%s, of %d %s rows: computing %d, found %d",
            prefix,
            len(split.visited),
            split.name,
            len(missing),
            len(split.visited) - len(missing),
        )
        function.encode(source, missing, stores[0].put)
        stores[0].finish()
        if len(stores) > 1:
            _copy(stores[0], stores[1], split.visited, vectors)
        return stores[-1]

    def _directory(self, prefix: Prefix, dtype: tf.DType, until: ExitStack) -> str:
        digest = prefix_digest(self._classifier, prefix, dtype, self._settings, self._plan)
        kept = self._settings.prefix_cache_dir
        directory = os.path.join(kept, digest) if kept else str(until.enter_context(ScratchFolder(digest)).path)
        describe(
            directory,
            {
                "hub": self._plan.model.hub,
                "parts": part_names(prefix, self._plan),
                "dtype": dtype.name,
                "max_tokens": self._settings.max_tokens,
            },
        )
        return directory

    def _choose(self) -> list[Form]:
        """Where each split's activations go."""
        setting = self._settings.prefix_cache
        if setting == "off" or (self._base is None and not any(self._stages.values())):
            return ["off"] * len(self._splits)
        if setting != "auto":
            return [setting] * len(self._splits)
        # A row that is read once would be stored for nothing, unless a later run finds it.
        wanted = [split.visits > 1 or bool(self._settings.prefix_cache_dir) for split in self._splits]
        size = sum(self._bytes(split) for split, want in zip(self._splits, wanted, strict=True) if want)
        form, why = self._place(size)
        _log.info("prefix cache: %.0f MiB %s", size / 2**20, why)
        return [form if want else "off" for want in wanted]

    def _place(self, size: int) -> tuple[Form, str]:
        settings = self._settings
        if settings.prefix_cache_dir:
            return "disk", f"in {settings.prefix_cache_dir}, for later runs too"
        if size <= settings.prefix_cache_mb * 2**20:
            return "memory", "in memory"
        free = shutil.disk_usage(tempfile.gettempdir()).free
        if size < 0.9 * free:
            return "disk", f"on disk (train.prefix_cache_mb is {settings.prefix_cache_mb})"
        return "off", f"would fit neither memory nor disk ({free / 2**20:.0f} MiB free): computed in every epoch"

    def _bytes(self, split: Split) -> int:
        """Of the stored activations when they take most room."""
        base = self._size(self._base, split)
        return base + max(self._size(longer, split) for longer in self._stages.values())

    def _size(self, prefix: Prefix | None, split: Split) -> int:
        if prefix is None:
            return 0
        vectors = int(split.rows.lengths[split.visited].sum()) if prefix.kept is Kept.STATES else len(split.visited)
        width = 4 if self._settings.compute_dtype == "float32" or prefix.kept is Kept.POOLED else 2
        return vectors * self._plan.model.hidden * width


def _first_of_each(keys: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """The positions without those of rows that are the same as an earlier one.

    Then what a killed run left to compute forms the very batches that it would have computed, as they are cut from
    the longest row on and stored whole. The last bits of a matrix product depend on which rows are multiplied together.
    """
    _, first = np.unique(keys[positions], axis=0, return_index=True)
    return positions[np.sort(first)]


def _copy(source: ActivationStore, target: ActivationStore, positions: np.ndarray, lengths: np.ndarray) -> None:
    for part in token_batches(lengths, positions):
        values = source.gather(part, int(lengths[part].max()))
        target.put(part, lengths[part], values[np.arange(values.shape[1]) < lengths[part][:, None]])
