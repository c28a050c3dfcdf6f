"""Each act that our own code tells leaves the entry of the table; events leave theirs once. TRU-02."""

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from strandline.aws.act_records import ActRecords
from strandline.aws.cohorts import CohortRequest, CohortsTable, CohortState, Member
from strandline.aws.consents import Consents
from strandline.aws.deployment import Deployment
from strandline.aws.destruction import Destruction
from strandline.aws.fhir_audit import FhirAudit
from strandline.aws.fhir_store import FhirIndex
from strandline.aws.holds import Holds
from strandline.aws.interpretations import Interpretations
from strandline.fhir.served.service import Read
from strandline.landing.manifest import ReferenceName
from strandline.trust.acts import BY_ACCESS_LOG, kinds, rules
from tests.integration import test_release_desk
from tests.integration.conftest import NOW, REFERENCE, Aws
from tests.integration.test_release_desk import Place, refusal
from tests.unit.released_bundles import CLINICIAN, made_release
from tests.unit.test_access_logs import delivery, line
from tests.unit.test_acts import EXAMPLES, form

place = test_release_desk.place  # the fixture: a submission in review whose first version waits for an author
LATER = NOW + timedelta(days=3_000)
BY_EVENT = {
    "jobs": "A job of Batch starts or ends",
    "sign_ins": "Somebody signs in",
    "queries": "Somebody asks Athena",
}


def ask_for_cohort(place: Place) -> None:
    cohorts = CohortsTable(*place.aws.table.place)
    members = tuple(Member(submission_id=name, keys={"CallVariants": "k"}) for name in ("s-1", "s-2"))
    request = CohortRequest(reference=ReferenceName(name=REFERENCE.name, version=REFERENCE.version), members=members)
    cohorts.ask(request, who="ada", now=NOW)
    cohorts.move(request.cohort_id, CohortState.GENOTYPING, who="joint_genotype", why="It was due", now=NOW)


def hold(place: Place) -> None:
    place.aws.s3.create_bucket(Bucket="held", ObjectLockEnabledForBucket=True)
    place.aws.s3.put_object(Bucket="held", Key="submissions/s-1/a.fastq.gz", Body=b"reads")
    held = place.aws.bucket("held")
    buckets = {"landing": held, "delivery": held}
    Holds(*place.aws.table.place, buckets).hold("s-1", who="ada", why="Case 17", now=NOW)


def note_user(place: Place) -> None:
    outputs = {"SubmissionsTable": "submissions"}
    stage: Any = SimpleNamespace(outputs=outputs, caller=lambda: "arn:admin", submissions=place.aws.table)
    Deployment.note_change(stage, "user/ada", "Disabled")


def decide(place: Place) -> None:
    Interpretations(place.aws.table, place.aws.bucket("analysis")).replace(
        "s-1", b"{}", who="ada", why="Seen in two families", now=NOW
    )


def amend(place: Place) -> None:
    place.release()
    place.act("amend", place.token("ada", "author"), "A new ClinVar")


def as_it_stands(place: Place) -> None:
    """Nothing: the fixture took the submission to review, opened its release and froze it."""
    assert place.desk.releases.version("s-1", 1).record is not None


def index(place: Place) -> None:
    place.aws.dynamodb.create_table(
        TableName="fhir",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        BillingMode="PAY_PER_REQUEST",
    )
    FhirIndex(place.aws.dynamodb, "fhir", "submissions").put(made_release("s-1"), NOW)


def destroy(place: Place) -> None:
    place.aws.s3.put_object(Bucket="landing", Key="submissions/s-1/a.fastq.gz", Body=b"reads")
    destruction = Destruction(*place.aws.table.place, {"landing": place.aws.bucket("landing")})
    for who in ("ada", "ann"):
        plan = destruction.plan("s-1", "reads", LATER)
        destruction.destroy(plan, digest=plan.digest, who=who, why="Its days are over", now=LATER)


def ask_fhir(place: Place) -> None:
    audit = FhirAudit(place.aws.dynamodb, "submissions", lambda: NOW)
    audit(CLINICIAN, [Read("s-1", "read Patient by id")])
    audit.refused(CLINICIAN, "fhir", "no scope")


