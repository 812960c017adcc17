"""Many prompts at once: their common beginning runs through the network only once.

Prompts of one task begin alike: the same instruction, the same examples. The keys and values of that prefix are
computed and held once, and all prompts of a batch see them (attention.py). With 8 examples, a prompt is mostly prefix.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

import torch
from torch import Tensor, nn
from transformers import Cache, DynamicCache

from ..bars import progress_bar
from ..chat import Tokens
from ..memory import give_back_memory
from ..model import LanguageModel


def common_prefix(prompts: Sequence[Tokens]) -> Tokens:
    """The tokens that all prompts begin with.

    The last token of each prompt is left out: its output predicts the answer's first token.

    >>> common_prefix([[1, 2, 3, 4], [1, 2, 5]])
    [1, 2]
    """
    columns = zip(*(prompt[:-1] for prompt in prompts), strict=False)
    return [column[0] for column in takewhile(lambda column: len(set(column)) == 1, columns)]


@dataclass
class Batch:
    """Prompts that are read together.

    `rows` says which prompts, `tokens` (B, T) holds what follows their prefix, padded in front, `is_token` (B, S)
    which of the S tokens so far are not padding, `cache` the keys and values of what was read after the prefix.
    """

    model: LanguageModel
    prefix: Cache | None
    rows: list[int]
    tokens: Tensor
    is_token: Tensor
    cache: Cache

    def forward(self, tokens: Tensor, last: int = 0) -> Tensor:
        """Read further `tokens` (B, T); returns logits (B, last, vocabulary) at the `last` positions (0: at all)."""
        before, new = self.cache.get_seq_length(), tokens.shape[1]
        if before + new > self.is_token.shape[1]:
            self.is_token = nn.functional.pad(self.is_token, (0, before + new - self.is_token.shape[1]), value=True)
        prefix_size = self.prefix.get_seq_length() if self.prefix else 0
        keys = torch.arange(before + new, device=tokens.device)
        queries = keys[before:, None]
        # A padding token sees itself: if it saw nothing, its softmax would be NaN.
        mask = (self.is_token[:, None, :] & (keys <= queries)) | (keys == queries)
        return self.model.network(
            tokens,
            attention_mask=mask[:, None],
            position_ids=prefix_size + (self.is_token.cumsum(-1) - 1).clamp(min=0)[:, before:],
            past_key_values=self.cache,
            logits_to_keep=last,
            prefix=self.prefix,
        ).logits

    def select(self, which: Tensor) -> None:
        """Go on with some of the rows; `which` (B,) is True for each that stays."""
        self.rows = [row for row, stays in zip(self.rows, which.tolist(), strict=True) if stays]
        self.is_token = self.is_token[which]
        self.cache.batch_select_indices(which)

    def repeat(self, times: int) -> None:
        """Repeat the cache of each row `times` times: from now on, `forward` reads tokens (B * times, T)."""
        self.is_token = self.is_token.repeat_interleave(times, dim=0)
        self.cache.batch_repeat_interleave(times)


def batches(
    model: LanguageModel, prompts: Sequence[Tokens], batch_tokens: int, label: str, new_tokens: int = 0
) -> Iterator[Batch]:
    """Batches of prompts of similar length, the longest first, behind a progress bar called `label`.

    No batch has more than `batch_tokens`, counting padding and `new_tokens` per prompt but not the prefix, unless a
    single prompt has.
    """
    give_back_memory()
    beginning = common_prefix(prompts)
    prefix = _run_prefix(model, beginning) if beginning else None
    rests = [list(prompt[len(beginning) :]) for prompt in prompts]
    groups = _group_by_length(list(map(len, rests)), batch_tokens, new_tokens)
    with progress_bar(len(groups), label) as advance:
        for rows in groups:
            longest = len(rests[rows[0]])
            tokens = torch.tensor([[0] * (longest - len(rests[row])) + rests[row] for row in rows])
            sizes = torch.tensor([len(rests[row]) for row in rows])
            is_token = torch.arange(longest) >= longest - sizes[:, None]
            cache = DynamicCache(config=model.network.config)
            yield Batch(model, prefix, rows, tokens.to(model.device), is_token.to(model.device), cache)
            advance()


def _run_prefix(model: LanguageModel, tokens: Tokens) -> Cache:
    prefix = DynamicCache(config=model.network.config)
    model.network(torch.tensor([tokens], device=model.device), past_key_values=prefix, logits_to_keep=1)
    return prefix


def _group_by_length(sizes: list[int], batch_tokens: int, new_tokens: int) -> list[list[int]]:
    """The rows in groups, the longest first; the first row of a group is its longest."""
    groups: list[list[int]] = []
    for row in sorted(range(len(sizes)), key=lambda row: sizes[row], reverse=True):
        if groups and (len(groups[-1]) + 1) * (sizes[groups[-1][0]] + new_tokens) <= batch_tokens:
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups
