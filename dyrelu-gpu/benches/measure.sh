#!/bin/sh
# Measures the GPU of this machine, in a folder that carry.sh has made: the kernels, layers of Burn, and PyTorch if it is there.
#
#     measure.sh SAMPLES CHANNELS SIDE
set -eu
here=$(dirname "$0")
"$here/bandwidth" "$@"
"$here/gpu" "$@"
if python3 -c 'import torch' 2> /dev/null; then
    python3 "$here/peer.py" "$@"
else
    echo "no PyTorch here: nothing to compare with"
fi
