"""fashion_cnn: convolutions, a depthwise one, a residual block, pooling, batch normalization; 28 k parameters."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from fashion import main, nn  # noqa: E402


def convolution(inputs, outputs, size, groups=1):
    return [nn.Conv2d(inputs, outputs, size, padding=size // 2, groups=groups, bias=False), nn.BatchNorm2d(outputs)]


class Residual(nn.Module):
    """relu(x + f(x)) with two 3x3 convolutions."""

    def __init__(self, channels):
        super().__init__()
        self.body = nn.Sequential(*convolution(channels, channels, 3), nn.ReLU(), *convolution(channels, channels, 3))

    def forward(self, x):
        return nn.functional.relu(x + self.body(x))


def build():
    return [
        *convolution(1, 16, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        *convolution(16, 16, 3, groups=16),
        nn.ReLU(),
        *convolution(16, 24, 1),
        nn.ReLU(),
        Residual(24),
        nn.MaxPool2d(2),
        *convolution(24, 64, 3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, 10),
    ]


if __name__ == "__main__":
    folder = os.path.dirname(os.path.abspath(__file__))
    main(folder, build, "logits", epochs=10, batch=128, peak_rate=0.1, augment=True)
