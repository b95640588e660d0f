"""ckpt beside others and beside what the machine can do: the goals table, row by row.

usage: main.py DRIVER [--quick] [--dir FOLDER]... [--rows N,N] [--weights FOLDER] [--set-readahead] [--json FILE]
               [--svg FILE]

Exit status 1 when something could not be measured; it is named at the end. A missed goal is a result, not a failure.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import os
import random
import sys
import tempfile
import time
import traceback
from pathlib import Path

import charts
import compression
import growth
import loading
import memory
import report
import saving
from measure import Row
from processes import Process
from scene import Scene

TMPFS = "/dev/shm"
# Number, title, function, and where it makes sense: "disk", "any" file system, or "once" whatever the file system.
ROWS = [(1, "open and bind one tensor", loading.open_bind_one, "any"),
        (2, "open and bind all tensors", loading.bind_all, "any"),
        (3, "durable save of 300 tensors, checksums on", saving.durable, "disk"),
        (4, "save without fsync, checksums on", saving.cached, "any"),
        (5, "warm: sum of every byte, verify", loading.warm, "any"),
        (6, "cold read into memory", loading.cold, "disk"),
        (7, "restore into variables that are there, warm", loading.restore, "any"),
        (8, "save in the background", saving.background, "disk"),
        (9, "100,000 tensors of 4 KiB", saving.small_tensors, "disk"),
        (10, "compression of trained weights", compression.trained, "once"),
        (11, "memory beyond the state", memory.peak, "once"),
        (12, "four processes share a file", memory.shared, "once"),
        (13, "growth in bytes and in tensors", growth.growth, "disk")]


def parse():
    parser = argparse.ArgumentParser(prog="./dev bench-peers")
    parser.add_argument("driver")
    parser.add_argument("--quick", action="store_true", help="small sizes, 3 rounds: shows that it works, no results")
    parser.add_argument("--dir", action="append", help="where to write; by default the work folder and /dev/shm")
    parser.add_argument("--rows", help="only these, such as 1,3,10")
    parser.add_argument("--weights", default="build-peers/weights", help="trained weights; made when it is empty")
    parser.add_argument("--set-readahead", action="store_true", help="as root: also measure row 6 with 128 KiB")
    parser.add_argument("--json", default="build-peers/results.json")
    parser.add_argument("--svg", default="build-peers/peers.svg")
    settings = parser.parse_args()
    settings.log = "build-peers/processes.log"
    settings.rounds = 3 if settings.quick else 7
    settings.dir = settings.dir or ["build-peers", TMPFS]
    settings.rows = {int(row) for row in settings.rows.split(",")} if settings.rows else {row[0] for row in ROWS}
    settings.tensorflow = importlib.util.find_spec("tensorflow") is not None
    if settings.quick and settings.weights == parser.get_default("weights"):
        settings.weights += "-quick"
    return settings


def machine(driver, folders):
    """What the driver tells about each folder's file system."""
    process = Process([driver])
    told = {folder: process("machine", file=folder) for folder in folders}
    process.close()
    versions = {name: importlib.metadata.version(name) for name in
                ("torch", "safetensors", "numpy", "gguf", "zstandard", "tensorflow") if installed(name)}
    return told, versions


def installed(name):
    return importlib.util.find_spec(name) is not None


def available():
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable"):
            return int(line.split()[1]) * 1024
    return 0


def places(where, folders, on_tmpfs):
    """The folders that a row is measured in."""
    if where == "once":
        return folders[:1]
    return [folder for folder in folders if where == "any" or not on_tmpfs[folder]]


def measure(number, title, function, folder, settings):
    settings.available = available()
    row = Row(number, title, folder)
    with tempfile.TemporaryDirectory(prefix="ckpt-peers-", dir=folder) as work:
        scene = Scene(row, work, settings.driver, settings, TMPFS)
        try:
            function(scene)
        finally:
            scene.close()
    return row.summary()


def run(settings):
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    told, versions = machine(settings.driver, settings.dir)
    result = {"started": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), "quick": settings.quick,
              "rounds": settings.rounds, "machine": told, "versions": versions, "rows": [], "failed": [],
              "load_before": os.getloadavg()[0]}
    for folder, facts in told.items():
        print(folder, *(f"  {name}: {value}" for name, value in facts.items()), sep="\n")
    print("others:", ", ".join(f"{name} {version}" for name, version in versions.items()))
    print(f"load before: {result['load_before']:.1f}" + ("; QUICK: no results" if settings.quick else ""), flush=True)
    on_tmpfs = {folder: str(facts["file system"]).startswith("tmpfs") for folder, facts in told.items()}
    for number, title, function, where in ROWS:
        if number not in settings.rows:
            continue
        folders = places(where, settings.dir, on_tmpfs)
        if not folders:
            result["failed"].append(f"row {number}, {title}: no --dir lies on a disk")
        for folder in folders:
            begun = time.monotonic()
            try:
                row = measure(number, title, function, folder, settings)
            except Exception as error:  # one row must not take the others with it
                traceback.print_exc()
                result["failed"].append(f"row {number}, {title}, in {folder}: {error}")
                continue
            row["seconds"] = round(time.monotonic() - begun, 1)
            result["rows"].append(row)
            print("\n".join(report.lines(row)), f"\n   ({row['seconds']} s)", flush=True)
    result["load_after"] = os.getloadavg()[0]
    return result


def main():
    settings = parse()
    random.seed()
    result = run(settings)
    Path(settings.json).write_text(json.dumps(result, indent=1), encoding="utf-8")
    Path(settings.svg).write_text(charts.page(result), encoding="utf-8")
    print(f"\nwritten: {settings.json}, {settings.svg}")
    if settings.rows != {row[0] for row in ROWS}:
        print("left out by --rows:", ", ".join(str(row[0]) for row in ROWS if row[0] not in settings.rows))
    for failed in result["failed"]:
        print("COULD NOT BE MEASURED:", failed)
    print(f"{len(result['rows'])} measured, {len(result['failed'])} failed")
    return 1 if result["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
