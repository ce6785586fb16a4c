#!/usr/bin/env bash
# One job of four machines with eight GPUs each: Ray on all of them, and the batch on the first.
#
#   sbatch slurm_ray.sh
#SBATCH --job-name=ditta-adapt
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=32
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --output=ditta-adapt-%j.log
set -euo pipefail

head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head --lines 1)
address="$head:6379"

srun --nodes=1 --ntasks=1 --nodelist="$head" \
  ray start --head --port=6379 --num-cpus="$SLURM_CPUS_PER_TASK" --num-gpus=8 --block &
sleep 20
others=$((SLURM_JOB_NUM_NODES - 1))
if ((others > 0)); then
  srun --nodes="$others" --ntasks="$others" --exclude="$head" \
    ray start --address="$address" --num-cpus="$SLURM_CPUS_PER_TASK" --num-gpus=8 --block &
  sleep 20
fi

RAY_ADDRESS="$address" ditta-adapt batch "${VIDEOS:-videos.csv}" \
  --model "${MODEL:?name a model}" \
  --out "${OUT:?name a folder that all machines share}" \
  --scratch "${TMPDIR:-/tmp}" \
  --engine ray --workers $((8 * SLURM_JOB_NUM_NODES)) --device cuda
