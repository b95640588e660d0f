"""Trained weights to compress: a folder with *.safetensors, or *.<dtype>.raw with the elements of one tensor.

Files whose names end alike from the second last word on (`mlp.adam_m.bf16.safetensors`) are taken together, as `adam_m
bf16`.
"""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

TRAIN = Path(__file__).parents[1] / "weights/train.py"
DTYPES = {"F32": ("f32", 4), "BF16": ("bf16", 2), "F16": ("f16", 2), "F64": ("f64", 8)}
IMAGES = Path("/usr/share/datasets/fashion-mnist")  # Debian: dataset-fashion-mnist


def provide(folder, quick):
    """Trains small models once, when the folder is empty; in a quick run only the smallest."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        return
    if TRAIN.exists() and not quick:
        subprocess.run([sys.executable, TRAIN, folder], check=True, stdout=subprocess.DEVNULL)
    else:
        train_small(folder)


def train_small(folder):
    """A perceptron on Fashion-MNIST, one epoch: some seconds."""
    import torch
    from safetensors.torch import save_file

    def idx(name, header):
        with gzip.open(IMAGES / name) as file:
            return torch.from_numpy(np.frombuffer(file.read(), np.uint8, offset=header).copy())

    torch.manual_seed(46)
    torch.set_num_threads(1)  # small matrices: more threads wait for each other
    pixels = idx("train-images-idx3-ubyte.gz", 16).view(-1, 784).float() / 255
    labels = idx("train-labels-idx1-ubyte.gz", 8).long()
    net = torch.nn.Sequential(torch.nn.Linear(784, 1024), torch.nn.ReLU(), torch.nn.Linear(1024, 512), torch.nn.ReLU(),
                              torch.nn.Linear(512, 10))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for chosen in torch.randperm(len(pixels)).split(128):
        loss = torch.nn.functional.cross_entropy(net(pixels[chosen]), labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    kinds = {"weights": lambda p: p.detach(), "adam_m": lambda p: optimizer.state[p]["exp_avg"],
             "adam_v": lambda p: optimizer.state[p]["exp_avg_sq"]}
    for kind, of in kinds.items():
        for name, dtype in (("f32", torch.float32), ("bf16", torch.bfloat16)):
            tensors = {path: of(parameter).to(dtype).contiguous() for path, parameter in net.named_parameters()}
            save_file(tensors, folder / f"small.{kind}.{name}.safetensors")


def read(file):
    """Tensors of the file: path, dtype, dimensions, bytes."""
    raw = file.read_bytes()
    if file.suffix == ".raw":
        dtype = file.name.split(".")[-2]
        width = {name: size for name, size in DTYPES.values()}[dtype]
        return [(file.stem, dtype, [len(raw) // width], raw[:len(raw) // width * width])]
    start = 8 + int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:start])
    header.pop("__metadata__", None)
    tensors = []
    for path, tensor in header.items():
        if tensor["dtype"] in DTYPES:
            begin, end = tensor["data_offsets"]
            tensors.append((f"{file.stem}/{path}", DTYPES[tensor["dtype"]][0], tensor["shape"],
                            raw[start + begin:start + end]))
    return tensors


def groups(folder):
    """By name: all tensors of the files that belong together and have one dtype."""
    found = {}
    for file in sorted(folder.rglob("*.safetensors")) + sorted(folder.rglob("*.raw")):
        words = file.stem.split(".")
        kind = words[-2] if len(words) > 1 else "tensors"
        for tensor in read(file):
            found.setdefault(f"{kind} {tensor[1]}", []).append(tensor)
    return found


def entropy_bound(tensors, width):
    """Bytes that a code of each byte plane of each tensor, byte by byte, needs at least: of elements as they are or
    rotated left by one bit, whichever makes the tensor smaller."""
    bits = 0.0
    for *_, raw in tensors:
        words = np.frombuffer(raw, f"<u{width}")
        bits += min(plane_bits(words), plane_bits((words << 1) | (words >> (8 * width - 1))))
    return bits / 8


def plane_bits(words):
    bits = 0.0
    for plane in words.view(np.uint8).reshape(-1, words.itemsize).T:
        counts = np.bincount(plane, minlength=256)
        shares = counts[counts > 0] / len(plane)
        bits -= float((shares * np.log2(shares)).sum()) * len(plane)
    return bits
