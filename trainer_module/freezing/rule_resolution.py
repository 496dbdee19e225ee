"""Freeze rules held against one encoder: what each selects, and every rule that is of no use refused."""

from collections.abc import Collection, Mapping, Sequence

from trainer_module.errors import UserError
from trainer_module.freezing.freeze_rules import Decision, FreezeRule
from trainer_module.freezing.rule_suggestions import what_to_write
from trainer_module.hub.layout import EncoderLayout


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
                problems[position] = f"selects no variable of this model; {what_to_write(rule, layout)}"
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
    return f"rule {position + 1} `{rules[position]}`"


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
        elif not unresolved & set(range(position)):
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
    everything = dict(enumerate(selected))
    for position, names in everything.items():
        others = _deciding({other: names for other, names in everything.items() if other != position})
        if _decisions(rules, others) == _decisions(rules, _deciding(everything)):
            replacing = _list_rules(rules, {others[name] for name in names if name in others})
            return {position: f"changes nothing beside {replacing}; remove it"}
    return {}


def _deciding(selected: Mapping[int, frozenset[str]]) -> dict[str, int]:
    """The last rule that selects each variable, of rules in ascending order."""
    return {name: position for position, names in selected.items() for name in names}


def _decisions(rules: Sequence[FreezeRule], deciding: Mapping[str, int]) -> dict[str, Decision]:
    """What isn't as it would be without rules."""
    decisions = {name: rules[position].decision for name, position in deciding.items()}
    return {name: decision for name, decision in decisions.items() if decision != Decision()}


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
    return " and ".join(_rule_text(rules, position) for position in sorted(positions))
