"""Pages and tables for people, made from files that exist already.

One folder or module for each reader: a run, a study, a shop, predictions, a line; `templates/`
holds their HTML. Each page is one file that asks no server for anything. No statistics are
computed here: that is for `study/`, `evaluation/` and `deploy/`.
"""
