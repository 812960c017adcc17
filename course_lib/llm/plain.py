"""The whole method in plain PyTorch, one prompt at a time: nothing is packed, shared or cached. Read this first.

The course runs faster functions (training.py, inference.py, fast/); tests/test_plain.py checks that they give the
same. A text is a list of token ids. Shapes: T tokens of a text, V in the vocabulary, H heads of width D, r the rank.
"""

from math import ceil

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel, get_linear_schedule_with_warmup


def score_choices(network: PreTrainedModel, prompt: list[int], choices: list[list[int]]) -> list[float]:
    """The log-probability of each choice's tokens after a prompt (add the end token where its end is to count)."""
    return [-answer_loss(network, prompt, choice).item() for choice in choices]


def generate(network: PreTrainedModel, prompt: list[int], max_new_tokens: int, ends: list[int]) -> list[int]:
    """The answer that the model writes if it always takes the likeliest token, until a token that ends it."""
    answer: list[int] = []
    while len(answer) < max_new_tokens:
        logits = network(torch.tensor([prompt + answer])).logits  # (1, T, V): at each position, those of the next token
        token = int(logits[0, -1].argmax())
        if token in ends:
            break
        answer.append(token)
    return answer


def answer_loss(network: PreTrainedModel, prompt: list[int], answer: list[int]) -> Tensor:
    """The sum over an answer's tokens of minus their log-probability, in nats: the loss of one example."""
    tokens = torch.tensor([prompt + answer])  # (1, T)
    labels = tokens.clone()
    labels[0, : len(prompt)] = -100  # no loss on the prompt's tokens
    logits = network(tokens).logits.float()  # (1, T, V)
    # Position t predicts token t + 1: so the logits of all but the last meet the labels of all but the first.
    return cross_entropy(logits[0, :-1], labels[0, 1:], reduction="sum", ignore_index=-100)


def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """What the network does inside each layer: q, k, v (H, T, D), mask (T, T), which is True where q may see k.

    The result is, for each query, a mean of the values, weighted by how well their keys match the query.
    """
    scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5  # (H, T, T): every query with every key
    weights = scores.masked_fill(~mask, -torch.inf).softmax(-1)  # what a query may not see gets no weight
    return weights @ v  # (H, T, D)


class LoraLinear(nn.Module):
    """A linear layer W, which stays as it is, with two thin matrices added to it: x becomes W x + 2 B A x."""

    scaling = 2  # alpha / r in the LoRA paper

    def __init__(self, linear: nn.Linear, rank: int):
        super().__init__()
        self.linear = linear
        self.A = nn.Parameter(torch.randn(rank, linear.in_features) / linear.in_features**0.5)  # (r, in)
        self.B = nn.Parameter(torch.zeros(linear.out_features, rank))  # (out, r): 0, so at first nothing changes

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x) + self.scaling * (x @ self.A.T) @ self.B.T  # the product of thin matrices costs little


def add_lora(network: PreTrainedModel, layers: int, rank: int) -> list[LoraLinear]:
    """Add LoRA matrices to every linear module in the upper `layers` layers; nothing else is to be trained."""
    network.requires_grad_(False)
    added = []
    for layer in network.get_decoder().layers[-layers:]:
        for block in (layer.self_attn, layer.mlp):
            for name, part in list(block.named_children()):
                if isinstance(part, nn.Linear):
                    added.append(LoraLinear(part, rank))
                    setattr(block, name, added[-1])
    return added


def train(
    network: PreTrainedModel,
    examples: list[tuple[list[int], list[int]]],
    epochs: int,
    learning_rate: float,
    batch_size: int,
    seed: int,
) -> list[float]:
    """Train the weights that require gradients; an example is (prompt, answer with its end token).

    Returns the loss of every step, in nats: the mean over the tokens of the answers.
    """
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=learning_rate, weight_decay=0.0)
    steps = epochs * ceil(len(examples) / batch_size)
    schedule = get_linear_schedule_with_warmup(optimizer, ceil(steps / 10), steps)  # a tenth up, then down to zero
    losses = []
    for epoch in range(epochs):
        order = torch.randperm(len(examples), generator=torch.Generator().manual_seed(seed + epoch)).tolist()
        for start in range(0, len(examples), batch_size):
            batch = [examples[place] for place in order[start : start + batch_size]]
            tokens = sum(len(answer) for _, answer in batch)
            loss = torch.stack([answer_loss(network, prompt, answer) for prompt, answer in batch]).sum() / tokens
            loss.backward()  # how the loss changes with each weight
            nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.step()  # a small step that lowers it
            schedule.step()
            optimizer.zero_grad()
            losses.append(loss.item())
    return losses
