"""APScheduler's trigger fires when cron would."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.retraining.cron_trigger import cron_trigger
from trainer_module.errors import UserError

UTC = ZoneInfo("UTC")
NAMES = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")


def firings(expression: str, after: datetime, count: int) -> list[datetime]:
    """The next ones after a moment, as the scheduler asks for them."""
    trigger = cron_trigger(expression, "UTC")
    times: list[datetime] = []
    now = after
    for _ in range(count):
        next_time = trigger.get_next_fire_time(times[-1] if times else None, now)
        times.append(next_time)
        now = next_time + timedelta(seconds=1)
    return times


@pytest.mark.parametrize("number", range(7))
def test_weekdays_count_from_sunday_by_number_and_by_name(number: int) -> None:
    # 1 November 2026 is a Sunday.
    start = datetime(2026, 11, 1, tzinfo=UTC)
    expected = datetime(2026, 11, 1 + number, 3, tzinfo=UTC)
    assert firings(f"0 3 * * {number}", start, 1) == [expected]
    assert firings(f"0 3 * * {NAMES[number]}", start, 1) == [expected]
    assert firings(f"0 3 * * {NAMES[number].lower()}", start, 1) == [expected]


def test_a_range_may_begin_on_sunday_and_have_a_step() -> None:
    start = datetime(2026, 11, 1, tzinfo=UTC)
    assert [each.day for each in firings("0 3 * * SUN-WED/2", start, 4)] == [1, 3, 8, 10]


def test_months_may_be_a_range_of_names_with_a_step() -> None:
    start = datetime(2026, 1, 2, tzinfo=UTC)
    assert [each.month for each in firings("0 3 1 JAN-JUN/2 *", start, 3)] == [3, 5, 1]


def test_day_of_the_month_or_weekday_where_both_are_given() -> None:
    start = datetime(2026, 11, 1, tzinfo=UTC)
    # The 10th, and each Monday; 2, 9 and 16 November 2026 are ones.
    assert [each.day for each in firings("0 3 10 * MON", start, 4)] == [2, 9, 10, 16]


def test_a_day_that_is_both_comes_once() -> None:
    start = datetime(2026, 11, 1, tzinfo=UTC)
    assert [each.day for each in firings("0 3 9 * MON", start, 3)] == [2, 9, 16]


def matches(expression: str, moment: datetime) -> bool:
    """Whether crontab(5) says that a minute is one; for fields of `*`, numbers and `*/n` only."""

    def field(text: str, value: int, low: int) -> bool:
        if text.startswith("*"):
            return (value - low) % int(text.partition("/")[2] or 1) == 0
        return value in map(int, text.split(","))

    minute, hour, day, month, weekday = expression.split()
    on_day = field(day, moment.day, 1), field(weekday, moment.isoweekday() % 7, 0)
    both = day.startswith("*") or weekday.startswith("*")
    return (
        field(minute, moment.minute, 0)
        and field(hour, moment.hour, 0)
        and field(month, moment.month, 1)
        and (all(on_day) if both else any(on_day))
    )


def fields(low: int, high: int) -> st.SearchStrategy[str]:
    listed = st.lists(st.integers(low, high), min_size=1, max_size=3).map(lambda values: ",".join(map(str, values)))
    return st.one_of(st.just("*"), listed, st.integers(2, 5).map("*/{}".format))


@settings(max_examples=60, deadline=None)
@given(
    minute=st.integers(0, 59),
    hour=fields(0, 23),
    day=fields(1, 28),
    month=fields(1, 12),
    weekday=fields(0, 6),
    start=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),
)
def test_the_next_one_is_the_first_minute_that_cron_would_take(
    minute: int, hour: str, day: str, month: str, weekday: str, start: datetime
) -> None:
    expression = f"{minute} {hour} {day} {month} {weekday}"
    moment = start.replace(second=0, microsecond=0, minute=minute, tzinfo=UTC)
    moment += timedelta(hours=1) if moment < start.replace(tzinfo=UTC) else timedelta()
    for _ in range(24 * 366 * 4):
        if matches(expression, moment):
            break
        moment += timedelta(hours=1)
    else:
        return  # a weekday that this expression's few days don't fall on within four years
    assert firings(expression, start.replace(tzinfo=UTC), 1) == [moment]


def test_the_expressions_own_time_zone_comes_before_the_configs() -> None:
    now = datetime(2026, 11, 1, tzinfo=UTC)
    berlin = cron_trigger("TZ=Europe/Berlin 0 3 * * *", "UTC").get_next_fire_time(None, now)
    assert berlin == datetime(2026, 11, 1, 2, tzinfo=UTC)
    assert cron_trigger("0 3 * * *", "Asia/Tokyo").get_next_fire_time(None, now) == datetime(
        2026, 11, 1, 18, tzinfo=UTC
    )


def test_an_hour_that_the_clock_skips_comes_later_that_night() -> None:
    now = datetime(2026, 3, 29, tzinfo=ZoneInfo("Europe/Berlin"))
    fired = cron_trigger("30 2 * * *", "Europe/Berlin").get_next_fire_time(None, now)
    assert fired.date() == now.date()


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("0 3 * *", "--every: should have 5 fields: minute, hour, day, month, weekday, as in '0 3 * * *'; "
                    "given '0 3 * *'"),
        ("99 3 * * *", "--every: '99' is no minute: its values go from 0 to 59"),
        ("0 3 31 2 *", "--every: there is no such day; given '0 3 31 2 *'"),
        ("TZ=Mars/Base 0 3 * * *", "--every: 'Mars/Base' is no time zone; write one as in TZ=Europe/Berlin"),
    ],
)  # fmt: skip
def test_a_slip_is_told(expression: str, message: str) -> None:
    with pytest.raises(UserError) as refused:
        cron_trigger(expression)
    assert str(refused.value) == message
