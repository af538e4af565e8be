"""The command line, with one file for each verb. Only this package uses COMM_WORLD, prints and exits."""
