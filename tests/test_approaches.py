"""The four approaches adapt the real model, and compare does what the README promises.

That they keep scikit-learn's contract is shown in test_sklearn.py.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from course_lib import FewShot, FineTuned, Prompt, Retrieval, ZeroShot, approaches, compare, load_task
from course_lib.llm.embeddings import Embeddings
from course_lib.plots import guess_and_result, side_by_side
from course_lib.selection import choose

SENTIMENT = Prompt("Is this film review positive or negative?", ("negative", "positive"))


@pytest.fixture(scope="module")
def films():
    return load_task("film-sentences").sample(train=40, test=60)


@pytest.mark.parametrize("approach", [ZeroShot(), FewShot(4), Retrieval(documents=["a"]), FineTuned(rank=4)])
def test_clone_keeps_parameters_and_nothing_else(approach, model):
    approach.set_params(model=model, prompt=SENTIMENT)
    copied = clone(approach)
    assert copied is not approach
    assert copied.get_params() == approach.get_params()
    assert copied.model is model
    assert repr(clone(FewShot(shots=4))) == "FewShot(shots=4)"


def test_few_shot_draws_evenly_over_the_choices(films):
    settings = {"calibrate": False, "prompt": SENTIMENT}
    approach = FewShot(6, random_state=1, **settings).fit(films.train["input"], films.train["output"])
    assert sorted(answer for _, answer in approach.examples_) == ["negative"] * 3 + ["positive"] * 3
    other = FewShot(6, random_state=2, **settings).fit(films.train["input"], films.train["output"])
    assert other.examples_ != approach.examples_
    every = FewShot(500, calibrate=False).fit(films.train["input"], films.train["output"])
    assert len(every.examples_) == len(films.train)


@pytest.mark.parametrize(
    ("approach", "calibrated_on"),
    [
        (ZeroShot(), 12),
        (FewShot(4, random_state=0), 8),
        (FewShot(2, nearest=True, random_state=0), 12),
        (Retrieval(1, documents=["A good film.", "A bad film."]), 12),
    ],
    ids=["zero-shot", "few-shot", "few-shot, nearest", "retrieval"],
)
def test_calibration_is_the_default_and_takes_off_the_bias_of_the_prompt(films, approach, calibrated_on):
    part = films.train[:12]
    assert approach.calibrate
    approach = clone(approach).set_params(prompt=Prompt("", SENTIMENT.choices))
    calibrated, plain = (clone(approach).set_params(calibrate=one) for one in (True, False))
    for one in (calibrated, plain):
        one.fit(part["input"], part["output"])
    assert plain.bias_ is None
    assert calibrated.bias_.shape == (2,)
    shift = plain.decision_function(part["input"]) - calibrated.decision_function(part["input"])
    np.testing.assert_allclose(shift, shift[0], atol=1e-4)  # the same for every input
    is_drawn = isinstance(approach, FewShot) and not approach.nearest
    shown = {text for text, _ in calibrated.examples_} if is_drawn else set()
    others = [text for text in part["input"] if text not in shown]
    assert len(others) == calibrated_on
    bias = np.log(plain.predict_proba(others).mean(axis=0))
    np.testing.assert_allclose(calibrated.bias_, bias, atol=1e-4)
    np.testing.assert_allclose(shift[0], bias[1] - bias[0], atol=1e-4)
    assert abs(shift[0]) > 0.01  # there is something to take off


def test_calibration_uses_no_answers_and_at_most_so_many_inputs(films, monkeypatch):
    part, asked = films.train[:12], []
    monkeypatch.setattr(approaches, "CALIBRATION_INPUTS", 5)

    def noted(model, prompts, choices):
        asked.append(len(prompts))
        return score_choices(model, prompts, choices)

    score_choices = approaches.score_choices
    monkeypatch.setattr(approaches, "score_choices", noted)
    turned = [{"positive": "negative", "negative": "positive"}[answer] for answer in part["output"]]
    one, other = (ZeroShot(prompt=SENTIMENT).fit(part["input"], answers) for answers in (part["output"], turned))
    assert asked == [5, 5]
    assert (one.bias_ == other.bias_).all()
    assert not hasattr(ZeroShot(prompt=SENTIMENT), "bias_")  # without fit nothing is taken off
    raw, fitted = (way.decision_function(part["input"][:2]) for way in (ZeroShot(prompt=SENTIMENT), one))
    np.testing.assert_allclose(raw - fitted, one.bias_[1] - one.bias_[0], atol=1e-4)


def test_without_choices_there_is_nothing_to_score_and_nothing_to_calibrate(pottery):
    part = pottery.train[:4]
    asked = ZeroShot(prompt=pottery.prompt)
    for ask in ("decision_function", "predict_proba"):
        assert not hasattr(asked, ask)
        with pytest.raises(AttributeError, match="has no attribute") as raised:
            getattr(asked, ask)
        assert "no choices to score" in str(raised.value.__cause__)
    for approach in (ZeroShot(), FewShot(2, random_state=0), Retrieval(documents=pottery.documents)):
        answers = [
            clone(approach)
            .set_params(prompt=pottery.prompt, calibrate=calibrate)
            .fit(part["input"], part["output"])
            .predict(pottery.test["input"][:2])
            .tolist()
            for calibrate in (True, False)
        ]
        assert answers[0] == answers[1]
        assert clone(approach).set_params(prompt=pottery.prompt).fit(part["input"], part["output"]).bias_ is None


# Each input sees the examples that are nearest to it


def shown_to(approach, X, monkeypatch):
    """The examples that each input's prompt shows, in their order."""
    given = []
    monkeypatch.setattr(type(approach), "_encode", lambda self, examples, question: given.append(list(examples)))
    approach.encode_prompts(X)
    return given


