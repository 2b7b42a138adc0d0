"""The same activations in PyTorch, eager and by torch.compile, for the device and the shape of the benchmark `bandwidth`.

    python dyrelu-gpu/benches/peer.py 64 256 56 [--device cuda]

x and coefficients are given, as there. Each time is the median of many rounds; the percentage is that of a copy's bandwidth.
"""

import argparse
import statistics
import time

import torch

ROUNDS, LAUNCHES = 30, 10


def combine(x, a, b, pi):
    y = torch.maximum(a[0] * x + b[0], a[1] * x + b[1])
    return y if pi is None else y * pi


def swish(x, a, b, pi):
    return a[0] * x * torch.sigmoid(b[0] * x)


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


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shape", type=int, nargs=3, help="samples, channels, side")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--no-compile", action="store_true", help="eager only")
    options = parser.parse_args()
    n, c, side = options.shape
    print("| activation | stored as | how | copy, GB/s | forward | forward and backward, ms |")
    print("|:--|:--|:--|--:|--:|--:|")
    for dtype in (torch.float32, torch.float16):
        for name, function, channels, with_pi in (
            ("DyReluA", combine, 1, False),
            ("DyReluB", combine, c, False),
            ("DyReluC", combine, c, True),
            ("DynamicSwish", swish, c, False),
        ):
            new = lambda *size: torch.randn(*size, device=options.device, dtype=dtype, requires_grad=True)
            x, g = new(n, c, side, side), new(n, c, side, side).detach()
            a, b = ([new(n, channels, 1, 1) for _ in range(2)] for _ in range(2))
            pi = new(n, 1, side, side) if with_pi else None
            inputs = [x, *a, *b] + ([] if pi is None else [pi])
            bytes_of_copy = 2 * x.numel() * x.element_size()
            copy = median(options.device, lambda: x.detach().clone())
            for how in ("eager",) if options.no_compile else ("eager", "compile"):
                run = function if how == "eager" else torch.compile(function)

                def forward():
                    with torch.no_grad():
                        run(x, a, b, pi)

                def both():
                    torch.autograd.grad(run(x, a, b, pi), inputs, g, allow_unused=True)

                forward(), both()
                times = median(options.device, forward), median(options.device, both)
                print(
                    f"| {name} | {dtype} | {how} | {bytes_of_copy / copy / 1e9:.1f} "
                    f"| {100 * copy / times[0]:.0f} % | {times[1] * 1e3:.3f} |"
                )


if __name__ == "__main__":
    main()
