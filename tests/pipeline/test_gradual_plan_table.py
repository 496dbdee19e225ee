"""A plan that unfreezes gradually, or trains at several rates, as people see it."""

import io

from rich.console import Console

from pipeline.cli.plan_table import print_plan
from trainer_module.freezing.freeze_plan import make_plan
from trainer_module.freezing.freeze_rules import parse_rules
from trainer_module.freezing.step_cost import saved_share
from trainer_module.hub.variable_names import read_layout

HIDDEN = (8, 2, 4)
NAMED_SHAPES = [
    ("word_embeddings/embeddings", (30, 8)),
    ("position_embedding/embeddings", (16, 8)),
    ("type_embeddings/embeddings", (2, 8)),
    ("embeddings/layer_norm/gamma", (8,)),
    ("embeddings/layer_norm/beta", (8,)),
    *(
        (f"transformer/layer_{index}/{role}", shape)
        for index in range(3)
        for role, shape in [
            *((f"self_attention/{name}/kernel", HIDDEN) for name in ("query", "key", "value")),
            *((f"self_attention/{name}/bias", (2, 4)) for name in ("query", "key", "value")),
            ("self_attention/attention_output/kernel", (2, 4, 8)),
            ("self_attention/attention_output/bias", (8,)),
            ("self_attention_layer_norm/gamma", (8,)),
            ("self_attention_layer_norm/beta", (8,)),
            ("intermediate/kernel", (8, 32)),
            ("intermediate/bias", (32,)),
            ("output/kernel", (32, 8)),
            ("output/bias", (8,)),
            ("output_layer_norm/gamma", (8,)),
            ("output_layer_norm/beta", (8,)),
        ]
    ),
    ("pooler_transform/kernel", (8, 8)),
    ("pooler_transform/bias", (8,)),
]


def test_the_table_says_when_and_how_fast_each_part_trains() -> None:
    layout = read_layout(NAMED_SHAPES, "a model")
    rules = ["freeze embeddings", "freeze encoder[:2] until_epoch=2", "freeze layer_1/**/bias", "train pooler lr=0.1"]
    plan = make_plan(parse_rules(rules), layout)
    output = io.StringIO()
    print_plan(Console(file=output, width=200), plan, layout, tokens=16)
    text = "".join(" " if character in "│┃" else character for character in output.getvalue())
    lines = [" ".join(line.split()) for line in text.splitlines()]
    states = [line.partition("% ")[2] for line in lines if line.startswith(("embeddings", "encoder", "pooler"))]
    assert states == [
        "frozen 1. freeze embeddings",
        "frozen until epoch 2 2. freeze encoder[:2] until_epoch=2",
        "partly frozen, the rest until epoch 2 2. freeze encoder[:2] until_epoch=2",
        "trains no rule: trains",
        "trains at 0.1 4. train pooler lr=0.1",
    ]
    assert "3. freeze layer_1/**/bias" in lines
    first, last = (saved_share(layout, plan, 16, epoch) for epoch in (0, 2))
    assert first > last
    assert [line for line in lines if line.startswith("saves")] == [
        f"saves {first:.0%} of a training step's arithmetic at 16 tokens, from epoch 1 on",
        f"saves {last:.0%} of a training step's arithmetic at 16 tokens, from epoch 3 on",
    ]
