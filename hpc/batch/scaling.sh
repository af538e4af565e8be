#!/bin/bash
# Strong and weak scaling of a step on a cluster: sbatch hpc/batch/scaling.sh, in the root of the repository.
# NOT TESTED on more than two cores: no cluster was available. tests/hpc submits it to Slurm on one machine, with two
# ranks and a small mesh.
#SBATCH --job-name=rfablate-scaling
#SBATCH --nodes=1
#SBATCH --ntasks=64
#SBATCH --exclusive
#SBATCH --time=02:00:00
# Writes one line of JSON per run to runs/scaling/strong.jsonl and weak.jsonl; `step_s` is the median step time [s].
# Other meshes and steps: sbatch --export=ALL,STRONG=medium,WEAK=small,STEPS=12 hpc/batch/scaling.sh
export OMP_NUM_THREADS=1
# module load ...; source .venv/bin/activate
strong=${STRONG:-large} weak=${WEAK:-small} steps=${STEPS:-24} most=${SLURM_NTASKS:-2}
mkdir -p runs/scaling

probe() { # probe RANKS MESH FILE
  echo "$2 on $1 ranks"
  python -c 'import sys; from hpc.scaling.meshes import prepare; prepare(sys.argv[1])' "$2" || exit
  mpirun -n "$1" --bind-to core python -m mpi4py -m hpc.scaling.probe "runs/scaling/$2.h5" --steps "$steps" |
    grep '^{' >>"runs/scaling/$3" || exit
}

# Strong: one mesh (`large`: 589,426 nodes); the rank count is doubled.
for ((ranks = 1; ranks <= most; ranks *= 2)); do probe "$ranks" "$strong" strong.jsonl; done

# Weak: about 25,000 nodes per rank, starting with `small`; each tetrahedron is split in eight for the next mesh.
for ((ranks = 1, finer = 0; ranks <= most && finer <= 2; ranks *= 8, finer += 1)); do
  mesh=$weak
  if [ "$finer" -gt 0 ]; then mesh+=+$finer; fi
  probe "$ranks" "$mesh" weak.jsonl
done
