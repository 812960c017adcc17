"""Four ways to adapt a language model, as scikit-learn estimators. They differ in what `fit` does.

| approach   | what `fit` does            | what each prompt contains                   |
|------------|----------------------------|---------------------------------------------|
| ZeroShot   | notes the classes          | instruction + input                         |
| FewShot    | draws or indexes examples  | instruction + examples + input              |
| Retrieval  | indexes documents          | instruction + found passages + input        |
| FineTuned  | trains added matrices      | the instruction without its choices + input |

`X` and `y` are lists, arrays or columns: X of texts, y of labels or answers. `prompt` says what the model is asked. If
it has choices, the approach is a classifier of them, with `classes_`, `decision_function` and `predict_proba`; if not,
the model writes its answers. If `prompt` is None, the approach is a classifier of the labels in y, and the instruction
only names them. `model` is a name for `load_model`, a loaded model, or None for the course's own. `random_state` is an
int, a numpy RandomState, or None for a different draw each time. `compare` sets those of the four that are None.

The first three calibrate where the prompt has choices: `fit` measures the prompt's bias towards each choice, as the
logarithm of its mean probability over up to 32 training inputs (not those that are shown as examples, if there are
others), and subtracts it from the choice's score. The answers of these inputs are not used. Zhou et al. 2023, "Batch
Calibration", arXiv:2309.17249. With `calibrate=False` the scores are the model's own.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import bm25s
import numpy as np
import pandas as pd
from peft import PeftModel
from scipy.special import softmax
from sklearn.base import BaseEstimator
from sklearn.metrics import accuracy_score
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils import ClassifierTags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .labels import Labels, as_answers, as_texts, labels_of_prompt, read_labels
from .llm.chat import Tokens, conversation, encode, encode_answer, with_passages
from .llm.embeddings import Embeddings
from .llm.fast.layers import share_weights
from .llm.inference import generate, score_choices
from .llm.lora import adapted_network, read_adapter, weight_changes
from .llm.model import LanguageModel, load_model
from .llm.training import choose_steps, fine_tune
from .metrics import answer_found
from .tasks.prompt import Prompt
from .tasks.rows import input_key

RandomState = int | np.random.RandomState | None
CALIBRATION_INPUTS = 32
FEWEST_TO_CHOOSE_BY = 8  # examples


def _check_choices(approach: Approach) -> bool:
    """True; raises AttributeError where the answers are free text, as scikit-learn's `available_if` wants it."""
    if approach.prompt is not None and not approach.prompt.choices:
        raise AttributeError(
            "This prompt has no choices to score: the model writes its answers. Give it choices=(…), or ask with "
            "predict."
        )
    return True


