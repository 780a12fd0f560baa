"""Shapley values over layer updates, by every order: nothing is sampled.

The players are the updates u_j between chosen states (the first from the baseline). A coalition's
worth is the readout of baseline + Σ of its updates. Below a layer, an update's parts are scored with
the gradient averaged over the steps that its layer takes in all orders.
"""

import itertools
import math

import torch

from . import tree


def attribute(function, path, layers, pieces, embedding):
    """Values, their spread over orders, and the parts of each layer's update."""
    updates = [after - before for before, after in zip(path, path[1:])]
    players = range(len(updates))
    state = lambda members: path[0] + sum(
        (updates[j] for j in members), torch.zeros_like(path[0])
    )
    worth, gradients = {}, {}
    for size in range(len(updates) + 1):
        for members in itertools.combinations(players, size):
            worth[members] = function(state(members)).item()
            for j in players:
                if j not in members:
                    start = state(members)
                    gradients[members, j] = tree.mean_gradient(function, start, start + updates[j])
    steps = [[] for _ in players]
    mean = [torch.zeros_like(path[0]) for _ in players]
    orders = math.factorial(len(updates))
    for order in itertools.permutations(players):
        for place, j in enumerate(order):
            before = tuple(sorted(order[:place]))
            after = tuple(sorted(order[: place + 1]))
            steps[j].append(worth[after] - worth[before])
            mean[j] += gradients[before, j] / orders
    rows = []
    for number, (layer, inside) in enumerate(tree.segments(layers)):
        first = embedding - path[0] if number == 0 else None
        row = tree.row(mean[number], layer, inside, pieces, first, "head")
        row["value"] = math.fsum(steps[number]) / orders
        spread = math.fsum((step - row["value"]) ** 2 for step in steps[number]) / orders
        row["deviation"] = math.sqrt(spread)
        tree.close(row["value"], tree.total(row))
        rows.append(row)
    ends = [function(path[0]).item(), function(path[-1]).item()]
    tree.close(ends[1] - ends[0], math.fsum(row["value"] for row in rows))
    return {
        "orders": orders,
        "baseline_value": ends[0],
        "final_value": ends[1],
        "segments": rows,
    }
