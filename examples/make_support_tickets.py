"""Makes `support_tickets.csv`, the quickstart's data set: **all rows are generated**, no customer wrote them.

They are messages to the support desk of Tarnhill, a shop that doesn't exist, put together from the phrases in
`support_tickets.grammar`. They stand in for a CSV of your own: good for seeing a pipeline work, worthless as
a benchmark.

    text     what the customer wrote, 3 to 60 words; some texts hold commas, quotes and newlines
    topic    the label, one of eight, moderately unbalanced
    channel  email, chat, phone or social: a column to slice by, each with lengths and manners of its own

As in real tickets, single words mislead: a pleased customer praises the *refund*, an angry one complains of
the *parcel*, and many texts name matters that they are not about. 4 % of the rows carry a wrong label, and
about as many speak of two topics and are filed under either.

    python examples/make_support_tickets.py [--rows N] [--seed S] [--out PATH]

The same arguments give the same bytes, on every Python.
"""

import argparse
import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from random import Random
from typing import TypeVar

HERE = Path(__file__).resolve().parent
ROWS, SEED = 3_200, 7
SHORTEST, LONGEST = 3, 60
MISLABELLED = 0.04
TWO_TOPICS = 0.04
DUPLICATES_KEPT = 0.05  # of the texts that come up a second time; the others are drawn anew

TOPIC_WEIGHTS = {
    "delivery": 18, "billing": 15, "technical": 14, "returns": 13,
    "account": 12, "product_question": 11, "complaint": 10, "praise": 7,
}  # fmt: skip


@dataclass(frozen=True)
class Channel:
    """How people write on one channel; all but `weight` and `brevity` is how often something happens.

    Attributes:
        weight: Its share of the rows, relative to the others.
        brevity: Above 1 makes texts shorter, below 1 longer.
        greets: The text opens with a greeting.
        signs: The text closes with thanks, a name or a hashtag.
        lower: All letters are lower-case.
        bare: Apostrophes and the last full stop are left out.
        abbreviates: Each abbreviation that could be used is.
        mistypes: Each word holds a typo.
        breaks: Greeting and closing stand on lines of their own.
        hesitates: Each comma is followed by a filler such as "um".
    """

    weight: int
    brevity: float
    greets: float
    signs: float
    lower: float = 0.0
    bare: float = 0.0
    abbreviates: float = 0.0
    mistypes: float = 0.0
    breaks: float = 0.0
    hesitates: float = 0.0


CHANNELS = {
    "email": Channel(36, brevity=0.6, greets=0.8, signs=0.8, abbreviates=0.02, mistypes=0.008, breaks=0.4),
    "chat": Channel(34, brevity=1.5, greets=0.35, signs=0.2, lower=0.7, bare=0.6, abbreviates=0.4, mistypes=0.03),
    "phone": Channel(16, brevity=0.7, greets=0.7, signs=0.5, lower=0.2, hesitates=0.4),
    "social": Channel(14, brevity=1.2, greets=0.6, signs=0.5, lower=0.3, bare=0.3, abbreviates=0.3, mistypes=0.02),
}


@dataclass(frozen=True)
class Ticket:
    """One row, and what it really is about.

    Attributes:
        text: What the customer wrote.
        topic: The label in the file.
        channel: Where it came in.
        about: The topics the text was written for: one, or two when it is ambiguous.
    """

    text: str
    topic: str
    channel: str
    about: tuple[str, ...]


# The places of a text, in order.
OPENING, BEFORE, REQUEST, LINK, SECOND_REQUEST, AFTER, CLOSING, END = range(8)

T = TypeVar("T")