class Approach(BaseEstimator):
    """What the four have in common: they turn inputs into prompts and let the model answer them."""

    name: str
    trained_parameters_ = 0  # FineTuned alone has some
    prompt: Prompt | None
    model: str | LanguageModel | None

    def fit(self, X: Sequence[str], y: Sequence[Any]) -> Approach:
        """Check the training data and note the classes; returns self. Most approaches do more."""
        self._check_data(X, y)
        return self

    def encode_prompts(self, X: Sequence[str]) -> list[Tokens]:
        """What the model reads for each input, as token ids."""
        raise NotImplementedError

    def predict(self, X: Sequence[str]) -> np.ndarray:
        """The answer to each input, shape (inputs,): the likeliest class, or the text that the model writes."""
        check_is_fitted(self)
        labels = self._labels
        if labels is not None:
            return labels.classes[self._scores(X).argmax(axis=1)]
        answers = generate(self._answering_model, self.encode_prompts(X), self._prompt.max_new_tokens)
        return np.array(answers, dtype=object)

    @available_if(_check_choices)
    def decision_function(self, X: Sequence[str]) -> np.ndarray:
        """The score of each class, shape (inputs, classes), columns as in `classes_`.

        It is the log-probability, in nats, of the class's word as the answer, calibrated where the approach calibrates.
        Of two classes it is the second's minus the first's, shape (inputs,), as in all of scikit-learn.
        """
        scores = self._scores(X)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    @available_if(_check_choices)
    def predict_proba(self, X: Sequence[str]) -> np.ndarray:
        """The probability of each class, assuming that the answer is one of them: shape (inputs, classes)."""
        return softmax(self._scores(X), axis=1)

    def score(self, X: Sequence[str], y: Sequence[Any]) -> float:
        """The share of right answers: equal to the true class, or, in free text, containing the true answer."""
        predicted = self.predict(X)
        return answer_found(list(y), predicted) if self._labels is None else accuracy_score(list(y), predicted)

    def _check_data(self, X: Sequence[str], y: Sequence[Any]) -> tuple[list[str], list[str]]:
        """Check training data and note the classes; returns the inputs and answers as texts."""
        texts = as_texts(X)
        self._note_labels(read_labels(self.prompt, texts, y))
        return texts, as_answers(self.labels_, y)

    def _note_labels(self, labels: Labels | None) -> None:
        self.labels_ = labels
        if labels is not None:
            self.classes_ = labels.classes

    def _scores(self, X: Sequence[str]) -> np.ndarray:
        """The log-probability of each class's word as the answer, shape (inputs, classes)."""
        check_is_fitted(self)
        labels = self._labels
        assert labels is not None
        return score_choices(self._answering_model, self.encode_prompts(X), labels.words).double().numpy()

    @property
    def _labels(self) -> Labels | None:
        """The labels that `fit` noted, or, before, those of the prompt; None where the answers are free text."""
        return self.labels_ if hasattr(self, "labels_") else labels_of_prompt(self._prompt)

    @property
    def _prompt(self) -> Prompt:
        """The prompt that was given, or else one that consists of the labels."""
        if self.prompt is not None:
            return self.prompt
        labels: Labels | None = getattr(self, "labels_", None)
        return Prompt(choices=labels.words if labels else None)

    @property
    def _model(self) -> LanguageModel:
        return self.model if isinstance(self.model, LanguageModel) else load_model(self.model)

    @property
    def _answering_model(self) -> LanguageModel:
        """The model that answers: as it was loaded, or, in FineTuned, the adapted one."""
        return self._model

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if self.prompt is None or self.prompt.choices:
            tags.estimator_type, tags.classifier_tags = "classifier", ClassifierTags()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.target_tags.required = True
        return tags


