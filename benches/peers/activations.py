"""The activations that are compared; `activations.rs` describes the same ones."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Activation:
    """A description: coefficient = init + lambda * residual, for each of P coefficients and K pieces."""

    name: str
    title: str
    init: tuple[tuple[float, ...], ...]
    lambdas: tuple[float, ...]
    """One for each coefficient, the same for all pieces."""
    shares_channels: bool = False
    """All channels of a sample have one set of coefficients: mode A."""
    has_attention: bool = False
    """A spatial attention multiplies the coefficients: mode C."""

    @property
    def coefficients(self) -> int:
        return len(self.init)

    @property
    def pieces(self) -> int:
        return len(self.init[0])


TWO_LINES = {"init": ((1.0, 0.0), (0.0, 0.0)), "lambdas": (1.0, 0.5)}

A = Activation("A", "A, K = 2", **TWO_LINES, shares_channels=True)
B = Activation("B", "B, K = 2", **TWO_LINES)
C = Activation("C", "C, K = 2", **TWO_LINES, has_attention=True)
B4 = Activation("B4", "B, K = 4", init=((1.0, 0.0, 0.0, 0.0), (0.0,) * 4), lambdas=(1.0, 0.5))
SWISH = Activation(
    "swish",
    "B, K = 2, piece `a * x * sigmoid(b * x) + c`",
    init=((1.0, 0.5), (1.0, 1.0), (0.0, 0.0)),
    lambdas=(1.0, 1.0, 1.0),
)
BRANCH = Activation(
    "branch",
    "B, K = 2, piece `if x > c { a * (x - c) } else { b * (x - c) }`",
    init=((1.0, 0.5), (0.25, 0.0), (0.0, 0.0)),
    lambdas=(1.0, 1.0, 1.0),
)

PAPER = (A, B, C, B4)
"""Those with the paper's piece, `a * x + b`."""

CUSTOM = (SWISH, BRANCH)
