"""The four ways to adapt a language model, each a scikit-learn estimator: what `fit` does is the lesson.

| approach   | what `fit` does         | what a request carries                      |
|------------|-------------------------|---------------------------------------------|
| ZeroShot   | nothing                 | instruction + input                         |
| FewShot    | picks examples          | instruction + examples + input              |
| Retrieval  | indexes documents       | instruction + found passages + input        |
| FineTuned  | trains added matrices   | the instruction without its choices + input |

All take `X` and `y` as lists of strings. What stays None (`prompt`, `documents`, `model`, `seed`) is filled in from
the task by `compare`; used alone, it means no instruction, no documents, `load_model()` and 0.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import bm25s
import pandas as pd
from peft import PeftModel
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from .adapter import adapted_network, weight_changes
from .inference import Tokens, choose, generate
from .layers import share_weights
from .model import LanguageModel, load_model
from .prompts import Prompt, conversation, encode, encode_answer, with_passages
from .training import fine_tune


class Approach(BaseEstimator):
    """What the four have in common: they turn inputs into requests and let the model answer them."""

    name: str
    trained_parameters_ = 0

    def fit(self, X: Sequence[str], y: Sequence[str]) -> Approach:
        """Learn from inputs and their answers, each a list of strings; returns self."""
        return self

    def requests(self, X: Sequence[str]) -> list[Tokens]:
        """What the model reads for each input, as tokens."""
        raise NotImplementedError

    def predict(self, X: Sequence[str]) -> list[str]:
        """The answer to each input: the likeliest choice where the prompt has choices, else what the model writes."""
        if choices := self._prompt.choices:
            return [choices[best] for best in self.decision_function(X).argmax(dim=1).tolist()]
        return generate(self._answering, self.requests(X), self._prompt.max_new_tokens)

    def decision_function(self, X: Sequence[str]) -> Tensor:
        """The score of each choice for each input, shape (inputs, choices): its log-probability as the answer.

        Raises ValueError where the prompt has no choices.
        """
        if not self._prompt.choices:
            raise ValueError(
                "This prompt has no choices to score or to calibrate: its answers are written. Give it choices=(…), "
                "or leave calibrate out and ask with predict."
            )
        return choose(self._answering, self.requests(X), self._prompt.choices)

    @property
    def _prompt(self) -> Prompt:
        return self.prompt or Prompt()

    @property
    def _model(self) -> LanguageModel:
        return self.model if isinstance(self.model, LanguageModel) else load_model(self.model)

    @property
    def _answering(self) -> LanguageModel:
        return self._model


class ZeroShot(Approach):
    """Only ask: the model as it is, with an instruction."""

    name = "zero-shot"

    def __init__(self, prompt: Prompt | None = None, model: str | LanguageModel | None = None):
        self.prompt = prompt
        self.model = model

    def requests(self, X: Sequence[str]) -> list[Tokens]:
        instruction = self._prompt.spelled_out()
        return [encode(self._model, conversation(instruction, [], text)) for text in X]


class FewShot(Approach):
    """Show `shots` examples in every request; `fit` draws them, as evenly over the choices as they go.

    With `calibrate`, a choice that this prompt favours whatever the input is marked down by how much it favours it on
    average over 32 training inputs, drawn at random from those that are not among the examples; their answers are not
    looked at: Zhou et al. 2023, "Batch Calibration", arXiv:2309.17249.
    """

    name = "few-shot"

    def __init__(
        self,
        shots: int = 8,
        calibrate: bool = False,
        prompt: Prompt | None = None,
        model: str | LanguageModel | None = None,
        seed: int | None = None,
    ):
        self.shots = shots
        self.calibrate = calibrate
        self.prompt = prompt
        self.model = model
        self.seed = seed

    def fit(self, X: Sequence[str], y: Sequence[str]) -> FewShot:
        pairs = drawn = pd.DataFrame({"input": list(X), "output": list(y)}).sample(frac=1, random_state=self.seed or 0)
        if self._prompt.choices:  # the first of each choice, then the second of each, …
            pairs = drawn.iloc[drawn.groupby("output").cumcount().argsort(kind="stable")]
        shown = pairs.head(self.shots)
        self.examples_ = list(shown.itertuples(index=False, name=None))
        if self.calibrate:
            others = drawn.drop(shown.index) if len(drawn) > len(shown) else drawn
            self.favour_ = super().decision_function(list(others["input"].head(32))).softmax(-1).mean(0).log()
        return self

    def requests(self, X: Sequence[str]) -> list[Tokens]:
        check_is_fitted(self)
        instruction = self._prompt.spelled_out()
        return [encode(self._model, conversation(instruction, self.examples_, text)) for text in X]

    def decision_function(self, X: Sequence[str]) -> Tensor:
        scores = super().decision_function(X)
        return scores - self.favour_ if self.calibrate else scores


class Retrieval(Approach):
    """Look it up: the `passages` documents that match the input best by keyword (BM25) go into the request.

    BM25: Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework".
    """

    name = "retrieval"

    def __init__(
        self,
        passages: int = 3,
        documents: Sequence[str] | None = None,
        prompt: Prompt | None = None,
        model: str | LanguageModel | None = None,
    ):
        self.passages = passages
        self.documents = documents
        self.prompt = prompt
        self.model = model

    def fit(self, X: Sequence[str], y: Sequence[str]) -> Retrieval:
        """Index the documents; the examples are not looked at. Raises ValueError where there are no documents."""
        if not self.documents:
            raise ValueError("Retrieval has no documents to search: give the task documents=[…] or leave it out.")
        self.index_ = bm25s.BM25()
        self.index_.index(_words(self.documents), show_progress=False)
        return self

    def search(self, X: Sequence[str]) -> list[list[str]]:
        """The passages found for each input, the best first."""
        check_is_fitted(self)
        documents = self.documents or ()
        count = min(self.passages, len(documents))
        found = self.index_.retrieve(_words(X), k=count, show_progress=False, sorted=True).documents
        return [[documents[place] for place in places] for places in found]

    def requests(self, X: Sequence[str]) -> list[Tokens]:
        instruction = self._prompt.spelled_out()
        return [
            encode(self._model, conversation(instruction, [], with_passages(passages, text)))
            for text, passages in zip(X, self.search(X), strict=True)
        ]


class FineTuned(Approach):
    """Change the model: LoRA matrices beside the weights of its upper `layers` layers, trained on the examples.

    The matrices have `rank` rows or columns; the examples are gone through `epochs` times, `batch_size` of them a
    step, and `learning_rate` is the size of a step at its largest.

    After `fit`: `adapter_` (a `peft.PeftModel`), `model_` (the adapted model, to be asked like any other), `losses_`
    (one a step), `fit_seconds_` and `trained_parameters_`.
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
        seed: int | None = None,
    ):
        self.layers = layers
        self.rank = rank
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.prompt = prompt
        self.model = model
        self.seed = seed

    def fit(self, X: Sequence[str], y: Sequence[str]) -> FineTuned:
        start = time.perf_counter()
        adapter, self.losses_ = fine_tune(
            self._model,
            self.requests(X),
            [encode_answer(self._model, answer) for answer in y],
            layers=self.layers,
            rank=self.rank,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            seed=self.seed or 0,
        )
        self.fit_seconds_ = time.perf_counter() - start
        return self._use(adapter)

    def requests(self, X: Sequence[str]) -> list[Tokens]:
        # The weights have learned which choices there are; the request need not say it.
        return [encode(self._model, conversation(self._prompt.instruction, [], text)) for text in X]

    def weight_changes(self) -> pd.DataFrame:
        """How far training moved each weight matrix: a row a layer, a column a matrix (see adapter.py)."""
        check_is_fitted(self)
        return weight_changes(self.adapter_)

    def save(self, folder: str | Path) -> None:
        """Write the adapter in PEFT's own format: a few MB, which `PeftModel.from_pretrained` reads."""
        check_is_fitted(self)
        self.adapter_.save_pretrained(str(folder), save_embedding_layers=False)  # none trained, so no hub is asked

    def load(self, folder: str | Path) -> FineTuned:
        """Take the adapter from a folder that `save` or PEFT wrote, instead of training one; returns self."""
        return self._use(PeftModel.from_pretrained(share_weights(self._model.network), folder))

    def _use(self, adapter: PeftModel) -> FineTuned:
        self.model_ = self._model.with_network(adapted_network(adapter))
        self.adapter_ = adapter.eval()
        self.trained_parameters_ = sum(weight.numel() for name, weight in adapter.named_parameters() if "lora_" in name)
        return self

    @property
    def _answering(self) -> LanguageModel:
        check_is_fitted(self)
        return self.model_


def _words(texts: Sequence[str]) -> list[list[str]]:
    return bm25s.tokenize(list(texts), stopwords="en", return_ids=False, show_progress=False)
