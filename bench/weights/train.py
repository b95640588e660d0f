"""Trains small models of three kinds and writes weights and Adam's moments as safetensors: what compression is measured
on, since random numbers have other exponents than trained weights.

usage: train.py FOLDER [MODEL...]

Trains mlp, convnet and transformer, or those named, and writes FOLDER/<model>.<kind>.<dtype>.safetensors: kind is weights, adam_m or adam_v; dtype is f32, bf16 or f16. The runs
are seeded; how many threads add up makes the last bits differ between machines.
"""
import gzip
import pathlib
import sys
import time

import numpy
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

IMAGES = pathlib.Path("/usr/share/datasets/fashion-mnist")  # Debian: dataset-fashion-mnist
TEXTS = pathlib.Path("/usr/share/common-licenses")  # Debian: base-files
DTYPES = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}


def images():
    def idx(name, header):
        with gzip.open(IMAGES / name) as file:
            return torch.from_numpy(numpy.frombuffer(file.read(), numpy.uint8, offset=header).copy())

    pixels = idx("train-images-idx3-ubyte.gz", 16).view(-1, 1, 28, 28).float() / 255 - 0.5
    return pixels, idx("train-labels-idx1-ubyte.gz", 8).long()


def text():
    files = sorted(path for path in TEXTS.iterdir() if path.is_file() and not path.is_symlink())
    data = b"".join(path.read_bytes() for path in files)
    symbols = sorted(set(data))
    place = {symbol: number for number, symbol in enumerate(symbols)}
    return torch.tensor([place[symbol] for symbol in data]), len(symbols)


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        batch, length, width = x.shape
        q, k, v = (part.view(batch, length, self.heads, -1).transpose(1, 2)
                   for part in self.attention(self.norm1(x)).chunk(3, -1))
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.output(mixed.transpose(1, 2).reshape(batch, length, width))
        return x + self.down(functional.gelu(self.up(self.norm2(x))))


class Transformer(nn.Module):
    def __init__(self, symbols, width=256, layers=4, context=128):
        super().__init__()
        self.embed, self.position = nn.Embedding(symbols, width), nn.Embedding(context, width)
        self.blocks = nn.Sequential(*(Block(width, 4) for _ in range(layers)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, symbols)

    def forward(self, x):
        return self.head(self.norm(self.blocks(self.embed(x) + self.position.weight[:x.shape[1]])))


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 1024), nn.ReLU(), nn.Linear(1024, 512), nn.ReLU(),
                         nn.Linear(512, 10))


def convnet():
    return nn.Sequential(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.BatchNorm2d(32),
                         nn.Conv2d(32, 96, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.BatchNorm2d(96), nn.Flatten(),
                         nn.Linear(96 * 49, 256), nn.ReLU(), nn.Linear(256, 10))


def train(name, model, batches, steps, rate, decay):
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    started, mean = time.monotonic(), None
    for step in range(steps):
        x, y = batches()
        loss = functional.cross_entropy(model(x).flatten(0, -2), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        mean = loss.item() if mean is None else 0.98 * mean + 0.02 * loss.item()
        if step % 100 == 99:
            print(f"{name}: step {step + 1}, loss {mean:.3f}, {time.monotonic() - started:.0f} s", flush=True)
    return optimizer


def save(folder, name, model, optimizer):
    parts = {"weights": {}, "adam_m": {}, "adam_v": {}}
    for path, parameter in model.named_parameters():
        state = optimizer.state[parameter]
        parts["weights"][path] = parameter.detach()
        parts["adam_m"][path] = state["exp_avg"]
        parts["adam_v"][path] = state["exp_avg_sq"]
    for kind, tensors in parts.items():
        for dtype, of_torch in DTYPES.items():
            if dtype == "f16" and kind != "weights":
                continue  # the second moments are too small for it
            copies = {path: tensor.to(of_torch).contiguous() for path, tensor in tensors.items()}
            save_file(copies, folder / f"{name}.{kind}.{dtype}.safetensors")


def main():
    folder = pathlib.Path(sys.argv[1])
    torch.manual_seed(46)
    pixels, labels = images()
    symbols, count = text()

    def image_batch(size=128):
        chosen = torch.randint(len(pixels), (size,))
        return pixels[chosen], labels[chosen]

    def text_batch(size=16, context=128):
        starts = torch.randint(len(symbols) - context - 1, (size, 1)) + torch.arange(context + 1)
        window = symbols[starts]
        return window[:, :-1], window[:, 1:]

    runs = {"mlp": (mlp(), image_batch, 1000, 1e-3, 1e-4), "convnet": (convnet(), image_batch, 350, 1e-3, 1e-2),
            "transformer": (Transformer(count), text_batch, 200, 1e-3, 1e-1)}
    for name in sys.argv[2:] or runs:
        model, batches, steps, rate, decay = runs[name]
        save(folder, name, model, train(name, model, batches, steps, rate, decay))


if __name__ == "__main__":
    main()
