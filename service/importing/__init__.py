"""`askwhen import`: a file of labelled samples teaches a stream of a running service, through its public HTTP API."""
