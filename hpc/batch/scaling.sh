#!/bin/bash
# Strong and weak scaling of a step on this cluster: sbatch hpc/batch/scaling.sh, in the repository's root.
# NOT EXERCISED on more than the two cores of one machine: no cluster was at hand. What it starts, hpc.scaling.probe, was.
#SBATCH --job-name=rfablate-scaling
#SBATCH --nodes=1
#SBATCH --ntasks=64
#SBATCH --exclusive
#SBATCH --time=02:00:00
# One line of JSON a run into runs/scaling/: strong.jsonl and weak.jsonl; `step_s` is the median of a step's seconds.
export OMP_NUM_THREADS=1
# module load ...; source .venv/bin/activate

probe() { # probe RANKS MESH FILE
  echo "$2 on $1 ranks"
  mpirun -n "$1" --bind-to core python -m mpi4py -m hpc.scaling.probe "runs/scaling/$2.npz" --steps 24 |
    grep '^{' >>"runs/scaling/$3"
}

most=${SLURM_NTASKS:-2}
mkdir -p runs/scaling
python -c 'from hpc.scaling.meshes import prepare; [prepare(name) for name in ("large", "small", "small+1", "small+2")]'

# Strong: 589,426 nodes, ranks doubled.
for ((ranks = 1; ranks <= most; ranks *= 2)); do probe "$ranks" large strong.jsonl; done

# Weak: about 25,000 nodes a rank; each mesh is the one before with every tetrahedron cut in eight.
mesh=small
for ((ranks = 1; ranks <= most && ranks <= 64; ranks *= 8)); do
  probe "$ranks" "$mesh" weak.jsonl
  case $mesh in small) mesh=small+1 ;; *) mesh=small+2 ;; esac
done
