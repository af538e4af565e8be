"""What observes a run: one file a monitor, all with the interface of `monitor.Monitor`."""
