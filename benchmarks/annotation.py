"""HGVS names beside those of VEP, ClinVar and the Python package hgvs, and how long annotation takes.

    python -m benchmarks.annotation DATA [--peer-python PYTHON]

DATA holds folders as `annot/` (VCFs that VEP and ClinVar named, Ensembl's gene models) and `b37_chr20_0-1M/` (bases and
gene models). PYTHON is an interpreter that has the package hgvs; without one that comparison is left out.
"""

import argparse
import gzip
import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pysam

from strandline.reads.reference_bundle.builds import Build, accession_of, chromosome_of, length_of
from strandline.reads.reference_bundle.description import Contig
from strandline.variants.annotation import AnnotationSources, annotate_variants
from strandline.variants.hgvs import ContigBases, Edit, edit_of, name_on_genome, name_on_transcript
from strandline.variants.naming import SequenceNames
from strandline.variants.transcripts import Transcript, parse_transcripts

_MITOCHONDRION_MD5: Final = "c68f52674c9fb33aef52dcf399755519"
_LONGEST_S: Final = 60.0
_TIMED: Final = 10_000
# Exons of GENCODE 19 for the transcripts that VEP named in the slice of ExAC; 1-based, ends included
_GENCODE: Final = {
    "ENST00000456328.2": (True, ((11869, 12227), (12613, 12721), (13221, 14409)), None),
    "ENST00000450305.2": (
        True,
        ((12010, 12057), (12179, 12227), (12613, 12697), (12975, 13052), (13221, 13374), (13453, 13670)),
        None,
    ),
    "ENST00000488147.1": (
        False,
        (
            *((14404, 14501), (15005, 15038), (15796, 15947), (16607, 16765), (16858, 17055), (17233, 17368)),
            *((17606, 17742), (17915, 18061), (18268, 18366), (24738, 24891), (29534, 29570)),
        ),
        None,
    ),
    "ENST00000335137.3": (True, ((69091, 70008),), (69090, 70008)),
}


class KnownBases(ContigBases):
    """A contig of which only the bases of one record are known."""

    def __init__(self, position: int, ref: str, length: int) -> None:
        self.contig, self.length = "", length
        self._start0, self._ref = position - 1, ref

    def __getitem__(self, position0: int) -> str:
        """Return a base, N where it is not known."""
        place = position0 - self._start0
        return self._ref[place] if 0 <= place < len(self._ref) else "N"

    def fetch(self, start0: int, end0: int) -> str:
        """Return the bases of an interval."""
        return "".join(self[position0] for position0 in range(start0, end0))


def compare_with_vep(vcf: Path) -> dict[str, Any]:
    """Count single-base variants whose place and change on a transcript VEP names as we do."""
    made = {
        name: Transcript(name, name, is_forward, "", tuple((start - 1, end) for start, end in exons), coding)
        for name, (is_forward, exons, coding) in _GENCODE.items()
    }
    compared, differing = 0, []
    for position, ref, alts, info in _records(vcf):
        for allele, named, transcript in _vep_names(info, made):
            edit = edit_of(position, ref, allele) if allele in alts else None
            if edit is None or len(edit.deleted) != 1 or len(edit.inserted) != 1:
                continue
            if not transcript.start0 <= edit.start0 < transcript.end0:
                continue
            ours = _name_place(edit, transcript)
            compared += 1
            if ours != named:
                differing.append(f"{transcript.identifier}: {ours}, VEP {named}")
    return {"compared": compared, "equal": compared - len(differing), "differing": differing}


def _vep_names(info: str, made: dict[str, Transcript]) -> Iterator[tuple[str, str, Transcript]]:
    for entry in info.partition("CSQ=")[2].partition(";")[0].split(","):
        fields = entry.split("|")
        for field in fields:
            transcript, _, name = field.partition(":")
            if transcript in made and name[:2] in {"c.", "n."}:
                yield fields[0], name.removesuffix("(p.%3D)"), made[transcript]  # that VEP added it to silent ones


def _name_place(edit: Edit, transcript: Transcript) -> str | None:
    if transcript.coding:  # its bases are not here, and its name needs none
        return f"c.{transcript.locate(edit.start0)[0] + 1}{edit.deleted}>{edit.inserted}"
    names = name_on_transcript(edit, transcript, KnownBases(1, "", 10**9))
    return names.coding if names else None


