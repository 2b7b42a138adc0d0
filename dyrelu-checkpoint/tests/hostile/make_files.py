#!/usr/bin/env python3
"""Checkpoints that are damaged or want to do harm.

  python dyrelu-checkpoint/tests/hostile/make_files.py      needs: torch
"""
import io
import os
import pickle
import zipfile

import torch

HERE = os.path.dirname(os.path.abspath(__file__))


def path(name):
    return os.path.join(HERE, name)


def rewrite(name, tensors, change):
    """What torch.save writes for the tensors, with other contents of some entries."""
    buffer = io.BytesIO()
    torch.save(tensors, buffer)
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(path(name), 'w', zipfile.ZIP_STORED) as new:
        for entry in old.namelist():
            content = change(entry.split('/', 1)[1], old.read(entry))
            if content is not None:
                new.writestr(zipfile.ZipInfo(entry, (2026, 1, 1, 0, 0, 0)), content)


class Command:
    def __reduce__(self):
        return os.system, ('touch ran_code',)


weights = {'act.fc1.weight': torch.ones(2, 8), 'act.fc1.bias': torch.ones(2)}
# One number that claims to be 4 GiB of them.
rewrite('expanded.pth', {'act.fc1.weight': torch.ones(1).expand(1 << 20, 1 << 10)}, lambda _, content: content)
# Nothing wrong: a weight that forty layers share, and a mask of one number.
shared = torch.ones(64, 64)
rewrite('tied.pth', {f'layers.{i}.weight': shared for i in range(40)} | {'mask': torch.ones(1).expand(512, 512)},
        lambda _, content: content)
# A name that means something else in safetensors files.
rewrite('metadata.pth', {'__metadata__': torch.ones(1), **weights}, lambda _, content: content)
# Storages that are shorter than their tensors, or not there.
rewrite('short.pth', weights, lambda name, content: content[:8] if name == 'data/0' else content)
rewrite('no_storage.pth', weights, lambda name, content: None if name == 'data/0' else content)
# A program instead of tensors.
rewrite('command.pth', weights, lambda name, content: pickle.dumps(
    {'act.fc1.weight': Command()}, protocol=2) if name == 'data.pkl' else content)
# A pickle without tensors.
rewrite('no_tensors.pth', weights, lambda name, content: pickle.dumps(
    {'epoch': 3}, protocol=2) if name == 'data.pkl' else content)
