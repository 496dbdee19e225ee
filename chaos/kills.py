"""Kills at random moments, each followed by another start."""

import random
from collections import Counter
from collections.abc import Callable

from chaos.report import Finding
from chaos.season import Season


def survive_kills(season: Season, kills: int, seed: int, say: Callable[[str], None]) -> Finding:
    """Kills runs with SIGKILL, and starts them again; a night that comes to its end is followed by the next.

    The moments spread evenly over the time that a whole night takes. What a killed run had finished isn't done again,
    so that the later ones of a night hit the later components.

    Args:
        season: With a model that is live.
        kills: How many.
        seed: Of the moments.
        say: Is told of each kill and each night.
    """
    season.project.next_night()
    measured, problems = season.undisturbed()
    moments = [(index + 0.5) / kills * measured.seconds for index in range(kills)]
    random.Random(seed).shuffle(moments)
    say(f"an undisturbed night takes {measured.seconds:.0f} s")
    hit: Counter[str] = Counter()
    nights = 0
    while moments and not problems:
        season.project.next_night()
        nights += 1
        problems = _one_night(season, moments, hit, say)
    where = ", ".join(f"{component} {count}" for component, count in hit.most_common())
    return Finding(
        f"{kills} × kill -9", problems, f"{hit.total()} kills in {nights} nights, each night pushed one model: {where}"
    )


def _one_night(season: Season, moments: list[float], hit: Counter[str], say: Callable[[str], None]) -> list[str]:
    while moments:
        attempt = season.start()
        if attempt.ended_within(moments[-1]):
            # Too early for this moment: it comes in another night.
            moments.insert(0, moments.pop())
            outcome = attempt.outcome()
            say(f"  the night ended after {outcome.seconds:.0f} s")
            return season.problems_after_success(outcome)
        moment = moments.pop()
        component = attempt.kill()
        hit[component] += 1
        say(f"  killed after {moment:4.1f} s, in {component}; {len(moments)} to go")
        if problems := season.problems_after_kill():
            return problems
    return season.undisturbed()[1]
