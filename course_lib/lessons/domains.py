"""Continued pre-training on a field's texts, and bits per byte, which say what it changed.

Nothing is asked here and nothing answered: the model reads and learns to predict what comes next, as in its first
training, only the texts are of one field. Gururangan et al. 2020, "Don't Stop Pretraining", arXiv:2004.10964.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
import pandas as pd

from ..intervals import mean_interval
from ..llm.chat import encode_answer
from ..llm.inference import score_choices, text_bits
from ..llm.lora import adapted_network
from ..llm.model import LanguageModel
from ..llm.training import fine_tune
from ..tasks.builtin import packaged, read_jsonl

FIELDS = ("legal", "medical", "finance")
WORDS = 32  # of a piece of text: the beginning of a clause, an abstract, an answer or a review


@cache
def field_texts(field: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Different pieces of text of a field: 96 to train on, and 32 held out.

    The fields are legal (clauses of privacy policies), medical (abstracts), finance (answers on personal finance) and
    everyday (film reviews). Raises ValueError where there is no such field, FetchError as load_task.
    """
    words = _whole_texts(field).str.split()
    pieces = words[words.str.len() >= WORDS].str[:WORDS].str.join(" ").drop_duplicates()
    drawn = pieces.sample(128, random_state=0).tolist()
    return tuple(drawn[:96]), tuple(drawn[96:])


def _whole_texts(field: str) -> pd.Series:
    if field == "legal":
        return pd.read_json(packaged("privacy"), lines=True)["context"]
    if field == "medical":
        passages = pd.read_json(packaged("pubmed"), lines=True)["passage"]
        return passages.str.replace(r"Context \(\d+\): ", "", regex=True)
    if field == "finance":
        return pd.read_json(packaged("fiqa"), lines=True)["answer"]
    if field == "everyday":
        return pd.read_csv(packaged("imdb"))["text"].str.replace(r"<br\s*/?>", " ", regex=True)
    raise ValueError(f"There is no field {field!r}. There are: {', '.join(FIELDS)}, everyday.")


def continue_pretraining(model: LanguageModel, texts: Sequence[str], seed: int = 0) -> LanguageModel:
    """The model after two epochs of these texts: the same weights with an adapter of its own."""
    document_start = [model.tokenizer.eos_token_id]  # the token between documents
    adapter, _ = fine_tune(
        model,
        [document_start] * len(texts),
        [encode_answer(model, text) for text in texts],
        layers=10,
        rank=8,
        steps=2 * -(-len(texts) // 8),
        learning_rate=2e-3,
        batch_size=8,
        seed=seed,
    )
    return model.with_network(adapted_network(adapter))


def bits_per_byte(models: dict[str, LanguageModel], fields: Sequence[str] = (*FIELDS, "everyday")) -> pd.DataFrame:
    """How well each model predicts the held-out texts of each field: a row for each field and model.

    The first of `models` is the base model, the others are adapted from it. Columns: field, model, bits_per_byte (bits
    per byte of text in UTF-8, the mean over the texts; less is better), and gain (the base model's bits per byte minus
    this model's, the mean over the texts) with the low and high of its 95 % interval.
    """
    rows = []
    for field in fields:
        texts = field_texts(field)[1]
        sizes = np.array([len(text.encode()) for text in texts])
        base, *_ = by_model = text_bits(list(models.values()), texts).numpy() / sizes
        for name, own in zip(models, by_model, strict=True):
            rows.append((field, name, own.mean(), (base - own).mean(), *mean_interval(base - own)))
    return pd.DataFrame(rows, columns=["field", "model", "bits_per_byte", "gain", "low", "high"])


def cloze(model: LanguageModel, field: str) -> list[bool]:
    """For each unfinished sentence of the field's jargon: is the right ending, of four, the likeliest?"""
    items = [item for item in read_jsonl("jargon.jsonl") if item["domain"] == field]
    endings = [[f" {ending}" for ending in (item["answer"], *item["others"])] for item in items]
    prompts = [[model.tokenizer.eos_token_id, *encode_answer(model, item["text"])] for item in items]
    return (score_choices(model, prompts, endings).argmax(dim=1) == 0).tolist()
