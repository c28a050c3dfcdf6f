"""Physical names of what a stage holds: fixed, so that one stack can name another's resource without importing it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Names and ARNs of one stage in one account and region."""

    stage: str
    account: str
    region: str

    def stack(self, part: str) -> str:
        return f"strandline-{self.stage}-{part}"

    def of(self, resource: str) -> str:
        """A name unique within the account and region."""
        return f"strandline-{self.stage}-{resource.replace('_', '-')}"

    def bucket(self, purpose: str) -> str:
        """A name unique within all of S3."""
        return f"{self.of(purpose)}-{self.account}-{self.region}"

    def log_group(self, kind: str, name: str) -> str:
        return f"/strandline/{self.stage}/{kind}/{name}"

    def role_of(self, function: str) -> str:
        """The name of the role of a function that policies of other stacks name."""
        return self.of(f"{function}-role")

    def role_arn(self, function: str) -> str:
        return f"arn:aws:iam::{self.account}:role/{self.role_of(function)}"

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    @property
    def glue_database(self) -> str:
        return f"strandline_{self.stage}"

    @property
    def workgroup(self) -> str:
        return f"strandline-{self.stage}"
