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

from course_lib import FewShot, FineTuned, Prompt, Retrieval, ZeroShot, compare, load_task
from course_lib.plots import guess_and_result, side_by_side

SENTIMENT = Prompt("Is this film review positive or negative?", ("negative", "positive"))


@pytest.fixture(scope="module")
def reviews():
    return load_task("movie-reviews")


@pytest.mark.parametrize("approach", [ZeroShot(), FewShot(4), Retrieval(documents=["a"]), FineTuned(rank=4)])
def test_clone_keeps_parameters_and_nothing_else(approach, model):
    approach.set_params(model=model, prompt=SENTIMENT)
    copied = clone(approach)
    assert copied is not approach
    assert copied.get_params() == approach.get_params()
    assert copied.model is model
    assert repr(clone(FewShot(shots=4))) == "FewShot(shots=4)"


def test_few_shot_draws_evenly_over_the_choices(reviews):
    approach = FewShot(6, prompt=SENTIMENT, random_state=1).fit(reviews.train["input"], reviews.train["output"])
    assert sorted(answer for _, answer in approach.examples_) == ["negative"] * 3 + ["positive"] * 3
    other = FewShot(6, prompt=SENTIMENT, random_state=2).fit(reviews.train["input"], reviews.train["output"])
    assert other.examples_ != approach.examples_
    assert len(FewShot(500).fit(reviews.train["input"], reviews.train["output"]).examples_) == len(reviews.train)


def test_calibration_takes_off_the_bias_of_the_prompt(reviews):
    part, prompt = reviews.train[:12], Prompt("", SENTIMENT.choices)
    few = [FewShot(4, calibrate, prompt, random_state=0) for calibrate in (False, True)]
    plain, calibrated = (one.fit(part["input"], part["output"]) for one in few)
    shift = plain.decision_function(part["input"]) - calibrated.decision_function(part["input"])
    np.testing.assert_allclose(shift, shift[0], atol=1e-5)  # the same for every input
    shown = {text for text, _ in calibrated.examples_}
    others = [text for text in part["input"] if text not in shown]
    assert len(others) == 8
    bias = np.log(plain.predict_proba(others).mean(axis=0))
    np.testing.assert_allclose(shift[0], bias[1] - bias[0], atol=1e-5)
    assert abs(shift[0]) > 0.1  # there is something to take off


def test_without_choices_there_is_nothing_to_calibrate(pottery):
    part = pottery.train[:4]
    asked = ZeroShot(prompt=pottery.prompt)
    for ask in ("decision_function", "predict_proba"):
        assert not hasattr(asked, ask)
        with pytest.raises(AttributeError, match="has no attribute") as raised:
            getattr(asked, ask)
        assert "no choices to score or to calibrate" in str(raised.value.__cause__)
    with pytest.raises(AttributeError, match="no choices to score or to calibrate"):
        FewShot(2, calibrate=True, prompt=pottery.prompt).fit(part["input"], part["output"])


def test_choices_are_named_unless_the_instruction_names_them_as_words():
    assert Prompt("Positive or negative?", ("negative", "positive")).with_choices_named() == "Positive or negative?"
    assert Prompt("Which label is best?", ("A", "B")).with_choices_named().endswith("Answer with one of: A, B.")
    assert Prompt("Rate from 0 to 10.", ("0", "1")).with_choices_named().endswith("Answer with one of: 0, 1.")


def test_retrieval_finds_the_fact_and_says_when_there_is_nothing_to_search(pottery):
    approach = Retrieval(documents=pottery.documents).fit([], [])
    found = approach.search(["Glirarium?"])[0]
    assert len(found) == 3
    assert "glirarium" in found[0]
    assert len(Retrieval(k=9, documents=["one", "two"]).fit([], []).search(["two"])[0]) == 2
    with pytest.raises(ValueError, match="no documents to search"):
        Retrieval().fit([], [])


def test_pottery_is_learned_and_the_report_says_so(pottery):
    pottery = replace(pottery, test=pottery.test.select(range(0, 48, 2)))
    report = compare(pottery, [ZeroShot(), FewShot(4), Retrieval(), FineTuned()])
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


def test_an_approach_added_later_is_joined(reviews):
    words = make_pipeline(TfidfVectorizer(), LogisticRegression())
    unnamed = compare(reviews, [words]).table
    assert list(unnamed.index) == ["tfidf-vectorizer + logistic-regression"]
    assert unnamed["tokens_per_request"].tolist() == [0]
    same = DummyClassifier(strategy="most_frequent")
    apart = compare(reviews, {"words": words}).join(compare(reviews, {"same": same}))
    together = compare(reviews, {"words": words, "same": same})
    measured = ["score", "low", "high", "tokens_per_request", "trained_parameters"]
    pd.testing.assert_frame_equal(apart.table[measured], together.table[measured])
    pd.testing.assert_frame_equal(apart.predictions, together.predictions)
    assert str(apart.difference("words", "same")) == str(together.difference("words", "same"))
    with pytest.raises(ValueError, match="Both reports have 'same'"):
        apart.join(compare(reviews, {"same": same}))
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