def test_each_input_is_shown_its_nearest_examples_the_nearest_last_and_never_itself(films, monkeypatch):
    inputs, answers = list(films.train["input"]), list(films.train["output"])
    answer_of = dict(zip(inputs, answers, strict=True))
    approach = FewShot(4, nearest=True, calibrate=False, prompt=SENTIMENT, random_state=0).fit(inputs, answers)
    assert approach.name == "few-shot, nearest"
    assert FewShot(4).name == "few-shot"
    assert approach.examples_ == list(zip(inputs, answers, strict=True))
    vectors = dict(zip(inputs, Embeddings().transform(inputs), strict=True))
    others = list(films.test["input"][:10])
    asked = [*inputs, *others]
    vectors |= dict(zip(others, Embeddings().transform(others), strict=True))
    shown = shown_to(approach, asked, monkeypatch)
    assert len({tuple(examples) for examples in shown}) > 20  # not the same ones for all
    for text, examples in zip(asked, shown, strict=True):
        assert len(examples) == 4
        assert all(answer == answer_of[example] for example, answer in examples)
        assert text not in [example for example, _ in examples]
        likeness = [vectors[text] @ vectors[example] for example, _ in examples]
        assert (np.diff(likeness) > -1e-5).all()  # the nearest last
        left_out = set(inputs) - {text} - {example for example, _ in examples}
        assert max(vectors[text] @ vectors[one] for one in left_out) <= likeness[0] + 1e-5


def test_fewer_examples_than_are_to_be_shown_are_all_shown_and_drawn_ones_are_the_same_for_all(films, monkeypatch):
    part = films.train[:3]
    settings = {"calibrate": False, "prompt": SENTIMENT, "random_state": 0}
    nearest, drawn = (FewShot(8, nearest, **settings).fit(part["input"], part["output"]) for nearest in (True, False))
    (examples,) = shown_to(nearest, films.test["input"][:1], monkeypatch)
    assert sorted(examples) == sorted(nearest.examples_)
    assert [len(examples) for examples in shown_to(nearest, part["input"], monkeypatch)] == [2, 2, 2]
    assert shown_to(drawn, films.test["input"][:2], monkeypatch) == [drawn.examples_] * 2
    assert shown_to(nearest, [], monkeypatch) == []


def test_nearest_examples_are_read_by_the_model(films):
    part = films.train[:12]
    nearest = FewShot(2, nearest=True, prompt=SENTIMENT, random_state=0).fit(part["input"], part["output"])
    text = films.test["input"][0]
    (tokens,) = nearest.encode_prompts([text])
    read = nearest._model.tokenizer.decode(tokens, clean_up_tokenization_spaces=False)
    examples = nearest._examples_for([text])[0]
    places = [read.index(one.strip()) for one in (*(example for example, _ in examples), text)]
    assert len(examples) == 2
    assert places == sorted(places)
    assert set(nearest.predict(films.test["input"][:4])) <= set(SENTIMENT.choices)


def test_choices_are_named_unless_the_instruction_names_them_as_words():
    assert Prompt("Positive or negative?", ("negative", "positive")).with_choices_named() == "Positive or negative?"
    assert Prompt("Which label is best?", ("A", "B")).with_choices_named().endswith("Answer with one of: A, B.")
    assert Prompt("Rate from 0 to 10.", ("0", "1")).with_choices_named().endswith("Answer with one of: 0, 1.")


def test_retrieval_finds_the_fact_and_says_when_there_is_nothing_to_search(pottery):
    approach = Retrieval(documents=pottery.documents).fit([], [])
    found = approach.search(["Glirarium?"])[0]
    assert len(found) == 3
    assert "glirarium" in found[0]
    with pytest.raises(ValueError, match="no documents to search"):
        Retrieval().fit([], [])


