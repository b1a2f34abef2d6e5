"""fashion_mlp: 784 - 128 - 64 - 10 perceptron with softmax-free logits; 109 k parameters."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from fashion import main, nn  # noqa: E402


def build():
    return [
        nn.Flatten(),
        nn.Linear(784, 128),
        nn.ReLU(),
        nn.Linear(128, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    ]


if __name__ == "__main__":
    folder = os.path.dirname(os.path.abspath(__file__))
    main(folder, build, "logits", epochs=12, batch=128, peak_rate=0.1, augment=False)
