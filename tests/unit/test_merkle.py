"""The Merkle tree against RFC 6962: the vectors of Certificate Transparency's reference implementation, the definition
written out, and pymerkle where it is installed. TRU-01."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandline.trust.merkle import (
    EMPTY_ROOT,
    Frontier,
    MerkleTree,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)

ENTRIES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
SIZES = st.integers(1, 200)


def tree_of(count: int) -> MerkleTree:
    tree = MerkleTree()
    for number in range(count):
        tree.append(b"entry %d" % number)
    return tree


def defined_root(entries: list[bytes]) -> bytes:
    """MTH, as section 2.1 of RFC 6962 writes it."""
    if not entries:
        return sha256(b"").digest()
    if len(entries) == 1:
        return sha256(b"\x00" + entries[0]).digest()
    split = 1
    while 2 * split < len(entries):
        split *= 2
    return sha256(b"\x01" + defined_root(entries[:split]) + defined_root(entries[split:])).digest()


def test_roots_are_those_of_the_reference_implementation():
    tree, frontier = MerkleTree(), Frontier()
    assert tree.root() == frontier.root() == EMPTY_ROOT
    for entry, root in zip(ENTRIES, ROOTS, strict=True):
        tree.append(entry)
        frontier.append(leaf_hash(entry))
        assert tree.root().hex() == frontier.root().hex() == root


@given(SIZES, st.data())
def test_the_root_of_every_beginning_is_as_defined(size, data):
    beginning = data.draw(st.integers(0, size))
    assert tree_of(size).root(beginning) == defined_root([b"entry %d" % number for number in range(beginning)])


@given(SIZES, st.data())
def test_an_entry_is_proven_at_its_place_and_nowhere_else(size, data):
    index, other = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size - 1))
    tree = tree_of(size)
    leaf, path, root = leaf_hash(b"entry %d" % index), tree.prove_inclusion(index), tree.root()
    assert verify_inclusion(leaf, index, size, path, root)
    assert verify_inclusion(leaf, other, size, path, root) is (other == index)
    assert not verify_inclusion(leaf_hash(b"forged"), index, size, path, root)
    assert not verify_inclusion(leaf, index, size, [*path, root], root)
    assert len(path) <= (size - 1).bit_length()
    for place in range(len(path)):
        changed = [*path[:place], bytes([path[place][0] ^ 1]) + path[place][1:], *path[place + 1 :]]
        assert not verify_inclusion(leaf, index, size, changed, root)


@given(SIZES, st.data())
def test_growth_is_proven_and_a_changed_beginning_is_not(size, data):
    first = data.draw(st.integers(1, size))
    tree = tree_of(size)
    proof, old, new = tree.prove_consistency(first), tree.root(first), tree.root()
    assert verify_consistency(first, size, proof, old, new)
    assert len(proof) <= (size - 1).bit_length() + 1
    forged = sha256(old).digest()
    assert not verify_consistency(first, size, proof, forged, new)
    assert not verify_consistency(first, size, proof, old, forged)
    if first < size:
        assert not verify_consistency(first, size, proof[:-1], old, new)


@given(st.integers(0, 300), st.integers(0, 50))
def test_a_frontier_goes_on_where_another_stopped(before, more):
    whole, first = Frontier(), Frontier()
    for number in range(before):
        whole.append(leaf_hash(b"%d" % number))
        first.append(leaf_hash(b"%d" % number))
    second = Frontier(first.size, first.hashes)
    for number in range(before, before + more):
        whole.append(leaf_hash(b"%d" % number))
        second.append(leaf_hash(b"%d" % number))
    assert (second.size, second.root()) == (whole.size, whole.root())


def test_a_frontier_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="2 subtrees, not 1"):
        Frontier(3, [bytes(32)])


def test_what_is_beyond_the_tree_cannot_be_proven():
    tree = tree_of(3)
    for ask in (lambda: tree.prove_inclusion(3), lambda: tree.prove_consistency(4), lambda: tree.root(4)):
        with pytest.raises(ValueError, match="entr"):
            ask()


def test_pymerkle_accepts_our_proofs():
    """An implementation by others."""
    pymerkle = pytest.importorskip("pymerkle", reason="pymerkle is not installed: pip install pymerkle")
    tree, theirs = tree_of(37), pymerkle.InmemoryTree(algorithm="sha256")
    for number in range(37):
        theirs.append_entry(b"entry %d" % number)
    for index in range(37):
        shape = theirs.prove_inclusion(index + 1, 37).serialize()
        leaf = leaf_hash(b"entry %d" % index)
        shape["path"] = [digest.hex() for digest in (leaf, *tree.prove_inclusion(index))]
        pymerkle.verify_inclusion(leaf, tree.root(), pymerkle.MerkleProof.deserialize(shape))
