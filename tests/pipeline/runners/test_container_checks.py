import pytest

from pipeline.runners.container_checks import is_visible, name_problems


@pytest.mark.parametrize(
    ("path", "visible"),
    [
        ("gs://b/a", True),
        ("https://tfhub.dev/a/1", True),
        ("/mnt/x", True),
        ("/mnt/x/a/*.csv", True),
        ("/opt/models/bert", True),
        ("/mnt/xy/a", False),
        ("/opt/model", False),
        ("/home/me/a", False),
        ("file:///mnt/x/a", False),
        ("mnt/x/a", False),
    ],
)
def test_what_a_container_sees(path: str, visible: bool) -> None:
    assert is_visible(path, ["/mnt/x", "/opt/models/"]) is visible


def test_nothing_but_urls_without_folders() -> None:
    assert [is_visible(path, []) for path in ("gs://b/a", "/a")] == [True, False]


@pytest.mark.parametrize(("name", "fitting"), [("My_Pipe", "my-pipe"), ("a.b", "a-b"), ("-a", "a")])
def test_a_name_that_a_service_refuses(name: str, fitting: str) -> None:
    assert list(name_problems(name, "It")) == [
        f"pipeline.name: It takes lower-case letters, digits and dashes only; write {fitting!r}"
    ]


def test_a_name_that_fits() -> None:
    assert list(name_problems("0-tickets", "It")) == []
