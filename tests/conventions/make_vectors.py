#!/usr/bin/env python3
"""Checkpoints as public implementations of Dynamic ReLU leave them, with inputs and outputs of their activations.

  python tests/conventions/make_vectors.py [outdir]      needs: torch numpy safetensors

Each module below has the names, shapes, buffers, order of rows and formula of one implementation, and stands in a model
between other tensors. `loops` evaluates the same checkpoint a second time, with scalars and plain loops, from the table
`ROWS` alone. A draw must depend on what a loader can do wrong: see `check`.
"""
import json
import math
import os
import sys
import zlib
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import nn

torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)

OUT = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
SAMPLES = 2
TOLERANCE = {'f64': 1e-12, 'f32': 1e-5, 'f16': 1e-5}
DTYPES = {'f64': torch.float64, 'f32': torch.float32, 'f16': torch.float16}


# --------------------------------------------------------------------------------------------------- activations

class Seed(nn.Module):
    """The first public module and its forks: rows by channel, then a1 ... aK b1 ... bK; constants as buffers."""

    def __init__(self, mode, channels, k, axes=2, reduction=4):
        super().__init__()
        self.mode, self.channels, self.k = mode, channels, k
        self.fc1 = nn.Linear(channels, channels // reduction)
        self.fc2 = nn.Linear(channels // reduction, 2 * k * (1 if mode == 'A' else channels))
        self.register_buffer('lambdas', torch.tensor([1.0] * k + [0.5] * k))
        self.register_buffer('init_v', torch.tensor([1.0] + [0.0] * (2 * k - 1)))
        if mode == 'C':
            self.conv1x1 = {1: nn.Conv1d, 2: nn.Conv2d}[axes](channels, 1, 1)

    def raw(self, x):
        return self.fc2(F.relu(self.fc1(x.flatten(2).mean(2))))

    def forward(self, x):
        residual = 2 * torch.sigmoid(self.raw(x)) - 1
        sets = residual.view(len(x), -1, 2 * self.k) * self.lambdas + self.init_v
        a, b = sets.unsqueeze(-1).chunk(2, dim=2)    # [N, C or 1, K, 1]
        y = (x.flatten(2).unsqueeze(2) * a + b).amax(2)
        if self.mode == 'C':
            y = y * self.attention(x)
        return y.view_as(x)

    def attention(self, x):
        scores = self.conv1x1(x).flatten(2)
        gamma = scores.shape[2] / 3
        return (gamma * F.softmax(scores / 10, dim=2)).clamp(max=1)


class Paper(nn.Module):
    """Equation 2 of the paper: all of a1, ..., all of aK, all of b1, ..., all of bK."""

    def __init__(self, mode, channels, k, reduction=4):
        super().__init__()
        self.mode, self.channels, self.k = mode, channels, k
        self.fc1 = nn.Linear(channels, channels // reduction)
        self.fc2 = nn.Linear(channels // reduction, 2 * k * (1 if mode == 'A' else channels))

    def raw(self, x):
        return self.fc2(F.relu(self.fc1(x.flatten(2).mean(2))))

    def forward(self, x):
        residual = torch.tanh(self.raw(x) / 2).view(len(x), 2, self.k, -1, 1, 1)
        first = residual.new_tensor([1.0] + [0.0] * (self.k - 1)).view(1, self.k, 1, 1, 1)
        slopes, intercepts = residual[:, 0] + first, residual[:, 1] / 2
        return (x.unsqueeze(1) * slopes + intercepts).amax(1)


class DynamicHead(nn.Module):
    """`DYReLU` of DynamicHead and GLIP: hard sigmoid, rows a1 b1 a2 b2, or a1 a2; perhaps a spatial attention."""

    mode = 'B'
    k = 2

    def __init__(self, channels, reduction=4, use_bias=True, use_spatial=False):
        super().__init__()
        self.channels, self.use_bias = channels, use_bias
        hidden = channels // reduction
        if reduction != 4:
            hidden = max(4, (hidden + 2) // 4 * 4)    # 90 % of it, as the authors make sure of, is never reached here
        self.fc = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(),
                                nn.Linear(hidden, (4 if use_bias else 2) * channels))
        self.spa = nn.Sequential(nn.Conv2d(channels, 1, 1), nn.BatchNorm2d(1)) if use_spatial else None

    def raw(self, x):
        return self.fc(x.mean((2, 3)))

    def forward(self, x):
        y = F.relu6(self.raw(x) + 3) / 6 - 0.5
        blocks = y.view(len(x), -1, self.channels, 1, 1).unbind(1)
        if self.use_bias:
            a1, b1, a2, b2 = blocks
            out = torch.maximum(x * (2 * a1 + 1) + b1, x * (2 * a2) + b2)
        else:
            a1, a2 = blocks
            out = torch.maximum(x * (2 * a1 + 1), x * (2 * a2))
        return out if self.spa is None else out * self.attention(x).view(len(x), 1, *x.shape[2:])

    def attention(self, x):
        scores = self.spa(x).flatten(1)
        return (F.hardtanh(F.softmax(scores, dim=1) * scores.shape[1], 0, 3) / 3).unsqueeze(1)


class MmDetection(nn.Module):
    """`DyReLU` of mmdetection: two convolutions in `ConvModule`s, rows a1 b1 a2 b2."""

    mode = 'B'
    k = 2

    def __init__(self, channels, ratio=4):
        super().__init__()
        self.channels = channels
        self.conv1 = nn.ModuleDict({'conv': nn.Conv2d(channels, channels // ratio, 1)})
        self.conv2 = nn.ModuleDict({'conv': nn.Conv2d(channels // ratio, 4 * channels, 1)})

    def raw(self, x):
        pooled = F.adaptive_avg_pool2d(x, 1)
        return self.conv2['conv'](F.relu(self.conv1['conv'](pooled))).flatten(1)

    def forward(self, x):
        coefficients = F.hardsigmoid(self.raw(x)).sub(0.5).view(len(x), 4 * self.channels, 1, 1)
        a1, b1, a2, b2 = coefficients.split(self.channels, dim=1)
        return torch.max(x * (2 * a1 + 1) + b1, x * (2 * a2) + b2)


# -------------------------------------------------------------------------------------------------------- models

class Unit(nn.Module):
    def __init__(self, act):
        super().__init__()
        self.act = act


class DyConv(nn.Module):
    """A block of the tower, without what stands before its activation."""

    def __init__(self, relu, channels):
        super().__init__()
        self.relu = relu
        self.offset = nn.Conv2d(channels, 3, 1)


class DyHeadBlock(nn.Module):
    def __init__(self, act, channels):
        super().__init__()
        self.spatial_conv_offset = nn.Conv2d(channels, 3, 1)
        self.task_attn_module = act


def features(*activations):
    """A network for images: a convolution, a normalisation with its counter, units."""
    channels = activations[0].channels
    units = [Unit(act) for act in activations]
    stem = [nn.Conv2d(3, channels, 1, bias=False), nn.BatchNorm2d(channels)]
    return nn.ModuleDict({'features': nn.Sequential(*stem, *units)})


def detector(*activations):
    channels = activations[0].channels
    stem = nn.ModuleDict({'conv1': nn.Conv2d(3, channels, 1, bias=False), 'bn1': nn.BatchNorm2d(channels)})
    return nn.ModuleDict({
        'backbone': nn.ModuleDict({'stem': stem}),
        'dyhead_tower': nn.Sequential(*(DyConv(act, channels) for act in activations)),
        'cls_logits': nn.Conv2d(channels, 2, 1),
    })


def mmdetector(*activations):
    channels = activations[0].channels
    blocks = nn.ModuleList([DyHeadBlock(act, channels) for act in activations])
    stem = nn.ModuleDict({'conv1': nn.Conv2d(3, channels, 1, bias=False), 'bn1': nn.BatchNorm2d(channels)})
    return nn.ModuleDict({'backbone': stem, 'neck': nn.ModuleDict({'dyhead_blocks': blocks})})


@dataclass
class Model:
    convention: str
    network: nn.Module
    layouts: dict             # number type -> what is special about the .pth file
    attention: str = None     # 'softmax', 'normalised'
    spatial: dict = field(default_factory=dict)    # prefix -> spatial axes of x, if not those of all others


C = 8
MODELS = {
    'seed': lambda: Model('seed', features(Seed('B', C, 2), Seed('B', C, 1), Seed('B', C, 3), Seed('A', C, 2)),
                          {'f64': 'plain', 'f32': 'plain', 'f16': 'plain'}),
    'seed_c': lambda: Model('seed', features(Seed('C', C, 2), Seed('C', C, 3, axes=1)),
                            {'f64': 'plain', 'f32': 'plain'}, 'softmax', {'features.3.act.': (8,)}),
    'paper': lambda: Model('paper', features(Paper('B', C, 2), Paper('B', C, 1), Paper('B', C, 3), Paper('A', C, 2)),
                           {'f64': 'views', 'f32': 'legacy'}),
    'dynamic_head': lambda: Model('dynamic-head', detector(DynamicHead(C), DynamicHead(C, reduction=2)),
                                  {'f64': 'model', 'f32': 'model'}),
    'dynamic_head_no_bias': lambda: Model('dynamic-head', detector(DynamicHead(C, use_bias=False)),
                                          {'f64': 'plain', 'f32': 'plain'}),
    'dynamic_head_spatial': lambda: Model('dynamic-head', detector(DynamicHead(C, use_spatial=True)),
                                          {'f64': 'plain', 'f32': 'plain'}, 'normalised'),
    'mmdetection': lambda: Model('mmdetection', mmdetector(MmDetection(C), MmDetection(C)),
                                 {'f64': 'state_dict', 'f32': 'state_dict'}),
}


def activations(network):
    for name, module in network.named_modules():
        if isinstance(module, (Seed, Paper, DynamicHead, MmDetection)):
            yield name + '.', module


def has_intercept(act):
    return getattr(act, 'use_bias', True)


def draw(network):
    """Parameters so large that hard sigmoids are cut on both sides, and statistics of a past."""
    for norm in network.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.normal_(norm.weight, 1.0, 0.3)
            nn.init.normal_(norm.bias, 0.0, 0.3)
            nn.init.normal_(norm.running_mean, 0.5, 0.3)
            nn.init.uniform_(norm.running_var, 0.5, 2.0)
            norm.num_batches_tracked.fill_(1234)
    for _, act in activations(network):
        for name, parameter in act.named_parameters():
            if name.startswith(('fc2.', 'fc.2.', 'conv2.')):
                nn.init.normal_(parameter, 0.0, 2.5)
            elif name.startswith('conv1x1.'):
                nn.init.normal_(parameter, 0.0, 6.0)    # the temperature takes most of it away
            elif name.startswith('spa.0.'):
                nn.init.normal_(parameter, 0.0, 0.6)


# ---------------------------------------------------------------------------------------- the second evaluation

# Names of the hyper function's two layers, and the row of its last for channel c of C, piece k of K: of a, of b.
ROWS = {
    'seed': ('fc1', 'fc2', lambda c, k, C, K: c * 2 * K + k, lambda c, k, C, K: c * 2 * K + K + k),
    'paper': ('fc1', 'fc2', lambda c, k, C, K: k * C + c, lambda c, k, C, K: (K + k) * C + c),
    'dynamic-head': ('fc.0', 'fc.2', lambda c, k, C, K: 2 * k * C + c, lambda c, k, C, K: (2 * k + 1) * C + c),
    'mmdetection': ('conv1.conv', 'conv2.conv', lambda c, k, C, K: 2 * k * C + c,
                    lambda c, k, C, K: (2 * k + 1) * C + c),
    'dynamic-head, no intercept': ('fc.0', 'fc.2', lambda c, k, C, K: k * C + c, None),
}


def soft(r):
    return 2 / (1 + math.exp(-r)) - 1


def hard(r):
    return min(max(r / 3, -1.0), 1.0)


def dense(values, weight, bias):
    return [sum(w * v for w, v in zip(row, values)) + b for row, b in zip(weight, bias)]


def attention(tensors, sample):
    """The factor of each position, from the scores of an attention that is in the checkpoint; else ones."""
    positions = range(len(sample[0]))
    layer = next((name for name in ('conv1x1', 'spa.0') if name + '.weight' in tensors), None)
    if layer is None:
        return [1.0 for _ in positions]
    [weight], [bias] = tensors[layer + '.weight'].reshape(1, -1).tolist(), tensors[layer + '.bias'].tolist()
    scores = [sum(w * row[s] for w, row in zip(weight, sample)) + bias for s in positions]
    if layer == 'conv1x1':
        scores = [z / 10 for z in scores]
    else:
        gain, shift, mean, variance = (float(tensors['spa.1.' + name][0])
                                       for name in ('weight', 'bias', 'running_mean', 'running_var'))
        scores = [(z - mean) / math.sqrt(variance + 1e-5) * gain + shift for z in scores]
    total = sum(math.exp(z) for z in scores)
    return [min(len(scores) / 3 * math.exp(z) / total, 1.0) for z in scores]


def loops(rows, tensors, x, pieces, mode):
    """y by scalars, from the tensors of a checkpoint that begin with an activation's prefix"""
    first, last, row_a, row_b = rows
    squash = soft if first == 'fc1' else hard
    matrix = lambda name: tensors[name].reshape(len(tensors[name]), -1).tolist()
    y = np.empty((len(x), x.shape[1], math.prod(x.shape[2:])))
    for n, sample in enumerate(x.reshape(y.shape).tolist()):
        pooled = [sum(row) / len(row) for row in sample]
        hidden = [max(h, 0.0) for h in dense(pooled, matrix(first + '.weight'), tensors[first + '.bias'].tolist())]
        raw = dense(hidden, matrix(last + '.weight'), tensors[last + '.bias'].tolist())
        factors = attention(tensors, sample)
        sets = 1 if mode == 'A' else len(sample)
        for c, row in enumerate(sample):
            at = (0 if mode == 'A' else c, sets, pieces)
            for s, value in enumerate(row):
                lines = []
                for k in range(pieces):
                    index = at[0], k, at[1], at[2]
                    slope = (1.0 if k == 0 else 0.0) + squash(raw[row_a(*index)])
                    intercept = 0.5 * squash(raw[row_b(*index)]) if row_b else 0.0
                    lines.append(slope * value + intercept)
                y[n, c, s] = factors[s] * max(lines)
    return y.reshape(x.shape)


def rows_of(convention, act):
    return ROWS[convention if has_intercept(act) else convention + ', no intercept']


def check(convention, act, tensors, x, y, label):
    """y is right, and would be wrong with the rows in another order or in another branch of a clamp"""
    rows = rows_of(convention, act)
    error = np.abs(loops(rows, tensors, x.numpy(), act.k, act.mode) - y.numpy()).max()
    assert error < 1e-12, (label, 'second evaluation', error)

    # The other orders, under the same names. In mode A, and where there is one coefficient or piece, some are the same.
    for other, (_, _, row_a, row_b) in ROWS.items():
        if (row_b is None) != (rows[3] is None):
            continue
        sets = 1 if act.mode == 'A' else act.channels
        places = [(c, k, sets, act.k) for c in range(sets) for k in range(act.k)]
        order = lambda a, b: [f(*place) for f in (a, b) if f for place in places]
        if order(row_a, row_b) != order(*rows[2:]):
            wrong = loops((*rows[:2], row_a, row_b), tensors, x.numpy(), act.k, act.mode)
            assert np.abs(wrong - y.numpy()).max() > 0.1, (label, other, 'makes no difference')

    raw = act.raw(x)
    if isinstance(act, (DynamicHead, MmDetection)):
        assert (raw < -3).any() and (raw > 3).any() and (raw.abs() < 3).any(), (label, 'hard sigmoid is not cut')
    if hasattr(act, 'conv1x1') or getattr(act, 'spa', None) is not None:
        factors = act.attention(x)
        assert (factors == 1).any() and (factors < 1).any(), (label, 'attention is not cut')
    return error


# --------------------------------------------------------------------------------------------------------- files

def in_views(state):
    """Matrices as transposed views, vectors as parts of one storage: not contiguous, shared, with offsets."""
    vectors = [name for name, value in state.items() if value.ndim == 1]
    storage = torch.cat([state[name] for name in vectors])
    offset = 0
    for name in vectors:
        length = len(state[name])
        state[name] = storage[offset:offset + length]
        offset += length
    for name, value in state.items():
        if value.ndim == 2:
            state[name] = value.t().contiguous().t()
    return state


def save_pth(state, layout, path):
    """What torch.save writes. The archive's folder has the name of the file."""
    if layout == 'views':
        state = in_views(state)
    nested = {'model': {'model': state, 'epoch': 3}, 'state_dict': {'meta': {'epoch': 3}, 'state_dict': state}}
    torch.save(nested.get(layout, state), path, _use_new_zipfile_serialization=layout != 'legacy')


def save(state, layout, stem):
    save_pth(state.copy(), layout, os.path.join(OUT, stem + '.pth'))
    save_file({name: value.contiguous() for name, value in state.items()}, os.path.join(OUT, stem + '.safetensors'),
              {'format': 'pt'})


def write(name, model, number, index):
    """The files of a model in one number type, and the lines of its activations in the index"""
    stem, dtype = f'{name}_{number}', DTYPES[number]
    io_dtype = torch.float64 if number == 'f64' else torch.float32
    network = model.network.to(dtype)
    save(network.state_dict(), model.layouts[number], stem)
    network = network.to(torch.float64)    # the same numbers
    vectors, largest = {}, 0.0
    for prefix, act in activations(network):
        generator = torch.Generator().manual_seed(zlib.crc32((name + prefix).encode()))
        spatial = model.spatial.get(prefix, (2, 4))
        x = (1.5 * torch.randn(SAMPLES, C, *spatial, generator=generator) + 0.3).to(io_dtype).double()
        with torch.no_grad():
            y = act(x)
            tensors = {key: value.numpy() for key, value in act.state_dict().items()}
            largest = max(largest, check(model.convention, act, tensors, x, y, (stem, prefix)))
            if number != 'f64':
                single = act.float()(x.float())
                assert single.dtype == torch.float32
                assert (single - y).abs().max() < TOLERANCE[number] / 3, (stem, prefix, 'tolerance')
                act.double()
        vectors[prefix + 'x'], vectors[prefix + 'y'] = x.to(io_dtype).contiguous(), y.contiguous()
        index.append({
            'convention': model.convention, 'file': stem, 'pth': model.layouts[number], 'number': number,
            'prefix': prefix, 'mode': act.mode, 'k': act.k, 'intercept': has_intercept(act),
            'attention': model.attention, 'channels': act.channels,
            'hidden': len(tensors[rows_of(model.convention, act)[0] + '.bias']), 'tolerance': TOLERANCE[number],
        })
    save_file(vectors, os.path.join(OUT, stem + '_io.safetensors'), {'format': 'pt'})
    print(f'{stem}: second evaluation differs by {largest:.0e}')


index = []
for name, make in MODELS.items():
    for number in make().layouts:
        torch.manual_seed(zlib.crc32(name.encode()))
        model = make()
        draw(model.network)
        model.network.eval()
        write(name, model, number, index)
with open(os.path.join(OUT, 'index.json'), 'w') as file:
    file.write('[\n' + ',\n'.join(' ' + json.dumps(line) for line in index) + '\n]\n')
print(len(index), 'activations')
