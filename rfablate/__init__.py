"""Lesions of radiofrequency electrodes in tissue: electric field, bioheat, control and damage on FEniCSx."""

__version__ = "0.1.0"
