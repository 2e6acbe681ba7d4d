"""The optional entailment model, run for real on a tiny one with random weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.entailment import LEAST, Entailment
from agent.errors import ConfigError

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "this", "person", "chose", "likes", "mystery", "films")


def save_model(folder: Path, labels: tuple[str, ...]) -> Path:
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    folder.mkdir()
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(WORDS), encoding="utf-8")
    BertTokenizerFast(vocab_file=str(vocabulary), model_max_length=32).save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
        max_position_embeddings=32,
        id2label=dict(enumerate(labels)),
        label2id={label: n for n, label in enumerate(labels)},
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    return folder


def test_a_model_gives_the_probability_that_a_statement_follows(tmp_path: Path) -> None:
    model = Entailment(save_model(tmp_path / "nli", ("CONTRADICTION", "NEUTRAL", "ENTAILMENT")))
    found = model.probability("this person chose mystery films", "likes mystery films")
    assert 0 < found < 1
    assert model.follows("this person chose mystery films", "likes mystery films") is (found >= LEAST)
    assert 0 < model.probability("mystery " * 400, "likes mystery films") < 1  # a long premise is cut


def test_a_model_without_the_label_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no label"):
        Entailment(save_model(tmp_path / "sentiment", ("good", "bad"))).probability("a", "b")


def test_a_folder_without_a_model_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no transformers model"):
        Entailment(tmp_path / "nothing")
