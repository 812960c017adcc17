"""Reading up on a field: training goes on, on plain text of that field, and the text's surprise says what it changed.

Here nothing is asked and nothing answered. The model reads and learns to expect what comes next, as in its first
training; only the texts are of one field. Gururangan et al. 2020, "Don't Stop Pretraining", arXiv:2004.10964.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
import pandas as pd

from .adapter import adapted_network
from .inference import choose, surprise
from .metrics import mean_interval
from .model import LanguageModel
from .prompts import encode_answer
from .tasks import packaged, read_jsonl
from .training import fine_tune

FIELDS = ("legal", "medical", "finance")
WORDS = 32  # a piece of text: the beginning of a clause, an abstract, an answer, a review


@cache
def texts(field: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Pieces of text of a field, 96 to train on and 32 held out; each stands once.

    The fields are legal (clauses of privacy policies), medical (abstracts), finance (answers on personal finance) and
    everyday (film reviews). Raises ValueError where there is no such field, FetchError as load_task.
    """
    if field == "legal":
        whole = pd.read_json(packaged("privacy"), lines=True)["context"]
    elif field == "medical":
        whole = pd.read_json(packaged("pubmed"), lines=True)["passage"].str.replace(
            r"Context \(\d+\): ", "", regex=True
        )
    elif field == "finance":
        whole = pd.read_json(packaged("fiqa"), lines=True)["answer"]
    elif field == "everyday":
        whole = pd.read_csv(packaged("imdb"))["text"].str.replace(r"<br\s*/?>", " ", regex=True)
    else:
        raise ValueError(f"There is no field {field!r}. There are: {', '.join(FIELDS)}, everyday.")
    words = whole.str.split()
    pieces = words[words.str.len() >= WORDS].str[:WORDS].str.join(" ").drop_duplicates()
    drawn = pieces.sample(128, random_state=0).tolist()
    return tuple(drawn[:96]), tuple(drawn[96:])


def read_up(model: LanguageModel, pieces: Sequence[str], seed: int = 0) -> LanguageModel:
    """The model after it has read these pieces twice: the same weights with an adapter of its own."""
    begin = [model.tokenizer.eos_token_id]  # what stands between documents
    adapter, _ = fine_tune(
        model,
        [begin] * len(pieces),
        [encode_answer(model, piece) for piece in pieces],
        layers=10,
        rank=8,
        epochs=2,
        learning_rate=2e-3,
        batch_size=8,
        seed=seed,
    )
    return model.with_network(adapted_network(adapter))


def matrix(models: dict[str, LanguageModel], fields: Sequence[str] = (*FIELDS, "everyday")) -> pd.DataFrame:
    """How well each model expects the held-out text of each field: a row a field and model.

    The models are a base model and readers of it. Columns: field, model, bits (a byte of text in UTF-8, the mean over
    pieces), and of the first model's bits minus this one's the mean `gain` with the `low` and `high` of its 95 %
    interval over pieces.
    """
    rows = []
    for field in fields:
        pieces = texts(field)[1]
        sizes = np.array([len(piece.encode()) for piece in pieces])
        first, *_ = bits = surprise(list(models.values()), pieces).numpy() / sizes
        for name, each in zip(models, bits, strict=True):
            rows.append((field, name, each.mean(), (first - each).mean(), *mean_interval(first - each)))
    return pd.DataFrame(rows, columns=["field", "model", "bits", "gain", "low", "high"])


def cloze(model: LanguageModel, field: str) -> list[bool]:
    """For each unfinished sentence of the field's jargon: is the right ending, of four, the likeliest?"""
    items = [item for item in read_jsonl("jargon.jsonl") if item["domain"] == field]
    endings = [[f" {ending}" for ending in (item["answer"], *item["others"])] for item in items]
    begun = [[model.tokenizer.eos_token_id, *encode_answer(model, item["text"])] for item in items]
    return (choose(model, begun, endings).argmax(dim=1) == 0).tolist()
