#!/usr/bin/env bash
# restr_small on a borrowed GPU machine, in three calls of at most 64 MiB each (README.md says what each carries):
#   gpu.sh keep FOLDER               move what was carried to where the next call finds it
#   gpu.sh smoke FOLDER OUT          and train for a few seconds on what is there
#   gpu.sh train FOLDER OUT SECONDS  and train in earnest
# The machine needs torch, numpy, Pillow and safetensors. STORE is where the data wait between the calls.
set -euo pipefail
store=${STORE:-/tmp/restr_gpu}
mkdir -p "$store"
mv "$2"/* "$store"/
ls -la "$store"
export PYTHONPATH=src PYTHONUNBUFFERED=1
train="python3 recipes/restr_small/gpu_train.py --data $store --compile"
case $1 in
  keep) ;;
  smoke) $train --out "$3" --seconds 25 --val-photos 10 --bench 2>&1 | tee "$3/output.log" ;;
  train) $train --out "$3" --seconds "$4" --bench "${@:5}" 2>&1 | tee "$3/output.log" ;;
  *) echo "gpu.sh keep, smoke or train; not $1" >&2; exit 2 ;;
esac
