"""Dynamic activations in PyTorch, in two forms: as it is usually written, and as one who counts passes writes it."""

from collections.abc import Callable
from functools import reduce

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from activations import Activation
from cases import parameters

Piece = Callable[..., Tensor]


def line(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return x * a + b


def swish(x: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    return a * x * torch.sigmoid(b * x) + c


def branch(x: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """On one side of c or the other; the compiled gradient of `torch.where(x > c, ...)` takes sixteen times as long."""
    distance = x - c
    return torch.where(distance > 0, a * distance, b * distance)


PIECES: dict[str, Piece] = {"swish": swish, "branch": branch}
"""Those that are not the paper's."""

KINKS: dict[str, Piece] = {"branch": lambda x, a, b, c: x - c}
"""What is zero where a piece has a kink of its own."""

NEAR = 1e-5
"""The distance from a kink at which rounding might decide which side of it an element is on."""


class DynamicActivation(nn.Module):
    """The hyper function and the attention, which both forms share."""

    def __init__(self, activation: Activation, values: dict[str, np.ndarray]) -> None:
        super().__init__()
        hidden, channels = values["fc1.weight"].shape
        self.pieces = activation.pieces
        self.coefficients = activation.coefficients
        self.piece = PIECES.get(activation.name, line)
        self.shares_channels = activation.shares_channels
        self.fc1 = nn.Linear(channels, hidden)
        self.fc2 = nn.Linear(hidden, len(values["fc2.bias"]))
        self.attention = nn.Conv2d(channels, 1, 1) if activation.has_attention else None
        self.load_state_dict({name: torch.from_numpy(value) for name, value in values.items()})
        init = torch.tensor(activation.init)
        lambdas = torch.tensor(activation.lambdas)[:, None].expand_as(init)
        self.register_buffer("init", init.flatten())
        self.register_buffer("lambdas", lambdas.flatten())

    def sets(self, x: Tensor) -> Tensor:
        """The coefficients, `[N, P * K]` in mode A and `[N, C, P * K]` in B and C."""
        theta = self.fc2(functional.relu(self.fc1(x.mean((2, 3)))))
        theta = 2 * torch.sigmoid(theta) - 1
        axes = (len(self.init),) if self.shares_channels else (x.shape[1], len(self.init))
        return theta.view(-1, *axes) * self.lambdas + self.init

    def scores(self, x: Tensor) -> Tensor:
        """A 1×1 convolution."""
        return self.attention(x)

    def factors(self, x: Tensor) -> Tensor:
        """The attention, `[N, 1, H, W]`."""
        scores = self.scores(x)
        softmax = torch.softmax(scores.flatten(1) / 10, 1).view_as(scores)
        return torch.clamp(softmax * (softmax[0].numel() / 3), max=1)


class Public(DynamicActivation):
    """As the usual public modules do it: all pieces in one array, with x permuted so that sets broadcast to it."""

    def forward(self, x: Tensor) -> Tensor:
        sets = self.sets(x)
        if self.attention is not None:
            factors = self.factors(x).permute(2, 3, 0, 1)
            sets = factors.unsqueeze(-1) * sets
        order, back = ((1, 2, 3, 0), (3, 0, 1, 2)) if self.shares_channels else ((2, 3, 0, 1), (2, 3, 0, 1))
        x = x.permute(order).unsqueeze(-1)
        output = x * sets[..., : self.pieces] + sets[..., self.pieces :]
        return torch.max(output, dim=-1)[0].permute(back)


class Careful(DynamicActivation):
    """One pass for each operation of each piece, on arrays in their natural order."""

    def forward(self, x: Tensor) -> Tensor:
        y = reduce(torch.maximum, self.each_piece(x, self.piece))
        # All pieces that have an attention are homogeneous: it may multiply the output instead of the coefficients.
        return y if self.attention is None else self.factors(x) * y

    def scores(self, x: Tensor) -> Tensor:
        """The convolution as a weighted sum: the compiled training pass takes less than half the time."""
        return (x * self.attention.weight).sum(1, keepdim=True) + self.attention.bias

    def each_piece(self, x: Tensor, piece: Piece) -> list[Tensor]:
        sets = self.sets(x).view(len(x), -1, self.coefficients, self.pieces, 1, 1)
        return [piece(x, *sets[:, :, :, k].unbind(2)) for k in range(self.pieces)]


class Convolution(Careful):
    """As `Careful`, with the attention's convolution as it is usually written."""

    scores = DynamicActivation.scores


class TorchContender:
    """A module with an input and the gradient of its output."""

    def __init__(self, module: nn.Module, tensors: dict[str, np.ndarray], dtype: torch.dtype = torch.float32) -> None:
        self.module = module.to(dtype)
        self.x = torch.from_numpy(tensors["x"]).to(dtype).requires_grad_()
        self.grad_y = torch.from_numpy(tensors["grad_y"]).to(dtype)

    def forward(self) -> Tensor:
        with torch.inference_mode():
            return self.module(self.x)

    def forward_backward(self) -> Tensor:
        """Leaves the gradients in x and the parameters."""
        self.x.grad = None
        for parameter in self.module.parameters():
            parameter.grad = None
        y = self.module(self.x)
        y.backward(self.grad_y)
        return y

    def outputs(self) -> dict[str, np.ndarray]:
        return {"y": self.forward().numpy()}

    def outputs_and_gradients(self) -> dict[str, np.ndarray]:
        """As `Server.compute`."""
        y = self.forward_backward()
        gradients = {name: value.grad.numpy() for name, value in self.module.named_parameters()}
        return {"y": y.detach().numpy(), "x": self.x.grad.numpy(), **gradients}


def eager(form: type[DynamicActivation], activation: Activation, tensors: dict[str, np.ndarray]) -> TorchContender:
    return TorchContender(form(activation, parameters(tensors)), tensors)


def compiled(form: type[DynamicActivation], activation: Activation, tensors: dict[str, np.ndarray]) -> TorchContender:
    """A form through `torch.compile`, for this shape alone."""
    contender = eager(form, activation, tensors)
    contender.module.compile(dynamic=False, fullgraph=True)
    return contender


@torch.no_grad()
def ignore_kinks(activation: Activation, tensors: dict[str, np.ndarray]) -> None:
    """Sets the gradient of the output to zero at the few elements so near a kink that they have no certain gradient.

    At a tie, `torch.maximum` divides the gradient between both pieces and the others give it to the first.
    """
    module = Careful(activation, parameters(tensors)).double()
    x = torch.from_numpy(tensors["x"]).double()
    largest, second = torch.stack(module.each_piece(x, module.piece)).topk(2, dim=0).values
    distances = [largest - second]
    if activation.name in KINKS:
        distances += module.each_piece(x, KINKS[activation.name])
    for distance in distances:
        tensors["grad_y"][(distance.abs() < NEAR).numpy()] = 0


def reference(activation: Activation, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Output and gradients in double precision: what all contenders must agree with."""
    module = Careful(activation, parameters(tensors))
    return TorchContender(module, tensors, torch.float64).outputs_and_gradients()
