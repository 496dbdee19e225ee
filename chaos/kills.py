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
    shares = [(index + 0.5) / kills for index in range(kills)]
    random.Random(seed).shuffle(shares)
    hit: Counter[str] = Counter()
    problems: list[str] = []
    nights, seconds = 0, 0.0
    while shares and not problems:
        season.project.next_night()
        nights += 1
        if not seconds:
            measured, problems = season.undisturbed()
            seconds = measured.seconds
            say(f"  an undisturbed night took {seconds:.0f} s")
        else:
            seconds, problems = _one_night(season, seconds, shares, hit, say)
    where = ", ".join(f"{component} {count}" for component, count in hit.most_common())
    pushed = "each pushed one model" if not problems else "until it went wrong"
    return Finding(f"{kills} × kill -9", problems, f"{hit.total()} kills in {nights} nights, {pushed}: {where}")


def _one_night(
    season: Season, seconds: float, shares: list[float], hit: Counter[str], say: Callable[[str], None]
) -> tuple[float, list[str]]:
    """Gives how long a whole night takes, as far as it is known, and what is wrong after this one.

    Args:
        season: With new rows.
        seconds: That a whole night takes, as far as it is known.
        shares: Of these seconds: when a run is killed, the next one last. What was used is taken away.
        hit: Gets what was killed.
        say: See `survive_kills`.
    """
    killed = False
    while shares:
        moment = shares[-1] * seconds
        attempt = season.start()
        if attempt.ended_within(moment):
            # This moment comes in another night.
            shares.insert(0, shares.pop())
            outcome = attempt.outcome()
            say(f"  the night ended after {outcome.seconds:.0f} s")
            return (seconds if killed else outcome.seconds), season.problems_after_success(outcome)
        shares.pop()
        killed = True
        component = attempt.kill()
        hit[component] += 1
        say(f"  killed after {moment:4.1f} s, in {component}; {len(shares)} to go")
        if problems := season.problems_after_kill():
            return seconds, problems
    return seconds, season.undisturbed()[1]
