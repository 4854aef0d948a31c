"""The report of one run: read from its folder, written as one page.

It reads the files of the rounds and the labels known now. It changes no file but its own.
"""