def compare_with_clinvar(vcf: Path, build: Build) -> dict[str, Any]:
    """Count names that are ClinVar's `CLNHGVS`; the bases around an insertion or deletion are not here."""
    counts = {"snv": [0, 0], "other": [0, 0]}
    differing = []
    for contig, position, ref, alt, named in _clinvar_names(vcf):
        edit, length = edit_of(position, ref, alt), length_of(build, chromosome_of(contig))
        accession = accession_of(Contig(name=contig, length=length or 1, md5=_MITOCHONDRION_MD5), build)
        if edit is None or length is None or accession is None:
            continue
        bases = KnownBases(position, ref, length)
        ours = name_on_genome(edit, bases, accession, is_mitochondrion=chromosome_of(contig) == "MT")
        kind = counts["snv" if len(ref) == len(alt) == 1 else "other"]
        kind[0] += 1
        kind[1] += ours == named
        if ours != named:
            differing.append(f"{ours}, ClinVar {named}")
    return {
        f"{kind}_{what}": count
        for kind, both in counts.items()
        for what, count in zip(("compared", "equal"), both, strict=True)
    } | {"differing": differing}


def _clinvar_names(vcf: Path) -> Iterator[tuple[str, int, str, str, str]]:
    with gzip.open(vcf, "rt") as lines:
        for line in lines:
            if line.startswith("#"):
                continue
            columns = line.rstrip().split("\t")
            match = re.search(r"CLNHGVS=([^;]+)", columns[7])
            if match:
                yield columns[0], int(columns[1]), columns[3], columns[4], match[1]


def _records(vcf: Path) -> Iterator[tuple[int, str, list[str], str]]:
    with gzip.open(vcf, "rt") as lines:
        for line in lines:
            if not line.startswith("#"):
                columns = line.rstrip().split("\t")
                yield int(columns[1]), columns[3], columns[4].split(","), columns[7]


