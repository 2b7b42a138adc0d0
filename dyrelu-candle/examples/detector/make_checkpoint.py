#!/usr/bin/env python3
"""Trains the detector of this example in PyTorch, and leaves what a PyTorch user would: a state dict in a `.pth` file.

  python dyrelu-candle/examples/detector/make_checkpoint.py [outdir]      needs: torch numpy safetensors

It takes two minutes of one core, and leaves the same bytes each time on the same machine. Beside the state dict there are
three scenes of the test images with the outputs of every stage, computed in double precision from the weights in single.

Scenes have two to four garments of Fashion-MNIST, of different sizes, at random places. A backbone with DY-ReLU-B, under
the names of its first public module, makes a pyramid of three levels. A tower in the style of Dynamic Head (Dai et al.,
CVPR 2021), without deformable convolutions, mixes neighbouring levels; each block ends in DYReLU under the names of the
authors' code. Each position of a level has a score for each class, and the distances to the four sides of a box.
"""
import gzip
import os
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = sys.argv[1] if len(sys.argv) > 1 else HERE
DATA = os.path.join(HERE, '../../../examples/data')
SIDE, CLASSES = 64, 10
STRIDES = 4, 8, 16
SIZES = 20, 27, 1000          # the largest garment of each level
BACKBONE = 12, 16, 24, 32     # channels
TOWER, BLOCKS = 16, 2
STEPS, BATCH, RATE = 2200, 32, 4e-3
SAVED_SCENES = 3


# ------------------------------------------------------------------------------------------------------- network

class DyReLUB(nn.Module):
    """Rows of fc2: for each channel a1 a2 b1 b2. The constants are buffers."""

    def __init__(self, channels, reduction=4):
        super().__init__()
        self.fc1 = nn.Linear(channels, channels // reduction)
        self.fc2 = nn.Linear(channels // reduction, 4 * channels)
        self.register_buffer('lambdas', torch.tensor([1.0, 1.0, 0.5, 0.5]))
        self.register_buffer('init_v', torch.tensor([1.0, 0.0, 0.0, 0.0]))

    def forward(self, x):
        residual = 2 * torch.sigmoid(self.fc2(F.relu(self.fc1(x.mean((2, 3)))))) - 1
        a1, a2, b1, b2 = (residual.view(*x.shape[:2], 1, 1, 4) * self.lambdas + self.init_v).unbind(4)
        return torch.maximum(x * a1 + b1, x * a2 + b2)


class DYReLU(nn.Module):
    """Rows of fc.2: a1 of all channels, then b1, a2 and b2; with a hard sigmoid."""

    def __init__(self, channels, reduction=4):
        super().__init__()
        hidden = channels // reduction
        self.fc = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, 4 * channels))

    def forward(self, x):
        residual = F.hardsigmoid(self.fc(x.mean((2, 3)))) - 0.5
        a1, b1, a2, b2 = residual[..., None, None].chunk(4, dim=1)
        return torch.maximum(x * (2 * a1 + 1) + b1, x * (2 * a2) + b2)


class Unit(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn = nn.BatchNorm2d(outputs)
        self.act = DyReLUB(outputs)

    def forward(self, x):
        return self.act(self.bn(self.conv(x)))


class Backbone(nn.Module):
    """Maps of 1/4, 1/8 and 1/16 of the scene's side."""

    def __init__(self):
        super().__init__()
        stem, *widths = BACKBONE
        self.stem = Unit(1, stem, 2)
        inputs = [stem, *widths]
        self.stages = nn.ModuleList(
            nn.Sequential(Unit(i, o, 2), Unit(o, o, 1)) for i, o in zip(inputs, widths))

    def forward(self, x):
        x, levels = self.stem(x), []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        return levels


class Conv3x3Norm(nn.Module):
    def __init__(self, channels, stride):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride, 1)
        self.bn = nn.GroupNorm(4, channels)

    def forward(self, x):
        return self.bn(self.conv(x))


