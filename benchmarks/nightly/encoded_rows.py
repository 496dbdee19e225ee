"""How many rows went through the frozen prefix, by what training says of it."""

import logging
from types import TracebackType

from trainer_module.training.events import PREFIX_CACHE_LOGGER


class EncodedRows(logging.Handler):
    """Counts while it is entered.

    Attributes:
        computed: By split, rows that the prefix was computed for.
        found: By split, rows whose activations an earlier run had left.
    """

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.computed: dict[str, int] = {}
        self.found: dict[str, int] = {}

    def __enter__(self) -> "EncodedRows":
        logger = logging.getLogger(PREFIX_CACHE_LOGGER)
        self._level = logger.level
        logger.setLevel(logging.INFO)
        logger.addHandler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        logger = logging.getLogger(PREFIX_CACHE_LOGGER)
        logger.removeHandler(self)
        logger.setLevel(self._level)

    def emit(self, record: logging.LogRecord) -> None:
        """See base class."""
        if "computing %d, found %d" in str(record.msg) and isinstance(record.args, tuple):
            _, _, split, computed, found = record.args
            self.computed[str(split)] = self.computed.get(str(split), 0) + int(str(computed))
            self.found[str(split)] = self.found.get(str(split), 0) + int(str(found))
