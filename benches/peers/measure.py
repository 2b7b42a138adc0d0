"""Measures one section with one number of threads; `run.py` starts it.

The records go to standard output as JSON, progress to standard error.
"""

import argparse
import json
import sys
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from activations import PAPER
from agreement import check
from cases import FORWARD, SECTIONS, Case, cases, tensors
from onnx_runtime import OnnxContender
from others import watch
from pytorch import Careful, Convolution, Public, TorchContender, compiled, eager, ignore_kinks, reference
from server import Server
from turns import Schedule, Timer, alternate, timer

Contenders = dict[str, tuple[dict[str, np.ndarray], Timer]]
"""For each its output, with the gradients if the pass has them, and how it takes a turn."""


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--section", choices=SECTIONS, required=True)
    arguments.add_argument("--program", type=Path, required=True)
    arguments.add_argument("--threads", type=int, action="append", required=True)
    arguments.add_argument("--rounds", type=int, required=True)
    arguments.add_argument("--seconds", type=float, required=True)
    arguments.add_argument("--only", action="append", default=[])
    options = arguments.parse_args()

    torch.set_num_threads(options.threads[0])
    schedule = Schedule(options.rounds, options.seconds)
    records = []
    with ExitStack() as stack:
        servers = {threads: stack.enter_context(Server(options.program, threads)) for threads in options.threads}
        for case in cases(options.section):
            if all(part in case.name for part in options.only):
                record = measure(case, servers, schedule)
                records.append(record)
                show(case, record)
    json.dump(records, sys.stdout)


def measure(case: Case, servers: dict[int, Server], schedule: Schedule) -> dict:
    """Lets the contenders of a case agree, and then take turns."""
    inputs = tensors(case)
    ignore_kinks(case.activation, inputs)
    for server in servers.values():
        server.open(case.activation.name, inputs)

    expected = reference(case.activation, inputs)
    contenders = SECTION_CONTENDERS[case.section](case, inputs, servers)
    differences = {name: check(name, found, expected) for name, (found, _) in contenders.items()}
    share_of_others = watch(server.process.pid for server in servers.values())
    timings = alternate({name: timer for name, (_, timer) in contenders.items()}, schedule)
    return {
        "section": case.section,
        "activation": case.activation.title,
        "work": case.work,
        "shape": case.shape,
        "threads": list(servers),
        "others": share_of_others(),
        "timings": {name: asdict(timing) for name, timing in timings.items()},
        "differences": differences,
    }


def peers(case: Case, inputs: dict[str, np.ndarray], servers: dict[int, Server]) -> Contenders:
    """dyrelu, the memory floor, PyTorch in up to four forms and ONNX Runtime."""
    [(threads, server)] = servers.items()
    torch.compiler.reset()
    forms = {
        "compiled": compiled(Careful, case.activation, inputs),
        "careful": eager(Careful, case.activation, inputs),
    }
    if case.activation.has_attention:
        forms["convolution"] = compiled(Convolution, case.activation, inputs)
    if case.activation in PAPER:
        forms["public"] = eager(Public, case.activation, inputs)
    contenders = {"dyrelu": (server.compute(), server.timer(case.work))}
    contenders |= {name: torch_contender(form, case.work) for name, form in forms.items()}
    if case.work == FORWARD:
        session = OnnxContender(case.activation, inputs, threads)
        contenders["onnxruntime"] = session.outputs(), timer(session.forward)
        contenders |= {work: ({}, server.timer(work)) for work in ("copy", "reread")}
    return contenders


def torch_contender(form: TorchContender, work: str) -> tuple[dict[str, np.ndarray], Timer]:
    if work == FORWARD:
        return form.outputs(), timer(form.forward)
    return form.outputs_and_gradients(), timer(form.forward_backward)


def cold(_case: Case, _inputs: dict[str, np.ndarray], servers: dict[int, Server]) -> Contenders:
    """dyrelu and a copy, on other arrays each time."""
    [server] = servers.values()
    return {
        "dyrelu": (server.compute(), server.timer("cold_forward")),
        "copy": ({}, server.timer("cold_copy")),
    }


def threads(case: Case, _inputs: dict[str, np.ndarray], servers: dict[int, Server]) -> Contenders:
    """dyrelu with several numbers of threads."""
    return {str(number): (server.compute(), server.timer(case.work)) for number, server in servers.items()}


SECTION_CONTENDERS = {"peers": peers, "cold": cold, "threads": threads}


def show(case: Case, record: dict) -> None:
    minima = "  ".join(f"{name} {timing['minimum'] * 1e6:.1f}" for name, timing in record["timings"].items())
    heading = f"{case.name}, threads {record['threads']}, others {record['others']:.0%}, µs:"
    print(heading, minima, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
