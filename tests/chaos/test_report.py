import io

from rich.console import Console

from chaos.report import Finding, print_report


def printed(*findings: Finding) -> tuple[bool, str]:
    console = Console(file=io.StringIO(), width=120)
    well = print_report(findings, console)
    return well, console.file.getvalue()  # type: ignore[attr-defined]


def test_what_survived_is_told_with_what_was_seen():
    well, text = printed(Finding("a full disk", [], "exit code 2"))
    assert well
    assert [word in text for word in ("a full disk", "yes", "exit code 2")] == [True] * 3


def test_one_problem_is_enough_to_fail():
    well, text = printed(Finding("a full disk", [], ""), Finding("a kill", ["version 7 is half"], "killed"))
    assert not well
    assert "version 7 is half" in text


def test_what_could_not_be_tried_is_told_as_such():
    well, text = printed(Finding("a full disk", [], "needs root", skipped=True))
    assert well
    assert "not tried" in text
    assert "yes" not in text
