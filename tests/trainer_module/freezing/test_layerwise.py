"""The lower a part of the encoder, the slower it learns."""

import pytest

from trainer_module.freezing.layerwise import layerwise_multipliers
from trainer_module.hub.layout import EncoderLayout


def test_each_part_learns_by_the_decay_slower_than_the_one_above(bert_4: EncoderLayout) -> None:
    assert layerwise_multipliers(bert_4, 0.5) == {
        "encoder[3]": 0.5,
        "encoder[2]": 0.25,
        "encoder[1]": 0.125,
        "encoder[0]": 0.0625,
        "embeddings": 0.03125,
    }


def test_blocks_that_share_weights_or_have_no_number_count_as_one(
    albert: EncoderLayout, unnumbered: EncoderLayout
) -> None:
    for layout in (albert, unnumbered):
        assert layerwise_multipliers(layout, 0.5) == {"encoder": 0.5, "embeddings": 0.25}


@pytest.mark.parametrize("name", ["bert_4", "albert"])
def test_a_decay_of_1_leaves_every_part_alone(name: str, request: pytest.FixtureRequest) -> None:
    assert set(layerwise_multipliers(request.getfixturevalue(name), 1.0).values()) == {1.0}
