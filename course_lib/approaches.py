"""Four ways to adapt a language model, as scikit-learn estimators. They differ in what `fit` does.

| approach   | what `fit` does         | what each prompt contains                   |
|------------|-------------------------|---------------------------------------------|
| ZeroShot   | notes the classes       | instruction + input                         |
| FewShot    | draws examples          | instruction + examples + input              |
| Retrieval  | indexes documents       | instruction + found passages + input        |
| FineTuned  | trains added matrices   | the instruction without its choices + input |

`X` and `y` are lists, arrays or columns: X of texts, y of labels or answers. `prompt` says what the model is asked. If
it has choices, the approach is a classifier of them, with `classes_`, `decision_function` and `predict_proba`; if not,
the model writes its answers. If `prompt` is None, the approach is a classifier of the labels in y, and the instruction
only names them. `model` is a name for `load_model`, a loaded model, or None for the course's own. `random_state` is an
int, a numpy RandomState, or None for a different draw each time. `compare` sets those of the four that are None.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bm25s
import numpy as np
import pandas as pd
from peft import PeftModel
from scipy.special import softmax
from sklearn.base import BaseEstimator
from sklearn.metrics import accuracy_score
from sklearn.utils import ClassifierTags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from .labels import Labels, as_answers, as_texts, labels_of_prompt, read_labels
from .llm.chat import Tokens, conversation, encode, encode_answer, with_passages
from .llm.fast.layers import share_weights
from .llm.inference import generate, score_choices
from .llm.lora import adapted_network, read_adapter, weight_changes
from .llm.model import LanguageModel, load_model
from .llm.training import fine_tune
from .metrics import answer_found
from .tasks.prompt import Prompt

RandomState = int | np.random.RandomState | None
CALIBRATION_INPUTS = 32


def _check_choices(approach: Approach) -> bool:
    """True; raises AttributeError where the answers are free text, as scikit-learn's `available_if` wants it."""
    if approach.prompt is not None and not approach.prompt.choices:
        raise AttributeError(
            "This prompt has no choices to score or to calibrate: the model writes its answers. Give it choices=(…), "
            "or ask with predict."
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


class ZeroShot(Approach):
    """Only ask: the model as it is, with an instruction. With a prompt it can answer without `fit`."""

    name = "zero-shot"

    def __init__(self, prompt: Prompt | None = None, model: str | LanguageModel | None = None):
        self.prompt = prompt
        self.model = model

    def encode_prompts(self, X: Sequence[str]) -> list[Tokens]:
        instruction = self._prompt.with_choices_named()
        return [encode(self._model, conversation(instruction, [], text)) for text in as_texts(X)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = self.prompt is None
        return tags


class FewShot(Approach):
    """Show `shots` examples in every prompt; `fit` draws them, as evenly over the choices as possible.

    With `calibrate`, the prompt's bias towards each choice is subtracted from its score: the logarithm of its mean
    probability over up to 32 training inputs, drawn at random (from those that are not shown as examples, if there are
    others). Their answers are not used. Zhou et al. 2023, "Batch Calibration", arXiv:2309.17249.

    After `fit`: `examples_`, pairs of input and answer.
    """

    name = "few-shot"

    def __init__(
        self,
        shots: int = 8,
        calibrate: bool = False,
        prompt: Prompt | None = None,
        model: str | LanguageModel | None = None,
        random_state: RandomState = None,
    ):
        self.shots = shots
        self.calibrate = calibrate
        self.prompt = prompt
        self.model = model
        self.random_state = random_state

    def fit(self, X: Sequence[str], y: Sequence[Any]) -> FewShot:
        """Draw the examples; with `calibrate`, also measure the bias of the prompt."""
        if self.calibrate:
            _check_choices(self)
        texts, answers = self._check_data(X, y)
        pairs = pd.DataFrame({"input": texts, "output": answers})
        drawn = pairs.iloc[_generator(self.random_state).permutation(len(pairs))]
        shown = (drawn if self.labels_ is None else _evenly(drawn)).head(self.shots)
        self.examples_ = list(shown.itertuples(index=False, name=None))
        if self.calibrate:
            unlabelled = drawn.drop(shown.index) if len(drawn) > len(shown) else drawn
            inputs = list(unlabelled["input"].head(CALIBRATION_INPUTS))
            uncalibrated = super()._scores(inputs)
            self.bias_ = np.log(softmax(uncalibrated, axis=1).mean(axis=0))
        return self

    def encode_prompts(self, X: Sequence[str]) -> list[Tokens]:
        check_is_fitted(self)
        instruction = self._prompt.with_choices_named()
        return [encode(self._model, conversation(instruction, self.examples_, text)) for text in as_texts(X)]

    def _scores(self, X: Sequence[str]) -> np.ndarray:
        scores = super()._scores(X)
        return scores - self.bias_ if self.calibrate else scores


class Retrieval(Approach):
    """Look it up: the `k` documents that match the input best by keyword (BM25) go into the prompt.

    BM25: Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework". After `fit`: `index_`.
    """

    name = "retrieval"

    def __init__(
        self,
        k: int = 3,
        documents: Sequence[str] | None = None,
        prompt: Prompt | None = None,
        model: str | LanguageModel | None = None,
    ):
        self.k = k
        self.documents = documents
        self.prompt = prompt
        self.model = model

    def fit(self, X: Sequence[str], y: Sequence[Any]) -> Retrieval:
        """Index the documents; of the examples only the classes are used. Raises ValueError without documents."""
        if not self.documents:
            raise ValueError("Retrieval has no documents to search. Give it documents=[…], or give them to the task.")
        self._check_data(X, y)
        self.index_ = bm25s.BM25()
        self.index_.index(_keywords(self.documents), show_progress=False)
        return self

    def search(self, X: Sequence[str]) -> list[list[str]]:
        """The documents found for each input, the best first."""
        check_is_fitted(self)
        documents = self.documents
        assert documents  # fit has refused to begin without
        count = min(self.k, len(documents))
        found = self.index_.retrieve(_keywords(as_texts(X)), k=count, show_progress=False, sorted=True).documents
        return [[documents[place] for place in places] for places in found]

    def encode_prompts(self, X: Sequence[str]) -> list[Tokens]:
        instruction = self._prompt.with_choices_named()
        return [
            encode(self._model, conversation(instruction, [], with_passages(passages, text)))
            for text, passages in zip(as_texts(X), self.search(X), strict=True)
        ]


class FineTuned(Approach):
    """Train the model on the examples: LoRA matrices A and B are added to the weights of its upper `layers` layers.

    A has `rank` rows, and B has `rank` columns; the weights themselves stay as they are. Training goes through the
    examples `epochs` times, `batch_size` of them per step; `learning_rate` is the peak learning rate.

    After `fit`: `adapter_` (a `peft.PeftModel`), `model_` (the adapted model, to be used like any other), `losses_`
    (one per step), `fit_seconds_` and `trained_parameters_`.
    """

    name = "fine-tuned"

    def __init__(
        self,
        layers: int = 10,
        rank: int = 8,
        epochs: int = 4,
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
        adapter, self.losses_ = fine_tune(
            self._model,
            self.encode_prompts(texts),
            [encode_answer(self._model, answer) for answer in answers],
            layers=self.layers,
            rank=self.rank,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            seed=_seed(self.random_state),
        )
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
        for of_training in {"losses_", "fit_seconds_"} & set(vars(self)):
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


def _generator(random_state: RandomState) -> np.random.RandomState:
    """A RandomState. Unlike in scikit-learn, None gives a new one, and not numpy's global one."""
    return random_state if isinstance(random_state, np.random.RandomState) else np.random.RandomState(random_state)


def _seed(random_state: RandomState) -> int:
    """An int is the seed itself; otherwise one is drawn."""
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    return int(_generator(random_state).randint(2**31))


def _keywords(texts: Sequence[str]) -> list[list[str]]:
    """The words of each text without those that carry little meaning, such as "the"."""
    return bm25s.tokenize(list(texts), stopwords="en", return_ids=False, show_progress=False)
