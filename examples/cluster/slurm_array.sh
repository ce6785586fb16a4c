#!/usr/bin/env bash
# Sixteen jobs, a sixteenth of the videos each; a job that is preempted or killed goes on when it is
# queued again. When all are done, run the last line by hand without --shard: it does nothing again,
# and writes results and overview of the whole.
#
#   sbatch slurm_array.sh
#SBATCH --job-name=ditta-adapt
#SBATCH --array=0-15
#SBATCH --gpus=1
#SBATCH --cpus-per-task=4
#SBATCH --mem=32G
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --signal=B:TERM@60
#SBATCH --output=ditta-adapt-%A_%a.log
set -euo pipefail

# Not the shell but the command is told that time is up, and keeps how far it is.
exec ditta-adapt batch "${VIDEOS:-videos.csv}" \
  --model "${MODEL:?name a model}" \
  --out "${OUT:?name a folder that all machines share}" \
  --scratch "${TMPDIR:-/tmp}" \
  --shard "${SLURM_ARRAY_TASK_ID}/${SLURM_ARRAY_TASK_COUNT}" \
  --threads "${SLURM_CPUS_PER_TASK:-1}"
