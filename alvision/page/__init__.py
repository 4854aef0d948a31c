"""The labelling page: a server process beside the loop's, over the store and the round files.

`static/` holds JavaScript and CSS, `templates/` the pages, `text/` every word that is shown. The
server must start in a second and answer in milliseconds, so it imports no torch, Lightning or
Hydra and runs no model.
"""
