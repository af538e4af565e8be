"""The monitors that observe a run: one file per monitor, all with the interface of `monitor.Monitor`."""
