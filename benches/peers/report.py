"""The records as tables."""

from itertools import groupby

TITLES = {
    "compiled": "torch.compile",
    "convolution": "torch.compile, Conv2d",
    "onnxruntime": "ONNX Runtime",
    "careful": "PyTorch, careful",
    "public": "PyTorch, public",
}

OTHERS = "other programs"

PASSES = {"forward": "Forward", "forward_backward": "Forward and backward"}


def markdown(machine: dict[str, str], records: list[dict]) -> str:
    """All tables; README.md says how to read them."""
    tables = {"peers": peers_table, "cold": cold_table, "threads": threads_table}
    parts = ["# dyrelu beside its peers", table(["", ""], [[name, value] for name, value in machine.items()])]
    parts.append("Times in µs.")
    for (section, work, activation, threads), group in groupby(records, key=heading_of):
        parts.append(heading(section, work, activation, threads))
        parts.append(tables[section](list(group)))
    return "\n\n".join(parts) + "\n"


def heading_of(record: dict) -> tuple[str, str, str, tuple[int, ...]]:
    return record["section"], record["work"], record["activation"], tuple(record["threads"])


def heading(section: str, work: str, activation: str, threads: tuple[int, ...]) -> str:
    arrays = ", arrays in no cache" if section == "cold" else ""
    return f"## {PASSES[work]}, {activation}{arrays}, {counted(' and '.join(map(str, threads)))}"


def counted(threads: str) -> str:
    return "1 thread" if threads == "1" else f"{threads} threads"


def peers_table(records: list[dict]) -> str:
    first = minima(records[0])
    peers = [name for name in TITLES if name in first]
    has_floor = "copy" in first
    header = ["input", "dyrelu", *(TITLES[name] for name in peers)]
    header += [f"{TITLES[name]} / dyrelu" for name in peers]
    header += ["floor", "dyrelu / floor"] if has_floor else []
    header.append(OTHERS)
    rows = []
    for record in records:
        times = minima(record)
        own = times["dyrelu"]
        row = [shape(record), micros(own), *(micros(times[name]) for name in peers)]
        row += [ratio(times[name], own) for name in peers]
        if has_floor:
            floor = times["copy"] + times["reread"]
            row += [micros(floor), ratio(own, floor)]
        rows.append([*row, others(record)])
    return table(header, rows)


def cold_table(records: list[dict]) -> str:
    rows = []
    for record in records:
        times = minima(record)
        row = [shape(record), micros(times["dyrelu"]), micros(times["copy"]), ratio(times["dyrelu"], times["copy"])]
        rows.append([*row, others(record)])
    return table(["input", "dyrelu", "copy", "dyrelu / copy", OTHERS], rows)


def threads_table(records: list[dict]) -> str:
    fewest, *more = minima(records[0])
    header = ["input", counted(fewest)]
    header += [column for threads in more for column in (counted(threads), f"{fewest} / {threads}")]
    header.append(OTHERS)
    rows = []
    for record in records:
        times = minima(record)
        row = [shape(record), micros(times[fewest])]
        for threads in more:
            row += [micros(times[threads]), ratio(times[fewest], times[threads])]
        rows.append([*row, others(record)])
    return table(header, rows)


def minima(record: dict) -> dict[str, float]:
    return {name: timing["minimum"] for name, timing in record["timings"].items()}


def shape(record: dict) -> str:
    return "×".join(map(str, record["shape"]))


def others(record: dict) -> str:
    return f"{record['others']:.0%}"


def micros(seconds: float) -> str:
    value = seconds * 1e6
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def ratio(numerator: float, denominator: float) -> str:
    value = numerator / denominator
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---", *("---:" for _ in header[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
