#!/usr/bin/env python3
"""Compares exported layers with the ndarray engine in ONNX Runtime, two batches and image sizes for each file.

Needs Rust and Python 3.11 or later, and, the first time, the Python package index.
"""

import os
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
REQUIREMENTS = HERE / "requirements.txt"
FILES = TARGET / "onnxruntime-cases"

TOLERANCES = {"f32": 1e-5, "f64": 1e-10}


def main() -> int:
    python = environment()
    if Path(sys.prefix) != python.parents[1]:
        export = ["cargo", "run", "--quiet", "-p", "dyrelu-onnx", "--example", "onnxruntime_cases", "--", FILES]
        subprocess.run(export, cwd=ROOT, check=True)
        return subprocess.run([python, __file__], check=False).returncode
    return compare()


def environment() -> Path:
    """The Python of a virtual environment with the pinned packages."""
    directory = TARGET / "onnxruntime-venv"
    python = directory / "bin" / "python"
    installed = directory / "requirements.txt"
    if not installed.exists() or installed.read_text() != REQUIREMENTS.read_text():
        venv.create(directory, clear=True, symlinks=True, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", "-r", REQUIREMENTS], check=True)
        installed.write_text(REQUIREMENTS.read_text())
    return python


def compare() -> int:
    """Prints the largest difference of each case and returns the number of failures, at most 1."""
    paths = sorted(FILES.glob("*/*.onnx"))
    failures = []
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for path in paths:
        name, rank, _ = path.name.split(".")
        number = path.parent.name
        found = difference(path)
        row = rows.setdefault((number, name), {})
        row[rank] = found if isinstance(found, str) else f"{found:.1e}"
        if isinstance(found, str) or not found <= TOLERANCES[number]:
            failures.append(f"{number} {name} rank {rank}: {found}")
    print("largest |Δ| to the ndarray engine\n")
    print(f"| {'':5} | {'case':20} | {' | '.join(f'rank {rank} ' for rank in '2345')} |")
    print("|---|---|--:|--:|--:|--:|")
    for (number, name), row in rows.items():
        print(f"| {number:5} | {name:20} | {' | '.join(f'{row[rank]:7}' for rank in '2345')} |")
    print()
    for failure in failures:
        print("FAILED", failure)
    print(f"{len(paths) - len(failures)} passed, {len(failures)} failed")
    return min(len(failures), 1) if paths else 1


def difference(path: Path) -> float | str:
    """The largest difference over all passes; what ONNX Runtime says if it does not run the graph."""
    import numpy as np
    import onnx
    import onnxruntime
    from safetensors.numpy import load_file

    onnx.checker.check_model(str(path), full_check=True)
    onnx.shape_inference.infer_shapes(onnx.load(path), check_type=True, strict_mode=True, data_prop=True)
    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented as error:
        return str(error)
    tensors = load_file(path.with_suffix(".safetensors"))
    largest = 0.0
    for number in "01":
        inputs = {input.name: tensors[f"{number}.{input.name}"] for input in session.get_inputs()}
        [y] = session.run(["y"], inputs)
        expected = tensors[f"{number}.y"]
        if y.shape != expected.shape or y.dtype != expected.dtype:
            return f"{y.dtype} {y.shape} instead of {expected.dtype} {expected.shape}"
        difference = np.abs(y - expected).max()
        largest = difference if not difference <= largest else largest
    return float(largest)


if __name__ == "__main__":
    sys.exit(main())
