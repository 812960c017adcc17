"""Attention in which many prompts see one beginning, whose keys and values are held once.

Shapes: q (B, H, T, D) holds the queries of T new tokens in B rows with H heads of width D; k and v (B, K, S, D) hold
keys and values of S tokens. H is a multiple of K: so many query heads share a key head. A mask is True where a query
sees a key. Results are (B, T, H, D), as transformers wants them.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, Cache
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "shared_prefix"  # what transformers knows it as

# Tokens of the longest piece for which the scores of all queries and keys may stay in memory for the gradient.
SHORT = 128
# Number of scores in bfloat16 that fit into a processor's cache.
CACHED = 600_000


def attend(
    module: Any,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None,
    scaling: float | None = None,
    prefix: Cache | None = None,
    pieces: Sequence[int] | None = None,
    **kwargs,
) -> tuple[Tensor, None]:
    """What transformers calls in every layer; without `prefix` and `pieces` it is torch's own attention.

    `prefix` holds the keys and values of a beginning that every row sees besides its own tokens. `pieces` says that
    the one row is a beginning and what follows it, and gives their lengths: a piece sees itself and the beginning.
    """
    if prefix is None and pieces is None:
        return sdpa_attention_forward(module, q, k, v, mask, scaling=scaling, **kwargs)
    assert mask is not None
    assert scaling is not None
    if pieces is not None:
        if max(pieces[1:]) <= SHORT and not kwargs.get("dropout") and kwargs.get("softcap") is None:
            return _packed_short(module, q, k, v, mask, pieces, scaling), None
        return _packed_long(module, q, k, v, mask, pieces, scaling=scaling, **kwargs), None
    assert prefix is not None
    shared: Any = prefix.layers[module.layer_idx]
    if q.shape[2] == 1:
        return _next_token(q, k, v, mask, shared.keys, shared.values, scaling), None
    return _after_prefix(module, q, k, v, mask, shared.keys, shared.values, scaling, **kwargs), None


def _after_prefix(
    module: Any, q: Tensor, k: Tensor, v: Tensor, mask: Tensor, prefix_k: Tensor, prefix_v: Tensor, scaling: float,
    **kwargs,
) -> Tensor:  # fmt: skip
    """Several new tokens per row, after a prefix (1, K, P, D).

    Torch's attention is fastest in float32 and on a GPU. In bfloat16 on a CPU a few rows at a time are, by the formula.
    """
    B, H, T, _ = q.shape
    P = prefix_k.shape[2]
    by_formula = q.device.type == "cpu" and q.dtype == torch.bfloat16
    together = max(CACHED // (H * T * (P + T)), 1) if by_formula else B
    found = []
    for own_q, own_k, own_v, own_mask in zip(*(whole.split(together) for whole in (q, k, v, mask)), strict=True):
        rows = len(own_q)
        all_k = torch.cat([prefix_k.expand(rows, -1, -1, -1), own_k], dim=2)
        all_v = torch.cat([prefix_v.expand(rows, -1, -1, -1), own_v], dim=2)
        all_mask = nn.functional.pad(own_mask, (P, 0), value=True)
        if by_formula:
            found.append(_by_formula(own_q, all_k, all_v, all_mask, scaling))
        else:
            found.append(_by_torch(module, own_q, all_k, all_v, all_mask, scaling=scaling, **kwargs))
    return torch.cat(found)


def _next_token(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor, prefix_k: Tensor, prefix_v: Tensor, scaling: float
) -> Tensor:
    """One new token per row: the prefix is not copied for each row, which would be most of the work."""
    B, H, _, D = q.shape
    P = prefix_k.shape[2]
    q = q.reshape(B, k.shape[1], -1, D)  # with each key head its query heads
    own_scores = (q @ k.transpose(-1, -2)).masked_fill(~mask, -torch.inf)
    prefix_scores = _for_all_rows(q, prefix_k[0].transpose(-1, -2))
    weights = (torch.cat([prefix_scores, own_scores], dim=-1) * scaling).float().softmax(-1).to(q.dtype)
    found = _for_all_rows(weights[..., :P], prefix_v[0]) + weights[..., P:] @ v
    return found.reshape(B, 1, H, D)


def _for_all_rows(rows: Tensor, shared: Tensor) -> Tensor:
    """The product of each of `rows` (B, K, H/K, n) with one `shared` (K, n, m), as one product per key head."""
    return (rows.transpose(0, 1).flatten(1, 2) @ shared).unflatten(1, (len(rows), -1)).transpose(0, 1)


def _packed_long(module: Any, q: Tensor, k: Tensor, v: Tensor, mask: Tensor, pieces: Sequence[int], **kwargs) -> Tensor:
    """One row of pieces: of the mask, which is mostly False, only the blocks that are not."""
    qs, ks, vs, masks = (whole.split(list(pieces), dim=2) for whole in (q, k, v, mask))
    found = []
    for number, own_q in enumerate(qs):
        seen = sorted({0, number})
        own_k, own_v = (torch.cat([parts[piece] for piece in seen], dim=2) for parts in (ks, vs))
        blocks = masks[number].split(list(pieces), dim=3)
        own_mask = torch.cat([blocks[piece] for piece in seen], dim=3)
        found.append(_by_torch(module, own_q, own_k, own_v, own_mask, **kwargs))
    return torch.cat(found, dim=1)


def _packed_short(
    module: Any, q: Tensor, k: Tensor, v: Tensor, mask: Tensor, pieces: Sequence[int], scaling: float
) -> Tensor:
    """One row of short pieces: those after the beginning become padded rows of a batch, computed by the formula.

    Torch's attention computes the scores anew for the gradient, so that it need not hold them. For short pieces that
    takes two to seven times as long.
    """
    P, *sizes = pieces
    rows, longest = len(sizes), -(-max(sizes) // 16) * 16  # few different sizes: see packing.fill_size
    places = torch.cat([torch.arange(size) + row * longest for row, size in enumerate(sizes)]).to(q.device)

    def as_rows(whole: Tensor) -> Tensor:
        """(1, heads, T, D) without the beginning, as (rows, heads, longest, D)."""
        own = whole[0, :, P:].transpose(0, 1)
        padded = own.new_zeros(rows * longest, *own.shape[1:]).index_copy(0, places, own)
        return padded.unflatten(0, (rows, longest)).transpose(1, 2)

    prefix_q, prefix_k, prefix_v = (whole[:, :, :P] for whole in (q, k, v))
    prefix_mask = mask[..., :P, :P]
    if P <= SHORT:
        beginning = _by_formula(prefix_q, prefix_k, prefix_v, prefix_mask, scaling)
    else:
        beginning = _by_torch(module, prefix_q, prefix_k, prefix_v, prefix_mask, scaling=scaling)
    all_k = torch.cat([prefix_k.expand(rows, -1, -1, -1), as_rows(k)], dim=2)
    all_v = torch.cat([prefix_v.expand(rows, -1, -1, -1), as_rows(v)], dim=2)
    all_mask = mask.new_ones(1, 1, longest, P + longest).tril(P)
    own = _by_formula(as_rows(q), all_k, all_v, all_mask, scaling).flatten(0, 1).index_select(0, places)
    return torch.cat([beginning, own[None]], dim=1)


def _by_torch(
    module: Any, q: Tensor, k: Tensor, v: Tensor, mask: Tensor, dropout: float = 0.0, softcap=None, **kwargs
) -> Tensor:
    """Torch's attention; on a CPU without a copy of keys and values for each of the heads that share them."""
    if q.device.type != "cpu" or softcap is not None:  # on a GPU, torch is slow with a mask and shared keys
        kwargs |= {"dropout": dropout, "softcap": softcap}
        return sdpa_attention_forward(module, q, k, v, mask, **kwargs)[0]
    found = nn.functional.scaled_dot_product_attention(
        q, k, v, attn_mask=mask, dropout_p=dropout, scale=kwargs.get("scaling"), enable_gqa=True
    )
    return found.transpose(1, 2)


def _by_formula(q: Tensor, k: Tensor, v: Tensor, mask: Tensor, scaling: float) -> Tensor:
    """softmax(scaling · q kᵀ) v, with the H/K query heads of a key head as further queries of that head."""
    group, T = q.shape[1] // k.shape[1], q.shape[2]
    q = (q * scaling).unflatten(1, (-1, group)).flatten(2, 3)
    hidden = torch.zeros_like(mask, dtype=q.dtype).masked_fill(~mask, -torch.inf)
    weights = ((q @ k.transpose(-1, -2)).unflatten(2, (group, T)) + hidden[:, None]).softmax(-1)
    return (weights.flatten(2, 3) @ v).unflatten(2, (group, T)).flatten(1, 2).transpose(1, 2)


AttentionInterface.register(NAME, attend)
AttentionMaskInterface.register(NAME, sdpa_mask)
