"""Gene consequence and known significance, from the sources of the reference bundle.

Source of the consequences: Danecek and McCarthy 2017, doi:10.1093/bioinformatics/btx100 (bcftools csq); terms are of
the Sequence Ontology. A source that the bundle lacks leaves its fields absent, and the header says so.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from strandline.reads.tools import run_pipeline, tool_command

NOT_ANNOTATED: Final = "none in this reference bundle"


@dataclass(frozen=True, slots=True)
class AnnotationSources:
    """Files to annotate from: Ensembl GFF3 and ClinVar VCF (BGZF, indexed); None where the bundle has none."""

    gene_models: Path | None
    clinvar: Path | None


def annotate_commands(
    reference: Path, vcf: Path, sources: AnnotationSources, header: Path, output: Path
) -> list[list[str]]:
    """Return the pipeline that adds `BCSQ` (consequence), `CLINVAR_ID` and `CLNSIG` to every record.

    `vcf` needs its index beside it: bcftools joins two VCFs by random access.
    """
    bcftools = tool_command("bcftools")
    known = ["-a", str(sources.clinvar), "-c", "INFO/CLINVAR_ID:=ID,INFO/CLNSIG"] if sources.clinvar else []
    commands = [[*bcftools, "annotate", "-h", str(header), *known, "-Ou", str(vcf)]]
    if sources.gene_models:
        commands.append(
            [
                *(*bcftools, "csq", "--local-csq", "-f", str(reference), "-g", str(sources.gene_models)),
                *("-Ou", "-"),
            ]
        )
    commands.append([*bcftools, "view", "-Oz", "-o", str(output), "-"])
    return commands


def annotate_variants(reference: Path, vcf: Path, sources: AnnotationSources, *, header: bytes, output: Path) -> None:
    """Annotate and index.

    Raises:
        subprocess.CalledProcessError: where a tool failed.
    """
    lines = output.with_suffix(".header")
    lines.write_bytes(header)
    run_pipeline(annotate_commands(reference, vcf, sources, lines, output))
    run_pipeline([[*tool_command("bcftools"), "index", "-t", "-f", str(output)]])
