"""What the study compares: data sets, amounts of freezing, learning rates, seeds."""

from dataclasses import dataclass
from math import ceil

SEEDS = (0, 1, 2)


@dataclass(frozen=True)
class DataSet:
    """One of the repository's configurations, on part of its training rows.

    Attributes:
        config: File in `configs/`: data, model, batch size, lengths.
        title: For the table.
        train_rows: Size of the random sample of its training rows; the same for all runs. The test set is whole.
        epochs: Passes over the sample.
        learning_rate: Where the configuration's, which is for all rows, is too low for so few steps.
    """

    config: str
    title: str
    train_rows: int
    epochs: int
    learning_rate: float | None = None


# A sample, because all rows take some seven hours on two cores.
DATA_SETS = (
    DataSet("sst2.toml", "SST-2", 1024, 3),
    # Of 2e-4, 5e-4 and 1e-3 the best on training rows outside the sample, with half of the blocks frozen.
    DataSet("banking77.toml", "Banking77", 1024, 5, learning_rate=1e-3),
    DataSet("mrpc.toml", "MRPC", 1024, 3),
)


@dataclass(frozen=True)
class Level:
    """An amount of freezing.

    Attributes:
        name: For the table.
        share: Of the blocks that are frozen, with the embeddings below them; None where `rules` says it.
        rules: Freeze rules in their short form.
        learning_rate: None: the data set's.
    """

    name: str
    share: float | None = None
    rules: tuple[str, ...] = ()
    learning_rate: float | None = None

    def rules_for(self, blocks: int) -> list[str]:
        """The rules for a model of so many blocks; a share of them is rounded up.

        Example:
            >>> Level("a quarter", share=0.25).rules_for(6)
            ['freeze embeddings', 'freeze encoder[:2]']
        """
        if self.share is None:
            return list(self.rules)
        return ["freeze embeddings", f"freeze encoder[:{ceil(self.share * blocks)}]"]


# What trains little needs a higher rate. The head's alone is the best of 0.001, 0.003, … 0.1 for SST-2 on training
# rows outside the sample; BitFit's is the highest that its authors tried (Ben Zaken et al. 2022).
LEVELS = (
    Level("nothing"),
    Level("a quarter", share=0.25),
    Level("half", share=0.5),
    Level("three quarters", share=0.75),
    Level("everything", rules=("freeze all",), learning_rate=1e-2),
    Level("all but biases (BitFit)", rules=("freeze all", "train bias"), learning_rate=1e-3),
)
