import json

import pytest

from trainer_module.errors import UserError
from trainer_module.hugging_face.config import HfConfig, read_hf_config


def _read(tmp_path, content) -> HfConfig:
    file = tmp_path / "config.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_hf_config(file)


@pytest.mark.parametrize(
    ("hidden_act", "activation"),
    [("gelu", "gelu"), ("gelu_new", "gelu_tanh"), ("gelu_pytorch_tanh", "gelu_tanh"), ("relu", "relu")],
)
def test_activation_is_one_that_the_encoder_knows(tmp_path, hidden_act, activation):
    assert _read(tmp_path, {"model_type": "bert", "hidden_act": hidden_act}).activation == activation


def test_keys_left_out_have_hugging_faces_defaults(tmp_path):
    config = _read(tmp_path, {"model_type": "bert", "use_cache": True})
    assert (config.hidden_size, config.num_hidden_layers, config.vocab_size) == (768, 12, 30522)
    assert config.layer_norm_eps == 1e-12


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"model_type": "roberta"}, "model_type is 'roberta'; only BERT"),
        ({}, "model_type is missing"),
        ([], "should hold a JSON object"),
        ("{", "is not readable JSON"),
        ({"model_type": "bert", "hidden_act": "silu"}, "hidden_act: .*'relu'; given 'silu'"),
        (
            {"model_type": "bert", "position_embedding_type": "relative_key"},
            "position_embedding_type: .*'relative",
        ),
        ({"model_type": "bert", "is_decoder": True}, "is_decoder: .*given True"),
        ({"model_type": "bert", "num_hidden_layers": 0}, "num_hidden_layers: .*greater than 0; given 0"),
        ({"model_type": "bert", "hidden_size": "768"}, "hidden_size: .*given '768'"),
        ({"model_type": "bert", "type_vocab_size": 1}, "type_vocab_size: .*given 1"),
        ({"model_type": "bert", "num_attention_heads": 7}, "768 is not a multiple of num_attention_heads 7"),
    ],
)
def test_refuses(tmp_path, content, message):
    with pytest.raises(UserError, match=message) as refusal:
        _read(tmp_path, content)
    assert str(tmp_path / "config.json") in str(refusal.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"config\.json is not readable"):
        read_hf_config(tmp_path / "config.json")


def test_all_problems_come_at_once(tmp_path):
    with pytest.raises(UserError) as refusal:
        _read(tmp_path, {"model_type": "bert", "hidden_act": "silu", "vocab_size": -1, "is_decoder": True})
    assert len(refusal.value.problems) == 3