class Dice:
    """Random choices made from `Random.random()` alone, the one method whose sequence Python guarantees."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed).random

    def happens(self, probability: float) -> bool:
        return self._random() < probability

    def below(self, limit: int) -> int:
        return int(self._random() * limit)

    def pick(self, options: Sequence[T]) -> T:
        return options[self.below(len(options))]

    def weighted(self, weights: dict[str, int]) -> str:
        return self.pick([name for name, weight in weights.items() for _ in range(weight)])

    def shuffled(self, items: Iterable[T]) -> list[T]:
        return [item for _, _, item in sorted((self._random(), i, item) for i, item in enumerate(items))]

    def length(self, brevity: float) -> int:
        """Between SHORTEST and LONGEST, spread evenly on a logarithmic scale when `brevity` is 1."""
        return round(SHORTEST * (LONGEST / SHORTEST) ** (self._random() ** brevity))


class Grammar:
    """The rules of a grammar file; the file's first lines explain its notation."""

    HEADER = re.compile(r"\[([\w.-]+)\]( once)?")
    SLOT = re.compile(r"\[([^\[\]]*)\]|\{([\w.-]+)\}")

    def __init__(self, source: str) -> None:
        self.rules: dict[str, list[str]] = {}
        self.once: set[str] = set()
        name = ""
        for line in source.splitlines():
            if header := self.HEADER.fullmatch(line):
                name = header[1]
                self.rules[name] = []
                if header[2]:
                    self.once.add(name)
            elif line and line != "#" and not line.startswith("# "):
                self.rules[name].append(line)
        self.abbreviations = dict(line.split(" = ") for line in self.rules.pop("abbreviation"))


class Author:
    """Writes one text, so it remembers what was decided `once` and which lines were used."""

    def __init__(self, grammar: Grammar, dice: Dice) -> None:
        self._grammar, self._dice = grammar, dice
        self._decided: dict[str, str] = {}
        self._used: set[str] = set()

    def expand(self, line: str) -> str:
        """`line` with every choice made and every rule replaced."""
        while slot := Grammar.SLOT.search(line):
            line = line[: slot.start()] + self._fill(slot) + line[slot.end() :]
        line = re.sub("_", lambda _: str(self._dice.below(10)), line)  # the digits
        return re.sub(r"\b([Aa]) (?=[aeiouAEIOU])", r"\1n ", " ".join(line.split()))

    def _fill(self, slot: re.Match[str]) -> str:
        choices, rule = slot.groups()
        if rule is None:
            return self._dice.pick(choices.split("|"))
        if rule not in self._grammar.once:
            return self._dice.pick(self._grammar.rules[rule])
        if rule not in self._decided:
            self._decided[rule] = self.expand(self._dice.pick(self._grammar.rules[rule]))
        return self._decided[rule]

    def say(self, rule: str, room: int) -> str | None:
        """A line of `rule` not said before that takes at most `room` words, or None."""
        for line in self._dice.shuffled(self._grammar.rules[rule]):
            if line not in self._used and word_count(sentence := self.expand(line)) <= room:
                self._used.add(line)
                return sentence
        return None

    def write(self, topics: Sequence[str], channel: str) -> str | None:
        """A text about `topics` as written on `channel`, or None when they don't fit the length drawn."""
        manners = CHANNELS[channel]
        room = self._dice.length(manners.brevity)
        if len(topics) > 1:
            room = max(room, 25)  # enough for both
        parts: list[tuple[int, str]] = []  # where it goes, and the sentence

        def add(place: int, *rules: str) -> bool:
            nonlocal room
            for rule in rules:
                if sentence := self.say(rule, room):
                    parts.append((place, sentence))
                    room -= word_count(sentence)
                    return True
            return False

        for place, topic in zip((REQUEST, SECOND_REQUEST), topics, strict=False):
            if place == SECOND_REQUEST:
                add(LINK, "link")
            forms = [topic, f"{topic}.short"]
            if not add(place, *(forms if self._dice.happens(0.9) else forms[::-1])):
                return None
        if self._dice.happens(manners.greets):
            add(OPENING, f"{channel}.opening")
        if self._dice.happens(manners.signs):
            add(CLOSING, f"{channel}.closing")
        before, after = ["mention", "context"], ["mention", "detail", "detail", f"{topics[-1]}.more"]
        asides = [(BEFORE, rule) for rule in before] + [(AFTER, rule) for rule in after]
        for place, rule in self._dice.shuffled(asides):
            add(place, rule)
        return self._style(self._join(sorted(parts, key=lambda part: part[0]), manners), manners, room)

    def _join(self, parts: list[tuple[int, str]], manners: Channel) -> str:
        """The sentences in order, each ended; sometimes with greeting and closing on lines of their own."""
        letter = self._dice.happens(manners.breaks)
        text = ""
        for (place, sentence), (following, _) in zip(parts, [*parts[1:], (END, "")], strict=True):
            ended = following == END or place in (OPENING, LINK) or sentence[-1] in ".,:!?"
            new_line = letter and (place == OPENING or following == CLOSING)
            text += sentence + ("" if ended else ".") + ("\n" if new_line else " ")
        return text.strip()

    def _style(self, text: str, manners: Channel, room: int) -> str:
        """`text` with the channel's manners, at most `room` words longer."""
        dice = self._dice
        for full, short in self._grammar.abbreviations.items():
            if dice.happens(manners.abbreviates):
                text = re.sub(rf"\b{full}\b", short, text)
        if dice.happens(manners.lower):
            text = text.lower()
        else:
            text = re.sub(r"(^|\n|[.!?] )([a-z])", lambda start: start[1] + start[2].upper(), text)
        if dice.happens(manners.bare):
            text = text.replace("'", "").rstrip(".")
        fillers = self._grammar.rules["filler"]
        words = []
        for word in re.split(r"(?<=\S)(?=\s)", text):
            words.append(mistype(word, dice) if dice.happens(manners.mistypes) else word)
            if word.endswith(",") and room > 1 and dice.happens(manners.hesitates):
                words.append(" " + dice.pick(fillers))
                room -= 2
        return "".join(words)


