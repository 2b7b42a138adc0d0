"""The same activations in PyTorch, eager and by torch.compile.

    python dyrelu-gpu/benches/peer.py 64 256 56 [--device cuda]

First the activation alone, for given coefficients, as the benchmark `bandwidth` of dyrelu-gpu has it: the percentage is that of a
copy's bandwidth. Then whole layers, means and hyper function included, as the benchmark `gpu` of dyrelu-burn has them. Each time
is the median of many rounds.
"""

import argparse
import statistics
import time

import torch
from torch import nn

ROUNDS, LAUNCHES = 30, 20


def relu(x, a0, a1, b0, b1, pi=None):
    y = torch.maximum(a0 * x + b0, a1 * x + b1)
    return y if pi is None else y * pi


def swish(x, beta):
    return x * torch.sigmoid(beta * x)


class Layer(nn.Module):
    """An activation whose coefficients follow from the means of x, arXiv:2003.10027, equations 3 to 5."""

    def __init__(self, function, channels, share, initial, ranges):
        super().__init__()
        self.function, self.initial, self.ranges = function, initial, ranges
        sets = 1 if share == "A" else channels
        hidden = max(channels // 8, 4)
        self.fc1, self.fc2 = nn.Linear(channels, hidden), nn.Linear(hidden, sets * len(initial))
        self.attention = nn.Conv2d(channels, 1, 1) if share == "C" else None

    def forward(self, x):
        n, c, h, w = x.shape
        means = x.mean((2, 3), dtype=torch.float32)
        residuals = 2 * torch.sigmoid(self.fc2(torch.relu(self.fc1(means)))) - 1
        residuals = residuals.view(n, -1, len(self.initial), 1, 1).to(x.dtype)
        arguments = [
            initial + size * residuals[:, :, i]
            for i, (initial, size) in enumerate(zip(self.initial, self.ranges))
        ]
        if self.attention is not None:
            scores = self.attention(x.float()).flatten(2)
            pi = (torch.softmax(scores / 10, 2) * (h * w / 3)).clamp(max=1).view(n, 1, h, w)
            arguments.append(pi.to(x.dtype))
        return self.function(x, *arguments)


def median(device, work):
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    times = []
    for _ in range(ROUNDS):
        wait()
        start = time.perf_counter()
        for _ in range(LAUNCHES):
            work()
        wait()
        times.append((time.perf_counter() - start) / LAUNCHES)
    return statistics.median(times)


def measure(device, function, inputs, arguments, grad_y):
    """The times of the forward pass and of both, in seconds."""

    def forward():
        with torch.no_grad():
            function(*arguments)

    def both():
        torch.autograd.grad(function(*arguments), inputs, grad_y)

    for _ in range(3):
        forward(), both()
    return median(device, forward), median(device, both)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shape", type=int, nargs=3, help="samples, channels, side")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--no-compile", action="store_true", help="eager only")
    options = parser.parse_args()
    n, c, side = options.shape
    device = options.device
    name = torch.cuda.get_device_name() if device == "cuda" else device
    print(f"PyTorch {torch.__version__}, {name}: {n}×{c}×{side}×{side}\n")
    print("| what | stored as | how | forward, ms | of a copy | both, ms | of a copy |")
    print("|:--|:--|:--|--:|--:|--:|--:|")
    ways = ("eager",) if options.no_compile else ("eager", "compile")
    for dtype in (torch.float32, torch.float16):
        new = lambda *size: torch.randn(*size, device=device, dtype=dtype, requires_grad=True)
        x, grad_y = new(n, c, side, side), new(n, c, side, side).detach()
        copy = median(device, lambda: x.detach().clone())
        bandwidth = 2 * x.numel() * x.element_size() / copy / 1e9
        print(f"| copy, {bandwidth:.0f} GB/s | {dtype} | | {copy * 1e3:.4f} | | | |")

        def row(what, how, times, arrays):
            forward, both = times
            percentages = [100 * copy * part / 2 / seconds for part, seconds in zip(arrays, times)]
            print(
                f"| {what} | {dtype} | {how} | {forward * 1e3:.4f} | {percentages[0]:.0f} % "
                f"| {both * 1e3:.4f} | {percentages[1]:.0f} % |",
                flush=True,
            )

        lines = (1.0, 0.0, 0.0, 0.0), (1.0, 1.0, 0.5, 0.5)
        for name, function, share, (initial, ranges) in (
            ("DyReluA", relu, "A", lines),
            ("DyReluB", relu, "B", lines),
            ("DyReluC", relu, "C", lines),
            ("DynamicSwish", swish, "B", ((1.0,), (1.0,))),
        ):
            sets = 1 if share == "A" else c
            arguments = [x, *(new(n, sets, 1, 1) for _ in initial)]
            if share == "C":
                arguments.append(new(n, 1, side, side))
            layer = Layer(function, c, share, initial, ranges).to(device)
            for how in ways:
                torch._dynamo.reset()
                wrap = torch.compile if how == "compile" else lambda function: function
                row(name, how, measure(device, wrap(function), arguments, arguments, grad_y), (2, 5))
                times = measure(device, wrap(layer), [x, *layer.parameters()], (x,), grad_y)
                row(f"{name}, layer", how, times, (3, 8))


if __name__ == "__main__":
    main()
