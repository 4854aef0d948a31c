"""What to do next: sentences about a run, each a pure function of what is known of it.

The same sentences stand on the terminal, on the labelling page, in the report and in Python. Facts
are read by others and handed in; what is said is a key and its values, and the words are in
`text/`, one file a language. No file of a run is read here, no model is run, and nothing is
decided: only `budget.stop=advice` lets a run act on it (see `loop.run`).
"""
