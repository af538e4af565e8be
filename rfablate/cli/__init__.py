"""The command line, a file for each verb: the only place that knows COMM_WORLD, prints and exits."""
