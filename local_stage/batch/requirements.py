"""What a job needs of the machine, and what there is."""

import math
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import psutil

_MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Requirements:
    """Virtual CPUs, mebibytes of memory and GPUs of one job."""

    vcpus: float
    memory_mib: int
    gpus: int = 0

    def describe(self) -> list[dict[str, str]]:
        """Return them as Batch's API shows them."""
        vcpus = int(self.vcpus) if self.vcpus == int(self.vcpus) else self.vcpus
        described = [{"type": "VCPU", "value": str(vcpus)}, {"type": "MEMORY", "value": str(self.memory_mib)}]
        return [*described, {"type": "GPU", "value": str(self.gpus)}] if self.gpus else described

    @property
    def memory_bytes(self) -> int:
        """The memory limit in bytes."""
        return self.memory_mib * _MIB


def read_requirements(definition: Mapping[str, Any], overrides: Mapping[str, Any]) -> Requirements:
    """Return what the overrides ask, else what the definition asks."""
    asked: dict[str, str] = {}
    for source in (definition, overrides):
        for old_name, kind in (("vcpus", "VCPU"), ("memory", "MEMORY")):
            if source.get(old_name):
                asked[kind] = str(source[old_name])
        asked |= {item["type"]: str(item["value"]) for item in source.get("resourceRequirements") or []}
    return Requirements(float(asked.get("VCPU", 1)), int(asked.get("MEMORY", 512)), int(asked.get("GPU", 0)))


@cache
def count_gpus() -> int:
    """Return how many NVIDIA GPUs this machine has."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return 0
    answer = subprocess.run([program, "--list-gpus"], capture_output=True, text=True, check=False, timeout=20)
    return answer.stdout.count("GPU ") if answer.returncode == 0 else 0


def _usable_cpus() -> Sequence[int]:
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    return sorted(affinity(0)) if affinity else range(math.ceil(os.cpu_count() or 1))


@dataclass(slots=True)
class Machine:
    """What this machine has for jobs, and what of it is in use.

    A job that asks for more CPUs than there are gets them all: it runs slower, not wrong. Memory and GPUs that are
    not there cannot be given.
    """

    cpus: float = field(default_factory=lambda: float(len(_usable_cpus())))
    memory_mib: int = field(default_factory=lambda: psutil.virtual_memory().total // _MIB)
    gpus: Sequence[int] = field(default_factory=lambda: list(range(count_gpus())))
    cpus_used: float = 0
    memory_mib_used: int = 0
    gpus_used: set[int] = field(default_factory=set)

    def never(self, needs: Requirements) -> str | None:
        """Return why a job can never run here, or None."""
        if needs.gpus > len(self.gpus):
            there = f"has {len(self.gpus)}" if self.gpus else "has none"
            return f"the job needs {needs.gpus} GPU(s), but this machine {there}"
        if needs.memory_mib > self.memory_mib:
            return f"the job needs {needs.memory_mib} MiB of memory, but this machine has {self.memory_mib} MiB"
        return None

    def wait_reason(self, needs: Requirements) -> str | None:
        """Return what is missing now, or None where the job can start."""
        if self.cpus_used + self._cpus(needs) > self.cpus:
            return f"{needs.vcpus:g} vCPU(s) asked, {self.cpus - self.cpus_used:g} of this machine's {self.cpus:g} free"
        if self.memory_mib_used + needs.memory_mib > self.memory_mib:
            free_mib = self.memory_mib - self.memory_mib_used
            return f"{needs.memory_mib} MiB asked, {free_mib} of this machine's {self.memory_mib} MiB free"
        if needs.gpus > len(self.gpus) - len(self.gpus_used):
            return f"{needs.gpus} GPU(s) asked, {len(self.gpus) - len(self.gpus_used)} free"
        return None

    def take(self, needs: Requirements) -> list[int]:
        """Mark as used what a job needs; return the numbers of its GPUs."""
        self.cpus_used += self._cpus(needs)
        self.memory_mib_used += needs.memory_mib
        given = [gpu for gpu in self.gpus if gpu not in self.gpus_used][: needs.gpus]
        self.gpus_used.update(given)
        return given

    def give_back(self, needs: Requirements, gpus: Sequence[int]) -> None:
        """Undo `take`."""
        self.cpus_used -= self._cpus(needs)
        self.memory_mib_used -= needs.memory_mib
        self.gpus_used.difference_update(gpus)

    def _cpus(self, needs: Requirements) -> float:
        return min(needs.vcpus, self.cpus)