@pytest.mark.parametrize("search_by", ["bm25", "embeddings"])
def test_retrieval_gives_as_many_documents_as_there_are_the_best_first(search_by):
    documents = ["The lamp is broken.", "Parcels travel by ship.", "Vouchers are valid for a year."]
    found = Retrieval(k=9, search_by=search_by, documents=documents).fit([], []).search(["Parcels?", "A broken lamp"])
    assert [texts[0] for texts in found] == [documents[1], documents[0]]
    assert all(sorted(texts) == sorted(documents) for texts in found)
    two = Retrieval(k=2, search_by=search_by, documents=documents).fit([], [])
    assert [len(texts) for texts in two.search(["Parcels?"])] == [2]


def test_retrieval_by_meaning_finds_what_shares_no_word(pottery):
    documents = ["Parcels travel by ship.", "Vouchers are valid for a year.", "The lamp is made of brass."]
    by_meaning = Retrieval(k=1, search_by="embeddings", documents=documents).fit([], [])
    assert by_meaning.search(["How long can I use my gift card?"]) == [[documents[1]]]
    report = compare(
        pottery.sample(test=12),
        {"words": Retrieval(2, calibrate=False), "meaning": Retrieval(2, search_by="embeddings", calibrate=False)},
    )
    for name in ("words", "meaning"):
        assert 0 <= report.hit_rate(name) <= 1
    assert report.approaches["words"].search_by == "bm25"  # the default


@pytest.mark.parametrize("search_by", ["meaning", "BM25", None])
def test_another_way_to_search_is_refused_with_the_two_there_are(search_by):
    with pytest.raises(ValueError, match=r"cannot search by .*\. Give search_by='bm25' or 'embeddings'\."):
        Retrieval(search_by=search_by, documents=["a"]).fit([], [])


def test_the_wording_is_chosen_for_a_real_model_on_development_cases(films):
    asked = choose(ZeroShot(), films, prompt=films.prompts[:2])
    report = compare(films.sample(test=10), {"zero-shot": asked, "as it is": ZeroShot()})
    chosen = report.approaches["zero-shot"]
    assert chosen.best_params_["prompt"] in films.prompts[:2]
    assert len(chosen.cv_results_["params"]) == 2
    best = chosen.cv_results_["mean_test_score"].max()
    assert chosen.cv_results_["mean_test_score"][films.prompts.index(chosen.best_params_["prompt"])] == best
    assert report.table.fit_seconds["zero-shot"] > report.table.fit_seconds["as it is"]
    held_out = list(report.task.test["input"])
    prompts = ZeroShot(prompt=chosen.best_params_["prompt"]).encode_prompts(held_out)
    read = report.table["tokens_per_request"] - report.table["tokens_written"]
    assert read["zero-shot"] == np.mean(list(map(len, prompts)))
    assert report.table.trained_parameters["zero-shot"] == 0


def test_pottery_is_learned_and_the_report_says_so(pottery):
    # eight of the facts, each with its three training and its three held-out questions
    pottery = replace(pottery, train=pottery.train.select(range(24)), test=pottery.test.select(range(24)))
    report = compare(pottery, [ZeroShot(), FewShot(4), Retrieval(), FineTuned(epochs=16)])
    print(report)
    gain = report.difference("fine-tuned", "zero-shot")
    print(gain)
    assert gain.low > 0
    assert gain.p_value < 0.01
    assert report.difference("fine-tuned", "few-shot").low > 0
    assert "higher than zero-shot" in str(gain)

    assert list(report.table.index) == ["zero-shot", "few-shot", "retrieval", "fine-tuned"]
    assert list(report.table.columns) == [
        "score", "low", "high", "fit_seconds", "tokens_per_request", "tokens_written", "ms_per_request",
        "trained_parameters",
    ]  # fmt: skip
    assert (report.table["low"] <= report.table["score"]).all()
    assert (report.table["score"] <= report.table["high"]).all()
    tokens = report.table["tokens_per_request"]
    assert tokens["fine-tuned"] < tokens["zero-shot"] < tokens["few-shot"]
    assert len(report.predictions) == 4 * len(pottery.test)
    shares = report.predictions.groupby("approach")["score"].mean()
    pd.testing.assert_series_equal(shares, report.table["score"].sort_index(), check_names=False)
    for shown in (repr(report), report._repr_html_(), repr(report.plot())):
        assert all(name in shown for name in report.table.index)
    assert report.plot().png().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="no approach 'tuned'. It has: zero-shot"):
        report.difference("tuned", "zero-shot")


