"""Real calls over contigs whose names sort otherwise than they stand in the reference. ANA-04."""

from pathlib import Path

import numpy as np
import pysam
import pytest

from strandline.landing.regions import Region
from strandline.reads.coverage import write_bed
from strandline.variants.calling import call_gvcf, call_variants, gather_calls
from strandline.variants.scattering import widen

LENGTHS = {"chr9": 6_000, "chr10": 6_000, "chrM": 3_600}
CHANGED0 = (1_000, 2_990, 2_999, 3_000, 3_001)


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> tuple[Path, Path]:
    """A FASTA, and twentyfold reads that differ from it at some bases, three of them at the edge of two parts."""
    folder = tmp_path_factory.mktemp("contigs")
    rng = np.random.default_rng(3)
    bases = {name: "".join(rng.choice(list("ACGT"), length)) for name, length in LENGTHS.items()}
    fasta, bam = folder / "ref.fa", folder / "a.bam"
    fasta.write_text("".join(f">{name}\n{text}\n" for name, text in bases.items()))
    pysam.faidx(str(fasta), catch_stdout=False)
    header = {
        "HD": {"VN": "1.6", "SO": "coordinate"},
        "SQ": [{"SN": name, "LN": length} for name, length in LENGTHS.items()],
        "RG": [{"ID": "g", "SM": "S"}],
    }
    with pysam.AlignmentFile(str(bam), "wb", header=header) as sink:
        for number, (name, text) in enumerate(bases.items()):
            changed = list(text)
            for at in CHANGED0:
                changed[at] = {"A": "C", "C": "A", "G": "T", "T": "G"}[text[at]]
            for start0 in range(0, len(text) - 100, 5):
                read = pysam.AlignedSegment(sink.header)
                read.query_name, read.reference_id, read.reference_start = f"{name}.{start0}", number, start0
                read.query_sequence, read.cigarstring = "".join(changed[start0 : start0 + 100]), "100M"
                read.query_qualities, read.mapping_quality = pysam.qualitystring_to_array("?" * 100), 60
                read.set_tag("RG", "g")
                sink.write(read)
    pysam.index(str(bam), catch_stdout=False)
    return fasta, bam


def records(vcf: Path) -> list[tuple[str, int, str | None, tuple[str, ...] | None]]:
    with pysam.VariantFile(str(vcf)) as found:
        return [(record.contig, record.pos, record.ref, record.alts) for record in found]


def test_parts_over_several_contigs_give_the_calls_of_the_whole_in_the_order_of_the_reference(sample, tmp_path):
    fasta, bam = sample
    whole, gathered = tmp_path / "whole.vcf.gz", tmp_path / "gathered.vcf.gz"
    call_variants(fasta, bam, None, header=b"", gvcf=tmp_path / "whole.g.vcf.gz", vcf=whole)
    parts = [
        [Region("chr9", 0, 3_000)],
        [Region("chr9", 3_000, 6_000), Region("chr10", 0, 6_000), Region("chrM", 0, 1_500)],
        [Region("chrM", 1_500, 3_600)],
    ]
    gvcfs = []
    for number, keep in enumerate(parts):
        bed, gvcf = tmp_path / f"{number}.bed", tmp_path / f"{number}.g.vcf.gz"
        write_bed(widen(keep, LENGTHS, None), bed)
        call_gvcf(fasta, bam, bed, header=b"", gvcf=gvcf, keep=keep)
        gvcfs.append(gvcf)
    gather_calls(fasta, gvcfs, gvcf=tmp_path / "all.g.vcf.gz", vcf=gathered)
    expected = [(name, at + 1) for name in LENGTHS for at in CHANGED0]
    assert [(contig, position) for contig, position, *_ in records(gathered)] == expected
    assert records(gathered) == records(whole)
