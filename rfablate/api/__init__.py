"""The public Python functions. The command line calls the same ones; `import rfablate` offers them by name."""
