#!/usr/bin/env python3
"""A small trained ResNet, as another program would leave it: weights in safetensors, and logits to compare with.

  python dyrelu-burn/tests/swap/make_network.py [outdir]      needs: torch safetensors

The modules and their names are those of torchvision's ResNet with basic blocks (conv1, bn1, layer1.0.conv1,
layer2.0.downsample.0, fc, ...), so that what loads this file loads theirs; stem and widths are smaller. It learns to tell
ten fixed patterns in noise apart, until BatchNorm's running statistics are those of real features.
"""
import os
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

OUT = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
CLASSES, SIZE = 10, 12


class BasicBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return self.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = nn.Sequential(BasicBlock(8, 8, 1))
        self.layer2 = nn.Sequential(BasicBlock(8, 16, 2), BasicBlock(16, 16, 1))
        self.fc = nn.Linear(16, CLASSES)

    def forward(self, x):
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.layer2(self.layer1(x))
        return self.fc(x.mean((2, 3)))


torch.manual_seed(0)
torch.set_num_threads(1)
patterns = torch.randn(CLASSES, 3, SIZE, SIZE)


def batch(size):
    labels = torch.randint(CLASSES, (size,))
    contrast, brightness = 0.5 + torch.rand(size, 1, 1, 1), torch.randn(size, 3, 1, 1)
    return patterns[labels] * contrast + brightness + 0.5 * torch.randn(size, 3, SIZE, SIZE), labels


network = ResNet()
optimizer = torch.optim.Adam(network.parameters(), 3e-3)
for _ in range(150):
    x, labels = batch(64)
    optimizer.zero_grad()
    F.cross_entropy(network(x), labels).backward()
    optimizer.step()

network.eval()
with torch.no_grad():
    x, labels = batch(1000)
    accuracy = (network(x).argmax(1) == labels).float().mean().item()
    x, labels = batch(6)
    logits = network(x)
state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
save_file(state, os.path.join(OUT, 'network.safetensors'), {'format': 'pt'})
save_file({'x': x, 'logits': logits, 'labels': labels}, os.path.join(OUT, 'io.safetensors'))
print(f'{accuracy:.1%} of new images are right;', len(state), 'tensors')
