"""Freeze rules: how a rule is written as a dict, as JSON or in its short form."""

import difflib
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError, model_serializer, model_validator

from trainer_module.freezing.selectors import parse_selector
from trainer_module.hub.layout import EncoderLayout
from trainer_module.validation import parse, refused_values, shortened

ACTIONS = ("freeze", "train")
OPTIONS = ("until_epoch", "lr")

_LONGEST = 1000
_EPOCHS = 10**9
_OPTION = re.compile(r"(?:^|\s+)(?=\w+\s*=)")
_OTHER_WORDS = {"epochs": "until_epoch", "learning_rate": "lr", "lr_multiplier": "lr", "multiplier": "lr"}


class Decision(NamedTuple):
    """What a rule says of each variable that it decides; by default what holds without rules.

    Attributes:
        trainable: Whether training changes it in the end.
        until_epoch: The last epoch, counted from 1, in which it is frozen all the same; none: there is no such epoch.
        lr: What its learning rate is multiplied with.
    """

    trainable: bool = True
    until_epoch: int | None = None
    lr: float = 1.0


class FreezeRule(BaseModel):
    """One rule: `{"freeze": SELECTOR}` or `{"train": SELECTOR}`, each with its own option.

    Also read from its short form, the string `"freeze SELECTOR"`, which an option follows as `until_epoch=2`.

    Attributes:
        until_epoch: Of `freeze` only: the last epoch, counted from 1, in which the selection is frozen; it trains
            from the next one on (gradual unfreezing, Howard & Ruder 2018, ULMFiT). None: it never trains.
        lr: Of `train` only: what the learning rate of the selection is multiplied with. None: 1.

    Raises:
        ValidationError: The selector or the option can't be read, whatever the model.

    Example:
        >>> rule = FreezeRule(freeze="encoder[:3]", until_epoch=2)
        >>> str(rule), rule.action, rule.selector
        ('freeze encoder[:3] until_epoch=2', 'freeze', 'encoder[:3]')
        >>> FreezeRule.model_validate("train pooler lr=0.1").model_dump()
        {'train': 'pooler', 'lr': 0.1}
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    freeze: str | None = None
    train: str | None = None
    until_epoch: int | None = None
    lr: float | None = None

    @property
    def action(self) -> Literal["freeze", "train"]:
        return "train" if self.freeze is None else "freeze"

    @property
    def selector(self) -> str:
        return self.freeze or self.train or ""

    @property
    def decision(self) -> Decision:
        if self.action == "train":
            return Decision(lr=1.0 if self.lr is None else self.lr)
        return Decision(trainable=self.until_epoch is not None, until_epoch=self.until_epoch)

    def __str__(self) -> str:
        until = "" if self.until_epoch is None else f" until_epoch={self.until_epoch}"
        lr = "" if self.lr is None else f" lr={_number_text(self.lr)}"
        return f"{self.action} {self.selector}{until}{lr}"

    def select(self, layout: EncoderLayout) -> frozenset[str]:
        """The names of the variables that the rule is about; empty when there are none.

        Raises:
            ValueError: The rule addresses blocks that the model doesn't have.
        """
        return parse_selector(self.selector).select(layout)

    @model_validator(mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        return value if isinstance(value, cls) else _read_rule(value)

    @model_serializer
    def _write(self) -> dict[str, str | int | float]:
        options = {"until_epoch": self.until_epoch, "lr": self.lr}
        return {self.action: self.selector} | {key: value for key, value in options.items() if value is not None}


def parse_rules(value: Any) -> list[FreezeRule]:
    """Reads an ordered list of rules.

    Args:
        value: A list of rules, of their dicts or of their short forms; or the JSON text of such a list.

    Raises:
        ValueError: One line per rule that can't be read: its position (from 1), its text, how to write it.

    Example:
        >>> [str(rule) for rule in parse_rules(["freeze all", {"train": "bias"}])]
        ['freeze all', 'train bias']
        >>> parse_rules('[{"freeze": "encoder[0,2]"}]')[0].selector
        'encoder[0,2]'
    """
    example = '[{"freeze": "embeddings"}, {"freeze": "encoder[:3]"}]'
    if isinstance(value, str):
        try:
            value = parse(json.loads, value)
        except ValueError as error:
            raise ValueError(f"is not valid JSON: {error}; write a list of rules such as {example}") from None
        if refused := list(refused_values(value, ("rules",))):
            raise ValueError("\n".join(refused))
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise ValueError(f"must be a list of rules such as {example}; given {shortened(repr(value))}")
    rules, problems = [], []
    for position, item in enumerate(value, start=1):
        try:
            rules.append(FreezeRule.model_validate(item))
        except ValidationError as error:
            problems.append(f"rule {position} `{shortened(_text_of(item))}`: {error.errors()[0]['ctx']['error']}")
    if problems:
        raise ValueError("\n".join(problems))
    return rules


def _read_rule(value: Any) -> dict[str, Any]:
    """The keys of a rule's dict or short form, each of them checked."""
    shape = 'write {"freeze": SELECTOR} or {"train": SELECTOR}'
    for text in value.values() if isinstance(value, Mapping) else [value]:
        if isinstance(text, str) and len(text) > _LONGEST:
            raise ValueError(f"has {len(text):,} characters, and may have {_LONGEST:,}; write several rules")
    given = _split_short_form(value) if isinstance(value, str) else value
    if not isinstance(given, Mapping):
        raise ValueError(f"is not a rule; {shape}")
    for key in given:
        if key not in ACTIONS + OPTIONS:
            near = _near_key(str(key))
            raise ValueError(
                f"{shortened(repr(str(key)))} is not a known key; " + (f"did you mean {near!r}?" if near else shape)
            )
    actions = [key for key in given if key in ACTIONS]
    if len(actions) != 1:
        raise ValueError(f"a rule has one action; {shape}" + (", each as a rule of its own" if actions else ""))
    (action,) = actions
    problems = [*_selector_problems(action, given[action]), *_option_problems(action, given)]
    if problems:
        raise ValueError("; and ".join(problems))
    return {**given, action: given[action].strip()}


