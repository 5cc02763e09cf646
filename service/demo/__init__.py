"""The demo and the answering process: clients of the public HTTP API. Nothing of the server is imported; it runs as a process."""
