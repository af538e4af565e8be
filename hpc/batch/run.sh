#!/bin/bash
# One case on several ranks: sbatch hpc/batch/run.sh CASE.toml RUN_DIRECTORY
# `rfablate run CASE.toml --slurm SITE.toml --ranks N` generates and submits an equivalent script.
#SBATCH --job-name=rfablate
#SBATCH --ntasks=8
#SBATCH --mem-per-cpu=2G
#SBATCH --time=04:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@90
case=$1 run=$2
export OMP_NUM_THREADS=1
# module load ...; source .venv/bin/activate

verb=(run "$case" -o "$run" --overwrite)
if compgen -G "$run/checkpoint*.h5" >/dev/null; then verb=(resume "$run"); fi

# Slurm sends USR1 to this script 90 s before the limit; USR2 ends the run with a checkpoint.
near="" code=0
trap 'near=yes; kill -USR2 "$child"' USR1
mpirun -n "$SLURM_NTASKS" rfablate "${verb[@]}" &
child=$!
while wait "$child"; code=$?; [ "$code" -gt 128 ] && kill -0 "$child" 2>/dev/null; do :; done
case $code in 0 | 5) near= ;; esac
if [ -n "$near" ] && [ "${SLURM_RESTART_COUNT:-0}" -lt 20 ]; then scontrol requeue "$SLURM_JOB_ID"; fi
exit "$code"
