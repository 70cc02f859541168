"""The Merkle tree of RFC 9162, section 2.1: hashes, proofs of inclusion and of consistency.

A tree is read through ``node(level, position)``: the hash of the perfect subtree of ``2**level``
leaves that begins at leaf ``position * 2**level``. Only perfect subtrees are ever asked for, and
those never change, so they can be stored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

Node = Callable[[int, int], bytes]

EMPTY_ROOT = hashlib.sha256().digest()


def leaf_hash(data: bytes) -> bytes:
    """The hash of one entry; the prefix keeps an entry from passing as a node."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash over two subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def completed(position: int, leaf: bytes, node: Node) -> list[tuple[int, int, bytes]]:
    """The perfect subtrees that leaf ``position`` completes: level, position and hash of each."""
    made, level, digest = [(0, position, leaf)], 0, leaf
    while position & 1:
        digest = node_hash(node(level, position - 1), digest)
        level, position = level + 1, position >> 1
        made.append((level, position, digest))
    return made


def root(node: Node, size: int) -> bytes:
    """The hash over the first ``size`` leaves."""
    return _range(node, 0, size) if size else EMPTY_ROOT


def inclusion_path(node: Node, index: int, size: int) -> list[bytes]:
    """What proves that leaf ``index`` is among the first ``size`` (section 2.1.3.1).

    Raises IndexError when it is not.
    """
    if not 0 <= index < size:
        raise IndexError(index)
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_range(node, middle, end))
            end = middle
        else:
            path.append(_range(node, start, middle))
            start = middle
    return path[::-1]


def consistency_path(node: Node, old: int, size: int) -> list[bytes]:
    """What proves that the first ``old`` leaves are still those (section 2.1.4.1).

    Raises IndexError unless ``0 < old <= size``.
    """
    if not 0 < old <= size:
        raise IndexError(old)
    path: list[bytes] = []
    start, end, whole = 0, size, True
    while old < end:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(_range(node, middle, end))
            end = middle
        else:
            path.append(_range(node, start, middle))
            start, whole = middle, False
    if not whole:
        path.append(_range(node, start, end))
    return path[::-1]


def includes(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether ``path`` leads from ``leaf`` at ``index`` to ``root`` (section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    position, last, digest = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if position & 1 or position == last:
            digest = node_hash(sibling, digest)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            digest = node_hash(digest, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and digest == root


def consistent(
    old: int, size: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]
) -> bool:
    """Whether the tree of ``size`` continues the tree of ``old`` (section 2.1.4.2)."""
    if old == size:
        return old_root == new_root and not path
    if not 0 < old < size or not path:
        return False
    steps = list(path) if old & (old - 1) else [old_root, *path]
    position, last = old - 1, size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old_digest = new_digest = steps[0]
    for sibling in steps[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            old_digest, new_digest = node_hash(sibling, old_digest), node_hash(sibling, new_digest)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new_digest = node_hash(new_digest, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and old_digest == old_root and new_digest == new_root


def _split(count: int) -> int:
    """The largest power of two below ``count``."""
    return 1 << ((count - 1).bit_length() - 1)


def _range(node: Node, start: int, end: int) -> bytes:
    """The hash over the leaves from ``start`` to before ``end``; ``start`` is aligned."""
    count = end - start
    if not count & (count - 1):
        level = count.bit_length() - 1
        return node(level, start >> level)
    middle = start + _split(count)
    return node_hash(_range(node, start, middle), _range(node, middle, end))