def write_names(fasta: Path, gff3: Path, contig: str, accession: str, output: Path, *, seed: int) -> int:
    """Name random variants in and beside every exon of every coding transcript; return how many."""
    bases = ContigBases(pysam.FastaFile(str(fasta)), contig)
    with gff3.open("rb") as lines:
        transcripts = parse_transcripts(line for line in lines if line.startswith(contig.encode() + b"\t"))
    rng = random.Random(seed)  # noqa: S311  # places, no secrets
    rows: dict[str, None] = {}
    for transcript in transcripts:
        if transcript.coding is None or transcript.end0 > bases.length:
            continue
        for start, end in transcript.exons:
            for _ in range(60 + (end - start) // 4):
                edit = _draw(rng, bases, max(transcript.start0 + 2, start - 12), min(transcript.end0 - 12, end + 12))
                if edit is None or (names := name_on_transcript(edit, transcript, bases)) is None:
                    continue
                on_genome = name_on_genome(edit, bases, accession)
                rows[f"{transcript.identifier}\t{on_genome}\t{names.coding}\t{names.protein or ''}\n"] = None
    output.write_text("".join(rows))
    return len(rows)


def _draw(rng: random.Random, bases: ContigBases, start: int, end: int) -> Edit | None:
    place = rng.randrange(start, end) if start < end else start
    deleted = rng.choice((0, 1, 1, 1, 2, 3, 3, 6, 9))
    inserted = "".join(rng.choices("ACGT", k=rng.choice((0, 1, 1, 1, 2, 3, 6))))
    if rng.random() < 0.3:
        deleted, inserted = 0, bases.fetch(place - len(inserted), place)
    ref = bases.fetch(place - 1, place + deleted)
    return None if "N" in ref else edit_of(place, ref, ref[0] + inserted)


def compare_with_package(data: Path, python: Path) -> dict[str, dict[str, Any]]:
    """Name random variants on real gene models of both strands, and have the package name them."""
    answers: dict[str, dict[str, Any]] = {}
    with TemporaryDirectory() as scratch:
        for build, contig, accession, fasta, genes in _gene_models(data, Path(scratch)):
            names = Path(scratch) / f"{build}.tsv"
            write_names(fasta, genes, contig, accession, names, seed=7)
            peer = Path(__file__).with_name("hgvs_peer.py")
            command = [str(python), "-W", "ignore", str(peer), *map(str, (fasta, genes, contig, accession, names))]
            answers[build] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return answers


def _gene_models(data: Path, folder: Path) -> Iterator[tuple[Build, str, str, Path, Path]]:
    """Yield the beginning of chromosome 20 (GENCODE 19) and that of chromosome 21 (Ensembl), with their bases."""
    genes = data / "b37_chr20_0-1M"
    yield (
        Build.GRCH37,
        "20",
        "NC_000020.10",
        _unpack(genes / "hs37d5_chr20_1_1000000.fa.gz", folder),
        (genes / "chr20.b37.0-1M.ensembl.gff3"),
    )
    ensembl = folder / "chr21.gff3"
    ensembl.write_bytes(gzip.decompress((data / "annot" / "ensembl.grch38.chr21.gff3.gz").read_bytes()))
    bases = data / "grch38_chr20_0-10M" / "grch38.chr20_and_21_10M.fa.gz"
    yield Build.GRCH38, "21", "NC_000021.9", _unpack(bases, folder), ensembl


def _unpack(fasta: Path, folder: Path) -> Path:
    """Return a plain, indexed copy whose contigs have Ensembl's names."""
    plain = folder / fasta.name.removesuffix(".gz")
    plain.write_bytes(gzip.decompress(fasta.read_bytes()).replace(b">chr", b">"))
    pysam.faidx(str(plain))
    return plain


def time_annotation(data: Path) -> dict[str, float]:
    """Return the seconds that annotation of 10,000 calls takes, with gene models of a whole chromosome."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        fasta = _unpack(data / "grch38_chr20_0-10M" / "grch38.chr20_and_21_10M.fa.gz", folder)
        genes = data / "annot" / "ensembl.grch38.chr21.gff3.gz"
        calls = _write_calls(fasta, folder)
        began = time.monotonic()
        annotate_variants(
            fasta,
            calls,
            AnnotationSources(gene_models=genes, dbsnp=calls),
            names=SequenceNames({}, frozenset()),
            header=b"",
            output=folder / "out.vcf.gz",
        )
        return {"calls": _TIMED, "seconds": round(time.monotonic() - began, 2)}


def _write_calls(fasta: Path, folder: Path) -> Path:
    bases, rng = ContigBases(pysam.FastaFile(str(fasta)), "21"), random.Random(7)  # noqa: S311  # places, no secrets
    lines = []
    places = [place for place in range(5_100_000, 9_900_000) if bases[place] != "N"]
    for number, place in enumerate(sorted(rng.sample(places, _TIMED))):
        ref = bases[place]
        alt = rng.choice([base for base in "ACGT" if base != ref])
        lines.append(f"21\t{place + 1}\trs{number + 1}\t{ref}\t{alt}\t50\tPASS\t.\tGT\t0/1\n")
    head = f"##fileformat=VCFv4.3\n##contig=<ID=21,length={bases.length}>\n"
    head += '##FORMAT=<ID=GT,Number=1,Type=String,Description="x">\n'
    plain = folder / "calls.vcf"
    plain.write_text(head + "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1\n" + "".join(lines))
    return Path(pysam.tabix_index(str(plain), preset="vcf", force=True))


def main() -> int:
    """Print one JSON object; 1 where a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--peer-python", type=Path)
    options = parser.parse_args()
    annotated = options.data / "annot"
    found = {
        "vep": compare_with_vep(annotated / "exac.slice.vcf.gz"),
        "clinvar_grch38": compare_with_clinvar(annotated / "vep_clinvar_testset.grch38.vcf.gz", Build.GRCH38),
        "clinvar_grch37": compare_with_clinvar(annotated / "clinvar_20191007.slice.vcf.gz", Build.GRCH37),
        "annotation": time_annotation(options.data),
    }
    if options.peer_python:
        found["package_hgvs"] = compare_with_package(options.data, options.peer_python)
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    missed = [
        bool(found["vep"]["differing"]),
        any(found[name]["snv_compared"] != found[name]["snv_equal"] for name in ("clinvar_grch38", "clinvar_grch37")),
        found["annotation"]["seconds"] > _LONGEST_S,
    ]
    for peer in found.get("package_hgvs", {}).values():
        missed += [peer["g"] != peer["compared"], peer["c"] != peer["compared"], peer["p"] < 0.99 * peer["compared"]]
    return int(any(missed))


if __name__ == "__main__":
    sys.exit(main())
