"""The base of our ExampleGen executors: reads rows, drops what can't be used, and says so."""

import abc
import logging
import os
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import apache_beam as beam
import tensorflow as tf
from apache_beam.options.pipeline_options import StandardOptions
from tfx import types
from tfx.components.example_gen.base_example_gen_executor import BaseExampleGenExecutor
from tfx.components.example_gen.write_split import DEFAULT_TF_RECORD_FILE_NAME
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from components.beam_runner import IN_PROCESS
from components.example_gen.bad_row import BadRow
from components.example_gen.custom_config import unpack_rows
from components.example_gen.row_checks import label_of, prepare
from components.example_gen.row_format import RowFormat
from components.example_gen.rows_report import FILE_NAME, RowsReport
from components.example_gen.span_driver import WINDOW_KEY
from components.example_gen.spans_read import SpansRead
from components.example_gen.tallies import Kept, MergeTallies, TallyRows, Trouble
from components.example_gen.verdict import data_key, describe_dropped, problems_in
from trainer_module.errors import UserError

_LOG = logging.getLogger("permafrost.data")
_TROUBLE = "trouble"
_EXAMPLES = "examples"

ReadFile = Callable[[str, RowFormat], Iterator[tuple[int, tf.train.Example] | BadRow]]

# By config key and path: size and time of the last change.
_States = dict[tuple[str, str], tuple[int, int] | None]


class CheckedExecutor(BaseExampleGenExecutor, abc.ABC):
    """Writes usable rows as tf.Examples, and `rows.json` beside them.

    Beam workers only collect what is wrong; `Do` then raises it, so that the user gets a message
    instead of Beam's rendering of an exception.
    """

    @abc.abstractmethod
    def read_file(self) -> ReadFile:
        """A function that Beam can pickle; it yields a file's examples, numbered, and may raise UserError."""

    @abc.abstractmethod
    def check_files(self, paths: list[str], rows: RowFormat) -> None:
        """Checks what is cheap to check of an input's files before Beam starts.

        Raises:
            UserError: Names every problem that was found.
        """

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """See base class.

        Raises:
            UserError: The rows can't be trained on; names every problem that was found.
        """
        rows = unpack_rows(exec_properties.get(standard_component_specs.CUSTOM_CONFIG_KEY))
        before = self._check_files(exec_properties, rows)
        self._examples = artifact_utils.get_single_instance(output_dict[standard_component_specs.EXAMPLES_KEY])
        self._report_path = os.path.join(self._examples.uri, FILE_NAME)
        super().Do(input_dict, output_dict, exec_properties)

        report = RowsReport.read(self._report_path)
        if told := exec_properties.get(WINDOW_KEY):
            window = SpansRead.model_validate_json(told)
            window.record(self._examples)
            report.model_copy(update={"window": window}).write(self._report_path)
        if problems := _changed(before) + problems_in(report, rows):
            raise UserError(problems)
        for name, summary in report.inputs.items():
            if summary.dropped:
                _LOG.warning("%s; they were dropped", describe_dropped(name, summary))
        for name, split in report.splits.items():
            self._examples.set_int_custom_property(f"rows_{name}", split.rows)
        self._examples.set_int_custom_property("rows_dropped", report.dropped)

    def GenerateExamplesByBeam(
        self, pipeline: beam.Pipeline, exec_properties: dict[str, Any]
    ) -> dict[str, beam.pvalue.PCollection]:
        """See base class; the splits that are left to the base class to write."""
        rows = unpack_rows(exec_properties.get(standard_component_specs.CUSTOM_CONFIG_KEY))
        # TFX calls the transform once per input split, in this order.
        names = [split.name for split in _input_splits(exec_properties)]
        self._trouble: list[beam.pvalue.PCollection] = []
        splits = super().GenerateExamplesByBeam(pipeline, exec_properties)

        tally = TallyRows(names, list(splits))
        trouble = [
            found
            | f"Trouble[{name}]" >> beam.Map(partial(Trouble, name))
            | f"TallyTrouble[{name}]" >> beam.CombineGlobally(tally)
            for name, found in zip(names, self._trouble, strict=True)
        ]
        kept = [
            examples
            | f"Kept[{name}]" >> beam.Map(_kept, split=name, rows=rows)
            | f"TallyKept[{name}]" >> beam.CombineGlobally(tally)
            for name, examples in splits.items()
        ]
        # Sums are flattened, not rows: run in this process, Beam holds in memory all that is.
        _ = (
            [*trouble, *kept]
            | "AllTallies" >> beam.Flatten()
            | "Report" >> beam.CombineGlobally(MergeTallies(tally))
            | "WriteReport" >> beam.Map(RowsReport.write, path=self._report_path)
        )
        if pipeline.options.view_as(StandardOptions).runner not in (None, IN_PROCESS):
            return splits
        # TFX's own writing sends all rows through a shuffle, to spread them over workers. There is one, which would
        # only hold them all in memory, in the order they came.
        for name, examples in splits.items():
            path = os.path.join(artifact_utils.get_split_uri([self._examples], name), DEFAULT_TF_RECORD_FILE_NAME)
            _ = examples | f"Write[{name}]" >> beam.io.WriteToTFRecord(path, file_name_suffix=".gz")
        return {}

    def GetInputSourceToExamplePTransform(self) -> Callable[[dict[str, Any], str], beam.PTransform]:
        return partial(_ReadRows, read_file=self.read_file(), add_trouble=self._trouble.append)

    def _check_files(self, exec_properties: dict[str, Any], rows: RowFormat) -> _States:
        """Checks all files; returns what each looks like before it is read, by config key and path."""
        problems: list[str] = []
        states: _States = {}
        for split in _input_splits(exec_properties):
            key = data_key(split.name)
            by_pattern = {each: _matches(each) for each in _full_patterns(exec_properties, split.pattern)}
            problems += [f"{key}: no file matches {pattern}" for pattern, files in by_pattern.items() if not files]
            paths = [path for files in by_pattern.values() for path in files]
            states |= {(key, path): _state(path) for path in paths}
            try:
                self.check_files(paths, rows)
            except UserError as error:
                problems += [f"{key}: {problem}" for problem in error.problems]
        if problems:
            raise UserError(problems)
        return states


