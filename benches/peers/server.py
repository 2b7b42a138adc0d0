"""The Rust process: dyrelu and the memory floor."""

import json
import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

import numpy as np
from safetensors.numpy import load_file, save_file

from turns import Timer, Timing


class Server:
    """Sends one request at a time to `main.rs`; while none is under way, the process sleeps."""

    def __init__(self, program: Path, threads: int) -> None:
        self.directory = TemporaryDirectory()
        self.process = subprocess.Popen(
            [program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "RAYON_NUM_THREADS": str(threads)},
        )

    def __enter__(self) -> "Server":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.stdin.close()
        self.process.wait()
        self.directory.cleanup()

    def open(self, activation: str, tensors: dict[str, np.ndarray]) -> None:
        """Makes these tensors the case of all requests that follow."""
        inputs = Path(self.directory.name, "inputs.safetensors")
        save_file(tensors, inputs)
        self._ask({"open": {"activation": activation, "inputs": str(inputs)}})

    def compute(self) -> dict[str, np.ndarray]:
        """The output `y`, the gradient of `x` and those of the parameters under their names."""
        outputs = Path(self.directory.name, "outputs.safetensors")
        self._ask({"compute": {"outputs": str(outputs)}})
        return load_file(outputs)

    def timer(self, work: str) -> Timer:
        return lambda seconds: Timing(**self._ask({"time": {"work": work, "seconds": seconds}}))

    def _ask(self, request: dict) -> dict | None:
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        reply = self.process.stdout.readline()
        if not reply:
            raise RuntimeError(f"the Rust process ended at {request}; its message stands above")
        return json.loads(reply)