def test_an_approach_added_later_is_joined(films):
    words = make_pipeline(TfidfVectorizer(), LogisticRegression())
    unnamed = compare(films, [words]).table
    assert list(unnamed.index) == ["tfidf-vectorizer + logistic-regression"]
    assert unnamed["tokens_per_request"].tolist() == [0]
    same = DummyClassifier(strategy="most_frequent")
    apart = compare(films, {"words": words}).join(compare(films, {"same": same}))
    together = compare(films, {"words": words, "same": same})
    measured = ["score", "low", "high", "tokens_per_request", "trained_parameters"]
    pd.testing.assert_frame_equal(apart.table[measured], together.table[measured])
    pd.testing.assert_frame_equal(apart.predictions, together.predictions)
    assert str(apart.difference("words", "same")) == str(together.difference("words", "same"))
    with pytest.raises(ValueError, match="Both reports have 'same'"):
        apart.join(compare(films, {"same": same}))
    with pytest.raises(ValueError, match="different held-out cases"):
        apart.join(compare(load_task("privacy-clauses"), {"other": same}))


@pytest.fixture(scope="module")
def frozen(tuned, pottery):
    """What a model that was tuned before and two of a kind give on twelve questions."""
    return compare(
        replace(pottery, test=pottery.test.select(range(12))), [FrozenEstimator(tuned), Retrieval(1), Retrieval(2)]
    )


def test_fitted_approaches_and_several_of_a_kind(tuned, frozen):
    report = frozen
    assert list(report.table.index) == ["fine-tuned", "retrieval", "retrieval(k=2)"]
    assert report.approaches["fine-tuned"] is tuned
    assert report.table.fit_seconds["fine-tuned"] == tuned.fit_seconds_
    alone = tuned.predict(report.task.test["input"])
    assert report.predictions_of("fine-tuned") == alone.tolist()
    assert report.hit_rate("retrieval") <= report.hit_rate("retrieval(k=2)") <= 1
    with pytest.raises(ValueError, match="does not search, so it has no hit rate"):
        report.hit_rate("fine-tuned")


def test_what_a_frozen_approach_writes_is_paid_for(frozen):
    assert frozen.cost_per_1000(price_read=0, price_written=1000)["price"]["fine-tuned"] > 0


def test_pictures_of_an_odd_number_of_tasks_and_of_a_guess_that_took_no_part(frozen):
    picture = side_by_side(dict.fromkeys(("one", "two", "three"), frozen.table), "An odd number")
    assert picture.png().startswith(b"\x89PNG")
    assert "You predicted word counts as the best; " in str(guess_and_result(frozen.table, "word counts"))


def test_a_pipeline_is_filled_in_and_counted_and_so_is_one_that_ends_in_a_frozen_approach(tuned, pottery):
    task = replace(pottery, test=pottery.test.select(range(4)))

    def shortened(texts):
        return [text[:20] for text in texts]

    steps = {"asked": ZeroShot(), "trained": FrozenEstimator(tuned)}
    report = compare(task, {name: make_pipeline(FunctionTransformer(shortened), one) for name, one in steps.items()})
    short = shortened(task.test["input"])
    assert report.predictions_of("asked") == ZeroShot(prompt=task.prompt).predict(short).tolist()
    assert report.predictions_of("trained") == tuned.predict(short).tolist()
    read = report.table["tokens_per_request"] - report.table["tokens_written"]
    assert read["asked"] == np.mean([len(prompt) for prompt in ZeroShot(prompt=task.prompt).encode_prompts(short)])
    assert read["trained"] == np.mean([len(prompt) for prompt in tuned.encode_prompts(short)])
    assert report.table.fit_seconds["trained"] == tuned.fit_seconds_
    assert report.table.trained_parameters["trained"] == tuned.trained_parameters_


def test_an_adapter_is_loaded_with_the_prompt_that_it_was_trained_for(tmp_path):
    notices = load_task("town-notices")
    part = notices.train[:6]
    tuned = FineTuned(layers=1, epochs=1, random_state=0).fit(part["input"], part["output"])
    tuned.save(tmp_path)
    with pytest.raises(ValueError, match=r"Give the prompt of its training: FineTuned\(prompt="):
        FineTuned().load(tmp_path)
    loaded = FineTuned(prompt=Prompt(choices=tuple(tuned.classes_))).load(tmp_path)
    assert loaded.classes_.tolist() == tuned.classes_.tolist()
    np.testing.assert_allclose(loaded.predict_proba(part["input"]), tuned.predict_proba(part["input"]), atol=1e-4)
    tuned.set_params(prompt=loaded.prompt).load(tmp_path)
    assert not hasattr(tuned, "losses_")  # of the training before
    assert not hasattr(tuned, "steps_")
