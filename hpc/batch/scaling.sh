#!/bin/bash
# Strong and weak scaling of a step on this cluster: sbatch hpc/batch/scaling.sh, in the repository's root.
# NOT EXERCISED on more than two cores: no cluster was at hand. tests/hpc submits it to the Slurm of one machine, on two
# ranks and a small mesh.
#SBATCH --job-name=rfablate-scaling
#SBATCH --nodes=1
#SBATCH --ntasks=64
#SBATCH --exclusive
#SBATCH --time=02:00:00
# One line of JSON a run into runs/scaling/: strong.jsonl and weak.jsonl; `step_s` is the median of a step's seconds.
# Other meshes and steps: sbatch --export=ALL,STRONG=medium,WEAK=small,STEPS=12 hpc/batch/scaling.sh
export OMP_NUM_THREADS=1
# module load ...; source .venv/bin/activate
strong=${STRONG:-large} weak=${WEAK:-small} steps=${STEPS:-24} most=${SLURM_NTASKS:-2}
mkdir -p runs/scaling

probe() { # probe RANKS MESH FILE
  echo "$2 on $1 ranks"
  python -c 'import sys; from hpc.scaling.meshes import prepare; prepare(sys.argv[1])' "$2" || exit
  mpirun -n "$1" --bind-to core python -m mpi4py -m hpc.scaling.probe "runs/scaling/$2.npz" --steps "$steps" |
    grep '^{' >>"runs/scaling/$3" || exit
}

# Strong: one mesh, 589,426 nodes where it is `large`; ranks doubled.
for ((ranks = 1; ranks <= most; ranks *= 2)); do probe "$ranks" "$strong" strong.jsonl; done

# Weak: about 25,000 nodes a rank from `small` on; each mesh is the one before with every tetrahedron cut in eight.
for ((ranks = 1, finer = 0; ranks <= most && finer <= 2; ranks *= 8, finer += 1)); do
  mesh=$weak
  if [ "$finer" -gt 0 ]; then mesh+=+$finer; fi
  probe "$ranks" "$mesh" weak.jsonl
done
