"""The exception that stands for a user's mistake, and its kind that may pass by itself."""

from collections.abc import Sequence

_MOST_SHOWN = 20
_NAMED = 8
"""How many names a message lists."""


class UserError(Exception):
    """Something the user can mend: a config, a rule, a model or data.

    The command line prints it as it is and exits with code 2; it never shows a traceback.
    Each problem says what is wrong, where (file, key, column, rule), and what to do. Of very many, the first are shown.

    Args:
        problems: One message, or all of them when several were found at once.

    Example:
        >>> str(UserError("data.train: no such file: rows.csv"))
        'data.train: no such file: rows.csv'
        >>> print(UserError(["a: is missing", "b: is unknown"]))
        2 problems:
          - a: is missing
          - b: is unknown
    """

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems: list[str] = [problems] if isinstance(problems, str) else list(problems)
        # Only what `__init__` takes may be in `args`: that is how exceptions are pickled.
        super().__init__(self.problems)

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return self.problems[0]
        count = len(self.problems)
        lines = [f"  - {problem}" for problem in self.problems[:_MOST_SHOWN]]
        if count > _MOST_SHOWN:
            return "\n".join([f"{count:,} problems; the first {_MOST_SHOWN}:", *lines])
        return "\n".join([f"{count} problems:", *lines])


def listed(names: Sequence[str]) -> str:
    """The names in one line; of many only the first.

    Example:
        >>> listed(["a", "b"]), listed(["a"] * 10)
        ('a, b', 'a, a, a, a, a, a, a, a and 2 more')
    """
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


class PassingFailure(UserError):
    """What ends a run though the user may have done nothing wrong: a database that is locked, or doesn't answer.

    It is told as plainly, but the exit code is 1, a failure's: `permafrost retrain` tries again.
    """
