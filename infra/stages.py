"""What differs between the stages, in one place; everything else is the same template."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from infra.runtimes import FunctionRuntime

RETRY_WINDOW_DAYS = 14
"""Days that a message which nothing could handle is kept: SQS's own maximum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSize:
    """What Batch reserves for one job, and the time after which it ends the job."""

    vcpus: int
    memory_mib: int
    timeout_s: int
    gpus: int = 0

    @property
    def more_memory_mib(self) -> int:
        """What the job is given once where it ran out of memory: the workflow enters its state again."""
        return 2 * self.memory_mib

    def with_gpu(self) -> "JobSize":
        """Return the size of the same job on a machine with one GPU, eight processors and 32 GiB."""
        return replace(self, vcpus=8, memory_mib=28_672, gpus=1)


JOB_NAMES = (
    "validate_files",
    "align_reads",
    "measure_quality",
    "call_variants",
    "gather_calls",
    "annotate",
    "filter_and_qc",
    "load_lake",
    "render_report",
    "joint_genotype",
    "call_gatk",
    "call_deepvariant",
    "call_parabricks",
    "joint_gatk",
    "joint_glnexus",
)
WHOLE_CALLS = {"gatk": "call_gatk", "deepvariant": "call_deepvariant", "parabricks": "call_parabricks"}
"""The jobs of callers that take a sample as a whole. Their sizes are for a genome; PlanCalling may ask for less."""
JOINT_CALLS = {"gatk": "joint_gatk", "glnexus": "joint_glnexus"}
"""The jobs of tools that take a cohort as a whole. Their sizes are for genomes; PlanGenotyping may ask for less."""

_SMALL = JobSize(vcpus=2, memory_mib=7_680, timeout_s=90 * 60)
_CLOUD_SIZES = {
    "validate_files": _SMALL,
    "align_reads": JobSize(vcpus=4, memory_mib=16_384, timeout_s=6 * 3600),
    "measure_quality": JobSize(vcpus=2, memory_mib=7_680, timeout_s=6 * 3600),
    "call_variants": JobSize(vcpus=2, memory_mib=7_680, timeout_s=6 * 3600),
    "gather_calls": _SMALL,
    "annotate": _SMALL,
    "filter_and_qc": _SMALL,
    "load_lake": _SMALL,
    "render_report": _SMALL,
    "joint_genotype": JobSize(vcpus=2, memory_mib=7_680, timeout_s=6 * 3600),
    "call_gatk": JobSize(vcpus=8, memory_mib=32_768, timeout_s=36 * 3600),
    "call_deepvariant": JobSize(vcpus=32, memory_mib=122_880, timeout_s=12 * 3600),
    # four GPUs of a g5.12xlarge, all but what the machine keeps for itself
    "call_parabricks": JobSize(vcpus=44, memory_mib=172_032, timeout_s=6 * 3600, gpus=4),
    "joint_gatk": JobSize(vcpus=4, memory_mib=32_768, timeout_s=36 * 3600),
    "joint_glnexus": JobSize(vcpus=16, memory_mib=61_440, timeout_s=6 * 3600),
}
# bwa-mem2 keeps its index of a whole human genome in memory: 28 GB beside the reads in flight.
_GENOME_SIZES = _CLOUD_SIZES | {
    "align_reads": JobSize(vcpus=16, memory_mib=61_440, timeout_s=7 * 3600),
}
_ONE_MACHINE = JobSize(vcpus=1, memory_mib=1_024, timeout_s=900)
_LOCAL_SIZES = {
    "validate_files": _ONE_MACHINE,
    "align_reads": JobSize(vcpus=2, memory_mib=3_072, timeout_s=3_600),
    "measure_quality": JobSize(vcpus=2, memory_mib=1_024, timeout_s=3_600),
    "call_variants": JobSize(vcpus=1, memory_mib=1_024, timeout_s=3_600),
    "gather_calls": _ONE_MACHINE,
    "annotate": _ONE_MACHINE,
    "filter_and_qc": _ONE_MACHINE,
    "load_lake": _ONE_MACHINE,
    "render_report": _ONE_MACHINE,
    "joint_genotype": JobSize(vcpus=1, memory_mib=1_024, timeout_s=3_600),
    "call_gatk": JobSize(vcpus=2, memory_mib=4_096, timeout_s=4 * 3_600),
    "call_deepvariant": JobSize(vcpus=2, memory_mib=4_096, timeout_s=4 * 3_600),
    "call_parabricks": JobSize(vcpus=2, memory_mib=4_096, timeout_s=4 * 3_600, gpus=1),
    "joint_gatk": JobSize(vcpus=2, memory_mib=4_096, timeout_s=4 * 3_600),
    "joint_glnexus": JobSize(vcpus=2, memory_mib=4_096, timeout_s=4 * 3_600),
}

_MADE_UP_SITES = ("north", "south")
_CLOUD_RUNTIME = FunctionRuntime(python="3.13", platform="manylinux_2_28_x86_64")


