"""A faster layer with LoRA matrices beside its weights."""

from typing import Any

import torch
from peft.tuners import lora
from torch import Tensor, nn


class LoraLinear(lora.Linear):
    """PEFT's layer with LoRA matrices, with the same output in fewer steps.

    PEFT converts to float32 and back for the adapter, and makes the product of A and B as large as the output before
    it adds it.
    """

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if self.disable_adapters or self.merged:
            return super().forward(x, *args, **kwargs)
        A, B = (matrices["default"].weight for matrices in (self.lora_A, self.lora_B))
        return _LoraProduct.apply(x, self.base_layer.weight, self.base_layer.bias, A, B * self.scaling["default"])


class _LoraProduct(torch.autograd.Function):
    """W x + B A x for many x at once, and its gradients: those of x, A and B, but not of W, which stays as it is.

    A and B are kept in float32, where small steps of training count; the products are made in the number format of W.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, W: Tensor, bias: Tensor | None, A: Tensor, B: Tensor) -> Tensor:
        rows, A, B = x.flatten(0, -2), A.to(x.dtype), B.to(x.dtype)
        down = rows @ A.T
        ctx.save_for_backward(rows, W, A, B, down)
        return nn.functional.linear(rows, W, bias).addmm_(down, B.T).unflatten(0, x.shape[:-1])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        rows, W, A, B, down = ctx.saved_tensors
        grad = gradients[0].flatten(0, -2)
        grad_down = grad @ B
        grad_x = None
        if ctx.needs_input_grad[0]:
            grad_x = (grad @ W).addmm_(grad_down, A).unflatten(0, gradients[0].shape[:-1])
        # The thin factor first: the other way round, a CPU takes up to three times as long.
        return grad_x, None, None, (grad_down.T @ rows).float(), (down.T @ grad).T.float()
