"""The machine and the versions that the numbers belong to."""

import os
import platform
import subprocess
from datetime import datetime, timezone
from pathlib import Path


def describe(root: Path, requirements: Path) -> dict[str, str]:
    versions = dict(line.split("==") for line in requirements.read_text().splitlines() if "==" in line)
    peers = {name: versions[name] for name in ("torch", "onnxruntime", "numpy")}
    return {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": processor(),
        "processors": str(os.cpu_count()),
        "caches": caches(),
        "load before the run": f"{os.getloadavg()[0]:.2f}",
        "system": platform.platform(),
        "commit": said("git", "describe", "--always", "--dirty", directory=root),
        "rustc": said("rustc", "--version", directory=root).removeprefix("rustc "),
        "g++ (for torch.compile)": said("g++", "-dumpfullversion", directory=root),
        "python": platform.python_version(),
        **peers,
    }


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def caches() -> str:
    """As the first processor sees them."""
    described = []
    for cache in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = ((cache / name).read_text().strip() for name in ("level", "type", "size"))
        if kind != "Instruction":
            described.append(f"L{level} {size}")
    return ", ".join(described) or "unknown"


def said(*command: str, directory: Path) -> str:
    return subprocess.run(command, cwd=directory, check=True, capture_output=True, text=True).stdout.strip()
