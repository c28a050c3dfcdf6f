"""The environment of every function and job, as typed models: infra writes it, and nothing else reads it."""

import os
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    @classmethod
    def from_env(cls) -> Self:
        """Read this model's fields from upper-case environment variables.

        Raises:
            RuntimeError: naming each variable that is missing or wrong: a fault of the deployment, not of an input.
        """
        present = {name: os.environ[name.upper()] for name in cls.model_fields if name.upper() in os.environ}
        try:
            return cls.model_validate(present)
        except ValidationError as error:
            wrong = ", ".join(sorted(str(item["loc"][0]).upper() for item in error.errors()))
            raise RuntimeError(f"environment variables missing or wrong: {wrong}") from None


class RegistrationSettings(_Settings):
    """Of `register_object`."""

    landing_bucket: str
    submissions_table: str
    state_machine_arn: str
    validate_ahead_arn: str
    intake_queue_url: str


class SweepSettings(_Settings):
    """Of `sweep_landing`: it looks at submissions whose last file landed between the two ages, in seconds."""

    landing_bucket: str
    submissions_table: str
    state_machine_arn: str
    validate_ahead_arn: str
    sweep_settled_s: int = Field(gt=0)
    sweep_window_s: int = Field(gt=0)


class IngestSettings(_Settings):
    """Of `ingest`."""

    landing_bucket: str
    submissions_table: str


class ExpirySettings(_Settings):
    """Of `expire_submissions`. A submission without all its files expires `incomplete_after_s` after its first one."""

    landing_bucket: str
    quarantine_bucket: str
    submissions_table: str
    alerts_topic_arn: str
    incomplete_after_s: int = Field(gt=0)


class StateSettings(_Settings):
    """Of `record_state`."""

    submissions_table: str


class ValidationSettings(_Settings):
    """Of `validate_files`, the function. Over the limit the function passes the submission on to the job."""

    landing_bucket: str
    references_bucket: str
    submissions_table: str
    lambda_validation_limit_bytes: int = Field(gt=0)


class ConclusionSettings(_Settings):
    """Of `conclude_failure`."""

    landing_bucket: str
    quarantine_bucket: str
    analysis_bucket: str
    submissions_table: str
    alerts_topic_arn: str


class PlanningSettings(_Settings):
    """Of `plan_calling`: a sample is called in parts of about `calling_part_bytes` of its CRAM.

    Their number is a multiple of `calling_side_by_side`. Where jobs run in no images, tools are those of this machine.
    `whole_call_resources` is a JSON object of what the stage gives a genome, by caller: `vcpus`, `memory_mib`, `gpus`,
    `scratch_gib`.
    """

    analysis_bucket: str
    references_bucket: str
    submissions_table: str
    calling_part_bytes: int = Field(gt=0)
    calling_side_by_side: int = Field(gt=0)
    jobs_run_in_images: bool
    whole_call_resources: str


class AuditSettings(_Settings):
    """Of `seal_audit_log`. `audit_log` is the log's name in signed heads, `audit_signing_key` the ARN of a KMS key."""

    audit_bucket: str
    audit_queue_table: str
    audit_log_table: str
    audit_log: str
    audit_signing_key: str


class ActSettings(_Settings):
    """Of `note_act`."""

    submissions_table: str


class IdentitySettings(_Settings):
    """Of `check_identity`. `quality_gates` is a JSON object of the limits that the stage sets otherwise."""

    analysis_bucket: str
    submissions_table: str
    quality_gates: str


class DeliverySettings(_Settings):
    """Of `build_bundle` and `build_report`."""

    analysis_bucket: str
    references_bucket: str
    submissions_table: str


class ReleaseIndexSettings(_Settings):
    """Of `index_release`."""

    delivery_bucket: str
    fhir_table: str
    submissions_table: str


class FhirSettings(_Settings):
    """Of `serve_fhir`: what it serves, where its audit entries wait, and the URL that clients know it by."""

    fhir_table: str
    submissions_table: str
    fhir_base_url: str
    analysis_bucket: str
    export_function: str


class FhirExportSettings(_Settings):
    """Of `export_fhir`."""

    fhir_table: str
    submissions_table: str
    analysis_bucket: str


