"""All contenders must compute the same function: checked before anything is timed."""

import numpy as np

TOLERANCE = 1e-4
"""Relative to the largest number of an array; the contenders compute in single precision."""


def check(contender: str, found: dict[str, np.ndarray], reference: dict[str, np.ndarray]) -> float:
    """The largest difference of any array, relative to its largest number; an error when it is too large."""
    return max((difference(contender, name, array, reference) for name, array in found.items()), default=0.0)


def difference(contender: str, name: str, found: np.ndarray, reference: dict[str, np.ndarray]) -> float:
    expected = reference[name]
    # The softmax does not change when all scores do: the gradient is 0, and what is found is the rounding of a sum
    # whose terms are as large as those of the weights.
    scale = np.abs(reference["attention.weight" if name == "attention.bias" else name]).max()
    largest = float(np.abs(found.reshape(expected.shape) - expected).max() / scale)
    if not largest <= TOLERANCE:
        raise ArithmeticError(f"{contender}: `{name}` differs by {largest:.1e} of its largest number")
    return largest
