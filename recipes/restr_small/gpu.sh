#!/usr/bin/env bash
# restr_small on a borrowed GPU machine, in calls that carry a limited amount each (README.md says what each carries):
#   gpu.sh keep FOLDER               move what was carried to where the next call finds it
#   gpu.sh smoke FOLDER OUT          and train for a few seconds on what is there
#   gpu.sh train FOLDER OUT SECONDS  and train in earnest; further options go to train.py
# The machine needs torch, numpy, Pillow and safetensors. STORE is where data and checkpoint wait between the calls.
set -euo pipefail
store=${STORE:-/tmp/restr_gpu}
mkdir -p "$store"
if [ -n "$(ls -A "$2" 2>/dev/null)" ]; then mv "$2"/* "$store"/; fi  # nothing is left to move when a run is resumed
ls -la "$store"
export PYTHONPATH=src PYTHONUNBUFFERED=1
train="python3 recipes/restr_small/train.py --data $store --compile"
case $1 in
  keep) ;;
  smoke)
    mkdir -p "$3"
    $train --out "$3" --checkpoint "$store/smoke.pt" --seconds 25 --val-photos 10 --bench 2>&1 | tee "$3/output.log"
    rm -f "$store/smoke.pt"
    ;;
  train)
    mkdir -p "$3"
    $train --out "$3" --checkpoint "$store/checkpoint.pt" --seconds "$4" "${@:5}" 2>&1 | tee -a "$3/output.log"
    ;;
  *) echo "gpu.sh keep, smoke or train; not $1" >&2; exit 2 ;;
esac