class Prompting(Approach):
    """What the first three have in common: they ask the model as it is, name the choices, and calibrate."""

    calibrate: bool

    def _scores(self, X: Sequence[str]) -> np.ndarray:
        bias = getattr(self, "bias_", None)
        return super()._scores(X) if bias is None else super()._scores(X) - bias

    def _note_bias(self, inputs: Sequence[str]) -> None:
        """Measure the prompt's bias over up to CALIBRATION_INPUTS of the inputs, spread evenly over them."""
        self.bias_ = None
        if self.calibrate and self._labels is not None and inputs:
            count = min(len(inputs), CALIBRATION_INPUTS)
            asked = [inputs[place * len(inputs) // count] for place in range(count)]
            self.bias_ = np.log(softmax(self._scores(asked), axis=1).mean(axis=0))

    def _encode(self, examples: Sequence[tuple[str, str]], question: str) -> Tokens:
        return encode(self._model, conversation(self._prompt.with_choices_named(), examples, question))


class ZeroShot(Prompting):
    """Only ask: the model as it is, with an instruction. With a prompt it can answer without `fit`, uncalibrated.

    After `fit`: `bias_`, shape (classes,), or None where nothing was calibrated.
    """

    name = "zero-shot"

    def __init__(self, calibrate: bool = True, prompt: Prompt | None = None, model: str | LanguageModel | None = None):
        self.calibrate = calibrate
        self.prompt = prompt
        self.model = model

    def fit(self, X: Sequence[str], y: Sequence[Any]) -> ZeroShot:
        """Note the classes, and measure the bias of the prompt."""
        texts, _ = self._check_data(X, y)
        self._note_bias(texts)
        return self

    def encode_prompts(self, X: Sequence[str]) -> list[Tokens]:
        return [self._encode([], text) for text in as_texts(X)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = self.prompt is None
        return tags


class FewShot(Prompting):
    """Show `shots` examples in every prompt.

    `fit` draws them, as evenly over the choices as possible. With `nearest`, each input is instead shown the examples
    whose meaning is nearest to it, the nearest last (never one with the same words): Liu et al. 2022, "What Makes Good
    In-Context Examples for GPT-3?", arXiv:2101.06804, with the vectors of llm/embeddings.py.

    After `fit`: `examples_`, pairs of input and answer (with `nearest` all of them), and `bias_` as in ZeroShot.
    """

    def __init__(
        self,
        shots: int = 8,
        nearest: bool = False,
        calibrate: bool = True,
        prompt: Prompt | None = None,
        model: str | LanguageModel | None = None,
        random_state: RandomState = None,
    ):
        self.shots = shots
        self.nearest = nearest
        self.calibrate = calibrate
        self.prompt = prompt
        self.model = model
        self.random_state = random_state

    @property
    def name(self) -> str:  # type: ignore[override]
        return "few-shot, nearest" if self.nearest else "few-shot"

    def fit(self, X: Sequence[str], y: Sequence[Any]) -> FewShot:
        """Draw or index the examples, and measure the bias of the prompt."""
        texts, answers = self._check_data(X, y)
        pairs = pd.DataFrame({"input": texts, "output": answers})
        drawn = pairs.iloc[_generator(self.random_state).permutation(len(pairs))]
        shown = (drawn if self.labels_ is None else _evenly(drawn)).head(self.shots)
        others = drawn.drop(shown.index)
        if self.nearest:
            shown, others = pairs, drawn
            # One more than is shown: an input that stands among the examples is not shown itself.
            count = min(self.shots + 1, len(pairs))
            self.index_ = _index_of_meaning(texts, count)
        self.examples_ = list(shown.itertuples(index=False, name=None))
        self._note_bias(list((others if len(others) else drawn)["input"]))
        return self

    def encode_prompts(self, X: Sequence[str]) -> list[Tokens]:
        check_is_fitted(self)
        texts = as_texts(X)
        return [self._encode(examples, text) for examples, text in zip(self._examples_for(texts), texts, strict=True)]

    def _examples_for(self, texts: list[str]) -> list[list[tuple[str, str]]]:
        if not self.nearest:
            return [self.examples_] * len(texts)
        examples = []
        for text, places in zip(texts, _nearest(self.index_, texts), strict=True):
            found = [self.examples_[place] for place in places]
            others = [pair for pair in found if input_key(pair[0]) != input_key(text)]
            examples.append(others[: self.shots][::-1])
        return examples


class Retrieval(Prompting):
    """Look it up: the `k` documents that match the input best go into the prompt.

    They are found by keyword, with "bm25" (Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework"), or by
    meaning, with "embeddings" (llm/embeddings.py). After `fit`: `index_`, and `bias_` as in ZeroShot.
    """

    name = "retrieval"

    def __init__(
        self,
        k: int = 3,
        search_by: Literal["bm25", "embeddings"] = "bm25",
        calibrate: bool = True,
        documents: Sequence[str] | None = None,
        prompt: Prompt | None = None,
        model: str | LanguageModel | None = None,
    ):
        self.k = k
        self.search_by = search_by
        self.calibrate = calibrate
        self.documents = documents
        self.prompt = prompt
        self.model = model

    def fit(self, X: Sequence[str], y: Sequence[Any]) -> Retrieval:
        """Index the documents, and measure the bias of the prompt; the answers are not used.

        Raises ValueError without documents, or where `search_by` is neither of the two.
        """
        if not self.documents:
            raise ValueError("Retrieval has no documents to search. Give it documents=[…], or give them to the task.")
        if self.search_by not in ("bm25", "embeddings"):
            raise ValueError(f"Retrieval cannot search by {self.search_by!r}. Give search_by='bm25' or 'embeddings'.")
        texts, _ = self._check_data(X, y)
        if self.search_by == "bm25":
            self.index_ = bm25s.BM25()
            self.index_.index(_keywords(self.documents), show_progress=False)
        else:
            self.index_ = _index_of_meaning(self.documents, min(self.k, len(self.documents)))
        self._note_bias(texts)
        return self

    def search(self, X: Sequence[str]) -> list[list[str]]:
        """The documents found for each input, the best first."""
        check_is_fitted(self)
        documents = self.documents
        assert documents  # fit has refused to begin without
        texts = as_texts(X)
        if self.search_by == "bm25":
            count = min(self.k, len(documents))
            found = self.index_.retrieve(_keywords(texts), k=count, show_progress=False, sorted=True).documents
        else:
            found = _nearest(self.index_, texts)
        return [[documents[place] for place in places] for places in found]

    def encode_prompts(self, X: Sequence[str]) -> list[Tokens]:
        return [
            self._encode([], with_passages(passages, text))
            for text, passages in zip(as_texts(X), self.search(X), strict=True)
        ]


class FineTuned(Approach):
    """Train the model on the examples: LoRA matrices A and B are added to the weights of its upper `layers` layers.

    A has `rank` rows, and B has `rank` columns; the weights themselves stay as they are. Training goes through the
    examples `epochs` times, `batch_size` of them per step; `learning_rate` is the peak learning rate.

    If `epochs` is None, the number of steps is chosen by early stopping on a quarter of the examples, drawn evenly over
    the choices, and the model is then trained on all of them (see `choose_steps` in llm/training.py). That takes about
    twice as long. With fewer than 8 examples nothing can be chosen, and 8 epochs are taken.

    After `fit`: `steps_`, `history_` (where the steps were chosen: how the quarter was answered), `adapter_` (a
    `peft.PeftModel`), `model_` (the adapted model, to be used like any other), `losses_` (one per step), `fit_seconds_`
    and `trained_parameters_`.
    """

    name = "fine-tuned"

    def __init__(
        self,
        layers: int = 10,
        rank: int = 8,
        epochs: int | None = None,
        learning_rate: float = 2e-3,
        batch_size: int = 8,
        prompt: Prompt | None = None,
        model: str | LanguageModel | None = None,
        random_state: RandomState = None,
    ):
        self.layers = layers
        self.rank = rank
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.prompt = prompt
        self.model = model
        self.random_state = random_state

    def fit(self, X: Sequence[str], y: Sequence[Any]) -> FineTuned:
        """Train the added matrices to give each answer after its input; `model` itself is not changed."""
        start = time.perf_counter()
        texts, answers = self._check_data(X, y)
        seed = _seed(self.random_state)
        examples = self.encode_prompts(texts), [encode_answer(self._model, answer) for answer in answers]
        settings = {"layers": self.layers, "rank": self.rank, "learning_rate": self.learning_rate}
        settings |= {"batch_size": self.batch_size, "seed": seed}
        steps_per_epoch = -(-len(texts) // self.batch_size)
        if self.epochs is None and len(texts) >= FEWEST_TO_CHOOSE_BY:
            is_development = _a_quarter(answers, self.labels_ is not None, seed)
            self.steps_, self.history_ = choose_steps(self._model, *examples, is_development, **settings)
        else:
            self.steps_ = steps_per_epoch * (8 if self.epochs is None else self.epochs)
            vars(self).pop("history_", None)  # of an earlier fit
        adapter, self.losses_ = fine_tune(self._model, *examples, steps=self.steps_, **settings)
        self.fit_seconds_ = time.perf_counter() - start
        return self._keep_adapter(adapter)

    def encode_prompts(self, X: Sequence[str]) -> list[Tokens]:
        # The weights learn which choices there are, so the instruction need not name them.
        return [encode(self._model, conversation(self._prompt.instruction, [], text)) for text in as_texts(X)]

    def weight_changes(self) -> pd.DataFrame:
        """How far training moved each weight matrix: a row per layer, a column per matrix (see llm/lora.py)."""
        check_is_fitted(self)
        return weight_changes(self.adapter_)

    def save(self, folder: str | Path) -> None:
        """Write the adapter in PEFT's own format: a few MB, which `PeftModel.from_pretrained` reads."""
        check_is_fitted(self)
        # No embedding is trained, and PEFT would ask the hub about it.
        self.adapter_.save_pretrained(str(folder), save_embedding_layers=False)

    def load(self, folder: str | Path) -> FineTuned:
        """Take the adapter from a folder that `save` or PEFT wrote, instead of training one; returns self.

        Raises ValueError without a prompt: the folder does not hold the choices.
        """
        if self.prompt is None:
            raise ValueError(
                "An adapter's folder does not say what it was trained to answer. Give the prompt of its training: "
                "FineTuned(prompt=Prompt(instruction, choices)).load(folder)."
            )
        self._note_labels(labels_of_prompt(self.prompt))
        for of_training in {"losses_", "fit_seconds_", "steps_", "history_"} & set(vars(self)):
            delattr(self, of_training)
        return self._keep_adapter(read_adapter(share_weights(self._model.network), folder))

    def _keep_adapter(self, adapter: PeftModel) -> FineTuned:
        self.model_ = self._model.with_network(adapted_network(adapter))
        self.adapter_ = adapter.eval()
        self.trained_parameters_ = sum(weight.numel() for name, weight in adapter.named_parameters() if "lora_" in name)
        return self

    @property
    def _answering_model(self) -> LanguageModel:
        check_is_fitted(self)
        return self.model_


def _evenly(pairs: pd.DataFrame) -> pd.DataFrame:
    """The pairs in another order: the first of each output, then the second of each, …"""
    return pairs.iloc[pairs.groupby("output").cumcount().argsort(kind="stable")]


def _a_quarter(answers: Sequence[str], has_labels: bool, seed: int) -> list[bool]:
    """For each example whether it is in a quarter of them, drawn by `seed`, evenly over the labels if there are any."""
    drawn = pd.Series(answers).sample(frac=1, random_state=seed)
    if has_labels:
        drawn = drawn.sort_values(kind="stable")
    return pd.Series(range(len(answers))).isin(drawn.index[::4]).tolist()


def _generator(random_state: RandomState) -> np.random.RandomState:
    """A RandomState. Unlike in scikit-learn, None gives a new one, and not numpy's global one."""
    return random_state if isinstance(random_state, np.random.RandomState) else np.random.RandomState(random_state)


def _seed(random_state: RandomState) -> int:
    """An int is the seed itself; otherwise one is drawn."""
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    return int(_generator(random_state).randint(2**31))


def _index_of_meaning(texts: Sequence[str], count: int) -> Pipeline:
    """An index that finds the `count` texts whose meaning is nearest."""
    return make_pipeline(Embeddings(), NearestNeighbors(n_neighbors=count, metric="cosine")).fit(list(texts))


def _nearest(index: Pipeline, texts: Sequence[str]) -> list[list[int]]:
    """The places of the texts that an index finds for each text, the nearest first."""
    if not texts:
        return []
    return index[-1].kneighbors(index[:-1].transform(texts), return_distance=False).tolist()


def _keywords(texts: Sequence[str]) -> list[list[str]]:
    """The words of each text without those that carry little meaning, such as "the"."""
    return bm25s.tokenize(list(texts), stopwords="en", return_ids=False, show_progress=False)
