"""Asking the model, for many requests at once: which choice is likeliest, what it writes, how a text surprises it.

Requests of one task begin alike: the same instruction, the same examples. That common prefix runs through the
network once; its keys and values are kept, and every batch of requests continues from a copy of them. The answers
are the same as without (tests/test_inference.py shows it); the work is not: with 8 examples, a request is mostly
prefix.
"""

import copy
import math
from collections.abc import Iterator, Sequence
from itertools import takewhile

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import Cache, DynamicCache, set_seed

from .bars import progress_bar
from .model import LanguageModel, give_back_memory
from .prompts import encode_answer

Tokens = list[int]
# Tokens in memory at once. Reading is fastest while what a layer makes of them fits the processor's cache; writing
# reads all weights anew for every token, so there the more requests together the better (their keys and values, those
# of the tokens to come included, take 140 MB in float32).
READING, WRITING = 2048, 3072


@torch.inference_mode()
def choose(
    model: LanguageModel, requests: Sequence[Tokens], choices: Sequence[str], batch_tokens: int = READING
) -> Tensor:
    """How likely each choice is as the answer to each request.

    Returns float32 log-probabilities of shape (requests, choices), each the sum over the tokens of the choice.
    """
    options = [encode_answer(model, choice) for choice in choices]
    if any(one is not other and other[: len(one)] == one for one in options for other in options):
        options = [[*option, model.tokenizer.eos_token_id] for option in options]  # "no" also begins "no answer"
    if max(map(len, options)) > 1:  # then the cache is held once for each option
        batch_tokens //= len(options)
    first_tokens = torch.tensor([option[0] for option in options], device=model.device)
    scores = torch.empty(len(requests), len(options))
    for rows, tokens, mask, cache in _batches(model, requests, batch_tokens, "Scoring"):
        logits = _continue(model, tokens[:, cache.get_seq_length() :], mask, cache, keep=1)
        scores[rows] = logits[:, -1].float().log_softmax(-1)[:, first_tokens].cpu()
        if max(map(len, options)) > 1:
            scores[rows] += _later_tokens(model, options, mask, cache).cpu()
    return scores


@torch.inference_mode()
def generate(
    model: LanguageModel,
    requests: Sequence[Tokens],
    max_new_tokens: int = 32,
    batch_tokens: int = WRITING,
    temperature: float = 0.0,
    seed: int = 0,
) -> list[str]:
    """What the model writes after each request, until it ends its answer or has used its tokens up.

    At temperature 0 it always takes the likeliest token; above, it draws one, the more freely the higher.
    """
    drawn = {"do_sample": True, "temperature": temperature, "top_k": 0} if temperature else {"do_sample": False}
    set_seed(seed)
    texts = [""] * len(requests)
    for rows, tokens, mask, cache in _batches(model, requests, batch_tokens, "Writing", max_new_tokens):
        written = model.network.generate(
            tokens,
            attention_mask=mask,
            past_key_values=cache,
            max_new_tokens=max_new_tokens,
            **drawn,
            pad_token_id=model.tokenizer.eos_token_id,
        )
        answers = model.tokenizer.batch_decode(written[:, tokens.shape[1] :], skip_special_tokens=True)
        for row, answer in zip(rows, answers, strict=True):
            texts[row] = answer.strip()
    return texts


@torch.inference_mode()
def surprise(
    model: LanguageModel, texts: Sequence[str], requests: Sequence[Tokens] | None = None, batch_size: int = 8
) -> Tensor:
    """How many bits of surprise each text is to the model, shape (texts,): less is more at home.

    Each follows its request; without requests each stands as the beginning of a document. Divide the sum by the
    texts' bytes (UTF-8) for bits per byte, which compares texts and models whatever their tokens are.
    """
    requests = requests or [[model.tokenizer.eos_token_id]] * len(texts)  # what stands between documents
    pairs = [(list(request), encode_answer(model, text)) for request, text in zip(requests, texts, strict=True)]
    by_length = sorted(range(len(pairs)), key=lambda row: sum(map(len, pairs[row])))
    groups = [by_length[start : start + batch_size] for start in range(0, len(by_length), batch_size)]
    bits = torch.zeros(len(pairs))
    with progress_bar(len(groups), "Reading") as advance:
        for rows in groups:
            tokens = [torch.tensor(pairs[row][0] + pairs[row][1]) for row in rows]
            padded = pad_sequence(tokens, batch_first=True).to(model.device)
            hidden = model.network.get_decoder()(padded[:, :-1], use_cache=False).last_hidden_state
            for place, row in enumerate(rows):
                begin, end = len(pairs[row][0]), len(tokens[place])
                logits = model.network.get_output_embeddings()(hidden[place, begin - 1 : end - 1])
                nats = torch.nn.functional.cross_entropy(logits.float(), padded[place, begin:end], reduction="sum")
                bits[row] = nats.cpu() / math.log(2)
            advance()
    return bits


