"""An isolation forest in our own hands: fitted by scikit-learn, kept as JSON, scored without it.

Liu, Ting and Zhou, "Isolation Forest" (2008). `score` equals scikit-learn's `-score_samples` (a test says so).
"""

from dataclasses import dataclass
from math import log
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
EULER = 0.5772156649015329
TREES, SAMPLES = 150, 256


@dataclass(frozen=True)
class Tree:
    """Nodes by number; a leaf is its own child. `depth`: splits down to it, and what its samples would take more."""

    left: Ints
    right: Ints
    column: Ints
    threshold: Floats
    depth: Floats


@dataclass(frozen=True)
class Forest:
    """`usual` replaces what is missing, column by column."""

    names: tuple[str, ...]
    usual: Floats
    trees: tuple[Tree, ...]
    samples: int

    def score(self, values: Floats) -> Floats:
        """(n,) 0 to 1, high where odd, of (n, columns) values in the order of `names`; NaN is missing."""
        filled = np.where(np.isnan(values), self.usual, values).astype(np.float32)
        depth = np.zeros(len(filled))
        for tree in self.trees:
            depth += tree.depth[_leaves(tree, filled)]
        score: Floats = 2.0 ** (-depth / (len(self.trees) * float(_path_length(self.samples))))
        return score

    def as_json(self) -> dict[str, Any]:
        """What `of_json` reads."""
        trees = [
            {
                "left": t.left.tolist(),
                "right": t.right.tolist(),
                "column": t.column.tolist(),
                "threshold": t.threshold.tolist(),
                "depth": t.depth.tolist(),
            }
            for t in self.trees
        ]
        return {"names": self.names, "usual": self.usual.tolist(), "samples": self.samples, "trees": trees}

    @classmethod
    def of_json(cls, told: dict[str, Any]) -> "Forest":
        """The forest that `as_json` told of."""
        trees = tuple(_told_tree(tree) for tree in told["trees"])
        return cls(tuple(told["names"]), np.array(told["usual"], dtype=np.float64), trees, int(told["samples"]))


def fit_forest(values: Floats, names: tuple[str, ...], *, seed: int) -> Forest:
    """A forest of (n, columns) values; a column that is always missing counts as zero."""
    from sklearn.ensemble import IsolationForest

    known = ~np.isnan(values)
    usual = np.array([np.median(c[k]) if k.any() else 0.0 for c, k in zip(values.T, known.T, strict=True)])
    filled = np.where(known, values, usual).astype(np.float32)
    samples = min(SAMPLES, len(filled))
    fitted = IsolationForest(n_estimators=TREES, max_samples=samples, random_state=seed, n_jobs=1).fit(filled)
    trees = tuple(_tree(e.tree_) for e in fitted.estimators_)
    return Forest(names, usual, trees, samples)


def _told_tree(told: dict[str, Any]) -> Tree:
    left, right, column = (np.array(told[k], dtype=np.int64) for k in ("left", "right", "column"))
    threshold, depth = (np.array(told[k], dtype=np.float64) for k in ("threshold", "depth"))
    return Tree(left, right, column, threshold, depth)


def _tree(fitted: Any) -> Tree:
    left, right = (np.asarray(a, dtype=np.int64) for a in (fitted.children_left, fitted.children_right))
    leaf, own = left < 0, np.arange(len(left))
    down = np.zeros(len(left))
    for node in np.flatnonzero(~leaf):  # parents come before their children
        down[left[node]] = down[right[node]] = down[node] + 1
    more = np.array([float(_path_length(n)) for n in fitted.n_node_samples])
    column = np.where(leaf, 0, fitted.feature).astype(np.int64)
    return Tree(
        np.where(leaf, own, left), np.where(leaf, own, right), column, np.asarray(fitted.threshold), down + more
    )


def _leaves(tree: Tree, values: NDArray[np.float32]) -> Ints:
    node, rows = np.zeros(len(values), dtype=np.int64), np.arange(len(values))
    while True:
        smaller = values[rows, tree.column[node]] <= tree.threshold[node]
        after = np.where(smaller, tree.left[node], tree.right[node])
        if np.array_equal(after, node):
            return node
        node = after


def _path_length(samples: int) -> float:
    """Mean depth of an unsuccessful search in a binary tree of so many samples."""
    if samples <= 1:
        return 0.0
    if samples == 2:
        return 1.0
    return 2.0 * (log(samples - 1.0) + EULER) - 2.0 * (samples - 1.0) / samples
