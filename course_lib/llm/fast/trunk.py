"""What the lower layers make of the training examples: computed once, kept, and used in every epoch."""

from collections import OrderedDict
from collections.abc import Sequence
from weakref import WeakKeyDictionary

import torch
from torch import Tensor
from transformers import PreTrainedModel

from ..bars import progress_bar
from ..chat import Tokens
from ..model import LanguageModel
from . import packing
from .layers import split
from .prefix import common_prefix

# By network, and within it by (number of layers, beginning, tokens): the next training on the same examples (another
# seed, other settings, a part of them) begins from these. The least recently used are dropped beyond so many bytes.
KEEP = 64_000_000
Key = tuple[tuple[int, ...], tuple[int, ...]]
_kept: WeakKeyDictionary[PreTrainedModel, OrderedDict[Key, Tensor]] = WeakKeyDictionary()


@torch.inference_mode()
def run_trunk(
    model: LanguageModel, layers: int, prompts: Sequence[Tokens], answers: Sequence[Tokens]
) -> tuple[Tensor, list[dict[str, Tensor]]]:
    """The states below the upper `layers` layers: of the common beginning (T, width), and of each example after it.

    An example has `states` (T, width) and `labels` (T,): at each token the next one, where that belongs to the answer.
    """
    kept = _kept.setdefault(model.network, OrderedDict())
    beginning = common_prefix(prompts)
    own = [prompt[len(beginning) :] for prompt in prompts]
    rows = [[*prompt, *answer] for prompt, answer in zip(own, answers, strict=True)]
    keys = [_key(layers, beginning, row) for row in rows]
    first = _key(layers, beginning, [])
    missing = [row for row, key in zip(rows, keys, strict=True) if key not in kept or first not in kept]
    _run(model, layers, beginning, missing, kept)
    examples = []
    for prompt, row, key in zip(own, rows, keys, strict=True):
        examples.append({"states": kept[key], "labels": _labels(len(prompt), row, model.tokenizer.eos_token_id)})
        kept.move_to_end(key)
    kept.move_to_end(first)
    states = kept[first]
    _drop_oldest(kept)
    return states, examples


def _key(layers: int, beginning: Tokens, row: Tokens) -> Key:
    return (layers, *beginning), tuple(row)


def _run(
    model: LanguageModel, layers: int, beginning: Tokens, rows: list[Tokens], kept: OrderedDict[Key, Tensor]
) -> None:
    """Run the lower layers on the rows, eight at a time, packed after their beginning; keep what comes out."""
    lower, _ = split(model.network, layers)
    groups = [rows[start : start + 8] for start in range(0, len(rows), 8)]
    with progress_bar(len(groups), "Running the lower layers once") as advance:
        for group in groups:
            sizes = [len(row) for row in group]
            extra = packing.fill_size(len(beginning) + sum(sizes), model.dtype, model.device)
            tokens = torch.tensor([*beginning, *(token for row in group for token in row), *[0] * extra])
            seen = packing.layout(len(beginning), [*sizes[:-1], sizes[-1] + extra], model.device)
            states = lower(tokens[None].to(model.device), use_cache=False, **seen).last_hidden_state[0]
            parts = states.split([len(beginning), *sizes, extra])
            for row, part in zip([[], *group], parts, strict=False):
                kept[_key(layers, beginning, row)] = part.clone()
            advance()


def _labels(prompt_size: int, row: Tokens, end: int) -> Tensor:
    """At each token of a row the next one (after the last the end); IGNORED where that belongs to the prompt."""
    following = torch.tensor([*row, end])
    return following.masked_fill(torch.arange(len(row) + 1) < prompt_size, packing.IGNORED)[1:]


def _drop_oldest(kept: OrderedDict[Key, Tensor]) -> None:
    size = sum(one.nbytes for one in kept.values())
    while size > KEEP:
        size -= kept.popitem(last=False)[1].nbytes
