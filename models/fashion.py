"""Trains a Fashion-MNIST classifier and exports it to ONNX; shared by the model folders' train.py.

Needs torch and onnx, and the Debian package dataset-fashion-mnist (or --data FOLDER with the four
idx files, gzipped or not). The exported graph takes u8 pixels [1, 1, 28, 28]; normalization is part of it, and
batch normalization is left for the compiler to fold. Fixed seed; threads are fixed too, so one
machine gives one file.
"""

import argparse
import gzip
import os
import struct
import zlib

import numpy as np
import onnx
import torch
from torch import nn

LABELS = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
MEAN, STD = 0.2860, 0.3530
PICTURES = 10
CALIBRATION = 64


def read_idx(folder, name):
    path = os.path.join(folder, name)
    opener = gzip.open if os.path.exists(path + ".gz") else open
    with opener(path + (".gz" if opener is gzip.open else ""), "rb") as f:
        data = f.read()
    rank = data[3]
    shape = struct.unpack(">" + "I" * rank, data[4 : 4 + 4 * rank])
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


class Normalize(nn.Module):
    """u8 pixels to the values the network was trained on."""

    def forward(self, pixels):
        return (pixels.to(torch.float32) / 255.0 - MEAN) / STD


def write_png(path, gray):
    """An 8-bit grayscale PNG of a [height, width] array."""
    height, width = gray.shape
    rows = b"".join(b"\0" + gray[y].tobytes() for y in range(height))

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    with open(path, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))


def train(network, images, labels, epochs, batch, peak_rate, augment):
    pixels = torch.from_numpy(images.copy()).unsqueeze(1)
    targets = torch.from_numpy(labels.astype(np.int64))
    optimizer = torch.optim.SGD(network.parameters(), lr=peak_rate, momentum=0.9, nesterov=True, weight_decay=5e-4)
    steps = (len(pixels) + batch - 1) // batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, peak_rate, epochs=epochs, steps_per_epoch=steps)
    for epoch in range(epochs):
        network.train()
        total = 0.0
        order = torch.randperm(len(pixels))
        for start in range(0, len(pixels), batch):
            index = order[start : start + batch]
            x = pixels[index]
            if augment and torch.rand(()) < 0.5:
                x = x.flip(3)
            loss = nn.functional.cross_entropy(network(x), targets[index], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item() * len(index)
        print(f"epoch {epoch + 1}/{epochs}: loss {total / len(pixels):.4f}", flush=True)


@torch.no_grad()
def accuracy(network, images, labels):
    network.eval()
    right = 0
    for start in range(0, len(images), 1000):
        x = torch.from_numpy(images[start : start + 1000].copy()).unsqueeze(1)
        right += int((network(x).argmax(1).numpy() == labels[start : start + 1000]).sum())
    return 100.0 * right / len(images)


def export(network, path, output):
    """Writes ONNX as traced: no constant folding, no fused batch normalization (PRESERVE keeps it)."""
    network.eval()
    example = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    torch.onnx.export(
        network,
        (example,),
        path,
        dynamo=False,
        training=torch.onnx.TrainingMode.PRESERVE,
        do_constant_folding=False,
        input_names=["image"],
        output_names=[output],
        opset_version=17,
    )
    model = onnx.load(path)
    model.doc_string = ""
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for value in list(model.graph.value_info) + list(model.graph.input) + list(model.graph.output):
        del value.metadata_props[:]
    for tensor in model.graph.initializer:
        tensor.doc_string = ""
        del tensor.metadata_props[:]
    del model.graph.metadata_props[:]
    del model.metadata_props[:]
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def main(folder, build, output, epochs, batch, peak_rate, augment):
    name = os.path.basename(folder)
    parser = argparse.ArgumentParser(description=f"Train {name} on Fashion-MNIST and export it")
    parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist")
    parser.add_argument("--epochs", type=int, default=epochs)
    options = parser.parse_args()
    torch.manual_seed(20240601)
    torch.set_num_threads(2)
    torch.use_deterministic_algorithms(True)
    images, labels = read_idx(options.data, "train-images-idx3-ubyte"), read_idx(options.data, "train-labels-idx1-ubyte")
    tests, answers = read_idx(options.data, "t10k-images-idx3-ubyte"), read_idx(options.data, "t10k-labels-idx1-ubyte")
    network = nn.Sequential(Normalize(), *build())
    train(network, images, labels, options.epochs, batch, peak_rate, augment)
    top1 = accuracy(network, tests, answers)
    print(f"{name}: float top-1 {top1:.2f} % on {len(tests)} test pictures")
    export(network, os.path.join(folder, name + ".onnx"), output)
    # The first training pictures calibrate; test pictures are only shown.
    np.savez_compressed(os.path.join(folder, name + ".calib.npz"), image=images[:CALIBRATION, None])
    os.makedirs(os.path.join(folder, "pictures"), exist_ok=True)
    for i in range(PICTURES):
        label = LABELS[answers[i]].lower().replace("/", "-").replace(" ", "-")
        write_png(os.path.join(folder, "pictures", f"{i}-{label}.png"), tests[i])
    with open(os.path.join(folder, "labels.txt"), "w") as f:
        f.write("\n".join(LABELS) + "\n")
    with open(os.path.join(folder, "accuracy.txt"), "w") as f:
        f.write(f"float top-1 {top1:.2f} % of {len(tests)} test pictures\n")