class DyConv(nn.Module):
    """Each level becomes the mean of itself and its neighbours, each weighed by an attention, and then DYReLU of it."""

    def __init__(self, channels):
        super().__init__()
        # From the next coarser level, from the level itself, from the next finer one.
        self.DyConv = nn.ModuleList([Conv3x3Norm(channels, 1), Conv3x3Norm(channels, 1), Conv3x3Norm(channels, 2)])
        self.AttnConv = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, 1, 1), nn.ReLU())
        self.relu = DYReLU(channels)

    def forward(self, levels):
        return [self.relu(self.mixed(levels, i)) for i in range(len(levels))]

    def mixed(self, levels, i):
        maps = [self.DyConv[1](levels[i])]
        if i > 0:
            maps.append(self.DyConv[2](levels[i - 1]))
        if i + 1 < len(levels):
            maps.append(F.interpolate(self.DyConv[0](levels[i + 1]), scale_factor=2, mode='nearest'))
        return sum(x * F.hardsigmoid(self.AttnConv(x)) for x in maps) / len(maps)


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = Backbone()
        self.laterals = nn.ModuleList(nn.Conv2d(channels, TOWER, 1) for channels in BACKBONE[1:])
        self.dyhead_tower = nn.Sequential(*(DyConv(TOWER) for _ in range(BLOCKS)))
        self.cls_logits = nn.Conv2d(TOWER, CLASSES, 1)
        self.bbox_pred = nn.Conv2d(TOWER, 4, 1)
        nn.init.constant_(self.cls_logits.bias, -4.0)    # at first, nothing is seen anywhere
        nn.init.constant_(self.bbox_pred.bias, 0.7)

    def stages(self, x):
        """What each stage makes of scenes: a name, and a map for each level or one tensor"""
        levels = self.backbone(x)
        yield 'backbone', levels
        levels = [lateral(level) for lateral, level in zip(self.laterals, levels)]
        for i, block in enumerate(self.dyhead_tower):
            levels = block(levels)
            yield f'dyhead_tower.{i}', levels
        flat = lambda maps: torch.cat([x.flatten(2).transpose(1, 2) for x in maps], 1)
        yield 'logits', flat([self.cls_logits(level) for level in levels])
        yield 'boxes', boxes(flat([self.bbox_pred(level) for level in levels]))

    def forward(self, x):
        *_, (_, logits), (_, boxes) = self.stages(x)
        return logits, boxes


def grid():
    """For each position of each level: x and y of its middle in pixels, and its stride"""
    rows = []
    for stride in STRIDES:
        steps = (torch.arange(SIDE // stride) + 0.5) * stride
        y, x = torch.meshgrid(steps, steps, indexing='ij')
        rows.append(torch.stack([x.flatten(), y.flatten(), torch.full((len(steps) ** 2,), float(stride))], 1))
    return torch.cat(rows)


def boxes(distances):
    """Left, top, right and bottom of boxes in sides of a scene, from the logarithms of the distances in strides"""
    places = grid().to(distances) / SIDE
    distances = distances.exp() * places[:, 2:]
    return torch.cat([places[:, :2] - distances[..., :2], places[:, :2] + distances[..., 2:]], -1)


# -------------------------------------------------------------------------------------------------------- scenes

def read(name, header):
    with gzip.open(os.path.join(DATA, name)) as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)


class Garments:
    def __init__(self, split):
        images = read(f'{split}-images-idx3-ubyte.gz', 16).reshape(-1, 28, 28)
        self.labels = read(f'{split}-labels-idx1-ubyte.gz', 8)
        self.images = [torch.tensor(self.cut_out(image)) for image in images]

    @staticmethod
    def cut_out(image):
        rows, columns = np.nonzero(image.max(1) > 20)[0], np.nonzero(image.max(0) > 20)[0]
        return image[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1].astype(np.float32)

    def scene(self, rng):
        """Grey values of 0 to 255, and a row for each garment: class, left, top, right, bottom"""
        canvas = torch.tensor(rng.uniform(0, 30, (SIDE, SIDE)), dtype=torch.float32)
        truth = []
        while len(truth) < 2:
            for _ in range(rng.integers(2, 5) - len(truth)):
                i, longer = rng.integers(len(self.images)), rng.integers(14, 37)
                image = self.images[i]
                factor = longer / max(image.shape)
                height, width = (max(round(factor * side), 3) for side in image.shape)
                for _ in range(20):
                    left, top = rng.integers(SIDE - width + 1), rng.integers(SIDE - height + 1)
                    box = left, top, left + width, top + height
                    if all(apart(box, other[1:]) for other in truth):
                        image = F.interpolate(image[None, None], (height, width), mode='bilinear', antialias=True)[0, 0]
                        part = canvas[top:top + height, left:left + width]
                        torch.maximum(part, image * rng.uniform(0.6, 1.0), out=part)
                        truth.append((self.labels[i], *box))
                        break
        return canvas.round().clamp(0, 255).to(torch.uint8)[None], torch.tensor(truth, dtype=torch.float32)

    def batch(self, size, rng):
        scenes, truths = zip(*(self.scene(rng) for _ in range(size)))
        return torch.stack(scenes), truths


def apart(one, other):
    """Whether two boxes have at most a few pixels in common"""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return min(width, height) <= 1


def pixels(scenes):
    return scenes.float() / 256    # exact in binary


# ------------------------------------------------------------------------------------------------------ training

PLACES = grid()


def targets(truth):
    """For each position the class that it should see, or CLASSES, and its box"""
    sizes = (truth[:, 3:] - truth[:, 1:3]).amax(1)
    levels = torch.searchsorted(torch.tensor(SIZES), sizes.long())
    middles = (truth[:, 1:3] + truth[:, 3:]) / 2
    strides = PLACES[:, None, 2]
    near = ((PLACES[:, None, :2] - middles).abs() < strides[..., None]).all(2)
    found, which = (near & (strides == torch.tensor(STRIDES)[levels])).max(1)
    return torch.where(found, truth[which, 0], CLASSES).long(), truth[which, 1:] / SIDE


def giou(one, other):
    area = lambda b: (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])
    sides = lambda a, b: (b - a).clamp(min=0).prod(1)
    common = sides(torch.maximum(one[:, :2], other[:, :2]), torch.minimum(one[:, 2:], other[:, 2:]))
    hull = sides(torch.minimum(one[:, :2], other[:, :2]), torch.maximum(one[:, 2:], other[:, 2:]))
    union = area(one) + area(other) - common
    return common / union - (hull - union) / hull


