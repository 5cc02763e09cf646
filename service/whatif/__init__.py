"""`askwhen whatif`: what another budget, rule, exploration or model would have come to, from a stream's log. It changes nothing."""
