#!/usr/bin/env python3
"""Vectors for a gallery of activations: PyTorch autograd in float64, one safetensors file per case.

  python tests/gallery/make_gallery.py [outdir]      needs: torch numpy safetensors

A case has two evaluations that share nothing but the parameters:
  - a PyTorch function, written as the activation's authors define it; it makes every number in the file;
  - a description (`Description`), which `loops` evaluates with scalars and plain loops in the conventions of a layer
    (order of outputs, init + lambda * squash, sharing, neighbours, attention). Both must agree on y.
Gradients are those of sum(y * grad_y); torch.autograd.gradcheck compares all of them with finite differences to 1e-8,
and `check_directions` with those of `loops`, in long double where it is longer than double, to 1e-11.

Every quantity whose sign decides a branch is announced to `Kinks`. A draw is thrown away when one of them is
closer than MARGIN to zero, or when a branch is not taken by any element.
"""
import json
import math
import os
import sys
import zlib
from dataclasses import dataclass, field
from typing import Callable

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)

MARGIN = 1e-3
BN_EPS, BN_MOMENTUM = 1e-5, 0.1
OUT = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
INDEX, CASES = {}, {}


# ---------------------------------------------------------------------------------------------- descriptions

@dataclass
class Coefficient:
    name: str
    source: str                    # 'dynamic' or 'learned'
    init: list = None              # one number per piece
    lam: float = 1.0
    squash: str = 'centred_sigmoid'
    shared: bool = False


def dynamic(name, *init, lam=1.0, squash='centred_sigmoid'):
    return Coefficient(name, 'dynamic', list(init), lam, squash)


def learned(name, shared=False):
    return Coefficient(name, 'learned', shared=shared)


