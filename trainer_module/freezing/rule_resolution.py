"""Freeze rules held against one encoder: what each selects, and every rule that is of no use refused."""

from collections.abc import Collection, Sequence

from trainer_module.errors import UserError
from trainer_module.freezing.freeze_rules import Decision, FreezeRule
from trainer_module.freezing.rule_suggestions import what_to_write
from trainer_module.hub.layout import EncoderLayout
from trainer_module.validation import shortened

_MOST_LISTED = 5
_MOST_SUGGESTIONS = 20


def select_variables(
    rules: Sequence[FreezeRule], layout: EncoderLayout, unused: Collection[str], epochs: int | None = None
) -> list[frozenset[str]]:
    """The names of the variables that each rule selects.

    Args:
        unused: Names of variables that the head doesn't read, so that they never train.
        epochs: Of the training, where that is known.

    Raises:
        UserError: Every rule that selects nothing, addresses blocks that the model doesn't have, changes nothing
            because it repeats what holds already or later rules override it, or freezes until training has ended;
            each with what to write instead.
    """
    problems: dict[int, str] = {}
    selected: list[frozenset[str]] = []
    for position, rule in enumerate(rules):
        try:
            names = rule.select(layout)
            if not names:
                # A suggestion takes a while, and of thousands of problems only the first are shown.
                advice = what_to_write(rule, layout) if len(problems) < _MOST_SUGGESTIONS else "remove it"
                problems[position] = f"selects no variable of this model; {advice}"
        except ValueError as error:
            names = frozenset()
            problems[position] = str(error)
        selected.append(names)
    problems |= _rules_without_effect(rules, selected, unused, unresolved=set(problems))
    if epochs is not None:
        problems = _rules_that_thaw_too_late(rules, epochs, " (train.epochs)") | problems
    _refuse(rules, problems)
    return selected


def refuse_thawing_after_training(rules: Sequence[FreezeRule], epochs: int, reason: str) -> None:
    """For a training whose number of epochs is known only when the rows are read.

    Args:
        epochs: In which there is at least one step.
        reason: Why there are no more; follows the number.

    Raises:
        UserError: Every rule that freezes until the end of training or longer.
    """
    _refuse(rules, _rules_that_thaw_too_late(rules, epochs, reason))


def _refuse(rules: Sequence[FreezeRule], problems: dict[int, str]) -> None:
    if problems:
        raise UserError([f"{_rule_text(rules, position)}: {problems[position]}" for position in sorted(problems)])


def _rules_that_thaw_too_late(rules: Sequence[FreezeRule], epochs: int, reason: str) -> dict[int, str]:
    return {
        position: f"would never train what it selects, because training ends with epoch {epochs}{reason}; "
        f"write `freeze {rule.selector}`, or train for {rule.until_epoch + 1} epochs or more"
        for position, rule in enumerate(rules)
        if rule.until_epoch is not None and rule.until_epoch >= epochs
    }


def _rule_text(rules: Sequence[FreezeRule], position: int) -> str:
    return f"rule {position + 1} `{shortened(str(rules[position]))}`"


def _rules_without_effect(
    rules: Sequence[FreezeRule], selected: Sequence[frozenset[str]], unused: Collection[str], unresolved: set[int]
) -> dict[int, str]:
    """The rules that could be deleted without any variable noticing, with the reason for each.

    A rule that repeats what holds overrides nothing, so of two equal rules only the second is told to go.
    """
    problems: dict[int, str] = {}
    held: dict[str, Decision] = {}
    deciding: dict[str, int] = {}
    effective: list[int] = []
    first_unresolved = min(unresolved, default=len(rules))
    for position, rule in enumerate(rules):
        if position in unresolved:
            continue
        names = selected[position].difference(unused)
        wanted = rule.decision
        if not names:
            problems[position] = (
                "selects only variables that the task head doesn't read, and these never train; "
                "remove the rule, or choose another pooling"
            )
        elif any(held.get(name, Decision()) != wanted for name in names):
            effective.append(position)
            held.update(dict.fromkeys(names, wanted))
            deciding.update(dict.fromkeys(names, position))
        # After a rule that couldn't be resolved it is unknown what held.
        elif position < first_unresolved:
            problems[position] = _repeats(rules, {deciding[name] for name in names if name in deciding})
    for position in effective:
        overriding = {deciding[name] for name in selected[position].difference(unused)}
        if position not in overriding:
            problems[position] = _overridden(rules, position, overriding)
    if not unresolved | problems.keys():
        return _first_that_others_replace(rules, [names.difference(unused) for names in selected])
    return problems


def _first_that_others_replace(rules: Sequence[FreezeRule], selected: Sequence[frozenset[str]]) -> dict[int, str]:
    """A rule of which later rules undo every change, while the rest of it repeats earlier ones.

    Only one is told: without it another such rule may be of use.
    """
    selecting: dict[str, list[int]] = {}
    for position, names in enumerate(selected):
        for name in names:
            selecting.setdefault(name, []).append(position)
    for position, names in enumerate(selected):
        decided = [name for name in names if selecting[name][-1] == position]
        before = [rules[selecting[name][-2]].decision if selecting[name][1:] else Decision() for name in decided]
        if all(decision == rules[position].decision for decision in before):
            others = ([other for other in selecting[name] if other != position] for name in names)
            replacing = _list_rules(rules, {positions[-1] for positions in others if positions})
            return {position: f"changes nothing beside {replacing}; remove it"}
    return {}


def _repeats(rules: Sequence[FreezeRule], holding: set[int]) -> str:
    if not holding:
        return (
            "repeats what holds anyway: everything trains until a rule freezes it; "
            "remove it, or put it after the rule it should override"
        )
    return f"repeats what {_list_rules(rules, holding)} already did; remove it"


def _overridden(rules: Sequence[FreezeRule], position: int, overriding: set[int]) -> str:
    same = all(rules[other].decision == rules[position].decision for other in overriding)
    move = "" if same else f", or put it after rule {max(overriding) + 1}"
    return f"is overridden by {_list_rules(rules, overriding)} in everything it selects; remove it{move}"


def _list_rules(rules: Sequence[FreezeRule], positions: set[int]) -> str:
    listed = [_rule_text(rules, position) for position in sorted(positions)[:_MOST_LISTED]]
    more = len(positions) - len(listed)
    return " and ".join([*listed, *([f"{more:,} more"] if more > 0 else [])])
