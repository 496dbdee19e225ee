"""Cron expressions that are let through, and those that aren't."""

import pytest

from pipeline.cron import check_cron, split_zone
from trainer_module.errors import UserError


@pytest.mark.parametrize(
    "expression",
    [
        "0 3 * * *",
        "*/15 0-6/2 1,15 JAN-MAR mon-fri",
        "59 23 31 12 6",
        "0 3 * * SUN",
        "  0   3 * * *  ",
        "TZ=Europe/Berlin 0 3 * * *",
        "CRON_TZ=America/New_York 30 1 * * 1-5",
        "TZ=UTC 0 3 * * *",
    ],
)
def test_what_the_services_understand_is_let_through(expression: str) -> None:
    check_cron(expression)


@pytest.mark.parametrize(
    ("expression", "problems"),
    [
        ("0 3 * *", ["--cron: should have 5 fields: minute, hour, day, month, weekday, as in '0 3 * * *'; "
                     "given '0 3 * *'"]),
        ("0 0 3 * * *", ["--cron: should have 5 fields: minute, hour, day, month, weekday, as in '0 3 * * *'; "
                         "given '0 0 3 * * *'"]),
        ("", ["--cron: should have 5 fields: minute, hour, day, month, weekday, as in '0 3 * * *'; given ''"]),
        ("60 24 0 13 7", [
            "--cron: '60' is no minute: its values go from 0 to 59",
            "--cron: '24' is no hour: its values go from 0 to 23",
            "--cron: '0' is no day of the month: its values go from 1 to 31",
            "--cron: '13' is no month: its values go from 1 to 12",
            "--cron: '7' is no day of the week: its values go from 0 to 6",
        ]),
        ("0 3 * * FRI-MON", ["--cron: 'FRI-MON' is no day of the week: the range goes backwards"]),
        ("*/0 3 * * *", ["--cron: '*/0' is no minute: a step of 0 never moves on"]),
        ("0 3 * * FUN", ["--cron: 'FUN' is no day of the week: its values go from 0 to 6"]),
        ("0 3am * * *", ["--cron: '3am' is no hour: its values go from 0 to 23"]),
        ("1, 3 * * *", ["--cron: '1,' is no minute: write numbers from 0 to 59, '*', ranges (1-5) and steps (*/15)"]),
        ("0 *-3 * * *", ["--cron: '*-3' is no hour: write numbers from 0 to 23, '*', ranges (1-5) and steps (*/15)"]),
        ("TZ=Europe/Berlim 0 3 * * *",
         ["--cron: 'Europe/Berlim' is no time zone; write one as in TZ=Europe/Berlin"]),
        ("٣ 3 * * *", ["--cron: '٣' is no minute: write numbers from 0 to 59, '*', ranges (1-5) and steps (*/15)"]),
        ("0 3 * * ſUN", ["--cron: 'ſUN' is no day of the week: "
                         "write numbers from 0 to 6, '*', ranges (1-5) and steps (*/15)"]),
        (f"*/{'9' * 5000} 3 * * *", [f"--cron: '*/{'9' * 297}… (5,004 characters) is no minute: "
                                     "a step has 4 digits at most"]),
        (f"{'9' * 5000} 3 * * *", [f"--cron: '{'9' * 299}… (5,002 characters) is no minute: "
                                   "its values go from 0 to 59"]),
        (f"{'60,' * 9999}60 3 * * *", [f"--cron: '{('60,' * 100)[:299]}… (30,001 characters) is no minute: "
                                       "its values go from 0 to 59"]),
        ("TZ= 0 3 * * *", ["--cron: '' is no time zone; write one as in TZ=Europe/Berlin"]),
    ],
)  # fmt: skip
def test_a_slip_is_refused(expression: str, problems: list[str]) -> None:
    with pytest.raises(UserError) as refused:
        check_cron(expression)
    assert refused.value.problems == problems


def test_a_time_zone_stands_before_the_fields() -> None:
    assert split_zone("TZ=Europe/Berlin 0 3 * * *") == ("Europe/Berlin", "0 3 * * *")
    assert split_zone("0 3 * * *") == (None, "0 3 * * *")