def withdraw_consent(place: Place) -> None:
    Consents(*place.aws.table.place).withdraw("s-1", who="ada", why="Letter of 2026-11-20", now=NOW)


def withdraw(place: Place) -> None:
    place.act("withdraw", place.token("ann", "approver"), "Another's blood")


def sign_without_role(place: Place) -> None:
    assert refusal(lambda: place.sign("author", place.token("lou", "lab"))) == "signer_without_role"


Doer = Callable[[Place], None]
AS_IT_STANDS = (
    *("A submission changes its state", "A release is opened for review", "A release is frozen for signing"),
)  # the fixture does it
RUNS: dict[Doer, tuple[str, ...]] = {
    as_it_stands: AS_IT_STANDS,
    ask_for_cohort: ("A cohort is asked for, or changes its state",),
    ask_fhir: (
        "The FHIR API reads a submission for somebody",
        "The FHIR API refuses what is not theirs or cannot be meant",
    ),
    index: ("The FHIR API takes a release",),
    decide: ("A person decides of a variant's evidence",),
    destroy: ("Somebody asks to destroy records", "Records are destroyed"),
    hold: ("A legal hold is put or lifted",),
    note_user: ("A user is made or disabled at the command line",),
    sign_without_role: ("A signature or a delivery is refused",),
    amend: ("A release is signed", "A release is delivered", "A release is amended"),
    withdraw_consent: ("A subject's consent is withdrawn",),
    withdraw: ("A release is withdrawn",),
}


def test_what_is_done_leaves_the_entry_of_the_table(place):
    """All of it to one submission, one after the other: each leaves its own."""
    kind_by_act = {kind.act: kind for kind in kinds() if kind.way not in {BY_ACCESS_LOG, *rules()}}
    assert sorted(act for acts in RUNS.values() for act in acts) == sorted(kind_by_act)
    for do, acts in RUNS.items():
        before = [] if do is as_it_stands else place.aws.waiting()
        do(place)
        new = [one for one in place.aws.waiting() if one not in before]
        for kind in (kind_by_act[act] for act in acts):
            found = [one for one in new if one["what"] == kind.entry and form(kind.record).fullmatch(one["record"])]
            assert found, kind.act
            assert all(one["who"] and one["role"] and one["why"] and one["when"].endswith("Z") for one in found)


def test_a_change_of_a_cohort_holds_what_it_was_before_and_after(aws: Aws, place):
    ask_for_cohort(place)
    first, second = [one for one in aws.waiting() if one["record"].startswith("cohort/")]
    assert "before" not in first
    assert second["before"] == first["after"] != second["after"]
    assert [(one["who"], one["role"]) for one in (first, second)] == [
        ("ada", "person"),
        ("joint_genotype", "platform"),
    ]


@pytest.mark.parametrize("act", BY_EVENT.values())
def test_an_event_that_is_handed_over_twice_is_in_the_log_once(aws: Aws, handler, act):
    note = handler("note_act")
    for _ in range(2):
        note(EXAMPLES[act])
    (entry,) = aws.waiting()
    (kind,) = [kind for kind in kinds() if kind.act == act]
    assert entry["what"] == kind.entry
    assert entry["when"] == "2026-11-22T08:30:00.000000Z"


def test_lines_of_an_access_log_that_are_handed_over_twice_are_in_the_log_once(aws: Aws, handler):
    note = handler("note_act")
    refused = delivery(line(1), line(2), line(3, status="403", routeKey="GET /fhir/metadata"))
    for _ in range(2):
        note(refused)
    entries = aws.waiting()
    (kind,) = [kind for kind in kinds() if kind.way == BY_ACCESS_LOG]
    assert {(one["what"], one["record"]) for one in entries} == {(kind.entry, "door/fhir")}
    assert form(kind.record).fullmatch("door/fhir")
    assert sorted(one["why"].split(" by ")[0] for one in entries) == ["401", "403"]


def test_an_event_of_a_clock_that_runs_ahead_is_not_later_than_it_is_told(aws: Aws):
    now = NOW - timedelta(days=1)
    assert ActRecords(aws.dynamodb, "submissions").note(EXAMPLES["Somebody signs in"], now)
    (entry,) = aws.waiting()
    assert entry["when"] == "2026-11-21T08:00:00.000000Z"
