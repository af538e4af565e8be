"""What the tables of a case mean together: tissues, flow, channels."""
