"""`choose`: settings are picked by development cases alone, its time counts, and `compare` treats it as any other.

No language model is asked here; test_approaches.py chooses among wordings for a real one.
"""

import time
from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from course_lib import Task, compare, load_task
from course_lib.llm.model import LanguageModel
from course_lib.metrics import answer_found
from course_lib.selection import choose


class Says(BaseEstimator):
    """Always gives the same answer, and writes down every input that it is shown."""

    seen: list = []  # noqa: RUF012 - of all clones together

    def __init__(self, answer="a", pause=0.0, prompt=None, documents=None, model=None, random_state=None):
        self.answer = answer
        self.pause = pause
        self.prompt = prompt
        self.documents = documents
        self.model = model
        self.random_state = random_state

    def fit(self, X, y):
        assert len(X) == len(y)
        self.seen.append(("fit", list(X)))
        time.sleep(self.pause)
        self.trained_parameters_ = {"a": 1, "b": 2}.get(self.answer, 3)
        return self

    def predict(self, X):
        self.seen.append(("predict", list(X)))
        return np.array([self.answer] * len(X))


class KnowsOneWording(Says):
    """Right where it is asked in one way."""

    def predict(self, X):
        self.answer = "b" if self.prompt.instruction == "Third?" else "a"
        return super().predict(X)


MODEL = LanguageModel("none", None, None)  # nothing is ever asked of it


@pytest.fixture(autouse=True)
def nothing_seen():
    Says.seen.clear()


@pytest.fixture
def task():
    """Of the training examples three in four are b, of the held-out cases none: who peeped would choose a."""
    train = [(f"text {n}", "b" if n % 4 else "a", f"group {n // 2}") for n in range(40)]
    return Task.from_examples(
        "letters",
        "First?",
        train,
        [(f"other {n}", "a", "held out") for n in range(10)],
        choices=("a", "b"),
        documents=["a document"],
        wordings=("Second?", "Third?", "Fourth?"),
        group="pair",
    )


def test_settings_are_chosen_by_development_cases_alone(task):
    report = compare(task, {"says": choose(Says(), task, answer=["a", "b"])}, MODEL)
    assert report.approaches["says"].best_params_ == {"answer": "b"}
    assert report.table.loc["says", "score"] == 0
    inputs = np.array(task.train["input"])
    tried, development = (inputs[places].tolist() for places in task.development_split())
    once = [("fit", tried), ("predict", development)]
    held_out = list(task.test["input"])
    assert Says.seen == [*once, *once, ("fit", inputs.tolist()), ("predict", held_out)]
    groups = dict(zip(task.train["input"], task.train["group"], strict=True))
    assert not {groups[text] for text in tried} & {groups[text] for text in development}


@pytest.mark.parametrize("name", ["help-topics", "pottery-finds", "town-facts", "databases"])
def test_no_held_out_input_of_a_built_in_task_is_ever_seen_while_choosing(name):
    task = load_task(name)
    search = choose(Says(prompt=task.prompt), task, answer=["a", "b", "c"])
    search.fit(list(task.train["input"]), list(task.train["output"]))
    assert len(Says.seen) == 3 * 2 + 1
    assert {text for _, texts in Says.seen for text in texts} == set(task.train["input"])
    assert not {text for _, texts in Says.seen for text in texts} & set(task.test["input"])


def test_the_time_of_choosing_counts_as_time_to_fit(task):
    slow = Says(pause=0.05)
    report = compare(task, {"alone": slow, "chosen": choose(slow, task, answer=["a", "b", "c"])}, MODEL)
    assert report.table.fit_seconds["alone"] >= 0.05
    assert report.table.fit_seconds["chosen"] >= 4 * 0.05  # three that were tried, and the best again
    assert report.table.ms_per_request["chosen"] < 50


def test_what_is_none_is_set_inside_a_search_and_inside_a_pipeline_in_it(task):
    shortened = make_pipeline(FunctionTransformer(lambda texts: [text[:6] for text in texts]), Says())
    searches = {
        "search": choose(Says(), task, answer=["a", "b"]),
        "pipeline": choose(shortened, task, says__answer=["a", "b"]),
    }
    report = compare(task, searches, MODEL, seed=7)
    best = report.approaches["search"].best_estimator_
    for inner in (best, report.approaches["pipeline"].best_estimator_[-1]):
        assert (inner.prompt, inner.documents, inner.random_state) == (task.prompt, task.documents, 7)
        assert inner.model is MODEL
        assert inner.answer == "b"
    assert report.approaches["pipeline"].best_params_ == {"says__answer": "b"}
    assert report.table.trained_parameters.tolist() == [2, 2]  # of what was chosen
    given = compare(task, {"search": choose(Says(random_state=3), task, answer=["b"])}, MODEL, seed=7)
    assert given.approaches["search"].best_estimator_.random_state == 3


def test_without_settings_the_best_wording_is_chosen(task):
    report = compare(task, [choose(KnowsOneWording(), task)], MODEL)
    assert list(report.table.index) == ["knows-one-wording, chosen"]
    chosen = report.approaches["knows-one-wording, chosen"]
    assert chosen.best_params_ == {"prompt": task.prompts[2]}
    assert chosen.best_params_["prompt"].instruction == "Third?"
    assert len(chosen.cv_results_["params"]) == len(task.prompts) == 4


def test_of_equals_the_first_is_taken_and_every_combination_is_tried(task):
    search = choose(Says(), task, answer=["b", "a"], random_state=[5, 4, 3])
    search.fit(list(task.train["input"]), list(task.train["output"]))
    assert search.best_params_ == {"answer": "b", "random_state": 5}
    assert len(search.cv_results_["params"]) == 6


def test_it_is_chosen_by_the_metric_of_the_task(task):
    free = replace(task, prompt=replace(task.prompt, choices=None), metric=answer_found)
    search = choose(Says(), free, answer=["a", "It is b, I think."])
    search.fit(list(task.train["input"]), list(task.train["output"]))
    assert search.best_params_ == {"answer": "It is b, I think."}  # no answer equals it, three in four are found in it
    is_b = np.array(task.train["output"])[task.development_split()[1]] == "b"
    assert search.best_score_ == pytest.approx(is_b.mean())


def test_a_mistake_in_an_approach_is_not_swallowed(task):
    class Fails(Says):
        def fit(self, X, y):
            raise ValueError("out of tea")

    with pytest.raises(ValueError, match="out of tea"):
        compare(task, {"fails": choose(Fails(), task, answer=["a", "b"])}, MODEL)
