"""The company's policy as it is read, kept and compared: one version after the other."""
