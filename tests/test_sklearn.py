"""The four approaches keep scikit-learn's contract: its own checks, and its tools with their defaults."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.metrics import f1_score, make_scorer
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score, learning_curve
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.validation import check_is_fitted, validate_data
from transformers import AutoModelForCausalLM, LlamaConfig

from course_lib import FewShot, FineTuned, Prompt, Retrieval, ZeroShot, load_model

DOCUMENTS = ["Rain is water.", "A goal decides the match."]
TEXTS = [
    f"{topic} {number}" for number in range(6) for topic in ("rain and snow", "a goal in the cup", "soup and bread")
]
TOPICS = ["weather", "sport", "food"] * 6
APPROACHES = {
    "zero-shot": ZeroShot(),
    "few-shot": FewShot(shots=3),
    "retrieval": Retrieval(documents=DOCUMENTS),
    "fine-tuned": FineTuned(layers=1, epochs=1),
}


@pytest.fixture(scope="module")
def tiny(model, tmp_path_factory):
    """A model with two small untrained layers: scikit-learn's checks ask what an approach does, not how well."""
    folder = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2, "num_key_value_heads": 1}
    config = LlamaConfig(**sizes, num_hidden_layers=2, vocab_size=len(model.tokenizer))
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    model.tokenizer.save_pretrained(folder)
    return load_model(str(folder))


@pytest.fixture(params=APPROACHES, scope="module")
def approach(request, tiny):
    return clone(APPROACHES[request.param]).set_params(model=tiny)


class OfNumbers:
    """An approach that reads rows of numbers as texts: most of scikit-learn's checks have nothing else to give."""

    def fit(self, X, y):
        X, y = validate_data(self, X, y)
        return super().fit(self._texts(X), y)

    def predict(self, X):
        return super().predict(self._read_rows(X))

    def decision_function(self, X):
        return super().decision_function(self._read_rows(X))

    def predict_proba(self, X):
        return super().predict_proba(self._read_rows(X))

    def _read_rows(self, X):
        check_is_fitted(self)
        return self._texts(validate_data(self, X, reset=False))

    @staticmethod
    def _texts(rows):
        return [" ".join(f"{number:.2g}" for number in row) for row in rows]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array, tags.input_tags.string, tags.input_tags.two_d_array = False, False, True
        tags.classifier_tags.poor_score = True  # two untrained layers
        return tags


class ZeroShotOfNumbers(OfNumbers, ZeroShot):
    pass


class FewShotOfNumbers(OfNumbers, FewShot):
    pass


class RetrievalOfNumbers(OfNumbers, Retrieval):
    pass


class FineTunedOfNumbers(OfNumbers, FineTuned):
    pass


OF_NUMBERS = {kind.__bases__[1]: kind for kind in OfNumbers.__subclasses__()}

# What does not apply, and why.
ROUNDING = {
    "check_methods_subset_invariance": "Asked for 1e-7; in another batch, a float32 product rounds otherwise by 1e-6.",
}
PICKLE = {
    "check_estimators_pickle": "An adapter is kept by save(folder): a pickle would lose it, and raises TypeError."
}


def test_scikit_learns_checks_of_a_classifier_pass(approach):
    of_numbers = OF_NUMBERS[type(approach)](**approach.get_params(deep=False))
    exempt = ROUNDING | (PICKLE if isinstance(approach, FineTuned) else {})
    results = check_estimator(of_numbers, expected_failed_checks=exempt, on_fail=None, on_skip=None)
    failed = {one["check_name"]: one["exception"] for one in results if one["status"] == "failed"}
    assert failed == {}
    assert sum(one["status"] == "passed" for one in results) >= 40


@pytest.mark.filterwarnings("ignore:Can't test estimator:sklearn.exceptions.SkipTestWarning")
def test_as_it_is_it_says_that_it_reads_texts_and_is_a_classifier_of_choices(approach):
    assert [one["status"] for one in check_estimator(approach, on_fail="raise", on_skip=None)] == ["passed"]
    tags = get_tags(approach)
    assert (tags.input_tags.string, tags.input_tags.two_d_array, tags.target_tags.required) == (True, False, True)
    assert is_classifier(approach)
    assert is_classifier(clone(approach).set_params(prompt=Prompt("Which topic?", ("food", "sport"))))
    assert not is_classifier(clone(approach).set_params(prompt=Prompt("Answer in a few words.")))


