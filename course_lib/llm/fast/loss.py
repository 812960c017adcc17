"""The loss on an answer's tokens without holding the logits of all tokens at once."""

from typing import Any, cast

import torch
from torch import Tensor, nn

TOGETHER = 128  # tokens


def mean_answer_loss(states: Tensor, head: nn.Module, labels: Tensor) -> Tensor:
    """The mean cross-entropy, in nats, of `labels` (T,) given the last layer's `states` (T, width).

    `nn.functional.cross_entropy(head(states), labels)` gives the same. But a token has a logit for each of tens of
    thousands of tokens: for all tokens at once, they can be the largest thing in memory. So up to 128 tokens are
    computed at a time, with their gradient. The head is not trained and gets no gradient.
    """
    return _AnswerLoss.apply(states, head, labels)


class _AnswerLoss(torch.autograd.Function):
    """Logits become probabilities, and these the gradient (the probability of each token, minus 1 for the right one),
    in the memory where they lie."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, head: nn.Module, labels: Tensor) -> Tensor:
        total = torch.zeros((), device=states.device)
        gradients: list[Tensor] = []
        parts = -(-len(labels) // TOGETHER)
        for part, right in zip(states.tensor_split(parts), labels[:, None].tensor_split(parts), strict=True):
            with torch.enable_grad():
                part = part.detach().requires_grad_()
                logits = head(part)
            log_probabilities = logits.detach().log_softmax(-1, dtype=torch.float32)
            total -= log_probabilities.gather(-1, right).sum() / len(labels)
            gradient = log_probabilities.exp_().scatter_add_(-1, right, -log_probabilities.new_ones(right.shape))
            logits.backward(gradient.div_(len(labels)).to(logits.dtype))
            gradients.append(cast(Tensor, part.grad))
        ctx.save_for_backward(torch.cat(gradients))
        return total

    @staticmethod
    def backward(ctx: Any, *incoming: Tensor) -> tuple[Tensor, None, None]:
        return ctx.saved_tensors[0] * incoming[0], None, None