def loss(network, scenes, truths):
    logits, boxes = network(pixels(scenes))
    classes, wanted = (torch.stack(column) for column in zip(*map(targets, truths)))
    seen = classes < CLASSES
    one_hot = F.one_hot(classes, CLASSES + 1)[..., :CLASSES].float()
    plain = F.binary_cross_entropy_with_logits(logits, one_hot, reduction='none')
    missed = torch.where(one_hot > 0, 1 - logits.sigmoid(), logits.sigmoid())
    focal = (missed ** 2 * plain).sum()
    return 2 * focal / seen.sum() + (1 - giou(boxes[seen], wanted[seen])).mean()


def train(network, garments, rng):
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=STEPS, pct_start=0.1)
    start, mean = time.time(), 0.0
    for step in range(STEPS):
        value = loss(network, *garments.batch(BATCH, rng))
        optimizer.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        mean += value.item()
        if (step + 1) % 200 == 0:
            print(f'{step + 1:5} steps: loss {mean / 200:.3f}, {time.time() - start:.0f} s', flush=True)
            mean = 0.0


# ---------------------------------------------------------------------------------------------------- evaluation

def iou(one, others):
    common = (torch.minimum(one[2:], others[:, 2:]) - torch.maximum(one[:2], others[:, :2])).clamp(min=0).prod(1)
    area = lambda b: (b[..., 2] - b[..., 0]) * (b[..., 3] - b[..., 1])
    return common / (area(one) + area(others) - common)


def detect(logits, boxes, least=0.5):
    """Class, score and box of what one scene shows: the best of boxes that overlap"""
    scores, classes = logits.sigmoid().max(1)
    found = []
    for i in scores.argsort(descending=True):
        if scores[i] < least:
            break
        if all(iou(boxes[i], other[None])[0] < 0.5 for _, _, other in found):
            found.append((classes[i].item(), scores[i].item(), boxes[i]))
    return found


@torch.no_grad()
def evaluate(network, garments, rng):
    scenes, truths = garments.batch(300, rng)
    placed = right = shown = total = 0
    for logits, boxes, truth in zip(*network(pixels(scenes)), truths):
        found = detect(logits, boxes)
        shown, total = shown + len(found), total + len(truth)
        for label, _, box in found:
            overlap, which = iou(box, truth[:, 1:] / SIDE).max(0)
            placed += (overlap > 0.5).item()
            right += (overlap > 0.5 and truth[which, 0] == label).item()
    print(f'{total} garments in 300 new scenes: {shown} boxes, of which {placed} fit one, {right} with its class')


torch.manual_seed(0)
torch.set_num_threads(1)
network = Detector()
print(sum(p.numel() for p in network.parameters()), 'parameters')
train(network, Garments('fashion-4000-train'), np.random.default_rng(1))
network.eval()
test = Garments('fashion-1000-t10k')
evaluate(network, test, np.random.default_rng(2))
torch.save(network.state_dict(), os.path.join(OUT, 'detector.pth'))

scenes, truths = test.batch(SAVED_SCENES, np.random.default_rng(3))
saved = {'scenes': scenes}
with torch.no_grad():
    for name, value in network.double().stages(pixels(scenes).double()):
        values = {f'{name}.{i}': level for i, level in enumerate(value)} if isinstance(value, list) else {name: value}
        saved.update({name: value.float().contiguous() for name, value in values.items()})
for i, truth in enumerate(truths):
    saved[f'truth.{i}'] = torch.cat([truth[:, :1], truth[:, 1:] / SIDE], 1)
    found = detect(saved['logits'][i], saved['boxes'][i])
    saved[f'detections.{i}'] = torch.stack([torch.tensor([label, score, *box]) for label, score, box in found])
save_file(saved, os.path.join(OUT, 'expected.safetensors'), {'format': 'pt'})
for name, value in saved.items():
    print(name, tuple(value.shape), value.abs().max().item() if value.is_floating_point() else '')