class _ReadRows(beam.PTransform):
    """Reads one input: usable rows as serialized examples, and what is wrong to `add_trouble`."""

    def __init__(
        self,
        exec_properties: dict[str, Any],
        pattern: str,
        read_file: ReadFile,
        add_trouble: Callable[[beam.pvalue.PCollection], None],
    ) -> None:
        super().__init__()
        self._files = _files(exec_properties, pattern)
        self._rows = unpack_rows(exec_properties.get(standard_component_specs.CUSTOM_CONFIG_KEY))
        self._read_file = read_file
        self._add_trouble = add_trouble

    def expand(self, pipeline: beam.Pipeline) -> beam.pvalue.PCollection:
        read = (
            pipeline
            | "Files" >> beam.Create(self._files)
            | "Read" >> beam.ParDo(_ReadFile(self._read_file, self._rows)).with_outputs(_TROUBLE, main=_EXAMPLES)
        )
        self._add_trouble(read[_TROUBLE])
        return read[_EXAMPLES]


@beam.typehints.with_output_types(bytes)
class _ReadFile(beam.DoFn):
    # Beam reads annotations: what is tagged is not of the type of the main output.
    def __init__(self, read_file: ReadFile, rows: RowFormat) -> None:
        self._read_file = read_file
        self._rows = rows

    def process(self, path: str) -> Iterator[Any]:
        try:
            for row in self._read_file(path, self._rows):
                if isinstance(row, BadRow):
                    yield beam.pvalue.TaggedOutput(_TROUBLE, row)
                    continue
                number, example = row
                if bad := self._bad_row(path, number, example):
                    yield beam.pvalue.TaggedOutput(_TROUBLE, bad)
                else:
                    # The bytes whose hash TFX takes to assign a tf.Example to a split.
                    yield example.SerializeToString(deterministic=True)
        except UserError as error:
            for problem in error.problems:
                yield beam.pvalue.TaggedOutput(_TROUBLE, problem)

    def _bad_row(self, path: str, number: int, example: tf.train.Example) -> BadRow | None:
        reason = prepare(example, self._rows)
        if reason is None:
            return None
        present = tuple(example.features.feature)
        missing = tuple(name for name in self._rows.needed if name not in present)
        return BadRow(path, number, reason, missing, present if missing else ())


def _kept(serialized: bytes, split: str, rows: RowFormat) -> Kept:
    return Kept(split, None if rows.task == "regression" else label_of(serialized, rows.label))


def _input_splits(exec_properties: dict[str, Any]) -> list[example_gen_pb2.Input.Split]:
    config = exec_properties[standard_component_specs.INPUT_CONFIG_KEY]
    return list(proto_utils.json_to_proto(config, example_gen_pb2.Input()).splits)


def _full_patterns(exec_properties: dict[str, Any], pattern: str) -> list[str]:
    """One, or what `SpanDriver` put into the place of one: a line for each span."""
    base = exec_properties[standard_component_specs.INPUT_BASE_KEY]
    return [os.path.join(base, line) for line in pattern.split("\n")]


def _files(exec_properties: dict[str, Any], pattern: str) -> list[str]:
    return [path for each in _full_patterns(exec_properties, pattern) for path in _matches(each)]


def _matches(pattern: str) -> list[str]:
    return sorted(path for path in fileio.glob(pattern) if not fileio.isdir(path))


def _state(path: str) -> tuple[int, int] | None:
    """A file's size and time of the last change; None if nothing is there."""
    try:
        found = tf.io.gfile.stat(path)
    except tf.errors.OpError:
        return None
    return found.length, found.mtime_nsec


def _changed(before: _States) -> list[str]:
    """Says which files changed since: some rows may have been read before, others after."""
    return [
        f"{key}: {path} changed while it was read; run again when it is complete"
        for (key, path), state in before.items()
        if _state(path) != state
    ]