def word_count(text: str) -> int:
    """How many words `text` has, by blanks."""
    return len(text.split())


def mistype(word: str, dice: Dice) -> str:
    """`word` with two letters swapped, one left out or one doubled; short words are spared."""
    if not re.search("[a-z]{4}", word):
        return word
    at = dice.pick([pair.start() for pair in re.finditer("[a-z](?=[a-z])", word)])
    first, second = word[at], word[at + 1]
    return word[:at] + dice.pick([second + first, second, first + first + second]) + word[at + 2 :]


def _texts(grammar: Grammar, dice: Dice) -> Iterator[Ticket]:
    """Correctly labelled tickets without end, nearly all different."""
    seen: set[str] = set()
    weights = {name: channel.weight for name, channel in CHANNELS.items()}
    while True:
        about: tuple[str, ...] = (dice.weighted(TOPIC_WEIGHTS),)
        if dice.happens(TWO_TOPICS):
            about += (dice.pick([topic for topic in TOPIC_WEIGHTS if topic not in about]),)
        channel = dice.weighted(weights)
        text = Author(grammar, dice).write(about, channel)
        if text is None or not SHORTEST <= word_count(text) <= LONGEST:
            continue
        if text.lower() not in seen or dice.happens(DUPLICATES_KEPT):
            seen.add(text.lower())
            yield Ticket(text, dice.pick(about), channel, about)


def make_tickets(rows: int = ROWS, seed: int = SEED) -> list[Ticket]:
    """`rows` tickets, of which exactly the share MISLABELLED carries a topic they are not about."""
    dice = Dice(seed)
    grammar = Grammar((HERE / "support_tickets.grammar").read_text(encoding="utf-8"))
    tickets = list(islice(_texts(grammar, dice), rows))
    for index in dice.shuffled(range(rows))[: round(MISLABELLED * rows)]:
        wrong = [topic for topic in TOPIC_WEIGHTS if topic not in tickets[index].about]
        tickets[index] = replace(tickets[index], topic=dice.pick(wrong))
    return tickets


def to_csv(tickets: Iterable[Ticket]) -> bytes:
    """The tickets as UTF-8 CSV with a header row; fields are quoted where they must be."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["text", "topic", "channel"])
    writer.writerows((ticket.text, ticket.topic, ticket.channel) for ticket in tickets)
    return out.getvalue().encode()


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the file that the command line asks for."""
    parser = argparse.ArgumentParser(description="Write generated support tickets as CSV.")
    parser.add_argument("--rows", type=int, default=ROWS, help="how many (default %(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="another seed, other rows (default %(default)s)")
    parser.add_argument("--out", type=Path, default=HERE / "support_tickets.csv", help="default: %(default)s")
    options = parser.parse_args(arguments)
    options.out.write_bytes(to_csv(make_tickets(options.rows, options.seed)))


if __name__ == "__main__":
    main()
