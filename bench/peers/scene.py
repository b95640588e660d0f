"""Where scenarios take place: a folder on one file system, processes that are started for one row, layouts, files."""

import sys
from pathlib import Path

from measure import Case
from processes import Failed, Process

MIB = 1 << 20
GIB = 1 << 30


def transformer(size):
    """300 tensors of float32 that are together `size` bytes: 23 layers of 13 and an embedding with the rest."""
    elements = size // 4
    width = int((elements * 7 / 8 / 23 / 12) ** 0.5) // 2 * 2
    square, row = f"{width},{width}", f"{width}"
    parts = [*((f"attention.{name}.weight", square) for name in ("query", "key", "value", "output")),
             ("mlp.up.weight", f"{4 * width},{width}"), ("mlp.down.weight", f"{width},{4 * width}"),
             ("mlp.up.bias", f"{4 * width}"), ("mlp.down.bias", row), ("attention.output.bias", row),
             *((f"{name}.{kind}", row) for name in ("norm1", "norm2") for kind in ("weight", "bias"))]
    lines = [f"layers.{layer}.{name}\tf32\t{dims}" for layer in range(23) for name, dims in parts]
    used = 23 * (12 * width**2 + 10 * width)
    return [*lines, f"embedding.weight\tf32\t{elements - used}"]


def many(count, elements=16):
    """So many small tensors."""
    names = ["attention.query.weight", "attention.key.weight", "attention.value.weight", "attention.output.weight",
             "mlp.up.weight", "mlp.down.weight", "norm1.weight", "norm2.weight"]
    return [f"model.layers.{i // 8}.{names[i % 8]}\tf32\t{elements}" for i in range(count)]


def some_paths(lines, wanted=16):
    """Paths from all over the file, so that not one lucky search is measured."""
    step = max(1, len(lines) // wanted)
    return ",".join(line.split("\t")[0] for line in lines[step // 2::step][:wanted])


class Scene:
    """`row` gets what is measured; files lie in `folder` until close()."""

    def __init__(self, row, folder, driver, settings, tmpfs):
        self.row, self.folder, self.tmpfs = row, Path(folder), tmpfs
        self.program, self.settings = driver, settings
        self.processes = []

    def driver(self, cores=None):
        return self._start([self.program], cores)

    def worker(self, cores=None):
        return self._start([sys.executable, Path(__file__).with_name("worker.py")], cores)

    def _start(self, command, cores):
        self.processes.append(Process(command, cores, self.settings.log))
        return self.processes[-1]

    def close(self):
        for process in self.processes:
            process.close()

    def size(self, full):
        """Bytes: `full`, or few in a quick run."""
        return full if not self.settings.quick else min(full, 32 * MIB)

    @property
    def rounds(self):
        return self.settings.rounds

    def file(self, name):
        return self.folder / name

    def remove(self, name):
        """Removes the file, and what its writer put beside it."""
        def body():
            for file in self.folder.glob(name + "*"):
                file.unlink()
        return body

    def layout(self, name, lines):
        file = self.folder / f"{name}.layout"
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return file

    def measure(self, cases):
        self.row.measure(cases, self.rounds)

    def peer_file(self, worker, name, format):
        """Lets a peer save its model; False, and a line in the report, when the format cannot hold it."""
        try:
            worker("save", file=self.file(name), format=format, durable=0)
        except Failed as error:
            if "header too large" not in str(error):  # safetensors: 100 MB
                raise
            self.row.not_measured(name, str(error))
            return False
        return True

    def repeated(self, name, kind, process, operation, at_most=50, **fields):
        """A case of an operation that is short: so often that it takes some hundredths of a second."""
        once = process(operation, times=1, **fields)["seconds"]
        times = max(1, min(at_most, int(0.03 / max(once, 1e-7))))
        return Case(name, kind, lambda: process(operation, times=times, **fields))


def case(name, kind, process, operation, before=None, after=None, value="seconds", unit="s", **fields):
    return Case(name, kind, lambda: process(operation, **fields), before, after, value, unit)
