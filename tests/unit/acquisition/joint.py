"""The exact information that labels hold together, over every joint label."""

import torch


def information(p):
    """Return I(y_1..y_b; pass) of rows p [b, K, C] in nats; C^b outcomes."""
    joint = torch.ones(p.shape[1], 1, dtype=torch.float64)
    for row in p.double():
        joint = (joint[:, :, None] * row[:, None, :]).flatten(1)
    own = torch.special.entr(p.double()).sum(-1).mean(1).sum()
    return float(torch.special.entr(joint.mean(0)).sum() - own)


def greedy(p, n):
    """Return the rows of exact greedy and their gains; a tie goes to the lowest row."""
    rows, gains, before = [], [], 0.0
    for _ in range(n):
        after = {i: information(p[[*rows, i]]) for i in range(len(p)) if i not in rows}
        row = max(after, key=lambda i: (round(after[i], 9), -i))
        rows.append(row)
        gains.append(after[row] - before)
        before = after[row]
    return rows, gains