class ReleaseOpeningSettings(_Settings):
    """Of `open_release`."""

    submissions_table: str
    release_arn: str


class ReleaseSettings(_Settings):
    """Of `prepare_release`. `release_policy` names who has to sign."""

    submissions_table: str
    analysis_bucket: str
    release_policy: str


class AwaitingSettings(_Settings):
    """Of `await_signatures`."""

    submissions_table: str


class SigningSettings(_Settings):
    """Of `sign_release`. A sign-in counts for `sign_in_lasts_s`; `user_pool_clients` are parted by commas."""

    submissions_table: str
    release_arn: str
    release_policy: str
    release_signing_key: str
    user_pool_id: str
    user_pool_clients: str
    sign_in_lasts_s: int = Field(gt=0)


class DeliveringSettings(_Settings):
    """Of `deliver_release`."""

    submissions_table: str
    analysis_bucket: str
    delivery_bucket: str
    release_policy: str
    release_signing_key: str


class JobSettings(_Settings):
    """Of every Batch job. `threads` equals its vCPUs; `code_version` is a digest of the image's content."""

    submission_id: str
    submissions_table: str
    threads: int = Field(gt=0)
    code_version: str


class ReadsJobSettings(JobSettings):
    """Of `align_reads`."""

    landing_bucket: str
    references_bucket: str
    analysis_bucket: str


class ValidationJobSettings(ReadsJobSettings):
    """Of `validate_files`, the job. `unit` is the digest of the one to check, None for the whole submission."""

    unit: str | None = None


class VariantsJobSettings(JobSettings):
    """Of `filter_and_qc`, and what others have as well."""

    references_bucket: str
    analysis_bucket: str


class AnnotationJobSettings(VariantsJobSettings):
    """Of `annotate`. `consequences` is what its image was built for."""

    consequences: Literal["bcftools", "vep"]


class ReportJobSettings(VariantsJobSettings):
    """Of `render_report`. `purpose` is `release` for what is laid before its signers."""

    purpose: Literal["draft", "release"] = "draft"


class MeasurementJobSettings(VariantsJobSettings):
    """Of `measure_quality`. `quality_gates` is a JSON object of the limits that differ from the defaults."""

    quality_gates: str


class CallingJobSettings(VariantsJobSettings):
    """Of `call_variants`. `part`, counted from 1, is the one part of the calling plan to call; 0 is all of it."""

    part: int = Field(default=0, ge=0)


class CohortPlanningSettings(_Settings):
    """Of `plan_genotyping`: a cohort is genotyped in parts, each of so many bytes of its CRAMs as `cohorts` weighs.

    Where jobs run in no images, tools are those of this machine. `joint_resources` is a JSON object of what the stage
    gives a cohort of genomes, by the tool that takes it as a whole: `vcpus`, `memory_mib`, `gpus`, `scratch_gib`.
    """

    analysis_bucket: str
    references_bucket: str
    submissions_table: str
    calling_part_bytes: int = Field(gt=0)
    jobs_run_in_images: bool
    joint_resources: str


class CohortConclusionSettings(_Settings):
    """Of `conclude_cohort`."""

    submissions_table: str
    alerts_topic_arn: str


class CohortJobSettings(_Settings):
    """Of `joint_genotype`. `part`, counted from 1, is one part of the plan; 0 is all of it, `gather` its parts."""

    cohort_id: str
    submissions_table: str
    threads: int = Field(gt=0)
    code_version: str
    references_bucket: str
    analysis_bucket: str
    part: int = Field(default=0, ge=0)
    gather: bool = False


class CohortToolJobSettings(CohortJobSettings):
    """Of a tool that genotypes a cohort as a whole. The workflow gives `memory_mib` with the memory itself."""

    memory_mib: int = Field(gt=0)


class WholeCallingJobSettings(VariantsJobSettings):
    """Of a caller that takes a sample as a whole. The workflow gives `memory_mib` with the memory itself."""

    memory_mib: int = Field(gt=0)
    gpus: int = Field(ge=0)


class LakeJobSettings(JobSettings):
    """Of `load_lake`."""

    analysis_bucket: str
    glue_database: str
    lake_bucket: str