def _split_short_form(text: str) -> dict[str, Any]:
    action, *rest = text.split(maxsplit=1) or [""]
    if action not in ACTIONS:
        raise ValueError("must start with `freeze ` or `train `, such as `freeze all`")
    selector, *options = _OPTION.split("".join(rest))
    rule: dict[str, Any] = {action: selector}
    for option in options:
        key, _, value = (part.strip() for part in option.partition("="))
        if key in rule:
            raise ValueError(f"gives {key!r} twice; write it once")
        rule[key] = _read_number(value)
    return rule


def _read_number(text: str) -> int | float | str:
    """The number that the text stands for; the text itself, for the message, when it is none."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _number_text(number: float) -> str:
    return repr(number).removesuffix(".0")


def _near_key(key: str) -> str | None:
    near = difflib.get_close_matches(key.lower(), ACTIONS + OPTIONS, n=1)
    return near[0] if near else _OTHER_WORDS.get(key.lower())


def _selector_problems(action: str, selector: Any) -> list[str]:
    if not isinstance(selector, str):
        return [f'the selector must be text such as "encoder[0]", not {shortened(repr(selector))}']
    # The short form would read it as an option, so that a rule's text would mean another rule.
    if option := _OPTION.search(selector):
        key, _, value = selector[option.end() :].partition("=")
        return [
            f"`{selector[option.end() :]}` stands inside the selector; write it as a key of its own: "
            f'{{"{action}": "{selector[: option.start()].strip()}", "{key.strip()}": {value.strip()}}}'
        ]
    try:
        parse_selector(selector.strip())
    except ValueError as error:
        return [str(error)]
    return []


def _option_problems(action: str, rule: Mapping[str, Any]) -> list[str]:
    problems = []
    if "until_epoch" in rule:
        epoch = rule["until_epoch"]
        if action != "freeze":
            problems.append(
                "`until_epoch` goes only with `freeze`: it is the last epoch in which something is still frozen; "
                'write {"freeze": SELECTOR, "until_epoch": 2}'
            )
        elif not isinstance(epoch, int) or isinstance(epoch, bool) or epoch < 1:
            problems.append(f"`until_epoch` must be a whole number of epochs, 1 or more, not {epoch!r}")
        elif epoch >= _EPOCHS:
            problems.append(f"`until_epoch` must be less than {_EPOCHS:,}: no training has so many epochs")
    if "lr" in rule:
        if action != "train":
            problems.append(
                '`lr` goes only with `train`: what is frozen has no learning rate; write {"train": SELECTOR, "lr": 0.1}'
            )
        elif not _is_multiplier(rule["lr"]):
            problems.append(f"`lr` must be a finite number above 0, such as 0.1, not {rule['lr']!r}")
    return problems


def _is_multiplier(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return 0 < float(value) < math.inf
    except OverflowError:
        return False


def _text_of(item: Any) -> str:
    """A rule as the user wrote it, in its short form where it has one."""
    if isinstance(item, Mapping) and item:
        actions = [key for key in item if key in ACTIONS] or list(item)[:1]
        if len(actions) == 1:
            options = [f" {key}={value}" for key, value in item.items() if key not in actions]
            return "".join([f"{actions[0]} {item[actions[0]]}", *options])
    return item if isinstance(item, str) else json.dumps(item, default=repr)
