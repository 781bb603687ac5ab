"""A ridge regression whose base is not drawn anywhere, with customers as clusters."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

FOLDS = 5
PENALTIES = (10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, float("inf"))


def chosen_penalty(pseudo: Floats, z: Floats, customers: Codes) -> float:
    """The penalty with the least squared error on customers left out; the pooled effect wins a tie."""
    fold = customers % FOLDS
    losses = []
    for penalty in PENALTIES:
        loss = 0.0
        for k in range(FOLDS):
            held = fold == k
            if not held.any() or held.all():
                continue
            weights, _ = ridge(pseudo[~held], z[~held], penalty, customers[~held])
            loss += float(((pseudo[held] - weights[0] - z[held] @ weights[1:]) ** 2).sum())
        losses.append(loss)
    best = min(range(len(PENALTIES)), key=lambda k: (losses[k], -PENALTIES[k]))
    return PENALTIES[best]


def ridge(pseudo: Floats, z: Floats, penalty: float, customers: Codes) -> tuple[Floats, Floats]:
    """Base and weights (the base is not drawn anywhere), and their covariance with customers as clusters."""
    if np.isinf(penalty):
        weights = np.zeros(z.shape[1] + 1)
        weights[0] = pseudo.mean()
        covariance = np.zeros((len(weights), len(weights)))
        covariance[0, 0] = cluster_error(pseudo, customers) ** 2
        return weights, covariance
    x = np.concatenate([np.ones((len(z), 1)), z], axis=1)
    normal = x.T @ x + np.diag([0.0, *[penalty] * z.shape[1]])
    weights = np.linalg.solve(normal, x.T @ pseudo)
    scores = np.zeros((int(customers.max()) + 1, x.shape[1]))
    np.add.at(scores, customers, x * (pseudo - x @ weights)[:, None])
    inverse = np.linalg.inv(normal)
    return weights, inverse @ (scores.T @ scores) @ inverse


def cluster_error(pseudo: Floats, customers: Codes) -> float:
    """Standard error of the mean when a customer's contacts rise and fall together."""
    sums = np.bincount(customers, weights=pseudo - pseudo.mean())
    return float(np.sqrt((sums**2).sum()) / len(pseudo))