def test_classes_scores_and_probabilities_agree(approach):
    fitted = clone(approach).fit(pd.Series(TEXTS), np.array(TOPICS))
    assert fitted.classes_.tolist() == ["food", "sport", "weather"]
    scores, probabilities = fitted.decision_function(np.array(TEXTS)), fitted.predict_proba(TEXTS)
    assert isinstance(scores, np.ndarray)
    assert scores.shape == probabilities.shape == (18, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    predicted = fitted.predict(TEXTS)
    assert isinstance(predicted, np.ndarray)
    assert (predicted == fitted.classes_[scores.argmax(axis=1)]).all()
    assert fitted.score(TEXTS, TOPICS) == (predicted == np.array(TOPICS)).mean()
    two = clone(approach).fit(TEXTS[:2], ["b", "a"])
    assert (two.predict(TEXTS) == two.classes_[(two.decision_function(TEXTS) > 0).astype(int)]).all()


def test_labels_may_be_numbers(approach):
    numbers = [{"weather": 7, "sport": 3, "food": 5}[topic] for topic in TOPICS]
    fitted = clone(approach).fit(TEXTS, numbers)
    assert fitted.classes_.tolist() == [3, 5, 7]
    assert fitted.predict(TEXTS).dtype == fitted.classes_.dtype


@pytest.mark.parametrize(
    "prompt", [None, Prompt("Which topic?", ("weather", "sport", "food"))], ids=["no prompt", "prompt"]
)
def test_scikit_learns_tools_work(approach, prompt):
    approach = clone(approach).set_params(prompt=prompt)
    X, y = np.array(TEXTS), np.array(TOPICS)
    scores = cross_val_score(approach, X, y, cv=3, error_score="raise")
    assert scores.shape == (3,)
    macro = make_scorer(f1_score, average="macro", zero_division=0)
    assert np.isfinite(cross_val_score(approach, TEXTS, TOPICS, cv=3, scoring=macro, error_score="raise")).all()
    decided = cross_val_predict(approach, X, y, cv=3, method="decision_function")
    assert decided.shape == (18, 3)
    assert np.isfinite(decided).all()
    assert cross_val_predict(approach, X, y, cv=3, method="predict_proba").shape == (18, 3)
    assert set(cross_val_predict(approach, X, y, cv=3)) <= set(TOPICS)
    sizes, _, held_out = learning_curve(approach, X, y, cv=3, train_sizes=[6, 12], error_score="raise")
    assert (list(sizes), held_out.shape) == ([6, 12], (2, 3))


def test_settings_are_searched_and_pipelines_work(approach):
    prompts = [Prompt("Which topic?", ("food", "sport", "weather")), Prompt("Topic:", ("food", "sport", "weather"))]
    settings = {
        ZeroShot: {"prompt": prompts, "calibrate": [True, False]},
        FewShot: {"shots": [1, 2], "nearest": [False, True]},
        Retrieval: {"k": [1, 2], "search_by": ["bm25", "embeddings"]},
        FineTuned: {"rank": [1, 2]},
    }[type(approach)]
    search = GridSearchCV(approach, settings, cv=3, error_score="raise").fit(TEXTS, TOPICS)
    assert search.best_params_.keys() == settings.keys()
    assert search.predict(TEXTS).shape == (18,)
    pipeline = make_pipeline(FunctionTransformer(lambda texts: [text.upper() for text in texts]), approach)
    shouted = clone(approach).set_params(**({"random_state": 0} if "random_state" in approach.get_params() else {}))
    pipeline.set_params(**{f"{pipeline.steps[-1][0]}": shouted})
    upper = [text.upper() for text in TEXTS]
    assert (pipeline.fit(TEXTS, TOPICS).predict(TEXTS) == clone(shouted).fit(upper, TOPICS).predict(upper)).all()
    assert pipeline.score(TEXTS, TOPICS) == clone(shouted).fit(upper, TOPICS).score(upper, TOPICS)


def test_the_defaults_are_calibrated_prompts_and_a_training_that_chooses_its_steps(tiny):
    for asked in (ZeroShot(), FewShot(), Retrieval()):
        assert asked.calibrate
    assert not FewShot().nearest
    assert Retrieval().search_by == "bm25"
    assert FineTuned().epochs is None
    tuned = FineTuned(layers=1, model=tiny, random_state=0)
    assert cross_val_score(tuned, TEXTS, TOPICS, cv=3, error_score="raise").shape == (3,)
    tuned.fit(TEXTS, TOPICS)
    assert len(tuned.losses_) == tuned.steps_ == 2 * tuned.history_["share"].index[best_of(tuned.history_)]
    assert tuned.set_params(layers=2).fit(TEXTS, TOPICS).predict(TEXTS).shape == (18,)


def best_of(history):
    epochs = [(row.share, -row.loss) for row in history.itertuples()]
    return epochs.index(max(epochs))


def test_the_nearest_examples_keep_the_contract_too(tiny):
    nearest = FewShot(2, nearest=True, model=tiny, random_state=0)
    assert repr(clone(nearest).set_params(model=None)) == "FewShot(nearest=True, random_state=0, shots=2)"
    fitted = clone(nearest).fit(pd.Series(TEXTS), np.array(TOPICS))
    assert fitted.predict_proba(TEXTS).shape == (18, 3)
    assert cross_val_predict(nearest, TEXTS, TOPICS, cv=3, method="decision_function").shape == (18, 3)
    with pytest.raises(NotFittedError):
        clone(nearest).predict(["x"])


@pytest.mark.parametrize("drawing", [FewShot(2), FineTuned(layers=1, epochs=1)])
def test_random_state_is_an_int_a_random_state_or_none_and_nothing_global(drawing, tiny):
    drawing.set_params(model=tiny)

    def drawn(random_state):
        fitted = clone(drawing).set_params(random_state=random_state).fit(TEXTS, TOPICS)
        return fitted.examples_ if isinstance(fitted, FewShot) else fitted.losses_

    assert drawn(0) == drawn(0) != drawn(1)
    assert drawn(np.random.RandomState(3)) == drawn(np.random.RandomState(3))
    source = np.random.RandomState(3)
    assert drawn(source) != drawn(source)  # a source of chance goes on
    before = np.random.get_state()[1].copy(), torch.get_rng_state()
    fresh = []
    for _ in range(8):
        np.random.seed(0)
        fresh.append(drawn(None))
    assert any(one != fresh[0] for one in fresh)  # None is a fresh draw, whatever the global state; some may agree
    np.random.seed(0)
    expected = np.random.get_state()[1].copy()
    drawn(0)
    drawn(None)
    assert (np.random.get_state()[1] == expected).all()
    assert torch.equal(torch.get_rng_state(), before[1])


def test_before_fit_it_refuses_as_usual(approach):
    with pytest.raises(NotFittedError):
        clone(approach).predict(["x"])


def test_a_prompt_is_enough_for_zero_shot(tiny):
    asked = ZeroShot(prompt=Prompt("Which topic?", ("food", "sport")), model=tiny)
    assert not get_tags(asked).requires_fit
    assert asked.predict(TEXTS[:2]).shape == (2,)


@pytest.mark.parametrize(
    ("X", "y", "said"),
    [
        ("one text", ["a"], r"X is a single text\. Give a list of texts"),
        ([["a"], ["b"]], ["a", "b"], r"X\[0\] is of type list, and an approach reads texts"),
        (["a", None], ["a", "b"], r"X\[1\] is of type NoneType"),
        (["a", "b"], None, "requires y to be passed, but the target y is None"),
        (["a", "b"], ["a"], "inconsistent numbers of samples"),
    ],
)
def test_what_cannot_be_read_is_said_in_a_sentence(approach, X, y, said):
    with pytest.raises(ValueError, match=said):
        clone(approach).fit(X, y)


def test_numbers_that_may_be_choices_or_their_places_are_refused(tiny):
    """cross_val_predict numbers texts in their sorted order, in which "10" comes before "2"."""
    grades = [str(number) for number in range(11)] * 3
    texts = [f"grade {grade}" for grade in grades]
    asked = ZeroShot(prompt=Prompt("Which grade?", tuple(grades[:11])), model=tiny)
    assert set(cross_val_predict(asked, texts, grades, cv=3)) <= set(grades)
    with pytest.raises(ValueError, match="the choices themselves or their places"):
        cross_val_predict(asked, texts, grades, cv=3, method="decision_function")
    digits = [grade.zfill(2) for grade in grades]
    padded = ZeroShot(prompt=Prompt("Which grade?", tuple(digits[:11])), model=tiny)
    assert cross_val_predict(padded, texts, digits, cv=3, method="decision_function").shape == (33, 11)
