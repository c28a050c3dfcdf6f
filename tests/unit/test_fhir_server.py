"""The FHIR server over releases in memory: reads, searches, pages, operations, and who may see what. CLN-02, SEC-02.

What is expected follows the FHIR R4 specification (RESTful API; search), SMART App Launch 2 and the definition of
find-subject-variants. Three made-up variants of a bundle begin at chr13:32,316,461 and lie seven bases apart.
"""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strandline.errors import RejectedInputError
from strandline.fhir.problems import Severity
from strandline.fhir.served import searching
from strandline.fhir.served.access import Caller, sites_of
from strandline.fhir.served.answers import refusal
from strandline.fhir.served.outcomes import RefusedRequestError
from strandline.fhir.served.releases import ReleaseStatus, release_bundle
from strandline.fhir.served.service import FhirServer, Request
from strandline.fhir.validation import validate_document
from tests.unit.released_bundles import BASE, CLINICIAN, NOW, MemoryStore, put_bundle, signed_bundle

LOINC = "http://loinc.org"
SUBJECTS = "urn:strandline:subject-pseudonym"


class Client:
    """Asks a server, and keeps what the audit log was told."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.told: list[tuple[str, str]] = []
        self.server = FhirServer(self.store, BASE, self._audit, "1.0")

    def _audit(self, _, reads) -> None:
        self.told += [(read.record, read.why) for read in reads]

    def send(self, path: str, *, caller: Caller | None = CLINICIAN, method: str = "GET", body: str = "", **headers):
        plain, _, query = path.removeprefix(BASE + "/").partition("?")
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.server.answer(Request(method, plain, query, named, body, caller), NOW)

    def get(self, path: str, **how):
        answer = self.send(path, **how)
        assert answer.status == 200, answer.body
        return answer.body

    def refused(self, path: str, status: int, **how) -> str:
        try:
            answer = self.send(path, **how)
        except RefusedRequestError as told:  # whoever calls the server records it, and answers so
            answer = refusal(told)
        assert (answer.status, answer.body["resourceType"]) == (status, "OperationOutcome")
        return answer.body["issue"][0]["diagnostics"]

    def names(self, path: str, mode: str = "match", **how) -> list[str]:
        entries = self.get(path, **how).get("entry", [])
        return [
            f"{entry['resource']['resourceType']}/{entry['resource'].get('id')}"
            for entry in entries
            if entry["search"]["mode"] == mode
        ]

    def walk(self, path: str) -> list[str]:
        """Follow the next links to the end."""
        found = []
        while path:
            body = self.get(path)
            found += [entry["resource"]["id"] for entry in body.get("entry", [])]
            path = next((link["url"] for link in body["link"] if link["relation"] == "next"), "")
        return found


@pytest.fixture
def client() -> Client:
    made = Client()
    put_bundle(made.store, "s-1")
    put_bundle(made.store, "s-2", subject="PT00043", hours=1)
    put_bundle(made.store, "s-3", subject="PT00044", site="south", hours=2)
    return made


def patient(client: Client, submission_id: str = "s-1") -> str:
    return client.store.release(submission_id).patient


def test_a_report_is_found_by_its_subject_and_read_by_its_id(client):
    (name,) = client.names(f"DiagnosticReport?subject=Patient/{patient(client)}")
    answer = client.send(name)
    assert answer.body["status"] == "final"
    assert answer.body["subject"] == {"reference": f"Patient/{patient(client)}"}
    assert answer.headers["etag"] == 'W/"1"'
    assert client.send(name, if_none_match='W/"1"').status == 304
    assert client.told[0] == ("s-1", "found 1 resources by subject")
    assert client.told[1] == ("s-1", "read DiagnosticReport by id")


def test_every_reference_of_what_is_served_leads_to_what_is_served(client):
    everything = client.get(f"Patient/{patient(client)}/$everything?_count=200")
    there = {f"{e['resource']['resourceType']}/{e['resource']['id']}" for e in everything["entry"]}

    def references(element):
        if isinstance(element, dict):
            yield from (value for key, value in element.items() if key == "reference")
            element = list(element.values())
        for part in element if isinstance(element, list) else ():
            yield from references(part)

    assert set(references(everything["entry"])) <= there
    assert len(there) == len(signed_bundle("s-1")["entry"])


def test_what_is_served_keeps_to_the_profiles_of_the_guide(client):
    page = client.get(f"Patient/{patient(client)}/$everything?_count=200")
    as_sent = {key: value for key, value in page.items() if key != "total"} | {"total": len(page["entry"])}
    errors = [finding for finding in validate_document(as_sent) if finding.severity is Severity.ERROR]
    assert errors == []


def test_observations_are_found_by_code_and_subject(client):
    of = f"subject={patient(client)}"
    assert len(client.names(f"Observation?{of}&code={LOINC}|69548-6")) == 3
    assert len(client.names(f"Observation?{of}&code=69548-6")) == 3
    assert client.names(f"Observation?{of}&code=http://other.example|69548-6") == []
    assert client.names(f"Observation?{of}&code=69548") == []  # a token is whole, or it is another
    every = client.names(f"Observation?{of}")
    assert set(client.names(f"Observation?{of}&code:not=69548-6")) == set(every) - set(
        client.names(f"Observation?{of}&code=69548-6")
    )
    assert client.names(f"Observation?{of}&code=69548-6,nonsense") == client.names(f"Observation?{of}&code=69548-6")
    assert client.names(f"Observation?{of}&code=69548-6&code=nonsense") == []


def test_components_dates_methods_and_missing_elements_are_searched(client):
    of = f"subject={patient(client)}&code=69548-6"
    assert len(client.names(f"Observation?{of}&component-value-concept:text=gene0")) == 3
    assert (
        len(client.names(f"Observation?{of}&component-value-concept=http://www.ncbi.nlm.nih.gov/clinvar|900002")) == 1
    )
    assert len(client.names(f"Observation?{of}&combo-value-concept={LOINC}|LA9633-4")) == 3
    assert len(client.names(f"Observation?{of}&date=2026-11-22")) == 3
    assert client.names(f"Observation?{of}&date=gt2026-11-23") == []
    assert client.names(f"Observation?{of}&data-absent-reason:missing=false") == []
    assert len(client.names(f"Observation?{of}&data-absent-reason:missing=true")) == 3
    assert len(client.names(f"Observation?{of}&status=final")) == 3
    assert len(client.names(f"Observation?{of}&status=http://hl7.org/fhir/observation-status|final")) == 3
    assert client.names(f"Observation?{of}&status=http://hl7.org/fhir/request-status|final") == []


def test_a_patient_is_found_by_pseudonym_and_by_chain(client):
    assert client.names(f"Patient?identifier={SUBJECTS}|PT00042") == [f"Patient/{patient(client)}"]
    assert client.names("Patient?identifier=PT00042") == [f"Patient/{patient(client)}"]
    assert client.names("Patient?identifier=PT0004") == []
    for chained in ("patient.identifier", "subject:Patient.identifier", "subject.identifier"):
        found = client.names(f"DiagnosticReport?{chained}={SUBJECTS}|PT00042")
        assert found == client.names(f"DiagnosticReport?patient={patient(client)}")


def test_the_newest_release_comes_first_and_a_site_sees_its_own_alone(client):
    assert [name.split(".")[0] for name in client.names("DiagnosticReport")] == [
        "DiagnosticReport/s-2",
        "DiagnosticReport/s-1",
    ]
    assert client.names(f"DiagnosticReport?subject={patient(client, 's-3')}") == []
    assert client.names("Patient?identifier=PT00044") == []
    with pytest.raises(RefusedRequestError) as refused:
        client.send(f"Patient/{patient(client, 's-3')}")
    assert refused.value.status == 404
    assert client.refused("Patient/s-9.6f1c2c1e8d0c5f5e9d431d3c0c3b7a10", 404) == refused.value.says
    everywhere = replace(CLINICIAN, sites=None)
    assert len(client.names("DiagnosticReport", caller=everywhere)) == 3
    both = replace(CLINICIAN, sites=frozenset({"north", "south"}))
    assert client.names("Patient", caller=both) == client.names("Patient", caller=everywhere)


def test_releases_since_a_time_are_found_by_it(client):
    assert len(client.names("DiagnosticReport?_lastUpdated=ge2026-11-21T13:00:00Z")) == 1
    assert len(client.names("DiagnosticReport?_lastUpdated=lt2026-11-21T13:00:00Z")) == 1


def test_scopes_are_held_type_by_type(client):
    only = replace(CLINICIAN, scopes=("user/Observation.s", "user/Patient.read"))
    assert client.names("Observation?code=69548-6", caller=only)
    for path in ("DiagnosticReport", "Observation/s-1.6f1c2c1e8d0c5f5e9d431d3c0c3b7a10"):
        with pytest.raises(RefusedRequestError) as refused:
            client.send(path, caller=only)
        assert refused.value.status == 403
    kinds = {name.split("/")[0] for name in client.names(f"Patient/{patient(client)}/$everything", caller=only)}
    assert kinds == {"Patient"}  # `r` of Observation is not given


@pytest.mark.parametrize(
    "scope",
    ["", "openid", "user/*.cud", "user/Observation.rs?code=1", "other/*.rs", "user/*.rsx", "user/*", "patient/*.rs"],
)
def test_a_scope_that_is_not_understood_grants_nothing(client, scope):
    with pytest.raises(RefusedRequestError):
        client.send("Observation", caller=replace(CLINICIAN, scopes=(scope,)))


def test_a_token_of_a_patient_shows_that_patient_alone(client):
    own = Caller("p", "patient", ("patient/*.rs",), frozenset(), patient(client))
    assert client.names("Patient", caller=own) == [f"Patient/{patient(client)}"]
    assert client.names(f"DiagnosticReport?subject={patient(client, 's-2')}", caller=own) == []
    with pytest.raises(RefusedRequestError):
        client.send(f"Patient/{patient(client, 's-2')}", caller=own)


def test_sites_come_of_groups_and_scopes_and_without_them_there_is_none():
    assert sites_of(["clinician"], ["user/*.rs"], sees_all=False) == frozenset()
    assert sites_of(["site-north", "site-"], ["site/south"], sees_all=False) == {"north", "south"}
    assert sites_of([], ["site/*"], sees_all=False) is None


def test_pages_hold_everything_once(client):
    for count in (1, 2, 7):
        found = client.walk(f"Observation?patient={patient(client)}&_count={count}")
        assert len(found) == len(set(found)) == client.get(f"Observation?patient={patient(client)}")["total"]
    over_all = client.walk("Observation?_count=4")
    assert len(over_all) == len(set(over_all)) == client.get("Observation?_summary=count")["total"]
    whole = client.walk(f"Patient/{patient(client)}/$everything?_count=3")
    assert len(whole) == len(set(whole)) == len(signed_bundle("s-1")["entry"])


def test_a_release_between_two_pages_moves_nothing_of_the_others(client):
    first = client.get("Patient?_count=1")
    put_bundle(client.store, "s-8", subject="PT00099", hours=9)
    rest = client.walk(next(link["url"] for link in first["link"] if link["relation"] == "next"))
    assert rest == [patient(client, "s-1")]


def test_a_large_release_is_paged_over_its_chunks(client):
    put_bundle(client.store, "s-big", variants=230, subject="PT00050")
    found = client.walk(f"Observation?subject={patient(client, 's-big')}&code=69548-6&_count=75")
    assert len(found) == len(set(found)) == 230


def test_the_self_link_says_what_was_used_and_strict_handling_refuses_the_rest(client):
    body = client.get("Patient?identifier=PT00042&shoe-size=44&gender=")
    query = urlsplit(body["link"][0]["url"]).query
    assert parse_qsl(query) == [("identifier", "PT00042")]
    warning = body["entry"][-1]
    assert (warning["search"]["mode"], warning["resource"]["issue"][0]["severity"]) == ("outcome", "warning")
    assert "44" not in str(warning)
    client.refused("Patient?shoe-size=44", 400, prefer="handling=strict")


@pytest.mark.parametrize("query", ["code:above=1", "code:in=vs", "subject:Group=1", "date:missing=maybe", "_count=x"])
def test_a_modifier_or_value_that_is_not_supported_is_refused_whatever_the_handling(client, query):
    client.refused(f"Observation?{query}", 400)


def test_what_refers_and_what_is_referred_to_comes_along(client):
    of = f"DiagnosticReport?patient={patient(client)}"
    included = client.names(f"{of}&_include=DiagnosticReport:subject&_include=DiagnosticReport:result", "include")
    assert f"Patient/{patient(client)}" in included
    results = client.get(client.names(of)[0])["result"]
    assert {result["reference"] for result in results} == set(included) - {f"Patient/{patient(client)}"}
    assert [n.split("/")[0] for n in client.names(f"{of}&_revinclude=Provenance:target", "include")] == ["Provenance"]
    narrow = replace(CLINICIAN, scopes=("user/DiagnosticReport.rs",))
    assert client.names(f"{of}&_include=DiagnosticReport:subject", "include", caller=narrow) == []


def test_more_than_can_be_included_whole_is_refused(client, monkeypatch):
    monkeypatch.setattr(searching, "_MOST_INCLUDED", 5)
    of = f"DiagnosticReport?patient={patient(client)}"
    assert "subject" in client.refused(f"{of}&_include=DiagnosticReport:result", 403)


def test_an_amendment_is_current_and_the_version_before_stays_readable(client):
    put_bundle(client.store, "s-1", version=2, hours=5, variants=2)
    (name,) = client.names(f"DiagnosticReport?patient={patient(client)}")
    assert client.get(name)["meta"]["versionId"] == "2"
    assert len(client.names(f"Observation?patient={patient(client)}&code=69548-6")) == 2
    assert client.get(f"{name}/_history/1")["meta"]["versionId"] == "1"
    assert len(client.get(f"{name}/_history/1")["result"]) > len(client.get(name)["result"])
    entries = client.get(f"{name}/_history")["entry"]
    assert [entry["response"]["etag"] for entry in entries] == ['W/"2"', 'W/"1"']
    client_of_south = replace(CLINICIAN, sites=frozenset({"south"}))
    with pytest.raises(RefusedRequestError):
        client.send(f"{name}/_history", caller=client_of_south)


def test_a_withdrawn_report_stays_and_is_in_error(client):
    client.store.withdraw("s-1", NOW)
    (name,) = client.names(f"DiagnosticReport?patient={patient(client)}")
    assert client.get(name)["status"] == "entered-in-error"
    assert client.get(name)["meta"]["versionId"] == "2"
    assert client.get(f"{name}/_history/1")["status"] == "final"
    assert client.names(f"DiagnosticReport?patient={patient(client)}&status=final") == []
    changed = client.names("DiagnosticReport?_lastUpdated=ge2026-11-22T12:00:00Z")
    assert changed == [name]  # who asks for what changed learns of it


def test_variants_of_a_range_are_found_in_its_own_coordinates(client):
    # the first variant is the base at 32,316,461: [32316460, 32316461) counted from 0
    of = f"$find-subject-variants?subject=Patient/{patient(client)}&ranges=NC_000013.11:"
    for interval, present in (("32316460-32316461", True), ("32316461-32316462", False), ("32316400-32316460", False)):
        (answer, outcome) = client.get(of + interval)["parameter"]
        assert answer["part"][1] == {"name": "presence", "valueBoolean": present}
        assert outcome["resource"]["issue"][0]["severity"] == "information"
    answer = client.get(f"{of}32316460-32316470&includeVariants=true")["parameter"][0]
    shown = [part["resource"] for part in answer["part"] if part["name"] == "variant"]
    assert len(shown) == 2  # at 32,316,461 and 32,316,468
    told = {part["code"]["coding"][0]["code"]: part for part in shown[0]["component"]}
    assert told["81254-5"]["valueRange"] == {"low": {"value": 32_316_460}, "high": {"value": 32_316_461}}
    assert told["92822-6"]["valueCodeableConcept"]["coding"][0]["code"] == "LA30100-4"


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("ranges=NC_000013.11:1000-2000", 404),  # outside of what was studied
        ("ranges=NC_000013.11:32999990-33000010", 404),  # half of it is
        ("ranges=NC_000013.10:32316460-32316461", 404),  # GRCh37
        ("ranges=NC_000014.9:32316460-32316461", 404),
        ("ranges=chr13:1-2", 400),
        ("ranges=NC_000013.11:5-5", 400),
        ("", 400),
        ("ranges=NC_000013.11:32316460-32316461&testIdentifiers=1", 400),
    ],
)
def test_a_range_that_was_not_tested_is_never_answered_with_not_present(client, asked, status):
    client.refused(f"$find-subject-variants?subject={patient(client)}&{asked}", status)


def test_a_range_that_could_not_be_called_is_said_to_be(client):
    of = f"$find-subject-variants?subject={patient(client)}&ranges=NC_000013.11:"
    (*_, called) = client.get(f"{of}32500000-32500010")["parameter"]
    (*_, uncalled) = client.get(f"{of}32950000-32950010")["parameter"]
    assert "could not be called" in uncalled["resource"]["issue"][0]["diagnostics"]
    assert "could not be called" not in called["resource"]["issue"][0]["diagnostics"]


def test_nothing_is_answered_where_the_audit_log_cannot_be_told(client):
    def fail(caller, reads):
        raise OSError("no log")

    server = FhirServer(client.store, BASE, fail, "1.0")
    for path in (
        "Patient",
        f"Patient/{patient(client)}",
        f"Patient/{patient(client)}/_history",
        "Observation?_count=0",
    ):
        plain, _, query = path.partition("?")
        with pytest.raises(OSError, match="no log"):
            server.answer(Request("GET", plain, query, caller=CLINICIAN), NOW)


def test_the_log_names_no_patient_and_no_value_that_was_asked_for(client):
    client.get(f"DiagnosticReport?patient.identifier={SUBJECTS}|PT00042")
    client.get("Observation?component-value-concept:text=BRCA1")
    assert "PT00042" not in str(client.told)
    assert "BRCA1" not in str(client.told)


def test_nobody_is_shown_more_than_metadata_without_a_token(client):
    assert client.get("metadata", caller=None)["fhirVersion"] == "4.0.1"
    assert validate_document(client.get("metadata", caller=None)) is not None
    for path in ("Patient", f"Patient/{patient(client)}", "$find-subject-variants", "nonsense"):
        client.refused(path, 401, caller=None)


def test_a_search_may_be_sent_in_a_body_that_no_log_keeps(client):
    form = "application/x-www-form-urlencoded"
    found = client.names("Patient/_search", method="POST", body="identifier=PT00042", content_type=form)
    assert found == [f"Patient/{patient(client)}"]
    client.refused("Patient/_search", 415, method="POST", body="{}", content_type="application/json")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_written(client, method):
    client.refused("Patient", 404, method=method)
    client.refused(f"Patient/{patient(client)}", 404, method=method)


@pytest.mark.parametrize("path", ["Patient/../x", "Patient/%27", "Basic", "Patient/x/y/z", "", "$export", "Patient//"])
def test_odd_paths_are_not_found(client, path):
    client.refused(path, 404)


ODD = st.sampled_from(
    [
        "' OR '1'='1",
        "*",
        "{$ne:1}",
        "..",
        "%00",
        "\x00",
        "a|b|c",
        "|",
        ",",
        "\\",
        "🧬",
        "<script>",
        "{{7*7}}",
        "A" * 9000,
    ]
) | st.text(max_size=30)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(
        ["_id", "identifier", "subject", "patient.identifier", "code", "date", "_cursor", "_include", "_count"]
    ),
    ODD,
)
def test_no_value_of_a_parameter_shows_another_sites_releases_or_breaks_the_server(name, value):
    client = Client()
    put_bundle(client.store, "s-3", subject="PT00044", site="south", variants=1)
    query = "&".join(f"{n}={v}" for n, v in ((name, value),))
    with suppress(RefusedRequestError):
        answer = client.send(f"Observation?{query}")
        assert answer.status in {200, 400}
        assert "s-3" not in str(answer.body)


def test_a_bundle_that_cannot_be_served_is_refused_by_name():
    bundle = signed_bundle("s-1")
    many = bundle | {"entry": bundle["entry"] * 1_500}
    for wrong, submission_id, code in (
        (many, "s-1", "bundle_too_large"),
        (bundle, "s" * 40, "submission_id_too_long"),
        (bundle | {"entry": bundle["entry"][:1]}, "s-1", "bundle_not_servable"),
        (bundle | {"entry": [{"resource": {"resourceType": "Patient"}}]}, "s-1", "bundle_not_servable"),
    ):
        with pytest.raises(RejectedInputError, match=code):
            release_bundle(wrong, submission_id, 1, NOW, ReleaseStatus.RELEASED)


def test_ids_stay_over_amendments_and_tell_nothing_but_the_submission():
    first = release_bundle(signed_bundle("s-1"), "s-1", 1, NOW, ReleaseStatus.RELEASED)
    second = release_bundle(signed_bundle("s-1"), "s-1", 2, NOW + timedelta(days=1), ReleaseStatus.AMENDED)
    assert first.places.keys() == second.places.keys()
    assert first.release.patient == second.release.patient
