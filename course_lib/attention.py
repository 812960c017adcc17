"""Attention in which many requests see one beginning that is held once: as rows of a batch, or in one long row."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, Cache
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

SHARED_PREFIX = "shared_prefix"  # what transformers knows it as

# Up to so many tokens a piece, all scores of a query and a key fit in memory until the gradient needs them.
SHORT = 128
# So many scores in bfloat16 lie in a processor's cache.
CACHED = 600_000


def attend(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    prefix: Cache | None = None,
    pieces: Sequence[int] | None = None,
    **kwargs,
) -> tuple[Tensor, None]:
    """Attention in which every row of a batch sees one `prefix`, held once, besides its own tokens.

    With `pieces`, a row is a beginning and what follows it, so many tokens each, and each piece sees itself and the
    beginning. Transformers calls it for every layer: `query` (rows, heads, new tokens, width), `key` and `value`
    (rows, key heads, tokens, width). Without prefix and pieces it is torch's own attention.
    """
    if pieces is not None:
        assert attention_mask is not None
        assert scaling is not None
        if max(pieces[1:]) <= SHORT and not kwargs.get("dropout") and kwargs.get("softcap") is None:
            return _side_by_side(module, query, key, value, attention_mask, pieces, scaling), None
        return _piece_by_piece(module, query, key, value, attention_mask, pieces, scaling=scaling, **kwargs), None
    if prefix is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)
    assert attention_mask is not None
    assert scaling is not None
    shared: Any = prefix.layers[module.layer_idx]
    rows, heads, new, width = query.shape
    begins = shared.keys.shape[2]
    if new > 1:
        # Torch's attention is fastest in float32, and on a GPU. With bfloat16 on a CPU it is not: there a few rows at a
        # time, with the scores written out.
        written_out = query.device.type == "cpu" and query.dtype == torch.bfloat16
        together = max(CACHED // (heads * new * (begins + new)), 1) if written_out else rows
        parts = []
        for own in zip(*(whole.split(together) for whole in (query, key, value, attention_mask)), strict=True):
            keys, values = (
                torch.cat([first.expand(len(after), -1, -1, -1), after], dim=2)
                for first, after in ((shared.keys, own[1]), (shared.values, own[2]))
            )
            mask = nn.functional.pad(own[3], (begins, 0), value=True)
            if written_out:
                parts.append(_written_out(own[0], keys, values, mask, scaling))
            else:
                parts.append(_look(module, own[0], keys, values, mask, scaling=scaling, **kwargs))
        return torch.cat(parts), None
    # One new token a row: a copy of the prefix for each row and each token would be most of the work.
    query = query.reshape(rows, key.shape[1], -1, width)
    near = (query @ key.transpose(-1, -2)).masked_fill(~attention_mask, -torch.inf)
    far = _over_rows(query, shared.keys[0].transpose(-1, -2))
    weights = (torch.cat([far, near], dim=-1) * scaling).float().softmax(-1).to(query.dtype)
    found = _over_rows(weights[..., :begins], shared.values[0]) + weights[..., begins:] @ value
    return found.reshape(rows, 1, heads, width), None


def _look(
    module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor, dropout: float = 0.0, softcap=None, **kwargs
) -> Tensor:
    """Torch's attention; on a CPU without a copy of keys and values for each of the heads that share them."""
    if query.device.type != "cpu" or softcap is not None:  # on a GPU, torch is slow with a mask and shared keys
        kwargs |= {"dropout": dropout, "softcap": softcap}
        return sdpa_attention_forward(module, query, key, value, mask, **kwargs)[0]
    found = nn.functional.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, dropout_p=dropout, scale=kwargs.get("scaling"), enable_gqa=True
    )
    return found.transpose(1, 2)


def _piece_by_piece(
    module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor, pieces: Sequence[int], **kwargs
) -> Tensor:
    """Attention in a row of pieces: of the mask, which is mostly empty, only the blocks that are not."""
    queries, keys, values, masks = (whole.split(list(pieces), dim=2) for whole in (query, key, value, mask))
    found = []
    for number, own in enumerate(queries):
        seen = sorted({0, number})
        key, value = (torch.cat([parts[piece] for piece in seen], dim=2) for parts in (keys, values))
        blocks = masks[number].split(list(pieces), dim=3)
        block = torch.cat([blocks[piece] for piece in seen], dim=3)
        found.append(_look(module, own, key, value, block, **kwargs))
    return torch.cat(found, dim=1)


def _side_by_side(
    module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor, pieces: Sequence[int], scaling: float
) -> Tensor:
    """The same for short pieces: those after the beginning as padded rows of a batch, with the scores written out.

    Torch's attention computes the scores anew for the gradient, so that it need not hold them. For short pieces that
    takes two to seven times as long.
    """
    begins, *sizes = pieces
    rows, longest = len(sizes), -(-max(sizes) // 16) * 16  # few sizes, as for whole rows (training.py)
    places = torch.cat([torch.arange(size) + row * longest for row, size in enumerate(sizes)]).to(query.device)

    def spread(whole: Tensor) -> Tensor:
        """(1, heads, tokens, width) without the beginning, as (rows, heads, longest, width)."""
        own = whole[0, :, begins:].transpose(0, 1)
        padded = own.new_zeros(rows * longest, *own.shape[1:]).index_copy(0, places, own)
        return padded.unflatten(0, (rows, longest)).transpose(1, 2)

    asks, offers, holds = (whole[:, :, :begins] for whole in (query, key, value))
    among = mask[..., :begins, :begins]
    if begins <= SHORT:
        beginning = _written_out(asks, offers, holds, among, scaling)
    else:
        beginning = _look(module, asks, offers, holds, among, scaling=scaling)
    keys, values = (
        torch.cat([first.expand(rows, -1, -1, -1), spread(whole)], dim=2)
        for first, whole in ((offers, key), (holds, value))
    )
    sees = mask.new_ones(1, 1, longest, begins + longest).tril(begins)
    own = _written_out(spread(query), keys, values, sees, scaling).flatten(0, 1).index_select(0, places)
    return torch.cat([beginning, own[None]], dim=1)


def _written_out(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scaling: float) -> Tensor:
    """Attention by its formula: softmax(scaling · query · key) · value."""
    together, new = query.shape[1] // key.shape[1], query.shape[2]
    query = (query * scaling).unflatten(1, (-1, together)).flatten(2, 3)  # with each key head its query heads
    hidden = torch.zeros_like(mask, dtype=query.dtype).masked_fill(~mask, -torch.inf)
    weights = ((query @ key.transpose(-1, -2)).unflatten(2, (together, new)) + hidden[:, None]).softmax(-1)
    return (weights.flatten(2, 3) @ value).unflatten(2, (together, new)).flatten(1, 2).transpose(1, 2)


def _over_rows(rows: Tensor, shared: Tensor) -> Tensor:
    """The product of each of `rows` (rows, key heads, group, n) with one `shared` (key heads, n, m)."""
    return (rows.transpose(0, 1).flatten(1, 2) @ shared).unflatten(1, (len(rows), -1)).transpose(0, 1)


AttentionInterface.register(SHARED_PREFIX, attend)
AttentionMaskInterface.register(SHARED_PREFIX, sdpa_mask)
