"""Physical laws: tissues, damage, generators and the libraries. Pure: no mesh, no MPI; reads only its own tables."""
