"""Releases in DynamoDB: the same answers as in memory, each version once, the newest shown. CLN-02."""

from datetime import timedelta

import pytest

from strandline.aws import fhir_store
from strandline.aws.fhir_audit import FhirAudit
from strandline.aws.fhir_store import FhirIndex, FhirStore
from strandline.errors import RejectedInputError, TemporaryError
from strandline.fhir.served.releases import release_bundle
from strandline.fhir.served.service import FhirServer, Request
from tests.integration.conftest import Aws
from tests.unit.released_bundles import BASE, CLINICIAN, NOW, MemoryStore, made_release, signed_bundle

SUBJECT = "PT00042"


@pytest.fixture
def index(aws: Aws) -> FhirIndex:
    aws.dynamodb.create_table(
        TableName="fhir",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        BillingMode="PAY_PER_REQUEST",
    )
    return FhirIndex(aws.dynamodb, "fhir", "submissions")


@pytest.fixture
def stores(index: FhirIndex) -> tuple[FhirStore, MemoryStore]:
    memory = MemoryStore()
    for released in (
        made_release("s-1"),
        made_release("s-2", hours=1, subject="PT00043", variants=130),
        made_release("s-3", hours=2, subject="PT00044", site="south"),
        made_release("s-4", hours=3, subject=SUBJECT, site=None),
        made_release("s-1", 2, hours=4, variants=2),
    ):
        assert index.put(released, NOW)
        memory.put(released)
    index.withdraw("s-2", 2, NOW, NOW)
    memory.withdraw("s-2", NOW)
    return index, memory


def test_both_stores_hold_the_same(stores):
    ours, theirs = stores
    for name in ("s-1", "s-2", "s-3", "s-4", "s-5"):
        assert ours.versions(name) == theirs.versions(name)
        assert ours.release(name) == theirs.release(name)
        assert ours.release(name, 1) == theirs.release(name, 1)
        for release in theirs.versions(name):
            for cluster in release.clusters:
                for chunk in range(cluster.chunks):
                    assert list(ours.chunk(release, cluster.number, chunk)) == list(
                        theirs.chunk(release, cluster.number, chunk)
                    )
            digits = release.patient.rpartition(".")[2]
            assert ours.find(release, digits) == theirs.find(release, digits)
            assert ours.find(release, "0" * 32) is None


def test_both_stores_list_the_same_from_every_place_on(stores):
    ours, theirs = stores
    places = [None, *(release.place for release in theirs.listed(None, None, None))]
    for site in (None, "north", "south", "nowhere"):
        for before in places:
            for since in (None, NOW - timedelta(hours=22), NOW + timedelta(days=1)):
                assert list(ours.listed(site, before, since)) == list(theirs.listed(site, before, since))


def test_both_stores_find_the_same_by_identifier(stores):
    ours, theirs = stores
    for system in (None, "urn:strandline:subject-pseudonym", "urn:other"):
        for kind in ("Patient", "Specimen"):
            for value in (SUBJECT, f"S-{SUBJECT}", "nobody"):
                assert ours.submissions_with(kind, system, value) == sorted(
                    theirs.submissions_with(kind, system, value)
                )


def test_a_server_answers_the_same_from_both(stores):
    audited: list[object] = []
    answers = []
    for store in stores:
        server = FhirServer(store, BASE, lambda _, reads: audited.extend(reads), "1")
        answers.append(
            [
                server.answer(Request("GET", path, query, caller=CLINICIAN), NOW)
                for path, query in (
                    ("DiagnosticReport", "_include=DiagnosticReport:subject"),
                    ("Observation", "code=69548-6&_count=100"),
                    ("Patient", f"identifier={SUBJECT}"),
                    ("Observation", "_count=0"),
                )
            ]
        )
    assert answers[0] == answers[1]


def test_a_version_is_kept_once_and_another_of_its_number_is_refused(index, aws):
    assert index.put(made_release("s-1"), NOW)
    before = aws.dynamodb.scan(TableName="fhir")["Items"]
    assert not index.put(made_release("s-1"), NOW)
    assert aws.dynamodb.scan(TableName="fhir")["Items"] == before
    with pytest.raises(RejectedInputError, match="release_replaced"):
        index.put(made_release("s-1", variants=2), NOW)


def test_an_older_version_that_comes_late_is_readable_and_not_shown(index):
    index.put(made_release("s-1", 2, hours=4, variants=2), NOW)
    index.put(made_release("s-1"), NOW)
    assert index.release("s-1").version == 2
    assert [release.version for release in index.versions("s-1")] == [2, 1]
    assert len(list(index.listed("north", None, None))) == 1


def test_withdrawing_twice_is_withdrawing_once_and_nothing_can_be_withdrawn_before_its_release(index):
    with pytest.raises(TemporaryError, match="release_incomplete"):
        index.withdraw("s-1", 2, NOW, NOW)
    index.put(made_release("s-1"), NOW)
    assert index.withdraw("s-1", 2, made_release("s-1").release.released, NOW)  # in the same millisecond
    assert not index.withdraw("s-1", 2, NOW, NOW)
    assert len(list(index.listed(None, None, None))) == 1


def test_what_was_read_last_is_kept_and_no_more(stores, monkeypatch):
    ours, theirs = stores
    monkeypatch.setattr(fhir_store, "_KEPT_RESOURCES", 150)
    fresh = FhirStore(ours._client, "fhir")
    for _ in range(2):
        for release in theirs.versions("s-2"):
            for cluster in release.clusters:
                for chunk in range(cluster.chunks):
                    assert list(fresh.chunk(release, cluster.number, chunk)) == list(
                        theirs.chunk(release, cluster.number, chunk)
                    )
                    assert fresh._contents._size <= 150


def test_no_key_of_the_table_tells_an_identifier(stores, aws):
    items = aws.dynamodb.scan(TableName="fhir")["Items"]
    assert not any(SUBJECT in item["pk"]["S"] + item["sk"]["S"] for item in items)


def test_indexing_and_reading_are_told_to_the_audit_log(index, aws):
    index.put(made_release("s-1"), NOW)
    audit = FhirAudit(aws.dynamodb, "submissions", lambda: NOW)
    server = FhirServer(index, BASE, audit, "1")
    index.put(made_release("s-2", hours=1, subject="PT00043"), NOW)
    assert server.answer(Request("GET", "Patient", caller=CLINICIAN), NOW).status == 200
    audit.refused(CLINICIAN, "fhir/Patient", "no scope")
    told = sorted((entry["what"], entry["record"], entry["who"]) for entry in aws.waiting())
    assert told == [
        ("JOB_RUN", "s-1", "index_release"),
        ("JOB_RUN", "s-2", "index_release"),
        ("READ", "s-1", "person-1"),
        ("READ", "s-2", "person-1"),
        ("REFUSED", "fhir/Patient", "person-1"),
    ]


def test_resources_that_no_item_holds_are_refused_and_nothing_is_shown(index):
    bundle = signed_bundle("s-1")
    bundle["entry"][0]["resource"]["conclusion"] = "".join(
        f"{hash((number, 'x')) & (1 << 60) - 1:x}" for number in range(60_000)
    )
    made = made_release("s-1").release
    with pytest.raises(RejectedInputError, match="bundle_too_large"):
        index.put(release_bundle(bundle, "s-1", 1, made.released, made.status), NOW)
    assert index.release("s-1") is None
