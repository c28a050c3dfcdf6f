"""What a file that is no FASTQ looks like, by its first bytes."""

from typing import Final

_TAR_PLACE: Final = 257  # POSIX.1-1988, ustar header

_KIND_BY_BEGINNING: Final = {
    b"##fileformat=VCF": "VCF",
    b"BAM\x01": "BAM",
    b"BCF\x02": "BCF",
    b"CRAM": "CRAM",
    b"@HD\t": "SAM",
    b"@SQ\t": "SAM",
    b">": "FASTA",
    b"PK\x03\x04": "zip archive",
    b"%PDF": "PDF",
    b"\x1f\x8b": "gzip within gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"7z\xbc\xaf\x27\x1c": "7-Zip archive",
    b"\x89HDF\r\n\x1a\n": "HDF5, such as FAST5",
    b"NCBI.sra": "SRA archive",
    b"\xef\xbb\xbf": "UTF-8 text with a byte-order mark",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"@\0": "UTF-16 text",
    b"\0@": "UTF-16 text",
    b"{": "JSON",
    b"<": "HTML or XML",
}


def guess_format(head: bytes) -> str | None:
    """Return the name of a format that a file begins like, None where it is like none of those known."""
    if head[_TAR_PLACE : _TAR_PLACE + 5] == b"ustar":
        return "tar archive"
    return next((kind for beginning, kind in _KIND_BY_BEGINNING.items() if head.startswith(beginning)), None)
