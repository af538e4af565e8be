"""The public Python functions, exported by `import rfablate`. The command line calls the same functions."""
