"""The Merkle tree: known roots, and proofs that hold for every pair and for nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from catalogue.audit import merkle

# The tree of seven entries that RFC 9162's readers and certificate-transparency share as a test.
ENTRIES = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
]
ROOT_OF_EIGHT = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def tree(count: int) -> merkle.Node:
    """A stored tree of ``count`` small entries."""
    stored: dict[tuple[int, int], bytes] = {}

    def node(level: int, position: int) -> bytes:
        return stored[level, position]

    for position in range(count):
        data = ENTRIES[position] if count <= len(ENTRIES) else str(position).encode()
        for level, place, digest in merkle.completed(position, merkle.leaf_hash(data), node):
            stored[level, place] = digest
    return node


def test_known_root() -> None:
    assert merkle.root(tree(8), 8).hex() == ROOT_OF_EIGHT
    assert merkle.root(tree(8), 0) == merkle.EMPTY_ROOT


NODE = tree(300)


@given(st.integers(1, 300), st.data())
def test_every_entry_is_proven_and_no_other(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    root, leaf = merkle.root(NODE, size), NODE(0, index)
    path = merkle.inclusion_path(NODE, index, size)
    assert merkle.includes(leaf, index, size, path, root)
    assert not merkle.includes(merkle.leaf_hash(b"other"), index, size, path, root)
    other = data.draw(st.integers(0, size - 1))
    if other != index:
        assert not merkle.includes(leaf, other, size, path, root)
    if path:
        assert not merkle.includes(leaf, index, size, path[:-1], root)


@given(st.integers(1, 300), st.data())
def test_an_older_tree_is_proven_to_be_continued(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size))
    roots = merkle.root(NODE, old), merkle.root(NODE, size)
    path = merkle.consistency_path(NODE, old, size)
    assert merkle.consistent(old, size, *roots, path)
    changed = merkle.leaf_hash(b"backdated")
    assert not merkle.consistent(old, size, changed, roots[1], path)
    assert not merkle.consistent(old, size, roots[0], changed, path)
