"""What ExampleValidator found, as findings."""

import os
from collections.abc import Iterator

from tensorflow_data_validation.utils.anomalies_util import load_anomalies_binary
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.components.example_validator.executor import DEFAULT_FILE_NAME
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact

from components.data_gate.report import Finding
from components.data_gate.settings import Action
from trainer_module.settings import ColumnSettings

_UNSEEN = anomalies_pb2.AnomalyInfo.ENUM_TYPE_UNEXPECTED_STRING_VALUES


def find_anomalies(anomalies: Artifact, inferred_of: ColumnSettings | None, action: Action) -> Iterator[Finding]:
    """Each anomaly of each split.

    Where the schema was inferred from this run's training rows, it knows no more than what these happen to hold. An
    anomaly in a column that the model doesn't read is then only warned of; and that evaluation rows have values of
    their own counts in the label's column alone: texts, and whatever else has few values, are free to.

    Args:
        anomalies: ExampleValidator's.
        inferred_of: The columns that the model reads, where the schema was inferred; None where the user gave one.
        action: What to do about an anomaly.
    """
    if action == "off":
        return
    for split in artifact_utils.decode_split_names(anomalies.split_names):
        folder = artifact_utils.get_split_uri([anomalies], split)
        found = load_anomalies_binary(os.path.join(folder, DEFAULT_FILE_NAME))
        for column, info in sorted(found.anomaly_info.items()):
            reasons = [reason for reason in info.reason if _counts(reason, column, inferred_of)]
            if reasons:
                read = inferred_of is None or column in (*inferred_of.text, inferred_of.label)
                yield _finding(split, f"column {column!r}", reasons, action if read else "warn")
        if found.HasField("dataset_anomaly_info"):
            yield _finding(split, "all rows", list(found.dataset_anomaly_info.reason), action)


def _counts(reason: anomalies_pb2.AnomalyInfo.Reason, column: str, inferred_of: ColumnSettings | None) -> bool:
    return reason.type != _UNSEEN or inferred_of is None or column == inferred_of.label


def _finding(split: str, where: str, reasons: list[anomalies_pb2.AnomalyInfo.Reason], action: Action) -> Finding:
    described = "; ".join(f"{each.short_description}: {each.description}".rstrip(". ") for each in reasons)
    return Finding(
        check="on_anomalies",
        split=split,
        outcome="warn" if action == "warn" else "stop",
        message=f"data_gate.on_anomalies: {where} of the {split} rows: {described}; mend the rows or the schema, or "
        'set data_gate.on_anomalies = "warn"',
    )
