"""All checks are made, and what one raises is a finding."""

from pipeline.doctor.examination import Check, Finding, examine, ok, problem, warning
from trainer_module.errors import UserError


def test_every_check_is_made_in_order_whatever_the_others_do() -> None:
    def fails() -> Finding:
        raise ImportError("libcuda.so:\n  no such file")

    def user_error() -> Finding:
        raise UserError("model.hub: no such folder; give another")

    checks = [
        Check("first", lambda: ok("fine")),
        Check("second", fails),
        Check("third", user_error),
        Check("fourth", lambda: warning("old", "renew it")),
        Check("fifth", lambda: problem("gone", "bring it back")),
    ]
    assert [(check.name, finding) for check, finding in examine(checks)] == [
        ("first", Finding("ok", "fine")),
        (
            "second",
            Finding(
                "problem",
                "ImportError: libcuda.so: no such file",
                "set the environment up again (make setup), or report this",
            ),
        ),
        ("third", Finding("problem", "model.hub: no such folder; give another")),
        ("fourth", Finding("warning", "old", "renew it")),
        ("fifth", Finding("problem", "gone", "bring it back")),
    ]
