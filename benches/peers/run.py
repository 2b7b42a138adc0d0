#!/usr/bin/env python3
"""Measures dyrelu beside PyTorch and ONNX Runtime; README.md says how.

Needs Rust, Python 3.11 or later, g++ and, the first time, the Python package index.
"""

import argparse
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import machine
import report

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TARGET = ROOT / "target"
REQUIREMENTS = HERE / "requirements.txt"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--threads", default="1,2", help="numbers of threads, for example 1,2 (the default)")
    arguments.add_argument("--quick", action="store_true", help="the smallest input and two short rounds")
    arguments.add_argument("--only", action="append", default=[], help='a part of the names of cases: "B forward "')
    arguments.add_argument("--output", type=Path, default=TARGET / "peers", help="where the results go")
    options = arguments.parse_args()
    thread_counts = options.threads.split(",")

    described = machine.describe(ROOT, REQUIREMENTS)
    command = [environment(), HERE / "measure.py", "--program", program()]
    command += ["--rounds", "2", "--seconds", "0.02"] if options.quick else ["--rounds", "7", "--seconds", "0.06"]
    only = [*options.only, *(["1x16x32x32"] if options.quick else [])]
    command += [argument for part in only for argument in ("--only", part)]

    records = []
    for threads in thread_counts:
        for section in ("peers", "cold"):
            records += measure(command, section, [threads])
    if len(thread_counts) > 1:
        records += measure(command, "threads", thread_counts)

    options.output.mkdir(parents=True, exist_ok=True)
    results = json.dumps({"machine": described, "records": records}, indent=1)
    (options.output / "results.json").write_text(results + "\n")
    (options.output / "results.md").write_text(report.markdown(described, records))
    print(f"wrote {options.output}/results.md and results.json")


def environment() -> Path:
    """The Python of a virtual environment with the pinned peers."""
    directory = TARGET / "peers-venv"
    python = directory / "bin" / "python"
    installed = directory / "requirements.txt"
    if not installed.exists() or installed.read_text() != REQUIREMENTS.read_text():
        print("installing the peers: about 2 GB to load, 4.5 GB on the disk", file=sys.stderr)
        venv.create(directory, clear=True, symlinks=True, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", "-r", REQUIREMENTS], check=True)
        installed.write_text(REQUIREMENTS.read_text())
    return python


def program() -> Path:
    """The Rust side, built."""
    command = ["cargo", "build", "--release", "--bench", "peers", "--message-format", "json-render-diagnostics"]
    built = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    messages = map(json.loads, built.stdout.splitlines())
    executables = (message["executable"] for message in messages if message.get("executable"))
    return Path(next(executables))


def measure(command: list, section: str, threads: list[str]) -> list[dict]:
    """A process of its own: PyTorch reads the number of threads when it starts, and compiled code contains it."""
    variables = {
        "OMP_NUM_THREADS": threads[0],
        "MKL_NUM_THREADS": threads[0],
        # A compiler that waits for more to compile would be another process on the processors.
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
        "TORCHINDUCTOR_CACHE_DIR": str(TARGET / "peers-compiled"),
    }
    arguments = ["--section", section, *(argument for count in threads for argument in ("--threads", count))]
    measured = subprocess.run(
        [*command, *arguments], env={**os.environ, **variables}, check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(measured.stdout)


if __name__ == "__main__":
    main()
