"""What is measured: sections of cases, each an activation, a pass and a shape."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from activations import A, B, C, CUSTOM, PAPER, Activation

FORWARD = "forward"
FORWARD_BACKWARD = "forward_backward"

SHAPES = (
    (1, 64, 112, 112),
    (8, 64, 56, 56),
    (8, 256, 28, 28),
    (32, 96, 14, 14),
    (64, 512, 7, 7),
    (1, 16, 32, 32),
)

REDUCTION = 4

SECTIONS: dict[str, list[tuple[str, tuple[Activation, ...]]]] = {
    # Custom pieces are there for their derivatives: they have no forward pass of their own.
    "peers": [(FORWARD, PAPER), (FORWARD_BACKWARD, PAPER + CUSTOM)],
    "cold": [(FORWARD, (B,))],
    "threads": [(FORWARD, (A, B, C)), (FORWARD_BACKWARD, (A, B, C))],
}
"""dyrelu beside its peers, on arrays that no cache holds, and beside itself with more threads."""


@dataclass(frozen=True)
class Case:
    section: str
    activation: Activation
    work: str
    shape: tuple[int, int, int, int]

    @property
    def name(self) -> str:
        return f"{self.section} {self.activation.name} {self.work} {'x'.join(map(str, self.shape))}"


def cases(section: str) -> Iterator[Case]:
    for work, activations in SECTIONS[section]:
        for activation in activations:
            for shape in SHAPES:
                yield Case(section, activation, work, shape)


def tensors(case: Case) -> dict[str, np.ndarray]:
    """Input, gradient of the output and parameters, the same ones for all contenders.

    Parameters are drawn from the range that PyTorch's linear layers start with.
    """
    random = np.random.default_rng(0)
    activation = case.activation
    channels = case.shape[1]
    hidden = max(channels // REDUCTION, 1)
    outputs = activation.coefficients * activation.pieces * (1 if activation.shares_channels else channels)
    parameters = {
        "fc1.weight": ((hidden, channels), channels),
        "fc1.bias": ((hidden,), channels),
        "fc2.weight": ((outputs, hidden), hidden),
        "fc2.bias": ((outputs,), hidden),
    }
    if activation.has_attention:
        parameters["attention.weight"] = ((1, channels, 1, 1), channels)
        parameters["attention.bias"] = ((1,), channels)
    drawn = {
        "x": random.standard_normal(case.shape),
        "grad_y": random.standard_normal(case.shape),
    }
    for name, (shape, inputs) in parameters.items():
        bound = inputs**-0.5
        drawn[f"parameters.{name}"] = random.uniform(-bound, bound, shape)
    return {name: array.astype(np.float32) for name, array in drawn.items()}


def parameters(case_tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The parameters among the tensors of a case, under the names that they have in a layer."""
    prefix = "parameters."
    return {name.removeprefix(prefix): array for name, array in case_tensors.items() if name.startswith(prefix)}
