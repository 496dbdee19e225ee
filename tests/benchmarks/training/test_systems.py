"""Each system trains what its level says, on the rows that it is given."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from benchmarks.training.design import MAX_TOKENS, Task
from benchmarks.training.process import PEER_PYTHON
from benchmarks.training.sst2 import Split, Sst2
from trainer_module.features import MASK, TYPE_IDS, WORD_IDS
from trainer_module.training.rows import Rows

REPOSITORY = Path(__file__).resolve().parents[3]


def test_our_settings_are_the_tasks(tmp_path: Path) -> None:
    from benchmarks.training.systems.permafrost import settings_of

    settings = settings_of(Task("permafrost", "all", "bfloat16", 5), tmp_path)
    assert (settings.compute_dtype, settings.epochs, settings.prefix_cache) == ("bfloat16", 5, "auto")
    assert (settings.pooling, settings.learning_rate, settings.seed) == ("mean", 1e-3, 0)
    assert [str(rule) for rule in settings.freeze] == ["freeze all"]


def test_the_recipe_pads_every_text_to_the_end() -> None:
    from benchmarks.training.systems.tfx import padded

    rows = Rows(np.array([5, 6, 7], np.int32), None, np.array([0, 1, 3]), np.array([1, 0]))
    inputs, labels = padded(rows)
    assert {name: values.shape for name, values in inputs.items()} == dict.fromkeys(
        (WORD_IDS, MASK, TYPE_IDS), (2, MAX_TOKENS)
    )
    assert inputs[WORD_IDS][1, :4].tolist() == [6, 7, 0, 0]
    assert inputs[MASK].sum(axis=1).tolist() == [1, 2]
    assert labels.tolist() == [1, 0]


def test_the_recipe_cannot_freeze_half(tmp_path: Path) -> None:
    from benchmarks.training.systems.tfx import measure

    with pytest.raises(ValueError, match="all or nothing, not half"):
        measure(Task("tfx", "half", "float32", 1), Sst2(Split([], []), Split([], [])), tmp_path)


PEER = """
import json, sys
from pathlib import Path
from transformers import BertConfig, BertModel, BertTokenizerFast
from benchmarks.training.design import LEVELS, Task
from benchmarks.training.sst2 import Split, Sst2
from benchmarks.training.systems.huggingface import Classifier, measure, parameter_groups

folder = Path(sys.argv[1])
words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film"]
config = BertConfig(
    vocab_size=len(words), hidden_size=8, num_hidden_layers=6, num_attention_heads=2, intermediate_size=16
)
BertModel(config).save_pretrained(folder)
(folder / "vocab.txt").write_text("".join(f"{word}\\n" for word in words))
BertTokenizerFast(vocab=str(folder / "vocab.txt")).save_pretrained(folder)
answer = {}
for name, level in LEVELS.items():
    classifier = Classifier(folder, 2, level)
    names = {id(each): key for key, each in classifier.named_parameters()}
    answer[name] = [sorted(names[id(each)] for each in group["params"]) for group in parameter_groups(classifier)]
split = Split(["good film", "bad", "good"] * 30, [1, 0, 1] * 30)
measured = measure(Task("huggingface", "half", "float32", 2), Sst2(split, split), folder)
answer["run"] = [len(measured.epoch_s), measured.lengths[:3], measured.test_accuracy, measured.spent.seconds]
print(json.dumps(answer))
"""


@pytest.mark.slow
@pytest.mark.skipif(not PEER_PYTHON.exists(), reason="PyTorch is only where `make bench` has been called")
def test_the_peer_trains_what_isnt_frozen(tmp_path: Path) -> None:
    ended = subprocess.run(
        [PEER_PYTHON, "-c", PEER, str(tmp_path)], cwd=REPOSITORY, check=True, capture_output=True, text=True
    )
    answer = json.loads(ended.stdout.strip().rpartition("\n")[2])
    assert answer["all"] == [["head.weight"], ["head.bias"]]
    decay, kept = answer["half"]
    blocks = {int(name.split(".")[3]) for name in (*decay, *kept) if name.startswith("bert.encoder")}
    assert blocks == {3, 4, 5}
    assert not any("embeddings" in name for name in (*decay, *kept))
    assert {"bert.pooler.dense.weight", "head.weight"} < set(decay)
    assert all(name.endswith("bias") or "LayerNorm" in name for name in kept)
    assert not any(name.endswith("bias") or "LayerNorm" in name for name in decay)
    assert "bert.embeddings.word_embeddings.weight" in answer["nothing"][0]
    epochs, lengths, accuracy, seconds = answer["run"]
    assert (epochs, lengths) == (2, [4, 3, 3])
    assert accuracy in (0.0, 1 / 3, 2 / 3, 1.0) and seconds > 0


@pytest.mark.slow
@pytest.mark.parametrize("system", ["permafrost", pytest.param("tfx", marks=pytest.mark.soak)])
def test_a_training_on_a_small_encoder(system: str, tiny_hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib

    # It has 64 positions.
    for module in ("systems.permafrost", "systems.tfx"):
        monkeypatch.setattr(importlib.import_module(f"benchmarks.training.{module}"), "MAX_TOKENS", 64)
    split = Split(["good film", "bad story", "good"] * 30, [1, 0, 1] * 30)
    measure = importlib.import_module(f"benchmarks.training.systems.{system}").measure
    measured = measure(Task(system, "all", "float32", 2), Sst2(split, split), tiny_hub)  # type: ignore[arg-type]
    assert len(measured.epoch_s) == 2
    assert 0 < sum(measured.epoch_s) <= measured.spent.seconds
    assert measured.lengths[:3] == [4, 4, 3]
    assert round(90 * measured.test_accuracy, 3) in (0, 30, 60, 90)
