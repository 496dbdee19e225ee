"""What is expected of a model's answers."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from components.release_gate.limits import ReleaseLimits
from components.release_gate.probe import Answer, Probed, Question
from components.release_gate.questions import CLASSES_SIGNATURE, SERVING_SIGNATURES, TRANSFORM_SIGNATURE, Asked
from components.release_gate.report import Check
from trainer_module.features import LABEL

_SUM_TOLERANCE = 1e-4

Answered = Sequence[tuple[Asked, Answer]]


def check_answers(
    asked: Sequence[Asked], probed: Probed, classes: Sequence[str], label_order: Sequence[int], limits: ReleaseLimits
) -> list[Check]:
    """All checks of what a model that could be loaded said.

    Args:
        asked: In the order of the answers.
        probed: The answers.
        classes: As the Trainer has them; empty for regression.
        label_order: The place in `classes` of each index that Transform gives.
        limits: See `ReleaseLimits`.
    """
    answered = [(each, answer) for each, answer in zip(asked, probed.answers, strict=True) if not answer.error]
    serving = [(each, answer) for each, answer in answered if each.question.signature in SERVING_SIGNATURES]
    output = "probabilities" if classes else "prediction"
    misshapen = {id(each): problem for each, answer in serving if (problem := _shape_problem(each, answer, classes))}
    well_shaped = [(each, answer) for each, answer in serving if id(each) not in misshapen]
    return [
        Check(name="signatures", problems=list(_missing(asked, probed))),
        Check(name="answers", problems=list(_errors(asked, probed))),
        Check(name="shapes", problems=list(misshapen.values())),
        *([_sums(well_shaped), _labels(well_shaped, classes)] if classes else [_finite(well_shaped)]),
        _agreement("difference from the Trainer's model", _with_trainer(well_shaped, output), limits.tolerance),
        _agreement("difference between signatures", _between_signatures(well_shaped, output), limits.tolerance),
        Check(name="labels of raw rows", problems=list(_transformed(answered, label_order))),
        *([Check(name="classes", problems=list(_class_names(answered, classes)))] if classes else []),
        _latency(probed.latencies_ms, limits.max_p99_ms),
    ]


def _missing(asked: Sequence[Asked], probed: Probed) -> Iterator[str]:
    for name in dict.fromkeys(each.question.signature for each in asked):
        if name not in probed.signatures:
            yield f"there is no signature {name}; there are: {', '.join(probed.signatures) or 'none'}"


def _errors(asked: Sequence[Asked], probed: Probed) -> Iterator[str]:
    for each, answer in zip(asked, probed.answers, strict=True):
        if answer.error and each.question.signature in probed.signatures:
            yield f"{_told(each.question)}: {answer.error}"


def _shape_problem(asked: Asked, answer: Answer, classes: Sequence[str]) -> str:
    rows = asked.question.rows
    expected = {"probabilities": (rows, len(classes)), "label": (rows,)} if classes else {"prediction": (rows,)}
    shapes = {name: output.shape for name, output in answer.outputs.items()}
    return (
        "" if shapes == expected else f"{_told(asked.question)}: gave {_shapes(shapes)} instead of {_shapes(expected)}"
    )


def _sums(answered: Answered) -> Check:
    """Probabilities are finite, none is negative, and they sum to 1."""

    def off(values: np.ndarray) -> float:
        return float(np.abs(values.sum(axis=1) - 1).max()) if (values >= 0).all() else np.nan

    return _worst("difference of probabilities' sum from 1", _each(answered, "probabilities", off), _SUM_TOLERANCE)


def _finite(answered: Answered) -> Check:
    problems = [
        f"{_told(asked.question)}: {wrong} of {asked.question.rows} predictions aren't finite"
        for asked, answer in answered
        if (wrong := int((~np.isfinite(answer.outputs["prediction"])).sum()))
    ]
    return Check(name="predictions", problems=problems)


def _labels(answered: Answered, classes: Sequence[str]) -> Check:
    """`label` is the most probable class."""
    names = np.array(classes, object)
    problems = [
        f"{_told(asked.question)}: the label of {wrong} of {asked.question.rows} rows isn't the most probable class"
        for asked, answer in answered
        if (wrong := int((names[answer.outputs["probabilities"].argmax(axis=1)] != answer.outputs["label"]).sum()))
    ]
    return Check(name="labels", problems=problems)


def _with_trainer(answered: Answered, output: str) -> Iterator[tuple[Question, float]]:
    for asked, answer in answered:
        if asked.expected is not None:
            given = answer.outputs[output].reshape(asked.expected.shape)
            yield asked.question, _difference(given, asked.expected)


def _between_signatures(answered: Answered, output: str) -> Iterator[tuple[Question, float]]:
    first: dict[str, np.ndarray] = {}
    for asked, answer in answered:
        question, given = asked.question, answer.outputs[output]
        if asked.expected is None and question.rows:
            if question.name in first:
                yield question, _difference(given, first[question.name])
            first.setdefault(question.name, given)


def _transformed(answered: Answered, label_order: Sequence[int]) -> Iterator[str]:
    for asked, answer in answered:
        if asked.question.signature != TRANSFORM_SIGNATURE or asked.expected is None:
            continue
        expected = asked.expected
        if label_order:
            expected = np.array([label_order[int(index)] if index >= 0 else -1 for index in expected])
        given = answer.outputs.get(LABEL, np.empty(0)).reshape(-1)
        if given.shape != expected.shape:
            yield f"{_told(asked.question)}: gave {len(given)} labels for {len(expected)} rows"
        elif wrong := int((~np.isclose(given, expected)).sum()):
            yield f"{_told(asked.question)}: {wrong} of {len(expected)} labels aren't Transform's"


def _class_names(answered: Answered, classes: Sequence[str]) -> Iterator[str]:
    for asked, answer in answered:
        given = [str(name) for output in answer.outputs.values() for name in output.reshape(-1)]
        if asked.question.signature == CLASSES_SIGNATURE and given != list(classes):
            yield f"signature {CLASSES_SIGNATURE}: gave {given}; the Trainer's are {list(classes)}"


def _latency(latencies_ms: Sequence[float], limit: float | None) -> Check:
    name = f"p99 latency of one row in ms, of {len(latencies_ms)} requests"
    if not latencies_ms:
        return Check(name=name, limit=limit, problems=["latency: nothing could be timed"] if limit else [])
    p99 = float(np.percentile(latencies_ms, 99, method="higher"))
    over = limit is not None and p99 > limit
    problems = [f"p99 latency of one row: {p99:.3g} ms; release_gate.max_p99_ms allows {limit:g}"] if over else []
    return Check(name=name, measured=p99, limit=limit, problems=problems)


def _agreement(name: str, differences: Iterable[tuple[Question, float]], tolerance: float) -> Check:
    return _worst(name, differences, tolerance, "release_gate.tolerance allows")


def _worst(name: str, measured: Iterable[tuple[Question, float]], limit: float, allows: str = "allowed is") -> Check:
    """Passed when none is over the limit; what is no number is."""
    found = list(measured)
    problems = [
        f"{_told(question)}: {name}: {'not a finite number' if np.isnan(value) else f'{value:.3g}'}; {allows} {limit:g}"
        for question, value in found
        if not value <= limit
    ]
    values = [value for _, value in found]
    return Check(name=name, measured=float(np.max(values)) if values else None, limit=limit, problems=problems)


def _each(answered: Answered, output: str, measure: Callable[[np.ndarray], float]) -> Iterator[tuple[Question, float]]:
    for asked, answer in answered:
        if asked.question.rows:
            yield asked.question, measure(answer.outputs[output])


def _difference(given: np.ndarray, expected: np.ndarray) -> float:
    """The largest; of numbers beyond 1, relative to them, as float32 is exact to so many digits only."""
    return float(np.max(np.abs(given - expected) / np.maximum(1, np.abs(expected))))


def _told(question: Question) -> str:
    return f"signature {question.signature}, {question.name}"


def _shapes(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {list(shape)}" for name, shape in sorted(shapes.items())) or "nothing"
