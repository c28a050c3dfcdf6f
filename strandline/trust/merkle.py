"""The Merkle tree of RFC 6962 (SHA-256): roots, proofs that an entry is in it, and that it only grew.

Sources: RFC 6962, section 2.1 (hashes and paths); RFC 9162, sections 2.1.3.2 and 2.1.4.2 (how proofs are verified).
Indexes count from 0; hashes are 32 bytes.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = sha256().digest()
"""Of a tree without entries."""

_LEAF, _NODE = b"\x00", b"\x01"


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of an entry."""
    return sha256(_LEAF + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of two subtrees side by side."""
    return sha256(_NODE + left + right).digest()


class Frontier:
    """The roots of the complete subtrees at the right edge: all that appending needs, at most 64 hashes.

    >>> frontier = Frontier()
    >>> frontier.append(leaf_hash(b""))
    >>> frontier.root().hex()[:8]
    '6e340b9c'
    """

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        """Take up where `size` entries left `hashes`, the largest subtree first."""
        self.size = size
        self.hashes = list(hashes)
        if len(self.hashes) != size.bit_count():
            raise ValueError(f"a tree of {size} entries has {size.bit_count()} subtrees, not {len(self.hashes)}")

    def append(self, leaf: bytes) -> None:
        """Append an entry by its hash."""
        size = self.size
        while size & 1:
            leaf = sha256(_NODE + self.hashes.pop() + leaf).digest()
            size >>= 1
        self.hashes.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """Return the root of the tree as it is now."""
        if not self.hashes:
            return EMPTY_ROOT
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            root = node_hash(left, root)
        return root


class MerkleTree:
    """A tree that keeps the hash of every complete subtree, some 64 bytes an entry, and proves what it holds."""

    def __init__(self) -> None:
        self._levels: list[bytearray] = [bytearray()]  # of level k each hash stands for 2 to the k entries
        self.size = 0

    def append(self, entry: bytes) -> int:
        """Append an entry and return its index."""
        hash_ = sha256(_LEAF + entry).digest()
        levels, index = self._levels, self.size
        levels[0] += hash_
        level, size = 0, index
        while size & 1:
            below = levels[level]
            hash_ = sha256(_NODE + below[-2 * HASH_BYTES :]).digest()
            level += 1
            size >>= 1
            if level == len(levels):
                levels.append(bytearray())
            levels[level] += hash_
        self.size = index + 1
        return index

    def root(self, size: int | None = None) -> bytes:
        """Return the root of the first `size` entries, of all where None (MTH of RFC 6962, section 2.1)."""
        wanted = self._checked(size)
        return self._subtree(0, wanted) if wanted else EMPTY_ROOT

    def prove_inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """Return the path of an entry in the tree of the first `size` entries (PATH of RFC 6962, section 2.1.1)."""
        end = self._checked(size)
        if not 0 <= index < end:
            raise ValueError(f"entry {index} is not among the first {end}")
        path: list[bytes] = []
        start = 0
        while end - start > 1:
            split = start + _left_size(end - start)
            if index < split:
                path.append(self._subtree(split, end))
                end = split
            else:
                path.append(self._subtree(start, split))
                start = split
        return path[::-1]

    def prove_consistency(self, first: int, second: int | None = None) -> list[bytes]:
        """Return the proof that the first `second` entries begin with the first `first` (PROOF of section 2.1.2)."""
        end = self._checked(second)
        if not 0 < first <= end:
            raise ValueError(f"a tree of {first} entries is not the beginning of one of {end}")
        proof: list[bytes] = []
        start, is_whole = 0, True
        while first != end:
            split = start + _left_size(end - start)
            if first <= split:
                proof.append(self._subtree(split, end))
                end = split
            else:
                proof.append(self._subtree(start, split))
                start, is_whole = split, False
        if not is_whole:
            proof.append(self._subtree(start, end))
        return proof[::-1]

    def _checked(self, size: int | None) -> int:
        if size is None:
            return self.size
        if not 0 <= size <= self.size:
            raise ValueError(f"the tree has {self.size} entries, not {size}")
        return size

    def _subtree(self, start: int, end: int) -> bytes:
        """Return the root of entries `start` to `end`, of which `start` is a multiple of the next power of two."""
        root, at = b"", end
        while at > start:
            level = ((at - start) & -(at - start)).bit_length() - 1
            place = (at >> level) * HASH_BYTES
            left = bytes(self._levels[level][place - HASH_BYTES : place])
            root = node_hash(left, root) if root else left
            at -= 1 << level
        return root


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Return whether a path proves that an entry, by its hash, is at `index` in the tree of `size` entries."""
    if not 0 <= index < size:
        return False
    place, last, found = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node_hash(sibling, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and found == root


def verify_consistency(first: int, second: int, proof: Sequence[bytes], first_root: bytes, second_root: bytes) -> bool:
    """Return whether a proof shows that the tree of `second` entries begins with the tree of `first`."""
    if not 0 < first <= second:
        return False
    if first == second:
        return not proof and first_root == second_root
    hashes = [first_root, *proof] if first & (first - 1) == 0 else list(proof)
    if not hashes:
        return False
    place, last = first - 1, second - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old = new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root


def _left_size(size: int) -> int:
    """Return the largest power of two under `size`, which is 2 or more."""
    return 1 << (size - 1).bit_length() - 1
