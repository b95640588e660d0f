"""Row 10: compression of trained weights. Files lie in memory (tmpfs), so that the disk does not count."""

import os
import tempfile
from pathlib import Path

import weights
from measure import Case
from scene import MIB

LEAST_BYTES = 128 * MIB
COMPRESSION = "zstd"  # the driver's name for ckpt::Compression


def trained(scene):
    folder = Path(scene.settings.weights)
    weights.provide(folder, scene.settings.quick)
    found = weights.groups(folder)
    if not found:
        raise RuntimeError(f"{folder} has no tensors that are known")
    with tempfile.TemporaryDirectory(prefix="ckpt-peers-", dir=scene.tmpfs) as memory:
        for name, tensors in found.items():
            of_group(scene, name, tensors, Path(memory))


def core_counts():
    """A name and a number each: one, doubled as long as there are more, and all."""
    total = len(os.sched_getaffinity(0))
    between = [2**i for i in range(1, total.bit_length()) if 2**i < total]
    return [("1 core", 1), *((f"{count} cores", count) for count in between), ("all cores", total)]


def of_group(scene, name, tensors, memory):
    width = {"bf16": 2, "f16": 2, "f32": 4, "f64": 8}[tensors[0][1]]
    data, layout = memory / "data", memory / "layout"
    tensors = [tensor for tensor in tensors if tensor[3]]
    tensors = tensors if scene.settings.quick else repeated(tensors)
    data.write_bytes(b"".join(raw for *_, raw in tensors))
    layout.write_text("".join(f"{path.replace('.', '_')}\t{dtype}\t{','.join(map(str, dims))}\n"
                              for path, dtype, dims, _ in tensors), encoding="utf-8")
    worker, row = scene.worker(cores=1), scene.row
    drivers = {cores: scene.driver(count) for cores, count in core_counts()}
    size = data.stat().st_size
    ins, outs, peers = {}, {}, []
    for cores, driver in drivers.items():
        driver("model", layout=layout, data=data)
        file = memory / f"{cores.replace(' ', '-')}.ckpt"
        driver("save", file=file, durable=0, compression=COMPRESSION)
        written = memory / "in.ckpt"
        ins[cores] = Case(f"{name}: ckpt in, {cores}", "ckpt", lambda driver=driver, file=written: rate(
            driver("save", file=file, durable=0, compression=COMPRESSION)),
            before=lambda file=written: file.unlink(missing_ok=True), value="rate", unit="B/s")
        outs[cores] = Case(f"{name}: ckpt out, {cores}", "ckpt", lambda driver=driver, file=file: rate(
            driver("read_into", file=file, mode="mmap")), value="rate", unit="B/s")
    for label, level, planes in (("zstd -1", 1, 1), ("zstd -3", 3, 1), ("zstd -1 of planes", 1, width)):
        peers.append(Case(f"{name}: {label} in, 1 core", "peer", lambda level=level, planes=planes: rate(
            worker("compress", data=data, level=level, plane_bytes=planes)), value="rate", unit="B/s"))
    scene.measure([*ins.values(), *outs.values(), *peers])
    stored = drivers["1 core"]("stored", file=memory / "1-core.ckpt")
    ratio, bound = size / stored["stored"], size / weights.entropy_bound(tensors, width)
    row.notes.append(f"{name}, {size / MIB:.1f} MiB: ckpt {ratio:.3f}, bound of byte planes {bound:.3f}; "
                     + ", ".join(f"{peer.name.split(': ')[1].removesuffix(' in, 1 core')} "
                                 f"{size / peer.answers[0]['stored']:.3f} (out {peer.out_rate() / 1e9:.2f} GB/s)"
                                 for peer in map(Peer, peers))
                     + f"; {stored['plain']} of {stored['tensors']} tensors are stored plain")
    row.at_least(f"{name}: ratio of the bound's", ratio / bound, 0.98)
    row.at_least(f"{name}: GB/s in, 1 core", ins["1 core"].median() / 1e9, 1.0)
    row.at_least(f"{name}: GB/s out, 1 core", outs["1 core"].median() / 1e9, 1.8)
    for way, of_cores in (("in", ins), ("out", outs)):
        row.at_least(f"{name}: {way}, all cores to 1", of_cores["all cores"].median() / of_cores["1 core"].median(),
                     None)
    for process in (*drivers.values(), worker):
        process.close()


def repeated(tensors):
    """The same tensors under other names, until their size is that of a model of which rates mean something: what a
    save or load takes to begin and end is of no weight then. Each tensor is compressed on its own, so ratios stay."""
    size = sum(len(raw) for *_, raw in tensors)
    return [(f"copy{i}/{path}", dtype, dims, raw) for i in range(max(1, -(-LEAST_BYTES // size)))
            for path, dtype, dims, raw in tensors]


def rate(answer):
    return {**answer, "rate": answer["bytes"] / answer["seconds"]}


class Peer:
    """What else the worker tells of compressing."""

    def __init__(self, case):
        self.name, self.answers, self.case = case.name, case.answers, case

    def out_rate(self):
        return self.answers[0]["bytes"] / self.case.median("out")
