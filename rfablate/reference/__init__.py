"""The equations of a time step as UFL forms, the readable reference of the C kernels. Collective."""
