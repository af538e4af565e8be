#!/bin/bash
# A study as a job array: sbatch hpc/batch/study.sh STUDY.toml STUDY_DIRECTORY; then rfablate study ... --collect
# `rfablate study STUDY.toml --slurm SITE.toml` generates and submits an equivalent script.
#SBATCH --job-name=rfablate-study
#SBATCH --array=0-19
#SBATCH --ntasks=1
#SBATCH --mem-per-cpu=2G
#SBATCH --time=01:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@90
export OMP_NUM_THREADS=1
# module load ...; source .venv/bin/activate

near="" code=0
trap 'near=yes; kill -USR2 "$child"' USR1
rfablate study "$1" -o "$2" --share "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" &
child=$!
while wait "$child"; code=$?; [ "$code" -gt 128 ] && kill -0 "$child" 2>/dev/null; do :; done
case $code in 0 | 5) near= ;; esac
if [ -n "$near" ] && [ "${SLURM_RESTART_COUNT:-0}" -lt 20 ]; then
  scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
fi
exit "$code"
