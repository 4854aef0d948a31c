"""What is unlike the rest: a memory of the patches of images believed good, and distances to it.

`memory` and `scores` are pure functions of tensors; `robust` builds a memory of images of which
some may be defects; `novelty` keeps a run's memory and scores in a file. `maps` and `hot_spots` say
where a photograph is strange, and need no torch. Nobody's label is read here, and no network runs:
patches come from `inference.patches`.
"""