def common_prefix(requests: Sequence[Tokens]) -> Tokens:
    """The tokens that all requests begin with, short of the last of any: its output is what an answer begins from."""
    columns = zip(*(request[:-1] for request in requests), strict=False)
    return [column[0] for column in takewhile(lambda column: len(set(column)) == 1, columns)]


def _batches(
    model: LanguageModel, requests: Sequence[Tokens], batch_tokens: int, label: str, new_tokens: int = 0
) -> Iterator[tuple[list[int], Tensor, Tensor, Cache]]:
    """Batches of requests of like length, the longest first, each with the common prefix already in a cache.

    No batch is over `batch_tokens`, counting padding and `new_tokens` a request, unless a single request is.

    Yields the rows of a batch, its tokens and attention mask of shape (rows, longest request), padded between prefix
    and request, and the cache that holds the prefix.
    """
    give_back_memory()
    prefix = common_prefix(requests)
    shared = DynamicCache(config=model.network.config)
    if prefix:
        model.network(torch.tensor([prefix], device=model.device), past_key_values=shared, logits_to_keep=1)
    by_length = sorted(range(len(requests)), key=lambda row: len(requests[row]), reverse=True)
    groups: list[list[int]] = []
    for row in by_length:
        if groups and (len(groups[-1]) + 1) * (len(requests[groups[-1][0]]) + new_tokens) <= batch_tokens:
            groups[-1].append(row)
        else:
            groups.append([row])
    with progress_bar(len(groups), label) as advance:
        for rows in groups:
            width = len(requests[rows[0]])
            tokens = torch.zeros(len(rows), width, dtype=torch.long)
            mask = torch.ones_like(tokens)
            for place, row in enumerate(rows):
                padding = width - len(requests[row])
                tokens[place] = torch.tensor(prefix + [0] * padding + list(requests[row][len(prefix) :]))
                mask[place, len(prefix) : len(prefix) + padding] = 0
            cache = copy.deepcopy(shared)
            if prefix:
                cache.batch_repeat_interleave(len(rows))
            yield rows, tokens.to(model.device), mask.to(model.device), cache
            advance()


def _continue(model: LanguageModel, tokens: Tensor, mask: Tensor, cache: Cache, keep: int = 0) -> Tensor:
    """Logits of the last `keep` positions (0: all) of `tokens`, which follow what the cache holds.

    `mask` covers cache and tokens; padding in it takes up no position.
    """
    positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, -tokens.shape[1] :]
    return model.network(
        tokens, attention_mask=mask, position_ids=positions, past_key_values=cache, logits_to_keep=keep
    ).logits


def _later_tokens(model: LanguageModel, options: list[Tokens], mask: Tensor, cache: Cache) -> Tensor:
    """Log-probabilities, shape (rows, options), of each option's tokens after its first."""
    rows, longest = len(mask), max(map(len, options))
    padded = torch.tensor([option + [0] * (longest - len(option)) for option in options], device=model.device)
    counts = torch.tensor([[place < len(option) for place in range(1, longest)] for option in options])
    cache.batch_repeat_interleave(len(options))
    tokens = padded[:, :-1].repeat(rows, 1)
    mask = torch.cat([mask.repeat_interleave(len(options), dim=0), torch.ones_like(tokens)], dim=1)
    logits = _continue(model, tokens, mask, cache).float().log_softmax(-1)
    each = logits.gather(-1, padded[:, 1:].repeat(rows, 1).unsqueeze(-1)).squeeze(-1)
    return (each.view(rows, len(options), -1) * counts.to(each.device)).sum(-1)