@dataclass(frozen=True, slots=True, kw_only=True)
class StageConfig:
    """One stage. Durations carry their unit; `None` leaves a thing out."""

    name: str
    object_lock_mode: Literal["COMPLIANCE", "GOVERNANCE"]
    landing_retention_days: int
    audit_retention_days: int
    keeps_data: bool
    """Stateful stacks refuse deletion, the table too, and AWS Backup copies what point in time recovery covers."""
    log_retention_days: int
    incomplete_after_s: int
    validation_limit_bytes: int = 2 * 1024**3
    """Files over this size are checked in a Batch job: a function may run 900 s."""
    calling_part_bytes: int = 512 * 1024**2
    """CRAM that one job calls: a genome of thirty-fold depth is some thirty parts."""
    calling_side_by_side: int = 1
    """Parts that are called at a time, where machines do not come as they are asked for."""
    jobs_run_in_images: bool = True
    """Images bring their tools; without them a job has those of the machine."""
    athena_cutoff_bytes: int = 1024**4
    sites: tuple[str, ...] = ()
    """Sites that have roles of their own, as manifests write them: each sees the rows of its samples."""
    cidr: str = "10.64.0.0/16"
    zone_suffixes: tuple[str, ...] = ("a", "b")
    cohort_workers: int = 10
    """Workers of four processors that load a cohort's VCFs at most."""
    cpu_vcpus_max: int = 256
    gpu_vcpus_max: int = 64
    cpu_instance_classes: tuple[str, ...] = ("c6i", "m6i", "m7i", "r6i", "r7i")
    gpu_instance_types: tuple[str, ...] = ("g5.2xlarge", "g5.4xlarge", "g5.12xlarge", "g5.24xlarge")
    lab_weights: Mapping[str, float] = field(default_factory=dict)
    """Weight factors by lab, as `journey.share_of` writes it: half the factor is twice the share, 1 is the default."""
    deepvariant_on_gpu: bool = False
    """One GPU and the image for it, in place of processors alone."""
    consequences: Literal["bcftools", "vep"] = "bcftools"
    """What tells the consequences of variants: bcftools csq, or Ensembl VEP from the same gene models."""
    scratch_gib: int = 500
    quality_gates: Mapping[str, float | int | str] = field(default_factory=dict)
    """Limits of the checks before calling that differ from the defaults; see docs/quality.md."""
    job_sizes: Mapping[str, JobSize] = field(default_factory=lambda: _CLOUD_SIZES)
    function_runtime: FunctionRuntime = _CLOUD_RUNTIME
    reserved_concurrency: int | None = None
    """Set where the account's quota is known to bear it: a new account may run ten functions at once in all."""
    release_policy: str = "three_persons"
    """Who has to sign before anything leaves: a name in strandline/trust/release_policies.json."""
    alarm_email: str | None = None
    fixed_account: str | None = None
    fixed_region: str | None = None

    def size_of(self, job: str) -> JobSize:
        """Return what a job is given."""
        size = self.job_sizes[job]
        return size.with_gpu() if job == "call_deepvariant" and self.deepvariant_on_gpu else size


STAGES: Mapping[str, StageConfig] = {
    "local": StageConfig(
        name="local",
        object_lock_mode="GOVERNANCE",
        landing_retention_days=1,
        audit_retention_days=1,
        keeps_data=False,
        log_retention_days=7,
        incomplete_after_s=3600,
        cpu_vcpus_max=max(2, os.cpu_count() or 2),
        gpu_vcpus_max=4,
        scratch_gib=30,
        calling_part_bytes=32 * 1024**2,
        calling_side_by_side=max(2, os.cpu_count() or 2),
        jobs_run_in_images=False,
        sites=_MADE_UP_SITES,
        release_policy="two_persons",
        job_sizes=_LOCAL_SIZES,
        function_runtime=FunctionRuntime(python=f"{sys.version_info.major}.{sys.version_info.minor}", platform=None),
        fixed_account="123456789012",
        fixed_region="us-east-1",
    ),
    "dev": StageConfig(
        name="dev",
        object_lock_mode="GOVERNANCE",
        landing_retention_days=1,
        audit_retention_days=1,
        keeps_data=False,
        log_retention_days=30,
        incomplete_after_s=24 * 3600,
        cpu_vcpus_max=64,
        sites=_MADE_UP_SITES,
        release_policy="two_persons",
    ),
    "qa": StageConfig(
        name="qa",
        object_lock_mode="GOVERNANCE",
        landing_retention_days=30,
        audit_retention_days=30,
        keeps_data=True,
        log_retention_days=90,
        incomplete_after_s=24 * 3600,
        cidr="10.65.0.0/16",
    ),
    "prod": StageConfig(
        name="prod",
        object_lock_mode="COMPLIANCE",
        landing_retention_days=365,
        audit_retention_days=2555,
        keeps_data=True,
        log_retention_days=2557,
        incomplete_after_s=72 * 3600,
        cidr="10.66.0.0/16",
        zone_suffixes=("a", "b", "c"),
        cpu_vcpus_max=2048,
        gpu_vcpus_max=256,
        scratch_gib=1000,
        job_sizes=_GENOME_SIZES,
        reserved_concurrency=50,
    ),
}
