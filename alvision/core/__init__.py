"""What everything builds on: errors, named randomness, records, and folders of rounds.

Every room may import this one. It imports nothing of alvision and, until a generator is asked for,
no torch.
"""
