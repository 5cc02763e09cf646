"""The pure heart: what to ask and what to learn. No I/O, clock, environment, async, logging or HTTP lives below here."""
