"""The peers, one operation a request, timed in here; see processes.py for the lines.

Imports are done before, and the garbage collector is off while the clock runs.
"""

import gc
import os
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load, load_file, save_file

OPERATIONS = {}
STATE = {}


def operation(function):
    OPERATIONS[function.__name__] = function
    return function


def timed(body):
    """Seconds, and what `body` returned."""
    gc.collect()
    gc.disable()
    begin = time.perf_counter()
    result = body()
    seconds = time.perf_counter() - begin
    gc.enable()
    return seconds, result


def read_layout(layout):
    for line in Path(layout).read_text(encoding="utf-8").splitlines():
        path, dtype, dims = line.split("\t")
        if dtype != "f32":
            raise ValueError(f"the peers' model is of f32, not {dtype}")
        yield path, [int(number) for number in dims.split(",")]


def total(tensors, threads=1):
    """The sum of all bytes as 8-byte words, modulo 2^64. Threads share the tensors: one tensor by several is slower."""
    torch.set_num_threads(1)

    def one(tensor):
        return int(tensor.flatten().view(torch.int64).sum())

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(one, tensors) if threads > 1 else map(one, tensors)) % 2**64


@operation
def model(layout):
    """Random tensors, each in memory of its own, which is touched."""
    torch.manual_seed(46)
    STATE["model"] = {path: torch.randint(-2**62, 2**62, (int(np.prod(shape)) // 2,)).view(torch.float32).view(shape)
                      for path, shape in read_layout(layout)}
    STATE["sum"] = total(STATE["model"].values())
    return {"sum": STATE["sum"], "bytes": sum(t.nbytes for t in STATE["model"].values())}


def destination():
    """As much memory as the model has, touched."""
    if "destination" not in STATE:
        STATE["destination"] = {path: torch.zeros_like(tensor) for path, tensor in STATE["model"].items()}
    for tensor in STATE["destination"].values():
        tensor.zero_()
    return STATE["destination"]


def check(tensors):
    found = total(tensors)
    if found != STATE["sum"]:
        raise ValueError("other bytes than were saved")
    return found


# Saving.

def sync(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def save_gguf(tensors, file):
    import gguf
    writer = gguf.GGUFWriter(file, "bench")
    for path, tensor in tensors.items():
        writer.add_tensor(path, tensor.numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def save_numpy(tensors, file):
    with open(file, "wb") as out:
        np.savez(out, **{path: tensor.numpy() for path, tensor in tensors.items()})


def save_safetensors(tensors, file):
    save_file(tensors, file)


def save_tensorflow(_, file):
    variables()["checkpoint"].write(file)


SAVE = {"safetensors": save_safetensors, "torch": torch.save, "numpy": save_numpy, "gguf": save_gguf,
        "tensorflow": save_tensorflow}


def variables():
    """TensorFlow's variables with the model's values, and a checkpoint of them."""
    if "tensorflow" not in STATE:
        import tensorflow as tf
        made = {path.replace(".", "_"): tf.Variable(tensor.numpy()) for path, tensor in STATE["model"].items()}
        STATE["tensorflow"] = {"variables": made, "checkpoint": tf.train.Checkpoint(**made)}
    return STATE["tensorflow"]


@operation
def save(file, format, durable="1"):
    write, tensors, path = SAVE[format], STATE["model"], Path(file)
    if format == "tensorflow":
        variables()

    def body():
        write(tensors, file)
        if int(durable):
            for written in path.parent.glob(path.name + "*"):
                sync(written)
            sync(path.parent)

    seconds, _ = timed(body)
    return {"seconds": seconds, "bytes": sum(tensor.nbytes for tensor in tensors.values()), "sum": STATE["sum"]}


# Opening, binding, reading.

def open_safetensors(file):
    opened = safe_open(file, framework="pt")
    return opened.keys, opened.get_tensor


def open_torch(file):
    tensors = torch.load(file, mmap=True, weights_only=True)
    return tensors.keys, tensors.__getitem__


def open_gguf(file):
    import gguf
    tensors = {tensor.name: tensor for tensor in gguf.GGUFReader(file).tensors}
    return tensors.keys, lambda path: torch.from_numpy(tensors[path].data)


OPEN = {"safetensors": open_safetensors, "torch": open_torch, "gguf": open_gguf}


@operation
def open_one(file, format, paths, times):
    opener, wanted = OPEN[format], paths.split(",")

    def body():
        for i in range(int(times)):
            _, get = opener(file)
            get(wanted[i % len(wanted)]).flatten()[0].item()

    return {"seconds": timed(body)[0] / int(times)}


@operation
def bind_all(file, format):
    def body():
        keys, get = OPEN[format](file)
        return len([get(path).data_ptr() for path in keys()])

    seconds, bound = timed(body)
    return {"seconds": seconds, "tensors": bound}


@operation
def sum_file(file, format, threads):
    def body():
        keys, get = OPEN[format](file)
        return total((get(path) for path in keys()), int(threads) or os.cpu_count())

    seconds, found = timed(body)
    return {"seconds": seconds, "sum": found}


def load_mapped(format):
    def copy(file):
        keys, get = OPEN[format](file)
        into = STATE["destination"]
        for path in keys():
            into[path].copy_(get(path))
        return into
    return copy


def load_safetensors_pread(file):
    with open(file, "rb", buffering=0) as source:
        return load(source.read())


LOAD = {"safetensors": load_mapped("safetensors"), "safetensors_pread": load_safetensors_pread,
        "torch": lambda file: torch.load(file, weights_only=True), "torch_mmap": load_mapped("torch")}


@operation
def load_all(file, format, threads="0"):
    """All tensors into memory: mapped ones into memory that is there, the others where the library puts them."""
    destination()
    torch.set_num_threads(int(threads) or os.cpu_count())
    seconds, tensors = timed(lambda: LOAD[format](file))
    return {"seconds": seconds, "sum": check(tensors.values())}


class Module(torch.nn.Module):
    """A tree of modules with the tensors as parameters under their paths."""

    def __init__(self, tensors):
        super().__init__()
        for path, tensor in tensors.items():
            *names, last = path.split(".")
            place = self
            for name in names:
                if name not in place._modules:
                    place.add_module(name, torch.nn.Module())
                place = place._modules[name]
            place.register_parameter(last, torch.nn.Parameter(tensor, requires_grad=False))


@operation
def restore(file, format, threads="0"):
    """Into the variables that are there."""
    if format == "tensorflow":
        made = variables()
        for variable in made["variables"].values():
            variable.assign(np.zeros(variable.shape, np.float32))
        seconds, _ = timed(lambda: made["checkpoint"].read(file).assert_existing_objects_matched())
        return {"seconds": seconds, "sum": check(torch.from_numpy(v.numpy()) for v in made["variables"].values())}
    module = Module(destination())
    torch.set_num_threads(int(threads) or os.cpu_count())
    if format == "torch":
        seconds, _ = timed(lambda: module.load_state_dict(torch.load(file, mmap=True, weights_only=True)))
    else:
        seconds, _ = timed(lambda: [STATE["destination"][path].copy_(t) for path, t in load_file(file).items()])
    return {"seconds": seconds, "sum": check(STATE["destination"].values())}


@operation
def keep(file, format, path=""):
    """Binds that tensor, or all with every byte, and keeps the file open until the program ends."""
    keys, get = OPEN[format](file)
    tensors = [get(name) for name in ([path] if path else keys())]
    STATE.setdefault("kept", []).append((get, tensors))
    return {"sum": total(tensors)}


# Saving in the background.

@operation
def save_async(file):
    """The second save of two: its stall, and a training step beside it and alone."""
    import torch.distributed as dist
    import torch.distributed.checkpoint as dcp
    folder = Path(file)
    if not dist.is_initialized():
        dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    torch.set_num_threads(1)
    inputs, weights = torch.ones(192, 192), torch.zeros(192, 192)

    def step():
        for _ in range(50):
            torch.addmm(weights, inputs, inputs, beta=1, alpha=1e-3, out=weights)

    def begin():
        shutil.rmtree(folder, ignore_errors=True)
        return timed(lambda: dcp.async_save(STATE["model"], checkpoint_id=folder))

    begin()[1].result()
    stall, future = begin()
    steps, started = 0, time.perf_counter()
    while steps == 0 or not future.done():
        step()
        steps += 1
    beside = (time.perf_counter() - started) / steps
    future.result()
    alone = timed(lambda: [step() for _ in range(steps)])[0] / steps
    shutil.rmtree(folder)
    return {"seconds": stall, "beside": beside, "alone": alone, "steps": steps}


# Compression.

@operation
def compress(data, level, plane_bytes):
    """zstd on pieces of 1 MiB; plane_bytes > 1: of which the bytes are sorted by their place in an element before,
    which is not timed."""
    import zstandard
    raw, width, piece = Path(data).read_bytes(), int(plane_bytes), 1 << 20
    pieces = [raw[at:at + piece] for at in range(0, len(raw), piece)]
    if width > 1:
        pieces = [np.frombuffer(p, np.uint8)[:len(p) // width * width].reshape(-1, width).T.tobytes() for p in pieces]
    compressor, decompressor = zstandard.ZstdCompressor(level=int(level)), zstandard.ZstdDecompressor()
    seconds, frames = timed(lambda: [compressor.compress(p) for p in pieces])
    out, back = timed(lambda: [decompressor.decompress(frame) for frame in frames])
    if back != pieces:
        raise ValueError("zstd gave other bytes back")
    return {"seconds": seconds, "out": out, "bytes": len(raw), "stored": sum(map(len, frames))}


def answer(line):
    name, *fields = line.rstrip("\n").split("\t")
    try:
        result = OPERATIONS[name](**dict(field.split("=", 1) for field in fields))
    except Exception as error:  # every error is an answer
        return f"error\t{type(error).__name__}: {error}".replace("\n", " ")
    return "\t".join(["ok", *(f"{key}={value}" for key, value in result.items())])


def main():
    lines = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the libraries print must not look like an answer
    for line in sys.stdin:
        print(answer(line), file=lines, flush=True)
    os._exit(0)  # gloo's threads would wait for ever


if __name__ == "__main__":
    main()
