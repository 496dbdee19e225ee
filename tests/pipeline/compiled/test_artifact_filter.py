"""The filters of resolvers."""

from typing import Any

import pytest

from pipeline.compiled.artifact_filter import Condition, parse_filter
from pipeline.compiled.artifact_store import Artifact
from trainer_module.errors import UserError


def holds(text: str, **fields: Any) -> bool:
    artifact = Artifact.model_validate(
        {"name": "n", "title": "tfx.Model", "type": {}, "uri": "/u", "state": "LIVE"} | fields
    )
    return all(condition.holds(artifact) for condition in parse_filter(text))


def test_the_filters_that_tfx_writes() -> None:
    assert parse_filter('schema_title="tfx.ModelBlessing" AND state=LIVE AND metadata.blessed.number_value=1') == [
        Condition("schema_title", "tfx.ModelBlessing"),
        Condition("state", "LIVE"),
        Condition("metadata.blessed.number_value", "1"),
    ]
    by_name = "name=\"{{$.inputs.artifacts['input'].metadata['current_model_id']}}\""
    assert parse_filter(f'schema_title="tfx.Model" AND state=LIVE AND {by_name}')[2] == Condition(
        "name", "{{$.inputs.artifacts['input'].metadata['current_model_id']}}"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('schema_title="tfx.Model"', True),
        ('schema_title="tfx.Mode"', False),
        ('schema_title="tfx.Model" AND state=PENDING', False),
        ('name="n" AND uri="/u"', True),
        ('name = "n"  AND  uri = "/u" ', True),
        ("metadata.blessed.number_value=1", True),
        ("metadata.blessed.number_value=1.0", True),
        ("metadata.blessed.number_value=0", False),
        ("metadata.other.number_value=1", False),
        ('metadata.hub.string_value="a AND \\"b\\""', True),
        ('metadata.blessed.string_value="1"', False),
        ("metadata.flag.bool_value=true", True),
        ("metadata.flag.number_value=1", False),
    ],
)
def test_whether_a_filter_holds(text: str, expected: bool) -> None:
    assert holds(text, metadata={"blessed": 1.0, "hub": 'a AND "b"', "flag": True}) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "expected a condition FIELD=VALUE at ''"),
        ("state", "expected a condition FIELD=VALUE at 'state'"),
        ("state=LIVE OR state=PENDING", "expected AND at 'OR state=PENDING'"),
        ("state=LIVE AND ", "expected a condition FIELD=VALUE at ''"),
        ("state!=LIVE", "expected a condition FIELD=VALUE at 'state!=LIVE'"),
        ('in_context("a")', "expected a condition FIELD=VALUE"),
        (
            'artifact_type="a"',
            "expected name, schema_title, state, uri or metadata.KEY.number_value at 'artifact_type=",
        ),
        ("metadata.a=1", "expected name, schema_title"),
        ("metadata.a.number_value=many", "expected a number at '=many'"),
        ('name="open', "expected a condition FIELD=VALUE"),
    ],
)
def test_what_tfx_does_not_write_is_refused(text: str, expected: str) -> None:
    with pytest.raises(UserError) as error:
        parse_filter(text)
    assert str(error.value).startswith(f"filter {text!r}: {expected}")
