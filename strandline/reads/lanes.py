"""What the reads of a sample come in: a pair of FASTQ files a lane, or one BAM or CRAM that is taken apart again.

A BAM or CRAM, aligned or not, gives back its reads as the sequencer wrote them: primary records alone, original base
qualities (OQ) where a recalibration kept them, and none that the sequencer failed (flag 0x200). What an earlier
alignment said is dropped, and so are tags of single reads. Sources: SAM specification sections 1.3 and 1.4; SAMtags,
OQ; the manual pages of samtools-collate, -fastq and -split.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

import pysam

from strandline.errors import RejectedInputError
from strandline.reads.tools import read_output, run_pipeline, tool_command

QUICK_BAM: Final = "bam,level=1"
_PL_BY_PLATFORM: Final = {"MGI": "DNBSEQ"}  # as SAM calls MGI's sequencers
_NO_READ: Final = 0xB00  # secondary, failed by the sequencer, supplementary
_FEWEST_FILES, _MOST_FILES, _BYTES_A_FILE = 64, 512, 128 << 20
_MOST_GROUPS: Final = 256
_LONGEST_VALUE: Final = 200
_LOOKED_AT: Final = 1000
_USED: Final = ("SQ", "RG")


@dataclass(frozen=True, slots=True)
class ReadGroup:
    """The `@RG` line. Source: SAM specification section 1.3.

    `name` is its ID, the sample's where it is None; `unit` the platform unit, as flow cell and lane.
    """

    sample_id: str
    platform: str
    library: str
    name: str | None = None
    unit: str | None = None

    def to_line(self) -> str:
        """Return the line with `\\t` between fields, as `bwa mem -R` takes it.

        >>> print(ReadGroup("S1", "MGI", "lib1", "FC1.2", "FC1.2").to_line().replace("\\\\t", " "))
        @RG ID:FC1.2 SM:S1 PL:DNBSEQ LB:lib1 PU:FC1.2
        """
        fields = {
            "ID": self.name or self.sample_id,
            "SM": self.sample_id,
            "PL": _PL_BY_PLATFORM.get(self.platform, self.platform),
            "LB": self.library,
            **({"PU": self.unit} if self.unit else {}),
        }
        return "\\t".join(["@RG", *(f"{tag}:{value}" for tag, value in fields.items())])


@dataclass(frozen=True, slots=True)
class Lane:
    """The reads of one group: first and second mates in FASTQ, or one BAM or CRAM that holds both."""

    read_group: ReadGroup
    reads: tuple[Path, Path] | tuple[Path]


def interleave_commands(source: Path, scratch: Path, reference: Path) -> list[list[str]]:
    """Return what writes the pairs of a BAM or CRAM to stdout as FASTQ, first and second mates in turn.

    Reads without a mate go to files that `check_mates` looks at.

    Args:
        source: the BAM or CRAM, in any order.
        scratch: what the names of temporary files begin with.
        reference: FASTA that a CRAM is decoded with.
    """
    samtools = tool_command("samtools")
    single, other = _unpaired_paths(scratch)
    gathered = ["-n", str(_collate_files(source.stat().st_size)), "-T", f"{scratch}.collate"]
    return [
        [*samtools, "collate", "-O", "-u", *gathered, "--reference", str(reference), str(source)],
        [*samtools, "fastq", "-n", "-O", "-F", hex(_NO_READ), "-s", str(single), "-0", str(other), "-"],
    ]


def check_mates(scratch: Path, source: Path) -> None:
    """Check that no read was left without its mate when `source` was taken apart.

    Raises:
        RejectedInputError: `reads_unpaired`.
    """
    if any(path.exists() and path.stat().st_size for path in _unpaired_paths(scratch)):
        raise _unpaired(source)


def check_nothing_lost(lanes: Sequence[Lane], read_count: int, reference: Path) -> None:
    """Check that as many reads were aligned as the BAM or CRAM files hold: `samtools fastq` keeps one a name and mate.

    Raises:
        RejectedInputError: `read_names_repeated`.
    """
    sources = [lane.reads[0] for lane in lanes if len(lane.reads) == 1]
    count = [*tool_command("samtools"), "view", "-c", "-F", hex(_NO_READ), "--reference", str(reference)]
    if sources and sum(int(read_output([*count, str(source)])) for source in sources) != read_count:
        raise RejectedInputError(
            "read_names_repeated",
            f"{sources[0].name} holds several reads of one name and mate in a read group: give each lane its own @RG "
            "line, or write the file anew from reads that have names of their own",
        )


def take_apart(source: Path, own: ReadGroup, folder: Path, *, reference: Path) -> list[Lane]:
    """Return the read groups of a BAM or CRAM, each with a file of its own where they are several.

    Args:
        source: the BAM or CRAM, in any order.
        own: the sample as the manifest declares it; the group of reads whose file names none.
        folder: takes the files.
        reference: FASTA that a CRAM is decoded with, after `check_contigs`.

    Raises:
        RejectedInputError: a code of `read_groups`; `reads_missing`; `reads_unpaired`, where the file's first reads
            are no pairs; `read_group_unknown`, where a read belongs to none of several groups.
    """
    groups = read_groups(read_header(source), own, source.name)
    _check_first_reads(source, reference)
    if len(groups) == 1:
        return [Lane(groups[0], (source,))]
    parts = [folder / f"{source.stem}.group_{number}.bam" for number in range(len(groups))]
    rest = folder / f"{source.stem}.ungrouped.bam"
    run_pipeline([split_command(source, folder, rest, reference)])
    if _first_reads(rest, reference):
        raise RejectedInputError(
            "read_group_unknown",
            f"{source.name} has several @RG lines and a read that belongs to none: set it with samtools addreplacerg",
        )
    return [Lane(group, (part,)) for group, part in zip(groups, parts, strict=True) if _first_reads(part, reference)]


def split_command(source: Path, folder: Path, rest: Path, reference: Path) -> list[str]:
    """Return what writes each read group to `folder/NAME.group_N.bam`, N from 0 as the @RG lines stand."""
    samtools = tool_command("samtools")
    options = ["--output-fmt", QUICK_BAM, "--reference", str(reference)]
    return [
        *samtools,
        "split",
        "-f",
        str(folder / f"{source.stem}.group_%#.bam"),
        "-u",
        str(rest),
        *options,
        str(source),
    ]


def read_header(source: Path) -> Mapping[str, Sequence[Mapping[str, str]]]:
    """Return the lines of a BAM's or CRAM's header by their type: @SQ and @RG, values by their tag."""
    verbosity = pysam.set_verbosity(0)  # what it prints may quote the header
    try:
        with pysam.AlignmentFile(str(source), check_sq=False) as opened:
            lines = opened.header.to_dict()
    finally:
        pysam.set_verbosity(verbosity)
    return {kind: [{tag: str(value) for tag, value in line.items()} for line in lines.get(kind, [])] for kind in _USED}


def read_groups(header: Mapping[str, Sequence[Mapping[str, str]]], own: ReadGroup, name: str) -> list[ReadGroup]:
    """Return the groups that a header names, under the sample and platform of `own`; `own` where it names none.

    ID, LB and PU are the header's; a library that it leaves out is the declared one.

    Raises:
        RejectedInputError: `sample_swapped`, where a group is of another sample than the declared one;
            `read_group_repeated`, where two groups have the same ID; `read_group_unreadable`; `too_many_read_groups`.
    """
    lines = header["RG"]
    if len(lines) > _MOST_GROUPS:
        raise RejectedInputError(
            "too_many_read_groups", f"{name} has over {_MOST_GROUPS} @RG lines: merge those of a lane, or send FASTQ"
        )
    names = [line.get("ID", "") for line in lines]
    if len(set(names)) != len(names):
        raise RejectedInputError(
            "read_group_repeated", f"{name}: two @RG lines have the same ID: correct them with samtools reheader"
        )
    for number, line in enumerate(lines, start=1):
        for tag in ("ID", "LB", "PU"):
            value = line.get(tag, "-")
            if (
                not value
                or len(value) > _LONGEST_VALUE
                or "\\" in value
                or not (value.isascii() and value.isprintable())
            ):
                raise RejectedInputError(
                    "read_group_unreadable",
                    f"{name}: {tag} of @RG line {number} is empty, over {_LONGEST_VALUE} characters, or holds a "
                    "backslash or a character that is not printable ASCII: correct it with samtools reheader",
                )
        if line.get("SM", own.sample_id) != own.sample_id:
            raise RejectedInputError(
                "sample_swapped",
                f"{name}: SM of @RG line {number} is not the manifest's sample.sample_id: send the sample's own file, "
                "or correct the one that is wrong (samtools reheader)",
            )
    return [
        replace(own, name=line["ID"], unit=line.get("PU"), library=line.get("LB", own.library)) for line in lines
    ] or [own]


def check_contigs(source: Path, md5_by_contig: Mapping[str, str]) -> None:
    """Check that a CRAM can be decoded with a reference: contigs of one name have the same MD5.

    A contig that the reference lacks may stand in the header: ValidateFiles refuses the file where reads lie on it.
    A BAM holds its bases itself and may have been aligned to anything.

    Raises:
        RejectedInputError: `reference_mismatch`.
    """
    if source.suffix != ".cram":
        return
    for number, line in enumerate(read_header(source)["SQ"], start=1):
        if line["SN"] in md5_by_contig and line.get("M5", "").lower() != md5_by_contig[line["SN"]]:
            raise RejectedInputError(
                "reference_mismatch",
                f"{source.name}: @SQ line {number} has not the M5 of that contig in the manifest's reference, so its "
                "reads cannot be decoded: name the reference that the CRAM was written with, or send BAM or FASTQ",
            )


def _check_first_reads(source: Path, reference: Path) -> None:
    """Refuse a file of single-end reads before anything is done with it."""
    first = _first_reads(source, reference)
    if not first:
        raise RejectedInputError("reads_missing", f"{source.name} holds no read: send the file that has them")
    if not all(read.is_paired for read in first):
        raise _unpaired(source)


def _first_reads(source: Path, reference: Path) -> list[pysam.AlignedSegment]:
    with pysam.AlignmentFile(str(source), check_sq=False, reference_filename=str(reference)) as opened:
        reads = (read for read in opened.fetch(until_eof=True) if not read.flag & _NO_READ)
        return list(islice(reads, _LOOKED_AT))


def _collate_files(size_bytes: int) -> int:
    """Return into how many files mates are gathered: samtools holds one of them in memory at a time."""
    return max(_FEWEST_FILES, min(_MOST_FILES, size_bytes // _BYTES_A_FILE))


def _unpaired_paths(scratch: Path) -> tuple[Path, Path]:
    """Return where the reads go that have no mate, and those that are neither a first nor a second one."""
    return Path(f"{scratch}.single.fq"), Path(f"{scratch}.other.fq")


def _unpaired(source: Path) -> RejectedInputError:
    return RejectedInputError(
        "reads_unpaired",
        f"{source.name} holds a read with one mate only: send paired-end reads, both mates of each; a part of a file "
        "is cut out together with its mates (samtools view -P)",
    )
