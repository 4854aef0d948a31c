"""The shop report of a bundle: what is promised, what slips through, what to photograph next."""