@dataclass
class Description:
    formula: str
    piece: Callable                # scalars: x, coefficients in order, neighbours -> one number
    coefficients: list = field(default_factory=list)
    k: int = 1
    share: str = 'spatial'         # 'spatial+channel' (A), 'spatial' (B), 'none' (C)
    combine: str = 'max'
    neighbours: list = field(default_factory=list)    # (name, groups, channels)
    groups: int = None
    context: str = 'pooled'        # 'pooled', 'halves', 'external'
    context_shape: tuple = None    # of the external one, without N
    layers: int = 2
    inner: str = 'relu'
    reduction: int = None          # H = max(C // reduction, 1), or
    hidden: int = None             # H itself
    attention: str = None          # 'softmax', 'normalised'
    temperature: float = None
    training: bool = True          # of the normalisation
    notes: str = ''
    spread: float = 1.0            # the larger, the more raw values a hard squash cuts
    draws: dict = field(default_factory=dict)    # learned coefficient -> function of a normal draw

    def dynamics(self):
        return [c for c in self.coefficients if c.source == 'dynamic']

    def is_shared(self, c):
        return c.shared or self.share == 'spatial+channel'

    def sizes(self, channels):
        """context channels M, hidden units H, outputs of the hyper function"""
        m = {'pooled': channels, 'halves': 2 * channels, 'external': (self.context_shape or [0])[0]}[self.context]
        h = self.hidden or (max(channels // self.reduction, 1) if self.reduction else None)
        return m, h, (1 if self.share == 'spatial+channel' else channels) * len(self.dynamics()) * self.k


def scalar_squash(kind, pieces):
    """from the raw values of one coefficient's K pieces to its residuals"""
    sigmoid = lambda r: 1 / (1 + np.exp(-r))
    if kind == 'softmax':
        total = sum(np.exp(r) for r in pieces)
        return [np.exp(r) / total for r in pieces]
    one = {
        'centred_sigmoid': lambda r: 2 * sigmoid(r) - 1,
        'sigmoid': sigmoid,
        'tanh': np.tanh,
        'hard_sigmoid': lambda r: min(max(r / 6 + 0.5, 0.0), 1.0),
        'centred_hard_sigmoid': lambda r: min(max(r / 3, -1.0), 1.0),
        'steep_hard_sigmoid': lambda r: min(max((r + 1) / 2, 0.0), 1.0),
        'centred_steep_hard_sigmoid': lambda r: min(max(r, -1.0), 1.0),
        'identity': lambda r: r,
    }[kind]
    return [one(r) for r in pieces]


def dense(v, weight, bias):
    return [sum(w * e for w, e in zip(row, v)) + b for row, b in zip(weight, bias)]


def loops(d, t):
    """y by scalars and loops, in the conventions of a layer; t: arrays of any float"""
    shape = t['x'].shape
    x = t['x'].reshape(shape[0], shape[1], -1).tolist()
    n_, c_, s_ = len(x), len(x[0]), len(x[0][0])
    params = {name: v.tolist() for name, v in t.items()}
    mean = lambda v: sum(v) / len(v)

    raw = None
    if d.dynamics():
        raw = []
        for n in range(n_):
            if d.context == 'pooled':
                v = [mean(x[n][c]) for c in range(c_)]
            elif d.context == 'halves':
                v = [mean([min(e, 0.0) for e in x[n][c]]) for c in range(c_)]
                v += [mean([max(e, 0.0) for e in x[n][c]]) for c in range(c_)]
            else:
                v = [mean(row.ravel().tolist()) for row in t['context'][n]]
            if d.layers == 2:
                v = dense(v, params['fc1.weight'], params['fc1.bias'])
                v = [max(e, 0.0) for e in v] if d.inner == 'relu' else v
                v = dense(v, params['fc2.weight'], params['fc2.bias'])
            elif d.layers == 1:
                v = dense(v, params['fc.weight'], params['fc.bias'])
            raw.append(v)

    def coefficient(j, n, c):
        """the K values of coefficient j"""
        co = d.coefficients[j]
        if co.source == 'learned':
            v = params[co.name][0 if d.is_shared(co) else c]
            return v if d.k > 1 else [v]
        i = [e.name for e in d.dynamics()].index(co.name)
        first = (i if d.share == 'spatial+channel' else c * len(d.dynamics()) + i) * d.k
        residual = scalar_squash(co.squash, raw[n][first:first + d.k])
        return [a + co.lam * r for a, r in zip(co.init, residual)]

    pi = [[1.0] * s_ for _ in range(n_)]
    if d.attention:
        w, b = params['attention.weight'][0], params['attention.bias'][0]
        z = [[sum(w[c] * x[n][c][s] for c in range(c_)) + b for s in range(s_)] for n in range(n_)]
        if d.attention == 'normalised':
            if d.training:
                every = [e for row in z for e in row]
                m = mean(every)
                v = mean([(e - m) ** 2 for e in every])
            else:
                m, v = params['attention.norm.running_mean'][0], params['attention.norm.running_var'][0]
            scale, offset = params['attention.norm.weight'][0], params['attention.norm.bias'][0]
            z = [[(e - m) / np.sqrt(v + BN_EPS) * scale + offset for e in row] for row in z]
        for n in range(n_):
            e = [np.exp(v / d.temperature) for v in z[n]]
            pi[n] = [min(s_ * v / (3 * sum(e)), 1.0) for v in e]

    per_group = c_ // d.groups if d.groups else c_
    y = np.empty((n_, c_, s_), t['x'].dtype)
    for n in range(n_):
        for c in range(c_):
            sets = [coefficient(j, n, c) for j in range(len(d.coefficients))]
            sources = []
            for _, groups, channels in d.neighbours:
                i, j = divmod(c, per_group)
                sources.append((i + groups) % d.groups * per_group + (j + channels) % per_group)
            for s in range(s_):
                seen = [x[n][source][s] for source in sources]
                values = [d.piece(x[n][c][s], *(pi[n][s] * v[k] for v in sets), *seen) for k in range(d.k)]
                y[n, c, s] = {'max': max, 'min': min, 'sum': sum}[d.combine](values)
    return y.reshape(shape)


# ------------------------------------------------------------------------------------------------- the machine

class Kinks:
    def __init__(self):
        self.distance, self.one_sided = math.inf, []

    def __call__(self, name, t, both=True):
        """t: its sign decides a branch. both: positive and negative ones must occur"""
        t = t.detach()
        self.distance = min(self.distance, t.abs().min().item())
        if both and not ((t > 0).any() and (t < 0).any()):
            self.one_sided.append(name)
        elif not both and not (t > 0).any():
            self.one_sided.append(name)

    def good(self):
        return self.distance > MARGIN and not self.one_sided


def draw_tensors(d, shape, generator):
    """x, the parameters of a layer, the context: name -> tensor, and the names without gradient"""
    normal = lambda *sh: torch.randn(*sh, generator=generator)
    n, c = shape[:2]
    offset = lambda sh: normal(*sh[:2], *[1] * (len(sh) - 2))
    t = {'x': 1.4 * normal(*shape) + 0.6 * offset(shape)}
    constants = []
    if d.dynamics():
        m, h, outputs = d.sizes(c)
        if d.context == 'external':
            context = (n, *d.context_shape)
            t['context'] = normal(*context) + 0.7 * offset(context)
        if d.layers == 2:
            t['fc1.weight'], t['fc1.bias'] = normal(h, m) * 2 * m ** -0.5, normal(h) * 0.3
            t['fc2.weight'], t['fc2.bias'] = normal(outputs, h) * 1.5 * d.spread * h ** -0.5, normal(outputs) * 0.5 * d.spread
        elif d.layers == 1:
            t['fc.weight'], t['fc.bias'] = normal(outputs, m) * 2 * m ** -0.5, normal(outputs) * 0.5
    for co in d.coefficients:
        if co.source == 'learned':
            size = [1 if d.is_shared(co) else c] + ([d.k] if d.k > 1 else [])
            t[co.name] = d.draws.get(co.name, lambda r: r)(normal(*size))
    if d.attention:
        t['attention.weight'], t['attention.bias'] = normal(1, c) * 0.3 * d.temperature, normal(1)
    if d.attention == 'normalised':
        t['attention.norm.weight'], t['attention.norm.bias'] = 1 + 0.3 * normal(1), normal(1) * 0.5
        if not d.training:
            t['attention.norm.running_mean'], t['attention.norm.running_var'] = normal(1) * 0.5, 0.7 + normal(1).abs()
            constants = ['attention.norm.running_mean', 'attention.norm.running_var']
    return t, constants


def differentiate(function, t, constants, grad_y):
    """y and the gradients of everything but the constants, checked against finite differences"""
    names = [name for name in t if name not in constants]
    leaves = [t[name].clone().requires_grad_() for name in names]
    full = lambda *v: function({**{name: t[name] for name in constants}, **dict(zip(names, v))}, lambda *_, **__: None)
    y = full(*leaves)
    grads = torch.autograd.grad((y * grad_y).sum(), leaves)
    assert torch.autograd.gradcheck(full, leaves, eps=1e-5, atol=1e-8, rtol=1e-8)
    return y.detach(), dict(zip(names, grads))


def check_directions(d, t, grad_y, grads):
    """Derivatives of sum(y * grad_y) along random directions: two central differences, extrapolated."""
    if np.finfo(np.longdouble).eps > 1e-18:
        return
    t = {name: v.numpy().astype(np.longdouble) for name, v in t.items()}
    grad_y, random, step = grad_y.numpy().astype(np.longdouble), np.random.default_rng(1), np.longdouble(4e-6)
    for _ in range(3):
        direction = {name: random.standard_normal(v.shape) for name, v in grads.items()}
        loss = lambda h: (loops(d, {name: v + h * direction.get(name, 0) for name, v in t.items()}) * grad_y).sum()
        one, two = ((loss(h) - loss(-h)) / (2 * h) for h in (step, 2 * step))
        expected = sum((v.numpy() * direction[name]).sum() for name, v in grads.items())
        np.testing.assert_allclose(float((4 * one - two) / 3), expected, rtol=1e-11, atol=1e-11)


def grad_name(name):
    return {'x': 'grad_x', 'context': 'grad_context'}.get(name, 'grad.' + name)


def write(name, d, t, y, grad_y, grads, extra, **facts):
    file = {**t, 'y': y, 'grad_y': grad_y, **{grad_name(k): v for k, v in grads.items()}, **extra}
    assert all(v.dtype == torch.float64 and v.isfinite().all() for v in file.values()), name
    for key, v in grads.items():
        silent = d.attention and key in ('attention.bias', 'attention.norm.bias')
        assert silent or (v != 0).any(), f'{name}: no gradient for {key}'
    save_file({k: v.detach().contiguous().clone() for k, v in file.items()}, os.path.join(OUT, name + '.safetensors'))
    m, h, _ = d.sizes(y.shape[1])
    has_hyper = bool(d.dynamics())
    INDEX[name] = {
        'formula': d.formula, 'k': d.k, 'share': d.share, 'combine': d.combine, 'shape': list(y.shape),
        'coefficients': [
            {'name': c.name, 'source': 'dynamic', 'init': c.init, 'lambda': c.lam, 'squash': c.squash}
            if c.source == 'dynamic' else {'name': c.name, 'source': 'learned', 'shared': d.is_shared(c)}
            for c in d.coefficients],
        'context': d.context if has_hyper else None, 'context_channels': m if has_hyper else None,
        'layers': d.layers if has_hyper else None, 'inner': d.inner if has_hyper and d.layers == 2 else None,
        'reduction': d.reduction, 'hidden': h,
        'neighbours': [{'name': s, 'groups': g, 'channels': c} for s, g, c in d.neighbours], 'groups': d.groups,
        'attention': d.attention, 'temperature': d.temperature,
        'parameters': [k for k in grads if k not in ('x', 'context')], 'notes': d.notes, **facts,
    }


def case(name, shape, d, function):
    for attempt in range(20000):
        generator = torch.Generator().manual_seed(zlib.crc32(name.encode()) + attempt)
        t, constants = draw_tensors(d, shape, generator)
        grad_y = torch.randn(*shape, generator=generator)
        kinks = Kinks()
        function(t, kinks)
        if kinks.good():
            break
    else:
        raise SystemExit(f'{name}: no draw without ties; {kinks.distance} {kinks.one_sided}')
    y, grads = differentiate(function, t, constants, grad_y)
    by_loops = loops(d, {key: v.numpy() for key, v in t.items()})
    np.testing.assert_allclose(y.numpy(), by_loops, rtol=1e-12, atol=1e-13, err_msg=name)
    check_directions(d, t, grad_y, grads)
    extra = {}
    if d.attention == 'normalised' and d.training:
        extra = dict(zip(('updated.running_mean', 'updated.running_var'), updated_statistics(t)))
    distance = None if kinks.distance == math.inf else float(f'{kinks.distance:.3g}')
    write(name, d, t, y, grad_y, grads, extra, draw=attempt, kink_distance=distance)
    CASES[name] = t, y, grad_y, grads


# ----------------------------------------------------------------------------------- PyTorch: building blocks

def flat(x):
    return x.reshape(*x.shape[:2], -1)


def wide(v, x):
    """[C] or [N, C] to the rank of x"""
    return v.reshape(*(v.shape if v.dim() == 2 else (1, -1)), *[1] * (x.dim() - 2))


def two_layers(t, kink, v, inner=F.relu):
    h = F.linear(v, t['fc1.weight'], t['fc1.bias'])
    if inner is F.relu:
        kink('hidden', h)
        h = F.relu(h)
    return F.linear(h, t['fc2.weight'], t['fc2.bias'])


def hyper(t, kink):
    return two_layers(t, kink, flat(t['x']).mean(2))


def hard_sigmoid(v):
    """not F.hardsigmoid: its derivative is 1 / 6 rounded to float32, for float64 too"""
    return F.relu6(v + 3) / 6


def dy_head_squash(v, kink):
    """twice the hard sigmoid minus one"""
    kink('cut', 3 - v.abs())
    return 2 * (hard_sigmoid(v) - 0.5)


def scores(t):
    """the 1x1 convolution with one output channel, [N, 1, S]"""
    return F.conv1d(flat(t['x']), t['attention.weight'][:, :, None], t['attention.bias'])


def attention(z, tau, kink):
    """equation 4 of the paper"""
    average_third = z.shape[-1] / 3 * torch.softmax(z / tau, -1)
    kink('pi', average_third - 1)
    return average_third.clamp(max=1)


def updated_statistics(t):
    z = scores(t)
    mean, var = torch.zeros(1), torch.ones(1)
    F.batch_norm(z, mean, var, training=True, momentum=BN_MOMENTUM, eps=BN_EPS)
    every = z.flatten().tolist()
    m = sum(every) / len(every)
    unbiased = sum((e - m) ** 2 for e in every) / (len(every) - 1)
    assert math.isclose(mean.item(), BN_MOMENTUM * m, rel_tol=1e-12)
    assert math.isclose(var.item(), 1 - BN_MOMENTUM + BN_MOMENTUM * unbiased, rel_tol=1e-12)
    return mean, var


def larger(first, second, kink):
    kink('max', first - second)
    return torch.maximum(first, second)


def positive(x, kink, name='relu'):
    kink(name, x)
    return F.relu(x)


# ------------------------------------------------------------------------------------------------ Dynamic ReLU

affine = lambda x, a, b: a * x + b
slope_and_intercept = [dynamic('a', 1.0, 0.0), dynamic('b', 0.0, 0.0, lam=0.5)]


def dy_relu(mode, normalised=False, training=True):
    """with `normalised`, DynamicHead's: a hard sigmoid, and batch normalisation before the attention"""
    def function(t, kink):
        x = t['x']
        xf, (n, c) = flat(x), x.shape[:2]
        raw = hyper(t, kink)
        theta = dy_head_squash(raw, kink) if normalised else 2 * torch.sigmoid(raw) - 1
        a, b = theta.view(n, 1 if mode == 'A' else c, 2, 1, 2).unbind(2)     # [N, 1 or C, 1, K]
        a = a * 1.0 + torch.tensor([1.0, 0.0])
        b = b * 0.5
        if mode == 'C':
            z = scores(t)
            if normalised:
                running = [None if training else t['attention.norm.running_' + s] for s in ('mean', 'var')]
                z = F.batch_norm(z, *running, t['attention.norm.weight'], t['attention.norm.bias'], training, 0.0, BN_EPS)
            pi = attention(z, 1 if normalised else 10, kink)[..., None]
            a, b = pi * a, pi * b
        lines = a * xf[..., None] + b
        return larger(*lines.unbind(-1), kink).reshape(x.shape)
    return function


def dy_relu_description(share, coefficients=slope_and_intercept, **more):
    return Description('max over k of a_k x + b_k', affine, coefficients, k=2, share=share, reduction=4, **more)


case('dy_relu_a', (2, 12, 7), dy_relu_description('spatial+channel'), dy_relu('A'))
case('dy_relu_b', (2, 12, 5, 3), dy_relu_description('spatial'), dy_relu('B'))
case('dy_relu_c', (2, 6, 5, 3),
     dy_relu_description('none', attention='softmax', temperature=10.0,
                         notes='the gradient of attention.bias is zero but for rounding'), dy_relu('C'))
# ------------------------------------------------------------------------- DyHead's, and the parameters of ports

hard_slope_and_intercept = [dynamic('a', 1.0, 0.0, squash='centred_hard_sigmoid'),
                            dynamic('b', 0.0, 0.0, lam=0.5, squash='centred_hard_sigmoid')]
for suffix, training in (('', True), ('_eval', False)):
    case('dy_relu_normalised' + suffix, (2, 6, 5, 3),
         dy_relu_description('none', hard_slope_and_intercept, spread=2.0, attention='normalised', temperature=1.0, training=training,
                             notes=('batch statistics; updated.*: from mean 0 and variance 1 with momentum 0.1' if training
                                    else 'evaluation: the given running statistics')
                             + '; the gradients of attention.bias and attention.norm.bias are zero but for rounding'),
         dy_relu('C', True, training))

dy_head_description = lambda **more: Description('max over k of a_k x + b_k', affine, hard_slope_and_intercept, k=2,
                                                 spread=2.0, **more)


def dy_head(t, kink):
    x = t['x']
    v = flat(t.get('context', x)).mean(2)
    theta = dy_head_squash(two_layers(t, kink, v), kink).view(*x.shape[:2], 4)
    a1, a2, b1, b2 = (wide(theta[..., j], x) for j in range(4))
    return larger((a1 + 1) * x + b1 / 2, a2 * x + b2 / 2, kink)


def dy_head_paper(t, kink):
    """the hard sigmoid of the DyHead paper instead of that of its code"""
    x = t['x']
    raw = hyper(t, kink)
    kink('cut', 1 - raw.abs())
    a1, a2, b1, b2 = (wide(F.hardtanh(raw).view(*x.shape[:2], 4)[..., j], x) for j in range(4))
    return larger((a1 + 1) * x + b1 / 2, a2 * x + b2 / 2, kink)


def squeeze_excite_steep(t, kink):
    raw = hyper(t, kink)
    kink('cut', 1 - raw.abs())
    return t['x'] * wide(((raw + 1) / 2).clamp(0, 1), t['x'])


case('dy_head', (2, 12, 5, 3), dy_head_description(reduction=4), dy_head)
case('dy_head_paper', (2, 12, 5, 3),
     Description('max over k of a_k x + b_k', affine,
                 [dynamic('a', 1.0, 0.0, squash='centred_steep_hard_sigmoid'),
                  dynamic('b', 0.0, 0.0, lam=0.5, squash='centred_steep_hard_sigmoid')], k=2, reduction=4), dy_head_paper)
case('se_steep', (2, 6, 5, 3),
     Description('s x', lambda x, s: s * x, [dynamic('s', 0.0, squash='steep_hard_sigmoid')], reduction=2),
     squeeze_excite_steep)
case('dy_head_external', (2, 6, 5, 3),
     dy_head_description(context='external', context_shape=(5, 4, 4), hidden=3,
                         notes='the context is averaged over its spatial axes'),
     dy_head)


# blocks of C rows: (coefficient, piece)
interleaved = [(0, 0), (1, 0), (0, 1), (1, 1)]      # a1 b1 a2 b2
equation_2 = [(0, 0), (0, 1), (1, 0), (1, 1)]       # a1 a2 b1 b2


def same_in_other_names(name, same_as, d, names, blocks, convolutions, function):
    """the case `same_as` with its parameters under other names, in another order of rows"""
    t, y, grad_y, grads = CASES[same_as]
    order = torch.tensor([(channel * 2 + coefficient) * 2 + k for coefficient, k in blocks for channel in range(y.shape[1])])

    def convert(tensors):
        new = {'x': tensors['x']}
        for (old, v) in list(tensors.items())[1:]:
            v = v[order] if old.startswith('fc2') else v
            new[names[old]] = v[:, :, None, None] if convolutions and v.dim() == 2 else v
        return {k: v.contiguous().clone() for k, v in new.items()}
    renamed = convert(t)
    kinks = Kinks()
    function(renamed, kinks)
    assert kinks.good(), (name, kinks.distance, kinks.one_sided)
    own_y, own_grads = differentiate(function, renamed, [], grad_y)
    np.testing.assert_allclose(own_y, y, rtol=1e-13, atol=1e-13)
    for key, v in convert(grads).items():
        np.testing.assert_allclose(own_grads[key], v, rtol=1e-11, atol=1e-12, err_msg=key)
    write(name, d, renamed, own_y, grad_y, own_grads, {}, same_as=same_as, kink_distance=float(f'{kinks.distance:.3g}'))


def dynamic_head_port(t, kink):
    x = t['x']
    v = F.linear(x.mean((2, 3)), t['fc.0.weight'], t['fc.0.bias'])
    kink('hidden', v)
    v = F.linear(F.relu(v), t['fc.2.weight'], t['fc.2.bias'])
    kink('cut', 3 - v.abs())
    v = hard_sigmoid(v) - 0.5
    a1, b1, a2, b2 = (block[:, :, None, None] for block in v.split(x.shape[1], 1))
    return larger((2 * a1 + 1) * x + b1, 2 * a2 * x + b2, kink)


def mmdetection_port(t, kink):
    x = t['x']
    v = F.conv2d(F.adaptive_avg_pool2d(x, 1), t['conv1.conv.weight'], t['conv1.conv.bias'])
    kink('hidden', v)
    v = F.conv2d(F.relu(v), t['conv2.conv.weight'], t['conv2.conv.bias'])
    kink('cut', 3 - v.abs())
    v = hard_sigmoid(v) - 0.5
    a1, b1, a2, b2 = torch.chunk(v, 4, 1)
    return larger(x * (a1 * 2 + 1) + b1, x * (a2 * 2) + b2, kink)


def paper_order(t, kink):
    x = t['x']
    n, c = x.shape[:2]
    theta = (2 * torch.sigmoid(hyper(t, kink)) - 1).view(n, 2, 2, c, 1, 1)      # N, slopes or intercepts, K, C
    lines = (theta[:, 0] + torch.tensor([1.0, 0.0]).view(1, 2, 1, 1, 1)) * x[:, None] + 0.5 * theta[:, 1]
    return larger(lines[:, 0], lines[:, 1], kink)


for name, same_as, d, function, layers, blocks, note in (
    ('dynamic_head_port', 'dy_head', dy_head_description(reduction=4), dynamic_head_port, ('fc.0', 'fc.2'), interleaved,
     'dy_head with the names of DynamicHead; rows of fc.2: blocks of C, a1 b1 a2 b2'),
    ('mmdetection_port', 'dy_head', dy_head_description(reduction=4), mmdetection_port, ('conv1.conv', 'conv2.conv'),
     interleaved,
     'dy_head with the names of mmdetection, 1x1 convolutions; rows of conv2.conv: blocks of C, a1 b1 a2 b2'),
    ('paper_order', 'dy_relu_b', dy_relu_description('spatial'), paper_order, ('fc1', 'fc2'), equation_2,
     'dy_relu_b; rows of fc2 as in equation 2: blocks of C, a1 a2 b1 b2'),
):
    d.notes = note
    names = {f'fc{i + 1}.{part}': f'{layer}.{part}' for i, layer in enumerate(layers) for part in ('weight', 'bias')}
    same_in_other_names(name, same_as, d, names, blocks, name == 'mmdetection_port', function)

# ------------------------------------------------------------------------------------------- Dynamic Shift-Max


def shift(x, groups, by_groups, by_channels):
    split = x.unflatten(1, (groups, -1))
    return split.roll((-by_groups, -by_channels), (1, 2)).flatten(1, 2)


def shift_max(by_channels):
    def function(t, kink):
        x = t['x']
        s = shift(x, 3, 1, by_channels)
        theta = dy_head_squash(hyper(t, kink), kink).view(*x.shape[:2], 2, 2)
        (a1, a2), (b1, b2) = ([wide(theta[:, :, d, k], x) for k in range(2)] for d in range(2))
        return larger((1 + a1) * x + b1 * s, a2 * x + b2 * s, kink)
    return function


def shift_linear(t, kink):
    x = t['x']
    a, b = (wide(v, x) for v in dy_head_squash(hyper(t, kink), kink).view(*x.shape[:2], 2).unbind(2))
    return (a + 1) * x + b * shift(x, 3, 1, 0)


def shift_description(k, by_channels, **more):
    zeros = [0.0] * k
    return Description('a x + b s' if k == 1 else 'max over k of a_k x + b_k s', lambda x, a, b, s: a * x + b * s,
                       [dynamic('a', 1.0, *zeros[1:], squash='centred_hard_sigmoid'),
                        dynamic('b', *zeros, squash='centred_hard_sigmoid')],
                       k=k, neighbours=[('s', 1, by_channels)], groups=3, reduction=4, spread=2.0, **more)


case('dy_shift_max', (2, 12, 5, 3), shift_description(2, 0, notes='as in the paper: groups are shifted'), shift_max(0))
case('dy_shift_max_code', (2, 12, 5, 3), shift_description(2, 1, notes='as in the code: groups and channels within'),
     shift_max(1))
case('dy_shift_max_linear', (2, 12, 7), shift_description(1, 0), shift_linear)

# ----------------------------------------------------------------------------------------------- ACON, gates, SE


def acon(x, p, q, beta):
    p, q, beta = (wide(v, x) for v in (p, q, beta))
    return (p - q) * x * torch.sigmoid(beta * (p - q) * x) + q * x


def meta_acon(t, kink):
    v = two_layers(t, kink, flat(t['x']).mean(2), inner=None)
    return acon(t['x'], t['p'], t['q'], torch.sigmoid(v))


def aprelu(t, kink):
    x = t['x']
    up, down = positive(x, kink), -F.relu(-x)
    v = torch.cat([flat(down).mean(2), flat(up).mean(2)], 1)
    return up + wide(torch.sigmoid(two_layers(t, kink, v)), x) * down


def squeeze_excite_hard(t, kink):
    v = hyper(t, kink)
    kink('cut', 3 - v.abs())
    return t['x'] * wide(hard_sigmoid(v), t['x'])


scalar_sigmoid = lambda r: 1 / (1 + np.exp(-r))
scalar_acon = lambda x, p, q, beta: (p - q) * x * scalar_sigmoid(beta * (p - q) * x) + q * x
acon_formula = '(p - q) x sigmoid(beta (p - q) x) + q x'
case('meta_acon', (2, 6, 5, 3),
     Description(acon_formula, scalar_acon, [learned('p'), learned('q'), dynamic('beta', 0.0, squash='sigmoid')],
                 inner='identity', hidden=16, notes='H = max(16, C / 16); without batch normalisation'), meta_acon)
case('acon_c', (2, 6, 7), Description(acon_formula, scalar_acon, [learned('p'), learned('q'), learned('beta')]),
     lambda t, kink: acon(t['x'], t['p'], t['q'], t['beta']))
case('aprelu', (2, 6, 5, 3),
     Description('relu(x) + s min(x, 0)', lambda x, s: max(x, 0.0) + s * min(x, 0.0), [dynamic('s', 0.0, squash='sigmoid')],
                 context='halves', hidden=6, notes='H = C; without batch normalisation'), aprelu)
case('se', (3, 12, 5, 3), Description('s x', lambda x, s: s * x, [dynamic('s', 0.0, squash='sigmoid')], reduction=16),
     lambda t, kink: t['x'] * wide(torch.sigmoid(hyper(t, kink)), t['x']))
case('se_hard', (3, 12, 7), Description('s x', lambda x, s: s * x, [dynamic('s', 0.0, squash='hard_sigmoid')], reduction=16,
                                        spread=2.0), squeeze_excite_hard)

# ---------------------------------------------------------------------------- learned or constant coefficients


def prelu(t, kink):
    kink('relu', t['x'])
    return F.prelu(t['x'], t['a'])


def maxout(t, kink):
    x = t['x']
    first, second = (wide(t['a'][:, k], x) * x + wide(t['b'][:, k], x) for k in range(2))
    return larger(first, second, kink)


def apl(t, kink):
    x = t['x']
    hinges = [wide(t[f'a{s}'], x) * positive(wide(t[f'b{s}'], x) - x, kink, f'hinge {s}') for s in (1, 2)]
    return positive(x, kink) + sum(hinges)


def srelu(t, kink):
    x = t['x']
    tr, ar, tl, al = (wide(t[name], x) for name in ('tr', 'ar', 'tl', 'al'))
    kink('right', x - tr)
    kink('left', x - tl)
    return torch.minimum(torch.maximum(x, tl), tr) + ar * F.relu(x - tr) - al * F.relu(tl - x)


def plu(t, kink):
    x, alpha, c = t['x'], 0.1, 1.0
    kink('right', x - c)
    kink('left', x + c)
    return torch.maximum(alpha * (x + c) - c, torch.minimum(alpha * (x - c) + c, x))


def pwlu(t, kink):
    """the outer lines and, from the left, each region's rise as far as x has come"""
    x = t['x']
    heights = [wide(t[f'y{i}'], x) for i in range(5)]
    for i in range(5):
        kink(f'knot {i}', x - (i - 2))
    y = heights[0] + wide(t['left'], x) * (x + 2).clamp(max=0) + wide(t['right'], x) * (x - 2).clamp(min=0)
    for i in range(4):
        y = y + (heights[i + 1] - heights[i]) * (x - (i - 2)).clamp(0, 1)
    return y


def scalar_pwlu(x, *learned):
    *heights, left, right = learned
    if x < -2:
        return heights[0] + left * (x + 2)
    if x >= 2:
        return heights[4] + right * (x - 2)
    i = math.floor(x + 2)
    return heights[i] + (heights[i + 1] - heights[i]) * (x + 2 - i)


def arelu(t, kink):
    x = t['x']
    kink('alpha', torch.cat([t['alpha'] - 0.01, 0.99 - t['alpha']]), both=False)
    return positive(x, kink) * (1 + torch.sigmoid(t['beta'])) - F.relu(-x) * t['alpha'].clamp(0.01, 0.99)


def hard_swish(t, kink):
    kink('right', t['x'] - 3)
    kink('left', t['x'] + 3)
    return t['x'] * hard_sigmoid(t['x'])


def scalar_srelu(x, tr, ar, tl, al):
    return tr + ar * (x - tr) if x >= tr else tl + al * (x - tl) if x <= tl else x


per_channel = lambda *names: [learned(name) for name in names]
case('prelu', (2, 6, 5, 3),
     Description('x where x > 0, a x elsewhere', lambda x, a: x if x > 0 else a * x, per_channel('a')), prelu)
case('leaky_relu', (2, 6, 7), Description('x where x > 0, 0.01 x elsewhere', lambda x: x if x > 0 else 0.01 * x),
     lambda t, kink: (kink('relu', t['x']), F.leaky_relu(t['x'], 0.01))[1])
case('maxout', (2, 6, 5, 3), Description('max over k of a_k x + b_k', affine, per_channel('a', 'b'), k=2), maxout)
case('apl', (2, 6, 5, 3),
     Description('relu(x) + a1 relu(b1 - x) + a2 relu(b2 - x)',
                 lambda x, a1, b1, a2, b2: max(x, 0.0) + a1 * max(b1 - x, 0.0) + a2 * max(b2 - x, 0.0),
                 per_channel('a1', 'b1', 'a2', 'b2')), apl)
case('srelu', (2, 6, 7),
     Description('tr + ar (x - tr) where x >= tr, tl + al (x - tl) where x <= tl, x between', scalar_srelu,
                 per_channel('tr', 'ar', 'tl', 'al'),
                 draws={'tr': lambda r: 0.3 + r.abs(), 'tl': lambda r: -0.3 - r.abs()}, notes='tl < tr'), srelu)
case('plu', (2, 6, 5, 3),
     Description('max(0.1 (x + 1) - 1, min(0.1 (x - 1) + 1, x))',
                 lambda x: max(0.1 * (x + 1) - 1, min(0.1 * (x - 1) + 1, x))), plu)
case('pwlu', (2, 6, 5, 3),
     Description('y0 + left (x + 2) where x < -2, y4 + right (x - 2) where x >= 2, '
                 'between -2 and 2 linear from y_i at i - 2 to y_{i + 1} at i - 1',
                 scalar_pwlu, per_channel('y0', 'y1', 'y2', 'y3', 'y4', 'left', 'right')), pwlu)
case('arelu', (2, 6, 5, 3),
     Description('relu(x) (1 + sigmoid(beta)) + clamp(alpha, 0.01, 0.99) min(x, 0)',
                 lambda x, alpha, beta: max(x, 0.0) * (1 + scalar_sigmoid(beta)) + min(max(alpha, 0.01), 0.99) * min(x, 0.0),
                 per_channel('alpha', 'beta'), share='spatial+channel',
                 draws={'alpha': lambda r: 0.5 + 0.3 * torch.tanh(r)}, notes='alpha is inside of the clamp'), arelu)
case('dyt', (5, 6),
     Description('gamma tanh(alpha x) + beta', lambda x, alpha, gamma, beta: gamma * np.tanh(alpha * x) + beta,
                 [learned('alpha', shared=True), learned('gamma'), learned('beta')]),
     lambda t, kink: t['gamma'] * torch.tanh(t['alpha'] * t['x']) + t['beta'])
case('hard_swish', (2, 6, 5, 3),
     Description('x clamp(x / 6 + 0.5, 0, 1)', lambda x: x * min(max(x / 6 + 0.5, 0.0), 1.0)), hard_swish)

# --------------------------------------------------------------------- what a hyper function can do otherwise


def one_piece(t, kink):
    x = t['x']
    a, b = (2 * torch.sigmoid(hyper(t, kink)) - 1).view(*x.shape[:2], 2).unbind(2)
    return positive(wide(1 + a, x) * x + wide(0.5 * b, x), kink)


def no_intercept(t, kink):
    x = t['x']
    a1, a2 = (2 * torch.sigmoid(hyper(t, kink)) - 1).view(*x.shape[:2], 2).unbind(2)
    return larger(wide(1 + a1, x) * x, wide(a2, x) * x, kink)


def softmax_mixture(t, kink):
    x = t['x']
    weights = torch.softmax(hyper(t, kink).view(*x.shape[:2], 1, 3), -1)
    return (weights * positive(flat(x)[..., None] - t['b'][:, None], kink)).sum(-1).reshape(x.shape)


def one_layer(t, kink):
    x = t['x']
    theta = torch.tanh(F.linear(flat(x).mean(2), t['fc.weight'], t['fc.bias'])).view(*x.shape[:2], 2, 2)
    first, second = (wide(theta[:, :, 0, k] + (1 - k), x) * x + wide(0.5 * theta[:, :, 1, k], x) for k in range(2))
    return larger(first, second, kink)


def outside_coefficients(t, kink):
    x = t['x']
    a, b = t['context'].view(*x.shape[:2], 2, 2).unbind(2)
    a = a + torch.tensor([1.0, 0.0])
    first, second = (wide(a[:, :, k], x) * x + wide(b[:, :, k], x) for k in range(2))
    return larger(first, second, kink)


case('dynamic_swish', (4, 12),
     Description('x sigmoid(b x)', lambda x, b: x * scalar_sigmoid(b * x), [dynamic('b', 1.0)], reduction=4),
     lambda t, kink: t['x'] * torch.sigmoid((1 + torch.tanh(hyper(t, kink) / 2)) * t['x']))
case('table6_one_piece', (2, 12, 5, 3),
     Description('max(a x + b, 0)', lambda x, a, b: max(a * x + b, 0.0),
                 [dynamic('a', 1.0), dynamic('b', 0.0, lam=0.5)], reduction=4),
     one_piece)
case('table6_no_intercept', (2, 12, 7),
     Description('max over k of a_k x', lambda x, a: a * x, [dynamic('a', 1.0, 0.0)], k=2, reduction=4), no_intercept)
case('softmax_mixture', (2, 6, 5, 3),
     Description('sum over k of a_k relu(x - b_k)', lambda x, a, b: a * max(x - b, 0.0),
                 [dynamic('a', 0.0, 0.0, 0.0, squash='softmax'), learned('b')], k=3, combine='sum', hidden=4,
                 notes='the softmax is over the three pieces'), softmax_mixture)
case('one_layer', (2, 6, 5, 3),
     Description('max over k of a_k x + b_k', affine,
                 [dynamic('a', 1.0, 0.0, squash='tanh'), dynamic('b', 0.0, 0.0, lam=0.5, squash='tanh')], k=2, layers=1),
     one_layer)
case('zero_layers', (2, 6, 5, 3),
     Description('a x', lambda x, a: a * x, [dynamic('a', 0.0, squash='sigmoid')], layers=0,
                 notes='the mean itself is the raw value'),
     lambda t, kink: t['x'] * wide(torch.sigmoid(flat(t['x']).mean(2)), t['x']))
case('outside_coefficients', (2, 6, 5, 3),
     Description('max over k of a_k x + b_k', affine,
                 [dynamic('a', 1.0, 0.0, squash='identity'), dynamic('b', 0.0, 0.0, squash='identity')], k=2, layers=0,
                 context='external', context_shape=(24,), notes='the context [N, C * 2 * 2] itself is the raw values'),
     outside_coefficients)

with open(os.path.join(OUT, 'index.json'), 'w') as file:
    # one line per fact, lists on one line
    cases = []
    for name, facts in INDEX.items():
        lines = ',\n'.join(f'  {json.dumps(k)}: {json.dumps(v)}' for k, v in facts.items())
        cases.append(f' {json.dumps(name)}: {{\n{lines}\n }}')
    file.write('{\n' + ',\n'.join(cases) + '\n}\n')
total = sum(os.path.getsize(os.path.join(OUT, f'{name}.safetensors')) for name in INDEX)
print(len(INDEX), 'cases,', total, 'bytes')
