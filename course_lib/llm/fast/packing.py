"""A training batch as one long row: the beginning that all examples share once, then the rest of each example.

A token sees the beginning and its own example, as if the other examples were not there. So no token runs twice, and no
example is padded to the length of another.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

IGNORED = -100  # the label of a token that does not count for the loss


def layout(beginning: int, sizes: Sequence[int], device: torch.device) -> dict[str, Any]:
    """For a beginning and examples of these lengths: position ids (1, T), mask (1, 1, T, T) and lengths of the pieces.

    A token's position counts from the beginning's first token, and it sees what stands at or before its position in
    the beginning and in its own example.
    """
    pieces = [beginning, *sizes]
    piece_of = torch.cat([torch.full((size,), number) for number, size in enumerate(pieces)])
    positions = torch.cat([torch.arange(beginning), *(torch.arange(beginning, beginning + size) for size in sizes)])
    is_visible = (piece_of[:, None] == piece_of) | (piece_of == 0)
    mask = is_visible & (positions <= positions[:, None])
    return {
        "position_ids": positions[None].to(device),
        "attention_mask": mask[None, None].to(device),
        "pieces": pieces,
    }


def pack(beginning: Tensor, examples: list[dict[str, Tensor]]) -> dict[str, Any]:
    """Examples, each with `states` (T, width) and `labels` (T,), as one row after the states of their beginning."""
    labels = torch.cat([torch.full((len(beginning),), IGNORED), *(example["labels"] for example in examples)])
    states = torch.cat([beginning, *(example["states"] for example in examples)])
    extra = fill_size(len(labels), states.dtype, states.device)
    labels = nn.functional.pad(labels, (0, extra), value=IGNORED)
    states = nn.functional.pad(states, (0, 0, 0, extra))
    *sizes, last = (len(example["labels"]) for example in examples)
    placed = layout(len(beginning), [*sizes, last + extra], states.device)
    return {"states": states[None], "labels": labels[None], **placed}


def fill_size(tokens: int, dtype: torch.dtype, device: torch.device) -> int:
    """How many tokens to add after the last example of a row; they change nothing in what stands before them.

    For products in bfloat16, a CPU's library compiles code for every size that it meets, which takes time and memory.
    So there a row has a multiple of 16 tokens.
    """
    return -tokens % 16 if dtype == torch.bfloat16 and device.type == "cpu" else 0
