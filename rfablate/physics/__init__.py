"""Pure physics: tissue laws, damage, generators and the libraries. No mesh, no MPI; reads only its own tables."""
