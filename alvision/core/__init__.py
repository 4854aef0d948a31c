"""The ground floor: errors, named randomness, the records of the loop and the folders of rounds.

Everything may import this room; it imports nothing of alvision, and no torch.
"""
