#!/bin/sh
# Puts all that measures a GPU into one folder, which runs on a machine without a compiler or a network:
#
#     dyrelu-gpu/benches/carry.sh FOLDER
#
# here, in the root of the repository, and there, with a driver of Vulkan, and PyTorch if it is to be compared:
#
#     FOLDER/measure.sh 64 256 56
set -eu
folder=${1:?"a folder is missing"}
mkdir -p "$folder"
cargo bench --no-run --package dyrelu-gpu --package dyrelu-burn --bench bandwidth --bench gpu \
    --features dyrelu-gpu/wgpu,dyrelu-burn/gpu,dyrelu-burn/vulkan 2>&1 | tee "$folder/build.log"
# Cargo names what it built: `Executable benches/gpu.rs (target/release/deps/gpu-…)`.
sed -n 's/.*Executable benches.*(\(.*\))/\1/p' "$folder/build.log" | while read -r program; do
    name=$(basename "$program")
    strip -o "$folder/${name%-*}" "$program"
done
cp dyrelu-gpu/benches/measure.sh dyrelu-gpu/benches/peer.py "$folder"
rm "$folder/build.log"
