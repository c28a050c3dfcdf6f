"""Findings of cdk-nag that stand, each on the one resource it concerns and with its reason."""

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct


def acknowledge(construct: IConstruct, rules: tuple[str, ...], reason: str) -> None:
    """Let `rules` pass on `construct`, because of `reason`."""
    Validations.of(construct).acknowledge(*(Acknowledgment(id=rule, reason=reason) for rule in rules))


def in_packs(rule: str) -> tuple[str, ...]:
    """A rule that HIPAA.Security and NIST.800-53.R5 share, under the names both give it."""
    return (f"HIPAA.Security-{rule}", f"NIST.800.53.R5-{rule}")
